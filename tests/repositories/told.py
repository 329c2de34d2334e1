# SPDX-License-Identifier: Apache-2.0
"""Folders as they lie in GitOps repositories, and what `validate -f .` says in each of them.

The layouts are those of public repositories; names and values are our own. Each works as it is, so
none has an error.

PYTHONPATH=tests python -m repositories.told      write what is said now; read the diff before trust
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from click.testing import CliRunner

from lokeys.cli.main import lokeys

HERE = Path(__file__).parent
EXPECTED = "expected.txt"


def repositories() -> list[Path]:
    """Return all folders, by name."""
    return sorted(path for path in HERE.iterdir() if path.is_dir() and path.name[0] not in "_.")


def told(folder: Path) -> str:
    """Return what is said in a folder, and the exit code below it."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(lokeys, ["validate", "-f", "."], standalone_mode=False)
    if done.exception:
        raise done.exception
    return f"{done.stdout}\nexit code {int(done.return_value)}\n"


if __name__ == "__main__":
    for each in repositories():
        (each / EXPECTED).write_text(told(each))
