# SPDX-License-Identifier: Apache-2.0
"""What a StorageCredential's status says. Written only by lokeys, read by people and programs."""

from __future__ import annotations

from lokeys.core.findings.finding import Confidence, Severity
from lokeys.core.place import Hop
from lokeys.core.route.history import INCIDENTS_AT_MOST, STEPS_AT_MOST
from lokeys.core.route.resource.texts import moment, text
from lokeys.core.schema.language import Fields, Flag, Integer, ListOf, MapOf, Text

ROTATION_PHASES = ("Idle", "Create", "Publish", "Switch", "Roll", "Grace", "Retire")
SENTENCE = 1024
"""The longest text in a status; `status.fitted` shortens longer ones."""

_SHOWN = "^[kr]:[0-9a-f]{6}$"
_WHOLE = "^[kr]:[0-9a-f]{64}$"


def _sentence(description: str) -> Text:
    return text(description, at_least=0, at_most=SENTENCE)


def _word(description: str) -> Text:
    return text(description, at_least=0)


def _whole(description: str) -> Text:
    return text(description, pattern=_WHOLE, at_most=66)


def _ref(description: str) -> Fields:
    return Fields(
        description,
        {
            "kind": _word("Its kind."),
            "namespace": _word("Its namespace, if it has one."),
            "name": text("Its name.", at_least=0, at_most=600),
        },
    )


def _hop_name() -> Text:
    return Text("Which hop.", choices=tuple(Hop))


_CONDITIONS = ListOf(
    "The route in six answers. Ready: Loki writes with a key that was proved, and its pods are "
    "Ready. InSync: all hops hold the source's key. Verified: the store took it. Rotating: it is "
    "being replaced. Bridged: a key that was replaced is valid again for a while. Stalled: only a "
    "person can go on.",
    Fields(
        "One answer.",
        {
            "type": text("Which question.", at_most=316),
            "status": Text("The answer.", choices=("True", "False", "Unknown")),
            "observedGeneration": Integer("For which generation of the spec.", bits=64, least=0),
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

_HOPS = ListOf(
    "The way of the key, in its order.",
    Fields(
        "One hop.",
        {
            "name": _hop_name(),
            "ref": _ref("The object that holds the key there."),
            "fingerprint": text(
                "A keyed fingerprint of the pair it holds; equal pairs have equal ones.",
                pattern=_SHOWN,
                at_most=8,
            ),
            "agrees": Flag("Whether it agrees with the hop before it; absent if nobody can tell."),
            "since": moment("Since when it holds it."),
            "detail": _sentence("What else is to be said of it."),
        },
        required=("name",),
    ),
    at_most=16,
    keys=(),
)

_FINDINGS = ListOf(
    "What is wrong, best explanation first; ten at most.",
    Fields(
        "One finding.",
        {
            "id": _word("Stays the same while the fault does."),
            "code": text("Its code, for `lokeys explain`.", pattern="^LK[0-9]{4}$", at_most=6),
            "severity": Text("How bad.", choices=tuple(Severity)),
            "confidence": Text("How sure.", choices=tuple(Confidence)),
            "cause": _word("The cause, if the finding explains a failure."),
            "fault": _word("The fault, if something is wrong with a manifest."),
            "object": _ref("Where."),
            "field": _word("Where in that object."),
            "hop": _hop_name(),
            "title": _sentence("In one line."),
            "message": _sentence("In full."),
            "evidence": ListOf(
                "What it rests on.", _sentence("One observation."), at_most=20, keys=()
            ),
            "remedy": ListOf(
                "What to do.",
                Fields(
                    "One thing to do.",
                    {
                        "text": _sentence("In words."),
                        "command": text("Ready to paste.", at_least=0, at_most=2048),
                        "destructive": Flag("Whether something is lost if it is misused."),
                    },
                ),
                at_most=10,
                keys=(),
            ),
            "docs": _sentence("Where its page is: an address, or the command that prints it."),
        },
        required=("code", "severity", "message"),
    ),
    at_most=10,
    keys=(),
)

_PODS = ListOf(
    "The pods that use the key.",
    Fields(
        "One pod.",
        {
            "name": _word("Its name."),
            "startedAt": moment("When its Loki container started."),
            "current": Flag("Whether it started with the pair that the Secret holds now."),
            "proved": Flag("Whether its key is proved."),
        },
        required=("name",),
    ),
    at_most=200,
    keys=(),
)

_ROTATION = Fields(
    "The present rotation, or the last one.",
    {
        "id": _word("Names this rotation."),
        "phase": Text("How far it is.", choices=ROTATION_PHASES),
        "startedAt": moment("When it began."),
        "phaseStartedAt": moment("When this phase began."),
        "finishedAt": moment("When it ended."),
        "message": _sentence("What it waits for."),
    },
)

_BRIDGE = Fields(
    "A key that was replaced and is valid again. Absent where none is.",
    {
        "fingerprint": text("Of its pair.", pattern=_SHOWN, at_most=8),
        "since": moment("Since when."),
        "until": moment("When it ends at the latest."),
    },
)

_HISTORY = ListOf(
    "The last ten times that lokeys changed something here, newest first.",
    Fields(
        "One heal or rotation.",
        {
            "time": moment("When it ended."),
            "cause": _word("Why."),
            "steps": ListOf(
                "What was done.", _sentence("One step."), at_most=STEPS_AT_MOST, keys=()
            ),
        },
        required=("time",),
    ),
    at_most=INCIDENTS_AT_MOST,
    keys=(),
)

_PODS_AT_MOST = 2000

MEMORY = Fields(
    "What lokeys must remember between two looks. Not an interface: it changes without notice. "
    "Fingerprints are whole here. Deleting it is safe: lokeys looks again and is more careful.",
    {
        "key": _word("The name of the key that the fingerprints were made with."),
        "content": Fields(
            "The pair that the Secret holds.",
            {
                "pair": _whole("Its fingerprint."),
                "since": moment("Since when."),
                "exact": Flag("Whether lokeys saw it come."),
                "oldPods": ListOf(
                    "The uids of the pods that were there already.",
                    _word("A uid."),
                    at_most=_PODS_AT_MOST,
                    keys=(),
                ),
                "before": _whole("The pair that it replaced."),
                "unseen": Flag("Whether some pods could not be seen then."),
            },
        ),
        "sourceHeld": ListOf(
            "Pairs that the source is known to have offered.",
            _whole("A fingerprint."),
            at_most=32,
            keys=(),
        ),
        "refused": ListOf(
            "Pairs that the store is known to have refused.",
            _whole("A fingerprint."),
            at_most=32,
            keys=(),
        ),
        "forcedFor": _whole("The pair that a sync was last forced for."),
        "forcedCount": Integer("How often.", bits=64, least=0),
        "forcedAt": moment("When last."),
        "askedFor": _whole("The pair that the Secret's maker was last asked for."),
        "askedCount": Integer("How often.", bits=64, least=0),
        "askedAt": moment("When last."),
        "replaced": MapOf(
            "Pods that were replaced, and for which pair.",
            _whole("A fingerprint."),
            at_most=_PODS_AT_MOST,
        ),
        "blockedSince": MapOf(
            "Pods that a disruption budget holds, and since when.",
            moment("Since when."),
            at_most=_PODS_AT_MOST,
        ),
        "flushed": MapOf(
            "Pods that were asked to flush, and when.", moment("When."), at_most=_PODS_AT_MOST
        ),
        "refreshedSourceAt": moment("When the source was last made to read the store again."),
        "revalidatedAt": moment("When the SecretStore was last made to look again."),
        "bridge": Fields(
            "The key that is, or is about to be, valid again.",
            {
                "pair": _whole("Its pair's fingerprint."),
                "keyId": _whole("Its id's fingerprint."),
                "source": text("Whose key it is.", at_most=2048),
                "since": moment("Since when its end is planned."),
                "until": moment("When it ends at the latest."),
                "addedAt": moment("When it was added at the store."),
            },
        ),
        "rotation": Fields(
            "The present rotation, or the last one.",
            {
                "source": text("Whose keys.", at_most=2048),
                "why": _sentence("Why it began."),
                "asked": _sentence("The value of `lokeys.dev/rotate` that asked for it."),
                "begunAt": moment("When it began."),
                "phase": Text("How far it is.", choices=ROTATION_PHASES),
                "phaseSince": moment("When this phase began."),
                "old": _whole("The old pair."),
                "oldId": _whole("Its id."),
                "oldSince": moment("Since when the old key is known to exist."),
                "new": _whole("The new pair."),
                "newId": _whole("Its id."),
                "known": ListOf(
                    "The ids of the user's keys before.", _whole("An id."), at_most=32, keys=()
                ),
                "passed": Integer("How often in a row the new key passed.", bits=64, least=0),
                "back": Flag("Whether it goes back to the old pair."),
                "letGo": Flag("Whether a person has said that the old key may go."),
                "endedAt": moment("When it ended."),
            },
        ),
        "offered": Fields(
            "What the source has offered while the store took it.",
            {
                "source": text("Which source.", at_most=2048),
                "pairs": ListOf("The pairs.", _whole("A fingerprint."), at_most=32, keys=()),
            },
        ),
        "barred": ListOf(
            "Pairs that no bridge brings back.", _whole("A fingerprint."), at_most=32, keys=()
        ),
        "held": MapOf(
            "Pods, by uid, whose container is known to hold another pair than the Secret.",
            Fields(
                "What it read, and when it started.",
                {"pair": _whole("A fingerprint."), "startedAt": moment("When.")},
            ),
            at_most=_PODS_AT_MOST,
        ),
    },
)

STATUS = Fields(
    "What lokeys saw at its last look, and what it will do next.",
    {
        "observedGeneration": Integer(
            "The generation of the spec that this is about.", bits=64, least=0
        ),
        "conditions": _CONDITIONS,
        "hops": _HOPS,
        "findings": _FINDINGS,
        "nextStep": _sentence("What lokeys will do next, or what it waits for."),
        "pods": _PODS,
        "keySince": moment("Since when the key in use is known to exist."),
        "rotation": _ROTATION,
        "bridge": _BRIDGE,
        "lastVerified": Fields(
            "The last proof; written when its evidence changes.",
            {"time": moment("When."), "evidence": _sentence("What it rests on.")},
        ),
        "history": _HISTORY,
        "lastHandled": Fields(
            "The values of the two annotations that lokeys has dealt with.",
            {
                "reconcile": _sentence("Of `lokeys.dev/reconcile`."),
                "rotate": _sentence("Of `lokeys.dev/rotate`."),
            },
        ),
        "memory": MEMORY,
    },
)
