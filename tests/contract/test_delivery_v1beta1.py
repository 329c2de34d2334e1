# SPDX-License-Identifier: Apache-2.0
"""The delivery port on a real API server that serves External Secrets' kinds as v1beta1 only."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from contract.clusters import RealPlace, home
from lokeys.adapters.kubernetes.external_secrets import FORCE_SYNC, ExternalSecretPort
from lokeys.core.route.model import ExternalSecretRef
from lokeys.kube.resources import EXTERNAL_SECRET_V1BETA1, SECRET_STORE_V1BETA1, Resource
from parts.kubernetes import Kubernetes

GROUP, VERSION, NAME = "external-secrets.io", "v1beta1", "loki-s3-credentials"
KINDS = {
    "ExternalSecret": "Namespaced",
    "SecretStore": "Namespaced",
    "ClusterSecretStore": "Cluster",
}
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind: str, scope: str) -> dict[str, Any]:
    """Return a CRD that serves a kind in the old version alone."""
    plural = f"{kind.lower()}s"
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": ANYTHING},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": [version]},
    }


@pytest.fixture(scope="module")
def old_cluster() -> Iterator[Kubernetes]:
    """Run a control plane of our own: the others' serves both versions."""
    made = Kubernetes()
    try:
        made.start()
        made.apply(*(definition(kind, scope) for kind, scope in KINDS.items()))
        made.wait_served(*(f"{kind.lower()}s.{GROUP}" for kind in KINDS))
        yield made
    finally:
        made.stop()


def test_the_old_version_is_read_forced_and_its_store_touched(old_cluster: Kubernetes) -> None:
    """What v1 would say is read of v1beta1, and both marks arrive on its objects."""

    async def play() -> None:
        async with home(RealPlace(old_cluster)) as lab:
            connect = {"onepassword": {"connectHost": "http://connect", "vaults": {"homelab": 1}}}
            store = {"name": "onepassword", "kind": "SecretStore"}
            await lab.create(SECRET_STORE_V1BETA1, "onepassword", spec={"provider": connect})
            for name, interval in ((NAME, "90m"), ("another", "1d")):
                target = {"refreshInterval": interval, "target": {"name": name}}
                spec = {"secretStoreRef": store, **target}
                await lab.create(EXTERNAL_SECRET_V1BETA1, name, spec=spec)
            unready = [{"type": "Ready", "status": "False", "reason": "InvalidProviderConfig"}]
            for resource, name in (
                (SECRET_STORE_V1BETA1, "onepassword"),
                (EXTERNAL_SECRET_V1BETA1, NAME),
            ):
                await lab.api.merge_patch(
                    resource,
                    name,
                    {"status": {"conditions": unready}},
                    namespace=lab.namespace,
                    subresource="status",
                )
            port = ExternalSecretPort(
                lab.cluster, ExternalSecretRef(name=NAME), namespace=lab.namespace
            )
            reading = await port.read()
            state = reading.state
            assert state is not None
            assert not reading.gaps
            assert (state.target, state.ready) == (NAME, False)
            assert state.refresh_interval == timedelta(minutes=90)
            assert [ref.name for ref in state.stopped_by] == ["another"]
            assert state.store is not None
            assert (state.store.ready, state.store.connect_host) == (False, "http://connect")

            async def marked(resource: Resource, name: str) -> bool:
                found = await lab.get(resource, name) or {}
                return FORCE_SYNC in found["metadata"].get("annotations", {})

            assert not await marked(EXTERNAL_SECRET_V1BETA1, NAME)
            await port.force_sync()
            assert await marked(EXTERNAL_SECRET_V1BETA1, NAME)
            assert not await marked(SECRET_STORE_V1BETA1, "onepassword")
            await port.revalidate_store()
            assert await marked(SECRET_STORE_V1BETA1, "onepassword")

    asyncio.run(play())
