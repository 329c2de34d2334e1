# SPDX-License-Identifier: Apache-2.0
"""When Loki's own counters make the operator try credentials."""

import asyncio
from datetime import UTC, datetime

import pytest

from lokeys.core.operate.live import LivePodState, Pod
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.operator.stacks.pulse import Pulse

KEY = ("logging", "my-stack")
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def pod(component: str = "ingester", uid: str = "one", address: str = "10.0.0.1") -> Pod:
    return Pod(
        name=f"my-stack-{component}-0",
        uid=uid,
        component=component,
        state=LivePodState.READY,
        address=address,
    )


class Lokis:
    """Pods with their counters of refused requests, by address; None does not answer."""

    def __init__(self, *pods: Pod) -> None:
        self.pods = list(pods)
        self.refused: dict[str, int | None] = {}
        self.asked: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.pulse = Pulse(
            stacks=lambda: (KEY,),
            pods_of=lambda _key: self.pods,
            counters=self.counters,
            on_refusal=self.told.append,
        )

    async def counters(self, address: str) -> LokiMetrics | None:
        self.asked.append(address)
        refused = self.refused.get(address, 0)
        return None if refused is None else LokiMetrics(at=NOW, refused=refused)

    def feel(self, **refused: int | None) -> int:
        """Ask all pods once; return how often a refusal was told."""
        self.refused = {"10.0.0.1": refused.get("one", 0)}
        self.told.clear()
        asyncio.run(self.pulse.feel())
        return len(self.told)


def test_a_new_refusal_is_told_once() -> None:
    """A count that stays is old; one that grows is news, and so is one that is there at first."""
    lokis = Lokis(pod())
    assert [lokis.feel(one=count) for count in (2, 2, 3, 3)] == [1, 0, 1, 0]


def test_who_does_not_answer_is_no_news() -> None:
    """Neither in its silence nor when it answers as before."""
    lokis = Lokis(pod())
    assert [lokis.feel(one=count) for count in (1, None, 1, 2)] == [1, 0, 0, 1]


def test_a_new_pod_begins_at_nothing() -> None:
    """Its counters are its own."""
    lokis = Lokis(pod())
    assert lokis.feel(one=5) == 1
    lokis.pods = [pod(uid="two")]
    assert lokis.feel(one=1) == 1


@pytest.mark.parametrize(
    "quiet", [pod("distributor"), pod("query-frontend"), pod(address="")], ids=lambda p: p.name
)
def test_who_does_not_use_the_storage_is_not_asked(quiet: Pod) -> None:
    """Nor who has no address yet."""
    lokis = Lokis(quiet)
    assert lokis.feel(one=9) == 0
    assert lokis.asked == []
