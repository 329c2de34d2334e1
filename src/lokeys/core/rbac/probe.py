# SPDX-License-Identifier: Apache-2.0
"""What `lokeys probe credential --in-pod` needs in one namespace."""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.rbac.grants import APPS, CORE, LOKEYS, Grant

_BATCH = "batch"
_TAKES = (
    (LOKEYS, "storagecredentials", ("get",), "which key and which store are to be tried"),
    (APPS, "statefulsets", ("get",), "whose pods the Job's pod is like"),
    (APPS, "deployments", ("get",), "whose pods the Job's pod is like"),
    (APPS, "daemonsets", ("get",), "whose pods the Job's pod is like"),
    (_BATCH, "jobs", ("create", "delete"), "makes the Job and removes it"),
    (CORE, "pods", ("list", "delete"), "waits until the Job's pod has ended and removes it"),
    (CORE, "pods/log", ("get",), "what the Job's pod found out"),
)
_NOTE = (
    "`get` on Secrets: the Job takes the key by name. Whoever may create Jobs can read every Secret"
    " of the namespace through one, so bind this to people who may"
)
PROBE_NOTES = (_NOTE,)
"""What a Role for it must say."""


def probe_grants(namespace: str) -> Iterator[Grant]:
    """Yield the permissions to test a key in a pod of one namespace."""
    for group, resource, verbs, why in _TAKES:
        yield Grant(namespace=namespace, group=group, resource=resource, verbs=verbs, why=why)
