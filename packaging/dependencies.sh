# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it: which Debian packages each needs, and how to get those that are missing.

build_packages=(gcc g++ libc6-dev cmake ninja-build pkg-config libltdl-dev libinih-dev libjansson-dev libsodium-dev
    zlib1g-dev libopenblas-openmp-dev libdnnl-dev)
test_packages=(libcriterion-dev clang)
lint_packages=(clang-tidy cppcheck)

# need PACKAGE...: installs what is missing; touches neither apt nor the network where nothing is.
need()
{
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    echo "installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "these packages are missing; install them as root: ${missing[*]}" >&2; return 1; }
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET [OPTION...]: configures and builds; quiet unless it fails.
build()
{
    local preset=$1 log
    shift
    log=$(mktemp)
    if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "building the preset '$preset' failed" >&2
        return 1
    fi
    rm -f "$log"
}
