# SPDX-License-Identifier: Apache-2.0
"""A whole ExternalSecret: what each key of its Secret is made of.

    store ──extract, find──▶ rewrite or conversion ─╮
    store ──data──────────▶ secretKey ──────────────┴▶ fields ──template──▶ keys of the Secret

Later entries win: dataFrom in its order, then data. For keys: the fields themselves (without a
template, or if it merges), templateFrom, template.data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from lokeys.core.kubernetes.external_secrets.functions import DECODING, Call, decoded, encoded
from lokeys.core.kubernetes.external_secrets.renaming import Renaming, Unknown, renaming_of
from lokeys.core.kubernetes.external_secrets.template import (
    NotFollowed,
    Parts,
    Variable,
    parsed,
    through,
)
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Ref

DEFAULT_INTERVAL = "1h"
_NO_MAKER = frozenset({"None", "Merge"})
_MERGES = frozenset({"Merge", "CreateOrMerge"})
_AS_IT_IS = ("", "None")
_ENGINE = "v2"
_MAX_SOURCES = 32
"""Entries of `dataFrom` that are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What is read: a key of a store, and a property of it; empty: the provider's default."""

    store: Ref | None
    key: str
    property: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A value that External Secrets reads, under its name before the template.

    `renaming` is set if `remote` has several fields (`extract`): it is the one that is called
    `name` after renaming.
    """

    name: str
    remote: Remote
    decoding: tuple[Call, ...] = ()
    renaming: Renaming | None = None


@dataclass(frozen=True, slots=True)
class Piped:
    """A field, and the functions that are applied to its value before it is in the Secret."""

    field: Field
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """What a key of the Secret holds: texts and fields in order."""

    parts: tuple[str | Piped, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields in it."""
        return tuple(part.field for part in self.parts if isinstance(part, Piped))

    @property
    def alone(self) -> Field | NotFollowed:
        """Return the field whose value this is, if a key from a store arrives unchanged."""
        piped = [part for part in self.parts if not isinstance(part, str) or part.strip()]
        if len(piped) != 1 or isinstance(piped[0], str):
            return NotFollowed("the template makes it of more or less than one field")
        changed = [call.name for call in piped[0].calls if not call.harmless]
        if changed:
            return NotFollowed(f"`{changed[0]}` changes the value on its way")
        return piped[0].field

    def of(self, read: Callable[[Field], bytes | None]) -> bytes | None:
        """Return the key's value, given what `read` returns; None if it is not known."""
        texts: list[str] = []
        for part in self.parts:
            text = part if isinstance(part, str) else _piped(part, read(part.field))
            if text is None:
                return None
            texts.append(text)
        return encoded("".join(texts))


def _piped(part: Piped, found: bytes | None) -> str | None:
    return None if found is None else through(part.calls, decoded(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """An entry of `dataFrom`: many fields, whose names the store knows."""

    remote: Remote
    decoding: tuple[Call, ...]
    renaming: Renaming | NotFollowed

    def field(self, name: str) -> Field | NotFollowed | None:
        """Return the field that is called `name` here; None if there cannot be one."""
        if isinstance(self.renaming, NotFollowed):
            return self.renaming
        if self.renaming.before(name) is Unknown.NONE:
            return None
        return Field(name=name, remote=self.remote, decoding=self.decoding, renaming=self.renaming)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSecret:
    """What an ExternalSecret says. `target` is empty if it makes another object than a Secret.

    `stores` in the order in which they are named: the default first, then those of entries.
    """

    ref: Ref
    target: str
    creation_policy: str
    refresh_policy: str
    interval: str
    immutable: bool
    stores: tuple[Ref, ...]
    fields: Mapping[str, Field | NotFollowed] = field(repr=False)
    sources: tuple[_Source, ...] = field(repr=False)
    template: Mapping[str, str] = field(repr=False)
    template_from: bool
    engine: str
    keeps_fields: bool

    @property
    def makes_secret(self) -> bool:
        """Tell whether it creates a Secret."""
        return bool(self.target) and self.creation_policy not in _NO_MAKER

    @property
    def merges(self) -> bool:
        """Tell whether it adds to a Secret that exists."""
        return bool(self.target) and self.creation_policy in _MERGES

    @property
    def reads_whole_item(self) -> bool:
        """Tell whether one read returns both halves of a pair: only extract, no single keys."""
        return any(source.remote.key for source in self.sources) and not self.fields

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys of the Secret that it names."""
        return frozenset((*self.template, *(self.fields if self.keeps_fields else ())))

    @property
    def names_all_keys(self) -> bool:
        """Tell whether `keys` are all that it makes."""
        return not self.template_from and not (self.keeps_fields and self.sources)

    def value(self, key: str) -> Value | NotFollowed:
        """Return what a key of the Secret is made of, or why that cannot be determined."""
        text = self.template.get(key)
        if text is not None:
            return self._templated(text)
        if self.template_from:
            return NotFollowed("its template is in `templateFrom`")
        if not self.keeps_fields:
            return NotFollowed("its template does not make this key")
        return self._made((Variable(key),))

    def literal(self, key: str) -> str | None:
        """Return a key's value if it is text in the template; None if it comes from a store."""
        value = self.value(key)
        if isinstance(value, NotFollowed) or value.fields:
            return None
        return "".join(part for part in value.parts if isinstance(part, str))

    def field_of(self, key: str) -> Field | NotFollowed:
        """Return the field whose value a key of the Secret has, or why it cannot be determined."""
        value = self.value(key)
        return value if isinstance(value, NotFollowed) else value.alone

    def _templated(self, text: str) -> Value | NotFollowed:
        if self.engine != _ENGINE:
            return NotFollowed("its template is of another engine than v2")
        parts = parsed(text)
        return parts if isinstance(parts, NotFollowed) else self._made(parts)

    def _made(self, parts: Parts) -> Value | NotFollowed:
        made: list[str | Piped] = []
        for part in parts:
            if isinstance(part, str):
                made.append(part)
                continue
            found = self._field(part.name)
            if isinstance(found, NotFollowed):
                return found
            made.append(Piped(found, (*found.decoding, *part.calls)))
        return Value(tuple(made))

    def _field(self, name: str) -> Field | NotFollowed:
        if name in self.fields:
            return self.fields[name]
        found = [each for each in (source.field(name) for source in self.sources) if each]
        if not found:
            return NotFollowed("it reads nothing of this name")
        if len(found) > 1:
            return NotFollowed("more than one entry of `dataFrom` can hold it")
        return found[0]


def read(manifest: Json, *, namespace: str | None = None) -> ExternalSecret:
    """Return what an ExternalSecret says; `namespace` is used if it does not name one."""
    metadata, spec = at(manifest, "metadata"), at(manifest, "spec")
    name, namespace = text_at(metadata, "name"), text_at(metadata, "namespace") or namespace
    target = at(spec, "target")
    many = mappings_at(spec, "dataFrom")
    template = at(target, "template", "data")
    texts = {str(key): str(text) for key, text in template.items()} if _is_map(template) else {}
    template_from = bool(at(target, "template", "templateFrom"))
    merges = text_at(target, "template", "mergePolicy") == "Merge"
    return ExternalSecret(
        ref=Ref("ExternalSecret", name, namespace),
        target=target_of(manifest),
        creation_policy=text_at(target, "creationPolicy") or "Owner",
        refresh_policy=text_at(spec, "refreshPolicy") or "Periodic",
        interval=interval_of(manifest),
        immutable=at(target, "immutable") is True,
        stores=tuple(dict.fromkeys(_stores(spec, namespace))),
        fields=dict(_fields(spec, namespace)),
        sources=tuple(
            _source(each, spec, namespace, followed=len(many) <= _MAX_SOURCES) for each in many
        ),
        template=texts,
        template_from=template_from,
        engine=text_at(target, "template", "engineVersion") or _ENGINE,
        keeps_fields=merges or not (texts or template_from),
    )


def target_of(manifest: Json) -> str:
    """Return the name of the Secret that an ExternalSecret makes; empty if it makes none."""
    target = at(manifest, "spec", "target")
    named = text_at(target, "name") or text_at(manifest, "metadata", "name")
    return "" if at(target, "manifest") else named


def interval_of(manifest: Json) -> str:
    """Return how often an ExternalSecret reads its store, as it is written there."""
    interval = at(manifest, "spec", "refreshInterval")
    return DEFAULT_INTERVAL if interval is None else str(interval)


def _is_map(value: object) -> TypeGuard[Json]:
    return isinstance(value, Mapping)


def _fields(spec: Json, namespace: str | None) -> Iterator[tuple[str, Field | NotFollowed]]:
    """Yield the entries of `data`; if two have the same key, the later one wins."""
    for entry in mappings_at(spec, "data"):
        name, remote = text_at(entry, "secretKey"), at(entry, "remoteRef")
        decoding = _decoding(remote)
        if not name:
            continue
        if at(entry, "sourceRef", "generatorRef"):
            yield name, NotFollowed("a generator makes it")
        elif isinstance(decoding, NotFollowed):
            yield name, decoding
        else:
            where = _remote(remote, entry, spec, namespace)
            yield name, Field(name=name, remote=where, decoding=decoding)


def _source(entry: Json, spec: Json, namespace: str | None, *, followed: bool) -> _Source:
    extract = at(entry, "extract")
    decoding = _decoding(extract)
    renaming: Renaming | NotFollowed
    if not followed:
        renaming = NotFollowed(f"`dataFrom` has more than {_MAX_SOURCES} entries")
    elif at(entry, "find"):
        renaming = NotFollowed("`find` takes whatever the store has")
    elif at(entry, "sourceRef", "generatorRef"):
        renaming = NotFollowed("a generator makes it")
    elif isinstance(decoding, NotFollowed):
        renaming = decoding
    else:
        renaming = renaming_of(entry)
    return _Source(
        remote=_remote(extract, entry, spec, namespace),
        decoding=() if isinstance(decoding, NotFollowed) else decoding,
        renaming=renaming,
    )


def _decoding(remote: Json | None) -> tuple[Call, ...] | NotFollowed:
    strategy = text_at(remote, "decodingStrategy")
    if text_at(remote, "metadataPolicy") == "Fetch":
        return NotFollowed("`metadataPolicy: Fetch` reads no value")
    if strategy in _AS_IT_IS:
        return ()
    function = DECODING.get(strategy)
    if function is None:
        return NotFollowed("its `decodingStrategy` is not known")
    return (Call("decodingStrategy", function),)


def _remote(remote: Json | None, entry: Json, spec: Json, namespace: str | None) -> Remote:
    own = _store(at(entry, "sourceRef", "storeRef"), namespace)
    return Remote(
        store=own or _store(at(spec, "secretStoreRef"), namespace),
        key=text_at(remote, "key"),
        property=text_at(remote, "property"),
        version=text_at(remote, "version"),
    )


def _store(named: Json | None, namespace: str | None) -> Ref | None:
    name = text_at(named, "name")
    if not name:
        return None
    if text_at(named, "kind") == "ClusterSecretStore":
        return Ref("ClusterSecretStore", name)
    return Ref("SecretStore", name, namespace)


def _stores(spec: Json, namespace: str | None) -> Iterator[Ref]:
    entries = (*mappings_at(spec, "data"), *mappings_at(spec, "dataFrom"))
    own = (at(entry, "sourceRef", "storeRef") for entry in entries)
    for named in (at(spec, "secretStoreRef"), *own):
        if store := _store(named, namespace):
            yield store
