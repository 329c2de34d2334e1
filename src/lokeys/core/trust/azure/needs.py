# SPDX-License-Identifier: Apache-2.0
"""What Azure needs to accept a stack's tokens.

managed identity ── federated credential  iss, sub, aud   one per service account
                 ── role assignment       Storage Blob Data Contributor, on the container
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokeys.core.stack.storage.values import is_guid
from lokeys.core.text.shell import Command, Var, Word, command
from lokeys.core.trust.accounts import Stack
from lokeys.core.trust.answers import Answers, Unfit
from lokeys.core.trust.printed.hcl import HclBlock, Reference, Value, hcl
from lokeys.core.trust.printed.secret import secret_commands
from lokeys.core.trust.printed.shell import Document, Prerequisites, PrintedStep

AUDIENCE = "api://AzureADTokenExchange"
ROLE = "Storage Blob Data Contributor"


@dataclass(frozen=True, slots=True)
class _Cloud:
    """A cloud's name in Azure's own tools, and the audience that its Entra expects."""

    cli: str
    audience: str = AUDIENCE
    terraform: str = ""


CLOUDS = {
    "AzureGlobal": _Cloud("AzureCloud"),
    "AzurePublicCloud": _Cloud("AzureCloud"),
    "AzureChinaCloud": _Cloud("AzureChinaCloud", f"{AUDIENCE}China", "china"),
    "AzureUSGovernment": _Cloud("AzureUSGovernment", f"{AUDIENCE}USGov", "usgovernment"),
    "AzureGermanCloud": _Cloud("AzureGermanCloud", terraform="german"),
}
_BY_SUFFIX = {
    "blob.core.windows.net": "AzureGlobal",
    "blob.core.chinacloudapi.cn": "AzureChinaCloud",
    "blob.core.usgovcloudapi.net": "AzureUSGovernment",
    "blob.core.cloudapi.de": "AzureGermanCloud",
}
_GROUP = re.compile(r"[\w.()-]{1,89}[\w()-]", re.ASCII)
_IDENTITY = re.compile(r"[A-Za-z0-9][\w-]{2,127}", re.ASCII)
_ACCOUNT = re.compile("[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"\$?[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])?")
_LOCATION = re.compile("[a-z0-9]{2,40}")
_ENVIRONMENT = re.compile("|".join(CLOUDS))
_SHORT_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureNeeds:
    """One stack on Azure. `client_id` and `tenant_id` are empty until the identity exists."""

    stack: Stack
    environment: str
    subscription: str
    resource_group: str
    identity: str
    storage_account: str
    storage_group: str
    container: str
    location: str = ""
    endpoint_suffix: str = ""

    @property
    def cloud(self) -> _Cloud:
        """Return what Azure's tools need to know about the cloud."""
        return CLOUDS[self.environment]

    @property
    def scope(self) -> str:
        """Return the container as a scope of role assignments."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.storage_group}"
            f"/providers/Microsoft.Storage/storageAccounts/{self.storage_account}"
            f"/blobServices/default/containers/{self.container}"
        )

    @property
    def credentials(self) -> tuple[tuple[str, str], ...]:
        """Return name and subject of each federated credential."""
        base = f"{self.stack.namespace}-{self.stack.name}".replace(".", "-")
        names = (base[:_SHORT_NAME], f"{base[: _SHORT_NAME - 6]}-ruler")
        return tuple(zip(names, self.stack.subjects, strict=True))


def azure_needs(answers: Answers) -> AzureNeeds:
    """Return what a stack needs. Missing values are noted in the answers. Raises Unfit."""
    environment = _environment(answers)
    # A Secret for tokens already decides their audience: if it names none, the default.
    default = AUDIENCE if answers.given.get("mode") == "token" else CLOUDS[environment].audience
    stack = answers.stack(issuer=answers.issuer(), audience=answers.text("--audience") or default)
    group = answers.needed(
        "--resource-group",
        _GROUP,
        "the name of a resource group",
        what="the resource group of the identity",
        command=command("az group list --query [].name --output tsv"),
    )
    return AzureNeeds(
        stack=stack,
        environment=environment,
        subscription=_subscription(answers),
        resource_group=group,
        identity=answers.text("--identity-name", _IDENTITY, "the name of a managed identity")
        or f"loki-{stack.name}"[:128],
        storage_account=answers.needed(
            "--storage-account", _ACCOUNT, "the name of a storage account", what="the account"
        ),
        storage_group=answers.text(
            "--storage-resource-group", _GROUP, "the name of a resource group"
        )
        or group,
        container=answers.needed(
            "--container", _CONTAINER, "the name of a container", what="the container"
        ),
        location=answers.text("--location", _LOCATION, "a location, such as westeurope"),
        endpoint_suffix=answers.text("endpoint_suffix"),
    )


def _environment(answers: Answers) -> str:
    names = ", ".join(CLOUDS)
    said = answers.text("--cloud", _ENVIRONMENT, f"one of {names}")
    known = answers.text("environment", _ENVIRONMENT, f"one of {names}")
    return said or known or _BY_SUFFIX.get(answers.text("endpoint_suffix"), "AzureGlobal")


def _subscription(answers: Answers) -> str:
    found = answers.needed(
        "--subscription",
        what="the subscription of the storage account",
        command=command("az account show --query id --output tsv"),
    )
    if answers.text("--subscription") and not is_guid(found):
        raise Unfit("--subscription", "a GUID")
    return found


def federated_credentials(needs: AzureNeeds) -> list[dict[str, Any]]:
    """Return both federated credentials, as Azure lists them."""
    stack = needs.stack
    return [
        {
            "name": name,
            "issuer": stack.issuer,
            "subject": subject,
            "audiences": [stack.audience],
        }
        for name, subject in needs.credentials
    ]


def role_assignment(needs: AzureNeeds) -> dict[str, str]:
    """Return the one role that the identity needs, on the container alone."""
    return {"roleDefinitionName": ROLE, "scope": needs.scope}


def azure_prerequisites(needs: AzureNeeds, answers: Answers) -> Prerequisites:
    """Return documents, commands and Terraform for a stack."""
    last = tuple(secret_commands(needs.stack, _secret(needs)))
    applied = tuple(
        PrintedStep(
            why="what Terraform found out",
            command=Command(("terraform", "output", "-raw", name)),
            sets=var,
        )
        for name, var in (("client_id", "CLIENT_ID"), ("tenant_id", "TENANT_ID"))
    )
    return Prerequisites(
        cloud="azure",
        documents=azure_documents(needs),
        steps=(*_commands(needs), *last),
        terraform=hcl(
            list(_terraform(needs)), comment="\n".join(each.line for each in (*applied, *last))
        ),
        missing=tuple(answers.missing),
    )


def azure_documents(needs: AzureNeeds) -> tuple[Document, ...]:
    """Return what the commands make as documents, for other ways to make it."""
    return (
        Document(
            name="federated-credentials.json",
            why="whose tokens the identity takes: one credential a service account",
            content=federated_credentials(needs),
        ),
        Document(
            name="role-assignment.json",
            why="what the identity may do: read, write and delete blobs in the container",
            content=role_assignment(needs),
        ),
    )


def _secret(needs: AzureNeeds) -> dict[str, Word]:
    return {
        "environment": needs.environment,
        "endpoint_suffix": needs.endpoint_suffix,
        "container": needs.container,
        "account_name": needs.storage_account,
        "client_id": Var("CLIENT_ID"),
        "tenant_id": Var("TENANT_ID"),
        "subscription_id": needs.subscription,
        "audience": needs.stack.audience if needs.stack.audience != AUDIENCE else "",
    }


def _commands(needs: AzureNeeds) -> Iterator[PrintedStep]:
    if needs.cloud.cli != "AzureCloud":
        yield PrintedStep(
            why="speak to this cloud; log in to it after that",
            command=Command(("az", "cloud", "set", "--name", needs.cloud.cli)),
        )
    where = ("--resource-group", needs.resource_group, "--subscription", needs.subscription)
    location = ("--location", needs.location) if needs.location else ()
    yield PrintedStep(
        why="make the identity that Loki will be",
        command=Command(("az", "identity", "create", "--name", needs.identity, *where, *location)),
    )
    yield from (_credential(needs, name, subject) for name, subject in needs.credentials)
    for variable, query in (
        ("PRINCIPAL_ID", "principalId"),
        ("CLIENT_ID", "clientId"),
        ("TENANT_ID", "tenantId"),
    ):
        yield PrintedStep(
            why=f"keep its {query}",
            command=Command(
                (
                    *("az", "identity", "show", "--name", needs.identity, *where),
                    *("--query", query, "--output", "tsv"),
                )
            ),
            sets=variable,
        )
    yield PrintedStep(
        why="let it read, write and delete blobs, in this container alone",
        command=Command(
            (
                *(
                    "az",
                    "role",
                    "assignment",
                    "create",
                    "--assignee-object-id",
                    Var("PRINCIPAL_ID"),
                ),
                *("--assignee-principal-type", "ServicePrincipal"),
                *("--role", ROLE, "--scope", needs.scope),
            )
        ),
    )


def _credential(needs: AzureNeeds, name: str, subject: str) -> PrintedStep:
    return PrintedStep(
        why=f"let it take the tokens of {subject.rpartition(':')[2]}",
        command=Command(
            (
                *("az", "identity", "federated-credential", "create", "--name", name),
                *("--identity-name", needs.identity, "--resource-group", needs.resource_group),
                *("--subscription", needs.subscription),
                *("--issuer", needs.stack.issuer, "--subject", subject),
                *("--audiences", needs.stack.audience),
            )
        ),
    )


def credential_command(needs: AzureNeeds, subject: str) -> Command:
    """Return the command that makes the identity accept the tokens of one of the subjects."""
    name = next(name for name, each in needs.credentials if each == subject)
    return _credential(needs, name, subject).command


def _terraform(needs: AzureNeeds) -> Iterator[HclBlock]:
    provider: tuple[tuple[str, Value] | HclBlock, ...] = (("subscription_id", needs.subscription),)
    if needs.cloud.terraform:
        provider = (*provider, ("environment", needs.cloud.terraform))
    # Before 5.0 a federated credential had its identity in `parent_id`.
    versions = ("azurerm", {"source": "hashicorp/azurerm", "version": ">= 5.0"})
    yield HclBlock("terraform", (), (HclBlock("required_providers", (), (versions,)),))
    yield HclBlock("provider", ("azurerm",), (*provider, HclBlock("features", (), ())))
    yield HclBlock("data", ("azurerm_resource_group", "loki"), (("name", needs.resource_group),))
    identity = "azurerm_user_assigned_identity.loki"
    place = Reference("data.azurerm_resource_group.loki.location")
    yield HclBlock(
        "resource",
        ("azurerm_user_assigned_identity", "loki"),
        (
            ("name", needs.identity),
            ("resource_group_name", Reference("data.azurerm_resource_group.loki.name")),
            ("location", needs.location or place),
        ),
    )
    for label, (name, subject) in zip(("loki", "ruler"), needs.credentials, strict=True):
        yield HclBlock(
            "resource",
            ("azurerm_federated_identity_credential", label),
            (
                ("name", name),
                ("user_assigned_identity_id", Reference(f"{identity}.id")),
                ("issuer", needs.stack.issuer),
                ("subject", subject),
                ("audience", [needs.stack.audience]),
            ),
        )
    yield HclBlock(
        "resource",
        ("azurerm_role_assignment", "loki"),
        (
            ("scope", needs.scope),
            ("role_definition_name", ROLE),
            ("principal_id", Reference(f"{identity}.principal_id")),
        ),
    )
    for name in ("client_id", "tenant_id"):
        yield HclBlock("output", (name,), (("value", Reference(f"{identity}.{name}")),))
