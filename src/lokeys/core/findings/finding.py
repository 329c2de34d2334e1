# SPDX-License-Identifier: Apache-2.0
"""Findings: what is wrong, where, how sure that is, and what to do.

A `Rule` is an entry of the catalogue (`lokeys.core.findings.catalogue`); `Rule.at` makes a
`Finding` of it.
The JSON form is the contract's (`lokeys.dev/v1`): fields may be added, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from lokeys.core.findings.pages import read_at
from lokeys.core.place import Hop, Ref
from lokeys.core.text.shell import Command, NoCommand
from lokeys.core.text.words import printable


class Severity(StrEnum):
    """How bad: an error loses log lines or will, a warning may, an info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Confidence(StrEnum):
    """How sure: certain is proved by evidence, likely fits all of it, possible fits some."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


_SEVERITY_ORDER = {severity: order for order, severity in enumerate(Severity)}
_CONFIDENCE_ORDER = {confidence: order for order, confidence in enumerate(Confidence)}


class _Words(dict[str, object]):
    """Words for templates. One that nobody gave stands for itself, in capitals, and is kept."""

    def __missing__(self, name: str) -> str:
        self[name] = name.upper()
        return name.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One thing to do; `command` is ready to paste; `destructive` loses something if misused."""

    text: str
    command: Command | None = None
    destructive: bool = False

    def filled(self, known: _Words) -> Remedy:
        """Return the remedy of which this is the template. `Rule.at` alone fills in."""
        said = replace(self, text=printable(self.text.format_map(known)))
        return said.showing(lambda: self.command.filled(known) if self.command else None)

    def with_words(self, **words: object) -> Remedy:
        """Return the remedy with these words filled in, for a finding that gets one more."""
        return self.filled(_Words(words))

    def showing(self, make: Callable[[], Command | None]) -> Remedy:
        """Return the remedy with another command; with a sentence, where none can be shown."""
        try:
            return replace(self, command=make())
        except NoCommand as reason:
            text = f"{self.text}; no command is shown, as {reason}"
            return replace(self, text=text, command=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """Something seen that a finding explains."""

    code: str
    count: int
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of one object, explained."""

    code: str
    severity: Severity
    title: str
    message: str
    confidence: Confidence = Confidence.CERTAIN
    cause: str | None = None
    fault: str | None = None
    object: Ref | None = None
    field: str | None = None
    location: Location | None = None
    route: str | None = None
    hop: Hop | None = None
    evidence: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    remedy: tuple[Remedy, ...] = ()
    rank: int = 0

    @property
    def id(self) -> str:
        """Return an id that stays the same across runs for the same fault at the same place."""
        import hashlib  # noqa: PLC0415 - loads OpenSSL, and people are shown no id

        parts = (self.code, self.cause, self.fault, self.object, self.field, self.route, self.hop)
        text = "\0".join("" if part is None else str(part) for part in parts)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def docs(self) -> str:
        """Return where a person reads what the finding means: an address, or a command."""
        return read_at(self.code)

    @property
    def is_error(self) -> bool:
        """Tell whether this loses log lines or will."""
        return self.severity is Severity.ERROR

    def with_symptoms(self, symptoms: Iterable[Symptom]) -> Finding:
        """Return the finding with symptoms that it explains folded in."""
        return replace(self, symptoms=(*self.symptoms, *symptoms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A catalogue entry: one code, one fault, one way to say it.

    `title`, `message` and the remedies are templates filled from the arguments of `at`.
    `meaning` and `why` are for `lokeys explain` and the docs. `other_causes` are those that `at`
    may be given in place of `cause`.
    """

    code: str
    title: str
    message: str
    meaning: str
    why: str
    severity: Severity = Severity.ERROR
    cause: str | None = None
    remedy: tuple[Remedy, ...] = ()
    hop: Hop | None = None
    rank: int = 50
    fault: str | None = None
    other_causes: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """Return every cause that a finding of this rule may tell."""
        return (self.cause, *self.other_causes) if self.cause else self.other_causes

    @property
    def words(self) -> frozenset[str]:
        """Return the words that the texts need."""
        asked = _Words()
        for text in (self.title, self.message):
            text.format_map(asked)
        for remedy in self.remedy:
            remedy.filled(asked)
        return frozenset(asked)

    def at(  # noqa: PLR0913 - a finding has many facets, all named at the call
        self,
        place: Ref | None,
        *,
        route: str | None = None,
        confidence: Confidence = Confidence.CERTAIN,
        severity: Severity | None = None,
        cause: str | None = None,
        hop: Hop | None = None,
        field: str | None = None,
        location: Location | None = None,
        evidence: Iterable[str] = (),
        remedy: Iterable[Remedy] | None = None,
        **words: Any,
    ) -> Finding:
        """Return this rule's finding at `place`; `words` fill the templates.

        A word of `self.words` that is not given costs no finding: its name stands there instead.
        """
        known = _Words({"place": place, "route": route, "field": field, **words})
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            title=printable(self.title.format_map(known)),
            message=printable(self.message.format_map(known)),
            confidence=confidence,
            cause=cause or self.cause,
            fault=self.fault,
            object=place,
            field=None if field is None else printable(field),
            location=location,
            route=route,
            hop=hop or self.hop,
            evidence=tuple(map(printable, evidence)),
            remedy=tuple(r.filled(known) for r in self.remedy) if remedy is None else tuple(remedy),
            rank=self.rank,
        )


def readable(template: str) -> str:
    """Return a template as people read it: `{name}` becomes NAME."""
    return template.format_map(_Words())


def readable_remedy(remedy: Remedy) -> Remedy:
    """Return a remedy of the catalogue as people read it."""
    return remedy.filled(_Words())


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the best explanation first; the order never depends on the input's."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (
                _SEVERITY_ORDER[f.severity],
                _CONFIDENCE_ORDER[f.confidence],
                f.rank,
                f.code,
                str(f.object),
                f.field or "",
                f.cause or "",
                f.message,
            ),
        )
    )


def at_or_above(severity: Severity, threshold: Severity) -> bool:
    """Tell whether `severity` is at least as bad as `threshold`."""
    return _SEVERITY_ORDER[severity] <= _SEVERITY_ORDER[threshold]


def less_sure(one: Confidence, other: Confidence) -> Confidence:
    """Return the weaker of two confidences."""
    return max(one, other, key=_CONFIDENCE_ORDER.__getitem__)


def time_to_json(moment: datetime | None) -> str | None:
    """Return RFC 3339 in UTC with whole seconds, or None."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def ref_to_json(ref: Ref | None) -> dict[str, Any] | None:
    """Return the contract's form of an object reference."""
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name} if ref else None


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return the contract's form of a finding."""
    place = finding.location
    return {
        "id": finding.id,
        "code": finding.code,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "cause": finding.cause,
        "fault": finding.fault,
        "object": ref_to_json(finding.object),
        "field": finding.field,
        "location": (
            {"file": place.file, "line": place.line, "column": place.column} if place else None
        ),
        "route": finding.route,
        "hop": finding.hop.value if finding.hop else None,
        "title": finding.title,
        "message": finding.message,
        "evidence": list(finding.evidence),
        "symptoms": [
            {
                "code": symptom.code,
                "count": symptom.count,
                "firstSeen": time_to_json(symptom.first_seen),
                "lastSeen": time_to_json(symptom.last_seen),
            }
            for symptom in finding.symptoms
        ],
        "remedy": [remedy_to_json(remedy) for remedy in finding.remedy],
        "docs": finding.docs,
    }


def remedy_to_json(remedy: Remedy) -> dict[str, Any]:
    """Return the contract's form of a remedy."""
    command = str(remedy.command) if remedy.command else None
    return {"text": remedy.text, "command": command, "destructive": remedy.destructive}
