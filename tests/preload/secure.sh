#!/usr/bin/env bash
# Runs the setuid scenario under an /etc/ld.so.preload of its own: secure.sh STAGE DRIVER PROGRAM.
# Needs root, to own a setuid file and a mount namespace; exits 77 (skipped) without.
set -euo pipefail
stage=$1 driver=$2 program=$3
if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
    echo "needs root and mount namespaces"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$stage"/*.so "$driver"/libcuda.so.1 "$work"
cp "$program" "$work/plain"
cp "$program" "$work/setuid" && chmod 4755 "$work/setuid"
cp -a /etc "$work/etc"
echo "$work/libration.so" > "$work/etc/ld.so.preload"
# The driver's folder stands in ld.so.conf, because LD_LIBRARY_PATH means nothing to a setuid program.
# shellcheck disable=SC2016 # the inner shell's
unshare -m bash -euc '
    mount --bind "$1/etc" /etc
    echo "$1" > /etc/ld.so.conf.d/fake-driver.conf
    ldconfig -C /etc/ld.so.cache
    as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups env -i RATION_POLICY=/a/policy FAKE_ENGINE=hook"
    $as_nobody "$1/setuid"
    # The check can fail: the same program without the setuid bit is not secure.
    ! $as_nobody "$1/plain" 2>/dev/null
' _ "$work"
echo "setuid: passed through"
