# SPDX-License-Identifier: Apache-2.0
"""The changes of a release are cut out of the changelog, and are its notes."""

import re
from datetime import date

import pytest

from lokeys import __version__
from release.changelog import FILE, changes_of, cut
from release.source import ReleaseError

TEXT = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A.\n\n## 0.1.0 - 2026-01-01\n\n- First.\n"
DAY = date(2026, 2, 3)


def test_what_is_unreleased_becomes_the_release() -> None:
    """The next changes have an empty section again, above."""
    made = cut(TEXT, "0.2.0", DAY)
    assert made.startswith("# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-02-03\n\n### Added\n")
    assert changes_of(made, "0.2.0") == "### Added\n\n- A.\n"
    assert changes_of(made, "0.1.0") == "- First.\n"


def test_between_releases_the_notes_are_what_is_unreleased() -> None:
    """A version with a commit in it is of no release; what was cut and not tagged is unreleased."""
    version = "0.2.0.dev0+g0123456"
    assert changes_of(TEXT, version) == "### Added\n\n- A.\n"
    made = cut(TEXT, "0.2.0", DAY)
    assert changes_of(made, version) == "### Added\n\n- A.\n"
    later = made.replace("## Unreleased\n", "## Unreleased\n\n- B.\n")
    assert changes_of(later, version) == "- B.\n\n### Added\n\n- A.\n"
    assert changes_of(later, "0.2.0") == "### Added\n\n- A.\n"


@pytest.mark.parametrize("version", ["0.2.0", "0.1"], ids=["not cut", "a part of a version"])
def test_a_release_without_its_section_is_refused(version: str) -> None:
    """Nobody tags what the changelog does not know."""
    with pytest.raises(ReleaseError, match="run `make cut`"):
        changes_of(TEXT, version)


def test_it_is_cut_once() -> None:
    """A second cut of the same version, or of nothing, is refused."""
    with pytest.raises(ReleaseError, match="has a section of"):
        cut(TEXT, "0.1.0", DAY)
    with pytest.raises(ReleaseError, match="says nothing"):
        cut(cut(TEXT, "0.2.0", DAY), "0.3.0", DAY)


def test_the_changelog_is_cut_for_the_version_to_come() -> None:
    """As it stands in the repository, below a place for later changes."""
    text, to_come = FILE.read_text(), __version__.partition(".dev")[0]
    first, second = re.findall(r"^## (.*)$", text, re.MULTILINE)[:2]
    assert first == "Unreleased"
    assert re.fullmatch(rf"{re.escape(to_come)} - \d{{4}}-\d\d-\d\d", second)
    assert "### Added" in changes_of(text, to_come)
