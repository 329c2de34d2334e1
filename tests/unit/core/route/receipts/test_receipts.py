# SPDX-License-Identifier: Apache-2.0
"""A receipt claims only what was read, is bounded, and is read back as it was kept."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, A, B, a_pod, a_secret, a_snapshot, ago, canaries, said
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Ref
from lokeys.core.route.history import incident_of, united
from lokeys.core.route.key_state import Proof
from lokeys.core.route.receipts.kept import (
    BYTES_AT_MOST,
    DATA_KEY,
    Kept,
    history_ref,
    history_report,
    kept_in,
    receipt_to_json,
    text_of,
    with_receipt,
)
from lokeys.core.route.receipts.model import (
    PODS_AT_MOST,
    STEPS_AT_MOST,
    Actor,
    Deed,
    Door,
    Receipt,
    begun,
    closed,
    seen_in,
    with_deed,
)
from lokeys.core.route.snapshot import LokiMetrics, Snapshot
from lokeys.core.sensitive import short

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""As the API server checks names: a label may be longer than a DNS label."""
BY = Actor(door=Door.COMMAND_LINE, name="mary")


def read(minutes_ago: float = 0.0, **counters: Any) -> LokiMetrics:
    """Return what Loki counted some minutes ago."""
    return LokiMetrics(at=ago(minutes=minutes_ago), **counters)


def a_look(**changes: Any) -> Snapshot:
    """Return a look at one pod without metrics."""
    return a_snapshot(**{"pods": (a_pod(metrics=None),), **changes})


def a_receipt(snapshot: Snapshot | None = None) -> Receipt:
    """Return a receipt that has just begun."""
    why = "the vault is behind"
    return begun(snapshot or a_look(), at=NOW, cause="vault_behind_source", why=why, by=BY)


def a_deed(step: str = "write-vault:Item/a", note: str = "", seconds: float = 0.0) -> Deed:
    at = NOW + timedelta(seconds=seconds)
    return Deed(step=step, at=at, took=timedelta(milliseconds=120), note=note)


def test_what_nobody_read_is_not_claimed() -> None:
    """Without metrics there is no row of a pod, without a proof none, and no end before the end."""
    row = receipt_to_json(a_receipt())
    assert row["pods"] == []
    assert not {"endedAt", "ending", "proof"} & row.keys()


def test_the_secret_may_be_unread() -> None:
    """Then nothing is said of what it held; what is seen later is what it holds after."""
    receipt = a_receipt(a_look(secret=None))
    assert (receipt.before, receipt.after) == (None, None)
    assert "before" not in receipt_to_json(receipt)
    seen = seen_in(receipt, a_look(secret=a_secret(B)))
    assert (seen.before, seen.after) == (None, B.pair)
    assert seen_in(seen, a_look(secret=None)).after == B.pair


def test_a_run_is_told_by_its_own_counters() -> None:
    """The first answered request is dated by the look that read it, and keeps that date."""
    started = ago(minutes=30)
    pod = a_pod(started_at=started, metrics=read(20, flush_failures=3, refused=2))
    receipt = a_receipt(a_look(pods=(pod,)))
    for minutes, accepted in ((10, 1), (5, 9)):
        metrics = read(minutes, accepted=accepted, refused=2, flush_failures=4)
        receipt = seen_in(receipt, a_look(pods=(replace(pod, metrics=metrics),)))
    (run,) = receipt.runs
    assert (run.first_read_at, run.answered_by, run.read_at) == (
        ago(minutes=20),
        ago(minutes=10),
        ago(minutes=5),
    )
    assert (run.refused, run.failed_flushes_first, run.failed_flushes) == (2, 3, 4)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(started_at=None, metrics=read()), id="has not started"),
        pytest.param(
            a_pod(started_at=ago(minutes=1), metrics=read(2, accepted=7)),
            id="was counted by the run before",
        ),
    ],
)
def test_counters_of_no_run_are_left_out(pod: Any) -> None:
    """They would claim an answer that this run never had."""
    assert a_receipt(a_look(pods=(pod,))).runs == ()


def test_each_run_has_a_row() -> None:
    """A container that starts again counts from zero, under the same name."""
    first = a_pod(started_at=ago(minutes=30), metrics=read(20, accepted=5))
    second = replace(first, started_at=ago(minutes=10), metrics=read(5))
    receipt = seen_in(a_receipt(a_look(pods=(first,))), a_look(pods=(second,)))
    assert [run.answered_by for run in receipt.runs] == [ago(minutes=20), None]


def test_the_stores_answers_are_told_when_they_change() -> None:
    """The same answer again is no news; another one to the same pair is."""
    refused = said(Answer.UNKNOWN_KEY)
    later = replace(said(), at=NOW + timedelta(minutes=1))
    receipt = a_receipt(a_look(verdicts={A: said(), B: refused}))
    receipt = seen_in(receipt, a_look(verdicts={A: later, B: later}))
    told = [(heard.pair, heard.answer) for heard in receipt.heard]
    assert sorted(told[:2]) == sorted([(A.pair, Answer.ACCEPTED), (B.pair, Answer.UNKNOWN_KEY)])
    assert told[2:] == [(B.pair, Answer.ACCEPTED)]


def test_a_step_that_is_tried_again_stands_there_once() -> None:
    """With its last try; one that fails for another reason, or is done at last, is another row."""
    receipt = a_receipt()
    for seconds, note in ((1, "no answer"), (2, "no answer"), (3, "409"), (4, "")):
        receipt = with_deed(receipt, a_deed(note=note, seconds=seconds))
    assert [(d.note, (d.at - NOW).seconds) for d in receipt.deeds] == [
        ("no answer", 2),
        ("409", 3),
        ("", 4),
    ]
    assert incident_of(receipt) == {
        "time": "2026-03-01T12:00:00Z",
        "cause": "vault_behind_source",
        "steps": ["write-vault:Item/a"],
    }


def test_more_than_fits_is_counted() -> None:
    """The latest steps and runs are kept, and how many are left out is said."""
    receipt = a_receipt()
    for number in range(STEPS_AT_MOST + 7):
        receipt = with_deed(receipt, a_deed(f"replace-pod:Pod/loki-{number}"))
    pods = tuple(
        a_pod(f"loki-{number:03}", metrics=read(accepted=1)) for number in range(PODS_AT_MOST + 3)
    )
    receipt = seen_in(receipt, a_look(pods=pods))
    assert (len(receipt.deeds), receipt.deeds_left_out) == (STEPS_AT_MOST, 7)
    assert (len(receipt.runs), receipt.runs_left_out) == (PODS_AT_MOST, 3)
    kept = kept_in({"data": {DATA_KEY: text_of("ns/loki", [receipt_to_json(receipt)])}})
    assert kept.unread == ()


TEXTS = st.text(max_size=300)


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 120))
def test_a_receipt_of_any_words_is_read_back_as_it_was_kept(
    step: str, note: str, user: str, count: int
) -> None:
    """However long, whatever it holds; and nothing in it obeys a terminal."""
    receipt = replace(a_receipt(), by=Actor(door=Door.OPERATOR, name=user))
    for number in range(count):
        receipt = with_deed(receipt, a_deed(f"{number}{step}", note))
    row = receipt_to_json(closed(receipt, ending="proved", proof=Proof.BY_LOKI, at=NOW))
    text = text_of("ns/loki", [row])
    assert kept_in({"data": {DATA_KEY: text}}) == Kept(receipts=(row,))
    assert json.loads(text)["receipts"] == [row]
    assert all(word.isprintable() for word in (row["by"].get("name", ""), row["ending"]))


def test_the_worst_receipt_fits_its_place_alone_and_the_oldest_go_first() -> None:
    """Four bytes a character, all rows in use: one fits, of fifty the newest that fit are kept."""
    wide = "\U0001d54f" * 400
    receipt = replace(a_receipt(), by=Actor(door=Door.OPERATOR, name=wide), why=wide)
    for number in range(STEPS_AT_MOST):
        receipt = with_deed(receipt, a_deed(f"{number}{wide}", wide))
    pods = tuple(a_pod(f"{n:03}{'x' * 250}", metrics=read(accepted=1)) for n in range(PODS_AT_MOST))
    row = receipt_to_json(seen_in(receipt, a_look(pods=pods)))
    assert kept_in({"data": {DATA_KEY: text_of("ns/loki", [row])}}).receipts == (row,)
    small = receipt_to_json(a_receipt())
    rows = [small, row, *([row] * 3)]
    text = text_of("ns/loki", rows)
    assert len(text.encode()) <= BYTES_AT_MOST
    assert kept_in({"data": {DATA_KEY: text}}).receipts == (small, row)


def test_no_secret_value_and_no_whole_fingerprint_is_kept() -> None:
    """Pairs are six digits of a keyed fingerprint."""
    receipt = a_receipt(a_look(verdicts={A: said(), B: said()}))
    text = text_of("ns/loki", [receipt_to_json(receipt)])
    assert not [canary for canary in canaries() if canary in text]
    assert A.pair not in text
    assert short(A.pair) in text


def test_one_receipt_takes_the_place_of_its_earlier_state() -> None:
    """And goes before the others; another door's at the same moment is another receipt."""
    first = receipt_to_json(a_receipt())
    later = receipt_to_json(closed(a_receipt(), ending="proved", proof=None, at=NOW))
    other = receipt_to_json(replace(a_receipt(), by=Actor(door=Door.OPERATOR)))
    assert with_receipt([other, first], later) == (later, other)
    many = [
        receipt_to_json(replace(a_receipt(), began_at=ago(hours=number))) for number in range(1, 60)
    ]
    assert len(with_receipt(many, later)) == 50


GARBLED: dict[str, tuple[object, str]] = {
    "no data": (None, "no data key"),
    "another key": ({"data": {"a": "b"}}, "no data key"),
    "data that is a list": ({"data": []}, "no data key"),
    "too long": ({"data": {DATA_KEY: "x" * (BYTES_AT_MOST + 1)}}, "longer than"),
    "no JSON": ({"data": {DATA_KEY: "{"}}, "not JSON"),
    "deeper than anybody reads": ({"data": {DATA_KEY: "[" * 200_000}}, "not JSON"),
    "a list": ({"data": {DATA_KEY: "[]"}}, "no list of receipts"),
    "receipts that are a text": ({"data": {DATA_KEY: '{"receipts": "a"}'}}, "no list of receipts"),
    "a receipt that is a number": ({"data": {DATA_KEY: '{"receipts": [7]}'}}, "1 of its receipts"),
    "a receipt without its door": (
        {"data": {DATA_KEY: '{"receipts": [{"kind": "Heal", "startedAt": "a", "steps": []}]}'}},
        "1 of its receipts",
    ),
}


@pytest.mark.parametrize(("found", "said"), GARBLED.values(), ids=GARBLED.keys())
def test_what_is_no_history_is_said(found: Any, said: str) -> None:
    """Whoever may edit the ConfigMap writes anything there; it is data, never an error."""
    kept = kept_in(found or {})
    assert kept.receipts == ()
    (gap,) = kept.unread
    assert said in gap


def test_the_report_says_what_was_not_read() -> None:
    """As every report does."""
    report = history_report("ns/loki", [], not_read=["ConfigMap ns/lokeys-history-loki: forbidden"])
    assert (report["kind"], report["complete"]) == ("HistoryReport", False)
    assert history_report("ns/loki", [])["complete"]


@pytest.mark.parametrize("length", [1, 238, 239, 253])
def test_a_routes_history_has_a_name_that_kubernetes_takes(length: int) -> None:
    """However long the route's own is; two long ones that begin alike have two."""
    names = {history_ref(Ref("StorageCredential", f"{'a' * (length - 1)}{end}", "ns")).name
             for end in "ab"}  # fmt: skip
    assert len(names) == 2
    assert all(len(name) <= 253 and SUBDOMAIN.fullmatch(name) for name in names)


def test_two_states_of_a_history_become_one() -> None:
    """Newest first; of the same moment the second one's word counts."""
    rows = [{"time": str(number), "steps": [], "cause": ""} for number in range(3)]
    now = {"time": "1", "steps": ["a"], "cause": ""}
    assert united(rows, [now]) == [rows[2], now, rows[0]]
