# SPDX-License-Identifier: Apache-2.0
"""The demo's homelab: every part between Ceph and Loki, over real HTTP on loopback.

    async with Homelab(folder) as home: ...     a Loki that writes with the user's key

What is asked here of a part goes over HTTP wherever a person would ask it so; what a part has kept
in its memory (which key signed an object) is the proof that nobody can talk away.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import string
from base64 import b64decode
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx2

from lokeys.adapters.aws.sign import SignedCall, signed
from lokeys.adapters.http import make_client
from lokeys.adapters.kubernetes.fingerprints import SECRET_NAME, SYSTEM_NAMESPACE
from lokeys.clock import utc_now
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo import manifests
from lokeys.demo.manifests import LOKI, MONITORING, POD, ROUTE, STORAGE, USER, Places
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.external_secrets import ExternalSecrets
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_views import condition
from lokeys.demo.parts.kubernetes import KubernetesApi
from lokeys.demo.parts.loki import LokiBehaviour
from lokeys.demo.parts.loki_store import StorageSettings
from lokeys.demo.parts.node import WorkloadSettings
from lokeys.demo.parts.object_store import ObjectStore
from lokeys.demo.parts.rook import Rook
from lokeys.demo.parts.rook_rgw import RookRgw
from lokeys.demo.parts.store_accounts import StoredObject
from lokeys.demo.parts.workloads import Workloads
from lokeys.http_server import HttpServer
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load

CHUNKS = "fake/"
NOTE = "keep me"
_LOOK_AGAIN_S = 0.05
_ROOK_KEYS = ("AccessKey", "SecretKey")


class Homelab:
    """The parts, what people do to them, and what they show. All files are below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.api = KubernetesApi()
        self._secrets: list[Sensitive] = []
        self._folder = folder
        self._store = ObjectStore()
        self._connect = ConnectServer()
        self._store_server = HttpServer(self._store.handle)
        self._connect_server = HttpServer(self._connect.handle)
        self._http = httpx2.AsyncClient(timeout=5, trust_env=False)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for part in (self._store_server, self._connect_server, self.api, self._http):
                await stack.enter_async_context(part)
            self._places = Places(
                store=self._store_server.url,
                connect=self._connect_server.url,
                loki_port=_free_port(),
            )
            self.api.write_kubeconfig(self.kubeconfig, namespace=MONITORING)
            await self._run_rook(stack)
            await self._make_bucket()
            await self._deliver(stack)
            await self._run_loki(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    # --- setting it up, as a person once did ----------------------------------------------------

    async def _run_rook(self, stack: AsyncExitStack) -> None:
        key_id, secret = self._store.create_user("rook", caps={"users": "*"})
        self._secrets.append(Sensitive(secret))
        client = await stack.enter_async_context(make_client())
        api = await stack.enter_async_context(Api(load(kubeconfig=str(self.kubeconfig))))
        self._rgw = RookRgw(self._places.store, _pair(key_id, secret), client, utc_now)
        self.api.add(*manifests.rook_objects(), manifests.admin_secret(key_id, secret))
        store = self.api.store.get("CephObjectStore", manifests.STORE, STORAGE)
        status = {"phase": "Ready", "info": {"endpoint": self._places.store}}
        self.api.store.set_status(store, status, manager="rook")
        await stack.enter_async_context(Rook(api, self._rgw))
        await self.until(lambda: self.source_pair is not None)

    async def _make_bucket(self) -> None:
        call = SignedCall(method="PUT", url=f"{self._places.store}/{manifests.BUCKET}")
        request = signed(call, self.key, region="us-east-1", now=utc_now())
        (await self._http.send(request)).raise_for_status()

    async def _deliver(self, stack: AsyncExitStack) -> None:
        key = self.key
        self._secrets.append(key.secret_access_key)
        self._vault_id = self._connect.add_vault(manifests.VAULT)
        fields = [
            ("access_key", key.access_key_id.reveal_text()),
            ("secret_key", key.secret_access_key.reveal_text()),
            ("note", NOTE),
        ]
        self._item_id = self._connect.add_item(self._vault_id, manifests.ITEM, fields)
        token = self._connect.add_token()
        self._secrets.append(Sensitive(token))
        self.api.add(*manifests.delivery(self._places, token=token))
        await stack.enter_async_context(ExternalSecrets(self.api.url))
        await self.until(lambda: self.delivered_pair is not None)

    async def _run_loki(self, stack: AsyncExitStack) -> None:
        storage = StorageSettings(endpoint=self._places.store, bucket=manifests.BUCKET)
        loki = LokiBehaviour(storage=storage, min_ready_s=0.5)
        settings = WorkloadSettings(loki=loki, port=self._places.loki_port)
        self.api.add(manifests.loki(self._places))
        self._workloads = Workloads(self.api, folder=self._folder, settings=settings)
        await stack.enter_async_context(self._workloads)
        await self.until(lambda: self.containers_ready == "2/2")

    # --- what people do -------------------------------------------------------------------------

    def describe_route(self) -> None:
        """Apply the StorageCredential, in mode Observe, and make the operator's namespace."""
        system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
        self.api.add(system, manifests.route(self._places))

    def set_mode(self, mode: str) -> None:
        """Change what lokeys may do."""
        route = self.api.store.get("StorageCredential", ROUTE, MONITORING)
        self.api.store.merge(route, {"spec": {"mode": mode}}, author=Author(manager="kubectl"))

    def allow_bridge(self, longest: str) -> None:
        """Let the owner of the user allow that a replaced key is valid again for a while."""
        user = self.api.store.get("CephObjectStoreUser", USER, STORAGE)
        change = {"metadata": {"annotations": {"lokeys.dev/allowed-bridge": longest}}}
        self.api.store.merge(user, change, author=Author(manager="kubectl"))

    async def replace_key(self) -> None:
        """Replace the user's key at RGW, through its admin API; nothing else is notified."""
        old = await self._rgw.keys(USER) or {}
        key_id = "".join(secrets.choice(string.ascii_uppercase) for _ in range(20))
        secret = "".join(secrets.choice(string.ascii_letters) for _ in range(40))
        self._secrets.append(Sensitive(secret))
        await self._rgw.add_key(USER, key_id, secret)
        for gone in old:
            await self._rgw.remove_key(USER, gone)

    def edit_ceph_cluster(self) -> None:
        """Edit the CephCluster, which makes Rook look at every user."""
        cluster = self.api.store.get("CephCluster", "ceph", STORAGE)
        change = {"spec": {"mon": {"count": secrets.randbelow(1000)}}}
        self.api.store.merge(cluster, change, author=Author(manager="kubectl"))

    # --- what the hops hold ---------------------------------------------------------------------

    @property
    def key(self) -> KeyPair:
        """Return the one live key of the user, from RGW itself."""
        ((key_id, secret),) = self._store.users[USER].keys.items()
        return _pair(key_id, secret)

    @property
    def secrets(self) -> list[Sensitive]:
        """Return every secret that was ever in use here, for whoever must not show one."""
        kept = self.api.store.find("Secret", SECRET_NAME, SYSTEM_NAMESPACE)
        return [*self._secrets, *([Sensitive(b64decode(kept["data"]["key"]))] if kept else [])]

    @property
    def source_pair(self) -> KeyPair | None:
        """Return the pair in Rook's Secret; of a user with `spec.keys`, the first that it names."""
        user = self.api.store.find("CephObjectStoreUser", USER, STORAGE) or {}
        for entry in user.get("spec", {}).get("keys") or ():
            names = (entry["accessKeyRef"]["key"], entry["secretKeyRef"]["key"])
            return self._pair_in(entry["accessKeyRef"]["name"], STORAGE, names)
        return self._pair_in(manifests.GENERATED, STORAGE, _ROOK_KEYS)

    @property
    def live_keys(self) -> int:
        """Return how many keys the user has now."""
        return len(self._store.users[USER].keys)

    def has_written(self, key: KeyPair, *, since: datetime) -> bool:
        """Tell whether Loki has written a chunk with this key since then."""
        signer = key.access_key_id.reveal_text()
        found = self._store.buckets[manifests.BUCKET].objects
        return any(
            name.startswith(CHUNKS) and each.signer == signer and each.modified_at > since
            for name, each in found.items()
        )

    @property
    def vault_pair(self) -> KeyPair:
        """Return the pair in the 1Password item."""
        values = self._connect.values(self._vault_id, self._item_id)
        return _pair(values["access_key"], values["secret_key"])

    @property
    def delivered_pair(self) -> KeyPair | None:
        """Return the pair in the Secret that Loki reads at its start."""
        key_id, secret = manifests.LABELS_OF_KEYS
        return self._pair_in(manifests.SECRET, MONITORING, (key_id, secret))

    @property
    def running_pair(self) -> KeyPair | None:
        """Return the pair that Loki was started with, None while it does not run."""
        try:
            return self._workloads.loki(MONITORING, POD).pair
        except KeyError:
            return None

    @property
    def note(self) -> str:
        """Return a field of the item that is nobody's business."""
        return self._connect.values(self._vault_id, self._item_id)["note"]

    @property
    def newest_chunk(self) -> StoredObject | None:
        """Return what Loki last wrote, as the store keeps it."""
        found = self._store.buckets[manifests.BUCKET].objects
        chunks = (each for name, each in found.items() if name.startswith(CHUNKS))
        return max(chunks, key=lambda each: each.modified_at, default=None)

    def _pair_in(self, name: str, namespace: str, keys: tuple[str, str]) -> KeyPair | None:
        data = (self.api.store.find("Secret", name, namespace) or {}).get("data") or {}
        if not all(data.get(key) for key in keys):
            return None
        key_id, secret = (b64decode(data[key]).decode() for key in keys)
        return _pair(key_id, secret)

    # --- what is seen of the cluster and of Loki ------------------------------------------------

    @property
    def pod(self) -> Json:
        """Return Loki's pod, empty while there is none."""
        return self.api.store.find("Pod", POD, MONITORING) or {}

    @property
    def containers_ready(self) -> str:
        """Return the READY column of `kubectl get pods`."""
        found = self.pod.get("status", {}).get("containerStatuses", [])
        wanted = self.pod.get("spec", {}).get("containers", [])
        return f"{sum(each['ready'] for each in found)}/{len(wanted)}"

    def route_condition(self, kind: str) -> Json:
        """Return one condition of the StorageCredential, empty if it is not there yet."""
        route = self.api.store.find("StorageCredential", ROUTE, MONITORING)
        return condition(route or {}, kind)

    @property
    def loki_url(self) -> str | None:
        """Return where Loki listens, as a Service would know it."""
        address = self.pod.get("status", {}).get("podIP")
        return f"http://{address}:{self._places.loki_port}" if address else None

    async def ask_loki(self, path: str) -> httpx2.Response:
        """Ask Loki something."""
        return await self._http.get(f"{self.loki_url}{path}")

    async def lines(self) -> set[str]:
        """Return every line that Loki finds, none where it cannot read its store."""
        answer = await self.ask_loki("/loki/api/v1/query_range")
        if not answer.is_success:
            return set()
        found = json.loads(answer.content)["data"]["result"]
        return {line for stream in found for _, line in stream["values"]}

    async def refusals(self) -> int:
        """Return how many of Loki's storage requests were answered with 403 since its start."""
        rows = (await self.ask_loki("/metrics")).text.splitlines()
        counted = [row for row in rows if row.startswith("loki_objstore_bucket_transport")]
        return sum(int(float(row.split()[-1])) for row in counted if 'status_code="403"' in row)

    async def complaint(self) -> str:
        """Return Loki's last failed flush, as `kubectl logs` shows it; empty if there is none."""
        path = f"/api/v1/namespaces/{MONITORING}/pods/{POD}/log?container={LOKI}&tailLines=50"
        log = (await self._http.get(f"{self.api.url}{path}")).text
        return next((row for row in reversed(log.splitlines()) if "failed to flush" in row), "")

    async def until(self, condition: Callable[[], Any], *, timeout_s: float = 30) -> None:
        """Wait until a condition holds; TimeoutError otherwise."""
        async with asyncio.timeout(timeout_s):
            with self.api.store.waker() as woken:
                while not condition():
                    woken.clear()
                    with suppress(TimeoutError):  # not all of it is the API server's to tell
                        async with asyncio.timeout(_LOOK_AGAIN_S):
                            await woken.wait()


def _pair(key_id: str, secret: str) -> KeyPair:
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


def _free_port() -> int:
    """Return a port for Loki's pods that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
