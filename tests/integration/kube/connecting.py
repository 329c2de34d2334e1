# SPDX-License-Identifier: Apache-2.0
"""A client for the control plane under test."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lokeys.kube.calls import CallLimits
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import POD, Resource
from parts.kubernetes import Kubernetes


def connect(kubernetes: Kubernetes, *, kubeconfig: Path | str | None = None, **limits: Any) -> Api:
    """Return a client of the control plane, as its admin or as another kubeconfig says."""
    path = str(kubeconfig or kubernetes.kubeconfig)
    return Api(load(kubeconfig=path), limits=CallLimits(**limits))


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


async def until(true: Callable[[], object], *, timeout_s: float = 30) -> None:
    """Return when `true()` is; some things here happen in another process."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(0.02)


async def create_pod(api: Api, namespace: str, *, node: str | None = None) -> None:
    """Create the pod `p` with an account of its own: the default one comes some time later."""
    account = Resource("", "v1", "serviceaccounts", "ServiceAccount")
    await api.create(account, {"metadata": {"name": "p", "namespace": namespace}})
    spec: dict[str, Any] = {
        "serviceAccountName": "p",
        "containers": [{"name": "c", "image": "i"}],
    }
    metadata = {"name": "p", "namespace": namespace, "labels": {"app": "p"}}
    await api.create(
        POD, {"metadata": metadata, "spec": spec | ({"nodeName": node} if node else {})}
    )
