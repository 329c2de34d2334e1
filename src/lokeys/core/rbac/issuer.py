# SPDX-License-Identifier: Apache-2.0
"""The additional permissions of a route that may add keys to its source's user, with reasons."""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.kubernetes.rook import slot_names
from lokeys.core.rbac.grants import APPS, BATCH, CORE, ESO, ROOK, Grant, read_secret
from lokeys.core.route.model import RgwSource, RookSource, Source


def issuer_grants(source: Source, *, retires_only: bool = False) -> Iterator[Grant]:
    """Yield what is needed to give the source's user a key, and to remove one.

    `retires_only`: no key is added any more.
    """
    match source:
        case RookSource():
            yield from _rook(source)
            if not retires_only:
                yield from _rook_gives(source)
        case RgwSource():
            yield Grant(
                namespace=None,
                group=ROOK,
                resource="cephobjectstoreusers",
                verbs=("list",),
                why="whether Rook manages the user, in whatever namespace: then its keys are left "
                "alone. RGW's own right is the admin user's capability `users=*`",
            )


def _rook(source: RookSource) -> Iterator[Grant]:
    there, slots = source.namespace, slot_names(source.user)
    yield Grant(
        namespace=there,
        group=ROOK,
        resource="cephobjectstoreusers",
        verbs=("patch",),
        names=(source.user,),
        why="declares in `spec.keys` which keys the user has, in edits of one thing each",
    )
    for name in slots:
        yield read_secret(there, name, "a key of the user that lokeys has declared")
    yield Grant(
        namespace=there,
        group=CORE,
        resource="secrets",
        verbs=("delete",),
        names=slots,
        why="deletes that of a key that has retired",
    )


def _rook_gives(source: RookSource) -> Iterator[Grant]:
    there, slots = source.namespace, slot_names(source.user)
    yield Grant(
        namespace=there,
        group=CORE,
        resource="secrets",
        verbs=("patch",),
        names=slots,
        why="fills one that `spec.keys` does not name",
    )
    yield Grant(
        namespace=there,
        group=CORE,
        resource="secrets",
        verbs=("create",),
        why="makes those two Secrets; RBAC cannot limit a create to a name, so this is any "
        "Secret's, but only where none of that name is yet",
    )
    for group, resource in _READERS:
        yield Grant(
            namespace=there,
            group=group,
            resource=resource,
            verbs=("list",),
            why="who reads the Secret that Rook generates: the first edit of `spec.keys` blanks it",
        )


_READERS = (
    (CORE, "pods"),
    (APPS, "statefulsets"),
    (APPS, "deployments"),
    (APPS, "daemonsets"),
    (BATCH, "cronjobs"),
    (ESO, "pushsecrets"),
)
"""Kinds of the user's namespace; ExternalSecrets and StorageCredentials are listed everywhere."""
