# SPDX-License-Identifier: Apache-2.0
"""What a StorageCredential's status says. Written by lokeys alone, read by people and programs."""

from __future__ import annotations

from lokeys.core.findings.finding import Confidence, Severity
from lokeys.core.place import Hop
from lokeys.core.route.resource.fields import (
    Schema,
    choice,
    flag,
    listing,
    moment,
    number,
    record,
    table,
    text,
)

CONDITION_TYPES = ("Ready", "InSync", "Verified", "Rotating", "Stalled")
ROTATION_PHASES = ("Idle", "Create", "Publish", "Switch", "Roll", "Grace", "Retire")
SENTENCE = 1024
"""The longest text that a status carries; `status.fitted` shortens what is longer."""

_SHOWN = "^[kr]:[0-9a-f]{6}$"
_WHOLE = "^[kr]:[0-9a-f]{64}$"


def _sentence(description: str) -> Schema:
    return text(description, at_least=0, at_most=SENTENCE)


def _word(description: str) -> Schema:
    return text(description, at_least=0)


def _whole(description: str) -> Schema:
    return text(description, pattern=_WHOLE, at_most=66)


def _ref(description: str) -> Schema:
    return record(
        description,
        {
            "kind": _word("Its kind."),
            "namespace": _word("Its namespace, if it has one."),
            "name": text("Its name.", at_least=0, at_most=600),
        },
    )


def _hop_name() -> Schema:
    return choice("Which hop.", [hop.value for hop in Hop])


_CONDITIONS = listing(
    "The route in five answers. Ready: Loki writes with a key that was proved, and its pods are "
    "Ready. InSync: all hops hold the source's key. Verified: the store took it. Rotating: it is "
    "being replaced. Stalled: only a person can go on.",
    record(
        "One answer.",
        {
            "type": text("Which question.", at_most=316),
            "status": choice("The answer.", ("True", "False", "Unknown")),
            "observedGeneration": number("For which generation of the spec.", at_least=0),
            "lastTransitionTime": moment("Since when."),
            "reason": text(
                "The first cause, as one word.",
                pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                at_most=1024,
            ),
            "message": text("The same for people.", at_least=0, at_most=32768),
        },
        required=("type", "status", "lastTransitionTime", "reason", "message"),
    ),
    at_most=16,
    keys=("type",),
)

_HOPS = listing(
    "The way of the key, in its order.",
    record(
        "One hop.",
        {
            "name": _hop_name(),
            "ref": _ref("The object that holds the key there."),
            "fingerprint": text(
                "A keyed fingerprint of the pair it holds; equal pairs have equal ones.",
                pattern=_SHOWN,
                at_most=8,
            ),
            "agrees": flag("Whether it agrees with the hop before it; absent if nobody can tell."),
            "since": moment("Since when it holds it."),
            "detail": _sentence("What else is to be said of it."),
        },
        required=("name",),
    ),
    at_most=16,
)

_FINDINGS = listing(
    "What is wrong, best explanation first; ten at most.",
    record(
        "One finding.",
        {
            "id": _word("Stays the same while the fault does."),
            "code": text("Its code, for `lokeys explain`.", pattern="^LK[0-9]{4}$", at_most=6),
            "severity": choice("How bad.", [severity.value for severity in Severity]),
            "confidence": choice("How sure.", [confidence.value for confidence in Confidence]),
            "cause": _word("The cause, if the finding explains a failure."),
            "fault": _word("The fault, if something is wrong with a manifest."),
            "object": _ref("Where."),
            "field": _word("Where in that object."),
            "hop": _hop_name(),
            "title": _sentence("In one line."),
            "message": _sentence("In full."),
            "evidence": listing("What it rests on.", _sentence("One observation."), at_most=20),
            "remedy": listing(
                "What to do.",
                record(
                    "One thing to do.",
                    {
                        "text": _sentence("In words."),
                        "command": text("Ready to paste.", at_least=0, at_most=2048),
                        "destructive": flag("Whether something is lost if it is misused."),
                    },
                ),
                at_most=10,
            ),
            "docs": _sentence("The address of its page."),
        },
        required=("code", "severity", "message"),
    ),
    at_most=10,
)

_PODS = listing(
    "The pods that use the key.",
    record(
        "One pod.",
        {
            "name": _word("Its name."),
            "startedAt": moment("When its Loki container started."),
            "current": flag("Whether it started with the pair that the Secret holds now."),
            "proved": flag("Whether its key is proved."),
        },
        required=("name",),
    ),
    at_most=200,
)

_ROTATION = record(
    "The present rotation, or the last one.",
    {
        "id": _word("Names this rotation."),
        "phase": choice("How far it is.", ROTATION_PHASES),
        "startedAt": moment("When it began."),
        "phaseStartedAt": moment("When this phase began."),
        "finishedAt": moment("When it ended."),
        "message": _sentence("What it waits for."),
    },
)

_HISTORY = listing(
    "The last ten times that lokeys changed something here, newest first.",
    record(
        "One heal or rotation.",
        {
            "time": moment("When it ended."),
            "cause": _word("Why."),
            "steps": listing("What was done.", _sentence("One step."), at_most=50),
        },
        required=("time",),
    ),
    at_most=10,
)

_PODS_AT_MOST = 2000

MEMORY = record(
    "What lokeys must remember between two looks. Not an interface: it changes without notice. "
    "Fingerprints are whole here. Deleting it is safe: lokeys looks again and is more careful.",
    {
        "key": _word("The name of the key that the fingerprints were made with."),
        "content": record(
            "The pair that the Secret holds.",
            {
                "pair": _whole("Its fingerprint."),
                "since": moment("Since when."),
                "exact": flag("Whether lokeys saw it come."),
                "oldPods": listing(
                    "The uids of the pods that were there already.",
                    _word("A uid."),
                    at_most=_PODS_AT_MOST,
                ),
                "before": _whole("The pair that it replaced."),
                "unseen": flag("Whether some pods could not be seen then."),
            },
        ),
        "sourceHeld": listing(
            "Pairs that the source is known to have offered.", _whole("A fingerprint."), at_most=32
        ),
        "refused": listing(
            "Pairs that the store is known to have refused.", _whole("A fingerprint."), at_most=32
        ),
        "forcedFor": _whole("The pair that a sync was last forced for."),
        "forcedCount": number("How often.", at_least=0),
        "forcedAt": moment("When last."),
        "replaced": table(
            "Pods that were replaced, and for which pair.",
            _whole("A fingerprint."),
            at_most=_PODS_AT_MOST,
        ),
        "blockedSince": table(
            "Pods that a disruption budget holds, and since when.",
            moment("Since when."),
            at_most=_PODS_AT_MOST,
        ),
        "flushed": table(
            "Pods that were asked to flush, and when.", moment("When."), at_most=_PODS_AT_MOST
        ),
        "refreshedSourceAt": moment("When the source was last made to read the store again."),
        "revalidatedAt": moment("When the SecretStore was last made to look again."),
        "held": table(
            "Pods, by uid, whose container is known to hold another pair than the Secret.",
            record(
                "What it read, and when it started.",
                {"pair": _whole("A fingerprint."), "startedAt": moment("When.")},
            ),
            at_most=_PODS_AT_MOST,
        ),
    },
)

STATUS = record(
    "What lokeys saw at its last look, and what it will do next.",
    {
        "observedGeneration": number("The generation of the spec that this is about.", at_least=0),
        "conditions": _CONDITIONS,
        "hops": _HOPS,
        "findings": _FINDINGS,
        "nextStep": _sentence("What lokeys will do next, or what it waits for."),
        "pods": _PODS,
        "rotation": _ROTATION,
        "lastVerified": record(
            "The last proof; written when its evidence changes.",
            {"time": moment("When."), "evidence": _sentence("What it rests on.")},
        ),
        "history": _HISTORY,
        "lastHandled": record(
            "The values of the two annotations that lokeys has dealt with.",
            {
                "reconcile": _sentence("Of `lokeys.dev/reconcile`."),
                "rotate": _sentence("Of `lokeys.dev/rotate`."),
            },
        ),
        "memory": MEMORY,
    },
)
