# SPDX-License-Identifier: Apache-2.0
"""Loki's own configuration: can it work at all, whatever the key is?

These findings use only manifests. So each Loki gets them, whether or not it has a route; a fault
that several components share is reported once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any, assert_never

from lokeys.core.findings.catalogue import configuration as rules
from lokeys.core.findings.finding import Confidence, Finding, Rule, Severity
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import (
    ConfigurationFault,
    InFile,
    Misconfiguration,
    PairPlace,
    RunningLoki,
)
from lokeys.core.place import Ref
from lokeys.core.route.key_state import Seen

Lokis = Mapping[Ref, RunningLoki]

_SHOWN = 5
"""Workloads that a finding names."""
RULE_OF_MISCONFIGURATION: Mapping[Misconfiguration, Rule] = {
    Misconfiguration.NOT_EXPANDED: rules.NOT_EXPANDED,
    Misconfiguration.NOT_SET: rules.NOT_SET,
    Misconfiguration.NOT_EXPANDABLE: rules.NOT_EXPANDABLE,
    Misconfiguration.HALF_A_PAIR: rules.HALF_A_PAIR,
    Misconfiguration.ROLE_SHADOWED: rules.ROLE_SHADOWED,
    Misconfiguration.EXCHANGE_MISDIRECTED: rules.EXCHANGE_MISDIRECTED,
}


def misconfigured(snapshot: Seen) -> Iterator[Finding]:
    """Workloads of the route whose configuration cannot work."""
    lokis = {each.ref: each.loki for each in snapshot.workloads if each.loki is not None}
    yield from findings_of(lokis, around=lokis, route=snapshot.spec.route)


def findings_of(lokis: Lokis, *, around: Lokis, route: str | None = None) -> Iterator[Finding]:
    """Yield what is wrong with the configuration of some Lokis; `around`: the namespace's."""
    groups: dict[tuple[Any, ...], list[Ref]] = {}
    for ref, loki in sorted(lokis.items(), key=lambda each: each[0]):
        for fault in loki.faults if loki.uses_storage else _at_start(loki):
            key = (ref.namespace, fault, loki.file, loki.identity, loki.version)
            groups.setdefault(key, []).append(ref)
    for (_, fault, *_), refs in groups.items():
        yield _finding(fault, refs, lokis[refs[0]], around, route)
    yield from _in_clear(lokis, route)
    yield from _of_rulers(lokis, route)


def causes_of(loki: RunningLoki | None) -> frozenset[str | None]:
    """Return the causes that keep a Loki from its storage, as its configuration shows."""
    return (
        frozenset(RULE_OF_MISCONFIGURATION[kind].cause for kind in loki.kept_from_storage)
        if loki
        else frozenset()
    )


def _at_start(loki: RunningLoki) -> Iterator[ConfigurationFault]:
    """Yield what makes a component exit that does not use storage: it still reads its file."""
    return (each for each in loki.faults if each.kind is Misconfiguration.NOT_EXPANDABLE)


def _finding(
    fault: ConfigurationFault,
    refs: list[Ref],
    loki: RunningLoki,
    around: Lokis,
    route: str | None,
) -> Finding:
    rule, words = RULE_OF_MISCONFIGURATION[fault.kind], _words(fault, loki)
    severity, confidence = rule.severity, Confidence.CERTAIN if fault.certain else Confidence.LIKELY
    cure = slice(None)
    if fault.kind is Misconfiguration.NOT_SET:
        words["others"] = _who_has(fault.names, around, refs)
        severity, confidence = _how_bad(fault, words["others"])
    if fault.kind is Misconfiguration.NOT_EXPANDED:
        spelling = _spelling(fault, loki)
        words |= _of_spelling(spelling, fault, loki)
        cure = slice(spelling, spelling + 1)
    found = rule.at(
        refs[0],
        route=route,
        severity=severity,
        confidence=confidence,
        workloads=_listed(refs),
        **words,
    )
    return replace(found, remedy=found.remedy[cure])


def _words(fault: ConfigurationFault, loki: RunningLoki) -> dict[str, Any]:
    return {
        "names": ", ".join(fault.names),
        "file": loki.file,
        "line": fault.line,
        "expression": "".join(fault.names),
        "identity": loki.identity,
        "account": loki.identity.said_by if loki.identity else "",
        "endpoint": loki.storage.endpoint,
        "version": ".".join(map(str, loki.version or ())),
        "pair": " and ".join(fault.names),
    }


class _Spelling(IntEnum):
    """Why a variable is not filled in; each has the remedy of that number."""

    SWITCHED_OFF = 0
    NOT_THE_FILES = 1
    NOT_THE_ARGUMENTS = 2


def _spelling(fault: ConfigurationFault, loki: RunningLoki) -> _Spelling:
    if fault.field:
        return _Spelling.NOT_THE_ARGUMENTS
    return _Spelling.NOT_THE_FILES if loki.expands else _Spelling.SWITCHED_OFF


def _of_spelling(
    spelling: _Spelling, fault: ConfigurationFault, loki: RunningLoki
) -> dict[str, str]:
    names = ", ".join(fault.names)
    match spelling:
        case _Spelling.NOT_THE_ARGUMENTS:
            why = "Kubernetes fills in only `$(NAME)`, of a variable that the container has"
            return {"fields": f"arguments name {names}", "why": why}
        case _Spelling.NOT_THE_FILES:
            why = "Loki fills in only `${NAME}`"
            return {"fields": f"{loki.file} names {names} in another way", "why": why}
        case _Spelling.SWITCHED_OFF:
            names = ", ".join(f"${{{name}}}" for name in fault.names)
            why = "the container's arguments lack -config.expand-env=true"
            return {"fields": f"{loki.file} names {names}", "why": why}
    assert_never(spelling)


def _who_has(names: tuple[str, ...], around: Lokis, refs: list[Ref]) -> str:
    """Say which other component has the variables, and from which Secrets or ConfigMaps."""
    for ref, loki in sorted(around.items(), key=lambda each: each[0]):
        known: dict[str, DataKey] = dict(loki.variables)
        here = ref not in refs and ref.namespace == refs[0].namespace
        if here and known.keys() >= set(names):
            places = ", ".join(sorted({str(known[name].ref) for name in names}))
            return f"; {ref} has them of {places}"
    return ""


def _how_bad(fault: ConfigurationFault, others: str) -> tuple[Severity, Confidence]:
    """Return how bad it is: on AWS a node's own role may replace a key."""
    if fault.certain:
        return Severity.ERROR, Confidence.CERTAIN
    return (
        (Severity.ERROR, Confidence.LIKELY) if others else (Severity.WARNING, Confidence.POSSIBLE)
    )


def _in_clear(lokis: Lokis, route: str | None) -> Iterator[Finding]:
    groups: dict[PairPlace, list[Ref]] = {}
    for ref, loki in sorted(lokis.items(), key=lambda each: each[0]):
        if loki.pair is not None and loki.pair.in_clear and not loki.faults:
            groups.setdefault(loki.pair, []).append(ref)
    for pair, refs in groups.items():
        key = pair.secret.file if isinstance(pair.secret, InFile) else pair.secret
        holder = key.ref if isinstance(key, DataKey) else refs[0]
        yield rules.KEY_IN_CLEAR.at(
            holder,
            route=route,
            field=key.key if isinstance(key, DataKey) else None,
            workloads=_listed(refs),
            pair=pair,
            namespace=holder.namespace or "default",
            kind=holder.kind.lower(),
            name=holder.name,
        )


def _of_rulers(lokis: Lokis, route: str | None) -> Iterator[Finding]:
    """Yield where a ruler signs with another pair than the rest; a warning if that is certain.

    Two users of one store may be intended. But often a key was replaced in only one place.
    """
    groups: dict[tuple[PairPlace | None, PairPlace | None, bool], list[Ref]] = {}
    for ref, loki in sorted(lokis.items(), key=lambda each: each[0]):
        own = loki.ruler
        if own is not None and own.pair is not None and not own.same_pair:
            differs = own.same_pair is False and own.storage.endpoint == loki.storage.endpoint
            groups.setdefault((own.pair, loki.pair, differs), []).append(ref)
    for (pair, chunks, differs), refs in groups.items():
        yield rules.RULERS_OWN_PAIR.at(
            refs[0],
            route=route,
            severity=Severity.WARNING if differs else Severity.INFO,
            workloads=_listed(refs),
            pair=pair,
            chunks=chunks or "elsewhere",
            values=", and the two differ at one store" if differs else "",
        )


def _listed(refs: list[Ref]) -> str:
    more = f" and {len(refs) - _SHOWN} more" if len(refs) > _SHOWN else ""
    return ", ".join(map(str, refs[:_SHOWN])) + more


CHECKS = (misconfigured,)
