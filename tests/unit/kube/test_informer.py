# SPDX-License-Identifier: Apache-2.0
"""Informers: nothing is missed, and blindness is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from lokeys.errors import Forbidden, Unreachable
from lokeys.kube.client import Object
from lokeys.kube.informer import Informer, InformerSet, Pace, Scope
from lokeys.kube.resources import SECRET
from unit.kube.scripted import WatchStream, api, listing, status, thing
from unit.kube.virtual_time import now, run

SCOPE = Scope(resource=SECRET, namespace="ns", fields="metadata.name=a", metadata_only=True)


class _Server:
    """Answers lists and watches from what the test laid ready; counts and times what is asked."""

    def __init__(self) -> None:
        self.lists: list[Any] = []
        self.watches: list[httpx2.Response | Exception | WatchStream] = []
        self.asked: list[tuple[str, float]] = []
        self.api = api(self._answer)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        watching = "watch" in request.url.params
        version = request.url.params.get("resourceVersion", "")
        self.asked.append((f"watch {version}" if watching else "list", now()))
        replies: list[Any] = self.watches if watching else self.lists
        reply = replies.pop(0) if replies else WatchStream() if watching else listing(1)
        if isinstance(reply, Exception):
            raise reply
        return reply.response() if isinstance(reply, WatchStream) else reply

    def asks(self) -> list[str]:
        return [what for what, _ in self.asked]


class _Notes:
    """A handler that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def __call__(self, old: Object | None, new: Object | None) -> None:
        one = new or old
        assert one is not None
        name = one["metadata"]["name"]
        what = "add" if old is None else "delete" if new is None else "change"
        self.heard.append((what if old is not new else "resync", name))


@asynccontextmanager
async def _running(
    server: _Server, pace: Pace | None = None
) -> AsyncIterator[tuple[Informer, _Notes]]:
    informer, notes = Informer(server.api, SCOPE, pace=pace or Pace(jitter=lambda: 1.0)), _Notes()
    informer.add_handler(notes)
    task = asyncio.create_task(informer.run())
    try:
        yield informer, notes
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def test_store_follows_events() -> None:
    """What is listed and what is watched both reach the store and the handlers."""

    async def main() -> None:
        server, watch = _Server(), WatchStream()
        server.lists, server.watches = [listing(5, thing("a", 1))], [watch]
        async with _running(server) as (informer, notes):
            await informer.synced.wait()
            watch.say("ADDED", thing("b", 6))
            watch.say("MODIFIED", thing("a", 7, metadata_only="x"))
            watch.say("DELETED", thing("b", 8))
            await asyncio.sleep(1)
            assert notes.heard == [("add", "a"), ("add", "b"), ("change", "a"), ("delete", "b")]
            found = informer.get("ns", "a")
            assert found is not None
            assert found["metadata"]["resourceVersion"] == "7"
            assert informer.get("ns", "b") is None
            assert len(informer) == len(list(informer.items())) == 1
            late = _Notes()
            informer.add_handler(late)
            assert late.heard == [("add", "a")]

    run(main())


def test_managed_fields_are_dropped() -> None:
    """The store does not keep what nobody reads."""

    async def main() -> None:
        server = _Server()
        bulky = thing("a", 1)
        bulky["metadata"]["managedFields"] = [{"manager": "x"}]
        server.lists = [listing(5, bulky)]
        async with _running(server) as (informer, _):
            await informer.synced.wait()
            assert "managedFields" not in next(informer.items())["metadata"]

    run(main())


@pytest.mark.parametrize("how", ["drop", "end"])
def test_broken_watch_resumes(how: str) -> None:
    """A watch that breaks or ends is resumed from its last version, without another list."""

    async def main() -> None:
        server, first, second = _Server(), WatchStream(), WatchStream()
        server.lists, server.watches = [listing(5)], [first, second]
        async with _running(server) as (_, notes):
            first.say("ADDED", thing("a", 6))
            first.say("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
            await asyncio.sleep(100)
            first.drop() if how == "drop" else first.end()
            await asyncio.sleep(2)
            second.say("ADDED", thing("b", 10))
            await asyncio.sleep(1)
            assert server.asks() == ["list", "watch 5", "watch 9"]
            assert notes.heard == [("add", "a"), ("add", "b")]
            assert first.closed

    run(main())


@pytest.mark.parametrize("as_event", [True, False], ids=["as an event", "as an answer"])
def test_expired_version_finds_missed_deletes(as_event: bool) -> None:
    """After a 410 the list is read again at once; what vanished meanwhile is told as deleted."""

    async def main() -> None:
        server, first = _Server(), WatchStream()
        expired = status(410, reason="Expired")
        second: WatchStream | httpx2.Response = expired
        if as_event:
            second = WatchStream()
            second.say("ERROR", expired.json())
        server.lists = [
            listing(5, thing("gone", 1), thing("same", 2), thing("new", 3)),
            listing(50, thing("same", 2), thing("new", 40), thing("fresh", 41)),
        ]
        server.watches = [first, second]
        async with _running(server) as (informer, notes):
            await asyncio.sleep(30)
            started = now()
            first.end()
            await asyncio.sleep(0.1)
            assert server.asks() == ["list", "watch 5", "watch 5", "list", "watch 50"]
            assert server.asked[-1][1] == started
            assert notes.heard[3:] == [("delete", "gone"), ("change", "new"), ("add", "fresh")]
            assert informer.get("ns", "gone") is None

    run(main())


def test_blindness_is_said_with_its_beginning() -> None:
    """While the server cannot be followed, the trouble and its beginning stand there."""
    moments = iter(datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(9))

    async def main() -> None:
        server, watch = _Server(), WatchStream()
        refused = status(403, reason="Forbidden", message="no right")
        server.lists = [httpx2.ConnectError("down"), refused, listing(5)]
        server.watches = [watch]
        pace = Pace(jitter=lambda: 1.0, now=lambda: next(moments))
        async with _running(server, pace) as (informer, _):
            seen = []
            for wait_s in (0.1, 0.5, 1.0):
                await asyncio.sleep(wait_s)
                seen.append((informer.trouble, informer.synced.is_set()))
            (first, unsynced), (second, _), (healed, synced) = seen
            assert first is not None
            assert second is not None
            assert isinstance(first.error, Unreachable)
            assert isinstance(second.error, Forbidden)
            assert first.since == second.since
            assert not unsynced
            assert healed is None
            assert synced

    run(main())


def test_retries_slow_down() -> None:
    """A server that stays away is asked less and less often, up to the cap, and never given up."""

    async def main() -> None:
        server = _Server()
        server.lists = [httpx2.ConnectError("down") for _ in range(12)]
        async with _running(server):
            await asyncio.sleep(200)
        gaps = [b - a for (_, a), (_, b) in zip(server.asked, server.asked[1:], strict=False)]
        assert gaps[:9] == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30])

    run(main())


def test_patience_begins_anew_after_a_good_watch() -> None:
    """After a watch that lasted, the next failure is the first again."""

    async def main() -> None:
        server, watch = _Server(), WatchStream()
        server.lists = [httpx2.ConnectError("down") for _ in range(6)] + [listing(5)]
        server.watches = [watch]
        async with _running(server) as (informer, _):
            await informer.synced.wait()
            await asyncio.sleep(100)
            dropped = now()
            watch.drop()
            await asyncio.sleep(60)
        assert server.asks()[-1] == "watch 5"
        assert server.asked[-1][1] - dropped == pytest.approx(0.5)

    run(main())


def test_server_that_expires_everything_is_not_hammered() -> None:
    """A 410 right after a list, again and again, is waited out like any failure."""

    async def main() -> None:
        server = _Server()
        server.watches = [status(410, reason="Expired") for _ in range(500)]
        async with _running(server):
            await asyncio.sleep(60)
        assert len(server.asked) < 30

    run(main())


def test_watch_that_ends_at_once_is_not_hammered() -> None:
    """A server that closes every watch at once is asked less and less often."""

    async def main() -> None:
        server = _Server()
        for _ in range(500):
            server.watches.append(WatchStream())
            server.watches[-1].end()  # type: ignore[union-attr]
        async with _running(server):
            await asyncio.sleep(60)
        assert len(server.asked) < 15

    run(main())


def test_resync_tells_all_objects_again() -> None:
    """A slow resync shows every object to the handlers again."""

    async def main() -> None:
        server = _Server()
        server.lists = [listing(5, thing("a", 1))]
        async with _running(server, Pace(resync_s=600, jitter=lambda: 0.0)) as (_, notes):
            await asyncio.sleep(1300)
            assert notes.heard == [("add", "a"), ("resync", "a"), ("resync", "a")]

    run(main())


def test_informers_are_shared_by_scope() -> None:
    """Two readers of one scope share one watch, which ends with the second of them."""

    async def main() -> None:
        server, watch = _Server(), WatchStream()
        server.lists, server.watches = [listing(5, thing("a", 1))], [watch]
        async with InformerSet(server.api) as informers:
            one, two = _Notes(), _Notes()
            first = informers.subscribe(SCOPE, one)
            await first.informer.synced.wait()
            second = informers.subscribe(SCOPE, two)
            assert first.informer is second.informer
            assert informers.synced
            assert one.heard == two.heard == [("add", "a")]
            first.close()
            first.close()
            watch.say("DELETED", thing("a", 6))
            await asyncio.sleep(1)
            assert one.heard == [("add", "a")]
            assert two.heard[-1] == ("delete", "a")
            assert len(informers) == 1
            second.close()
            await asyncio.sleep(1)
            assert len(informers) == 0
            assert watch.closed
            other = informers.subscribe(Scope.one(SECRET, "b", namespace="ns"), one)
            await other.informer.synced.wait()
        assert server.asks() == ["list", "watch 5", "list", "watch 1"]

    run(main())


def test_troubles_are_told_by_scope() -> None:
    """The set says which scopes it cannot follow."""

    async def main() -> None:
        server = _Server()
        server.lists = [httpx2.ConnectError("down")]
        async with InformerSet(server.api) as informers:
            subscription = informers.subscribe(SCOPE, _Notes())
            await asyncio.sleep(0.1)
            assert list(informers.troubles()) == [SCOPE]
            assert not informers.synced
            await subscription.informer.synced.wait()
            await asyncio.sleep(0.1)
            assert not informers.troubles()

    run(main())


def test_error_of_the_body_comes_out_as_it_is() -> None:
    """What the body of a set raises is not wrapped, and the informers end."""

    async def fail(server: _Server) -> None:
        async with InformerSet(server.api) as informers:
            subscription = informers.subscribe(SCOPE, _Notes())
            await subscription.informer.synced.wait()
            raise KeyError

    async def main() -> None:
        with pytest.raises(KeyError):
            await fail(_Server())
        assert len(asyncio.all_tasks()) == 1

    run(main())
