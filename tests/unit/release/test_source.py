# SPDX-License-Identifier: Apache-2.0
"""Which version is released, and that everything which states one agrees."""

import re
from pathlib import Path

import pytest
import yaml

from lokeys import __version__
from release.source import ReleaseError, semver, version

ROOT = Path(__file__).parents[3]
COMMIT = "0123456789abcdef"


def test_a_tag_names_the_version() -> None:
    """Tagged v1.2.3, a commit is released as 1.2.3; tags of another form say nothing."""
    assert version(["v1.2.3", "nightly"], commit=COMMIT, stated="1.2.3.dev0") == "1.2.3"


def test_between_tags_the_commit_is_in_the_version() -> None:
    """What nobody tagged sorts before the release to come, and says which commit it is."""
    made = version([], commit=COMMIT, stated="1.2.3.dev0")
    assert (made, semver(made)) == ("1.2.3.dev0+g0123456", "1.2.3-dev.g0123456")


@pytest.mark.parametrize("tags", [["v1.2.4"], ["v1.2.3", "v1.2.4"]], ids=" ".join)
def test_a_tag_of_another_release_is_refused(tags: list[str]) -> None:
    """Definitions and chart would say the wrong version."""
    with pytest.raises(ReleaseError, match=r"tagged .*v1\.2\.4, while the code says 1\.2\.3"):
        version(tags, commit=COMMIT, stated="1.2.3.dev0")


def test_what_is_shipped_is_what_the_tests_run_on() -> None:
    """Every package of locks/runtime.txt and locks/build.txt has the version of the tools' lock."""
    tools = _pinned("requirements.lock")
    for lock in ("locks/runtime.txt", "locks/build.txt"):
        pinned = _pinned(lock)
        assert pinned
        assert pinned.items() <= tools.items(), lock


def test_chart_and_changelog_are_of_the_version_to_come() -> None:
    """The chart in the repository, and the changes that have no release yet."""
    to_come = __version__.partition(".dev")[0]
    chart = yaml.safe_load((ROOT / "deploy/chart/Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == to_come
    (newest, *_) = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest in {"Unreleased", to_come} or newest.startswith(f"{to_come} - ")


def _pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
