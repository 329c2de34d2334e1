# SPDX-License-Identifier: Apache-2.0
"""What is released: the files of this clone, their version and their time.

The version is the tag's: `v0.1.0` makes 0.1.0. Between tags it is that of the release to come, with
the commit: `0.1.0.dev0+g1a2b3c4`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import lokeys

ROOT = Path(__file__).resolve().parents[2]
SITE = "LOKEYS_SITE"
"""The variable that says where the docs' site of a release is: findings then link to it."""


class ReleaseError(Exception):
    """What is to be released cannot be."""


def version(tags: list[str], *, commit: str, stated: str) -> str:
    """Return the version of a commit with these tags. `stated` is what the code says of itself.

    Raises ReleaseError where a tag is of another release than the one that the code prepares.
    """
    to_come = stated.partition(".dev")[0]
    released = [tag.removeprefix("v") for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    if not released:
        return f"{to_come}.dev0+g{commit[:7]}"
    if released != [to_come]:
        raise ReleaseError(f"tagged {', '.join(tags)}, while the code says {stated}")
    return to_come


def semver(version: str) -> str:
    """Return a version as Helm and krew write it; it is a tag of an image, too."""
    return version.replace(".dev0+", "-dev.")


def version_here() -> str:
    """Return the version of this clone."""
    tags = git("tag", "--points-at", "HEAD").split()
    return version(tags, commit=git("rev-parse", "HEAD"), stated=lokeys.__version__)


def committed_at() -> int:
    """Return when the commit was made, in seconds of the epoch: the time of all that is built."""
    return int(git("log", "-1", "--format=%ct"))


def copy_to(target: Path) -> str:
    """Copy the clone, without what .gitignore names, and write its version in. Return it."""
    said = version_here()
    for name in filter(None, git("ls-files", "-z", "--cached", "--others", *_OURS).split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    _state(target / "src/lokeys/__init__.py", "__version__", said)
    site = os.environ.get(SITE)
    if site:
        _state(target / "src/lokeys/core/findings/pages.py", "SITE", f"{site.rstrip('/')}/")
    return said


def _state(file: Path, name: str, value: str) -> None:
    stated = re.compile(rf"^{name} = .*$", re.MULTILINE)
    file.write_text(stated.sub(lambda _: f"{name} = {json.dumps(value)}", file.read_text()))


_OURS = ("--exclude-standard",)


def git(*words: str) -> str:
    """Return what git says of this clone."""
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
