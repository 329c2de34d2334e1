# SPDX-License-Identifier: Apache-2.0
"""Calls to the API server with plain objects, each bounded in size and time.

Objects are `dict[str, Any]`. Errors are those of `lokeys.errors`, and `Expired`, `EvictionBlocked`
and `NoSuchKind` of `lokeys.kube.replies`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal, NamedTuple, Self

import httpx2
import msgspec

from lokeys.errors import Transient
from lokeys.kube.calls import ApiCall, CallLimits, Calls, read_object
from lokeys.kube.connection import Connection
from lokeys.kube.kubeconfig import ClusterConfig
from lokeys.kube.replies import EvictionBlocked, Expired, NoSuchKind, Target, error_of, lines_of
from lokeys.kube.resources import POD, SELF_SUBJECT_REVIEW, SERVICE_ACCOUNT, Resource

__all__ = [
    "Api",
    "EvictionBlocked",
    "Expired",
    "Listing",
    "NoSuchKind",
    "Object",
    "Resource",
    "WatchEvent",
]

Object = dict[str, Any]
PatchType = Literal["merge-patch", "json-patch", "apply-patch"]

_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_CONTENT_TYPES: Mapping[PatchType, str] = {
    "merge-patch": "application/merge-patch+json",
    "json-patch": "application/json-patch+json",
    "apply-patch": "application/apply-patch+yaml",
}


class Listing(NamedTuple):
    """All objects of a list, and its resourceVersion."""

    items: list[Object]
    resource_version: str


class WatchEvent(NamedTuple):
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: Object


class Api:
    """One API server, used as one user. Use it as an async context manager."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        limits: CallLimits | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._config = config
        self._limits = limits or CallLimits()
        self._connection = Connection(config, transport=transport)
        self._calls = Calls(
            self._connection, server=config.server, limits=self._limits, sleep=sleep
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._connection.aclose()

    @property
    def current_namespace(self) -> str:
        """Return the namespace that a call without one should use."""
        return self._config.namespace

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return self._config.server

    @property
    def connection(self) -> Connection:
        """Return the connection to the server, for other uses than calls (port-forward)."""
        return self._connection

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object:
        """Return one object."""
        target = Target(verb="get", resource=resource, namespace=namespace, name=name)
        return await self._object("GET", resource.path(namespace, name), target=target)

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> Listing:
        """Return every matching object; without a namespace, those of all namespaces."""
        target = Target(verb="list", resource=resource, namespace=namespace)
        params: dict[str, str | int] = {"limit": self._limits.page_items}
        params |= _selectors(labels, fields)
        items: list[Object] = []
        while True:
            call = ApiCall(
                method="GET",
                path=resource.path(namespace),
                target=target,
                params=params,
                headers={"Accept": _METADATA_LIST} if metadata_only else None,
                max_bytes=self._limits.page_bytes,
            )
            page = read_object(await self._calls.send(call), target=target)
            items += (_named(item, resource) for item in page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(items, metadata.get("resourceVersion", ""))
            params["continue"] = metadata["continue"]

    async def create(
        self, resource: Resource, obj: Object, *, namespace: str | None = None
    ) -> Object:
        """Create the object and return it as stored. Raises `Conflict` if it exists."""
        name, space = _identity(obj, namespace)
        target = Target(verb="create", resource=resource, namespace=space, name=name)
        return await self._object("POST", resource.path(space), target=target, body=obj)

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Write the whole object; its resourceVersion, if set, must be the current one."""
        name, space = _identity(obj, namespace)
        target = Target(verb="update", resource=resource, namespace=space, name=name)
        path = _below(resource.path(space, name), subresource)
        return await self._object("PUT", path, target=target, body=obj)

    async def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> Object:
        """Apply the fields of `obj` on the server's side, owned by `field_manager`."""
        name, space = _identity(obj, None)
        target = Target(verb="apply", resource=resource, namespace=space, name=name)
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = _below(resource.path(space, name), subresource)
        params = {"fieldManager": field_manager, "force": str(force).lower()}
        return await self._patch(path, "apply-patch", body, target=target, params=params)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Object,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Merge `patch` into the object (RFC 7386); null removes a field."""
        target = Target(verb="patch", resource=resource, namespace=namespace, name=name)
        path = _below(resource.path(namespace, name), subresource)
        return await self._patch(path, "merge-patch", patch, target=target)

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        patch: list[Object],  # type: ignore[valid-type]  # the method `list` shadows the class
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Run the operations of `patch` on the object (RFC 6902); a failed `test` is BadInput."""
        target = Target(verb="patch", resource=resource, namespace=namespace, name=name)
        path = _below(resource.path(namespace, name), subresource)
        return await self._patch(path, "json-patch", patch, target=target)

    async def delete(  # noqa: PLR0913 - the API's own options
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_s: int | None = None,
    ) -> None:
        """Delete the object, only while `uid` and `resource_version`, if given, still match."""
        target = Target(verb="delete", resource=resource, namespace=namespace, name=name)
        options = _delete_options(uid=uid, resource_version=resource_version, grace_s=grace_s)
        await self._object("DELETE", resource.path(namespace, name), target=target, body=options)

    async def evict(
        self, pod_name: str, *, namespace: str, uid: str | None = None, grace_s: int | None = None
    ) -> None:
        """Evict a pod, only while `uid`, if given, is its own.

        Raises `EvictionBlocked` if a disruption budget refuses, `Conflict` for another uid.
        """
        target = Target(verb="evict", resource=POD, namespace=namespace, name=pod_name)
        body: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod_name, "namespace": namespace},
        }
        if options := _delete_options(uid=uid, resource_version=None, grace_s=grace_s):
            body["deleteOptions"] = options
        path = POD.path(namespace, pod_name) + "/eviction"
        await self._object("POST", path, target=target, body=body)

    async def create_token(
        self, account: str, *, namespace: str, audience: str, lifetime_s: int
    ) -> Object:
        """Return a TokenRequest's status: a service account's token for one audience, a secret."""
        target = Target(
            verb="ask for a token of",
            resource=SERVICE_ACCOUNT,
            namespace=namespace,
            name=account,
        )
        body: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": lifetime_s},
        }
        path = SERVICE_ACCOUNT.path(namespace, account) + "/token"
        answer = await self._object("POST", path, target=target, body=body)
        status = answer.get("status")
        return status if isinstance(status, dict) else {}

    async def user(self) -> str:
        """Return the user as the server's own review names it."""
        resource = SELF_SUBJECT_REVIEW
        target = Target(verb="create", resource=resource)
        body: Object = {"apiVersion": resource.api_version, "kind": resource.kind}
        answer = await self._object("POST", resource.path(), target=target, body=body)
        user = (answer.get("status") or {}).get("userInfo") or {}
        return str(user.get("username") or "")

    async def accepts(self, token: str) -> bool:
        """Tell whether the server accepts this token as a login, whatever it may do then.

        Sent with only the token. If the server does not have the review, the token was still
        accepted: only 401 means that it was not.
        """
        async with self._connection.stranger() as client:
            return await self._calls.lets_in(client, token)

    async def log(  # noqa: PLR0913 - the API's own options
        self,
        pod: str,
        *,
        namespace: str,
        container: str | None = None,
        tail_lines: int | None = None,
        limit_bytes: int = 1024 * 1024,
        previous: bool = False,
        since_s: int | None = None,
    ) -> str:
        """Return the end of a container's log, at most `limit_bytes` of it."""
        options = {
            "container": container,
            "tailLines": tail_lines,
            "previous": "true" if previous else None,
            "sinceSeconds": since_s,
            "limitBytes": limit_bytes,
        }
        call = ApiCall(
            method="GET",
            path=POD.path(namespace, pod) + "/log",
            target=Target(verb="read the log of", resource=POD, namespace=namespace, name=pod),
            params={name: value for name, value in options.items() if value is not None},
            max_bytes=limit_bytes + 1024,
        )
        return (await self._calls.send(call)).decode(errors="replace")[:limit_bytes]

    async def raw_get(self, path: str) -> bytes:
        """Return what the API server says at `path`, for example /version."""
        target = Target(verb="read", path=path)
        call = ApiCall(method="GET", path=path, target=target, max_bytes=self._limits.object_bytes)
        return await self._calls.send(call)

    async def watch(  # noqa: PLR0913 - the API's own options
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent]:
        """Yield what changes after `resource_version`, until the server ends the watch.

        Raises `Expired` if that version is no longer available. `on_open` is called when the server
        has accepted: a quiet watch yields nothing for minutes. Close the generator after use.
        """
        target = Target(verb="watch", resource=resource, namespace=namespace)
        params: dict[str, str | int] = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": int(self._limits.watch_s * random.uniform(1, 2)),  # noqa: S311
        }
        call = ApiCall(
            method="GET",
            path=resource.path(namespace),
            target=target,
            params=params | _selectors(labels, fields),
            headers={
                "Accept": _METADATA if metadata_only else "application/json",
                "Accept-Encoding": "identity",
            },
            max_bytes=self._limits.object_bytes,
        )
        async with (
            self._calls.opened(call, client=self._connection.watches) as response,
            aclosing(lines_of(response, target=target, max_bytes=call.max_bytes)) as lines,
        ):
            if on_open:
                on_open()
            async for line in lines:
                yield _event(line, resource, target=target)

    async def _object(
        self, method: str, path: str, *, target: Target, body: Object | None = None
    ) -> Object:
        call = ApiCall(
            method=method,
            path=path,
            target=target,
            headers={"Content-Type": "application/json"} if body is not None else None,
            content=msgspec.json.encode(body) if body is not None else None,
            max_bytes=self._limits.object_bytes,
        )
        return read_object(await self._calls.send(call), target=target)

    async def _patch(
        self,
        path: str,
        patch_type: PatchType,
        patch: Any,
        *,
        target: Target,
        params: Mapping[str, str | int] | None = None,
    ) -> Object:
        call = ApiCall(
            method="PATCH",
            path=path,
            target=target,
            params=params,
            headers={"Content-Type": _CONTENT_TYPES[patch_type]},
            content=msgspec.json.encode(patch),
            max_bytes=self._limits.object_bytes,
        )
        return read_object(await self._calls.send(call), target=target)


def _event(line: bytes, resource: Resource, *, target: Target) -> WatchEvent:
    event = read_object(line, target=target)
    kind, obj = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(obj, dict):
        raise Transient(f"cannot {target.verb} {target}: a line is no event")
    if kind == "ERROR":
        code = obj.get("code")
        raise error_of(
            code if isinstance(code, int) else 500,
            msgspec.json.encode(obj),
            target=target,
            retry_after=None,
        )
    return WatchEvent(kind, _named(obj, resource))


def _named(obj: Object, resource: Resource) -> Object:
    """Return the object with its kind: items of lists and bare metadata have none."""
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    return obj


def _identity(obj: Object, namespace: str | None) -> tuple[str, str | None]:
    metadata = obj.get("metadata") or {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    return name, namespace or metadata.get("namespace")


def _below(path: str, subresource: str | None) -> str:
    return f"{path}/{subresource}" if subresource else path


def _selectors(labels: str | None, fields: str | None) -> dict[str, str | int]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in chosen.items() if value}


def _delete_options(
    *, uid: str | None, resource_version: str | None, grace_s: int | None
) -> Object | None:
    held = {"uid": uid, "resourceVersion": resource_version}
    preconditions = {name: value for name, value in held.items() if value is not None}
    options: Object = {}
    if preconditions:
        options["preconditions"] = preconditions
    if grace_s is not None:
        options["gracePeriodSeconds"] = grace_s
    return {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None
