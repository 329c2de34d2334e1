# SPDX-License-Identifier: Apache-2.0
"""`make bundles`: what `collect` writes of each kind of route with each fault, kept as files.

    PYTHONPATH=tests python -m integration.cli.bundle_faults            all
    PYTHONPATH=tests python -m integration.cli.bundle_faults WORD…      those whose name has a word

The cluster is made of stand-ins. Beside each bundle stands what the doctor said of the cluster a
moment before; tests/golden/test_bundles.py compares. `LOKEYS_KEEP_BUNDLES=tests/bundles` before
tests of tests/e2e/layouts adds those of a real API server, External Secrets, RGW and Loki.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.cli.story import Story, story
from integration.demo.world import NAMESPACE

KEPT = Path(__file__).parents[2] / "bundles"
Change = Callable[[Story], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A kind of route, and what has happened to it."""

    route: str
    fault: str
    change: Change
    resource: bool = True

    @property
    def name(self) -> str:
        return f"{self.route}--{self.fault}"


async def _nothing(_: Story) -> None:
    """Leave it healthy."""


async def _outage(live: Story) -> None:
    await live.outage()


SCENES = (
    Scene(route="static", fault="healthy", change=_nothing),
    Scene(route="static", fault="source-replaced", change=_outage),
)


async def make(scene: Scene) -> None:
    """Play a scene, ask the doctor, collect, and keep both. Fails where the two differ."""
    with tempfile.TemporaryDirectory() as folder:
        async with story(Path(folder), resource=scene.resource) as live:
            await scene.change(live)
            seen = await live.lokeys("doctor", "-n", NAMESPACE, "-o", "json")
            bundle = KEPT / f"{scene.name}.tar.gz"
            bundle.unlink(missing_ok=True)
            made = await live.lokeys("collect", "-n", NAMESPACE, "-o", str(bundle))
            assert made.code in (0, 5), made.err
            again = await live.lokeys("doctor", "--bundle", str(bundle), "-o", "json")
            said = told(seen.code, json.loads(seen.out))
            assert told(again.code, json.loads(again.out)) == said, scene.name
    (KEPT / f"{scene.name}.json").write_text(json.dumps(said, indent=1) + "\n")
    print(scene.name, bundle.stat().st_size, [each[2] for each in said["findings"]], flush=True)


def told(code: int, report: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says: its exit code, each finding's id, severity and cause."""
    found = [[each["id"], each["severity"], each["cause"] or ""] for each in report["findings"]]
    return {"code": code, "findings": found, "notRead": report["notRead"]}


def main(words: list[str]) -> None:
    """Make what is asked for."""
    for scene in SCENES:
        if not words or any(word in scene.name for word in words):
            asyncio.run(make(scene))


if __name__ == "__main__":
    main(sys.argv[1:])
