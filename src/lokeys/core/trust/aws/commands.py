# SPDX-License-Identifier: Apache-2.0
"""What is printed for AWS, Ceph RGW, MinIO and similar stores: documents, commands, Terraform."""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.text.shell import Command, Var, Word
from lokeys.core.trust.answers import KMS_CONTEXT, Answers
from lokeys.core.trust.aws.needs import AUDIENCE, AwsNeeds, storage_policy, trust_policy
from lokeys.core.trust.printed.hcl import HclBlock, HclJson, Reference, Value, hcl
from lokeys.core.trust.printed.secret import secret_commands
from lokeys.core.trust.printed.shell import Document, Prerequisites, PrintedStep

POLICY_NAME = "loki-storage"


def aws_prerequisites(needs: AwsNeeds, answers: Answers) -> Prerequisites:
    """Return documents, commands and Terraform for a stack."""
    trust = Document(
        name="trust-policy.json",
        why="who may take the role: tokens of the stack's two service accounts, and no others",
        content=trust_policy(needs),
        compact=needs.elsewhere,
    )
    storage = Document(
        name="storage-policy.json",
        why="what the role may do: what Loki does with its bucket, and nothing else",
        content=storage_policy(needs),
        compact=needs.elsewhere,
    )
    provider = (_provider(needs),) if needs.create_provider else ()
    commands = (*_context(needs), *secret_commands(needs.stack, _secret(needs)))
    return Prerequisites(
        cloud="aws",
        documents=(trust, storage),
        steps=(*provider, trust, _role(needs), storage, _policy(needs), *commands),
        terraform=hcl(list(_terraform(needs)), comment="\n".join(each.line for each in commands)),
        missing=tuple(answers.missing),
    )


def _context(needs: AwsNeeds) -> Iterator[PrintedStep]:
    if needs.kms_context_from:
        get = ("kubectl", "-n", needs.stack.namespace, "get", "secret", needs.kms_context_from)
        yield PrintedStep(
            why="keep the encryption context that the Secret has",
            command=Command((*get, f"--output=jsonpath={{.data.{KMS_CONTEXT}}}")).pipe(
                "base64 --decode"
            ),
            sets="KMS_CONTEXT",
        )


def _secret(needs: AwsNeeds) -> dict[str, Word]:
    return {
        "bucketnames": ",".join(needs.buckets),
        "region": needs.region,
        "role_arn": needs.role_arn,
        "audience": needs.stack.audience if needs.stack.audience != AUDIENCE else "",
        "endpoint": needs.endpoint,
        "sts_endpoint": needs.sts_endpoint,
        "forcepathstyle": _path_style(needs),
        "sse_type": needs.sse_type or ("SSE-KMS" if needs.kms_key else ""),
        "sse_kms_key_id": needs.kms_key,
        **({KMS_CONTEXT: Var("KMS_CONTEXT")} if needs.kms_context_from else {}),
    }


def _path_style(needs: AwsNeeds) -> str:
    """Return the Secret's value for it; empty at AWS if it is Loki's default."""
    if needs.path_style:
        return "true"
    return "false" if needs.elsewhere else ""


def _aws(needs: AwsNeeds, *words: str) -> Command:
    """Return a call of AWS's tool, with options if the partition or the store is another one."""
    if needs.elsewhere:
        return Command((*words, "--endpoint-url", needs.sts_endpoint or needs.endpoint))
    return Command(words if needs.partition == "aws" else (*words, "--region", needs.region))


def update_trust(needs: AwsNeeds) -> Command:
    """Return the command that replaces the current trust policy with the printed one."""
    words = ("aws", "iam", "update-assume-role-policy", "--role-name", needs.role_name)
    document = ("--policy-document", "file://trust-policy.json")
    return _aws(needs, *words, *document)


def put_policy(needs: AwsNeeds) -> Command:
    """Return the command that gives the role the printed permissions."""
    return _policy(needs).command


def create_provider(needs: AwsNeeds) -> Command:
    """Return the command that creates the identity provider."""
    return _provider(needs).command


def add_audience(needs: AwsNeeds) -> Command:
    """Return the command that makes the identity provider accept the stack's audience."""
    words = ("aws", "iam", "add-client-id-to-open-id-connect-provider")
    arn = ("--open-id-connect-provider-arn", needs.provider_arn)
    return _aws(needs, *words, *arn, "--client-id", needs.stack.audience)


def _provider(needs: AwsNeeds) -> PrintedStep:
    words = ("aws", "iam", "create-open-id-connect-provider", "--url", needs.stack.issuer)
    audience = ("--client-id-list", needs.stack.audience)
    # Ceph requires one and compares it with nothing; AWS finds it by itself.
    thumbprint = ("--thumbprint-list", "0" * 40) if needs.elsewhere else ()
    return PrintedStep(
        why="let the account know who signs the cluster's tokens, and whom they are for (once)",
        command=_aws(needs, *words, *audience, *thumbprint),
    )


def _role(needs: AwsNeeds) -> PrintedStep:
    path = ("--path", needs.role_path) if needs.role_path != "/" else ()
    there = "; where it is there, update-assume-role-policy takes the same document"
    return PrintedStep(
        why="make the role" + (there if needs.made_already else ""),
        command=_aws(
            needs,
            *("aws", "iam", "create-role", "--role-name", needs.role_name),
            *path,
            *("--assume-role-policy-document", "file://trust-policy.json"),
        ),
    )


def _policy(needs: AwsNeeds) -> PrintedStep:
    return PrintedStep(
        why="give the role its rights on the bucket",
        command=_aws(
            needs,
            *("aws", "iam", "put-role-policy", "--role-name", needs.role_name),
            *("--policy-name", POLICY_NAME),
            *("--policy-document", "file://storage-policy.json"),
        ),
    )


def _terraform(needs: AwsNeeds) -> Iterator[HclBlock]:
    if needs.elsewhere:  # otherwise Terraform would connect to AWS
        address = needs.sts_endpoint or needs.endpoint
        skips = (
            *("credentials_validation", "requesting_account_id"),
            *("metadata_api_check", "region_validation"),
        )
        endpoints = HclBlock("endpoints", (), (("iam", address), ("sts", address)))
        switches = ((f"skip_{name}", True) for name in skips)
        yield HclBlock("provider", ("aws",), (("region", needs.region), *switches, endpoints))
    if needs.create_provider:
        body: tuple[tuple[str, Value], ...] = (
            ("url", needs.stack.issuer),
            ("client_id_list", [needs.stack.audience]),
        )
        if needs.elsewhere:
            body = (*body, ("thumbprint_list", ["0" * 40]))
        yield HclBlock("resource", ("aws_iam_openid_connect_provider", "cluster"), body)
    yield HclBlock(
        "resource",
        ("aws_iam_role", "loki"),
        (
            ("name", needs.role_name),
            ("path", needs.role_path),
            ("assume_role_policy", HclJson(trust_policy(needs))),
        ),
    )
    yield HclBlock(
        "resource",
        ("aws_iam_role_policy", "loki_storage"),
        (
            ("name", POLICY_NAME),
            ("role", Reference("aws_iam_role.loki.id")),
            ("policy", HclJson(storage_policy(needs))),
        ),
    )
    yield HclBlock("output", ("role_arn",), (("value", Reference("aws_iam_role.loki.arn")),))
