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
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from e2e import reader
from e2e.sight import ROUTE, SECRET, Json, Pair, Sight
from lokeys.adapters.http import make_client
from lokeys.clock import utc_now
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.crds import rook_crds
from lokeys.demo.parts.rook import Rook
from lokeys.demo.parts.rook_rgw import RookRgw
from lokeys.http_server import Handler, HttpRequest, HttpServer, Response
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.external_secrets import ExternalSecrets
from parts.hidden import Hidden
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import Loki
from parts.process import PartError, wait_for
from parts.rgw import Rgw

Answer = TypeVar("Answer")
OnConnect = Callable[[HttpRequest, Handler], Awaitable[Response]]
"""Answers a request to Connect, as a rule by the handler that it is given."""

ITEM = "loki-s3-config"

_one_store_at_a_time = threading.Lock()
"""External Secrets has one 1Password client for all stores: where it looks at a store while it
reads an item for another one, it delivers what is in the wrong vault."""


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
class Homelab(Sight):
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
    labels: tuple[str, str] = ("access_key", "secret_key")
    """What the item's fields are called."""
    bridge: str | None = None
    """For how long the source's owner lets a replaced key be valid again."""
    by: str = ""
    """Another address of the store, by which lokeys reaches it."""
    has_rook: bool = True
    """Whether Rook runs here; one looks after the users of all homelabs."""
    secrets: set[str] = field(default_factory=set, repr=False)
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
        idle: bool = False,
        flush: str = "",
        files: bool = False,
        **delivery: Any,
    ) -> None:
        """Make everything up to a Loki that writes with the user's key.

        Without a Loki its place is taken by a small process that starts at once and only reads; an
        `idle` one asks the storage once and no more, one with `flush` writes when it is told to,
        and the first time the word is `lost` or stays `unanswered`. With `files` it finds its pair
        in files, not in variables.
        `delivery` replaces parts of the ExternalSecret's spec.
        """
        self.loki = loki or self.loki
        self.only_reads = not with_loki
        self.kubernetes.apply(*rook_crds())
        for namespace in (self.storage, self.monitoring):
            self.apply("v1", "Namespace", namespace, None)
        self._serve_connect()
        if self.has_rook:
            self.start_rook()
        self._make_user()
        self._make_vault(item)
        with _one_store_at_a_time:
            self._make_delivery(delivery)
        self.kubelet.take(self.monitoring)
        url = f"{self.endpoint}/{self.bucket}"
        stand_in = reader.stateful_set(
            self.monitoring, SECRET, url, idle=idle, flush=flush, files=files
        )
        self.kubernetes.apply(*(self.loki.objects() if with_loki else [stand_in]))
        self.wait_ready()

    def _serve_connect(self) -> None:
        self._connect_server = HttpServer(self._answer_for_connect)
        self.start_connect()
        self._stack.callback(self.stop_connect)
        self.connect_url = self._connect_server.url

    async def _answer_for_connect(self, request: HttpRequest) -> Response:
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
        # Rook's Secret names the endpoint that Loki uses, too.
        rgw = RookRgw(self.endpoint, admin, self._rook_client, utc_now)
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
        # Tests ask RGW's admin API past the relay that pods take.
        allowed = {
            "lokeys.dev/allowed-namespaces": self.monitoring,
            "lokeys.dev/allowed-urls": self.rgw.endpoint,
        } | ({"lokeys.dev/allowed-bridge": self.bridge} if self.bridge else {})
        self.apply("ceph.rook.io/v1", "CephCluster", "ceph", self.storage, spec={})
        self.apply("ceph.rook.io/v1", "CephObjectStore", self.store, self.storage, spec={})
        path = f"/apis/ceph.rook.io/v1/namespaces/{self.storage}/cephobjectstores/{self.store}"
        status = {"phase": "Ready", "endpoints": {"insecure": [self.endpoint]}}
        self.kubernetes.api.patch(f"{path}/status", {"status": status})
        self.apply(
            "ceph.rook.io/v1",
            "CephObjectStoreUser",
            self.user,
            self.storage,
            annotations=allowed,
            spec=spec,
        )
        wait_for(lambda: self.pair_in(self.generated, self.storage), "Rook's Secret", timeout_s=60)
        wait_for(self._make_bucket, "the bucket", timeout_s=60)

    def _make_bucket(self) -> bool:
        return self.rgw.request(self.source_pair(), "PUT", f"/{self.bucket}").is_success

    def _make_vault(self, item: dict[str, str] | None) -> None:
        fields = item or dict(zip(self.labels, map(str, self.source_pair()), strict=True))
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
        # One that finds no ready store tries again later and later.
        wait_for(self._store_is_ready, "the store is ready", timeout_s=30)
        self.apply_external_secret(**changes)
        self.wait_delivered()

    def _store_is_ready(self) -> bool:
        path = f"/apis/external-secrets.io/v1/namespaces/{self.monitoring}/secretstores/onepassword"
        told = self.kubernetes.api.get(path).get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in told)

    def wait_delivered(self) -> None:
        """Wait until the Secret holds the source's pair; else show what the delivery says."""
        try:
            wait_for(lambda: self.pair_in(SECRET) == self.source_pair(), "delivery", timeout_s=30)
        except PartError as error:
            root = f"/apis/external-secrets.io/v1/namespaces/{self.monitoring}"
            said = self.kubernetes.api.get(f"{root}/externalsecrets/{SECRET}").get("status")
            there = self.pair_in(SECRET) is not None
            raise PartError(f"{error}; a pair is there: {there}; {SECRET} says: {said}") from error

    def apply_external_secret(self, name: str = SECRET, **changes: Any) -> None:
        """Apply an ExternalSecret as the route's is; `changes` replace parts of its spec."""
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
        self.apply("external-secrets.io/v1", "ExternalSecret", name, self.monitoring, spec=spec)

    def delete_external_secret(self, name: str = SECRET) -> None:
        """Delete an ExternalSecret, and wait until the Secret that it owns is gone, too."""
        root = f"namespaces/{self.monitoring}"
        api = self.kubernetes.api
        spec = api.get(f"/apis/external-secrets.io/v1/{root}/externalsecrets/{name}")["spec"]
        api.delete(f"/apis/external-secrets.io/v1/{root}/externalsecrets/{name}")
        target = spec["target"]["name"]
        wait_for(lambda: not self.owned_by(target, name), f"{target} is gone", timeout_s=60)

    def owned_by(self, secret: str, external_secret: str) -> bool:
        """Tell whether a Secret is there and belongs to this ExternalSecret."""
        path = f"/api/v1/namespaces/{self.monitoring}/secrets/{secret}"
        owners = (self.kubernetes.api.find(path) or {}).get("metadata", {}).get("ownerReferences")
        return any(owner["name"] == external_secret for owner in owners or ())

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
                    "fields": dict(
                        zip(("accessKeyId", "secretAccessKey"), self.labels, strict=True)
                    ),
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
        self.kubernetes.api.delete(self.route_path)
        # The bucket would hold up its user's deletion, and Rook is gone.
        users = f"/apis/ceph.rook.io/v1/namespaces/{self.storage}/cephobjectstoreusers"
        if self.kubernetes.api.delete(f"{users}/{self.user}"):
            free: Json = {"metadata": {"finalizers": []}}
            self.kubernetes.api.patch(f"{users}/{self.user}", free)
        for namespace in (self.monitoring, self.storage):
            self.kubernetes.api.delete(f"/api/v1/namespaces/{namespace}")

    # --- what people do to it --------------------------------------------------------------------

    def replace_key_at_rgw(self) -> Pair:
        """Replace the user's key behind Rook; return the new pair."""
        old = self.source_pair()
        key, secret = "N" + secrets.token_hex(9).upper() + "X", Hidden(secrets.token_hex(20))
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

    def allow_bridge(self, longest: str = "1h") -> None:
        """Let the user's owner allow that a replaced key is valid again for a while."""
        self.bridge = longest
        path = f"/apis/ceph.rook.io/v1/namespaces/{self.storage}/cephobjectstoreusers/{self.user}"
        annotations = {"lokeys.dev/allowed-bridge": longest}
        self.kubernetes.api.patch(path, {"metadata": {"annotations": annotations}})

    def touch_ceph_cluster(self) -> None:
        """Edit the CephCluster, which makes Rook reconcile every user."""
        spec = {"comment": secrets.token_hex(4)}
        self.apply("ceph.rook.io/v1", "CephCluster", "ceph", self.storage, spec=spec)

    def replace_key(self) -> Pair:
        """Replace the user's key and let Rook notice; return the new pair."""
        pair = self.replace_key_at_rgw()
        self.touch_ceph_cluster()
        wait_for(lambda: self.source_pair() == pair, "Rook writes the new key", timeout_s=60)
        return pair

    def break_it(self) -> Pair:
        """Let the outage happen: the key is replaced, and Loki is refused; return the new pair."""
        pair = self.replace_key()
        self.push("during the outage")
        self.wait_refused()
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
