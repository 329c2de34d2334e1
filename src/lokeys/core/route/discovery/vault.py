# SPDX-License-Identifier: Apache-2.0
"""Which vault an ExternalSecret takes a pair from, as far as its fields can be followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lokeys.core.kubernetes.external_secrets.onepassword import (
    ConnectStore,
    ItemField,
    connect_of,
    item_field,
    provider_of,
)
from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret, Field, Value
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.json_fields import Json, at
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import UNKNOWN, Notes
from lokeys.core.route.model import OnePasswordVault, PairKeys, SecretRef
from lokeys.core.text.urls import as_printed

_DELIVERY = "spec.secret.externalSecret"
_CONNECT = "spec.vault.onePassword.connect"
_COMPARED = "source and Secret are compared, and what lies between stays with you"

_MARK = "lokeys-field-"

Parse = Callable[[str], object]
Fields = list[Field | NotFollowed]


def fields_of(external: ExternalSecret, keys: PairKeys) -> Fields:
    """Return where an ExternalSecret takes each half of the pair from."""
    return [external.field_of(key) for key in (keys.access_key_id, keys.secret_access_key)]


def fields_in(external: ExternalSecret, place: SecretRef, parse: Parse) -> Fields:
    """Return where an ExternalSecret takes each half of the pair in a place from.

    Within a text, a field is found by a mark in its place.
    """
    if place.inside is None:
        return fields_of(external, place.keys)
    value = external.value(place.inside)
    if isinstance(value, NotFollowed):
        return [value, value]
    pieces = [
        part if isinstance(part, str) else f"{_MARK}{number}"
        for number, part in enumerate(value.parts)
    ]
    document = parse("".join(pieces))
    paths = (place.keys.access_key_id, place.keys.secret_access_key)
    return [_marked(value, at(document, *path.split("."))) for path in paths]


def _marked(value: Value, found: object) -> Field | NotFollowed:
    for number, part in enumerate(value.parts):
        if found == f"{_MARK}{number}" and not isinstance(part, str):
            return Value((part,)).alone
    return NotFollowed("the template does not make it of one field")


def store_of(external: ExternalSecret, fields: Fields) -> Ref | None:
    """Return the store that the pair comes from; if none is named, the first one."""
    named = stores_of(fields) - {None}
    return next(iter(sorted(named, key=str)), next(iter(external.stores), None))


def stores_of(fields: Fields) -> set[Ref | None]:
    """Return all stores that some fields come from."""
    return {each.remote.store for each in fields if isinstance(each, Field)}


def vault_of(
    store: Json, fields: Fields, *, namespace: str
) -> tuple[OnePasswordVault | None, Notes]:
    """Return the vault behind a store, None if it cannot be followed, and notes about it."""
    connect = connect_of(store)
    if connect is None:
        name = provider_of(store) or "unknown"
        note = f"its provider `{name}` is one that lokeys cannot read: {_COMPARED}"
        return None, {_DELIVERY: note}
    labelled = [each if isinstance(each, NotFollowed) else item_field(each) for each in fields]
    if len(stores_of(fields)) > 1:
        labelled.append(NotFollowed("the two keys come from different stores"))
    lost = next((each for each in labelled if isinstance(each, NotFollowed)), None)
    if lost is not None:
        return None, {_DELIVERY: f"the vault's fields are not followed: {lost.why}; {_COMPARED}"}
    pair = [each for each in labelled if isinstance(each, ItemField)]
    return _onepassword(connect, pair, namespace), _notes(connect, pair, namespace)


def _onepassword(
    connect: ConnectStore, pair: Sequence[ItemField], namespace: str
) -> OnePasswordVault:
    there = connect.token_namespace
    labels = [each.label for each in pair]
    return OnePasswordVault(
        url=as_printed(connect.url) or UNKNOWN,
        token=SecretKeyRef(name=connect.token.name or UNKNOWN, key=connect.token.key or "token"),
        token_namespace=None if there == namespace else there,
        vault=next(iter(connect.vaults), UNKNOWN),
        item=_items(pair)[0] or UNKNOWN,
        fields=PairKeys(access_key_id=labels[0], secret_access_key=labels[1]),
    )


def _items(pair: Sequence[ItemField]) -> list[str]:
    return sorted({each.item for each in pair})


def _notes(connect: ConnectStore, pair: Sequence[ItemField], namespace: str) -> Notes:
    notes: Notes = {}
    items = _items(pair)
    if len(items) > 1:
        notes["spec.vault"] = (
            f"{UNKNOWN}: the two keys come from different items ({', '.join(items)}), "
            "and a pair is written as one"
        )
    if not all(each.certain for each in pair):
        notes["spec.vault.onePassword.fields"] = (
            "as External Secrets names them; where the item's label has another character than "
            "`_`, it is found all the same"
        )
    if not as_printed(connect.url):
        notes[f"{_CONNECT}.url"] = (
            f"{UNKNOWN}: `connectHost` is not an address alone: scheme, host, port and path"
        )
    notes[f"{_CONNECT}.tokenSecretRef"] = _token_note(connect.token_namespace, namespace)
    if len(connect.vaults) > 1:
        others = ", ".join(connect.vaults)
        notes["spec.vault.onePassword.vault"] = f"the first of several that are searched: {others}"
    return notes


def _token_note(there: str | None, namespace: str) -> str:
    if there and there != namespace:
        return (
            f"as External Secrets has it, in namespace {there}: for the operator its owner allows "
            f"{namespace}; lokeys needs one that may also write the item"
        )
    return "as External Secrets has it; lokeys needs one that may also write the item"
