# SPDX-License-Identifier: Apache-2.0
"""Whole screens and reports, kept as files: what people and programs see is read in a review.

`UPDATE_GOLDEN=1 pytest tests/unit/cli` writes them anew.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).with_name("kept")
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


def assert_golden(name: str, seen: str) -> None:
    """Compare with the kept file, whole."""
    path = FOLDER / name
    if UPDATE:
        path.write_text(seen)
    assert seen == path.read_text(), f"{path} differs; UPDATE_GOLDEN=1 writes it anew"
