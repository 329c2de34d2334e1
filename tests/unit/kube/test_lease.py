# SPDX-License-Identifier: Apache-2.0
"""Leases: one holder at a time, and the next one soon."""

import asyncio
from typing import Any

import pytest

from lokeys.errors import LeaseLost, Unreachable, Waiting
from lokeys.kube.lease import Lease, this_process
from unit.kube.scripted import Store
from unit.kube.virtual_time import now, run

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/route"


def _lease(store: Store, holder: str, *, duration_s: float = 15, clock_ahead_s: float = 0) -> Lease:
    return Lease(
        store.client(holder),
        name="route",
        namespace="ns",
        holder=holder,
        duration_s=duration_s,
        clock=lambda: now() + clock_ahead_s,
    )


def _spec(store: Store) -> dict[str, Any]:
    spec: dict[str, Any] = store.objects[PATH]["spec"]
    return spec


def test_free_lease_is_taken_and_given_up() -> None:
    """A free lease is ours at once, and after the release the next one's at once."""

    async def main() -> None:
        store = Store()
        async with _lease(store, "a").hold() as lease:
            assert 14 < lease.remaining_s() <= 15
            assert _spec(store)["holderIdentity"] == "a"
        assert not lease.held
        assert _spec(store)["holderIdentity"] == ""
        started = now()
        async with _lease(store, "b").hold():
            assert now() - started < 0.1
            assert _spec(store)["leaseTransitions"] == 1

    run(main())


def test_holder_renews_while_the_body_runs() -> None:
    """A long body keeps the lease, with time left at every moment."""

    async def main() -> None:
        store = Store()
        async with _lease(store, "a").hold() as lease:
            for _ in range(100):
                await asyncio.sleep(1)
                assert lease.remaining_s() > 10

    run(main())


def test_held_lease_names_its_holder() -> None:
    """Who cannot wait hears who holds the lease."""

    async def main() -> None:
        store = Store()
        async with _lease(store, "a").hold():
            with pytest.raises(Waiting, match="Lease ns/route is held by a"):
                await _lease(store, "b").acquire(timeout_s=40)

    run(main())


@pytest.mark.parametrize("clock_ahead_s", [0, 86_400, -900])
def test_dead_holder_is_followed_within_the_lease(clock_ahead_s: float) -> None:
    """A killed holder is followed within the lease's duration, and no clock is compared."""

    async def main() -> None:
        store = Store()
        first = _lease(store, "a")
        await first.acquire()
        second = _lease(store, "b", clock_ahead_s=clock_ahead_s)
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(1)
        await first.renew()
        killed = now()  # from here on nobody renews
        await waiting
        assert 15 <= now() - killed <= 15 + second.retry_s
        assert not first.held

    run(main())


def test_never_two_holders() -> None:
    """Whatever is cut off, for however long, no two of three ever hold the lease at once."""

    async def main() -> None:
        store, inside = Store(), set[str]()
        entered: list[str] = []
        lost: list[str] = []

        async def contend(name: str) -> None:
            while True:
                try:
                    async with _lease(store, name).hold():
                        assert not inside
                        inside.add(name)
                        entered.append(name)
                        try:
                            await asyncio.sleep(45)
                        finally:
                            inside.discard(name)
                except LeaseLost:
                    lost.append(name)
                await asyncio.sleep(10)

        tasks = [asyncio.create_task(contend(name)) for name in "abc"]
        for turn in range(60):
            store.down = {"abc"[turn % 3]} if turn % 2 else set()
            await asyncio.sleep(7 + turn % 5 * 5)
            for task in tasks:
                assert not task.done(), task.exception()
        assert set(entered) == set("abc")
        assert lost
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(main())


def test_waiter_outlasts_a_stumble() -> None:
    """A server that is away does not end the wait; a bounded wait names the trouble."""

    async def main() -> None:
        store = Store()
        store.down = {"a"}
        with pytest.raises(Unreachable, match="no connection"):
            await _lease(store, "a").acquire(timeout_s=5)
        waiting = asyncio.create_task(_lease(store, "a").acquire())
        await asyncio.sleep(60)
        assert not waiting.done()
        store.down = set()
        assert (await waiting).held

    run(main())


def test_body_is_cancelled_before_the_lease_ends() -> None:
    """A holder that cannot renew stops its body while the lease is still its own."""

    async def main() -> None:
        store = Store()
        lease = _lease(store, "a")
        left_s = None

        async def act() -> None:
            nonlocal left_s
            async with lease.hold():
                store.down = {"a"}
                try:
                    await asyncio.sleep(1000)
                finally:
                    left_s = lease.remaining_s()

        with pytest.raises(LeaseLost, match="could not be renewed in time: no answer"):
            await act()
        assert left_s is not None
        assert 3 < left_s < 6

    run(main())


def test_stolen_lease_stops_the_body() -> None:
    """A lease that another took, whyever, ends the body at the next renewal."""

    async def main() -> None:
        store = Store()

        async def act() -> None:
            async with _lease(store, "a").hold():
                store.objects[PATH]["metadata"]["resourceVersion"] = "999"
                _spec(store)["holderIdentity"] = "thief"
                await asyncio.sleep(1000)

        with pytest.raises(LeaseLost, match="held by thief now"):
            await act()
        assert _spec(store)["holderIdentity"] == "thief"

    run(main())


def test_own_lost_answer_is_no_loss() -> None:
    """A renewal whose answer got lost looks like a foreign write, and is recognised as our own."""

    async def main() -> None:
        store = Store()
        async with _lease(store, "a").hold() as lease:
            store.objects[PATH]["metadata"]["resourceVersion"] = "999"
            await asyncio.sleep(30)
            assert lease.held

    run(main())


def test_outer_cancellation_passes_through() -> None:
    """A body that is cancelled from outside ends cancelled, with the lease given up."""

    async def main() -> None:
        store = Store()

        async def act() -> None:
            async with _lease(store, "a").hold():
                await asyncio.sleep(1000)

        task = asyncio.create_task(act())
        await asyncio.sleep(10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert _spec(store)["holderIdentity"] == ""

    run(main())


def test_cancellation_beats_a_lost_lease() -> None:
    """Where the lease is lost and the task is cancelled too, the task ends cancelled."""

    async def main() -> None:
        store = Store()

        async def act() -> None:
            async with _lease(store, "a").hold():
                store.objects[PATH]["metadata"]["resourceVersion"] = "999"
                _spec(store)["holderIdentity"] = "thief"
                try:
                    await asyncio.sleep(1000)
                finally:
                    task.cancel()

        task = asyncio.create_task(act())
        await asyncio.wait([task])
        assert task.cancelled()

    run(main())


def test_error_of_the_body_passes_through() -> None:
    """What the body raises comes out as it is, with the lease given up."""

    async def main() -> None:
        store = Store()
        with pytest.raises(KeyError):
            async with _lease(store, "a").hold():
                raise KeyError
        assert _spec(store)["holderIdentity"] == ""

    run(main())


def test_renewal_needs_a_held_lease() -> None:
    """What was never acquired cannot be renewed, and releasing it does nothing."""

    async def main() -> None:
        store = Store()
        lease = _lease(store, "a")
        with pytest.raises(LeaseLost):
            await lease.renew()
        await lease.release()
        assert not store.writes

    run(main())


def test_holder_names_are_unique() -> None:
    """Two holders of one process are told apart, and a person can follow the name."""
    assert this_process() != this_process()
    assert len(this_process().split("/")) == 3


def test_living_holder_is_soon_told_from_a_dead_one() -> None:
    """Who waits for the dead only is refused at the next renewal, and follows who is dead."""

    async def main() -> None:
        store = Store()
        async with _lease(store, "a").hold() as living:
            asked = now()
            with pytest.raises(Waiting, match="held by a"):
                await _lease(store, "b").acquire(timeout_s=20, from_the_dead_only=True)
            assert now() - asked <= living.renew_s + living.retry_s + 0.1
        await _lease(store, "killed").acquire()
        killed = now()
        await _lease(store, "b").acquire(timeout_s=20, from_the_dead_only=True)
        assert 15 <= now() - killed <= 18

    run(main())


def test_a_dead_predecessors_other_leases_are_free_a_renewal_later() -> None:
    """Who took over its first Lease need not wait for the second to run out once more."""

    async def main() -> None:
        leading, route = Store(), Store()
        await _lease(leading, "a").acquire()
        await _lease(route, "a").acquire()
        leader = _lease(leading, "b")
        await leader.acquire()
        assert not leader.outlived("a")
        mine = Lease(
            route.client("b"),
            name="route",
            namespace="ns",
            holder="b",
            ended=leader.outlived,
            clock=now,
        )
        taken_at = now()
        await mine.acquire()
        assert 3 <= now() - taken_at < 6
        assert not leader.outlived("c")

    run(main())
