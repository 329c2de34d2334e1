# SPDX-License-Identifier: Apache-2.0
"""AWS's policy language, parsed and evaluated: does a document allow this request?

An explicit Deny wins, then an Allow; everything else is refused. A condition on a key that lokeys
cannot know (where a request comes from, at what time) is neither met nor unmet: `None`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_UNKNOWABLE = ("aws:", "sts:", "s3:", "kms:", "iam:", "ec2:", "saml:")
MAX_STATEMENTS = 1000


class NoPolicy(ValueError):
    """A document that is not a policy; says where and why."""


class PolicyDecision(StrEnum):
    """The decision on a request. UNDECIDED: it depends on something that lokeys cannot know."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    DENIED = "denied"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCondition:
    """One line of a Condition block."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNames:
    """Principals, actions or resources of a statement; `but`: all others. None: not given."""

    patterns: tuple[str, ...]
    but: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement; `place` says where it is in the document."""

    place: str
    allow: bool
    actions: PolicyNames
    principals: PolicyNames | None = None
    resources: PolicyNames | None = None
    conditions: tuple[PolicyCondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequest:
    """A request: an action, a principal, a resource, and what is known about its context.

    A principal of AWS is `AWS:` and its ARN, `also` its other names. An empty tuple in the context
    is a key that is known to be absent.
    """

    action: str
    principal: str = ""
    also: tuple[str, ...] = ()
    resource: str = ""
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How one statement matches a request, part by part."""

    statement: Statement
    action: bool
    principal: bool
    resource: bool
    conditions: tuple[tuple[PolicyCondition, bool | None], ...]

    @property
    def holds(self) -> bool | None:
        """Tell whether the statement matches the request; None if that cannot be known."""
        if not (self.action and self.principal and self.resource):
            return False
        met = [met for _, met in self.conditions]
        return False if False in met else None if None in met else True

    @property
    def misses(self) -> int:
        """Return how many parts do not match: the statement with the fewest was probably meant."""
        unmet = sum(met is False for _, met in self.conditions)
        return (not self.principal) + (not self.resource) + unmet


def decide(statements: tuple[Statement, ...], request: PolicyRequest) -> PolicyDecision:
    """Return the decision on a request under these statements, of one or several documents."""
    held = [(each.allow, match(each, request).holds) for each in statements]
    if (False, True) in held:
        return PolicyDecision.DENIED
    if (True, True) in held and (False, None) not in held:
        return PolicyDecision.ALLOWED
    if (True, True) in held or (True, None) in held:
        return PolicyDecision.UNDECIDED
    return PolicyDecision.REFUSED


def match(statement: Statement, request: PolicyRequest) -> Match:
    """Return how a statement matches a request."""
    return Match(
        statement=statement,
        action=_named(statement.actions, request.action, fold=True),
        principal=_named(statement.principals, request.principal, *request.also),
        resource=_named(statement.resources, request.resource),
        conditions=tuple((each, _met(each, request.context)) for each in statement.conditions),
    )


def _named(names: PolicyNames | None, *values: str, fold: bool = False) -> bool:
    if names is None:
        return True
    wanted = [value.lower() if fold else value for value in values]
    patterns = [each.lower() if fold else each for each in names.patterns]
    return any(like(one, each) for each in patterns for one in wanted) is not names.but


def like(value: str, pattern: str) -> bool:
    """Tell whether a value matches a pattern: `*` stands for any text, `?` for one character."""
    at = star = 0
    begun = -1
    for_good = len(pattern)
    position = 0
    while position < len(value):
        if at < for_good and pattern[at] == "*":
            begun, star, at = at, position, at + 1
        elif at < for_good and pattern[at] in ("?", value[position]):
            at, position = at + 1, position + 1
        elif begun >= 0:
            star += 1
            at, position = begun + 1, star
        else:
            return False
    return pattern[at:].strip("*") == ""


# --- conditions ---------------------------------------------------------------------------------


def _met(condition: PolicyCondition, context: Mapping[str, tuple[str, ...]]) -> bool | None:
    quantifier, _, name = condition.operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    key = condition.key.lower()
    known = context.get(key)
    if known is None and key.startswith(_UNKNOWABLE):
        return None
    known = known or None
    if name == "Null":
        absent = condition.values[:1] == ("true",)
        return (known is None) is absent
    if name not in _TESTS or any("${" in value for value in condition.values):
        return None
    test, negated = _TESTS[name]
    if known is None:
        return optional or negated or quantifier == "ForAllValues"
    met = [any(test(each, value) for value in condition.values) is not negated for each in known]
    return all(met) if quantifier == "ForAllValues" or negated else any(met)


def _equal(one: str, other: str) -> bool:
    return one == other


def _equal_folded(one: str, other: str) -> bool:
    return one.lower() == other.lower()


_TESTS = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_folded, False),
    "StringNotEqualsIgnoreCase": (_equal_folded, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (like, False),
    "ArnLike": (like, False),
    "ArnNotEquals": (like, True),
    "ArnNotLike": (like, True),
    "Bool": (_equal_folded, False),
}


# --- reading ------------------------------------------------------------------------------------


def statements_of(document: object) -> tuple[Statement, ...]:
    """Return a document's statements. Raises NoPolicy."""
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise NoPolicy("no policy: it has no `Statement`")
    listed = document["Statement"]
    found = listed if isinstance(listed, list) else [listed]
    if len(found) > MAX_STATEMENTS:
        raise NoPolicy(f"more than {MAX_STATEMENTS} statements")
    return tuple(_statement(each, f"Statement[{number}]") for number, each in enumerate(found))


def _statement(said: object, place: str) -> Statement:
    if not isinstance(said, Mapping):
        raise NoPolicy(f"{place} is no object")
    effect = said.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise NoPolicy(f"{place}: `Effect` is neither Allow nor Deny")
    actions = _names(said, "Action", place)
    if actions is None:
        raise NoPolicy(f"{place} has no `Action`")
    return Statement(
        place=place,
        allow=effect == "Allow",
        actions=actions,
        principals=_principals(said, place),
        resources=_names(said, "Resource", place),
        conditions=tuple(_conditions(said.get("Condition"), place)),
    )


def _names(said: Mapping[str, Any], name: str, place: str) -> PolicyNames | None:
    for key, but in ((name, False), (f"Not{name}", True)):
        if key in said:
            return PolicyNames(patterns=_texts(said[key], f"{place}.{key}"), but=but)
    return None


def _principals(said: Mapping[str, Any], place: str) -> PolicyNames | None:
    for key, but in (("Principal", False), ("NotPrincipal", True)):
        value = said.get(key)
        if isinstance(value, Mapping):
            patterns = tuple(_principal(value, f"{place}.{key}"))
            return PolicyNames(patterns=patterns, but=but)
        if value is not None:
            return PolicyNames(patterns=_texts(value, f"{place}.{key}"), but=but)
    return None


def _principal(said: Mapping[str, Any], place: str) -> Iterator[str]:
    for kind, names in said.items():
        for name in _texts(names, f"{place}.{kind}"):
            # An account or a service is not an identity provider; `*` is everybody.
            yield name if kind == "Federated" or name == "*" else f"{kind}:{name}"


def _conditions(said: object, place: str) -> Iterator[PolicyCondition]:
    if said is None:
        return
    if not isinstance(said, Mapping):
        raise NoPolicy(f"{place}.Condition is no object")
    for operator, lines in said.items():
        at = f"{place}.Condition.{operator}"
        if not isinstance(lines, Mapping):
            raise NoPolicy(f"{at} is no object")
        for key, values in lines.items():
            yield PolicyCondition(
                operator=str(operator), key=str(key), values=_texts(values, f"{at}.{key}")
            )


def _texts(value: object, place: str) -> tuple[str, ...]:
    found: list[str] = []
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, bool):
            found.append(str(each).lower())  # as the Bool operator expects it
        elif isinstance(each, str):
            found.append(each)
        else:
            raise NoPolicy(f"{place} is neither a text nor a list of texts")
    return tuple(found)
