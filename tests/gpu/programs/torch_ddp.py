"""PyTorch, unmodified: all-reduce and three steps of DistributedDataParallel by two processes with a GPU each,
which it starts itself. One JSON line, as answers.py compares it.

usage: torch_ddp.py [RANK FILE]
"""
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.distributed as dist
from distinct import distinct_sms, told_sms

RANKS = 2


def trained(rank, generator):
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.GELU(), torch.nn.Linear(128, 10))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    inputs = torch.randn(RANKS, 32, 64, generator=generator)[rank].to(rank)
    model = torch.nn.parallel.DistributedDataParallel(model.to(rank), device_ids=[rank])
    step = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        step.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses, [parameter.abs().mean().item() for parameter in model.parameters()]


def one_rank(rank, file):
    torch.cuda.set_device(rank)
    dist.init_process_group("nccl", init_method=f"file://{file}", rank=rank, world_size=RANKS,
                            timeout=datetime.timedelta(seconds=60))
    generator = torch.Generator().manual_seed(7)
    host = torch.randint(-1000, 1000, (RANKS, 1 << 22), generator=generator).float()
    there = host[rank].to(rank)
    dist.all_reduce(there)
    losses, parameters = trained(rank, generator)
    answers = {f"all_reduce of rank {rank} is right": torch.equal(there.cpu(), host.sum(0)),
               f"losses of rank {rank}": losses, f"parameters of rank {rank}": parameters,
               f"sms of rank {rank} by attribute": told_sms(rank),
               f"sms of rank {rank}'s kernel": distinct_sms(torch.cuda.current_stream().cuda_stream, rank)}
    dist.barrier()
    dist.destroy_process_group()
    print(json.dumps(answers))


def main():
    if len(sys.argv) == 3:
        return one_rank(int(sys.argv[1]), sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        ranks = [subprocess.Popen([sys.executable, __file__, str(rank), pathlib.Path(folder) / "meeting"],
                                  stdout=subprocess.PIPE, text=True) for rank in range(RANKS)]
        outs = [rank.communicate()[0] for rank in ranks]
    answers = {}
    for out in outs:
        lines = [line for line in out.splitlines() if line.startswith("{")]
        answers.update(json.loads(lines[-1]) if lines else {"error": out[-300:]})
    same = [answers.get(f"parameters of rank {rank}") for rank in range(RANKS)]
    print(json.dumps({**answers, "both have the same parameters": same[0] == same[1]}))
    return max(rank.returncode for rank in ranks)


sys.exit(main())
