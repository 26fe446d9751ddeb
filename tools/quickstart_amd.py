"""Shows which queues the three runs of tools/quickstart --amd made and what the kernel was told of each, and
compares that with what the policy asks for."""

import argparse
import itertools
import json
import pathlib
import sys

HARDWARE = "simulated kernel driver, no AMD hardware"
PERCENT = 25
RUNS = {
    "bare": "PROG",
    "run": "ration run --share 25% -- PROG",
    "preload": "LD_PRELOAD=libration.so RATION_POLICY=quarter.toml PROG",
}


def read_json(path):
    text = path.read_text().strip() if path.exists() else ""
    return json.loads(text) if text else {}


def read_queues(events):
    """The compute queues in the order in which they were made, each with its last mask. Not the one with which
    ration tries the kernel before HIP works: as short as ROCr's own, which is the first, and HIP's are longer."""
    queues, live, shortest = [], {}, 0
    for event in events:
        if event["event"] == "create_queue" and not event["type"].startswith("sdma"):
            live[event["queue"]] = {"queue": event["queue"], "priority": event["priority"],
                                    "mask": None, "cus": None, "engines": None, "hangs": False}
            if event["bytes"] != shortest:
                queues.append(live[event["queue"]])
            shortest = shortest or event["bytes"]
        elif event["event"] == "update_queue" and event["queue"] in live:
            live[event["queue"]]["priority"] = event["priority"]
        elif event["event"] == "set_cu_mask":
            queue = live[event["queue"]]
            queue.update({key: event[key] for key in ("mask", "cus", "engines")})
            queue["hangs"] |= event["hangs"]
    return queues


def read_runs(folder):
    records = {record["pid"]: record for record in read_json(folder / "records.json").get("records", [])}
    runs = {}
    for name, command in RUNS.items():
        log = folder / f"{name}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        events = [json.loads(line) for line in lines]
        gpus = [event["gpus"] for event in events if event["event"] == "start"]
        report = read_json(folder / f"{name}.out")
        runs[name] = {
            "command": command,
            "failed": report.get("failed", ["the program"]),
            "streams": [stream["kind"] for stream in report.get("streams", [])],
            "device": (report.get("devices") or [{}])[0],
            "gpu": gpus[0][0] if gpus else None,
            "queues": read_queues(events),
            "record": next((records[event["pid"]] for event in events
                            if event["pid"] in records), None),
        }
    return runs


def quarter_of(gpu):
    """CUs of a quarter: whole rows (one CU or pair of every engine of every XCC), the nearest number
    of them, down at half."""
    row = len(gpu["engines"]) * gpu["xccs"] * (2 if gpu["pairs"] else 1)
    rows, rest = divmod(gpu["cus"] * PERCENT, row * 100)
    return row * (rows + (1 if 2 * rest > row * 100 else 0))


def problems_of_queue(queue, granted):
    if queue["mask"] is None:
        return "no mask was ever set"
    if queue["hangs"]:
        return "a mask under which it hangs"
    beyond = int(queue["mask"], 16) & ~granted
    return f"CUs beyond the grant: {beyond:#x}" if beyond else ""


def problems_of_run(run, cus):
    command, queues = run["command"], run["queues"]
    found = []
    # The largest mask is the grant; the program's own only narrows it.
    largest = max((queue for queue in queues if queue["mask"]), key=lambda queue: queue["cus"],
                  default=None)
    granted = int(largest["mask"], 16) if largest else 0
    for queue in queues:
        problem = problems_of_queue(queue, granted)
        if problem:
            found.append(f"{command}: queue {queue['queue']}: {problem}")
    if largest and largest["cus"] != cus:
        found.append(f"{command}: asked for {PERCENT} %, {cus} CUs, and queues have {largest['cus']}")
    if largest and any(len({mask.bit_count() for mask in xcc}) > 1 for xcc in largest["engines"]):
        found.append(f"{command}: shader engines have unequal numbers of CUs")
    if run["device"].get("multiprocessors") != cus:
        told = run["device"].get("multiprocessors")
        found.append(f"{command}: the program was told of {told} CUs instead of {cus}")
    record = run["record"]
    if record is None:
        found.append(f"{command}: no record in `ration ps --recent`")
    elif record["state"] != "granted" or not record["granted"].startswith(f"{cus} of "):
        found.append(f"{command}: the record says {record['state']}, {record['granted']!r}")
    return found


def problems(runs):
    """One line for each thing that is not as the policy says."""
    found = []
    for name, run in runs.items():
        if run["failed"] or run["gpu"] is None or not run["queues"]:
            found.append(f"{run['command']}: failed: {run['failed']}, {len(run['queues'])} queues")
        elif name != "bare":
            found += problems_of_run(run, quarter_of(run["gpu"]))
            bare = runs["bare"]
            if (len(run["queues"]), run["streams"]) != (len(bare["queues"]), bare["streams"]):
                found.append(f"{run['command']}: other queues or streams than without ration")
    return found


def draw(engine, arrays):
    """Array 0 is in bits 0-15, array 1 in bits 16-31."""
    halves = []
    for array, cus in enumerate(arrays):
        halves.append("".join("#" if engine >> 16 * array + cu & 1 else "." for cu in range(cus)))
    return f"{'|'.join(halves)} {engine.bit_count()} of {sum(arrays)}"


def drawing(engines, gpu):
    """A line for each shader engine, neighbours that are alike together; all XCCs are."""
    drawn = [draw(mask, arrays) for mask, arrays in zip(engines[0], gpu["engines"])]
    lines, first = [], 0
    for last, line in enumerate(drawn):
        if last + 1 == len(drawn) or drawn[last + 1] != line:
            name = f"SE{first}" if first == last else f"SE{first}-{last}"
            lines.append(f"{name}  {line}")
            first = last + 1
    return lines


def cell(run, queue, letters):
    if queue is None:
        return "-"
    if queue["mask"] is None:
        return f"{run['gpu']['cus']} no mask"
    return f"{queue['cus']} mask {letters[queue['mask']]}"


def table(runs, letters):
    """A line for each queue, which is the same one in every run, and a column for each run."""
    rows = [("queue", "priority", *runs)]
    for queues in itertools.zip_longest(*(run["queues"] for run in runs.values())):
        one = next(queue for queue in queues if queue is not None)
        cells = [cell(run, queue, letters) for run, queue in zip(runs.values(), queues)]
        rows.append((str(one["queue"]), str(one["priority"]), *cells))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
            for row in rows]


def show(runs):
    gpu = runs["bare"]["gpu"]
    if gpu is None:
        return ["The program failed."]
    name = runs["bare"]["device"].get("name", gpu["model"])
    lines = [f"On a {HARDWARE}: {name}, {gpu['cus']} CUs in "
             f"{len(gpu['engines']) * gpu['xccs']} shader engines.", ""]
    for title, run in runs.items():
        grant = run["record"]
        granted = f": {grant['granted']}, {grant['mechanism']}" if grant else ""
        lines.append(f"{title:7}  {run['command']}{granted}")
    masks = {}
    for run in runs.values():
        for queue in run["queues"]:
            if queue["mask"] is not None:
                masks.setdefault(queue["mask"], queue["engines"])
    letters = {mask: chr(ord("A") + place) for place, mask in enumerate(masks)}
    lines += ["", "CUs of the compute queues that HIP and ROCr made:", "", *table(runs, letters), ""]
    for mask, engines in masks.items():
        lines.append(f"mask {letters[mask]}   {mask}")
        lines += ["         " + line for line in drawing(engines, gpu)]
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=("table", "json"), required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    runs = read_runs(arguments.folder)
    found = problems(runs)
    if arguments.format == "json":
        print(json.dumps({"driver": HARDWARE, "runs": runs, "problems": found}, indent=2))
    else:
        print("\n".join(show(runs)))
        if not found:
            print("\nEvery queue has the mask that the policy asks for. One of the program's streams asks for A\n"
                  "itself: that only narrows.")
    for line in found:
        print(f"tools/quickstart: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
