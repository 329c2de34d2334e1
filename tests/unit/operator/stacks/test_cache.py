# SPDX-License-Identifier: Apache-2.0
"""What is known of stacks' objects between a write and its echo."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from lokeys.core.operate.live import Live, LivePodState, Pod
from lokeys.core.place import Ref
from lokeys.errors import Transient
from lokeys.kube.client import Api
from lokeys.operator.stacks.cache import CONFIRMED_WITHIN_S, StackObjects

KEY = ("logging", "my-stack")
REF = Ref("Service", "my-stack-http", "logging")


class Cache:
    """The cache of one stack, with hands to play its watches."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, str]] = []
        self.pods_moved: list[tuple[str, str]] = []
        self.objects = StackObjects(
            cast("Api", None),
            everywhere=True,
            on_change=self.woken.append,
            on_pods=self.pods_moved.append,
        )

    def known(self) -> Live | None:
        return self.objects.of(KEY).get(REF)

    def show(self, live: Live | Pod | None, old: Live | Pod | None = None) -> int:
        """Let a watch show an object; return how often that woke the stack."""
        before = len(self.woken) + len(self.pods_moved)
        changed = (
            self.objects._pod_changed if isinstance(live or old, Pod) else self.objects._changed
        )
        changed(shown(old), shown(live))
        return len(self.woken) + len(self.pods_moved) - before


def shown(live: Live | Pod | None) -> Any:
    return None if live is None else {"stack": KEY, "seen": live}


def live(version: int, content: str = "ours") -> Live:
    return Live(ref=REF, uid="u", version=str(version), content=content)


def run(test: Callable[[Cache], Awaitable[None]]) -> None:
    async def inside() -> None:
        await test(Cache())

    asyncio.run(inside())


def test_a_write_is_known_before_its_watch_shows_it() -> None:
    """What the watch shows from before it is old; its echo wakes nobody."""

    async def test(cache: Cache) -> None:
        cache.objects.wrote(KEY, live(5), intended="ours")
        assert cache.known() == live(5)
        assert cache.show(live(4, "older")) == 0
        assert cache.known() == live(5)
        assert cache.objects.confirm_s(KEY) is not None
        assert cache.show(live(5)) == 0
        assert cache.objects.confirm_s(KEY) is None
        assert cache.show(live(6, "theirs")) == 1

    run(test)


def test_a_watch_that_was_quicker_is_believed() -> None:
    """The answer of a write may come after what has happened to the object since."""

    async def test(cache: Cache) -> None:
        cache.show(live(7, "newer"))
        cache.objects.wrote(KEY, live(6), intended="ours")
        assert cache.known() == live(7, "newer")

    run(test)


def test_an_echo_that_comes_before_the_answer_wakes_nobody() -> None:
    """A watch is often quicker than the write that it shows."""

    async def test(cache: Cache) -> None:
        with cache.objects.writing(KEY, REF):
            cache.show(live(5, "kept"))
            cache.objects.wrote(KEY, live(5, "kept"), intended="wanted")
        assert cache.known() == live(5, "wanted")
        assert cache.objects.confirm_s(KEY) is None
        assert cache.woken == []

    run(test)


def test_what_comes_between_a_write_and_its_answer_wakes() -> None:
    """Once the answer is there: what is older than it is known to it, what is newer is news."""

    async def test(cache: Cache) -> None:
        with cache.objects.writing(KEY, REF):
            cache.show(live(4, "older"))
            cache.objects.wrote(KEY, live(5), intended="ours")
        assert cache.woken == []
        with cache.objects.writing(KEY, REF):
            cache.show(live(7, "theirs"))
            cache.objects.wrote(KEY, live(6), intended="ours")
            assert cache.woken == []
        assert cache.woken == [KEY]
        assert cache.known() == live(7, "theirs")

    run(test)


def test_another_stack_is_woken_while_its_object_is_tried() -> None:
    """Two stacks may come to one name: whose the object is hears of it."""

    async def test(cache: Cache) -> None:
        other = ("logging", "my-stack-gateway")
        with cache.objects.writing(other, REF):
            assert cache.show(live(5)) == 1
        assert cache.woken == [KEY]
        with cache.objects.writing(KEY, REF), cache.objects.writing(other, REF):
            cache.show(live(6, "theirs"))
        assert cache.woken == [KEY, KEY]

    run(test)


def test_what_comes_while_a_write_fails_wakes() -> None:
    """Nobody can tell whether it was the write's doing."""

    async def test(cache: Cache) -> None:
        with suppress(Transient), cache.objects.writing(KEY, REF):
            cache.show(live(5))
            raise Transient("no answer")
        assert cache.woken == [KEY]

    run(test)


def test_what_is_never_confirmed_is_forgotten() -> None:
    """It may have been deleted while nobody watched: the stack is looked at again, at once."""

    async def test(cache: Cache) -> None:
        cache.objects.wrote(KEY, live(5), intended="ours")
        cache.objects._ahead[KEY][REF] -= CONFIRMED_WITHIN_S
        assert cache.objects.confirm_s(KEY) == 0
        assert cache.known() is None
        assert cache.objects.confirm_s(KEY) is None

    run(test)


def test_a_deletion_is_seen() -> None:
    """Begun, and done; what is not known cannot be forgotten."""

    async def test(cache: Cache) -> None:
        cache.show(live(5))
        cache.objects.deleted(KEY, live(5))
        assert cache.known() == replace(live(5), terminating=True)
        assert cache.show(None, old=live(5)) == 1
        assert cache.known() is None
        cache.objects.deleted(KEY, live(5))
        assert cache.show(None) == 0

    run(test)


def test_an_object_that_is_kept_otherwise_is_as_intended() -> None:
    """The API server left out an empty value: as long as it stays so, it is no difference."""

    async def test(cache: Cache) -> None:
        cache.objects.wrote(KEY, live(5, "kept"), intended="wanted")
        assert cache.known() == live(5, "wanted")
        assert cache.show(live(6, "kept")) == 0
        assert cache.known() == live(6, "wanted")
        assert cache.show(live(7, "edited")) == 1
        assert cache.known() == live(7, "edited")

    run(test)


def test_an_event_that_says_nothing_new_wakes_nobody() -> None:
    """Another version of the same: somebody's annotation."""

    async def test(cache: Cache) -> None:
        assert cache.show(live(5)) == 1
        assert cache.show(live(6), old=live(5)) == 0

    run(test)


def test_an_object_that_changes_its_stack_wakes_both() -> None:
    """Its label was edited."""

    async def test(cache: Cache) -> None:
        cache.show(live(5))
        cache.objects._changed(shown(live(5)), {"stack": ("logging", "other"), "seen": live(6)})
        assert cache.known() is None
        assert cache.woken == [KEY, KEY, ("logging", "other")]

    run(test)


def test_pods_come_and_go() -> None:
    """By name; the same again is no news."""

    async def test(cache: Cache) -> None:
        pod = Pod(name="p", uid="u", component="ingester", state=LivePodState.PENDING)
        assert cache.show(pod) == 1
        assert cache.show(pod) == 0
        ready = replace(pod, state=LivePodState.READY)
        assert cache.show(ready) == 1
        assert cache.objects.pods_of(KEY) == (ready,)
        assert cache.show(None, old=ready) == 1
        assert cache.objects.pods_of(KEY) == ()

    run(test)


def test_what_a_stack_has_outside_of_its_namespace_is_still_known() -> None:
    """When its namespace is left: no owner clears up after it."""
    outside = Ref("ClusterRole", "logging.my-stack-gateway")

    async def test(cache: Cache) -> None:
        cache.objects._everywhere = False
        cache.show(live(1))
        cache.show(replace(live(1), ref=outside))
        cache.objects.leave("another")
        assert len(cache.objects.of(KEY)) == 2
        cache.objects.leave("logging")
        assert list(cache.objects.of(KEY)) == [outside]
        cache.show(None, replace(live(1), ref=outside))
        assert cache.objects.of(KEY) == {}

    run(test)


def test_what_stands_under_a_stacks_names_is_found_whatever_its_label() -> None:
    """A stack whose name begins the object's may be labelled on it; others cannot."""

    async def test(cache: Cache) -> None:
        ref = Ref("Service", "a-index-gateway-http", "logging")
        ours = Ref("Service", "a-index-querier-http", "logging")
        theirs = replace(live(5), ref=ref)
        cache.objects.wrote(("logging", "a"), theirs, intended="ours")
        cache.objects.wrote(("logging", "a-index"), replace(live(6), ref=ours), intended="ours")
        found = cache.objects.named(("logging", "a-index"), [ref, ours, REF])
        assert found == {ref: theirs, ours: replace(live(6), ref=ours)}
        assert cache.objects.named(("other", "a-index"), [replace(ref, namespace="other")]) == {}
        role = Ref("ClusterRole", "logging.a-gateway")
        assert cache.objects.named(("logging", "a"), [role]) == {ref: theirs}

    run(test)
