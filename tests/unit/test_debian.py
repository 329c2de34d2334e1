# SPDX-License-Identifier: Apache-2.0
"""What the tests install is announced before, and where it is not theirs to do, it is told."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from parts import debian


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every program but promtool's, which has a way of its own."""
    for name in debian.PROGRAMS["promtool"]:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("bare")
def test_where_it_is_not_ours_the_command_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each part is named with what it lacks and the command to run; nothing is run."""

    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is ours to run")

    assert debian.main(ours=False, run=run) == 0
    said = capsys.readouterr().out
    assert "rgw will be skipped: ceph, ceph-mon" in said
    for part in ("kubernetes", "rgw", "azurite"):
        packages = " ".join(debian.PACKAGES[part])
        assert f"run `apt-get install --no-install-recommends {packages}`" in said


@pytest.mark.usefixtures("bare")
def test_an_installation_is_announced_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    """What will be installed is said first, by name; then it is."""
    said_before: dict[str, str] = {}
    said = ""

    def run(command: list[str], **_: Any) -> None:
        nonlocal said
        said += capsys.readouterr().out
        said_before[command[1]] = said

    assert debian.main(ours=True, run=run) == 0
    assert list(said_before) == ["update", "install"]
    assert "missing for kubernetes, rgw" in said_before["update"]
    packages = " ".join(debian.PACKAGES["rgw"])
    assert "installing with apt-get: " in said_before["install"]
    assert packages in said_before["install"]


def test_without_apt_get_nothing_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no apt-get, even root only tells."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("apt-get") is None
    assert not debian.may_install()
