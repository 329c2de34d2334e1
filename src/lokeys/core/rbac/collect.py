# SPDX-License-Identifier: Apache-2.0
"""What `lokeys collect` may read: one namespace or all. Nothing that changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lokeys.core.rbac.grants import (
    APPS,
    CORE,
    ESO,
    FLUX,
    LOKEYS,
    ONE_PASSWORD,
    POLICY,
    ROOK,
    Grant,
)

_READS = (
    (APPS, "statefulsets", ("get", "list"), "finds what runs Loki, and how it is configured"),
    (APPS, "deployments", ("get", "list"), "finds what runs Loki, and how it is configured"),
    (APPS, "daemonsets", ("get", "list"), "finds what runs Loki, and how it is configured"),
    (APPS, "replicasets", ("list",), "which pods are of a Deployment's present template"),
    (CORE, "pods", ("get", "list"), "when each pod began, and whether it is ready"),
    (CORE, "pods/log", ("get",), "what Loki says of its storage"),
    (CORE, "configmaps", ("get",), "Loki's configuration"),
    (CORE, "serviceaccounts", ("get",), "a cloud's role or account, by its annotations"),
    (CORE, "persistentvolumeclaims", ("get",), "whether a restart loses what is not flushed"),
    (CORE, "events", ("list",), "why a refresh, a probe or a reconcile failed"),
    (POLICY, "poddisruptionbudgets", ("list",), "whether a pod may be replaced"),
    (ESO, "externalsecrets", ("get", "list"), "what delivers the Secret"),
    (ESO, "secretstores", ("get", "list"), "where it is delivered from"),
    (FLUX, "helmreleases", ("get", "list"), "what renders Loki's configuration"),
    (ONE_PASSWORD, "onepassworditems", ("get",), "what makes the Secret"),
)
_OF_THE_CLUSTER = (
    (LOKEYS, "storagecredentials", ("list",), "finds the routes, and who else claims the same"),
    (ESO, "externalsecrets", ("list",), "one whose interval does not parse stops all of them"),
    (ESO, "clustersecretstores", ("get", "list"), "an ExternalSecret may read through one"),
    (ROOK, "cephobjectstoreusers", ("get", "list"), "whose key it may be"),
    (ROOK, "cephobjectstores", ("get",), "which addresses the store itself names"),
)
NOT_GRANTED = (
    "`create` on pods/portforward: from outside the cluster, Loki's counters are then not read",
    "Secrets of other namespaces, such as Rook's: grant `get` on them by name",
)
"""What is missing in a bundle without a permission."""


def collect_grants(namespace: str | None, secrets: Sequence[str] = ()) -> tuple[Grant, ...]:
    """Return the permissions to collect a namespace, None: all; `secrets` limits the Secrets."""
    why = "compares keys; a bundle holds tokens in their place"
    read = Grant(
        namespace=namespace,
        group=CORE,
        resource="secrets",
        verbs=("get",),
        why=why,
        names=tuple(secrets),
    )
    return (read, *_granted(namespace), *_of_the_cluster())


def _granted(namespace: str | None) -> Iterator[Grant]:
    for group, resource, verbs, why in _READS:
        yield Grant(namespace=namespace, group=group, resource=resource, verbs=verbs, why=why)


def _of_the_cluster() -> Iterator[Grant]:
    for group, resource, verbs, why in _OF_THE_CLUSTER:
        yield Grant(namespace=None, group=group, resource=resource, verbs=verbs, why=why)
