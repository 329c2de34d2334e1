# SPDX-License-Identifier: Apache-2.0
"""A Rook stand-in: does what Rook 1.20.6 was measured to do to its users, traps included.

    async with Rook(api, rgw): ...          leaving and entering again is a restart of Rook

The traps that matter to a key: it never looks at RGW by itself; without `spec.keys` it keeps the
smallest id and deletes all others, at RGW first; it panics where no key is left, and stays Ready;
with `spec.keys` it removes before it creates, and blanks the Secret that it generates.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from lokeys.clock import utc_now
from lokeys.demo.parts.rook_rgw import RgwError, RookRgw
from lokeys.errors import LokeysError, NotFound
from lokeys.kube.client import Api, Object, Resource
from lokeys.kube.informer import InformerSet, Scope
from lokeys.kube.queue import WorkQueue
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER as USER
from lokeys.kube.resources import EVENT, SECRET

FINALIZER = "cephobjectstoreuser.ceph.rook.io"
CEPH_CLUSTER = Resource("ceph.rook.io", "v1", "cephclusters", "CephCluster")
_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a user."""
Pairs = dict[str, str]
"""Secret keys by their access key ids."""


class _Failure(Exception):
    """A reconcile that fails loudly: phase, event, retry."""


class _Panic(Exception):
    """A reconcile that fails in silence: Rook recovers, and nothing is written or retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RookSettings:
    """How the stand-in behaves. `write_gap_s`: from the change at RGW to the Secret (measured)."""

    write_gap_s: float = 0.03
    first_retry_s: float = 0.1
    clock: Callable[[], datetime] = utc_now


class Rook:
    """The controller. `reconciles` counts the passes over each user since it started."""

    def __init__(self, api: Api, rgw: RookRgw, settings: RookSettings | None = None) -> None:
        self._api = api
        self._rgw = rgw
        self._settings = settings or RookSettings()
        self._users: dict[Key, Object] = {}
        self.reconciles: dict[Key, int] = {}

    async def __aenter__(self) -> Self:
        self._users = {}
        self.reconciles = {}
        self._queue: WorkQueue[Key] = WorkQueue(
            first_delay_s=self._settings.first_retry_s, max_delay_s=1000.0
        )
        self._informers = InformerSet(self._api)
        await self._informers.__aenter__()
        self._informers.subscribe(Scope(resource=USER), self._on_user)
        self._informers.subscribe(Scope(resource=SECRET), self._on_secret)
        self._informers.subscribe(Scope(resource=CEPH_CLUSTER), self._on_cluster)
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.shut_down()
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        await self._informers.__aexit__(exc_type, exc, trace)

    # --- what makes it look ---------------------------------------------------------------------

    def _on_user(self, old: Object | None, new: Object | None) -> None:
        """Look at new users, edited specs and deletions; labels and annotations are nothing."""
        if new is None:
            self._users.pop(_key(old or {}), None)
            return
        self._users[_key(new)] = new
        if old is None or _occasion(old) != _occasion(new):
            self._queue.add(_key(new))

    def _on_secret(self, old: Object | None, new: Object | None) -> None:
        """Look where a generated Secret's data changed, or a referenced one changed at all."""
        secret = new or old or {}
        namespace, name = _key(secret)
        edited = old is not None and (new is None or old.get("data") != new.get("data"))
        for key, user in self._users.items():
            owned = edited and name == generated_name(user)
            if key[0] == namespace and (owned or name in _referenced(user)):
                self._queue.add(key)

    def _on_cluster(self, old: Object | None, new: Object | None) -> None:
        """Look at all users when a CephCluster's spec is edited."""
        if old and new and _occasion(old) != _occasion(new):
            for key in self._users:
                self._queue.add(key)

    async def _work(self) -> None:
        """One worker, as by default: a gateway that hangs keeps all users waiting."""
        while True:
            key = await self._queue.get()
            try:
                await self._look(key)
            except LokeysError as error:
                _log.warning("%s: %s", "/".join(key), error)
                self._queue.add_rate_limited(key)
            finally:
                self._queue.done(key)

    async def _look(self, key: Key) -> None:
        try:
            user = await self._api.get(USER, key[1], namespace=key[0])
        except NotFound:
            return
        self.reconciles[key] = self.reconciles.get(key, 0) + 1
        try:
            await self._reconcile(user)
        except _Panic as panic:
            _log.error("%s: panic recovered: %s", "/".join(key), panic)
        except (_Failure, RgwError) as error:
            await self._set_status(user, {"phase": "ReconcileFailed"})
            await self._tell(user, "Warning", "ReconcileFailed", f"failed to reconcile: {error}")
            self._queue.add_rate_limited(key)
        else:
            self._queue.forget(key)

    # --- one pass -------------------------------------------------------------------------------

    async def _reconcile(self, user: Object) -> None:
        if "deletionTimestamp" in user["metadata"]:
            await self._delete(user)
            return
        await self._add_finalizer(user)
        references = user["spec"].get("keys") or []
        if references:
            await self._apply_references(user, references)
        else:
            await self._keep_smallest(user)
        status = {
            "observedGeneration": user["metadata"]["generation"],
            "phase": "Ready",
            "info": {"secretName": generated_name(user)},
        }
        await self._set_status(user, status)
        await self._tell(user, "Normal", "ReconcileSucceeded", "successfully configured user")

    async def _keep_smallest(self, user: Object) -> None:
        """Delete all keys but the smallest id, then write the Secret."""
        uid = user["metadata"]["name"]
        live = await self._live(user, generate_key=True)
        if not live:
            raise _Panic("index out of range [0] with length 0")
        kept, *others = live
        for key_id in others:
            await self._rgw.remove_key(uid, key_id)
        await asyncio.sleep(self._settings.write_gap_s)
        await self._write_secret(user, kept, live[kept])
        if (user.get("status") or {}).get("keys"):
            await self._set_status(user, {"keys": None})

    async def _apply_references(self, user: Object, references: list[Any]) -> None:
        """Make RGW's keys those of the referenced Secrets, and blank the generated one."""
        wanted, used = await self._wanted(user, references)
        live = await self._live(user, generate_key=False)
        uid = user["metadata"]["name"]
        for key_id, secret in live.items():
            if wanted.get(key_id) != secret:
                await self._rgw.remove_key(uid, key_id)
        for key_id, secret in wanted.items():
            if key_id and live.get(key_id) != secret:
                await self._rgw.add_key(uid, key_id, secret)
        await self._write_secret(user, "", "")
        await self._set_status(user, {"keys": used})

    async def _wanted(self, user: Object, references: list[Any]) -> tuple[Pairs, list[Object]]:
        """Return the listed pairs (values are taken as they are), and the Secrets they are from."""
        wanted: Pairs = {}
        used: dict[str, Object] = {}
        for reference in references:
            halves: list[str] = []
            for part in ("accessKeyRef", "secretKeyRef"):
                selector = reference.get(part)
                if not selector or not selector.get("name"):
                    raise _Panic("invalid memory address or nil pointer dereference")
                secret = await self._referenced_secret(user, selector["name"])
                used[selector["name"]] = secret
                value = (secret.get("data") or {}).get(selector["key"])
                if value is None:
                    named = f'"{selector["name"]}" has no key "{selector["key"]}"'
                    raise _Failure(f"failed to get user keys: secret {named}")
                halves.append(b64decode(value).decode(errors="replace"))
            wanted[halves[0]] = halves[1]
        fields = ("name", "namespace", "uid", "resourceVersion")
        rows = [{f: used[name]["metadata"][f] for f in fields} for name in sorted(used)]
        return wanted, rows

    async def _referenced_secret(self, user: Object, name: str) -> Object:
        try:
            return await self._api.get(SECRET, name, namespace=user["metadata"]["namespace"])
        except NotFound as error:
            raise _Failure(f'failed to get user keys: secrets "{name}" not found') from error

    async def _live(self, user: Object, *, generate_key: bool) -> Pairs:
        """Return the user's keys at RGW, smallest id first; make the user if it is not there."""
        name = user["metadata"]["name"]
        live = await self._rgw.keys(name)
        if live is None:
            display_name = user["spec"].get("displayName") or name
            await self._rgw.create_user(name, display_name=display_name, generate_key=generate_key)
            live = await self._rgw.keys(name)
        return live or {}

    async def _delete(self, user: Object) -> None:
        """Remove the user at RGW, refused while it owns a bucket, and let the object go."""
        namespace, name = _key(user)
        await self._rgw.remove_user(name)
        with suppress(NotFound):
            await self._api.delete(SECRET, generated_name(user), namespace=namespace)
        rest = [each for each in user["metadata"].get("finalizers", []) if each != FINALIZER]
        await self._api.merge_patch(
            USER, name, {"metadata": {"finalizers": rest}}, namespace=namespace
        )

    # --- what it writes -------------------------------------------------------------------------

    async def _add_finalizer(self, user: Object) -> None:
        present = user["metadata"].get("finalizers", [])
        if FINALIZER in present:
            return
        namespace, name = _key(user)
        patch = {"metadata": {"finalizers": [*present, FINALIZER]}}
        await self._api.merge_patch(USER, name, patch, namespace=namespace)

    async def _write_secret(self, user: Object, key_id: str, secret: str) -> None:
        """Create the generated Secret or overwrite it whole: others' labels are lost."""
        wanted = self._generated(user, key_id, secret)
        namespace, name = _key(wanted)
        try:
            found = await self._api.get(SECRET, name, namespace=namespace)
        except NotFound:
            await self._api.create(SECRET, wanted)
            return
        same = all(found.get(part) == wanted[part] for part in ("data", "type"))
        metadata = found["metadata"]
        plain = metadata.get("labels") == wanted["metadata"]["labels"]
        if not same or not plain or metadata.get("annotations"):
            await self._api.replace(SECRET, wanted)

    def _generated(self, user: Object, key_id: str, secret: str) -> Object:
        namespace, name = _key(user)
        values = {"AccessKey": key_id, "SecretKey": secret, "Endpoint": self._rgw.endpoint}
        owner = {
            "apiVersion": USER.api_version,
            "kind": USER.kind,
            "name": name,
            "uid": user["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        labels = {
            "app": "rook-ceph-rgw",
            "user": name,
            "rook_cluster": namespace,
            "rook_object_store": user["spec"]["store"],
        }
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": generated_name(user),
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [owner],
            },
            "type": "kubernetes.io/rook",
            "data": {key: b64encode(value.encode()).decode() for key, value in values.items()},
        }

    async def _set_status(self, user: Object, status: Object) -> None:
        namespace, name = _key(user)
        patch = {"status": status}
        await self._api.merge_patch(USER, name, patch, namespace=namespace, subresource="status")

    async def _tell(self, user: Object, kind: str, reason: str, message: str) -> None:
        namespace, name = _key(user)
        now = self._settings.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"apiVersion": USER.api_version, "kind": USER.kind, "name": name}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": about | {"namespace": namespace, "uid": user["metadata"]["uid"]},
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "rook-ceph-object-store-user-controller"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._api.create(EVENT, event)


def generated_name(user: Object) -> str:
    """Return the name of the Secret that is generated for a user."""
    return f"rook-ceph-object-user-{user['spec']['store']}-{user['metadata']['name']}"


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _occasion(obj: Object) -> tuple[Any, ...]:
    metadata = obj["metadata"]
    return metadata["uid"], metadata.get("generation"), metadata.get("deletionTimestamp")


def _referenced(user: Object) -> set[str]:
    """Return the names of the Secrets that `spec.keys` names."""
    references = user["spec"].get("keys") or []
    parts = (
        each.get(half) or {} for each in references for half in ("accessKeyRef", "secretKeyRef")
    )
    return {part["name"] for part in parts if part.get("name")}
