# SPDX-License-Identifier: Apache-2.0
"""Loki's configuration alone: every place where a store is configured, and what is wrong there.

    common.storage, storage_config, their object_store, named_stores     chunks and index
    ruler.storage, ruler_storage                                         rules
    compactor.delete_request_store, …shared_store, schema_config         name a store

Variables are filled in with their defaults; one without a default is assumed to be set. Findings
never contain a key's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from lokeys.core.findings.catalogue import configuration as running
from lokeys.core.findings.catalogue import configuration_alone as rules
from lokeys.core.findings.finding import Confidence, Finding, Location, ranked
from lokeys.core.kubernetes.json_fields import at, mappings_at, text_at
from lokeys.core.kubernetes.loki.environment import ContainerEnvironment
from lokeys.core.kubernetes.loki.expansion import NotExpandable, expanded
from lokeys.core.kubernetes.loki.faults import variables_written
from lokeys.core.kubernetes.loki.marks import Marks, unmarked
from lokeys.core.place import Ref
from lokeys.core.text.words import quoted, shown

Parse = Callable[[str], object]
LineOf = Callable[[tuple[str, ...]], int | None]
"""Returns the line of a path, or of its nearest parent."""
_KINDS = {
    **dict.fromkeys(("s3", "aws", "aws-dynamo"), "s3"),
    **dict.fromkeys(("gcs", "gcp", "gcp-columnkey", "bigtable"), "gcs"),
    "azure": "azure",
    "swift": "swift",
    "filesystem": "filesystem",
    "local": "filesystem",
    "bos": "bos",
    "cos": "cos",
    "alibabacloud": "alibabacloud",
    "alibaba": "alibabacloud",
}
_BUCKETS = ("bucketnames", "bucket_name", "container_name", "bucket")
_PAIR = ("access_key_id", "secret_access_key")
_MOST_PLACES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredStore:
    """One place where a store is configured. `kind`: s3, gcs, …; `newer`: for the thanos client."""

    path: tuple[str, ...]
    kind: str
    newer: bool
    settings: Mapping[str, Any]
    named: str = ""
    of_rules: bool = False

    @property
    def field(self) -> str:
        """Return its path as text."""
        return ".".join(map(shown, self.path))

    def text(self, *names: str) -> str:
        """Return the text of the first of these settings that is given."""
        found = (self.settings.get(name) for name in names)
        return next((str(each) for each in found if each not in (None, "")), "")


def stores_in(document: object) -> tuple[ConfiguredStore, ...]:
    """Return every place of a configuration where a store is configured."""
    found = [*_below(document, ("common", "storage")), *_below(document, ("storage_config",))]
    for path in (("ruler", "storage"), ("ruler_storage",)):
        newer = path == ("ruler_storage",)
        found += [*_clients(document, path, newer=newer, of_rules=True)]
    return tuple(found[:_MOST_PLACES])


def _below(document: object, path: tuple[str, ...]) -> Iterator[ConfiguredStore]:
    for place, newer in ((path, False), ((*path, "object_store"), True)):
        yield from _clients(document, place, newer=newer)
        named = at(document, *place, "named_stores")
        for client in named if isinstance(named, Mapping) else ():
            below = (*place, "named_stores", str(client))
            stores = at(document, *below)
            for name in stores if isinstance(stores, Mapping) else ():
                settings = at(stores, name)
                if str(client) in _KINDS and isinstance(settings, Mapping):
                    kind = _KINDS[str(client)]
                    where = (*below, str(name))
                    yield ConfiguredStore(
                        path=where, kind=kind, newer=newer, settings=settings, named=str(name)
                    )


def _clients(
    document: object, path: tuple[str, ...], *, newer: bool, of_rules: bool = False
) -> Iterator[ConfiguredStore]:
    section = at(document, *path)
    for client in section if isinstance(section, Mapping) else ():
        settings = at(section, client)
        if client in _KINDS and isinstance(settings, Mapping) and settings:
            yield ConfiguredStore(
                path=(*path, client),
                kind=_KINDS[client],
                newer=newer,
                settings=settings,
                of_rules=of_rules,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration that was read. `unread` says why it could not be."""

    name: str
    stores: tuple[ConfiguredStore, ...] = ()
    in_force: str = ""
    newer: bool = False
    findings: tuple[Finding, ...] = ()
    unread: str = ""


def configuration_of(
    text: str,
    *,
    name: str,
    parse: Parse,
    expands: bool | None = None,
    line_of: LineOf = lambda _: None,
) -> Configuration:
    """Return what a configuration says; `expands`: whether Loki runs with -config.expand-env=true.

    None: unknown, and treated as true, because otherwise no variable would work.
    """
    marks, environment = Marks(), ContainerEnvironment()
    plain: str | None = unmarked(text)
    if expands is not False:
        try:
            plain = expanded(text, environment, marks)
        except NotExpandable as wrong:
            return Configuration(name=name, findings=(_not_expandable(wrong, name, expands),))
    document = parse(plain) if plain is not None else None
    if not isinstance(document, Mapping):
        return Configuration(name=name, unread="it cannot be read as Loki's configuration")
    read = _Read(
        name=name,
        document=document,
        marks=marks,
        expands=expands is not False,
        line_of=line_of,
    )
    if not (read.stores or read.store):
        return Configuration(name=name, unread="it names no store, and has no schema_config")
    return Configuration(
        name=name,
        stores=read.stores,
        in_force=read.store,
        newer=read.newer,
        findings=ranked(read.findings()),
    )


def _not_expandable(wrong: NotExpandable, name: str, expands: bool | None) -> Finding:
    return running.NOT_EXPANDABLE.at(
        _ref(name),
        location=Location(file=name, line=wrong.line),
        confidence=Confidence.CERTAIN if expands else Confidence.LIKELY,
        workloads=shown(name),
        expression=wrong.expression,
        line=wrong.line,
        file=shown(name),
    )


def _ref(name: str) -> Ref:
    return Ref("Configuration", shown(name.lstrip("/")))


class _Read:
    """One configuration, parsed."""

    def __init__(
        self,
        *,
        name: str,
        document: Mapping[str, Any],
        marks: Marks,
        expands: bool,
        line_of: LineOf,
    ) -> None:
        self.name = name
        self.line_of = line_of
        self.document = document
        self.marks = marks
        self.expands = expands
        self.stores = stores_in(document)
        self.newer = at(document, "storage_config", "use_thanos_objstore") is True
        self.store = _in_force(document)

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is wrong."""
        yield from self._of_schema()
        for store in self.stores:
            yield from self._of_store(store)

    def _of_schema(self) -> Iterator[Finding]:
        own = [each for each in self.stores if not each.of_rules]
        if self.store == "filesystem":
            others = [each for each in own if each.kind != "filesystem"]
            if others:
                one = others[0]
                yield self._at(rules.FILESYSTEM_IN_FORCE, one, others=one.field, kind=one.kind)
        elif self.store:
            yield from self._of_store_in_force(own)
        deletes = text_at(self.document, "compactor", "delete_request_store")
        if deletes not in ("", "filesystem", self.store):
            yield from self._named_by("compactor.delete_request_store", deletes, own)

    def _of_store_in_force(self, own: list[ConfiguredStore]) -> Iterator[Finding]:
        yield from self._named_by("object_store", self.store, own)
        fitting = self._fitting(self.store, own)
        if fitting and not any(each.text(*_BUCKETS, "s3") for each in fitting):
            key = "bucket_name" if self.newer else "bucketnames"
            wanted = self._wanted(self.store)
            likely = Confidence.LIKELY
            yield self._finding(rules.BUCKET_MISSING, wanted, key=key, confidence=likely)

    def _named_by(self, field: str, name: str, own: list[ConfiguredStore]) -> Iterator[Finding]:
        """Yield that a store that a setting names is not configured; flags could still do that."""
        if self._fitting(name, own):
            return
        yield self._finding(
            rules.STORE_NOT_CONFIGURED,
            self._wanted(name),
            confidence=Confidence.LIKELY,
            setting=field,
            store=shown(name),
            why=self._why(name, own),
        )

    def _fitting(self, name: str, own: list[ConfiguredStore]) -> list[ConfiguredStore]:
        return [each for each in own if each.newer == self.newer and self._is_meant(each, name)]

    def _why(self, name: str, own: list[ConfiguredStore]) -> str:
        """Say what is configured instead of a store."""
        same = next((each for each in own if self._is_meant(each, name)), None)
        if same is not None:
            switch = "on" if self.newer else "off"
            return f"use_thanos_objstore is {switch}, with which {same.field} is not read"
        if not own:
            return "no store is configured"
        return f"only {', '.join(each.field for each in own[:3])} is configured"

    def _wanted(self, name: str) -> str:
        below = "storage_config.object_store" if self.newer else "storage_config"
        kind = _KINDS.get(name)
        if kind is None:
            return f"{below}.named_stores"
        return f"{below}.{'aws' if kind == 's3' and not self.newer else kind}"

    def _is_meant(self, store: ConfiguredStore, name: str) -> bool:
        if store.named:
            return store.named == name
        named = any(each.named == name for each in self.stores)
        return not named and store.kind == _KINDS.get(name)

    def _of_store(self, store: ConfiguredStore) -> Iterator[Finding]:
        yield from self._not_expanded(store)
        if store.kind != "s3":
            return
        bucket = store.text("bucketnames", "bucket_name").split(",")[0].strip()
        if "/" in bucket and not self.marks.within(bucket):
            field = "bucket_name" if store.newer else "bucketnames"
            yield self._at(rules.BUCKET_IS_PATH, store, field, value=quoted(bucket))
        one, other = (bool(store.text(name)) for name in _PAIR)
        if one != other:
            yield self._at(
                running.HALF_A_PAIR, store, workloads=f"{shown(self.name)}, {store.field}"
            )
        yield from self._of_url(store)
        yield from self._of_endpoint(store, bucket)

    def _of_url(self, store: ConfiguredStore) -> Iterator[Finding]:
        _, found, rest = store.text("s3").partition("://")
        user, has_user, _ = rest.rpartition("@")
        secret = user.partition(":")[2]
        letters = " and ".join(each for each in "/+" if each in self.marks.without(secret))
        if found and has_user and letters:
            yield self._at(
                rules.SECRET_NOT_ESCAPED,
                store,
                "s3",
                confidence=Confidence.LIKELY,
                letters=letters,
            )

    def _of_endpoint(self, store: ConfiguredStore, bucket: str) -> Iterator[Finding]:
        endpoint = store.text("endpoint")
        host = _host_of(endpoint)
        if bucket and host.startswith(f"{bucket}.") and not self.marks.within(endpoint):
            yield self._at(
                rules.BUCKET_IN_ENDPOINT,
                store,
                "endpoint",
                confidence=Confidence.LIKELY,
                value=quoted(host),
                bucket=quoted(bucket),
            )

    def _not_expanded(self, store: ConfiguredStore) -> Iterator[Finding]:
        """Yield what names a variable in a form that is not filled in here."""
        names = [
            each
            for value in store.settings.values()
            if isinstance(value, str)
            for each in variables_written(self.marks.without(value))
        ]
        if names:
            told = ", ".join(dict.fromkeys(names))
            why = (
                "Loki fills in only `${NAME}`"
                if self.expands
                else "Loki runs without -config.expand-env=true"
            )
            found = self._at(
                running.NOT_EXPANDED,
                store,
                workloads=shown(self.name),
                fields=f"{store.field} names {told}",
                why=why,
            )
            cure = found.remedy[1:2] if self.expands else found.remedy[:1]
            yield replace(found, remedy=cure)

    def _at(self, rule: Any, store: ConfiguredStore, setting: str = "", **words: Any) -> Finding:
        field = f"{store.field}.{setting}" if setting else store.field
        return self._finding(rule, field, field=field, **words)

    def _finding(self, rule: Any, wanted: str, **words: Any) -> Finding:
        field = words.pop("field", wanted)
        found: Finding = rule.at(
            _ref(self.name),
            location=Location(file=self.name, line=self.line_of(tuple(field.split(".")))),
            field=field,
            name=shown(self.name),
            wanted=wanted,
            **words,
        )
        return found


def _in_force(document: object) -> str:
    """Return the store in the last entry of the schema."""
    periods = mappings_at(document, "schema_config", "configs")
    dated = sorted(periods, key=lambda period: str(period.get("from", "")))
    return text_at(dated[-1], "object_store") if dated else ""


def _host_of(endpoint: str) -> str:
    try:
        return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
    except ValueError:
        return ""
