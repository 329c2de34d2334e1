# SPDX-License-Identifier: Apache-2.0
"""A whole Loki, read from the manifest of its pod and the objects that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lokeys.core.kubernetes.data_keys import DataKey, value_at
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.loki.arguments import Arguments, arguments_of
from lokeys.core.kubernetes.loki.containers import (
    loki_container,
    port_of,
    template_of,
    version_of,
)
from lokeys.core.kubernetes.loki.environment import (
    ContainerEnvironment,
    environment_of,
    sources_named,
)
from lokeys.core.kubernetes.loki.expansion import NotExpandable, expanded
from lokeys.core.kubernetes.loki.faults import (
    not_expanded,
    not_set,
    of_identity,
    replaced,
    written,
)
from lokeys.core.kubernetes.loki.files import Files, files_of
from lokeys.core.kubernetes.loki.identity import account_of, identity_of
from lokeys.core.kubernetes.loki.marks import Marks, unmarked
from lokeys.core.kubernetes.loki.model import (
    WITH_RULER,
    ConfigurationFault,
    LokiStorage,
    Misconfiguration,
    RulerStorage,
    RunningLoki,
)
from lokeys.core.kubernetes.loki.sections import StorageSection, ruler_section_of, section_of
from lokeys.core.kubernetes.loki.settings import S3Settings
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES
from lokeys.core.place import Ref

_SHOWN = 253
"""Characters of a path that are shown."""
MAX_NAMED = 64
"""Limit for the objects that one Loki names and that are read for it."""
Parse = Callable[[str], object]
"""Parses untrusted YAML; returns None if it is not valid or too large."""


def named_by(workload: Json, *, namespace: str | None) -> tuple[Ref, ...]:
    """Return the Secrets, ConfigMaps and account that `reading_of` needs; empty: not a Loki."""
    template = template_of(workload)
    container = loki_container(template)
    if container is None:
        return ()
    files = files_of(at(template, "spec") or {}, container, namespace)
    found = (
        account_of(template, namespace),
        *sources_named(container, namespace),
        *(source.ref for source in files.sources()),
    )
    return tuple(dict.fromkeys(found))[:MAX_NAMED]


def reading_of(
    workload: Json, *, owner: Ref, held: Mapping[Ref, Json], parse: Parse
) -> RunningLoki | None:
    """Return what is known about the Loki in a workload's pods, or in a pod; None if none runs.

    `held` has those objects of `named_by` that could be read.
    """
    template = template_of(workload)
    container = loki_container(template)
    if container is None:
        return None
    environment = environment_of(container, namespace=owner.namespace, held=held)
    marks = Marks()
    arguments = arguments_of(container, environment, marks)
    if arguments.by_shell:
        environment = ContainerEnvironment(
            settings=environment.settings, unread=environment.unread, open=True
        )
    files = files_of(at(template, "spec") or {}, container, owner.namespace)
    chosen = _chosen(arguments, files, held, parse, marks)
    seen = _seen(chosen, arguments, environment, marks, parse)
    section = section_of(seen.document, arguments, chosen.file)
    literal = [*written(section, marks, environment)]
    meant = [(each.field, _as_meant(each.meant, environment, marks)) for each in literal]
    section = replaced(section, meant)
    account = held.get(account_of(template, owner.namespace))
    identity = identity_of(section.backend, template, environment, owner=owner, account=account)
    settings = S3Settings(section, marks, environment)
    storage, pair = settings.storage(), settings.pair(supposed=identity is None)
    version, targets = version_of(container), _targets(seen.document, arguments)
    ruler = ruler_section_of(seen.document, arguments, chosen.file, newer=section.newer_client)
    faults: list[ConfigurationFault] = [*seen.faults]
    if not seen.faults:
        own = [each for each in literal if not (each.in_arguments and arguments.by_shell)]
        faults += not_expanded([] if chosen.guessed else own)
        # An account that cannot be read may have a role.
        fed = bool(pair or identity) or account is None
        faults += not_set(section, marks, literal, fed=fed, of_aws=storage.of_aws)
        faults += _half(settings, faults)
        faults += of_identity(storage, pair, identity, version)
    return RunningLoki(
        container=text_at(container, "name"),
        port=port_of(container),
        version=version,
        targets=targets,
        file=chosen.file,
        guessed=chosen.guessed,
        expands=arguments.is_on("config.expand-env"),
        unseen=seen.unseen or chosen.unseen,
        storage=storage if seen.faults == () else LokiStorage(),
        pair=pair,
        identity=identity,
        faults=tuple(faults),
        ruler=_ruler(ruler, settings) if targets & WITH_RULER and not seen.faults else None,
        variables=tuple(_variables(section, marks)),
    )


def _ruler(section: StorageSection | None, settings: S3Settings) -> RulerStorage | None:
    """Return the ruler's own store, if it has one; `settings` are those of the other components."""
    if section is None:
        return None
    own = S3Settings(section, settings.marks, settings.environment)
    return RulerStorage(
        storage=own.storage(),
        pair=own.pair(supposed=False),
        same_pair=own.has_pair_of(settings),
    )


def _variables(section: StorageSection, marks: Marks) -> Iterator[tuple[str, DataKey]]:
    for given in section.fields.values():
        for each in marks.within(given.text):
            if each.setting is not None and each.setting.origin is not None:
                yield each.name, each.setting.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """The file that Loki reads, and its text."""

    file: DataKey | None = None
    text: str = field(default="", repr=False)
    guessed: bool = False
    unseen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is in the file."""

    document: object = field(default=None, repr=False)
    unseen: str = ""
    faults: tuple[ConfigurationFault, ...] = ()


def _chosen(
    arguments: Arguments, files: Files, held: Mapping[Ref, Json], parse: Parse, marks: Marks
) -> _Chosen:
    """Return the first file that exists; if no argument names one, any that fits."""
    unseen = ""
    for path in arguments.files:
        keys = files.candidates(marks.filled(path) or "")
        if keys is None:
            unseen = unseen or f"{path[:_SHOWN]} is on no volume of a Secret or ConfigMap"
            continue
        for key in keys:
            text = value_at(key, held)
            if text is not None:
                return _Chosen(file=key, text=text)
            if key.ref not in held:
                unseen = unseen or f"{key.ref} could not be read"
    if "config.file" in arguments.flags:
        return _Chosen(unseen=unseen or f"{arguments.files[0][:_SHOWN]} does not exist")
    for key in files.any_yaml(held):
        text = value_at(key, held) or ""
        document = parse(unmarked(text)) if len(text) <= MAX_LOKI_CONFIG_BYTES else None
        if isinstance(document, Mapping) and {"storage_config", "common"} & document.keys():
            return _Chosen(file=key, text=text, guessed=True)
    return _Chosen(unseen=unseen or f"{arguments.files[0][:_SHOWN]} does not exist")


def _seen(
    chosen: _Chosen,
    arguments: Arguments,
    environment: ContainerEnvironment,
    marks: Marks,
    parse: Parse,
) -> _Seen:
    if chosen.file is None:
        return _Seen()
    if len(chosen.text) > MAX_LOKI_CONFIG_BYTES:
        return _Seen(unseen=f"{chosen.file} is too large")
    text: str | None = unmarked(chosen.text)
    if arguments.is_on("config.expand-env"):
        try:
            text = expanded(chosen.text, environment, marks)
        except NotExpandable as wrong:
            fault = ConfigurationFault(
                kind=Misconfiguration.NOT_EXPANDABLE, names=(wrong.expression,), line=wrong.line
            )
            return _Seen(document=parse(unmarked(chosen.text)), faults=(fault,))
    document = None if text is None else parse(text)
    if isinstance(document, Mapping):
        return _Seen(document=document)
    return _Seen(unseen=f"{chosen.file} cannot be read as Loki's configuration")


def _as_meant(text: str, environment: ContainerEnvironment, marks: Marks) -> str:
    """Return a field with its variables expanded, so that the pair can be followed."""
    try:
        return expanded(text, environment, marks) or ""
    except NotExpandable:
        return ""


def _half(settings: S3Settings, found: list[ConfigurationFault]) -> tuple[ConfigurationFault, ...]:
    """Half a pair, if no missing variable explains it."""
    if found or not settings.has_half_a_pair():
        return ()
    return (ConfigurationFault(kind=Misconfiguration.HALF_A_PAIR),)


def _targets(document: object, arguments: Arguments) -> frozenset[str]:
    named = arguments.text("target")
    if named is None:
        found = at(document, "target")
        named = ",".join(map(str, found)) if isinstance(found, list) else str(found or "all")
    return frozenset(word.strip() for word in named.split(",")[:64]) or frozenset({"all"})
