# SPDX-License-Identifier: Apache-2.0
"""What Google Cloud needs to accept a stack's tokens.

pool, provider   iss, aud   who signs the tokens, and whom they are for; sub becomes the subject
service account  sub        workloadIdentityUser: which subjects may act as it bucket
objectUser: what the service account may do there
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokeys.core.stack.storage.external_account import KEY, TOKEN_FILE
from lokeys.core.text.shell import Command, command
from lokeys.core.trust.accounts import Stack
from lokeys.core.trust.answers import Answers
from lokeys.core.trust.printed.hcl import HclBlock, Reference, Value, hcl
from lokeys.core.trust.printed.secret import secret_commands
from lokeys.core.trust.printed.shell import Document, Prerequisites, PrintedStep

MAPPING = {"google.subject": "assertion.sub"}
USER_ROLE = "roles/iam.workloadIdentityUser"
BUCKET_ROLE = "roles/storage.objectUser"
SUBJECT_BYTES = 127
"""Google's limit for a subject."""
_IAM = "//iam.googleapis.com/"
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_NUMBER = re.compile("[0-9]{1,20}")
_POOL = re.compile("(?!gcp-)[a-z0-9-]{4,32}")
_ACCOUNT = re.compile(
    r"[a-z][a-z0-9-]{1,28}[a-z0-9]|[a-z0-9.-]+@([a-z0-9.-]+\.)?gserviceaccount\.com"
)
_BUCKET = re.compile("[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_POOL_WORDS = "4 to 32 small letters, digits and dashes, not beginning with gcp-"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpNeeds:
    """One stack on Google Cloud."""

    stack: Stack
    project: str
    project_number: str
    pool: str
    provider: str
    service_account: str
    bucket: str
    create_provider: bool = False

    @property
    def email(self) -> str:
        """Return the service account's address."""
        if self.made_already:
            return self.service_account
        *domain, project = self.project.split(":")
        home = ".".join((project, *domain))
        return f"{self.service_account}@{home}.iam.gserviceaccount.com"

    @property
    def made_already(self) -> bool:
        """Tell whether the service account is given by its address, so that it exists."""
        return "@" in self.service_account

    @property
    def pool_name(self) -> str:
        """Return the pool's full name."""
        return f"projects/{self.project_number}/locations/global/workloadIdentityPools/{self.pool}"

    @property
    def provider_name(self) -> str:
        """Return the provider's full name."""
        return f"{self.pool_name}/providers/{self.provider}"

    @property
    def audience_of_exchange(self) -> str:
        """Return the provider's name in the exchange of tokens; also its default audience."""
        return f"{_IAM}{self.provider_name}"

    def principal(self, subject: str) -> str:
        """Return Google's name for the holder of a token of `subject`."""
        return f"principal:{_IAM}{self.pool_name}/subject/{subject}"


def gcp_needs(answers: Answers) -> GcpNeeds:
    """Return what a stack needs. Missing values are noted in the answers. Raises Unfit."""
    project = answers.needed(
        "--project",
        _PROJECT,
        "the id of a project",
        what="the project of the service account and the pool",
        command=command("gcloud config get-value project"),
    )
    number = answers.needed(
        "--project-number",
        _NUMBER,
        "a number",
        what="that project's number",
        command=command("gcloud projects describe", project, "--format=value(projectNumber)"),
    )
    pool = answers.needed(
        "--pool",
        _POOL,
        _POOL_WORDS,
        what="the workload identity pool",
        command=command(
            "gcloud iam workload-identity-pools list --location=global", f"--project={project}"
        ),
    )
    create = bool(answers.text("--create-provider"))
    provider = answers.text("--provider", _POOL, _POOL_WORDS) or (
        pool if create else _known_provider(answers, project, pool)
    )
    name = answers.given.get("--name", "")
    account = answers.text(
        "--service-account", _ACCOUNT, "an id of small letters, digits and dashes, or an address"
    )
    default = f"{_IAM}projects/{number}/locations/global/workloadIdentityPools/{pool}"
    stack = answers.stack(
        issuer=answers.issuer(),
        audience=answers.text("--audience") or f"{default}/providers/{provider}",
    )
    return GcpNeeds(
        stack=stack,
        project=project,
        project_number=number,
        pool=pool,
        provider=provider,
        service_account=account or account_for(name),
        bucket=answers.needed("--bucket", _BUCKET, "the name of a bucket", what="the bucket"),
        create_provider=create,
    )


def _known_provider(answers: Answers, project: str, pool: str) -> str:
    """Return a placeholder for an existing provider whose name is not known."""
    return answers.needed(
        "--provider",
        what="the pool's provider that takes the cluster's tokens",
        command=command(
            "gcloud iam workload-identity-pools providers list --location=global",
            f"--workload-identity-pool={pool}",
            f"--project={project}",
        ),
    )


def account_for(stack: str) -> str:
    """Return a service account's id for a stack; Google requires 6 to 30 characters."""
    return f"loki-{stack.replace('.', '-')}"[:30].rstrip("-").ljust(6, "0")


def service_account_policy(needs: GcpNeeds) -> dict[str, Any]:
    """Return who may act as the service account."""
    members = [needs.principal(subject) for subject in needs.stack.subjects]
    return {"bindings": [{"role": USER_ROLE, "members": members}]}


def bucket_policy(needs: GcpNeeds) -> dict[str, Any]:
    """Return the minimum that Loki needs on its bucket."""
    return {"bindings": [{"role": BUCKET_ROLE, "members": [f"serviceAccount:{needs.email}"]}]}


def provider_document(needs: GcpNeeds) -> dict[str, Any]:
    """Return the provider, as Google describes it."""
    return {
        "attributeMapping": MAPPING,
        "oidc": {"issuerUri": needs.stack.issuer, "allowedAudiences": [needs.stack.audience]},
    }


def credentials_file(needs: GcpNeeds) -> dict[str, Any]:
    """Return Google's configuration of the exchange, which contains no key."""
    impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    return {
        "type": "external_account",
        "audience": needs.audience_of_exchange,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"{impersonate}{needs.email}:generateAccessToken",
        "credential_source": {"file": TOKEN_FILE, "format": {"type": "text"}},
    }


def gcp_documents(needs: GcpNeeds) -> tuple[Document, ...]:
    """Return what the commands make as documents, for other ways to make it."""
    return (
        Document(
            name="provider.json",
            why="who signs the tokens, and whom they are for",
            content=provider_document(needs),
        ),
        Document(
            name="service-account-policy.json",
            why="who may act as the service account: the stack's two, and no others",
            content=service_account_policy(needs),
        ),
        Document(
            name="bucket-policy.json",
            why="what the service account may do: objects of the bucket, and nothing else",
            content=bucket_policy(needs),
        ),
        Document(
            name=KEY,
            why="how tokens are exchanged; it holds no key in spite of its name",
            content=credentials_file(needs),
        ),
    )


def gcp_prerequisites(needs: GcpNeeds, answers: Answers) -> Prerequisites:
    """Return documents, commands and Terraform for a stack."""
    values = {"bucketname": needs.bucket, "audience": needs.stack.audience}
    exchange = _exchange(needs)
    last = tuple(secret_commands(needs.stack, values, files=(KEY,)))
    return Prerequisites(
        cloud="gcp",
        documents=gcp_documents(needs),
        steps=(*_commands(needs), exchange, *last),
        terraform=hcl(
            list(_terraform(needs)), comment="\n".join(each.line for each in (exchange, *last))
        ),
        missing=tuple(answers.missing),
    )


def _commands(needs: GcpNeeds) -> Iterator[PrintedStep]:
    project = f"--project={needs.project}"
    if needs.create_provider:
        pools = ("gcloud", "iam", "workload-identity-pools")
        yield PrintedStep(
            why="make the pool (once)",
            command=Command((*pools, "create", needs.pool, project, "--location=global")),
        )
        mapping = ",".join(f"{name}={value}" for name, value in MAPPING.items())
        yield PrintedStep(
            why="let it know who signs the cluster's tokens, and whom they are for (once)",
            command=Command(
                (
                    *(*pools, "providers", "create-oidc", needs.provider, project),
                    *("--location=global", f"--workload-identity-pool={needs.pool}"),
                    *(f"--issuer-uri={needs.stack.issuer}", f"--attribute-mapping={mapping}"),
                    f"--allowed-audiences={needs.stack.audience}",
                )
            ),
        )
    if not needs.made_already:
        accounts = ("gcloud", "iam", "service-accounts")
        yield PrintedStep(
            why="make the service account that Loki will be",
            command=Command((*accounts, "create", needs.service_account, project)),
        )
    yield from (_binding(needs, subject) for subject in needs.stack.subjects)
    yield _on_bucket(needs)


def _binding(needs: GcpNeeds, subject: str) -> PrintedStep:
    return PrintedStep(
        why=f"let {subject.rpartition(':')[2]} act as it",
        command=Command(
            (
                *("gcloud", "iam", "service-accounts", "add-iam-policy-binding", needs.email),
                *(f"--project={needs.project}", f"--role={USER_ROLE}"),
                f"--member={needs.principal(subject)}",
            )
        ),
    )


def _on_bucket(needs: GcpNeeds) -> PrintedStep:
    return PrintedStep(
        why="let it read, write and delete objects, in this bucket alone",
        command=Command(
            (
                *("gcloud", "storage", "buckets", "add-iam-policy-binding", f"gs://{needs.bucket}"),
                *(f"--role={BUCKET_ROLE}", f"--member=serviceAccount:{needs.email}"),
            )
        ),
    )


def binding_command(needs: GcpNeeds, subject: str) -> Command:
    """Return the command that lets one of the stack's subjects act as the service account."""
    return _binding(needs, subject).command


def bucket_command(needs: GcpNeeds) -> Command:
    """Return the command that gives the service account its permissions on the bucket."""
    return _on_bucket(needs).command


def _exchange(needs: GcpNeeds) -> PrintedStep:
    return PrintedStep(
        why="write down how tokens are exchanged; the file holds no key",
        command=Command(
            (
                *("gcloud", "iam", "workload-identity-pools", "create-cred-config"),
                needs.provider_name,
                f"--service-account={needs.email}",
                f"--credential-source-file={TOKEN_FILE}",
                "--credential-source-type=text",
                f"--output-file={KEY}",
            )
        ),
    )


def _terraform(needs: GcpNeeds) -> Iterator[HclBlock]:
    project: tuple[str, Value] = ("project", needs.project)
    if needs.create_provider:
        yield HclBlock(
            "resource",
            ("google_iam_workload_identity_pool", "cluster"),
            (project, ("workload_identity_pool_id", needs.pool)),
        )
        pool = Reference("google_iam_workload_identity_pool.cluster.workload_identity_pool_id")
        oidc: tuple[tuple[str, Value], ...] = (
            ("issuer_uri", needs.stack.issuer),
            ("allowed_audiences", [needs.stack.audience]),
        )
        yield HclBlock(
            "resource",
            ("google_iam_workload_identity_pool_provider", "cluster"),
            (
                project,
                ("workload_identity_pool_id", pool),
                ("workload_identity_pool_provider_id", needs.provider),
                ("attribute_mapping", MAPPING),
                HclBlock("oidc", (), oidc),
            ),
        )
    kind = "data" if needs.made_already else "resource"
    account = ("data." if needs.made_already else "") + "google_service_account.loki"
    yield HclBlock(
        kind,
        ("google_service_account", "loki"),
        (project, ("account_id", needs.service_account)),
    )
    for label, subject in zip(("loki", "ruler"), needs.stack.subjects, strict=True):
        yield HclBlock(
            "resource",
            ("google_service_account_iam_member", label),
            (
                ("service_account_id", Reference(f"{account}.name")),
                ("role", USER_ROLE),
                ("member", needs.principal(subject)),
            ),
        )
    # An account that is only looked up has nothing but its address as output.
    email = f"serviceAccount:{needs.email}"
    member = email if needs.made_already else Reference(f"{account}.member")
    yield HclBlock(
        "resource",
        ("google_storage_bucket_iam_member", "loki"),
        (
            ("bucket", needs.bucket),
            ("role", BUCKET_ROLE),
            ("member", member),
        ),
    )
