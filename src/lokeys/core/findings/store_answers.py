# SPDX-License-Identifier: Apache-2.0
"""What a store's answer stands for: its rule, its cause, and the link that it breaks.

reply ──▶ judgement (`Answer`) ──▶ verdict ──▶ finding
(adapters)                    └──▶ link    ──▶ finding
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lokeys.core.findings.catalogue import store as rules
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.finding import Rule
from lokeys.core.findings.link import Link, broken, untried
from lokeys.core.findings.verdict import Answer, StoreVerdict

SILENT = frozenset({Answer.UNREACHABLE, Answer.UNSPECIFIC})
"""No answer, or one that says nothing of the key: nothing is decided on it."""

RULE_OF_ANSWER: Mapping[Answer, Rule] = MappingProxyType(
    {
        Answer.UNKNOWN_KEY: rules.ACCESS_KEY_UNKNOWN,
        Answer.WRONG_SECRET: rules.SECRET_KEY_MISMATCH,
        Answer.SUSPENDED: USER_SUSPENDED,
        Answer.NOT_VALID: rules.KEY_NOT_VALID,
        Answer.DENIED: rules.ACCESS_DENIED,
        Answer.NO_BUCKET: rules.BUCKET_NOT_FOUND,
        Answer.FULL: rules.OBJECT_STORE_FULL,
        Answer.CLOCK_SKEW: rules.CLOCK_SKEW,
        Answer.WRONG_REGION: rules.WRONG_REGION,
        Answer.NOT_S3: rules.NOT_S3_API,
        Answer.TLS_UNKNOWN_AUTHORITY: rules.TLS_UNKNOWN_AUTHORITY,
        Answer.TLS_NAME_MISMATCH: rules.TLS_NAME_MISMATCH,
        Answer.TLS_SCHEME_MISMATCH: rules.TLS_SCHEME_MISMATCH,
        Answer.UNSPECIFIC: rules.STORE_UNSPECIFIC,
    }
)
"""Each answer but ACCEPTED, and UNREACHABLE, which `checks.reading` reports as not read."""

_CLOSER = MappingProxyType({"session_token_expired": rules.SESSION_TOKEN_EXPIRED})
"""Causes that a store's words name more closely than its code, and that have their own rule."""

RULE_OF_CAUSE: Mapping[str, Rule] = MappingProxyType(
    {rule.cause: rule for rule in reversed(tuple(RULE_OF_ANSWER.values())) if rule.cause}
)
"""Of two rules with one cause the first: the plain one."""


def rule_of(verdict: StoreVerdict) -> Rule:
    """Return the rule that tells what the store answered, one of `RULE_OF_ANSWER`'s answers."""
    return _CLOSER.get(verdict.cause) or RULE_OF_ANSWER[verdict.answer]


def cause_of(verdict: StoreVerdict) -> str | None:
    """Return the cause that an answer stands for, as closely as the store names it."""
    return verdict.cause or rule_of(verdict).cause


def link_of(name: str, verdict: StoreVerdict, detail: str) -> Link:
    """Return the link that an answer breaks, or that silence leaves open."""
    if verdict.answer in SILENT:
        unreachable = verdict.answer is Answer.UNREACHABLE
        return untried(name, detail, cause="endpoint_unreachable" if unreachable else None)
    return broken(name, cause_of(verdict), detail)
