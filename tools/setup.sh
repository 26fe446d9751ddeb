# shellcheck shell=bash
# Set-up that tools/quickstart and tools/test share: packages, CUDA headers, Python tools, build.
# Sourced with `set -euo pipefail` in force; the caller sets `me` (its name) and `top` (the tree).

cuda_wheel='nvidia-cuda-runtime==13.0.96'
# What every preset is configured with.
configure_options=(${RATION_CUDA_INCLUDE:+"-DRATION_CUDA_INCLUDE=$RATION_CUDA_INCLUDE"})

say() { printf '%s: %s\n' "${me:?}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# packages_of SECTION...: names of these sections of tools/packages, one a line.
packages_of() {
    local section
    for section in "$@"; do
        awk -v want="[$section]" '/^\[/ { inside = ($1 == want); next }
            { sub(/#.*/, "") } inside && NF { print $1 }' "${top:?}/tools/packages"
    done
}

# Those of the named packages that dpkg does not have.
missing_packages() {
    local package
    for package in "$@"; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
            *' installed') ;;
            *) printf '%s\n' "$package" ;;
        esac
    done
}

# ensure_packages INSTALL SECTION...: installs what is missing (INSTALL=1) or refuses (INSTALL=0).
ensure_packages() {
    local install=$1 wanted missing as_root=()
    shift
    mapfile -t wanted < <(packages_of "$@")
    if ! command -v dpkg-query >/dev/null; then
        say "no dpkg here: going on in the hope that these, or their like, are installed: ${wanted[*]}"
        return
    fi
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    local command="${as_root[*]:+sudo }apt-get install --no-install-recommends ${missing[*]}"
    [ "$install" -eq 1 ] || die "--no-install, and these packages are missing: ${missing[*]}. Run: $command"
    [ "${#as_root[@]}" -eq 0 ] || command -v sudo >/dev/null ||
        die "not root, and there is no sudo. As root, run: $command"
    say "installing: ${missing[*]}"
    "${as_root[@]}" apt-get -q update >&2 || die "apt-get update failed: see above"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qy install --no-install-recommends "${missing[@]}" >&2 </dev/null ||
        die "apt-get install failed: see above"
}

# A venv that is made when it is first needed: a fresh Debian has no pip, and its Python is not to be
# installed into.
ensure_venv() {
    local venv=$top/build/venv
    [ -x "$venv/bin/pip" ] || {
        say "making a Python environment in build/venv"
        python3 -m venv "$venv" >&2 || die "python3 -m venv failed: is python3-venv installed?"
    }
}

# pip ARGUMENTS...: the venv's. As a module: the script bin/pip names the folder that the tree had when
# it was made.
pip() { "$top/build/venv/bin/python3" -m pip -q --disable-pip-version-check "$@" >&2; }

# ensure_cuda_headers INSTALL: cuda.h 13.0 or newer, where shim/cmake/CudaHeaders.cmake looks, else from
# NVIDIA's wheel.
ensure_cuda_headers() {
    cmake "${configure_options[@]}" -P "$top/shim/cmake/CudaHeaders.cmake" >/dev/null 2>&1 && return
    [ "$1" -eq 1 ] || die "--no-install, and there is no cuda.h of 13.0 or newer. Install the CUDA toolkit," \
        "set RATION_CUDA_INCLUDE to its folder, or leave --no-install out: the headers then come from $cuda_wheel"
    say "no cuda.h of 13.0 or newer: fetching the headers ($cuda_wheel) into build/cuda-headers"
    ensure_venv
    local work
    work=$(mktemp -d "$top/build/wheel.XXXXXX")
    pip download --no-deps -d "$work" "$cuda_wheel" ||
        die "pip could not fetch $cuda_wheel. Install the CUDA toolkit, or set RATION_CUDA_INCLUDE"
    "$top/build/venv/bin/python3" -m zipfile -e "$work"/*.whl "$work/wheel" >&2
    rm -rf "$top/build/cuda-headers"
    mv "$work/wheel/nvidia/cu13/include" "$top/build/cuda-headers"
    rm -rf "$work"
}

# ensure_rocm6 INSTALL: build/rocm6, the root of a Debian sid with little more than ROCm 6 in it. sid moves:
# remove the folder to fetch what is there now.
ensure_rocm6() {
    local install=$1 root=$top/build/rocm6
    [ -d "$root" ] || {
        [ "$install" -eq 1 ] || die "--no-install, and build/rocm6 is missing: tools/test --rocm6 fetches it"
        rm -rf "$root.part"
        # A mirror may be some weeks behind; signatures are looked at all the same.
        timed "fetch rocm6" mmdebstrap --variant=extract \
            --aptopt='Acquire::Check-Valid-Until "false"' \
            --include=libamdhip64-6,rocminfo sid "$root.part"
        mv "$root.part" "$root"
    }
    say "ROCm of $root: $(cd "$root" && echo usr/lib/*/libamdhip64.so.6.*)"
}

# ensure_python_tools INSTALL: what tests/requirements.txt pins, in build/venv.
ensure_python_tools() {
    local stamp=$top/build/venv/ration-requirements.txt pins=$top/tests/requirements.txt
    cmp -s "$pins" "$stamp" && return
    [ "$1" -eq 1 ] || die "--no-install, and build/venv does not have what tests/requirements.txt pins: leave" \
        "--no-install out once"
    ensure_venv
    say "installing the tests' Python tools into build/venv"
    pip install -r "$pins" ||
        die "pip could not install tests/requirements.txt: see above"
    cp "$pins" "$stamp"
}

# timed WHAT COMMAND...: runs it with its output in a log, which is shown only on failure. Says every
# half minute how far it is.
timed() {
    local what=$1 start=$SECONDS log child
    shift
    log=$top/build/${what// /-}.log
    say "$what ..."
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    # A background process does not get the terminal's interrupt.
    trap 'kill "$child"; exit 130' INT TERM
    # GNU tail ends with the process, timeout before it.
    while ! timeout 30 tail --pid="$child" -f /dev/null; do
        say "$what: $((SECONDS - start)) s $(grep -o '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 1)"
    done
    trap - INT TERM
    wait "$child" || {
        tail -n 60 "$log" >&2
        die "$what failed; the whole log is in $log"
    }
    say "$what: $((SECONDS - start)) s"
}

# build_preset PRESET [TARGET...]
build_preset() {
    local preset=$1
    shift
    timed "configure $preset" cmake -S "$top" --preset "$preset" "${configure_options[@]}"
    timed "build $preset" cmake --build "$top/build/$preset" "${@/#/--target=}"
}

# True if there is a driver here that finds a device, and that is not a simulated one of our build.
has_gpu() {
    env -u LD_PRELOAD python3 - "$top/build/" <<'PY' 2>/dev/null
import ctypes, sys
driver = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int()
works = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "/libcuda.so" in line}
sys.exit(not works or any(path.startswith(sys.argv[1]) for path in loaded))
PY
}
