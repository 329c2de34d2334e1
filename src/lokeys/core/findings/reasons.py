# SPDX-License-Identifier: Apache-2.0
"""What the reasons of conditions mean, where they are not the cause of a finding.

Those of a route, and of a stack those without a finding: a finding's code ends its message.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "AllHopsAgree": "every hop that could be read has the same key pair",
        "Create": "a rotation creates the new key and tests it",
        "GoingBack": "a rotation returns to the old key; the message says what is next",
        "Grace": "a rotation keeps the old key for a while; the message says what it waits for",
        "Publish": "a rotation writes the new key into the vault",
        "Retire": "a rotation removes the old key",
        "Roll": "a rotation replaces the pods, one at a time",
        "Rotating": "hops differ because a rotation is running; the store accepts both keys",
        "RotationAwaitsRetire": "the old key stays until a person confirms that nobody needs it: "
        "`lokeys rotate NAME --retire`; the message says who uses it, or what could not be read",
        "RotationKeyRemoved": "somebody removed a key that the rotation needs",
        "RotationPastReturn": "the old key is already being removed, so the rotation cannot "
        "return to it",
        "RotationSourceChanged": "the resource names a different source than when its rotation "
        "began",
        "Switch": "a rotation delivers the new key to the Secret",
        "HopsDisagree": "a hop has a different key pair than the one before it, and no finding "
        "explains why",
        "NoBridge": "no replaced key is valid again",
        "Overdue": "a replaced key should have been removed and may still be valid",
        "Planned": "a replaced key is about to be valid again; its end is recorded",
        "Standing": "a replaced key is valid again for a while; the message says until when",
        "FailedComponents": "pods of the stack have failed; the message names them and says why",
        "Idle": "no rotation is running",
        "InvalidSpec": "the resource does not describe a route; the message says which field to "
        "correct",
        "NotPermitted": "a permission is missing: for a route one that a later step needs, so "
        "nothing was started; for a stack the permission to test its tokens; apply what `lokeys "
        "rbac` prints",
        "NotProved": "no request of the pods themselves shows yet that their key works; the "
        "message names the pods; to prove it without waiting for traffic, set `prove: Flush`",
        "NotReadable": "something on the route could not be read, so nothing is started or called "
        "proved; the message names it, and `lokeys rbac` prints the missing permissions",
        "NotTried": "the stack's credentials could not be tested completely: there was no answer, "
        "or something does not exist yet; the message says at which link",
        "PendingComponents": "pods of the stack are being created or replaced; the message says "
        "what it waits for",
        "PodsNotReady": "the key is right everywhere, but a pod is not ready (yet)",
        "Progressing": "nothing waits for a person",
        "ProvedByLoki": "since each pod started, its own storage requests have been answered and "
        "none was refused",
        "ProvedByStoreTest": "each pod started with a key pair that passed the store's test; some "
        "pods never write, so their own requests cannot show it",
        "ReadyComponents": "every pod of the stack is ready and runs the current template",
        "StepRefused": "the next step was refused permanently; the message says by whom and why",
        "TooLarge": "an object is too large to be checked, so it is not changed; the message "
        "gives the limit",
        "Verified": "the last test of the stack's credentials reached the bucket",
    }
)
