# SPDX-License-Identifier: Apache-2.0
"""An API server in memory, behind the client's own transport seam: no socket is opened."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx2

from lokeys.kube.calls import CallLimits
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import ClusterConfig

Answer = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


def config(**extra: Any) -> ClusterConfig:
    """Return a configuration for a server that does not exist."""
    fields: dict[str, Any] = {
        "context_name": "test",
        "origin": "test",
        "cluster": {"server": "http://api.test"},
        "user": {"token": "t0ken"},
    }
    return ClusterConfig(**(fields | extra))


def api(answer: Answer, **limits: Any) -> Api:
    """Return a client whose calls `answer` answers."""
    return Api(config(), limits=CallLimits(**limits), transport=httpx2.MockTransport(answer))


def url_of(request: httpx2.Request) -> str:
    """Return the path and query that were asked for."""
    return request.url.raw_path.decode()


def answers(*replies: httpx2.Response) -> tuple[Api, list[httpx2.Request]]:
    """Return a client that gets these replies in order, and the list of what it asked."""
    asked: list[httpx2.Request] = []
    waiting = list(replies)

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return waiting.pop(0)

    return api(answer), asked


def status(code: int, *, reason: str = "", message: str = "", **details: Any) -> httpx2.Response:
    """Return a refusal as the API server words it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }
    return httpx2.Response(code, json=body)


def thing(name: str, version: int, **rest: Any) -> dict[str, Any]:
    """Return a small object."""
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version)}
    return {"metadata": metadata, **rest}


def listing(version: int, *items: dict[str, Any], more: str = "") -> httpx2.Response:
    """Return a list as the API server words it."""
    metadata = {"resourceVersion": str(version), "continue": more}
    return httpx2.Response(200, json={"metadata": metadata, "items": list(items)})


class WatchStream(httpx2.AsyncByteStream):
    """A watch in the test's hands."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = False

    def response(self) -> httpx2.Response:
        """Return the answer that carries this watch."""
        return httpx2.Response(200, stream=self)

    def say(self, kind: str, obj: dict[str, Any]) -> None:
        """Send one event."""
        self.say_raw(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

    def say_raw(self, chunk: bytes) -> None:
        """Send bytes as they are."""
        self._lines.put_nowait(chunk)

    def end(self) -> None:
        """End as the API server does after its timeout."""
        self._lines.put_nowait(None)

    def drop(self) -> None:
        """Break off in the middle."""
        self._lines.put_nowait(httpx2.ReadError("connection reset"))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (line := await self._lines.get()) is not None:
            if isinstance(line, Exception):
                raise line
            yield line

    async def aclose(self) -> None:
        self.closed = True


class Store:
    """Objects with resourceVersions: enough of an API server for leases and events."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, str]] = []
        self.patches: list[dict[str, Any]] = []
        """Merge patches, which are answered and go nowhere."""
        self.applied: list[dict[str, Any]] = []
        """What was applied on the server's side, which goes nowhere either."""
        self.down: set[str] = set()
        """User agents that get no answer."""
        self._version = 0

    def client(self, name: str = "one") -> Api:
        """Return a client that can be cut off by its name."""

        async def answer(request: httpx2.Request) -> httpx2.Response:
            await asyncio.sleep(0.005)
            if name in self.down:
                raise httpx2.ConnectError("cut off", request=request)
            return self._answer(request)

        return api(answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "GET":
            found = self.objects.get(path)
            return httpx2.Response(200, json=found) if found else _missing(path)
        body = json.loads(request.content)
        if request.method == "PATCH":
            applies = "apply-patch" in request.headers["content-type"]
            (self.applied if applies else self.patches).append(body)
            return httpx2.Response(200, json=body)
        if request.method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return status(409, reason="AlreadyExists", message="already exists")
        else:
            held = self.objects.get(path)
            if held is None:
                return _missing(path)
            if body["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
                return status(409, reason="Conflict", message="the object has been modified")
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = body
        self.writes.append((request.method, path))
        return httpx2.Response(200, json=body)


def _missing(path: str) -> httpx2.Response:
    return status(404, reason="NotFound", message="not found", name=path.rpartition("/")[2])
