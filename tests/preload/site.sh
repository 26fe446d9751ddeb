#!/usr/bin/env bash
# Runs the scenario `refused` where one of the site's places exists, or none: site.sh ALONE DRIVER
# PROGRAM. Without an engine a call fails (800) if there may be a policy, and passes if there is none.
# Exits 77 (skipped) where no namespaces are to be had.
set -euo pipefail
alone=$1 driver=$2 program=$3
work=$(mktemp -d /tmp/ration-site.XXXXXX)
trap 'rm -rf "$work"' EXIT

# inside COMMAND...: with the folders etc and run of $work as /etc/ration and /run/ration.
inside() {
    timeout 30 bwrap --die-with-parent --perms 0755 --dir /etc --perms 0755 --dir /run \
        --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
        --symlink usr/bin /bin --dev /dev --proc /proc \
        --ro-bind "$alone" "$alone" --ro-bind "$driver" "$driver" --ro-bind "$program" "$program" \
        --ro-bind "$work/etc" /etc/ration --ro-bind "$work/run" /run/ration --clearenv "$@"
}

# expect CODE WHAT: what cuInit returns in a program that has no policy of its own.
expect() {
    inside --setenv LD_LIBRARY_PATH "$driver" --setenv LD_PRELOAD "$alone/libration.so" \
        --setenv SCENARIO_CODE "$1" "$program" 2>"$work/said" || {
        echo "$2: not $1: $(<"$work/said")"
        failed=1
    }
}

failed=0
mkdir "$work/etc" "$work/run"
why=$(inside true 2>&1) || {
    echo "bubblewrap may make no namespaces here: $why"
    exit 77
}
expect 0 "empty folders"
chmod 777 "$work/etc"
expect 0 "an empty folder that everybody may write to"
chmod 755 "$work/etc"
touch "$work/etc/policy.toml"
expect 800 "/etc/ration/policy.toml"
rm "$work/etc/policy.toml"
mkdir "$work/etc/policy.d"
expect 800 "/etc/ration/policy.d"
rmdir "$work/etc/policy.d"
mkdir "$work/run/policy.d"
expect 800 "/run/ration/policy.d"
rmdir "$work/run/policy.d"
# A home that a user may not look into, as where a container runs as somebody else than its image.
if [ "$(id -u)" = 0 ]; then
    mkdir -m 700 "$work/home"
    # Bound once more: bubblewrap lets nobody else into the folders that lead to the other places.
    places=(--ro-bind "$work/home" /home --ro-bind "$alone" /alone --ro-bind "$driver" /driver
        --ro-bind "$program" /program)
    inside --cap-add CAP_SETUID --cap-add CAP_SETGID "${places[@]}" --setenv HOME /home \
        --setenv LD_LIBRARY_PATH /driver --setenv SCENARIO_CODE 0 setpriv --reuid 65534 \
        --regid 65534 --clear-groups env LD_PRELOAD=/alone/libration.so /program 2>"$work/said" || {
        echo "a home out of reach: $(<"$work/said")"
        failed=1
    }
fi
exit "$failed"
