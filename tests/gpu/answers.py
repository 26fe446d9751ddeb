"""Compares what a program answers bare and confined: one JSON line of questions and answers each time.

A key that begins with "sms" is a number of SMs, "skipped " a question that could not be asked and why. Numbers
with a fraction agree within NEAR, for kernels are chosen by the SM count and sum in another order; every
other answer is the same. What is to be near 0 (an error, a difference) is to be answered by true or false.
"""
import concurrent.futures
import json

NEAR = 2e-3   # of the larger number
FLOOR = 1e-5  # what numbers near 0 may differ by: float32 sums of terms about 1 do
SHOWN = 10    # of what differs


def agree(one, other):
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(agree(*pair) for pair in zip(one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= max(FLOOR, NEAR * max(abs(one), abs(other)))
    return one == other


def rules(answers):
    return {key: value for key, value in answers.items() if not key.startswith(("sms", "skipped "))}


def sms(answers):
    return {key: value for key, value in answers.items() if key.startswith("sms")}


def differing(bare, confined):
    """The keys by which two answers differ, without those that count SMs."""
    if "error" in confined:
        return {"error": (None, confined)}
    return {key: (value, confined.get(key)) for key, value in rules(bare).items()
            if not agree(value, confined.get(key))}


def shown(odd):
    return json.dumps(dict(list(odd.items())[:SHOWN])) + f" ({len(odd)} differ)" if odd else ""


def both(run, command, policy, extra, seconds, together):
    """The bare and the confined run; together they take turns on the GPU, as long as there is no MPS."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2 if together else 1) as pool:
        pair = [pool.submit(run.execute, command, {**extra, **more}, seconds) for more in ({}, policy)]
        return [one.result() for one in pair]


def groups_of(percent, total):
    """What a share comes to in SM groups (read off an H100 and an H200: 8 SMs each)."""
    return max(8, int(percent * total / 100) // 8 * 8)


def as_bare(run, what, command, policy, percent=25, extra=None, seconds=120, together=True):
    """Reports whether a program answers under the policy what it answers bare, and on how many SMs it ran.
    The bare answers."""
    (plain, bare, _), (done, confined, said) = both(run, command, policy, extra or {}, seconds,
                                                        together)
    for key, why in bare.items():
        if key.startswith("skipped "):
            run.skipped(f"{what}: {key.removeprefix('skipped ')}", why)
    if plain.returncode != 0 or not rules(bare):
        run.report(f"{what}: bare", False, f"exit {plain.returncode}, {json.dumps(bare)} {plain.stderr[-600:]}")
        return bare
    odd = differing(bare, confined)
    failure = f"exit {done.returncode}: {done.stderr[-600:]}" if done.returncode else ""
    run.report(what, not odd and not failure and not said,
               f"{len(rules(bare))} answers as bare {shown(odd)}{failure}{''.join(said)}".rstrip())
    counts = sms(confined)
    if sms(bare):
        total = max(sms(bare).values())
        want = groups_of(percent, total)
        run.report(f"{what}: SMs", set(counts.values()) == {want} and set(sms(bare).values()) == {total},
                   f"{json.dumps(counts)} want {want} of {total}")
    return bare
