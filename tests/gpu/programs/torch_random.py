"""PyTorch, unmodified: checksums of random numbers drawn on the GPU after one seed, few and many at a time."""
import json
import sys
import zlib

import torch

FEW, MANY = 1 << 10, 1 << 22


def drawn(draw, count):
    torch.manual_seed(1)
    return zlib.crc32(draw(count, device="cuda").cpu().numpy().tobytes())


def main():
    print(json.dumps({"sms": torch.cuda.get_device_properties(0).multi_processor_count,
                      "few": [drawn(draw, FEW) for draw in (torch.rand, torch.randn)],
                      "many": [drawn(draw, MANY) for draw in (torch.rand, torch.randn)]}))


sys.exit(main())
