# SPDX-License-Identifier: Apache-2.0
"""How a stand-in outside the API server talks to one, ours or a real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx2

from lokeys.demo.parts.kube_kinds import KINDS, Json, ServedKind

_NO_ANSWER_PAUSE_S = 0.2


class ApiError(Exception):
    """An answer of the API server that is not a success."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClusterClient:
    """One user's way to one API server, by kinds and names."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def get(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """Return an object, or None."""
        try:
            return await self._call("GET", _path(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def create(self, item: Json, *, manager: str = "") -> Json:
        """Create an object."""
        path = _path(item["kind"], item["metadata"].get("namespace", ""))
        return await self._call("POST", path, body=item, manager=manager)

    async def replace(self, item: Json, *, manager: str = "") -> Json:
        """Replace an object; ApiError 409 when it has changed since it was read."""
        meta = item["metadata"]
        path = _path(item["kind"], meta.get("namespace", ""), meta["name"])
        return await self._call("PUT", path, body=item, manager=manager)

    async def merge(self, item: Json, patch: Json, *, status: bool = False) -> Json:
        """Merge a patch into an object, or into its status."""
        meta = item["metadata"]
        path = _path(item["kind"], meta.get("namespace", ""), meta["name"])
        return await self._call("PATCH", path + ("/status" if status else ""), body=patch)

    async def follow(self, kind: str) -> AsyncIterator[tuple[str, Json]]:
        """Yield every object of a kind, and then every change, forever, through any disturbance.

        The first word is ADDED, MODIFIED or DELETED; after a disturbance objects come once more.
        """
        known: dict[str, Json] = {}
        while True:
            with suppress(httpx2.TransportError, ApiError):
                listing = await self._call("GET", _path(kind, ""))
                now = {item["metadata"]["uid"]: _typed(kind, item) for item in listing["items"]}
                for uid in known.keys() - now.keys():
                    yield "DELETED", known[uid]
                for item in now.values():
                    yield "ADDED", item
                known = now
                async for event, item in self._watch(kind, listing["metadata"]["resourceVersion"]):
                    known[item["metadata"]["uid"]] = item
                    if event == "DELETED":
                        del known[item["metadata"]["uid"]]
                    yield event, item
            await asyncio.sleep(_NO_ANSWER_PAUSE_S)

    async def _watch(self, kind: str, revision: str) -> AsyncIterator[tuple[str, Json]]:
        params = {"watch": "1", "resourceVersion": revision}
        async with self._http.stream("GET", _path(kind, ""), params=params, timeout=None) as answer:
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]

    async def _call(
        self, method: str, path: str, *, body: Json | None = None, manager: str = ""
    ) -> Json:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = await self._http.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            headers={"content-type": kind} if body is not None else {},
            params={"fieldManager": manager} if manager else {},
        )
        result: Any = json.loads(answer.content)
        if not answer.is_success:
            raise ApiError(answer.status_code, result.get("message", "no message"))
        found: Json = result
        return found


def _kind(name: str) -> ServedKind:
    return next(kind for kind in KINDS if kind.kind == name)


def _typed(kind: str, item: Json) -> Json:
    """Return an object of a list with the type that the API server left to the list."""
    return {"apiVersion": _kind(kind).api_version, "kind": kind} | item


def _path(kind: str, namespace: str, name: str = "") -> str:
    known = _kind(kind)
    root = f"/apis/{known.api_version}" if known.group else "/api/v1"
    scope = f"/namespaces/{namespace}" if namespace and known.namespaced else ""
    return f"{root}{scope}/{known.plural}" + (f"/{name}" if name else "")
