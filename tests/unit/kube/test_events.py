# SPDX-License-Identifier: Apache-2.0
"""Events: said once, short, and never in the way."""

import logging

import pytest

from lokeys.kube.client import Object
from lokeys.kube.events import EventWriter
from pasting import PAYLOADS
from unit.kube.scripted import Store
from unit.kube.virtual_time import now, run

ROUTE: Object = {
    "apiVersion": "lokeys.dev/v1alpha1",
    "kind": "StorageCredential",
    "metadata": {"name": "loki", "namespace": "ns", "uid": "u-1"},
}


def test_same_event_is_written_once_an_hour() -> None:
    """The same words on the same object are written once; other words, or objects, are new."""

    async def main() -> None:
        store, moment = Store(), [0.0]
        writer = EventWriter(store.client(), clock=lambda: moment[0])
        for _ in range(5):
            await writer.write(ROUTE, reason="Healed", message="key replaced")
        assert len(store.writes) == 1
        await writer.write(ROUTE, reason="Healed", message="key replaced again")
        other: Object = {**ROUTE, "metadata": {"name": "loki", "namespace": "ns", "uid": "u-2"}}
        await writer.write(other, reason="Healed", message="key replaced")
        assert len(store.writes) == 3
        store.objects.clear()  # as the API server does after an hour
        moment[0] = 3601
        await writer.write(ROUTE, reason="Healed", message="key replaced")
        assert len(store.writes) == 4

    run(main())


def test_restart_and_second_replica_repeat_nothing() -> None:
    """A fresh writer finds the event written already."""

    async def main() -> None:
        store = Store()
        for _ in range(2):
            await EventWriter(store.client()).write(ROUTE, reason="Healed", message="x")
        assert len(store.writes) == 1

    run(main())


def test_long_messages_are_cut() -> None:
    """A message has at most 1024 characters, and the event points at its object."""

    async def main() -> None:
        store = Store()
        writer = EventWriter(store.client())
        await writer.write(ROUTE, reason="Stalled", message="x" * 5000, warning=True)
        (event,) = store.objects.values()
        assert len(event["message"]) == 1024
        assert event["type"] == "Warning"
        assert event["involvedObject"]["uid"] == "u-1"

    run(main())


@pytest.mark.parametrize("text", [*PAYLOADS, "half \ud800 of a character", "é" * 1024, "🔑" * 600])
@pytest.mark.parametrize("room", [0, 1000, 1020, 1023])
def test_a_message_is_printable_and_fits_whatever_it_quotes(text: str, room: int) -> None:
    """`kubectl describe` shows it to a terminal, and the API server counts its bytes."""

    async def main() -> None:
        store = Store()
        message = "x" * room + text
        await EventWriter(store.client()).write(ROUTE, reason="Stalled", message=message)
        (event,) = store.objects.values()
        said = event["message"]
        assert said.isprintable()
        assert len(said.encode()) <= 1024
        assert said[:room] == message[:room]

    run(main())


def test_failure_stops_nothing_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """An event that cannot be written is logged, and the next reconcile tries again."""

    async def main() -> None:
        store = Store()
        store.down = {"one"}
        writer = EventWriter(store.client("one"), clock=now)
        with caplog.at_level(logging.WARNING):
            await writer.write(ROUTE, reason="Healed", message="x")
        assert "StorageCredential ns/loki" in caplog.text
        store.down = set()
        await writer.write(ROUTE, reason="Healed", message="x")
        assert len(store.writes) == 1

    run(main())
