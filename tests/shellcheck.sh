#!/usr/bin/env bash
# Every shell script of the tree, recognised by its #! line or its directive, under shellcheck: shellcheck.sh SOURCE
set -euo pipefail
cd "$1"
mapfile -t scripts < <(grep -rlIE --exclude-dir=build --exclude-dir=.git \
    -m 1 '^#!(/usr/bin/env bash|/bin/(ba)?sh)$|^# shellcheck shell=' .)
echo "${#scripts[@]} scripts"
[ "${#scripts[@]}" -ge 10 ]
shellcheck -x "${scripts[@]}"
