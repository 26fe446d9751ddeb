"""Checks of apps.py: programs on two GPUs, each of which has a share of its own."""
import json

from answers import as_bare, differing, groups_of, rules, shown
from frameworks import QUARTER, has, program
from whole import built, gpus

PERCENT = {0: 25, 1: 50}


def with_a_share_each(run):
    shares = ", ".join(f'{device} = "{percent}%"' for device, percent in PERCENT.items())
    policy = run.policy("two", f'mechanism = "green"\ndevice_share = {{ {shares} }}')
    binary = built(run, "two_gpus.cu")
    first, bare, _ = run.execute([binary], seconds=60)
    done, confined, said = run.execute([binary], policy, 60)
    odd = differing(bare, confined)
    run.report("two GPUs: peer access, copies, streams", done.returncode == 0 and bool(rules(bare)) and not odd
               and not said, f"{len(rules(bare))} answers as bare {shown(odd)} {json.dumps(bare)} "
               f"{first.stderr[-200:]}{done.stderr[-300:]}")
    for device, percent in PERCENT.items():
        keys = [f"sms of {device} by attribute", f"sms of {device}'s kernel"]
        want = groups_of(percent, bare.get(keys[0], 0))
        counts = [confined.get(key) for key in keys]
        total = [bare.get(key) for key in keys]
        run.report(f"two GPUs: {percent} % of {device}", counts == [want, want] and total[0] == total[1],
                   f"{counts} want {want} of {total}")


def collectives(run):
    if not has(run, "NCCL", "torch"):
        return
    policy = run.policy("nccl", QUARTER)
    # Multicast by NVLink needs a fabric manager's leave, which virtual machines often lack.
    extra = {"NCCL_NVLS_ENABLE": "0"}
    for what, script in (("NCCL in one process", "torch_nccl.py"),
                         ("NCCL and DDP in two processes", "torch_ddp.py")):
        # One after the other: kernels that wait for each other's GPU take turns badly.
        as_bare(run, what, program(script), policy, extra=extra, seconds=120, together=False)


def two_gpus(run):
    if gpus() < 2:
        run.skipped("two GPUs", "there is one")
        return
    with_a_share_each(run)
    collectives(run)
