#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Times lthost's training beside that of PyTorch, Lightning and JAX on this machine: the same models, initial weights and batches,
# in one run, in turns. Nothing of it is needed by lthost or by its tests. See tests/bench/README.md.
#
#     packaging/bench.sh [--quick] [--profile] [--threads LIST] [--peers LIST] [ROW...]
#
# LTHOST_BENCH_PYTHON=/path/to/python uses that interpreter and the peers that it has; otherwise they are installed once, into
# build/bench-venv.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

need "${build_packages[@]}" "${test_packages[@]}" valgrind
python=${LTHOST_BENCH_PYTHON:-}
if [ -z "$python" ]; then
    need python3-venv
    python=$PWD/build/bench-venv/bin/python
    wanted=tests/bench/peers/requirements.txt
    if ! cmp -s "$wanted" build/bench-venv/installed; then
        echo "installing the peers into build/bench-venv" >&2
        python3 -m venv build/bench-venv
        "$python" -m pip install -q -r "$wanted" && cp "$wanted" build/bench-venv/installed ||
            echo "some peers could not be installed; rows are measured without them" >&2
    fi
fi

echo "building" >&2
cmake --preset release -DLTHOST_BUILD_TESTS=ON >/dev/null
cmake --build --preset release --target bench count_allocations >/dev/null
exec "$python" tests/bench/driver/bench.py --build "$PWD/build" "$@"
