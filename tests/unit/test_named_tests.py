# SPDX-License-Identifier: Apache-2.0
"""Pages that name tests as their proof name tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_FILE = re.compile(r"`(?:tests/)?((?:unit|golden|contract|integration|e2e)/[\w/]+\.py)`")
_TEST = re.compile(r"`(test_\w+)`")


def named(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    return [(page.name, each) for page in PAGES for each in pattern.findall(page.read_text())]


def test_files_that_pages_name_are_there() -> None:
    """A table of attacks without its tests would prove nothing."""
    files = named(_FILE)
    assert files
    assert [each for each in files if not (ROOT / "tests" / each[1]).is_file()] == []


@pytest.mark.parametrize("name", sorted({name for _, name in named(_TEST)}))
def test_tests_that_pages_name_are_there(name: str) -> None:
    """By their names, wherever they are."""
    line = f"def {name}("
    assert any(line in each.read_text() for each in ROOT.glob("tests/**/test_*.py"))
