# SPDX-License-Identifier: Apache-2.0
"""What a stack is judged against, and the Secrets that it names as far as they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding, Remedy, Rule, Severity
from lokeys.core.place import Ref
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.storage.secret_data import SecretData, made_secret_data, secret_data
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.delivered import (
    added_to,
    kept_out,
    made_secret,
    owner_among,
    why_not_made,
    with_brought,
)
from lokeys.core.stack.validation.objects import Placed, PlacedObjects, read_external
from lokeys.core.text.words import object_name

NOT_GIVEN = "is not among the objects given"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackContext:
    """What a stack is judged against: the other objects, the operator, the time."""

    objects: PlacedObjects
    now: datetime
    environment: CloudEnvironment
    secrets_optional: bool = False
    absent: str = NOT_GIVEN
    """The text about an object that does not exist."""


def named_secret(  # noqa: PLR0913 - which, for whom, and what an absence means
    wanted: Ref,
    stack: Ref,
    context: StackContext,
    findings: list[Finding],
    *,
    missing: Rule = rules.MISSING_STORAGE_SECRET,
    words: Mapping[str, str] | None = None,
) -> SecretData | None:
    """Return what is known about a Secret; adds findings about its form or its absence."""
    known = _known_secret(wanted, stack, context, findings)
    if known is not None:
        return known
    objects = context.objects
    external = objects.external_secrets_of(wanted)
    why = why_not_made(
        [objects.ref_of(each) for each in external],
        [read_external(each.object).creation_policy for each in external],
    )
    other = objects.namesake(wanted, stack)
    absent = told_absent(missing, wanted, stack, context, why=why, words=words, namesake=other)
    findings.append(absent)
    return _known_secret(other, stack, context, findings) if other else None


def _known_secret(
    wanted: Ref, stack: Ref, context: StackContext, findings: list[Finding]
) -> SecretData | None:
    """Return what the manifests have of a Secret, or of its maker; None if neither exists."""
    objects = context.objects
    placed, external = objects.get(wanted), objects.external_secrets_of(wanted)
    said = [read_external(each.object) for each in external]
    findings += _kept_out(external, wanted, stack, objects)
    source = _source_of(placed.object) if placed is not None else None
    if source is not None:
        placed = objects.get(source)
        if placed is None:
            return SecretData(ref=wanted, complete=False, made_by=source)
    if placed is not None:
        decoded = secret_data(placed.object, ref=wanted, stack=stack)
        findings += decoded.findings
        return added_to(decoded.data, said)
    made = made_secret(said, ref=wanted)
    other = objects.made_of(wanted) if made is None else None
    return with_brought(made_secret_data(other[1], ref=wanted), said) if other else made


def _source_of(secret: Mapping[str, Any]) -> Ref | None:
    """Return the Secret that is copied into an empty one."""
    if secret.get("data") or secret.get("stringData"):
        return None
    from lokeys.core.kubernetes.makers import copied_from  # noqa: PLC0415 - few are empty

    copied = copied_from(secret)
    if copied is None:
        return None
    return Ref("Secret", object_name(copied.name), object_name(copied.namespace or ""))


def _kept_out(
    external: Sequence[Placed], wanted: Ref, stack: Ref, objects: PlacedObjects
) -> Iterator[Finding]:
    """Yield the ExternalSecrets that would write to a Secret that another one owns."""
    said = [read_external(each.object) for each in external]
    owner, out = owner_among(said), kept_out(said)
    for each, its in zip(external, said, strict=True):
        if owner is not None and any(its is other for other in out):
            words = {
                "policy": object_name(its.creation_policy),
                "secret": str(wanted),
                "owner": str(objects.ref_of(external[said.index(owner)])),
            }
            rule = rules.EXTERNAL_SECRET_KEPT_OUT
            field = "spec.target"
            yield tell(rule, objects.ref_of(each), stack=stack, field=field, words=words)


def told_absent(  # noqa: PLR0913 - what is missing, for whom, and what is known of why
    rule: Rule,
    wanted: Ref,
    stack: Ref,
    context: StackContext,
    *,
    why: str = "",
    words: Mapping[str, str] | None = None,
    optional: Severity = Severity.WARNING,
    namesake: Ref | None = None,
) -> Finding:
    """Return the finding that an object does not exist; `optional` if it may be kept elsewhere.

    `namesake` has the same name, and its namespace or the stack's is chosen when it is applied.
    """
    if namesake is not None:
        why = f"{why}, and {namesake} is: one of the two names no namespace"
    known = {"stack_ref": str(stack), "where": context.absent + why, **(words or {})}
    finding = tell(rule, wanted, stack=stack, words=known)
    if namesake is not None:
        text = "say which namespace they are applied to: `lokeys validate -n NAMESPACE`"
        return replace(finding, severity=Severity.WARNING, remedy=(Remedy(text=text),))
    if not context.secrets_optional:
        return finding
    said = tuple(each for each in finding.remedy if "--secrets optional" not in each.text)
    return replace(finding, severity=optional, remedy=said)
