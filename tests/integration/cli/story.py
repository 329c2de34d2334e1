# SPDX-License-Identifier: Apache-2.0
"""The runbook's cluster, made of stand-ins, and `lokeys` as a process beside it."""

import asyncio
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from integration.demo.world import NAMESPACE, World, external_secret, named, stateful_set, until
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import Json

STORE_NAMESPACE = "storage"
ROOK_SECRET = "rook-ceph-object-user-storage-loki"
LOKEYS = str(Path(sys.executable).with_name("lokeys"))
RUN_TAKES_AT_MOST_S = 60


@dataclass(frozen=True)
class Ended:
    """How a run of lokeys ended."""

    code: int
    out: str
    err: str


class Story:
    """A Loki whose key comes from Rook through 1Password, and shortcuts to play with it."""

    def __init__(self, world: World, kubeconfig: Path) -> None:
        self.world = world
        self.kubeconfig = kubeconfig
        self.secrets = [world.secret]
        self._started: list[asyncio.subprocess.Process] = []

    async def lokeys(self, *args: str, stdin: str = "") -> Ended:
        """Run lokeys to its end; no secret may ever show."""
        process = await self.start(*args)
        async with asyncio.timeout(RUN_TAKES_AT_MOST_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        ended = Ended(process.returncode, out.decode(), err.decode())
        for secret in self.secrets:
            assert secret not in ended.out + ended.err, "a secret was printed"
        return ended

    async def start(self, *args: str) -> asyncio.subprocess.Process:
        """Start lokeys on this cluster."""
        environ = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "NO_COLOR": ""}
        process = await asyncio.create_subprocess_exec(
            LOKEYS,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
        )
        self._started.append(process)
        return process

    async def close(self) -> None:
        """End what a failed test has left running: its pipes would outlive their loop."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    def rotate(self) -> None:
        """Replace the user's key at the store and let Rook write it into its Secret."""
        key_id, secret = self.world.rotate()
        self.secrets.append(secret)
        held = self.world.api.store.get("Secret", ROOK_SECRET, STORE_NAMESPACE)
        changed = {**held, "data": rook_data(key_id, secret, self.world.s3_server.url)}
        self.world.api.store.replace(changed, author=Author(manager="rook"))

    async def outage(self) -> None:
        """Rotate, and wait until Loki's requests are refused."""
        self.rotate()
        before = len(self.world.s3.served)
        await self.push()
        await until(lambda: any(s.status == 403 for s in list(self.world.s3.served)[before:]))

    async def push(self) -> None:
        """Send Loki a line."""
        pod = self.world.get("Pod", "loki-0")
        url = f"http://{pod['status']['podIP']}:3100/loki/api/v1/push"
        now_ns = "1700000000000000000"
        body = {"streams": [{"stream": {"app": "test"}, "values": [[now_ns, "a line"]]}]}
        answer = await self.world.http.post(url, json=body)
        assert answer.status_code < 300, answer.text


def rook_data(key_id: str, secret: str, endpoint: str) -> Json:
    """Return the data of the Secret that Rook makes."""
    values = {"AccessKey": key_id, "SecretKey": secret, "Endpoint": endpoint}
    return {name: b64encode(value.encode()).decode() for name, value in values.items()}


def add_rook_user(world: World, **annotations: str) -> None:
    """Add a user that Rook has reconciled, and the Secret that Rook made for it."""
    metadata: Json = {"name": "loki", "namespace": STORE_NAMESPACE, "annotations": annotations}
    world.api.add(
        {
            "apiVersion": "ceph.rook.io/v1",
            "kind": "CephObjectStoreUser",
            "metadata": metadata,
            "spec": {"store": "storage", "displayName": "loki"},
        }
    )
    user = world.api.store.get("CephObjectStoreUser", "loki", STORE_NAMESPACE)
    owner = {
        "apiVersion": user["apiVersion"],
        "kind": user["kind"],
        "name": "loki",
        "uid": user["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": ROOK_SECRET, "namespace": STORE_NAMESPACE, "ownerReferences": [owner]}
    data = rook_data(world.key_id, world.secret, world.s3_server.url)
    world.api.add({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    world.api.store.set_status(user, {"phase": "Ready", "observedGeneration": 1})


def storage_credential(endpoint: str, connect: str, **spec: Any) -> Json:
    """Return the resource of the story."""
    whole = {
        "mode": "Heal",
        "source": {"rook": {"user": "loki", "namespace": STORE_NAMESPACE, "store": "storage"}},
        "vault": {
            "onePassword": {
                "connect": {"url": connect, "tokenSecretRef": {"name": "connect-token"}},
                "vault": "homelab",
                "item": "loki-s3",
            }
        },
        "secret": {
            "name": "loki-s3-credentials",
            "externalSecret": {"name": "loki-s3-credentials"},
        },
        "bucket": {"name": "loki", "endpoint": endpoint},
        "workloads": [{"kind": "StatefulSet", "name": "loki"}],
    }
    return named("StorageCredential", "loki", api="lokeys.dev/v1alpha1", spec=whole | spec)


def configured_loki(endpoint: str) -> tuple[Json, Json]:
    """Return Loki's StatefulSet and the ConfigMap with its configuration."""
    loki = stateful_set(grace_s=3)
    pod = loki["spec"]["template"]["spec"]
    pod["containers"][0]["volumeMounts"].append({"name": "config", "mountPath": "/etc/loki"})
    pod.setdefault("volumes", []).append({"name": "config", "configMap": {"name": "loki"}})
    s3 = {
        "endpoint": endpoint.removeprefix("http://"),
        "insecure": True,
        "bucketnames": "loki",
        "s3forcepathstyle": True,
        "access_key_id": "${AWS_ACCESS_KEY_ID}",
        "secret_access_key": "${AWS_SECRET_ACCESS_KEY}",
    }
    text = yaml.safe_dump({"common": {"storage": {"s3": s3}}})
    return loki, named("ConfigMap", "loki", data={"config.yaml": text})


@asynccontextmanager
async def story(folder: Path, *, resource: bool = True) -> AsyncIterator[Story]:
    """Start everything and wait until Loki is ready; `resource`: with a StorageCredential."""
    async with AsyncExitStack() as stack:
        world = World(stack, folder)
        await world.start()
        endpoint = world.s3_server.url
        add_rook_user(world)
        world.api.add(external_secret(), *configured_loki(endpoint))
        if resource:
            world.api.add(storage_credential(endpoint, world.connect_server.url))
        await world.run_external_secrets()
        await world.run_workloads()
        await until(lambda: is_ready(world.find("Pod", "loki-0")))
        kubeconfig = world.api.write_kubeconfig(folder / "kubeconfig", namespace=NAMESPACE)
        told = Story(world, kubeconfig)
        stack.push_async_callback(told.close)
        yield told


def is_ready(pod: Json | None) -> bool:
    """Tell whether the pod says that it is ready."""
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
