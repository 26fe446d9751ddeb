"""Checks of apps.py: what processes share, and memory that graphs take."""
import json
import subprocess
import threading

from answers import differing, groups_of, shown
from whole import built

QUARTER = 'mechanism = "green"\nshare = "25%"'
AHEAD_MIB = 2 * 64  # what two processes may have drawn of a shared quota of 4 GiB without using it


def ipc(run):
    program = built(run, "ipc.cu")
    _, bare, _ = run.execute([program, 64], seconds=60)
    total = bare.get("sms of the parent", 0)
    granted = groups_of(25, total)
    policy = run.policy("ipc", QUARTER)
    preload = [f"{name}={value}" for name, value in policy.items()]
    unload = [f"{name}=" for name in policy]
    for what, extra, change, parent, child in (
            ("both confined", policy, [], granted, granted),
            ("the parent alone confined", policy, unload, granted, total),
            ("the child alone confined", {}, preload, total, granted)):
        done, result, said = run.execute([program, 64, *change], extra, 60)
        odd = differing(bare, result)
        counts = (result.get("sms of the parent"), result.get("sms of the child"))
        run.report(f"IPC, {what}", done.returncode == 0 and len(bare) > 5 and not odd and not said
                   and counts == (parent, child),
                   f"{counts} SMs want {(parent, child)} {shown(odd)} {json.dumps(result)}{done.stderr[-300:]}")
    small = run.policy("ipc-small", QUARTER + '\nmemory = "1GiB"')
    large = run.policy("ipc-large", QUARTER + '\nmemory = "2GiB"')
    change = [f"{name}={value}" for name, value in small.items()]
    done, result, _ = run.execute([program, 1536, *change], large, 60)
    run.report("IPC, who opens 1.5 GiB is not charged", done.returncode == 0
               and result.get("child: charged for what it opened") == 0
               and result.get("child: what the parent's event ordered") == 3,
               json.dumps(result) + done.stderr[-300:])


class Holder:
    """holder.cu, running."""

    def __init__(self, run, program, policy, seconds=60):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(run.environment, **policy))
        self.limit = threading.Timer(seconds, self.process.kill)
        self.limit.start()

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline() or "{}")
        except BrokenPipeError:
            return {}

    def alloc(self, mebibytes):
        return self.ask(f"alloc {mebibytes}").get("code")

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        self.process.communicate()
        self.limit.cancel()


def shared_quota(run):
    program = built(run, "holder.cu")
    for scope in ("user", "slot"):
        policy = run.policy(f"quota-{scope}", f'{QUARTER}\nmemory = "4GiB"\nscope = "{scope}"')
        first, second = Holder(run, program, policy), Holder(run, program, policy)
        codes = [first.alloc(3072), second.alloc(1536), second.alloc(512)]
        told = [holder.ask("told") for holder in (first, second)]
        first.kill()
        codes.append(second.alloc(3072))
        second.end()
        run.report(f"scope = \"{scope}\": two processes share 4 GiB", codes == [0, 2, 0, 0]
                   and all(one.get("total") == 4096 and 512 - AHEAD_MIB <= one.get("free", 0) <= 512 for one in told),
                   f"3072 {codes[0]}, beside it 1536 {codes[1]}, 512 {codes[2]}, "
                   f"and 3072 after a kill {codes[3]}; {json.dumps(told)}")
        run.report(f"scope = \"{scope}\": two processes, the same SMs", told[0].get("sms", 0) > 0
                   and told[0].get("mask") == told[1].get("mask"), f"{told[0].get('sms')} SMs")
    one = run.policy("job-one", QUARTER + '\nexclusive = true\nscope = "user"', partition="one")
    two = run.policy("job-two", QUARTER + '\nexclusive = true', partition="two")
    holders = [Holder(run, program, policy) for policy in (one, one, two)]
    masks = [int(holder.ask("told").get("mask", "0"), 16) for holder in holders]
    for holder in holders:
        holder.end()
    run.report("an exclusive job of two processes, and another", all(masks) and masks[0] == masks[1]
               and not masks[0] & masks[2], ", ".join(f"{mask:x}" for mask in masks))


def graph_memory(run):
    program = built(run, "graph_memory.cu")
    bare, confined = (run.execute([program], policy, 60)[1]
                      for policy in ({}, run.policy("graph", QUARTER + '\nmemory = "2GiB"')))
    run.report("graphs that allocate: bare", bool(bare) and "error" not in bare, json.dumps(bare))
    # Where a whole GPU is full it is up to the driver whether it takes back what graphs have reserved.
    open_question = "1.75 GiB beside a graph's 1 GiB, before a trim"
    odd = differing({**bare, "3 GiB in a graph": 2, open_question: confined.get(open_question)}, confined)
    run.report("graphs that allocate: memory = \"2GiB\"", bool(bare) and not odd,
               f"{json.dumps(confined)} {shown(odd)}")
