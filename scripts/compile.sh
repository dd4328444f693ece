#!/bin/bash
# Makes a copy of the package with its engine compiled (mypyc), in build/compiled.
#
#     scripts/compile.sh
#     cd build/compiled && ../../.venv/bin/python -m pytest tests/engine
#
# The source stays as it is, and runs without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rm -rf build/compiled
mkdir -p build
PIXGUARD_COMPILE=1 MYPYPATH='' .venv/bin/python setup.py --quiet \
    build_py --build-lib build/compiled build_ext --build-lib build/compiled
for name in bench docs pyproject.toml rules tests; do
    ln -sfn "../../$name" "build/compiled/$name"
done
