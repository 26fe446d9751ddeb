"""PyTorch, unmodified: NCCL's collectives on two GPUs of one process. One JSON line, as answers.py
compares it."""
import json
import sys

import torch
from distinct import told_sms
from torch.cuda import nccl

COUNT = 1 << 22


def inputs():
    """Whole numbers, whose sums are the same in any order."""
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(-1000, 1000, (COUNT,), generator=generator).float() for _ in range(2)]


def main():
    host = inputs()
    there = [tensor.to(f"cuda:{device}") for device, tensor in enumerate(host)]
    answers = {}
    for turn in range(3):
        sums = [torch.empty_like(tensor) for tensor in there]
        nccl.all_reduce(there, sums)
        answers[f"all_reduce {turn} is right"] = all(torch.equal(one.cpu(), host[0] + host[1]) for one in sums)
    gathered = [torch.empty(2 * COUNT, device=tensor.device) for tensor in there]
    nccl.all_gather(there, gathered)
    answers["all_gather is right"] = all(torch.equal(one.cpu(), torch.cat(host)) for one in gathered)
    nccl.broadcast(there)
    answers["broadcast is right"] = torch.equal(there[1].cpu(), host[0])
    for device in range(2):
        answers[f"sms of {device} by attribute"] = told_sms(device)
        properties = torch.cuda.get_device_properties(device)
        answers[f"sms of {device} by properties"] = properties.multi_processor_count
    print(json.dumps(answers))


sys.exit(main())
