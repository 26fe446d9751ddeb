#!/usr/bin/env python3
"""Runs unmodified programs on a real NVIDIA GPU inside SM subsets (mechanism "green"), and compares with
bare runs and with MPS beside them.

usage: tests/gpu/green.py [BUILD] [--only WHAT]...   BUILD: folder with libration.so (default build/release)

WHAT: semantics, programs, speed, exclusive, quota, refusals; all of them unless named. Starts an MPS daemon
of its own for what needs one and stops it. Exit status: 0 if every line is as the policy says, 1 if one is
not, 77 if there is no CUDA compiler.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from whole import SKIPPED, Run, built, programs

SECONDS = 4  # of a rate
NEAR = 0.03  # what two rates may differ by


def green(run, name, text):
    return run.policy(name, f'mechanism = "green"\n{text}')


SHOWN = 10  # of what differs


def differing(bare, confined):
    """The keys by which two answers differ, without those that count SMs."""
    if "error" in confined:
        return {"error": (None, confined)}
    return {key: (bare[key], confined.get(key)) for key in bare
            if not key.startswith("sms") and bare[key] != confined.get(key)}


def semantics(run):
    policy = green(run, "semantics", 'share = "25%"')
    for name, flags in (("legacy", ()), ("per-thread", ("--default-stream=per-thread",))):
        program = built(run, "semantics.cu", *flags)
        _, bare, _ = run.execute([program])
        done, confined, said = run.execute([program], policy)
        rules = [key for key in bare if not key.startswith("sms")]
        odd = differing(bare, confined)
        some = dict(list(odd.items())[:SHOWN])
        run.report(f"default stream {name}: {len(rules)} rules as bare", bool(rules) and not odd,
                   f"{len(odd)} differ: {json.dumps(some)} {done.stderr[-300:]}" if odd else "all equal")
        counts = {key: value for key, value in confined.items() if key.startswith("sms")}
        total = bare.get("sms by attribute", 0)
        granted = confined.get("sms by attribute", 0)
        run.report(f"default stream {name}: SMs of every way to launch",
                   0 < granted < total and set(counts.values()) == {granted},
                   json.dumps(counts) + "".join(said))


def whole_programs(run):
    for name, command in programs(run.work).items():
        policy = green(run, "programs", 'share = "25%"')
        _, result, said = run.execute([*command, "1", "1"], policy)
        run.report(f"{name}: share = \"25%\", green", result.get("sms") == result.get("distinct") == 32
                   and not said, json.dumps(result) + "".join(said))


def rate(run, program, policy, *arguments):
    done, result, said = run.execute([program, *arguments], policy)
    return result.get("rate", 0.0), result.get("sms", 0), "".join(said) + done.stderr[-200:]


def speed(run):
    program = built(run, "speed.cu", "-lcublas")
    whole, total, _ = rate(run, program, {}, "spin", SECONDS)
    for share in (25, 50, 75):
        policy = green(run, f"speed{share}", f'share = "{share}%"')
        part, granted, said = rate(run, program, policy, "spin", SECONDS)
        ratio = part / whole / (granted / total) if granted else 0
        run.report(f"fixed cycles at {share} %", abs(ratio - 1) <= NEAR,
                   f"{granted} of {total} SMs, {part:.1f} of {whole:.1f} a second, by SMs {ratio:.3f} {said}")
        ours, granted, said = rate(run, program, policy, "matmul", SECONDS)
        hand, _, why = rate(run, program, {}, "matmul", SECONDS, granted)
        run.report(f"matmul at {share} % beside one confined by hand", hand and abs(ours / hand - 1) <= NEAR,
                   f"{ours:.1f} and {hand:.1f} TFLOP/s, {ours / hand if hand else 0:.3f} {said} {why}")


def together(run, program, policies):
    environments = [dict(run.environment, **policy) for policy in policies]
    running = [subprocess.Popen([program, "spin", str(SECONDS)], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for environment in environments]
    results = []
    for process in running:
        out, said = process.communicate(timeout=120)
        results.append((json.loads(out).get("rate", 0.0) if out.startswith("{") else 0.0, said))
    return results


def exclusive(run):
    program = built(run, "speed.cu", "-lcublas")
    own = [green(run, f"own{i}", 'share = "45%"\nexclusive = true') for i in range(2)]
    solo = [rate(run, program, policy, "spin", SECONDS)[0] for policy in own]
    both = together(run, program, own)
    ratios = [now / alone if alone else 0 for (now, _), alone in zip(both, solo)]
    run.report("two exclusive partitions together, by solo", min(ratios) >= 0.98,
               f"{ratios[0]:.3f} {ratios[1]:.3f} {' '.join(said for _, said in both)}")
    same = [green(run, f"same{i}", 'sm_groups = "0-6"') for i in range(2)]
    solo = rate(run, program, same[0], "spin", SECONDS)[0]
    ratios = [now / solo if solo else 0 for now, _ in together(run, program, same)]
    run.report("the same groups twice, by solo (for contrast)", 0 < max(ratios) < 0.6,
               f"{ratios[0]:.3f} {ratios[1]:.3f}")
    large = green(run, "large", 'share = "60%"\nexclusive = true')
    results = together(run, program, [large, large])
    run.report("no room for a second exclusive 60 %", sum(now > 0 for now, _ in results) == 1
               and any(said.startswith("ration:") for _, said in results),
               " ".join(said.strip() for _, said in results))
    # Without a daemon the driver ignores it.
    refused(run, built(run, "runtime.cu"), "a percentage in the environment of an MPS client",
            'share = "25%"', {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "50"})


def quota(run):
    for name, command in programs(run.work).items():
        policy = green(run, "quota", 'share = "25%"\nmemory = "2GiB"')
        _, result, said = run.execute([*command, "1024", "2304"], policy)
        run.report(f"{name}: memory = \"2GiB\" without a daemon",
                   result.get("small") == 0 and result.get("large") == 2, json.dumps(result) + "".join(said))


def refusals(run):
    program = built(run, "runtime.cu")
    for what, text in (("a share below one group", 'share = "1%"'),
                       ("groups that do not exist", 'sm_groups = "90-91"'),
                       ("more SMs than there are", "sm = 4000")):
        refused(run, program, what, text, {})


def refused(run, program, what, text, extra):
    done, _, said = run.execute([program, "1", "1"], {**green(run, "refused", text), **extra})
    run.report(what, done.returncode != 0 and len(said) == 1, " | ".join(said))


def main():
    parts = {"semantics": semantics, "programs": whole_programs, "speed": speed, "quota": quota,
             "exclusive": exclusive, "refusals": refusals}
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default="build/release", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=parts)
    arguments = parser.parse_args()
    if shutil.which("nvcc") is None:
        print("nothing was tested: no nvcc on PATH")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="ration-green-") as folder:
        run = Run(arguments.build.resolve(), pathlib.Path(folder))
        for name, part in parts.items():
            if arguments.only and name not in arguments.only:
                continue
            print(f"-- {name}", flush=True)
            with_daemon = name == "exclusive"
            if with_daemon:
                run.ration("mps", "ensure")
            try:
                part(run)
            finally:
                if with_daemon:
                    run.ration("mps", "stop")
    print(f"{run.failures} not as the policy says" if run.failures else "all as the policy says")
    return 1 if run.failures else 0


sys.exit(main())
