# SPDX-License-Identifier: Apache-2.0
"""One homelab, whole.

Real Ceph RGW, Kubernetes, External Secrets and Loki; Rook and Connect as
stand-ins that live in a thread of their own; the command line and the operator as processes.
"""

import asyncio
import base64
import concurrent.futures
import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from e2e import reader
from lokeys.adapters.http import make_client
from lokeys.clock import utc_now
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.crds import rook_crds
from lokeys.demo.parts.rook import Rook
from lokeys.demo.parts.rook_rgw import RookRgw
from lokeys.http_server import Handler, HttpServer, Request, Response
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import PORT, Loki
from parts.process import PartError, wait_for
from parts.rgw import Rgw

Json = dict[str, Any]
Answer = TypeVar("Answer")
OnConnect = Callable[[Request, Handler], Awaitable[Response]]
"""Answers a request to Connect, as a rule by the handler that it is given."""

ITEM = "loki-s3-config"
SECRET = "loki-s3-credentials"
ROUTE = "loki"


class Loop:
    """An event loop in a thread, for parts that are written with async."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Answer], timeout_s: float = 60) -> Answer:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def start(self, coroutine: Coroutine[Any, Any, Answer]) -> concurrent.futures.Future[Answer]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Homelab:
    """The story's cluster. Namespaces and the RGW user carry the test's own name.

    Without a name they are called as in the guides.
    """

    kubernetes: Kubernetes
    external_secrets: ExternalSecrets
    rgw: Rgw
    kubelet: Kubelet
    loop: Loop
    name: str
    connect: ConnectServer = field(default_factory=ConnectServer)
    loki: Loki = field(init=False)
    on_connect: OnConnect | None = None
    secrets: set[str] = field(default_factory=set)
    """Every secret that this homelab has had: none of them may be seen anywhere."""

    def __post_init__(self) -> None:
        tail = f"-{self.name}" if self.name else ""
        self.storage = f"storage{tail}"
        self.monitoring = f"monitoring{tail}"
        self.user = f"loki{tail}"
        self.key_secrets: tuple[str, ...] = ()
        self.bucket = f"bucket{tail}"
        self.store = "objects"
        self.generated = f"rook-ceph-object-user-{self.store}-{self.user}"
        self.endpoint = f"http://{self.kubelet.relay(self.rgw.port)}"
        self.loki = Loki(
            namespace=self.monitoring,
            endpoint=self.endpoint.removeprefix("http://"),
            bucket=self.bucket,
            secret=SECRET,
        )
        self._stack = contextlib.ExitStack()

    # --- building it -----------------------------------------------------------------------------

    def build(
        self,
        *,
        loki: Loki | None = None,
        item: dict[str, str] | None = None,
        with_loki: bool = True,
        **delivery: Any,
    ) -> None:
        """Make everything up to a Loki that writes with the user's key.

        Without a Loki its place is taken by a small process that starts at once and never writes.
        `delivery` replaces parts of the ExternalSecret's spec.
        """
        self.loki = loki or self.loki
        self.kubernetes.apply(*rook_crds())
        for namespace in (self.storage, self.monitoring):
            self.apply("v1", "Namespace", namespace, None)
        self._serve_connect()
        self.start_rook()
        self._make_user()
        self._make_vault(item)
        self._make_delivery(delivery)
        self.kubelet.take(self.monitoring)
        self.kubernetes.apply(
            *(self.loki.objects() if with_loki else [reader.stateful_set(self.monitoring, SECRET)])
        )
        self.wait_ready()

    def _serve_connect(self) -> None:
        self._connect_server = HttpServer(self._answer_for_connect)
        self.start_connect()
        self._stack.callback(self.stop_connect)
        self.connect_url = self._connect_server.url

    async def _answer_for_connect(self, request: Request) -> Response:
        if self.on_connect is not None:
            return await self.on_connect(request, self.connect.handle)
        return await self.connect.handle(request)

    def start_connect(self) -> None:
        """Start Connect on the port that it always had."""
        self.loop.run(self._connect_server.start())

    def stop_connect(self) -> None:
        """Stop Connect: its port refuses connections, and whoever waits for an answer gets none."""
        self.loop.run(self._connect_server.stop())

    def start_rook(self) -> None:
        """Start Rook, as its restart would: each user is reconciled once."""
        self.rook = self.loop.run(self._start_rook())

    async def _start_rook(self) -> Rook:
        self._rook_api = Api(load(kubeconfig=str(self.kubernetes.kubeconfig)))
        admin = KeyPair(
            access_key_id=Sensitive(self.rgw.admin_access_key),
            secret_access_key=Sensitive(self.rgw.admin_secret_key),
        )
        self._rook_client = make_client()
        rgw = RookRgw(self.rgw.endpoint, admin, self._rook_client, utc_now)
        rook = Rook(self._rook_api, rgw)
        return await rook.__aenter__()

    def stop_rook(self) -> None:
        """Stop Rook."""
        self.loop.run(self._stop_rook())

    async def _stop_rook(self) -> None:
        await self.rook.__aexit__(None, None, None)
        await self._rook_api.__aexit__(None, None, None)
        await self._rook_client.aclose()

    def _make_user(self) -> None:
        spec = {"store": self.store, "displayName": "Loki"}
        allowed = {"lokeys.dev/allowed-namespaces": self.monitoring}
        self.apply("ceph.rook.io/v1", "CephCluster", "ceph", self.storage, spec={})
        self.apply("ceph.rook.io/v1", "CephObjectStore", self.store, self.storage, spec={})
        path = f"/apis/ceph.rook.io/v1/namespaces/{self.storage}/cephobjectstores/{self.store}"
        self.kubernetes.api.patch(f"{path}/status", {"status": {"phase": "Ready"}})
        self.apply(
            "ceph.rook.io/v1",
            "CephObjectStoreUser",
            self.user,
            self.storage,
            annotations=allowed,
            spec=spec,
        )
        wait_for(lambda: self.pair_in(self.generated, self.storage), "Rook's Secret", timeout_s=20)
        pair = self.source_pair()
        assert self.rgw.request(pair, "PUT", f"/{self.bucket}").is_success

    def _make_vault(self, item: dict[str, str] | None) -> None:
        key, secret = self.source_pair()
        fields = item or {"access_key": key, "secret_key": secret}
        self.vault_id = self.connect.add_vault("homelab")
        self.item_id = self.connect.add_item(
            self.vault_id, ITEM, [("note", "keep me"), *fields.items()]
        )
        self.token = self.connect.add_token()
        self.secrets.add(self.token)
        self.apply(
            "v1",
            "Secret",
            "onepassword-token",
            self.monitoring,
            data={"token": base64.b64encode(self.token.encode()).decode()},
        )

    def _make_delivery(self, changes: Json) -> None:
        reference = {"connectTokenSecretRef": {"name": "onepassword-token", "key": "token"}}
        provider = {
            "connectHost": self.connect_url,
            "vaults": {"homelab": 1},
            "auth": {"secretRef": reference},
        }
        self.apply(
            "external-secrets.io/v1",
            "SecretStore",
            "onepassword",
            self.monitoring,
            spec={"provider": {"onepassword": provider}},
        )
        self.apply_external_secret(**changes)
        wait_for(lambda: self.pair_in(SECRET) == self.source_pair(), "the delivery", timeout_s=30)

    def apply_external_secret(self, **changes: Any) -> None:
        """Apply the route's ExternalSecret; `changes` replace parts of its spec."""
        data = [
            {"secretKey": key, "remoteRef": {"key": ITEM, "property": label}}
            for key, label in (
                ("AWS_ACCESS_KEY_ID", "access_key"),
                ("AWS_SECRET_ACCESS_KEY", "secret_key"),
            )
        ]
        spec = {
            "refreshInterval": "1h",
            "secretStoreRef": {"name": "onepassword", "kind": "SecretStore"},
            "target": {"name": SECRET},
            "data": data,
        } | changes
        self.apply("external-secrets.io/v1", "ExternalSecret", SECRET, self.monitoring, spec=spec)

    def apply(
        self,
        version: str,
        kind: str,
        name: str,
        namespace: str | None,
        *,
        annotations: dict[str, str] | None = None,
        **body: Any,
    ) -> None:
        """Server-side apply one object."""
        metadata: Json = {"name": name}
        if namespace:
            metadata["namespace"] = namespace
        if annotations:
            metadata["annotations"] = annotations
        self.kubernetes.apply({"apiVersion": version, "kind": kind, "metadata": metadata, **body})

    def route(self, **changes: Any) -> Json:
        """Return the StorageCredential of this homelab; `changes` replace parts of its spec."""
        spec = {
            "mode": "Heal",
            "source": {"rook": {"user": self.user, "namespace": self.storage}},
            "vault": {
                "onePassword": {
                    "connect": {
                        "url": self.connect_url,
                        "tokenSecretRef": {"name": "onepassword-token", "key": "token"},
                    },
                    "vault": "homelab",
                    "item": ITEM,
                    "fields": {"accessKeyId": "access_key", "secretAccessKey": "secret_key"},
                }
            },
            "secret": {
                "name": SECRET,
                "keys": {
                    "accessKeyId": "AWS_ACCESS_KEY_ID",
                    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
                },
                "externalSecret": {"name": SECRET},
            },
            "bucket": {"name": self.bucket, "endpoint": self.endpoint, "pathStyle": True},
            "workloads": [{"kind": "StatefulSet", "name": "loki", "container": "loki"}],
            "prove": "Flush",
        } | changes
        return {
            "apiVersion": "lokeys.dev/v1alpha1",
            "kind": "StorageCredential",
            "metadata": {"name": ROUTE, "namespace": self.monitoring},
            "spec": spec,
        }

    def close(self) -> None:
        """Stop what this homelab alone runs, and remove what it made."""
        with contextlib.suppress(Exception):
            self.stop_rook()
        self._stack.close()
        self.kubernetes.api.delete(self._route_path)
        for namespace in (self.monitoring, self.storage):
            self.kubernetes.api.delete(f"/api/v1/namespaces/{namespace}")

    # --- looking ---------------------------------------------------------------------------------

    def source_pair(self) -> tuple[str, str]:
        """Return the pair in Rook's Secret."""
        found = self.pair_in(self.generated, self.storage)
        assert found is not None
        self.secrets.add(found[1])
        return found

    def pair_in(self, name: str, namespace: str | None = None) -> tuple[str, str] | None:
        """Return the pair in a Secret, whatever its data keys are called."""
        path = f"/api/v1/namespaces/{namespace or self.monitoring}/secrets/{name}"
        data = (self.kubernetes.api.find(path) or {}).get("data") or {}
        halves = [
            base64.b64decode(data[key]).decode()
            for names in (
                ("AccessKey", "AWS_ACCESS_KEY_ID"),
                ("SecretKey", "AWS_SECRET_ACCESS_KEY"),
            )
            for key in names
            if key in data
        ]
        return (halves[0], halves[1]) if len(halves) == 2 else None

    def vault_pair(self) -> tuple[str, str]:
        """Return the pair in the item."""
        values = self.connect.values(self.vault_id, self.item_id)
        return values.get("access_key", ""), values.get("secret_key", "")

    def pod(self, name: str = "loki-0") -> Json:
        """Return a pod, empty if there is none."""
        return self.kubernetes.api.find(f"/api/v1/namespaces/{self.monitoring}/pods/{name}") or {}

    def wait_ready(self, *, after: str = "", name: str = "loki-0", timeout_s: float = 60) -> None:
        """Wait until the pod is Ready, and not the one with uid `after`."""

        def ready() -> bool:
            pod = self.pod(name)
            conditions = pod.get("status", {}).get("conditions", [])
            good = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
            return good and pod["metadata"]["uid"] != after

        self._wait(ready, f"{name} is ready", timeout_s=timeout_s)

    def status(self) -> Json:
        """Return the resource's status."""
        status: Json = (self.kubernetes.api.find(self._route_path) or {}).get("status") or {}
        return status

    @property
    def _route_path(self) -> str:
        kind = "storagecredentials"
        return f"/apis/lokeys.dev/v1alpha1/namespaces/{self.monitoring}/{kind}/{ROUTE}"

    def look_now(self) -> None:
        """Ask the operator to look at the route now."""
        asked = {"lokeys.dev/reconcile": secrets.token_hex(4)}
        self.kubernetes.api.patch(self._route_path, {"metadata": {"annotations": asked}})

    def causes(self) -> set[str]:
        """Return the causes of all findings in the resource's status."""
        return {found.get("cause", "") for found in self.status().get("findings", ())}

    def wait_finding(self, cause: str, *, timeout_s: float = 40) -> None:
        """Wait until the resource's status names a cause."""
        self._wait(lambda: cause in self.causes(), f"{cause} is found", timeout_s=timeout_s)

    def condition(self, kind: str) -> Json:
        """Return one condition of the resource, empty if it is not there."""
        found = (c for c in self.status().get("conditions", ()) if c["type"] == kind)
        return next(found, {})

    def wait_condition(
        self, kind: str, status: str, *, reason: str | None = None, timeout_s: float = 60
    ) -> Json:
        """Wait for a condition."""

        def there() -> bool:
            found = self.condition(kind)
            fits = reason is None or found.get("reason") == reason
            return found.get("status") == status and fits

        self._wait(there, f"{kind} is {status} {reason or ''}", timeout_s=timeout_s)
        return self.condition(kind)

    def _wait(self, condition: Callable[[], object], what: str, *, timeout_s: float) -> None:
        """Wait; where it comes to nothing, show what the operator says of the route."""
        try:
            wait_for(condition, what, timeout_s=timeout_s)
        except PartError as error:
            said = json.dumps(self.status(), indent=1)
            raise AssertionError(f"{error}; the status is {said}") from error

    # --- Loki ------------------------------------------------------------------------------------

    def loki_url(self, name: str = "loki-0") -> str:
        """Return where the pod's Loki is."""
        return f"http://{self.pod(name)['status']['podIP']}:{PORT}"

    def push(self, *lines: str) -> None:
        """Push lines into Loki."""
        values = [[str(time.time_ns() + number), line] for number, line in enumerate(lines)]
        body = {"streams": [{"stream": {"app": "test"}, "values": values}]}
        url = f"{self.loki_url()}/loki/api/v1/push"
        httpx2.post(url, json=body, trust_env=False, timeout=10).raise_for_status()

    def lines(self) -> list[str]:
        """Return every line that Loki finds."""
        url = f"{self.loki_url()}/loki/api/v1/query_range"
        query: dict[str, Any] = {"query": '{app="test"}', "limit": 5000}
        answer = httpx2.get(url, params=query, trust_env=False, timeout=10)
        if not answer.is_success:
            return []
        found = answer.json()["data"]["result"]
        return sorted(line for stream in found for _, line in stream["values"])

    def metric(self, name: str, *words: str) -> float:
        """Return the sum of a metric's rows that hold all words."""
        text = httpx2.get(f"{self.loki_url()}/metrics", trust_env=False, timeout=10).text
        rows = [row for row in text.splitlines() if row.startswith(name)]
        return sum(float(row.split()[-1]) for row in rows if all(word in row for word in words))

    def requests(self, code: int) -> float:
        """Return how many storage requests of Loki were answered with `code`."""
        if self.loki.legacy_client:
            return self.metric("loki_s3_request_duration_seconds_count", f'status_code="{code}"')
        name = "loki_objstore_bucket_transport_requests_total"
        return self.metric(name, f'status_code="{code}"')

    def wait_written(self) -> None:
        """Wait until Loki has written something and nothing was refused since it started."""
        wait_for(lambda: self.requests(200) > 0, "Loki writes", timeout_s=60)

    def wait_refused(self) -> None:
        """Wait until Loki's requests are refused."""
        wait_for(lambda: self.requests(403) > 0, "Loki is refused", timeout_s=60)

    # --- what people do to it --------------------------------------------------------------------

    def replace_key_at_rgw(self) -> tuple[str, str]:
        """Replace the user's key behind Rook; return the new pair."""
        old = self.source_pair()
        key, secret = "N" + secrets.token_hex(9).upper() + "X", secrets.token_hex(20)
        self.add_key_at_rgw(key, secret)
        self.remove_key_at_rgw(old[0])
        return key, secret

    def add_key_at_rgw(self, key: str, secret: str) -> None:
        """Give the user one more key behind Rook."""
        self.secrets.add(secret)
        words = (f"--uid={self.user}", f"--access-key={key}", f"--secret-key={secret}")
        self.rgw.admin("key", "create", *words)

    def remove_key_at_rgw(self, key: str) -> None:
        """Take a key from the user behind Rook."""
        self.rgw.admin("key", "rm", f"--uid={self.user}", f"--access-key={key}")

    def touch_ceph_cluster(self) -> None:
        """Edit the CephCluster, which makes Rook reconcile every user."""
        spec = {"comment": secrets.token_hex(4)}
        self.apply("ceph.rook.io/v1", "CephCluster", "ceph", self.storage, spec=spec)

    def replace_key(self) -> tuple[str, str]:
        """Replace the user's key and let Rook notice; return the new pair."""
        pair = self.replace_key_at_rgw()
        self.touch_ceph_cluster()
        wait_for(lambda: self.source_pair() == pair, "Rook writes the new key", timeout_s=20)
        return pair

    # --- lokeys ----------------------------------------------------------------------------------

    def command(self, *words: str, kubeconfig: Path | None = None) -> list[str]:
        """Return a lokeys command line on this cluster."""
        config = kubeconfig or self.kubernetes.kubeconfig
        return [sys.executable, "-m", "lokeys", "--kubeconfig", str(config), *words]

    def lokeys(self, *words: str, stdin: str | None = None, timeout_s: float = 180) -> Said:
        """Run lokeys as the admin in the namespace of Loki."""
        done = subprocess.run(
            self.command("-n", self.monitoring, *words),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env=os.environ | {"NO_COLOR": "1"},
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def file(self, folder: Path, manifest: Json) -> Path:
        """Write a manifest to a file."""
        path = folder / "route.yaml"
        path.write_text(json.dumps(manifest))
        return path
