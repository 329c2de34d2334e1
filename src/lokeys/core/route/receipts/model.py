# SPDX-License-Identifier: Apache-2.0
"""What a receipt says. It claims only what was read, and says when; pairs are fingerprints.

A receipt starts with the first step that was done, and includes each look after that. What could
not be read is not in it: a pod without metrics has no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from lokeys.core.findings.verdict import Answer, StoreVerdict
from lokeys.core.route.key_state import Proof
from lokeys.core.route.snapshot import LokiMetrics, PodState, Snapshot
from lokeys.core.sensitive import Fingerprint

STEPS_AT_MOST = 100
PODS_AT_MOST = 100
ANSWERS_AT_MOST = 20
"""Limit for one receipt; the oldest are left out, and counted."""


class ReceiptKind(StrEnum):
    """What was done."""

    HEAL = "Heal"
    ROTATION = "Rotation"


class Door(StrEnum):
    """The entry point through which lokeys acted."""

    OPERATOR = "operator"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acted: a process of the operator, or the user whom the API server names.

    `name` "": it could not be read.
    """

    door: Door
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One step that was attempted; `note` says why it has to be repeated."""

    step: str
    at: datetime
    took: timedelta
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The store's answer to a pair, recorded when it is first seen or changes."""

    pair: Fingerprint
    answer: Answer
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a pod's Loki container, by Loki's own counters.

    `answered_by`: when an answered storage request of this run was first read; it was sent before.
    """

    pod: str
    started_at: datetime
    first_read_at: datetime
    read_at: datetime
    answered_by: datetime | None
    refused: int
    failed_flushes_first: int
    failed_flushes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one heal or rotation did, and what was read meanwhile.

    `ending` "": it had not ended when this was written.
    """

    kind: ReceiptKind = ReceiptKind.HEAL
    began_at: datetime
    cause: str
    why: str
    by: Actor
    before: Fingerprint | None
    after: Fingerprint | None
    deeds: tuple[Deed, ...] = ()
    deeds_left_out: int = 0
    heard: tuple[Heard, ...] = ()
    runs: tuple[Run, ...] = ()
    runs_left_out: int = 0
    ending: str = ""
    ended_at: datetime | None = None
    proof: Proof | None = None


def begun(snapshot: Snapshot, *, at: datetime, cause: str, why: str, by: Actor) -> Receipt:
    """Return the receipt of what starts now, with the snapshot that it is based on."""
    held = snapshot.secret.pair.pair if snapshot.secret else None
    bare = Receipt(began_at=at, cause=cause, why=why, by=by, before=held, after=held)
    return seen_in(bare, snapshot)


def with_deed(receipt: Receipt, deed: Deed) -> Receipt:
    """Return the receipt with one more step; a repeated step replaces its last attempt."""
    known = receipt.deeds
    if known and (known[-1].step, known[-1].note) == (deed.step, deed.note):
        known = known[:-1]
    deeds = (*known, deed)
    lost = max(len(deeds) - STEPS_AT_MOST, 0)
    return replace(receipt, deeds=deeds[lost:], deeds_left_out=receipt.deeds_left_out + lost)


def seen_in(receipt: Receipt, snapshot: Snapshot) -> Receipt:
    """Return the receipt with what one more look read."""
    held = snapshot.secret.pair.pair if snapshot.secret else receipt.after
    runs = _with_runs(receipt.runs, snapshot.pods)
    lost = max(len(runs) - PODS_AT_MOST, 0)
    return replace(
        receipt,
        after=held,
        heard=_with_answers(receipt.heard, snapshot.verdicts.items())[-ANSWERS_AT_MOST:],
        runs=runs[lost:],
        runs_left_out=receipt.runs_left_out + lost,
    )


def closed(receipt: Receipt, *, ending: str, proof: Proof | None, at: datetime) -> Receipt:
    """Return the receipt of a heal that has ended."""
    return replace(receipt, ending=ending, proof=proof, ended_at=at)


def _with_answers(
    heard: tuple[Heard, ...], verdicts: Iterable[tuple[Fingerprint, StoreVerdict]]
) -> tuple[Heard, ...]:
    last = {each.pair: each.answer for each in heard}
    news = [
        Heard(pair=pair, answer=verdict.answer, at=verdict.at)
        for pair, verdict in sorted(verdicts, key=lambda each: (each[1].at, each[0]))
        if last.get(pair) is not verdict.answer
    ]
    return (*heard, *news)


def _with_runs(runs: tuple[Run, ...], pods: Iterable[PodState]) -> tuple[Run, ...]:
    known = {(run.pod, run.started_at): run for run in runs}
    for pod in sorted(pods, key=lambda pod: pod.ref.name):
        if pod.started_at is None or pod.metrics is None:
            continue
        if pod.metrics.at < pod.started_at:
            continue  # counted by the run before
        key = (pod.ref.name, pod.started_at)
        known[key] = _run(known.get(key), pod.ref.name, pod.started_at, pod.metrics)
    return tuple(known.values())


def _run(known: Run | None, pod: str, started_at: datetime, read: LokiMetrics) -> Run:
    answered = read.at if read.accepted else None
    return Run(
        pod=pod,
        started_at=started_at,
        first_read_at=known.first_read_at if known else read.at,
        read_at=read.at,
        answered_by=known.answered_by if known and known.answered_by else answered,
        refused=read.refused,
        failed_flushes_first=known.failed_flushes_first if known else read.flush_failures,
        failed_flushes=read.flush_failures,
    )
