# SPDX-License-Identifier: Apache-2.0
"""The page that shows the house: what it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/concepts/architecture.md").read_text()
_PATH = re.compile(r"`((?:[a-z_]+/)*(?:[a-z_]+/|[a-z_]+\.py))`")
_FOLDER = re.compile(r"\b[a-z]+/")


def test_every_path_of_the_page_exists() -> None:
    """A file that moves takes its name on the page with it."""
    paths = set(_PATH.findall(PAGE))
    wings = {"route/", "stack/"}  # spoken of as the folders of core/

    assert len(paths) > 30
    assert [path for path in sorted(paths - wings) if not _is_there(path)] == []


def test_the_picture_shows_folders_that_exist() -> None:
    """Each folder of the picture stands in the package, or in one of its layers."""
    picture = "\n".join(line for line in PAGE.splitlines() if line.startswith("    "))
    below = ("", "cli", "operator", "engine", "adapters", "core")
    gone = [
        name
        for name in sorted(set(_FOLDER.findall(picture)))
        if not any((ROOT / "src/lokeys" / layer / name).is_dir() for layer in below)
    ]

    assert len(set(_FOLDER.findall(picture))) > 15
    assert gone == []


def test_the_picture_leaves_out_no_folder_that_a_newcomer_meets() -> None:
    """All layers, all rooms of the core that are folders, and all adapters' folders are named."""
    shown = set(_FOLDER.findall(PAGE))
    source = ROOT / "src/lokeys"
    folders = {
        f"{path.parent.name}/"
        for layer in (source, source / "core", source / "engine", source / "adapters")
        for path in layer.glob("*/__init__.py")
    }

    assert folders - shown == set()


def _is_there(path: str) -> bool:
    return (ROOT / "src/lokeys" / path).exists() or (ROOT / path).exists()
