"""Fifty confined programs at once: each gets its own share, and has a record of its own."""

import json
import subprocess

import support
from support import PROGRAM, RATION

SHARES = {"10%": 12, "25%": 32, "50%": 66}  # SMs of 132, as MPS rounds them
PROGRAMS = 50


class Storm(support.Case):
    def test_fifty_programs(self):
        asked = [list(SHARES)[number % len(SHARES)] for number in range(PROGRAMS)]
        # All of them start an MPS daemon, too: one must be enough.
        started = [
            subprocess.Popen(
                ["bash", "-c", '"$1" mps ensure >/dev/null && exec "$1" run --share "$2" -- "$3"',
                 "_", RATION, share, PROGRAM],
                env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for share in asked
        ]
        self.addCleanup(self.start, RATION, "mps", "stop", "--force")
        ended = [process.communicate(timeout=support.LIMIT_S) for process in started]
        for share, process, (out, err) in zip(asked, started, ended):
            self.assertEqual((process.returncode, err), (0, ""))
            self.assertEqual(json.loads(out)["sms"], SHARES[share])
        records = self.json("ps", "--recent")["records"]
        told = {record["pid"]: (record["state"], record["asked"]) for record in records}
        expected = {
            process.pid: ("granted", share.replace("%", " %"))
            for share, process in zip(asked, started)
        }
        self.assertEqual(told, expected)


if __name__ == "__main__":
    support.main()
