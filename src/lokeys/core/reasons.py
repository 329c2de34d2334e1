# SPDX-License-Identifier: Apache-2.0
"""What the reasons of a route's conditions mean, where they are no finding's cause."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "AllHopsAgree": "every hop that can be read holds the same pair",
        "HopsDisagree": "a hop holds another pair than the one before it, and no finding says why",
        "Idle": "no rotation is under way",
        "InvalidSpec": "the resource describes no route; the message says which field to correct",
        "NotPermitted": "a right is missing that a later step needs, so nothing was begun; apply "
        "what `lokeys rbac` prints",
        "NotProved": "no request of a pod's own shows yet that its key works; the message names "
        "the pods, and `prove: Flush` asks them not to wait for traffic",
        "NotReadable": "something on the route may not or cannot be read, so nothing is begun or "
        "called proved; the message names it, `lokeys rbac` prints the rights",
        "PodsNotReady": "the key is right everywhere, and a pod does not serve (yet)",
        "Progressing": "nothing waits for a person",
        "ProvedByLoki": "each pod's own storage requests are answered since it started, and none "
        "is refused",
        "ProvedByStoreTest": "each pod started with a pair that passed the store's test; some "
        "never write, so no request of their own can show it",
        "StepRefused": "the next step was refused for good; the message says by whom and why",
    }
)
