# SPDX-License-Identifier: Apache-2.0
"""Errors in a Loki's settings that do not depend on its key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lokeys.core.kubernetes.loki.environment import ContainerEnvironment
from lokeys.core.kubernetes.loki.marks import Marks
from lokeys.core.kubernetes.loki.model import (
    ConfigurationFault,
    Half,
    Identity,
    IdentityKind,
    InManifest,
    LokiStorage,
    Misconfiguration,
    PairPlace,
)
from lokeys.core.kubernetes.loki.sections import Given, StorageSection

OWN_STS_FROM = (3, 6)
"""Loki 3.6 moved to AWS's SDK v2, where an endpoint applies to the S3 client only (PR 19205)."""
_PAIR = ("key_id", "secret", "url")
_FIELDS = ("bucket", "endpoint", *_PAIR)
_BRACED = re.compile(r"\$\{([A-Za-z_]\w{0,252})[^{}]{0,253}\}", re.ASCII)
_WHOLE = re.compile(r"\$(?:\(([A-Za-z_]\w{0,252})\)|([A-Za-z_]\w{0,252}))", re.ASCII)
_LONGEST_TEXT = 4096
MAX_NAMES = 10
"""Limit for the variables that a fault names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A field whose variables reach the client unexpanded, and what was meant by it."""

    field: str
    names: tuple[str, ...]
    meant: str
    in_arguments: bool


def written(
    section: StorageSection, marks: Marks, environment: ContainerEnvironment
) -> Iterator[Written]:
    """Yield the fields in which a variable is still unexpanded after all expansion."""
    for field, given in section.fields.items():
        text = given.text
        if field not in _FIELDS or len(text) > _LONGEST_TEXT:
            continue
        in_arguments = isinstance(given.place, InManifest)
        if names := _BRACED.findall(marks.without(text)):
            yield Written(field=field, names=tuple(names), meant=text, in_arguments=in_arguments)
        elif match := _WHOLE.fullmatch(text.strip()):
            name = match[1] or match[2]
            if environment.holds(name) or match[1]:
                meant = f"${{{name}}}"
                yield Written(field=field, names=(name,), meant=meant, in_arguments=in_arguments)


def variables_written(text: str) -> tuple[str, ...]:
    """Return the variables in a text that nothing expands."""
    if len(text) > _LONGEST_TEXT:
        return ()
    whole = _WHOLE.fullmatch(text.strip())
    return tuple(_BRACED.findall(text)) or ((whole[1] or whole[2],) if whole else ())


def not_expanded(found: list[Written]) -> Iterator[ConfigurationFault]:
    """Variables that reach the client unexpanded: in the file, and in arguments."""
    for in_arguments in (False, True):
        named = [name for each in found if each.in_arguments is in_arguments for name in each.names]
        if named:
            yield ConfigurationFault(
                kind=Misconfiguration.NOT_EXPANDED,
                names=tuple(dict.fromkeys(named))[:MAX_NAMES],
                field="arguments" if in_arguments else "",
            )


def not_set(
    section: StorageSection, marks: Marks, found: list[Written], *, fed: bool, of_aws: bool
) -> Iterator[ConfigurationFault]:
    """Variables that the settings in force name and the container does not have.

    `fed`: there is still a pair or an identity. `of_aws`: there may be the node's own role.
    """
    told = {each.field for each in found}
    missing = {
        (field not in _PAIR, placed.name)
        for field, given in section.fields.items()
        if field in _FIELDS and field not in told and not (fed and field in _PAIR)
        for placed in marks.within(given.text)
        if placed.setting is None
    }
    if missing:
        yield ConfigurationFault(
            kind=Misconfiguration.NOT_SET,
            names=tuple(sorted({name for _, name in missing}))[:MAX_NAMES],
            certain=not of_aws or any(of_place for of_place, _ in missing),
        )


def of_identity(
    storage: LokiStorage,
    pair: PairPlace | None,
    identity: Identity | None,
    version: tuple[int, ...] | None,
) -> Iterator[ConfigurationFault]:
    """What prevents the use of a role: a key that is left over, or an explicit endpoint."""
    if identity is None or identity.kind is not IdentityKind.IRSA:
        return
    if pair is not None:
        yield ConfigurationFault(kind=Misconfiguration.ROLE_SHADOWED, names=_names_of(pair))
    elif (
        storage.told_endpoint
        and not storage.newer_client
        and version is not None
        and version < OWN_STS_FROM
    ):
        yield ConfigurationFault(kind=Misconfiguration.EXCHANGE_MISDIRECTED, certain=False)


def _names_of(pair: PairPlace) -> tuple[str, ...]:
    halves: tuple[Half, Half] = (pair.key_id, pair.secret)
    return tuple(dict.fromkeys(str(half) for half in halves))


def replaced(section: StorageSection, found: list[tuple[str, str]]) -> StorageSection:
    """Return the settings with other texts for some fields."""
    fields = dict(section.fields)
    for field, text in found:
        fields[field] = Given(text, fields[field].place)
    return StorageSection(
        backend=section.backend,
        newer_client=section.newer_client,
        several=section.several,
        fields=fields,
    )
