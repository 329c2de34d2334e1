# SPDX-License-Identifier: Apache-2.0
"""What the image's base takes from Debian's packages."""

from pathlib import Path

import pytest

from release.debian_base import is_copied, is_taken, write_base
from release.source import ReleaseError


@pytest.mark.parametrize(
    "package", ["python3.11-minimal", "libssl3t64", "libc6", "ca-certificates", "dash", "tzdata"]
)
def test_what_python_runs_on_is_taken(package: str) -> None:
    """Also under the names that libraries have in newer releases of Debian."""
    assert is_taken(package)


@pytest.mark.parametrize("package", ["dpkg", "tar", "perl-base", "libreadline8t64", "libdb5.3"])
def test_what_installs_packages_or_serves_a_person_is_left_out(package: str) -> None:
    """A container has neither."""
    assert not is_taken(package)


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/libc6/copyright",
        "usr/lib/python3.11/asyncio/tasks.py",
        "usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
        "usr/share/zoneinfo/Europe/Berlin",
    ],
)
def test_licences_and_what_programs_read_are_copied(path: str) -> None:
    """Each package's copyright stays with it."""
    assert is_copied(path)


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/libc6/changelog.gz",
        "usr/share/man/man1/python3.1.gz",
        "usr/lib/python3.11/lib-dynload/readline.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/python3.11/lib2to3/pgen2/driver.py",
        "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
    ],
)
def test_what_no_program_reads_is_not_copied(path: str) -> None:
    """Nor are modules whose libraries are left out: they could not be loaded."""
    assert not is_copied(path)


def test_where_there_is_no_debian_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half made."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="apt-get not found: its base is made on Debian"):
        write_base(tmp_path / "base.tar", "localhost/x:y", folder=tmp_path, time=0)
