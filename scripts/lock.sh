#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pins the newest packages: all tools in requirements.lock, and in locks/ what lokeys runs on, what
# builds its package, what makes the pages of docs/, and what packs its single file.
# Without --upgrade what is pinned stays:
#   sh scripts/lock.sh            after a dependency came or went
#   sh scripts/lock.sh --upgrade  to take what is new
set -e
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
pin() {
  .venv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
pin "$@" --group dev --output-file requirements.lock pyproject.toml
# Of the same versions: what is shipped is what the tests run on.
pin "$@" --constraint requirements.lock --extra gcp --output-file locks/runtime.txt pyproject.toml
for group in build docs release; do
  pin "$@" --constraint requirements.lock --group "$group" --output-file "locks/$group.txt"
done
