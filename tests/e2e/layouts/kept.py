# SPDX-License-Identifier: Apache-2.0
"""Keeps a bundle of what the doctor was just asked of, where LOKEYS_KEEP_BUNDLES names a folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from e2e.layouts.world import Layout, Told

_TEST = re.compile(r"::test_(\w+)(?:\[([\w -]+)\])?")


def keep(layout: Layout, told: Told, *, person: Path | None) -> None:
    """Collect, and fail where the bundle does not say what the cluster said a moment before."""
    place = Path(os.environ["LOKEYS_KEEP_BUNDLES"])
    found = _TEST.search(os.environ["PYTEST_CURRENT_TEST"])
    assert found is not None
    name = "-".join(filter(None, found.groups())).replace("_", "-").replace(" ", "-")
    number = 1 + len([*place.glob(f"{name}.*.tar.gz")])
    bundle = place / f"{name}.{number}.tar.gz"
    words = ("-n", layout.ns("monitoring"), "-o", str(bundle))
    made = layout.lokeys("collect", *words, person=person)
    assert made.returncode in (0, 5), made.stderr
    seen = layout.lokeys("doctor", "--bundle", str(bundle), "-o", "json")
    again = json.loads(seen.stdout)
    assert ids(again) == ids(told.document)
    assert (seen.returncode, again["notRead"]) == (told.code, told.document["notRead"])
    expected = {"code": told.code, "findings": ids(told.document)}
    bundle.with_name(f"{name}.{number}.json").write_text(json.dumps(expected, indent=1) + "\n")


def ids(report: dict[str, Any]) -> list[list[str]]:
    """Return each finding's id, severity and cause, the best explanation first."""
    return [[f["id"], f["severity"], f["cause"] or ""] for f in report["findings"]]
