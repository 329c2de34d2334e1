# SPDX-License-Identifier: Apache-2.0
"""A small world of stand-ins for the tests here: a store, a vault, a cluster, controllers."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import httpx2

from lokeys.adapters.aws.sign import SignedCall, signed
from lokeys.clock import utc_now
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.external_secrets import EsoSettings, ExternalSecrets
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kubernetes import KubernetesApi
from lokeys.demo.parts.loki import LokiBehaviour
from lokeys.demo.parts.loki_store import StorageSettings
from lokeys.demo.parts.node import WorkloadSettings
from lokeys.demo.parts.object_store import ObjectStore
from lokeys.demo.parts.workloads import Workloads
from lokeys.http_server import HttpServer

Arguments = ParamSpec("Arguments")
NAMESPACE = "monitoring"
SECRET = "loki-s3-credentials"
PAUSE_S = 0.01


def on_loop(test: Callable[Arguments, Awaitable[None]]) -> Callable[Arguments, None]:
    """Run an async test, for at most half a minute."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(120):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


async def until(condition: Callable[[], Any], *, timeout_s: float = 30) -> None:
    """Wait until a condition holds that no event tells us of."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(PAUSE_S)


def named(kind: str, name: str, *, api: str = "v1", **more: Any) -> Json:
    """Return a manifest in our namespace."""
    meta = {"name": name, "namespace": NAMESPACE} | more.pop("metadata", {})
    return {"apiVersion": api, "kind": kind, "metadata": meta, **more}


def external_secret(name: str = SECRET, **spec: Any) -> Json:
    """Return the ExternalSecret of the story, with changes to its spec."""
    keys = {"AWS_ACCESS_KEY_ID": "access_key", "AWS_SECRET_ACCESS_KEY": "secret_key"}
    data = [
        {"secretKey": key, "remoteRef": {"key": "loki-s3", "property": label}}
        for key, label in keys.items()
    ]
    whole = {"refreshInterval": "1h", "secretStoreRef": {"name": "onepassword"}, "data": data}
    return named("ExternalSecret", name, api="external-secrets.io/v1", spec=whole | spec)


def secret_store(host: str) -> Json:
    """Return the SecretStore of the story."""
    token = {"name": "connect-token", "key": "token"}
    provider = {
        "connectHost": host,
        "vaults": {"homelab": 1},
        "auth": {"secretRef": {"connectTokenSecretRef": token}},
    }
    spec = {"provider": {"onepassword": provider}}
    return named("SecretStore", "onepassword", api="external-secrets.io/v1", spec=spec)


def stateful_set(*, replicas: int = 1, grace_s: int = 30, wal_on_volume: bool = True) -> Json:
    """Return the StatefulSet of the story."""
    env = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}}
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    mounts = [{"name": "storage", "mountPath": "/var/loki"}]
    containers = [
        {"name": "loki", "image": "grafana/loki:3.7.8", "env": env, "volumeMounts": mounts},
        {"name": "sidecar", "image": "kiwigrid/k8s-sidecar:1"},
    ]
    pod = {"containers": containers, "terminationGracePeriodSeconds": grace_s}
    spec: Json = {
        "replicas": replicas,
        "serviceName": "loki",
        "selector": {"matchLabels": {"app": "loki"}},
        "template": {"metadata": {"labels": {"app": "loki"}}, "spec": pod},
    }
    if wal_on_volume:
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "storage"}, "spec": {}}]
    else:
        pod["volumes"] = [{"name": "storage", "emptyDir": {}}]
    return named("StatefulSet", "loki", api="apps/v1", spec=spec)


def budget(**spec: Any) -> Json:
    """Return a disruption budget over Loki's pods."""
    whole = {"selector": {"matchLabels": {"app": "loki"}}} | spec
    return named("PodDisruptionBudget", "loki", api="policy/v1", spec=whole)


class World:
    """Everything that runs, and shortcuts to look at it."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.s3 = ObjectStore()
        self.connect = ConnectServer()
        self.s3_server = HttpServer(self.s3.handle)
        self.connect_server = HttpServer(self.connect.handle)
        self.api = KubernetesApi(bookmark_every_s=0.2)
        self.key_id, self.secret = self.s3.create_user("loki")
        self.vault = self.connect.add_vault("homelab")
        fields = [("access_key", self.key_id), ("secret_key", self.secret)]
        self.item = self.connect.add_item(self.vault, "loki-s3", fields)
        self.http = httpx2.AsyncClient(trust_env=False)

    async def start(self) -> None:
        for part in (self.s3_server, self.connect_server, self.api, self.http):
            await self.stack.enter_async_context(part)
        self.api.add(
            named("Secret", "connect-token", stringData={"token": self.connect.add_token()}),
            secret_store(self.connect_server.url),
        )
        await self.put_bucket()

    def allow(self, secret: str, url: str) -> None:
        """Let what a Secret holds go to one more address than its store's."""
        held = self.get("Secret", secret)
        allowed = {"metadata": {"annotations": {ALLOWED_URLS: url}}}
        self.api.store.merge(held, allowed, author=Author(manager="its-owner"))

    async def put_bucket(self) -> None:
        call = SignedCall(method="PUT", url=f"{self.s3_server.url}/loki")
        answer = await self.http.send(
            signed(call, pair(self.key_id, self.secret), region="us-east-1", now=utc_now())
        )
        assert answer.status_code == 200

    async def run_external_secrets(self, **settings: Any) -> ExternalSecrets:
        operator = ExternalSecrets(self.api.url, EsoSettings(**settings))
        return await self.stack.enter_async_context(operator)

    async def run_workloads(self, **settings: Any) -> Workloads:
        storage = StorageSettings(endpoint=self.s3_server.url, bucket="loki")
        quick = {"flush_every_s": 0.05, "min_ready_s": 0.05} | settings
        loki = LokiBehaviour(storage=storage, **quick)
        workloads = Workloads(self.api, folder=self.folder, settings=WorkloadSettings(loki=loki))
        return await self.stack.enter_async_context(workloads)

    def rotate(self) -> tuple[str, str]:
        """Replace the user's key at the store; nobody else hears of it."""
        self.s3.users["loki"].keys.clear()
        return self.s3.add_key("loki")

    def find(self, kind: str, name: str) -> Json | None:
        return self.api.store.find(kind, name, NAMESPACE)

    def get(self, kind: str, name: str) -> Json:
        return self.api.store.get(kind, name, NAMESPACE)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask the API server; return (status, document)."""
        answer = await self.http.request(
            method,
            f"{self.api.url}{path}",
            content=None if body is None else json.dumps(body),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        return answer.status_code, json.loads(answer.content)


def pair(key_id: str, secret: str) -> KeyPair:
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Start a store, a vault and an API server with the story's first objects."""
    async with AsyncExitStack() as stack:
        made = World(stack, folder)
        await made.start()
        yield made
