# SPDX-License-Identifier: Apache-2.0
"""From which vault, item and fields an ExternalSecret takes the keys of its Secret.

Secret's data key ──template──▶ ExternalSecret's secretKey ──remoteRef──▶ item, field label
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from lokeys.core.json_fields import Json, at, mappings_at, number_at, text_at
from lokeys.core.model import SecretKeyRef

_DEFAULT_LABEL = "password"
# The one kind of template that says plainly where a value comes from.
_PLAIN_TEMPLATE = re.compile(r"\s*\{\{-?\s*\.(\w+)\s*(?:\|\s*toString\s*)?-?\}\}\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemField:
    """A field of an item, by label; of a 1Password item that is found by title or id."""

    item: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """The 1Password Connect behind a store. `vaults` in the order in which they are searched."""

    url: str
    vaults: tuple[str, ...]
    token: SecretKeyRef
    token_namespace: str | None


def connect_of(store: Json) -> Connect | None:
    """Return the Connect server that a SecretStore uses, None where it uses something else."""
    provider = at(store, "spec", "provider", "onepassword")
    token = at(provider, "auth", "secretRef", "connectTokenSecretRef")
    url = text_at(provider, "connectHost")
    if not url:
        return None
    order = at(provider, "vaults")
    vaults = sorted(order, key=partial(number_at, order)) if isinstance(order, Mapping) else []
    namespace = text_at(token, "namespace") or text_at(store, "metadata", "namespace")
    return Connect(
        url=url,
        vaults=tuple(vaults),
        token=SecretKeyRef(name=text_at(token, "name"), key=text_at(token, "key")),
        token_namespace=namespace or None,
    )


def provider_of(store: Json) -> str:
    """Return the name of a store's provider, `onepassword` for Connect; nothing if it has none."""
    provider = at(store, "spec", "provider")
    return next(iter(provider), "") if isinstance(provider, Mapping) else ""


def field_of(external_secret: Json, data_key: str) -> ItemField | None:
    """Return which field of which item feeds a data key of the Secret, None if that is unclear."""
    spec = at(external_secret, "spec")
    name = _before_template(spec, data_key)
    if name is None:
        return None
    for entry in mappings_at(spec, "data"):
        if text_at(entry, "secretKey") == name:
            item = text_at(entry, "remoteRef", "key")
            label = text_at(entry, "remoteRef", "property") or _DEFAULT_LABEL
            if not item or label.startswith("file/"):
                return None
            return ItemField(item=item, label=label.removeprefix("field/"))
    extracts = [at(each, "extract") for each in mappings_at(spec, "dataFrom")]
    items = {text_at(extract, "key") for extract in extracts} - {""}
    rewritten = any(at(each, "rewrite") for each in mappings_at(spec, "dataFrom"))
    if len(items) != 1 or rewritten:
        return None
    return ItemField(item=items.pop(), label=name)


def _before_template(spec: Json, data_key: str) -> str | None:
    """Return the secretKey behind a data key, None where a template hides it."""
    template = at(spec, "target", "template", "data")
    if not isinstance(template, Mapping) or not template:
        return None if at(spec, "target", "template", "templateFrom") else data_key
    text = template.get(data_key)
    match = _PLAIN_TEMPLATE.fullmatch(text) if isinstance(text, str) else None
    if match is not None:
        return match[1]
    merges = text_at(spec, "target", "template", "mergePolicy") == "Merge"
    return data_key if text is None and merges else None
