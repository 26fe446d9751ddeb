"""PyTorch, unmodified: prints what runtime.cu prints. An allocation that fails counts as error 2,
which is what PyTorch's OutOfMemoryError stands for (cudaErrorMemoryAllocation)."""
import json
import sys

import torch
from distinct import distinct_sms


def try_to_allocate(mebibytes):
    try:
        torch.empty(mebibytes << 20, dtype=torch.uint8, device="cuda")
        result = 0
    except torch.OutOfMemoryError:
        result = 2
    torch.cuda.empty_cache()
    return result


def main():
    if not torch.cuda.is_available():
        print(json.dumps({"error": "torch.cuda.is_available() is False"}))
        return 1
    small, large = (int(argument) for argument in sys.argv[1:3])
    sms = torch.cuda.get_device_properties(0).multi_processor_count
    product = (torch.ones(512, 512, device="cuda") @ torch.ones(512, 512, device="cuda"))
    assert bool((product == 512).all())
    distinct = distinct_sms(torch.cuda.current_stream().cuda_stream)
    print(json.dumps({"sms": sms, "distinct": distinct, "small": try_to_allocate(small),
                      "large": try_to_allocate(large)}))
    return 0


sys.exit(main())
