"""What the first context of a process costs in a part of the SMs: bare and confined by turns."""

import dataclasses
import statistics
import sys

from harness import Child, differences, output

STAGES = ("cuInit", "context", "allocation", "stream", "blocking stream")
SHARE = ('share = "25%"', 'mechanism = "green"')
MEGABYTE = 1e6


@dataclasses.dataclass
class Run:
    """One process."""
    stages: list  # ms, wall
    cpu: float  # ms, without cuInit
    resident: float  # MB
    device: float  # MB
    sms: int

    def cpu_time(self):
        return self.cpu

    def context(self):
        """All that comes after cuInit, in ms."""
        return sum(self.stages[1:])


def run(bench, environment, *arguments):
    words = [int(word) for word in
             output([bench.bin / "first_context", *arguments], environment).split()]
    count = len(STAGES)
    return Run([word / 1e6 for word in words[:count]], words[count] / 1e6, words[count + 1] / MEGABYTE,
               words[count + 2] / MEGABYTE, words[count + 3])


class Comparison:
    """Rounds of a bare process, a second bare one, a confined one, and one that makes a green context of as
    many SMs by itself, in changing order."""

    def __init__(self, bench):
        # No daemon is known there: an MPS client takes other memory and time, with ration or without.
        alone = bench.folder / "alone"
        alone.mkdir()
        bare = bench.environment()
        confined = {**bench.confined_to("quarter", *SHARE), "RATION_RUNTIME_DIR": str(alone)}
        granted, all_sms = run(bench, confined).sms, run(bench, bare).sms
        if granted >= all_sms:
            sys.exit(f"bench: the confined program has {granted} of {all_sms} SMs: nothing to compare")
        kinds = {"bare": (bare,), "again": (bare,), "ration": (confined,),
                 "by hand": (bare, "by-hand", str(granted))}
        self.sms = f"{granted} of {all_sms} SMs"
        self.runs = {kind: [] for kind in kinds}
        # A driver that nobody uses forgets its device, and takes seconds to find it again.
        holder = Child(bench, "first_context", bare, "hold").ready()
        for turn in range(bench.times(80 if bench.real else 40, 2)):
            order = list(kinds)
            for kind in order[turn % len(order):] + order[:turn % len(order)]:
                self.runs[kind].append(run(bench, *kinds[kind]))
        holder.end()

    def median(self, kind, what):
        return statistics.median(what(one) for one in self.runs[kind])

    def differences(self, kind, what):
        return differences(*([what(one) for one in self.runs[each]] for each in ("bare", kind)))

    def added(self, kind, what):
        """What a process of this kind has more than the bare one of its round: quartiles."""
        return statistics.quantiles(self.differences(kind, what), n=4)


def quartiles(of, form="{:.2f}"):
    low, middle, high = (form.format(value) for value in of)
    return f"{middle} ({low} to {high})"


def interval(values):
    """Where the median lies, 19 times of 20: between two of the values, by their ranks alone."""
    ordered, last = sorted(values), len(values) - 1
    reach = 0.98 * len(values) ** 0.5
    low, high = (round(last / 2 + side * reach) for side in (-1, 1))
    return f"{ordered[max(0, low)]:.2f} to {ordered[min(last, high)]:.2f}"


def against_by_hand(found):
    values = differences(*([one.context() for one in found.runs[kind]] for kind in ("by hand", "ration")))
    return f"{statistics.median(values):.2f} ({interval(values)})"


def time_row(bench):
    found = bench.once("first contexts", Comparison)
    added = found.added("ration", Run.context)
    stages = ", ".join(
        f"{name} {quartiles(found.added('ration', lambda one, at=i: one.stages[at]))}"
        for i, name in enumerate(STAGES))
    return {"what": "first context in a part of the SMs", "unit": "ms",
            "bare": found.median("bare", Run.context), "ration": found.median("ration", Run.context),
            "added": added[1],
            "beside": f"{found.sms}; {quartiles(added)} more in {len(found.runs['bare'])} rounds, a second "
                      f"bare process {quartiles(found.added('again', Run.context))}, a green context by "
                      f"hand {quartiles(found.added('by hand', Run.context))}\n"
                      f"the median with 95 %: {interval(found.differences('ration', Run.context))}, less a "
                      f"green context by hand: {against_by_hand(found)}\n"
                      f"stage by stage: {stages}\n"
                      f"of this CPU time, without cuInit: {quartiles(found.added('ration', Run.cpu_time))}",
            "figure": added[1], "budget": 5, "of": "ms more"}


def memory_row(bench):
    found = bench.once("first contexts", Comparison)

    def all_of(what):
        return "; ".join(f"{kind} {quartiles(found.added(key, what), '{:.1f}')}" for kind, key in
                         (("with ration", "ration"), ("a second bare process", "again"),
                          ("by hand", "by hand")))

    device = found.added("ration", lambda one: one.device)[1]
    resident = found.added("ration", lambda one: one.resident)[1]
    return {"what": "memory of that context", "unit": "MB",
            "bare": found.median("bare", lambda one: one.device),
            "ration": found.median("ration", lambda one: one.device), "added": device,
            "beside": f"device memory: {all_of(lambda one: one.device)}\n"
                      f"resident, of {found.median('bare', lambda one: one.resident):.1f} bare: "
                      f"{all_of(lambda one: one.resident)}",
            "figure": max(device, resident), "budget": 10, "of": "MB more, device or resident"}
