# SPDX-License-Identifier: Apache-2.0
"""AWS's documents, in the forms that its tools print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.trust.aws.needs import AwsNeeds
from lokeys.core.trust.aws.policy import NoPolicy, PolicyRequest, Statement, match, statements_of
from lokeys.core.trust.fetched import DocumentKind, Fetched, NotThis, listed, mapping, tell

_PARTS = {
    DocumentKind.TRUST: (("Role", "AssumeRolePolicyDocument"), ("AssumeRolePolicyDocument",)),
    DocumentKind.POLICY: (("PolicyVersion", "Document"), ("PolicyDocument",)),
    DocumentKind.BUCKET: (("Policy",),),
}


def statements_in(document: Fetched, form: str) -> tuple[Statement, ...]:
    """Return the statements of a document, in whatever form its tool wraps it. Raises NotThis."""
    found: Any = mapping(document.content, form)
    for path in _PARTS[document.kind]:
        inner: Any = found
        for name in path:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if isinstance(inner, str):  # S3 returns its policy as a text
            inner = json_object(inner.encode())
        found = inner if isinstance(inner, Mapping) else found
    try:
        return statements_of(found)
    except NoPolicy as problem:
        raise NotThis(f"{form} ({problem})") from None


def undecided(
    document: Fetched,
    needs: AwsNeeds,
    statements: tuple[Statement, ...],
    requests: Sequence[PolicyRequest],
    actions: str,
) -> Finding:
    """Return that the documents alone do not decide it, and what does."""
    keys = [
        f"{condition.operator} {condition.key}"
        for each in statements
        for request in requests
        for condition, met in match(each, request).conditions
        if met is None
    ]
    return tell(
        rules.UNDECIDED,
        document,
        needs.stack,
        found=f"a condition ({listed(keys)})",
        actions=actions,
    )
