# SPDX-License-Identifier: Apache-2.0
"""SecretStores on 1Password Connect, and which item fields, by label, External Secrets reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from lokeys.core.kubernetes.external_secrets.reading import Field
from lokeys.core.kubernetes.external_secrets.renaming import Conversion, Unknown
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.json_fields import Json, at, number_at, text_at
from lokeys.core.kubernetes.references import SecretKeyRef

_DEFAULT_LABEL = "password"
_FIELD, _FILE = "field/", "file/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemField:
    """A field of a 1Password item, by its label; the item is found by title or id.

    `certain` is False if a label with other characters gives the same name in External Secrets.
    """

    item: str
    label: str
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectStore:
    """The 1Password Connect behind a store. `vaults` in the order in which they are searched.

    `token_namespace` None: the namespace of the object that reads through the store.
    """

    url: str
    vaults: tuple[str, ...]
    token: SecretKeyRef
    token_namespace: str | None


def connect_of(store: Json) -> ConnectStore | None:
    """Return the Connect server that a SecretStore uses, None where it uses something else."""
    provider = at(store, "spec", "provider", "onepassword")
    token = at(provider, "auth", "secretRef", "connectTokenSecretRef")
    if not isinstance(provider, Mapping):
        return None
    order = at(provider, "vaults")
    vaults = sorted(order, key=partial(number_at, order)) if isinstance(order, Mapping) else []
    own = text_at(store, "metadata", "namespace")
    # For a SecretStore, External Secrets reads the token only in the store's own namespace.
    namespace = own or text_at(token, "namespace")
    return ConnectStore(
        url=text_at(provider, "connectHost"),
        vaults=tuple(map(str, vaults)),
        token=SecretKeyRef(name=text_at(token, "name"), key=text_at(token, "key")),
        token_namespace=namespace or None,
    )


def provider_of(store: Json) -> str:
    """Return the name of a store's provider, `onepassword` for Connect; empty if it has none."""
    provider = at(store, "spec", "provider")
    return str(next(iter(provider), "")) if isinstance(provider, Mapping) else ""


def item_field(field: Field) -> ItemField | NotFollowed:
    """Return the item field behind a field, or why it cannot be determined."""
    remote = field.remote
    if remote.property.startswith(_FILE):
        return NotFollowed("it is a file of the item")
    label = remote.property.removeprefix(_FIELD)
    if field.renaming is None:
        return ItemField(item=remote.key, label=label or _DEFAULT_LABEL)
    before = field.renaming.before(field.name)
    if label:
        if field.renaming.new(label) != field.name:
            return NotFollowed("it reads nothing of this name")
        return ItemField(item=remote.key, label=label)
    if isinstance(before, Unknown):
        if not all(isinstance(step, Conversion) for step in field.renaming.steps):
            return NotFollowed("`rewrite` gives several labels this name")
        return ItemField(item=remote.key, label=field.name, certain=False)
    return ItemField(item=remote.key, label=before)
