# SPDX-License-Identifier: Apache-2.0
"""A probe's Job in the cluster: created, awaited, read, and removed with its pods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lokeys.core.findings.link import Link
from lokeys.core.kubernetes.json_fields import at, mappings_at, text_at
from lokeys.core.route.probe_job import CONTAINER, LIVES_S
from lokeys.errors import LokeysError, NotFound, NotReadable, Waiting
from lokeys.kube.client import Api
from lokeys.kube.resources import JOB, POD
from lokeys.ports import Sleep

_PAUSE_S = 1.0
_MOST_LOG_BYTES = 256 << 10


async def ran(
    api: Api, job: Mapping[str, Any], *, sleep: Sleep = asyncio.sleep
) -> tuple[Link, ...]:
    """Run a Job to its end, remove it, and return the links that it reported."""
    name, namespace = text_at(job, "metadata", "name"), text_at(job, "metadata", "namespace")
    try:  # an interrupted request may have created it anyway
        await api.create(JOB, dict(job))
        pod = await _ended(api, name, namespace, sleep=sleep)
        text = await api.log(
            pod,
            namespace=namespace,
            container=CONTAINER,
            tail_lines=2000,
            limit_bytes=_MOST_LOG_BYTES,
        )
    finally:
        await _removed(api, name, namespace)
    return links_in(text)


async def _ended(api: Api, name: str, namespace: str, *, sleep: Sleep) -> str:
    """Return the Job's pod once it has ended. Raises Waiting, with what it waits for."""
    why = "no pod was made"
    for _ in range(LIVES_S):
        pods = (await api.list(POD, namespace=namespace, labels=f"lokeys.dev/probe={name}")).items
        for pod in pods:
            if text_at(pod, "status", "phase") in ("Succeeded", "Failed"):
                return text_at(pod, "metadata", "name")
            why = _waits_for(pod) or why
        await sleep(_PAUSE_S)
    raise Waiting(f"the probe's pod has not ended in {LIVES_S} s: {why}")


def _waits_for(pod: Mapping[str, Any]) -> str:
    statuses = mappings_at(pod, "status", "containerStatuses")
    reasons = (text_at(each, "state", "waiting", "reason") for each in statuses)
    return next((reason for reason in reasons if reason), text_at(pod, "status", "phase"))


async def _removed(api: Api, name: str, namespace: str) -> None:
    """Remove the Job and its pods: pods that are not removed with it keep running."""
    with suppress(NotFound):
        await api.delete(JOB, name, namespace=namespace)
    with suppress(LokeysError):
        pods = (await api.list(POD, namespace=namespace, labels=f"lokeys.dev/probe={name}")).items
        for pod in pods:
            with suppress(NotFound):
                await api.delete(POD, text_at(pod, "metadata", "name"), namespace=namespace)


def links_in(text: str) -> tuple[Link, ...]:
    """Return the links of a ProbeReport in a log. Raises NotReadable if there is none."""
    start = text.find("{")
    try:
        document = json.loads(text[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        document = None
    if at(document, "kind") != "ProbeReport":
        raise NotReadable("the pod has told no ProbeReport: is --image one of lokeys?")
    return tuple(_link(each) for each in mappings_at(document, "links"))


def _link(told: Mapping[str, Any]) -> Link:
    ok = told.get("ok")
    return Link(
        name=text_at(told, "name"),
        ok=ok if isinstance(ok, bool) else None,
        detail=text_at(told, "detail"),
        cause=text_at(told, "cause") or None,
    )
