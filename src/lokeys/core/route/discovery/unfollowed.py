# SPDX-License-Identifier: Apache-2.0
"""Why a running Loki has no route: where its pair is instead, or which identity it uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lokeys.core.kubernetes.loki.faults import OWN_STS_FROM
from lokeys.core.kubernetes.loki.model import (
    Backend,
    IdentityKind,
    InFile,
    Misconfiguration,
    PairPlace,
    RunningLoki,
)
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.text.words import printable

_LONGEST = 1024
"""Limit for a reason: paths, store names and role names are untrusted."""


def unfollowed(workloads: Sequence[LokiWorkload]) -> Iterator[str]:
    """Yield one sentence for all workloads of a namespace with the same reason.

    Components that use no storage have none.
    """
    said: dict[tuple[str | None, str], list[LokiWorkload]] = {}
    for workload in workloads:
        if workload.secret is None and workload.loki.uses_storage:
            said.setdefault((workload.ref.namespace, why(workload.loki)), []).append(workload)
    for (_, reason), group in said.items():
        yield f"{', '.join(str(each.ref) for each in group)}: {reason}"


def why(loki: RunningLoki) -> str:
    """Return why no route is followed, as the end of a sentence, safe to print."""
    return printable(_why(loki)[:_LONGEST])


def _why(loki: RunningLoki) -> str:
    if loki.storage.backend is Backend.DISK:
        return "writes to its own disk, and to no object store"
    if loki.storage.backend is not Backend.S3:
        return (
            f"writes to {loki.storage.backend} storage{_by(loki)}; lokeys follows keys of S3 here"
        )
    if loki.pair is not None:
        return _of_pair(loki.pair)
    if loki.identity is not None:
        return f"has no key pair, it is known{_by(loki)}{_what_the_endpoint_does(loki)}"
    missing = [
        name
        for fault in loki.faults
        if fault.kind is Misconfiguration.NOT_SET
        for name in fault.names
    ]
    if missing:
        return (
            f"has no key pair: its configuration names {', '.join(missing)}, which is not set there"
        )
    if loki.unseen:
        return f"its configuration cannot be seen: {loki.unseen}"
    return "has no key pair in its configuration or its variables, and no identity that can be seen"


def _of_pair(pair: PairPlace) -> str:
    if pair.in_url:
        return f"its key pair is part of an address in {pair}"
    if isinstance(pair.key_id, InFile):
        return f"its key pair stands in {pair}{', in clear' if pair.in_clear else ''}"
    return f"its key pair comes from {pair}; lokeys follows one that a single Secret holds"


def _by(loki: RunningLoki) -> str:
    if loki.identity is None:
        return ""
    return f" as {loki.identity}, by {loki.identity.said_by}"


def _what_the_endpoint_does(loki: RunningLoki) -> str:
    """Say how an explicit endpoint affects a role from STS."""
    by_role = loki.identity is not None and loki.identity.kind is IdentityKind.IRSA
    if not (by_role and loki.storage.told_endpoint) or loki.storage.newer_client:
        return ""
    first = ".".join(map(str, OWN_STS_FROM))
    if loki.version is None:
        return f"; a Loki before {first} sends the token exchange to the endpoint that is set"
    if loki.version < OWN_STS_FROM:
        version = ".".join(map(str, loki.version))
        return f"; Loki {version} sends the token exchange to the endpoint that is set, not to STS"
    return "; the endpoint that is set is for S3 alone, and the token exchange goes to STS"
