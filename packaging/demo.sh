#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains a multi-layer perceptron on handwritten digits: installs what is missing, builds into build/, runs.
# May be run again; needs no network once it has run.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

need "${build_packages[@]}"
echo "building lthost"
build release -DLTHOST_BUILD_TESTS=OFF

echo "build/bin/lthost run plugins/models/mlp/run.ini $*"
exec build/bin/lthost run plugins/models/mlp/run.ini "$@"
