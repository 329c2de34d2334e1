# SPDX-License-Identifier: Apache-2.0
"""The results of testing a stack's credentials, as findings with their remedies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lokeys.core.findings.catalogue import tokens
from lokeys.core.findings.catalogue.storage_objects import MISSING_MANAGED_SECRET
from lokeys.core.findings.finding import Finding, Remedy, Rule
from lokeys.core.findings.link import Link, Untried
from lokeys.core.findings.store_answers import RULE_OF_CAUSE
from lokeys.core.place import Ref
from lokeys.core.stack.render.store import MANAGED_SUFFIX
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.text.shell import command
from lokeys.core.trust.tries.verification import LinkName, Verification

CLOUDS = {"s3": "aws", "azure": "azure", "gcs": "gcp"}
"""The name in `lokeys iam` of the cloud of a storage type."""

_OWN: dict[str, Rule] = {
    rule.cause: rule for rule in vars(tokens).values() if isinstance(rule, Rule) and rule.cause
}

EDIT = Remedy(
    text="correct the stack's storage Secret",
    command=command("kubectl -n {namespace} edit secret {secret}"),
)
_CHECK = Remedy(
    text="compare the role's rights with what Loki needs",
    command=command("lokeys iam {cloud} {stack} -n {namespace} --check"),
)
_CA = Remedy(text="name the store's CA in spec.storage.tls of the LokiStack")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "s3_access_denied_policy": (_CHECK,),
    "bucket_not_found": (Remedy(text="make the bucket, or correct its name"), EDIT),
    "object_store_full": (Remedy(text="raise the quota, add capacity or shorten retention"),),
    "clock_skew": (Remedy(text="synchronise the clocks of the cluster and of the provider"),),
    "tls_unknown_authority": (_CA,),
    "tls_name_mismatch": (Remedy(text="use a host that the certificate covers"), EDIT),
}


def findings_of(stack: LokiStack, verifications: Sequence[Verification]) -> tuple[Finding, ...]:
    """Return a finding for each account with a broken link, or that could not be tested."""
    return tuple(found for each in verifications for found in _findings(stack, each))


def _findings(stack: LokiStack, verification: Verification) -> Iterator[Finding]:
    link = verification.first_broken or verification.first_untried
    if link is None:
        return
    yield _finding(stack, verification.account, link)


def _finding(stack: LokiStack, account: str, link: Link) -> Finding:
    words: dict[str, Any] = {
        "account": account,
        "stack": stack.name,
        "stack_ref": stack.ref,
        "namespace": stack.namespace,
        "secret": stack.storage_secret_name,
        "cloud": CLOUDS.get(stack.storage_type, "aws"),
        "where": "does not exist",
        "detail": link.detail,
    }
    rule = _rule_of(link)
    if rule in RULE_OF_CAUSE.values():
        rule = replace(rule, remedy=REMEDIES.get(link.cause or "", (EDIT,)))
        words["detail"] = f": {link.detail}"
    return rule.at(
        _place(stack, account, link),
        route=stack.route,
        confidence=link.confidence,
        evidence=link.evidence,
        **words,
    )


def _rule_of(link: Link) -> Rule:
    if link.untried is Untried.NOT_PERMITTED:
        return tokens.NOT_PERMITTED
    if link.untried is not None:
        return tokens.NOT_TRIED
    if link.cause == "k8s_secret_missing":
        return MISSING_MANAGED_SECRET
    return _OWN.get(link.cause or "") or RULE_OF_CAUSE.get(link.cause or "") or tokens.BROKEN


def _place(stack: LokiStack, account: str, link: Link) -> Ref:
    """Return the object to look at: a Secret, the stack, or the token's account."""
    if link.cause == "k8s_secret_missing":
        return Ref("Secret", f"{stack.name}{MANAGED_SUFFIX}", stack.namespace)
    match link.name:
        case LinkName.SECRET:
            return stack.secret_ref
        case LinkName.STORE:
            return stack.ref
    return Ref("ServiceAccount", account, stack.namespace)
