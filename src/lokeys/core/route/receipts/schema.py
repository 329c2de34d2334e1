# SPDX-License-Identifier: Apache-2.0
"""The form of a receipt, for readers of the report and for reading back what is kept."""

from __future__ import annotations

from lokeys.core.route.receipts.model import (
    ANSWERS_AT_MOST,
    PODS_AT_MOST,
    STEPS_AT_MOST,
    Door,
    ReceiptKind,
)
from lokeys.core.route.resource.texts import moment, text
from lokeys.core.schema.language import Fields, Integer, ListOf, Text

TEXT_AT_MOST = 200
"""Characters; with four bytes each, one receipt of the most steps and pods fits its place."""

_SHOWN = "^[kr]:[0-9a-f]{6}$"


def _sentence(description: str) -> Text:
    return text(description, at_least=0, at_most=TEXT_AT_MOST)


def _count(description: str) -> Integer:
    return Integer(description, bits=64, least=0)


def _pair(description: str) -> Text:
    return text(description, pattern=_SHOWN, at_most=8)


_STEP = Fields(
    "One step.",
    {
        "step": _sentence("What was done to which object."),
        "at": moment("When it was over."),
        "tookMilliseconds": _count("How long it took."),
        "note": _sentence("Why it has to be tried again; empty where it was done."),
    },
    required=("step", "at"),
)
_ANSWER = Fields(
    "One answer, where it is another than the one before.",
    {
        "pair": _pair("To which pair."),
        "answer": _sentence("`accepted`, or why not."),
        "at": moment("When the store gave it."),
    },
    required=("pair", "answer", "at"),
)
_POD = Fields(
    "One run of a Loki container, by Loki's own counters.",
    {
        "name": text("The pod."),
        "startedAt": moment("When the container started."),
        "firstReadAt": moment("When its counters were first read."),
        "readAt": moment("When they were last read."),
        "answeredBy": moment(
            "When an answered storage request of this run was first read: it came before that."
        ),
        "refused": _count("Storage requests of this run that were answered 403, as last read."),
        "failedFlushesFirst": _count("Failed flushes of this run, as first read."),
        "failedFlushes": _count("Failed flushes of this run, as last read."),
    },
    required=("name", "startedAt", "readAt"),
)

RECEIPT = Fields(
    "What one heal or rotation did, and what was read meanwhile.",
    {
        "kind": Text("What was done.", choices=tuple(ReceiptKind)),
        "startedAt": moment("When the first step was done."),
        "endedAt": moment("When it was over; absent where it was not when this was written."),
        "by": Fields(
            "Who acted.",
            {
                "door": Text("The operator, or a person's command line.", choices=tuple(Door)),
                "name": text(
                    "The operator's process, or the user as the API server names them; absent "
                    "where that could not be read.",
                    at_most=TEXT_AT_MOST,
                ),
            },
            required=("door",),
        ),
        "cause": text("The cause, as findings name it.", at_least=0, at_most=TEXT_AT_MOST),
        "why": _sentence("The same in a sentence."),
        "before": _pair("The pair that the Secret held at first."),
        "after": _pair("The pair that the Secret held when it was last read."),
        "steps": ListOf("What was done.", _STEP, at_most=STEPS_AT_MOST, keys=()),
        "stepsLeftOut": _count("Earlier steps that are not listed."),
        "store": ListOf("What the store said.", _ANSWER, at_most=ANSWERS_AT_MOST, keys=()),
        "pods": ListOf("Pods whose counters were read.", _POD, at_most=PODS_AT_MOST, keys=()),
        "podsLeftOut": _count("Earlier runs of pods that are not listed."),
        "ending": _sentence("How it ended; absent where it was not over when this was written."),
        "proof": _sentence("What proves it: the reason of the condition Verified."),
    },
    required=("kind", "startedAt", "by", "steps"),
)
