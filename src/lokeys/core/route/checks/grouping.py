# SPDX-License-Identifier: Apache-2.0
"""One finding for all pods of a workload that have one trouble: where it is, and which they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lokeys.core.place import Ref
from lokeys.core.route.snapshot import PodState

SHOWN = 5
"""Pods that a finding lists."""


def by_workload(pods: Iterable[PodState]) -> list[tuple[PodState, ...]]:
    """Return the pods of each workload, in the order in which they come."""
    groups: dict[Ref, list[PodState]] = {}
    for pod in pods:
        groups.setdefault(pod.workload, []).append(pod)
    return [tuple(group) for group in groups.values()]


def place_of(pods: Sequence[PodState]) -> Ref:
    """Return where a trouble of pods of one workload is: the pod, or of several their workload."""
    return pods[0].ref if len(pods) == 1 else pods[0].workload


def each_of(pods: Sequence[PodState], words: Sequence[str]) -> list[str]:
    """Return what is to be said of each pod, with its name where there are several."""
    if len(pods) == 1:
        return list(words)
    return listed([f"{pod.ref.name}: {said}" for pod, said in zip(pods, words, strict=True)])


def listed(lines: Sequence[str]) -> list[str]:
    """Return lines, one a pod, and how many are left out."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more pods"] if more > 0 else [])]
