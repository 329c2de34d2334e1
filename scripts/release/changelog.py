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
    """Return what changed in a release, or since the last one. Raises ReleaseError."""
    released = "dev" not in version
    heading = rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d" if released else OPEN
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md says nothing of {version}: run `make cut`")
    return found[1].strip() + "\n"


def cut(text: str, version: str, on: date) -> str:
    """Return the changelog whose unreleased changes are those of a release of that day."""
    if f"\n## {version} - " in text:
        raise ReleaseError(f"CHANGELOG.md has a section of {version}")
    changes_of(text, "dev")
    return text.replace(f"## {OPEN}\n", f"## {OPEN}\n\n## {version} - {on.isoformat()}\n", 1)


if __name__ == "__main__":
    to_come = lokeys.__version__.partition(".dev")[0]
    FILE.write_text(cut(FILE.read_text(), to_come, utc_now().date()))
