"""What the Python tests share."""

import subprocess
import sys

SKIPPED = 77  # SKIP_RETURN_CODE in python.cmake


def require_namespaces():
    """Ends the test as skipped where bubblewrap may make none: Ubuntu 24.04 forbids it to ordinary users."""
    command = ["bwrap", "--ro-bind", "/", "/", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        print(f"skipped: no user namespaces here ({done.stderr.strip()}); run as root")
        sys.exit(SKIPPED)
