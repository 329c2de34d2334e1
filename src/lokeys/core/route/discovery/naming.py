# SPDX-License-Identifier: Apache-2.0
"""The names of the routes of a namespace: short and unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lokeys.core.route.discovery.model import LokiWorkload

_LONGEST = 63
_TAKEN = frozenset({"operator"})
"""The Lease of that name is the operator's own."""

Groups = Mapping[str, Sequence[LokiWorkload]]
"""The workloads of a namespace by the Secret with their key pair."""


def groups_of(workloads: Sequence[LokiWorkload]) -> dict[str, list[LokiWorkload]]:
    """Return the workloads of one namespace by their Secret."""
    groups: dict[str, list[LokiWorkload]] = {}
    for workload in workloads:
        if workload.secret is not None:
            groups.setdefault(workload.secret.name, []).append(workload)
    return groups


def names_of(groups: Groups) -> dict[str, str]:
    """Return each route's name by its Secret.

    A name depends only on what runs in the namespace, so that all commands use the same one. If two
    Lokis would share a name, each route is named after its Secret.
    """
    usual = {secret: _usual(workloads[0]) for secret, workloads in groups.items()}
    shared = Counter(usual.values())
    names: dict[str, str] = {}
    for secret in sorted(groups, key=lambda each: (shared[usual[each]] > 1, each)):
        name = usual[secret] if shared[usual[secret]] == 1 else secret[:_LONGEST].rstrip("-.")
        names[secret] = _free(name, frozenset(names.values()) | _TAKEN)
    return names


def _usual(workload: LokiWorkload) -> str:
    """Return `loki` for loki-write and loki-read, and a stack's name for its components."""
    if workload.stack:
        return workload.stack[:_LONGEST].rstrip("-.")
    name = workload.ref.name
    return "loki" if name.startswith("loki") else name[:_LONGEST].rstrip("-.")


def _free(name: str, taken: frozenset[str]) -> str:
    """Return the name, or one with a number if it is taken."""
    count = 1
    found = name
    while found in taken:
        count += 1
        found = f"{name[: _LONGEST - 5]}-{count}"
    return found
