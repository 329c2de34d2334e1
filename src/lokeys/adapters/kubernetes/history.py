# SPDX-License-Identifier: Apache-2.0
"""The ConfigMap with a route's receipts: read, and written by server-side apply.

A ConfigMap of that name with another owner, or none, is never written, and is not used as the
route's.
"""

from __future__ import annotations

from lokeys.core.kubernetes.json_fields import Json, mappings_at, text_at
from lokeys.core.place import Ref
from lokeys.core.route.receipts.kept import (
    DATA_KEY,
    Kept,
    history_ref,
    kept_in,
    receipt_to_json,
    text_of,
    with_receipt,
)
from lokeys.core.route.receipts.model import Receipt
from lokeys.errors import Conflict, NeedsHuman, NotFound
from lokeys.kube.client import Api, Object
from lokeys.kube.resources import CONFIG_MAP, STORAGE_CREDENTIAL
from lokeys.ports import Objects

MANAGER = "lokeys-history"
_TRIES = 3


class RouteHistory:
    """Keeps receipts beside the resource that they are about."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def keep(self, resource: Json, receipt: Receipt) -> None:
        """Keep a receipt as it is now, instead of an earlier state of it.

        Raises NeedsHuman if the name is taken, Forbidden, Conflict if others keep writing.
        """
        for left in reversed(range(_TRIES)):
            try:
                return await self._keep(resource, receipt)
            except Conflict:
                if not left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    async def _keep(self, resource: Json, receipt: Receipt) -> None:
        route = _ref_of(resource)
        place = history_ref(route)
        try:
            found = await self._api.get(CONFIG_MAP, place.name, namespace=place.namespace)
        except NotFound:
            known, held = Kept(), {}
        else:
            _insist_on_owner(found, resource, place)
            known = kept_in(found)
            held = {name: found["metadata"][name] for name in ("uid", "resourceVersion")}
        receipts = with_receipt(known.receipts, receipt_to_json(receipt))
        data = {DATA_KEY: text_of(f"{route.namespace}/{route.name}", receipts)}
        body = {"metadata": _metadata(place, resource) | held, "data": data}
        await self._api.apply(CONFIG_MAP, body, field_manager=MANAGER)


async def history_of(objects: Objects, resource: Json) -> Kept:
    """Return a route's receipts; raises NotFound, NeedsHuman if another owns it, Forbidden."""
    place = history_ref(_ref_of(resource))
    found = await objects.get(place)
    _insist_on_owner(found, resource, place)
    return kept_in(found)


def _ref_of(resource: Json) -> Ref:
    name, namespace = (text_at(resource, "metadata", part) for part in ("name", "namespace"))
    return Ref(STORAGE_CREDENTIAL.kind, name, namespace)


def _insist_on_owner(found: Json, resource: Json, place: Ref) -> None:
    uid = text_at(resource, "metadata", "uid")
    owners = mappings_at(found, "metadata", "ownerReferences")
    if not uid or uid not in {text_at(owner, "uid") for owner in owners}:
        raise NeedsHuman(f"{place} was not made for {_ref_of(resource)}, so it holds no receipts")


def _metadata(place: Ref, resource: Json) -> Object:
    owner = {
        "apiVersion": STORAGE_CREDENTIAL.api_version,
        "kind": STORAGE_CREDENTIAL.kind,
        "name": text_at(resource, "metadata", "name"),
        "uid": text_at(resource, "metadata", "uid"),
    }
    return {
        "name": place.name,
        "namespace": place.namespace,
        "labels": {"app.kubernetes.io/managed-by": "lokeys"},
        "ownerReferences": [owner],
    }
