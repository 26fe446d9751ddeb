"""Compares what the three runs of tools/quickstart got with what was asked for, and prints it."""

import argparse
import json
import pathlib
import sys

GIB = 1 << 30
MEASURED_SMS = 132  # the part on which the rounding of MPS percentages was measured
RUNS = {
    "bare": ("bare PROG", None, None),
    "run": ("ration run --share 25% -- PROG", 25, None),
    "preload": ("LD_PRELOAD=libration.so RATION_POLICY=quarter.toml PROG", 25, 2 * GIB),
}


def read_runs(folder):
    """Name of the run to the program's report joined with its record, {} for a run that failed."""
    records = {r["pid"]: r for r in json.loads((folder / "records.json").read_text())["records"]}
    runs = {}
    for name in RUNS:
        text = (folder / f"{name}.out").read_text().strip()
        report = json.loads(text) if text else {}
        runs[name] = {"command": RUNS[name][0], **report, "record": records.get(report.get("pid"))}
    return runs


def expected_sms(percent, total):
    """Fewest and most SMs that MPS grants for this percentage: rounded down to an even count, at
    least 8, on a part of 132 SMs; on others the step may be as large as 8."""
    exact = total * percent // 100
    rounded = max(8, exact - exact % 2)
    return (rounded, rounded) if total == MEASURED_SMS else (max(1, min(8, exact), exact - 7), rounded)


def problems(runs):
    """One line for each thing that is not as asked for."""
    found = []
    for name, run in runs.items():
        command, percent, memory = RUNS[name]
        if "sms" not in run:
            found.append(f"{command}: {run.get('failed', 'the program')} failed")
            continue
        if percent is None:
            continue
        total = runs["bare"].get("sms")
        if total is None:
            continue
        low, high = expected_sms(percent, total)
        if not low <= run["sms"] <= high:
            found.append(f"{command}: asked for {percent} % of {total} SMs, got {run['sms']}")
        if memory is not None and run["memory_free"] > memory:
            found.append(f"{command}: asked for {memory} bytes, and {run['memory_free']} are free")
        record = run["record"]
        if record is None:
            found.append(f"{command}: no record in `ration ps --recent`")
        elif record["state"] != "granted" or not record["granted"].startswith(
            f"{run['sms']} of {total} SMs"
        ):
            found.append(f"{command}: the record says {record['state']}, {record['granted']!r}")
    return found


def table(runs):
    rows = [("how", "SMs", "memory free", "mechanism", "grant")]
    for run in runs.values():
        record = run["record"] or {}
        free = f"{run['memory_free'] / GIB:.1f} GiB" if "sms" in run else "-"
        rows.append(
            (
                run["command"],
                str(run.get("sms", "-")),
                free,
                record.get("mechanism", "-"),
                record.get("granted", "-"),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=("table", "json"), required=True)
    parser.add_argument("--driver", choices=("gpu", "simulated"), required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    runs = read_runs(arguments.folder)
    found = problems(runs)
    if arguments.format == "json":
        print(json.dumps({"driver": arguments.driver, "runs": runs, "problems": found}, indent=2))
    else:
        where = "the simulated driver" if arguments.driver == "simulated" else "this machine's GPU"
        print(f"On {where} ({runs['bare'].get('name', 'unknown')}):\n")
        print(table(runs))
        if not found:
            print("\nEvery grant is what was asked for.")
    for line in found:
        print(f"tools/quickstart: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
