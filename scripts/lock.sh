#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pins the newest tools in requirements.lock. Without --upgrade what is pinned stays:
#   sh scripts/lock.sh            after a dependency came or went
#   sh scripts/lock.sh --upgrade  to take what is new
set -e
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
.venv/bin/uv pip compile --quiet --python-version 3.11 "$@" --generate-hashes --no-header --no-annotate \
  --group dev --output-file requirements.lock pyproject.toml
