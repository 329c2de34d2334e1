# SPDX-License-Identifier: Apache-2.0
"""An External Secrets stand-in over a real or stand-in API server, reading 1Password Connect.

    async with ExternalSecrets(api.url) as operator: ...

It does what was measured on the real controllers 0.20.4, traps included: Ready True over an
immutable Secret that stays old, empty values as success, torn pairs (`gap`), interval 0 that no
force-sync moves, one worker without any timeout, and `1d` that stops every ExternalSecret.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import httpx2

from lokeys.clock import utc_now
from lokeys.core.text.durations import go_duration
from lokeys.demo.parts import eso_rules as rules
from lokeys.demo.parts.eso_provider import ConnectProvider, Gap, ProviderProblem, read_all
from lokeys.demo.parts.kube_client import ApiError, ClusterClient
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_store import rfc3339
from lokeys.demo.parts.kube_views import at, condition
from lokeys.kube.queue import WorkQueue

Key = tuple[str, str, str]
"""Kind, namespace, name."""

_API_DOWN_PAUSE_S = 0.5


async def _no_gap() -> None:
    await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EsoSettings:
    """How the stand-in behaves. `verify`: trust, where the API server speaks TLS."""

    token: str = ""
    verify: ssl.SSLContext | bool = True
    store_every_s: float = 300
    gap: Gap = _no_gap
    clock: Callable[[], datetime] = utc_now


class ExternalSecrets:
    """The controllers of ExternalSecret, SecretStore and ClusterSecretStore."""

    def __init__(self, url: str, settings: EsoSettings | None = None) -> None:
        self._settings = settings or EsoSettings()
        headers = {"user-agent": "external-secrets/stand-in"}
        if self._settings.token:
            headers["authorization"] = f"Bearer {self._settings.token}"
        self._api_http = httpx2.AsyncClient(
            base_url=url, headers=headers, verify=self._settings.verify, trust_env=False
        )
        self._vault_http = httpx2.AsyncClient(trust_env=False)
        self._api = ClusterClient(self._api_http)
        self._seen: dict[Key, Json] = {}
        self._failures: Counter[Key] = Counter()
        self._events: dict[tuple[str, str], Json] = {}
        self._queues: dict[str, WorkQueue[Key]] = {
            "ExternalSecret": WorkQueue(),
            "SecretStore": WorkQueue(),
        }
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        follow = (self._follow("ExternalSecret"), self._follow_secrets())
        stores = (self._follow("SecretStore"), self._follow("ClusterSecretStore"))
        work = (
            self._work("ExternalSecret", self._reconcile),
            self._work("SecretStore", self._look_at_store),
        )
        self._tasks = [asyncio.create_task(one) for one in (*follow, *stores, *work)]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            queue.shut_down()
        await self._api_http.aclose()
        await self._vault_http.aclose()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    # --- what makes it look ---------------------------------------------------------------------

    async def _follow(self, kind: str) -> None:
        """Look at an object whose spec, labels or annotations changed; its status is nothing."""
        queue = self._queues["ExternalSecret" if kind == "ExternalSecret" else "SecretStore"]
        async for event, item in self._api.follow(kind):
            key = _key(item)
            before = self._seen.get(key)
            if event == "DELETED":
                self._seen.pop(key, None)
                if before and _interval_fails(before):
                    self._look_at_all()
                continue
            self._seen[key] = item
            if before is None or _occasion(before) != _occasion(item):
                self._failures.pop(key, None)
                queue.add(key)
                if before and _interval_fails(before):
                    self._look_at_all()

    async def _follow_secrets(self) -> None:
        """Look at the ExternalSecrets of a managed Secret; without its label we are blind to it."""
        async for _, item in self._api.follow("Secret"):
            meta = item["metadata"]
            if (meta.get("labels") or {}).get(rules.MANAGED) != "true":
                continue
            for key, external in list(self._seen.items()):
                place = (external["metadata"].get("namespace"), key[0])
                if place == (meta["namespace"], "ExternalSecret") and (
                    rules.target_name(external) == meta["name"]
                ):
                    self._queues["ExternalSecret"].add(key)

    def _look_at_all(self) -> None:
        for key in self._seen:
            if key[0] == "ExternalSecret":
                self._queues["ExternalSecret"].add(key)

    async def _work(self, kind: str, look: Callable[[Key, Json], Awaitable[None]]) -> None:
        queue = self._queues[kind]
        while True:
            key = await queue.get()
            try:
                await self._look(key, look)
            except (httpx2.TransportError, ApiError):
                queue.add_after(key, _API_DOWN_PAUSE_S)
            finally:
                queue.done(key)

    async def _look(self, key: Key, look: Callable[[Key, Json], Awaitable[None]]) -> None:
        if key[0] == "ExternalSecret" and any(map(_interval_fails, self._seen.values())):
            return  # its informer cannot decode the list: every ExternalSecret stands still
        item = await self._api.get(*_kind_name_namespace(key))
        if item is not None:
            await look(key, item)

    # --- ExternalSecret -------------------------------------------------------------------------

    async def _reconcile(self, key: Key, external: Json) -> None:
        if "deletionTimestamp" in external["metadata"]:
            await self._api.merge(external, {"metadata": {"finalizers": None}})
            return
        external = await self._normalised(external)
        target = await self._api.get("Secret", rules.target_name(external), key[1])
        started = self._settings.clock()
        if rules.should_refresh(external, started) or not rules.is_valid(external, target):
            try:
                reason = await self._sync(external, target)
            except ProviderProblem as problem:
                await self._fail(key, external, str(problem))
                return
            self._failures.pop(key, None)
            await self._succeed(external, reason, started)
        self._plan_next(key, external)

    async def _normalised(self, external: Json) -> Json:
        """Add the finalizer; the update spells the interval as Go does: a new generation."""
        if rules.FINALIZER in external["metadata"].get("finalizers", []):
            return external
        interval = go_duration(external["spec"]["refreshInterval"])
        text = rules.format_duration(interval or timedelta(0))
        finalizers = [*external["metadata"].get("finalizers", []), rules.FINALIZER]
        patch = {"metadata": {"finalizers": finalizers}, "spec": {"refreshInterval": text}}
        return await self._api.merge(external, patch)

    async def _sync(self, external: Json, target: Json | None) -> tuple[str, str]:
        """Read the vault and write the Secret; return the Ready condition's reason and message."""
        spec = external["spec"]
        policy = spec["target"]["creationPolicy"]
        connect = await self._connect_of(external)
        values = await read_all(connect, spec, gap=self._settings.gap)
        data = {name: b64encode(value.encode()).decode() for name, value in values.items()}
        if policy == "Merge" and target is None:
            return "SecretMissing", "secret will not be created due to CreationPolicy=Merge"
        if policy != "None" and target and rules.owned_by_another(external, target):
            raise ProviderProblem("target is owned by another ExternalSecret")
        frozen = bool(target and target.get("immutable"))
        if policy == "None" or frozen:
            return "SecretSynced", "secret synced"  # frozen: said all the same, and nothing written
        secret = rules.desired(external, target, data)
        owner = f"externalsecrets.external-secrets.io/{external['metadata']['name']}"
        if target is None:
            await self._api.create(secret, manager=owner)
            await self._tell(external, "Normal", "Created", "secret created")
        elif (await self._api.replace(secret, manager=owner)).get("data") != target.get("data"):
            await self._tell(external, "Normal", "Updated", "secret updated")
        return "SecretSynced", "secret synced"

    async def _connect_of(self, external: Json) -> ConnectProvider:
        reference = external["spec"]["secretStoreRef"]
        kind, name = reference.get("kind", "SecretStore"), reference["name"]
        place = _first_key(external["spec"])
        namespace = external["metadata"]["namespace"]
        store = await self._api.get(kind, name, namespace)
        if store is None:
            plural = f"{kind.lower()}s.external-secrets.io"
            why = f'could not get {kind} "{name}", {plural} "{name}" not found'
            raise ProviderProblem(place + why)
        if condition(store, "Ready").get("status") != "True":
            raise ProviderProblem(f'{place}{kind} "{name}" is not ready')
        return await self._client(store, namespace)

    async def _client(self, store: Json, namespace: str) -> ConnectProvider:
        provider = at(store, "spec.provider.onepassword")
        if provider is None:
            raise ProviderProblem("the stand-in knows no provider but onepassword")
        token = provider["auth"]["secretRef"]["connectTokenSecretRef"]
        where = token.get("namespace", namespace)
        secret = await self._api.get("Secret", token["name"], where)
        value = ((secret or {}).get("data") or {}).get(token["key"])
        if value is None:
            why = f'cannot get Kubernetes secret "{token["name"]}" from namespace "{where}": '
            raise ProviderProblem(f'{why}secrets "{token["name"]}" not found')
        return ConnectProvider(
            http=self._vault_http,
            host=provider["connectHost"],
            token=b64decode(value).decode(),
            vaults=provider["vaults"],
        )

    async def _succeed(self, external: Json, said: tuple[str, str], started: datetime) -> None:
        status = {
            "refreshTime": rfc3339(started),
            "syncedResourceVersion": rules.synced_version(external),
            "binding": {"name": rules.target_name(external)},
            "conditions": [self._ready(external, "True", *said)],
        }
        await self._api.merge(external, {"status": status}, status=True)

    async def _fail(self, key: Key, external: Json, problem: str) -> None:
        self._failures[key] += 1
        owned = problem == "target is owned by another ExternalSecret"
        message = problem if owned else "could not get secret data from provider"
        ready = self._ready(external, "False", "SecretSyncedError", message)
        await self._api.merge(external, {"status": {"conditions": [ready]}}, status=True)
        await self._tell(external, "Warning", "UpdateFailed", problem)
        self._queues["ExternalSecret"].add_after(key, rules.backoff_s(self._failures[key]))

    def _plan_next(self, key: Key, external: Json) -> None:
        interval = go_duration(external["spec"]["refreshInterval"])
        periodic = at(external, "spec.refreshPolicy", "Periodic") == "Periodic"
        if periodic and interval and interval > timedelta(0):
            self._queues["ExternalSecret"].add_after(key, interval.total_seconds())

    def _ready(self, item: Json, status: str, reason: str, message: str) -> Json:
        before = condition(item, "Ready")
        now = rfc3339(self._settings.clock())
        since = before.get("lastTransitionTime", now) if before.get("status") == status else now
        found = {"type": "Ready", "status": status, "reason": reason, "message": message}
        return found | {"lastTransitionTime": since}

    # --- stores ---------------------------------------------------------------------------------

    async def _look_at_store(self, key: Key, store: Json) -> None:
        """Write whether a store works; it is looked at again after five minutes, or if edited."""
        said = ("True", "Valid", "store validated")
        problem = ""
        try:
            said = ("False", "InvalidProviderConfig", "unable to create client")
            connect = await self._client(store, key[1])
            said = ("False", "InvalidProviderConfig", "unable to validate store")
            await connect.validate()
            said = ("True", "Valid", "store validated")
        except ProviderProblem as error:
            problem = str(error)
        status = {"capabilities": "ReadWrite", "conditions": [self._ready(store, *said)]}
        await self._api.merge(store, {"status": status}, status=True)
        kind = "Warning" if problem else "Normal"
        await self._tell(store, kind, said[1], f"{said[2]}: {problem}" if problem else said[2])
        self._queues["SecretStore"].add_after(key, self._settings.store_every_s)

    # --- events ---------------------------------------------------------------------------------

    async def _tell(self, item: Json, kind: str, reason: str, message: str) -> None:
        """Write an event; the same one again only counts."""
        meta, now = item["metadata"], rfc3339(self._settings.clock())
        known = self._events.get((meta["uid"], message))
        if known is not None:
            patch = {"count": known["count"] + 1, "lastTimestamp": now}
            self._events[meta["uid"], message] = await self._api.merge(known, patch)
            return
        about = {"kind": item["kind"], "apiVersion": item["apiVersion"], "name": meta["name"]}
        about |= {"namespace": meta.get("namespace", ""), "uid": meta["uid"]}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name']}.{secrets.token_hex(8)}",
                "namespace": meta.get("namespace", "default"),
            },
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "external-secrets"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._events[meta["uid"], message] = await self._api.create(event)


def _key(item: Json) -> Key:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _first_key(spec: Json) -> str:
    """Return how ESO begins a message about its first key, where it stops if the store fails."""
    if entries := spec.get("data"):
        return f"error processing spec.data[0] (key: {entries[0]['remoteRef']['key']}), err: "
    return "error processing spec.dataFrom[0].extract, err: "


def _kind_name_namespace(key: Key) -> Key:
    return key[0], key[2], key[1]


def _occasion(item: Json) -> Json:
    wanted = ("generation", "labels", "annotations", "deletionTimestamp", "uid")
    return {name: item["metadata"].get(name) for name in wanted}


def _interval_fails(item: Json) -> bool:
    if item["kind"] != "ExternalSecret":
        return False
    return go_duration(str(item["spec"].get("refreshInterval", "1h"))) is None
