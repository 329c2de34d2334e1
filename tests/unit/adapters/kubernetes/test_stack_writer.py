# SPDX-License-Identifier: Apache-2.0
"""Whose an object is, is known before it is written: all stacks share one field manager."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from lokeys.adapters.kubernetes.stack_writer import (
    MOST_REMEMBERED,
    NewestRefs,
    StackWriter,
    Taken,
)
from lokeys.core.operate.intents import MANAGER, Intent, intent_of
from lokeys.core.place import Ref
from lokeys.errors import BadInput, Conflict, NotFound
from lokeys.kube.client import Api, Object

A, B = Ref("LokiStack", "a", "logging"), Ref("LokiStack", "a-index", "logging")
NAME = "a-index-gateway-http"


def intent(stack: Ref, **fields: Any) -> Intent:
    owner = {"kind": "LokiStack", "name": stack.name, "uid": f"uid-{stack.name}"}
    metadata = {
        "name": NAME,
        "namespace": "logging",
        "ownerReferences": [owner | {"controller": True}],
        "labels": {"app.kubernetes.io/instance": stack.name},
    }
    return intent_of({"kind": "Service", "metadata": metadata | fields, "spec": {"of": stack.name}})


class Server:
    """As much of an API server as one object needs."""

    def __init__(self) -> None:
        self.stored: Object | None = None
        self.applied: list[Object] = []
        self.refuses: Exception | None = None
        self.slow = asyncio.Event()
        self.slow.set()

    async def apply(self, _resource: Any, manifest: Object, **_options: Any) -> Object:
        await self.slow.wait()
        if self.refuses is not None:
            raise self.refuses
        self.applied.append(manifest)
        fields: Object = {"f:metadata": {"f:labels": {}}}
        entry = {"manager": MANAGER, "operation": "Apply", "time": "2", "fieldsV1": fields}
        metadata = {
            **manifest["metadata"],
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2",
            "managedFields": [entry],
        }
        self.stored = {**manifest, "metadata": metadata}
        return self.stored

    async def get(self, *_names: Any, **_options: Any) -> Object:
        if self.stored is None:
            raise NotFound("nothing of that name")
        return self.stored


def run(test: Callable[[Server, StackWriter], Awaitable[None]]) -> None:
    async def inside() -> None:
        server = Server()
        await test(server, StackWriter(cast("Api", server)))

    asyncio.run(inside())


async def write(writer: StackWriter, stack: Ref) -> None:
    await writer.apply(intent(stack), live=None, stack=stack, uid=f"uid-{stack.name}")


def test_what_one_stack_has_made_no_other_takes() -> None:
    """Though no watch has shown it yet, and the field manager is the same."""

    async def test(server: Server, writer: StackWriter) -> None:
        await write(writer, A)
        for _ in range(3):
            with pytest.raises(Taken, match=r"belongs to LokiStack logging/a$"):
                await write(writer, B)
        assert len(server.applied) == 1
        await write(writer, A)
        assert len(server.applied) == 2

    run(test)


def test_of_two_that_make_one_object_at_once_one_waits() -> None:
    """It is told so, and finds whose it is the next time."""

    async def test(server: Server, writer: StackWriter) -> None:
        server.slow.clear()
        first = asyncio.create_task(write(writer, A))
        await asyncio.sleep(0)
        with pytest.raises(Conflict, match="just being made"):
            await write(writer, B)
        server.slow.set()
        await first
        with pytest.raises(Taken):
            await write(writer, B)
        assert len(server.applied) == 1

    run(test)


def test_once_the_other_has_gone_its_name_is_free() -> None:
    """Nothing is remembered of it but to look first."""

    async def test(server: Server, writer: StackWriter) -> None:
        await write(writer, A)
        server.stored = None
        await write(writer, B)
        assert server.applied[-1]["spec"] == {"of": "a-index"}

    run(test)


def test_what_the_api_server_refuses_is_looked_at() -> None:
    """Another controller's object may be in the way; else the refusal is told as it is."""

    async def test(server: Server, writer: StackWriter) -> None:
        await server.apply(None, intent(A).manifest)
        server.refuses = BadInput("only one reference can have controller set to true")
        with pytest.raises(Taken):
            await write(writer, B)
        server.stored = None
        with pytest.raises(BadInput, match="only one reference"):
            await write(writer, B)

    run(test)


def test_stacks_that_come_and_go_fill_no_memory() -> None:
    """Only the newest objects are remembered; one that comes again is new again."""
    known = NewestRefs()
    first, second = Ref("Service", "first", "a"), Ref("Service", "second", "a")
    known.add(first)
    known.add(second)
    known.add(first)
    for number in range(MOST_REMEMBERED - 1):
        known.add(Ref("Service", str(number), "a"))
    assert len(known) == MOST_REMEMBERED
    assert first in known
    assert second not in known
