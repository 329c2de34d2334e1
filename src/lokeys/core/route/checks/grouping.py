# SPDX-License-Identifier: Apache-2.0
"""One finding for all pods of a workload with the same problem: where it is, and which pods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lokeys.core.place import Ref
from lokeys.core.route.snapshot import PodState

SHOWN = 5
"""Pods that a finding lists."""


def by_workload(pods: Iterable[PodState]) -> list[tuple[PodState, ...]]:
    """Return the pods of each workload, in their order."""
    groups: dict[Ref, list[PodState]] = {}
    for pod in pods:
        groups.setdefault(pod.workload, []).append(pod)
    return [tuple(group) for group in groups.values()]


def place_of(pods: Sequence[PodState]) -> Ref:
    """Return where a problem is: the only pod that has it, or the workload of several."""
    return pods[0].ref if len(pods) == 1 else pods[0].workload


def each_of(pods: Sequence[PodState], words: Sequence[str]) -> list[str]:
    """Return the text about each pod, with its name if there are several."""
    if len(pods) == 1:
        return list(words)
    return listed([f"{pod.ref.name}: {said}" for pod, said in zip(pods, words, strict=True)])


def listed(lines: Sequence[str]) -> list[str]:
    """Return lines, one per pod, and how many are left out."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more pods"] if more > 0 else [])]
