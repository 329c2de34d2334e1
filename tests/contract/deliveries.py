# SPDX-License-Identifier: Apache-2.0
"""An ExternalSecret's whole surroundings, real or stood in for: cluster, operator, vault."""

import asyncio
import itertools
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol, Self

import httpx2

from lokeys.demo.parts.connect import ConnectServer
from parts.api import ApiError

Json = dict[str, Any]
NAMES = itertools.count(1)
SECRET = "loki-s3-credentials"


class Cluster(Protocol):
    """What a test asks of an API server."""

    def call(self, method: str, path: str, body: Json | None = None, *, kind: str = "json") -> Json:
        """Do one request; anything but a success raises ApiError."""
        ...


class PlainCluster:
    """The stand-in's API, without TLS."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(base_url=url, trust_env=False)

    def call(self, method: str, path: str, body: Json | None = None, *, kind: str = "json") -> Json:
        headers = {"content-type": f"application/{kind}"} if body is not None else None
        answer = self._client.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise ApiError(answer.status_code, answer.text)
        result: Json = answer.json()
        return result

    def close(self) -> None:
        self._client.close()


class Background:
    """An event loop in a thread, for parts that live there."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    @contextmanager
    def running(self, make: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[Any]:
        """Run a part, made and entered on the loop."""

        async def enter() -> Any:
            part = make()
            return part, await part.__aenter__()

        part, entered = self._do(enter())
        try:
            yield entered
        finally:
            self._do(part.__aexit__(None, None, None))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)


class Delivery:
    """One namespace with a valid store, and what a test does and sees there."""

    def __init__(self, cluster: Cluster, connect: ConnectServer, connect_url: str) -> None:
        self.cluster = cluster
        self.namespace = f"delivery-{time.monotonic_ns()}-{next(NAMES)}"
        self.connect = connect
        self.vault = connect.add_vault("homelab")
        fields = [("access_key", "OLDKEY"), ("secret_key", "OLDSECRET")]
        self.item = connect.add_item(self.vault, "loki-s3", fields)
        cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        token = connect.add_token()
        self.create("secrets", {"metadata": {"name": "token"}, "stringData": {"token": token}})
        reference = {"name": "token", "key": "token"}
        auth = {"secretRef": {"connectTokenSecretRef": reference}}
        one = {"connectHost": connect_url, "vaults": {"homelab": 1}, "auth": auth}
        spec = {"provider": {"onepassword": one}}
        self.create("secretstores", {"metadata": {"name": "onepassword"}, "spec": spec})
        self.until(lambda: self.ready("secretstores", "onepassword")[0] == "True")

    def add(self, name: str = SECRET, **spec: Any) -> None:
        """Create an ExternalSecret like that of the story."""
        keys = {"AWS_ACCESS_KEY_ID": "access_key", "AWS_SECRET_ACCESS_KEY": "secret_key"}
        data = [
            {"secretKey": key, "remoteRef": {"key": "loki-s3", "property": label}}
            for key, label in keys.items()
        ]
        store = {"name": "onepassword", "kind": "SecretStore"}
        whole = {"refreshInterval": "1h", "secretStoreRef": store, "data": data} | spec
        self.create("externalsecrets", {"metadata": {"name": name}, "spec": whole})

    def create(self, plural: str, body: Json) -> Json:
        """Create an object in the namespace."""
        kinds = {"externalsecrets": "ExternalSecret", "secretstores": "SecretStore"}
        version = "external-secrets.io/v1" if plural in kinds else "v1"
        typed = {"apiVersion": version, "kind": kinds.get(plural, "Secret")} | body
        return self.cluster.call("POST", self._path(plural), typed)

    def find(self, plural: str, name: str = SECRET) -> Json | None:
        """Return an object, or None."""
        try:
            return self.cluster.call("GET", self._path(plural, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def merge(self, plural: str, patch: Json, name: str = SECRET) -> Json:
        """Merge a patch into an object."""
        path = self._path(plural, name)
        return self.cluster.call("PATCH", path, patch, kind="merge-patch+json")

    def delete(self, plural: str, name: str = SECRET) -> None:
        """Delete an object."""
        self.cluster.call("DELETE", self._path(plural, name))

    def edit(self, access_key: str = "NEWKEY") -> None:
        """Change the access key in the vault."""
        self.connect.edit(self.vault, self.item, access_key=access_key)

    def value(self) -> str | None:
        """Return the delivered access key id."""
        data = (self.find("secrets") or {}).get("data") or {}
        key = data.get("AWS_ACCESS_KEY_ID")
        return None if key is None else b64decode(key).decode()

    def status(self, name: str = SECRET) -> Json:
        """Return the ExternalSecret's status."""
        found: Json = (self.find("externalsecrets", name) or {}).get("status", {})
        return found

    def ready(self, plural: str = "externalsecrets", name: str = SECRET) -> tuple[str, str, str]:
        """Return the Ready condition's status, reason and message."""
        conditions = ((self.find(plural, name) or {}).get("status") or {}).get("conditions", [])
        for one in conditions:
            if one["type"] == "Ready":
                return one["status"], one.get("reason", ""), one.get("message", "")
        return "", "", ""

    def events(self) -> list[str]:
        """Return the causes that UpdateFailed events name."""
        items = self.cluster.call("GET", self._path("events"))["items"]
        return [one["message"] for one in items if one["reason"] == "UpdateFailed"]

    def until(self, condition: Callable[[], object], *, timeout_s: float = 30) -> None:
        """Wait for something that happens elsewhere."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"not so after {timeout_s} s; Ready: {self.ready()}"
            time.sleep(0.05)

    def _path(self, plural: str, name: str = "") -> str:
        custom = plural in {"externalsecrets", "secretstores"}
        root = "/apis/external-secrets.io/v1" if custom else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")
