# SPDX-License-Identifier: Apache-2.0
"""The three clouds side by side: what each needs, and what is printed for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.stack.storage.model import StorageType
from lokeys.core.trust.accounts import only_inside
from lokeys.core.trust.answers import Answers
from lokeys.core.trust.aws.check import check_aws
from lokeys.core.trust.aws.commands import aws_prerequisites
from lokeys.core.trust.aws.needs import AwsNeeds, aws_needs
from lokeys.core.trust.azure.check import check_azure
from lokeys.core.trust.azure.needs import AzureNeeds, azure_needs, azure_prerequisites
from lokeys.core.trust.fetched import Fetched, tell
from lokeys.core.trust.gcp.check import check_gcp
from lokeys.core.trust.gcp.needs import SUBJECT_BYTES, GcpNeeds, gcp_needs, gcp_prerequisites
from lokeys.core.trust.printed.shell import Prerequisites

STORES = {"aws": StorageType.S3, "azure": StorageType.AZURE, "gcp": StorageType.GCS}
"""The type of storage that each cloud has."""

Needs = AwsNeeds | AzureNeeds | GcpNeeds


def needs_of(cloud: str, answers: Answers) -> Needs:
    """Return what a stack needs of `cloud`. Raises Unfit."""
    match cloud:
        case "aws":
            return aws_needs(answers)
        case "azure":
            return azure_needs(answers)
    return gcp_needs(answers)


def prerequisites(needs: Needs, answers: Answers) -> Prerequisites:
    """Return documents, commands and Terraform."""
    match needs:
        case AwsNeeds():
            return aws_prerequisites(needs, answers)
        case AzureNeeds():
            return azure_prerequisites(needs, answers)
        case GcpNeeds():
            return gcp_prerequisites(needs, answers)
        case other:
            assert_never(other)


def check(needs: Needs, documents: Sequence[Fetched]) -> Iterator[Finding]:
    """Yield what is wrong with a cloud's documents. Raises NotThis."""
    for document in documents:
        if document.content is None:
            yield tell(rules.ROLE_MISSING, document, needs.stack)
    there = [document for document in documents if document.content is not None]
    match needs:
        case AwsNeeds():
            yield from check_aws(needs, there)
        case AzureNeeds():
            yield from check_azure(needs, there)
        case GcpNeeds():
            yield from check_gcp(needs, there)
        case other:
            assert_never(other)


def doubts(needs: Needs) -> Iterator[Finding]:
    """Yield why the cloud will refuse the stack's tokens, whatever its documents say."""
    stack = needs.stack
    elsewhere = isinstance(needs, AwsNeeds) and needs.elsewhere
    if only_inside(stack.issuer) and not elsewhere and "://" in stack.issuer:
        yield rules.ISSUER_INSIDE.at(stack.ref, route=stack.route, found=f"`{stack.issuer}`")
    for subject in stack.subjects if isinstance(needs, GcpNeeds) else ():
        if len(subject) > SUBJECT_BYTES and not stack.is_idle([subject]):
            yield rules.SUBJECT_TOO_LONG.at(
                stack.ref,
                route=stack.route,
                field=subject.rpartition(":")[2],
                found=f"`{subject}`",
                length=len(subject),
                limit=SUBJECT_BYTES,
            )
