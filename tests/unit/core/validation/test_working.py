# SPDX-License-Identifier: Apache-2.0
"""Unusual inputs that work in production: none is an error, whatever else is said of it.

Each file of `tests/working` says on top why it works, where that is written, and what is said.
"""

from pathlib import Path

import pytest

from lokeys.adapters.files.manifests import read
from lokeys.core.validation.validate import validate
from unit.core.validation.manifests import NOW

WORKING = sorted((Path(__file__).parents[3] / "working").glob("*.yaml"))
SAYS = "# Says: "


@pytest.mark.parametrize("file", WORKING, ids=lambda file: file.stem)
def test_what_works_is_no_error(file: Path) -> None:
    """What is said is as the file expects it."""
    (expected,) = (
        line.removeprefix(SAYS) for line in file.read_text().splitlines() if line.startswith(SAYS)
    )
    findings = validate(read(str(file)), now=NOW).all_findings

    assert [each.message for each in findings if each.is_error] == []
    assert " ".join(sorted(each.code for each in findings)) == expected.replace("nothing", "")


def test_there_are_enough_of_them() -> None:
    """Thirty and more, none of which another repeats."""
    assert len({file.read_text().partition("\n---")[2] for file in WORKING}) == len(WORKING) >= 30
