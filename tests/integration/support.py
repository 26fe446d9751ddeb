"""What the Python tests share."""

import re
import subprocess

LIMIT_S = 60


def missing_namespaces():
    """Why bubblewrap may make no namespaces here, as Ubuntu 24.04 forbids it to ordinary users. Empty
    if it may. Whatever else goes wrong is an error, not a machine without namespaces."""
    command = ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode == 0:
        return ""
    why = done.stderr.strip()
    if not re.search("permi(tted|ssion)", why, re.IGNORECASE):
        raise RuntimeError(f"bubblewrap fails here: {why}")
    return f"no namespaces here ({why}); run as root"
