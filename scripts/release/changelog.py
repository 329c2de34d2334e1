# SPDX-License-Identifier: Apache-2.0
"""The changes of one release, out of CHANGELOG.md.

python -m release.changelog    cut: what is unreleased becomes the release that the code prepares
"""

from __future__ import annotations

import re
from datetime import date

import lokeys
from lokeys.clock import utc_now
from release.source import ROOT, ReleaseError

FILE = ROOT / "CHANGELOG.md"
OPEN = "Unreleased"


def changes_of(text: str, version: str) -> str:
    """Return what changed in a release. Raises ReleaseError where nothing is said of it.

    Of a version between releases, that is what is unreleased, and what was cut for the release to
    come, which nobody has tagged yet.
    """
    to_come, dev, _ = version.partition(".dev")
    parts = [_section(text, OPEN)] if dev else []
    parts.append(_section(text, rf"{re.escape(to_come)} - \d{{4}}-\d\d-\d\d"))
    found = "\n\n".join(filter(None, parts))
    if not found:
        raise ReleaseError(f"CHANGELOG.md says nothing of {version}: run `make cut`")
    return found + "\n"


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def cut(text: str, version: str, on: date) -> str:
    """Return the changelog whose unreleased changes are those of a release of that day."""
    if f"\n## {version} - " in text:
        raise ReleaseError(f"CHANGELOG.md has a section of {version}")
    if not _section(text, OPEN):
        raise ReleaseError("CHANGELOG.md says nothing that is unreleased")
    return text.replace(f"## {OPEN}\n", f"## {OPEN}\n\n## {version} - {on.isoformat()}\n", 1)


if __name__ == "__main__":
    to_come = lokeys.__version__.partition(".dev")[0]
    FILE.write_text(cut(FILE.read_text(), to_come, utc_now().date()))
