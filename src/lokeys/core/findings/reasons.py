# SPDX-License-Identifier: Apache-2.0
"""What the reasons of conditions mean, where they are no finding's cause.

Those of a route, and of a stack those without a finding: a finding's code ends its message.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "AllHopsAgree": "every hop that can be read holds the same pair",
        "Create": "a rotation makes the new key and tries it",
        "GoingBack": "a rotation goes back to the old key; the message says what is next",
        "Grace": "a rotation keeps the old key for a while; the message says what is awaited",
        "Publish": "a rotation writes the new key into the vault",
        "Retire": "a rotation takes the old key away",
        "Roll": "a rotation replaces the pods, one at a time",
        "Rotating": "hops differ because a rotation is under way; the store takes both keys",
        "RotationAwaitsRetire": "the old key stays until a person says that nobody needs it: "
        "`lokeys rotate NAME --retire`; the message says who holds it, or what could not be read",
        "RotationKeyRemoved": "somebody removed a key that the rotation needs",
        "RotationPastReturn": "the old key is being retired, so nothing goes back",
        "RotationSourceChanged": "the resource names another source than its rotation began with",
        "Switch": "a rotation brings the new key into the Secret",
        "HopsDisagree": "a hop holds another pair than the one before it, and no finding says why",
        "NoBridge": "no key that was replaced is valid again",
        "Overdue": "a key that was replaced should have been retired and may still be valid",
        "Planned": "a key that was replaced is about to be valid again; its end is recorded",
        "Standing": "a key that was replaced is valid again; the message says until when",
        "FailedComponents": "pods of the stack have failed; the message names them and says why",
        "Idle": "no rotation is under way",
        "InvalidSpec": "the resource describes no route; the message says which field to correct",
        "NotPermitted": "a right is missing: of a route one that a later step needs, so nothing "
        "was begun; of a stack the right to try its tokens; apply what `lokeys rbac` prints",
        "NotProved": "no request of a pod's own shows yet that its key works; the message names "
        "the pods, and `prove: Flush` asks them not to wait for traffic",
        "NotReadable": "something on the route may not or cannot be read, so nothing is begun or "
        "called proved; the message names it, `lokeys rbac` prints the rights",
        "NotTried": "the stack's credentials could not be tried to their end: no answer came, or "
        "something is not there yet; the message says at which link",
        "PendingComponents": "pods of the stack are to come, or are being replaced; the message "
        "says what is awaited",
        "PodsNotReady": "the key is right everywhere, and a pod does not serve (yet)",
        "Progressing": "nothing waits for a person",
        "ProvedByLoki": "each pod's own storage requests are answered since it started, and none "
        "is refused",
        "ProvedByStoreTest": "each pod started with a pair that passed the store's test; some "
        "never write, so no request of their own can show it",
        "ReadyComponents": "every pod of the stack is of its present template and ready",
        "StepRefused": "the next step was refused for good; the message says by whom and why",
        "TooLarge": "an object is larger than what is judged, so it is left as it is; the message "
        "says how large it may be",
        "Verified": "the stack's credentials reached the bucket when they were last tried",
    }
)
