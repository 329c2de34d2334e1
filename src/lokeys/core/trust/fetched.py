# SPDX-License-Identifier: Apache-2.0
"""Documents as a cloud's own tools print them, and findings about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lokeys.core.findings.finding import Confidence, Finding, Location, Rule, Severity
from lokeys.core.place import Ref
from lokeys.core.text.shell import Command
from lokeys.core.text.words import apart, quoted, shown
from lokeys.core.trust.accounts import Stack

SHOWN = 3


class DocumentKind(StrEnum):
    """What a document is, by the option that provides it."""

    TRUST = "--trust-policy"
    POLICY = "--policy"
    BUCKET = "--bucket-policy"
    PROVIDER = "--oidc-provider"
    CREDENTIALS = "--federated-credentials"
    ROLES = "--role-assignments"


class NotThis(ValueError):
    """A document that is not of the expected kind; says what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One document: what it describes, where it was read, and its content.

    No content: the cloud says that it does not exist.
    """

    kind: DocumentKind
    of: Ref
    content: Any
    file: str = ""


def tell(  # noqa: PLR0913 - a finding has many facets, all named at the call
    rule: Rule,
    document: Fetched,
    stack: Stack,
    *,
    command: Command | None = None,
    cause: str | None = None,
    confidence: Confidence = Confidence.CERTAIN,
    field: str | None = None,
    evidence: Iterable[str] = (),
    subjects: Sequence[str] = (),
    **words: Any,
) -> Finding:
    """Return a finding about a document, with the command that fixes it.

    `subjects` are whose tokens it is about: if nothing uses their accounts yet, it is info.
    """
    finding = rule.at(
        document.of,
        route=stack.route,
        cause=cause,
        confidence=confidence,
        field=shown(field) if field else None,
        location=Location(file=document.file, line=1) if document.file else None,
        evidence=evidence,
        namespace=stack.namespace,
        stack=stack.name,
        **words,
    )
    first, *rest = finding.remedy
    remedy = (replace(first, command=command or first.command), *rest)
    if not (subjects and stack.is_idle(subjects)):
        return replace(finding, remedy=remedy)
    message = f"{finding.message}; the stack has no rules, so that account is not used yet"
    return replace(finding, remedy=remedy, message=message, severity=Severity.INFO)


def listed(texts: Iterable[str], *, last: str = "and") -> str:
    """Return names in the form used in a sentence: a few, and how many more."""
    found = [f"`{shown(text)}`" for text in dict.fromkeys(texts)]
    if len(found) > SHOWN + 1:
        return f"{', '.join(found[:SHOWN])} and {len(found) - SHOWN} more"
    return (
        f" {last} ".join(filter(None, (", ".join(found[:-1]), found[-1]))) if found else "nothing"
    )


def contrasted(found: Iterable[str], expected: str, *, last: str = "and") -> tuple[str, str]:
    """Return what was found and what was expected, so that the difference is visible."""
    names = tuple(dict.fromkeys(found))
    if len(names) == 1:
        return apart(names[0], expected)
    return listed(names, last=last), quoted(expected)


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return a JSON object. Raises NotThis."""
    if not isinstance(value, Mapping):
        raise NotThis(what)
    return value


def entries(value: object, what: str) -> list[Mapping[str, Any]]:
    """Return a JSON list of objects. Raises NotThis."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise NotThis(what)
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return the texts in a list; none if it is not a list."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
