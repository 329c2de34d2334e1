# SPDX-License-Identifier: Apache-2.0
"""Looking at a cluster goes through `Objects` alone, so that something else can stand for one."""

import re
from pathlib import Path

ADAPTERS = Path(__file__).resolve().parents[3] / "src/lokeys/adapters"
_PAST_THE_PORT = re.compile(r"_?cluster\.api\.(?:get|list|log|raw_get)\(|\bEVENT\b")


def test_no_adapter_reads_past_the_port() -> None:
    """`Cluster.api` is there to act; objects, events and logs are read from `Cluster.objects`."""
    past = [
        f"{path.relative_to(ADAPTERS)}: {found[0]}"
        for path in sorted(ADAPTERS.rglob("*.py"))
        if path.name != "objects.py"
        for found in _PAST_THE_PORT.finditer(path.read_text())
    ]

    assert past == []
    assert _PAST_THE_PORT.search("await self._cluster.api.list(SECRET)")
