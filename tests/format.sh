#!/usr/bin/env bash
# Every C and C++ source as .clang-format has it: format.sh SOURCE. Of one version, because they differ.
set -euo pipefail
cd "$1"
tool=clang-format-14
command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
mapfile -t sources < <(find bench shim tests tools -type f \
    \( -name '*.cpp' -o -name '*.h' -o -name '*.c' -o -name '*.cu' \) -not -path 'shim/amd/uapi/*')
echo "${#sources[@]} sources"
[ "${#sources[@]}" -ge 100 ]
"$tool" --dry-run -Werror "${sources[@]}"
