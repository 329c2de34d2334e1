# SPDX-License-Identifier: Apache-2.0
"""`lokeys history`: what a person and a program see of the receipts."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, B, a_pod, a_secret, a_snapshot, said
from fakes.ports import FakeObjects, World
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.commands.history import show
from lokeys.core.route.key_state import Proof
from lokeys.core.route.receipts.kept import DATA_KEY, receipt_to_json, text_of
from lokeys.core.route.receipts.model import (
    Actor,
    Deed,
    Door,
    Receipt,
    begun,
    closed,
    seen_in,
    with_deed,
)
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.errors import BadInput

OWN = {**STORAGE_CREDENTIAL["metadata"], "uid": "uid-1"}
INCIDENT = {"time": "2026-03-01T12:00:00Z", "steps": ["write-vault:Item/a"]}


def a_receipt(door: Door = Door.OPERATOR, name: str = "lokeys-7f/1/ab") -> Receipt:
    """Return the receipt of a heal that wrote the vault and replaced one pod."""
    by = Actor(door=door, name=name)
    read = LokiMetrics(at=NOW, accepted=4, flush_failures=2)
    why = "the vault does not hold the source's key"
    receipt = begun(
        a_snapshot(pods=(a_pod(metrics=None),)), at=NOW, cause="vault_behind_source", why=why, by=by
    )
    for step, note in (("write-vault:Item/a", "no answer"), ("write-vault:Item/a", "")):
        deed = Deed(step=step, at=NOW, took=timedelta(seconds=1.25), note=note)
        receipt = with_deed(receipt, deed)
    pods = (a_pod(metrics=read),)
    return seen_in(receipt, a_snapshot(secret=a_secret(B), verdicts={B: said()}, pods=pods))


ENDED = closed(a_receipt(), ending="proved", proof=Proof.BY_LOKI, at=NOW)


def a_desk(
    *receipts: Receipt,
    text: str | None = None,
    uid: str = "uid-1",
    told: int = 0,
    made: bool = True,
) -> Desk:
    """Return a desk before a cluster with a route and its ConfigMap."""
    resource = {**STORAGE_CREDENTIAL, "metadata": OWN, "status": {"history": [INCIDENT] * told}}
    rows = [receipt_to_json(receipt) for receipt in receipts]
    config_map = {
        "kind": "ConfigMap",
        "metadata": {
            "name": "lokeys-history-loki",
            "namespace": "monitoring",
            "ownerReferences": [{"uid": uid}],
        },
        "data": {DATA_KEY: text_of("monitoring/loki", rows) if text is None else text},
    }
    return Desk(World(), objects=FakeObjects(resource, *[config_map] * made))


def shown(desk: Desk, name: str = "loki", **options: str) -> int:
    """Run `history loki`."""
    return asyncio.run(show(desk.session(**options), name))


def test_a_person_reads_who_did_what_and_what_proves_it() -> None:
    """One block a receipt: the pods' rows say what was read and until when."""
    desk = a_desk(ENDED)
    assert shown(desk) == 0
    assert desk.printed.splitlines()[0].split("  ") == [
        "2026-03-01T12:00:00.000Z",
        "heal by the operator (lokeys-7f/1/ab)",
        "proved, ProvedByLoki at 12:00:00",
    ]
    words = " ".join(desk.printed.split())
    assert "the vault does not hold the source's key (vault_behind_source)" in words
    assert "again: no answer" in words
    assert "accepted" in words
    assert "an answered request was read by 12:00:00, 0 refused, failed flushes 2 → 2" in words


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        pytest.param(a_receipt(), "not over when this was written", id="not over"),
        pytest.param(
            a_receipt(Door.COMMAND_LINE, "mary"), "by the command line (mary)", id="a person's"
        ),
        pytest.param(
            a_receipt(Door.COMMAND_LINE, ""),
            "by the command line (whose name could not be read)",
            id="of a person whose name was not to be had",
        ),
        pytest.param(replace(a_receipt(Door.OPERATOR, ""), why="", cause=""), "by the operator ",
                     id="without a cause"),
        pytest.param(
            replace(a_receipt(), deeds_left_out=7), "and 7 earlier ones", id="with steps left out"
        ),
        pytest.param(
            replace(a_receipt(), runs=tuple(replace(r, answered_by=None) for r in ENDED.runs)),
            "no answered request was read",
            id="of a pod that was not answered",
        ),
    ],
)  # fmt: skip
def test_what_was_not_read_is_not_claimed(receipt: Receipt, words: str) -> None:
    """Each gap has its own words."""
    desk = a_desk(receipt)
    assert shown(desk) == 0
    assert words in " ".join(desk.printed.split())


def test_a_program_reads_a_report() -> None:
    """The receipts as they are kept."""
    desk = a_desk(ENDED)
    assert shown(desk, output="json") == 0
    report = json.loads(desk.printed)
    assert (report["kind"], report["route"], report["complete"]) == (
        "HistoryReport",
        "monitoring/loki",
        True,
    )
    assert report["receipts"] == [receipt_to_json(ENDED)]


def test_nothing_was_done_yet() -> None:
    """No ConfigMap and no row in the status: that is an answer."""
    desk = a_desk(made=False)
    assert shown(desk) == 0
    assert "nothing was done on monitoring/loki yet" in desk.said


UNREAD: dict[str, tuple[dict[str, Any], str]] = {
    "the right to keep them was missing": ({"made": False, "told": 2}, "tells of 2 heals"),
    "another's ConfigMap": ({"uid": "uid-2"}, "was not made for"),
    "no history in it": ({"text": "{"}, "is not JSON"),
}


@pytest.mark.parametrize(("world", "words"), UNREAD.values(), ids=UNREAD.keys())
def test_what_cannot_be_read_is_incomplete(world: dict[str, Any], words: str) -> None:
    """Exit 5, and why."""
    desk = a_desk(**world)
    assert shown(desk) == 5
    assert words in desk.said


@pytest.mark.parametrize("name", ["statefulset/loki", "other"])
def test_only_a_storage_credential_that_exists_has_receipts(name: str) -> None:
    """A Loki alone has none."""
    with pytest.raises(BadInput):
        shown(a_desk(), name)


def test_a_cluster_without_the_kind() -> None:
    """It is said as such."""
    desk = Desk(World(), objects=FakeObjects(kinds=frozenset({"Pod"})))
    with pytest.raises(BadInput, match="does not know the kind"):
        shown(desk)
