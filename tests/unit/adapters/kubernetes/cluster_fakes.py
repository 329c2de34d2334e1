# SPDX-License-Identifier: Apache-2.0
"""A cluster of plain dictionaries, and an API server in memory for what is done to it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2

from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.errors import Forbidden, LokeysError, NotFound
from lokeys.kube.selectors import matches
from unit.kube.scripted import api, listing, status

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CANARY_ID = "CANARYID000000000001"
CANARY_SECRET = "canary/secret+0000000000000000000000001"
FINGERPRINTER = Fingerprinter(Sensitive(b"fingerprint key"), kept=True)

Json = dict[str, Any]


class Server:
    """Answers the calls that adapters make themselves: events to list, writes to take."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.calls: list[tuple[str, str, Json]] = []
        self.refusal: httpx2.Response | None = None
        self.log = ""

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "GET" and path.endswith("/log"):
            return self.refusal or httpx2.Response(200, text=self.log)
        if request.method == "GET":
            wanted = dict(
                part.split("=", 1) for part in request.url.params["fieldSelector"].split(",")
            )
            return listing(1, *(event for event in self.events if _fits(event, wanted)))
        body = json.loads(request.content) if request.content else {}
        self.calls.append((request.method, path, body))
        return self.refusal or httpx2.Response(200, json=body)


class FakeObjects:
    """An `Objects` on dictionaries; events and logs are read from `server`, as live ones are.

    `failing`: what must not be read, by reference or kind.
    """

    def __init__(self, *objects: Json, server: Server | None = None) -> None:
        self.objects = list(objects)
        self.live = LiveObjects(api((server or Server()).answer))
        self.failing: dict[Ref | str, LokeysError] = {}
        self.read: list[str] = []

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        self.read.append(str(ref))
        self._fail(ref, ref.kind)
        for obj in self.objects:
            if ref_of(obj) == ref:
                return obj
        raise NotFound(f"{ref} does not exist")

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        self.read.append(f"{kind} in {namespace}")
        self._fail(kind, f"list of {kind}")
        return [
            obj
            for obj in self.objects
            if obj["kind"] == kind
            and namespace in (None, obj["metadata"].get("namespace"))
            and matches(obj, labels)
        ]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        return await self.live.events(about, reason=reason)

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        return await self.live.log(pod, container=container, lines=lines, max_bytes=max_bytes)

    def forbid(self, what: Ref | str) -> None:
        self.failing[what] = Forbidden(f"cannot read {what}: forbidden")

    def _fail(self, *what: Ref | str) -> None:
        for each in what:
            if each in self.failing:
                raise self.failing[each]


def cluster(*objects: Json, server: Server | None = None) -> tuple[Cluster, FakeObjects]:
    """Return a cluster of these objects, and the objects to play with."""
    server = server or Server()
    fake = FakeObjects(*objects, server=server)
    return Cluster(
        objects=fake, api=api(server.answer), fingerprinter=FINGERPRINTER, clock=lambda: NOW
    ), fake


def secret(name: str, *, namespace: str = "ns", version: str = "7", **data: str) -> Json:
    """Return a Secret with this data."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": version,
        },
        "data": {key: b64encode(value.encode()).decode() for key, value in data.items()},
    }


def event(about: Ref, reason: str, message: str, **extra: Any) -> Json:
    """Return an event about an object."""
    return {
        "metadata": {"name": "event", "namespace": about.namespace},
        "involvedObject": {"kind": about.kind, "name": about.name} | extra.pop("object", {}),
        "reason": reason,
        "message": message,
        **extra,
    }


def ref_of(obj: Json) -> Ref:
    """Return an object's reference."""
    return Ref(obj["kind"], obj["metadata"]["name"], obj["metadata"].get("namespace"))


def conflict() -> httpx2.Response:
    """Return the API server's refusal of a write that came too late."""
    return status(409, reason="Conflict", message="the object has been modified")


def _fits(event: Json, wanted: Mapping[str, str]) -> bool:
    held = {
        "involvedObject.kind": event["involvedObject"]["kind"],
        "involvedObject.name": event["involvedObject"]["name"],
        "reason": event["reason"],
    }
    return held == wanted
