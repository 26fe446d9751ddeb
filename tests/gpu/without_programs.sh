#!/usr/bin/env bash
# confined.py and apps.py on a machine that has none of their programs: they must not say that all is well.
# without_programs.sh BUILD
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$(python3 -c 'import sys; print(sys.executable)')
work=$(mktemp -d /tmp/ration-gpu.XXXXXX)
trap 'rm -rf "$work"' EXIT
for module in cupy torch; do
    echo 'raise ImportError("not here")' >"$work/$module.py"
done
code=0
said=$(PATH=/nowhere PYTHONPATH=$work "$python" -B "$here/confined.py" "$1") || code=$?
echo "$said"
[ "$code" -eq 77 ] && [ "$(grep -c '^skipped: ' <<<"$said")" -eq 3 ]

code=0
said=$(PATH=/nowhere LD_LIBRARY_PATH='' "$python" -B "$here/apps.py" "$1") || code=$?
echo "$said"
[ "$code" -eq 77 ] && grep -q '^nothing was tested: no ' <<<"$said"
