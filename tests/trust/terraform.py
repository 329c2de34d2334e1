# SPDX-License-Identifier: Apache-2.0
"""What Terraform's providers document of each block that is printed, and a check of a file by it.

From the published pages of the resources and data sources; of hashicorp/azurerm, whose 5.0 renamed
`parent_id` of a federated credential and dropped its `resource_group_name`, those of 5.12. Written
down are the arguments that are required, the others, and what a block
exports beside its arguments.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hcl2


class NotTerraform(Exception):
    """A file that Terraform, or a provider, would refuse."""


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A kind of block: its arguments, the blocks in it, what it exports."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    exported: frozenset[str] = frozenset()
    blocks: Mapping[str, "Documented"] = field(default_factory=dict)


def _block(
    required: str = "", optional: str = "", exported: str = "", **blocks: Documented
) -> Documented:
    words = (frozenset(text.split()) for text in (required, optional, exported))
    one, other, more = words
    return Documented(required=one, optional=other, exported=more, blocks=blocks)


RESOURCES = {
    "aws_iam_openid_connect_provider": _block(
        "url client_id_list", "thumbprint_list tags", "id arn tags_all"
    ),
    "aws_iam_role": _block(
        "assume_role_policy",
        "name name_prefix path description force_detach_policies max_session_duration "
        "permissions_boundary tags",
        "id arn create_date unique_id tags_all",
    ),
    "aws_iam_role_policy": _block("role policy", "name name_prefix", "id"),
    "azurerm_user_assigned_identity": _block(
        "name resource_group_name location",
        "tags isolation_scope",
        "id client_id principal_id tenant_id",
    ),
    "azurerm_federated_identity_credential": _block(
        "name user_assigned_identity_id issuer subject audience", "", "id"
    ),
    "azurerm_role_assignment": _block(
        "scope principal_id",
        "name role_definition_id role_definition_name principal_type condition condition_version "
        "description skip_service_principal_aad_check delegated_managed_identity_resource_id",
        "id",
    ),
    "google_iam_workload_identity_pool": _block(
        "workload_identity_pool_id",
        "project display_name description disabled mode",
        "id name state",
    ),
    "google_iam_workload_identity_pool_provider": _block(
        "workload_identity_pool_id workload_identity_pool_provider_id",
        "project display_name description disabled attribute_mapping attribute_condition",
        "id name state",
        oidc=_block("issuer_uri", "allowed_audiences jwks_json"),
    ),
    "google_service_account": _block(
        "account_id",
        "project display_name description disabled create_ignore_already_exists",
        "id email name unique_id member",
    ),
    "google_service_account_iam_member": _block("service_account_id role member", "", "etag id"),
    "google_storage_bucket_iam_member": _block("bucket role member", "", "etag id"),
}
DATA = {
    "azurerm_resource_group": _block("name", "", "id location tags managed_by"),
    "google_service_account": _block("account_id", "project", "email name unique_id display_name"),
}
PROVIDERS = {
    "aws": _block(
        "",
        "region skip_credentials_validation skip_requesting_account_id skip_metadata_api_check "
        "skip_region_validation",
        endpoints=_block("", "iam sts"),
    ),
    "azurerm": _block("", "subscription_id environment", features=_block()),
}
ENVIRONMENTS = {"public", "usgovernment", "china", "german"}
_REFERENCE = re.compile(r"\$\{(?!jsonencode\()(data\.)?(\w+)\.(\w+)\.(\w+)\}")


def checked(text: str) -> Mapping[str, Any]:
    """Return what Terraform reads in a file. Raises NotTerraform where a provider refuses it."""
    found: Mapping[str, Any] = hcl2.loads(text)
    strange = set(found) - {"terraform", "provider", "data", "resource", "output", "__comments__"}
    if strange:
        raise NotTerraform(f"no such block: {strange}")
    for listed, documented in (("resource", RESOURCES), ("data", DATA)):
        for kind, label, body in _labelled(found, listed):
            if kind not in documented:
                raise NotTerraform(f"{listed} {kind} is not documented")
            _against(documented[kind], body, f"{kind}.{label}")
    for provider in found.get("provider", ()):
        for name, body in provider.items():
            _against(PROVIDERS[_plain(name)], body, name)
            if _plain(body.get("environment", "public")) not in ENVIRONMENTS:
                raise NotTerraform("an environment that there is not")
    _references(found)
    return found


def _labelled(found: Mapping[str, Any], listed: str) -> Iterator[tuple[str, str, Any]]:
    seen = set()
    for block in found.get(listed, ()):
        for kind, labels in block.items():
            for label, body in labels.items():
                if (kind, label) in seen:
                    raise NotTerraform(f"{kind} {label} twice")
                seen.add((kind, label))
                yield _plain(kind), _plain(label), body


def _against(documented: Documented, body: Mapping[str, Any], place: str) -> None:
    names = {name for name in body if not name.startswith("__")}
    missing = documented.required - names
    unknown = names - documented.required - documented.optional - set(documented.blocks)
    if missing or unknown:
        raise NotTerraform(f"{place}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name in names & set(documented.blocks):
        for inner in body[name] if isinstance(body[name], list) else [{}]:
            if not inner.get("__is_block__"):
                raise NotTerraform(f"{place}.{name} is no block")
            _against(documented.blocks[name], inner, f"{place}.{name}")


def _references(found: Mapping[str, Any]) -> None:
    """Each reference names a block that is there, and something that such a block has."""
    declared = {
        (listed == "data", kind, label): documented[kind]
        for listed, documented in (("resource", RESOURCES), ("data", DATA))
        for kind, label, _ in _labelled(found, listed)
    }
    for text in _texts(found):
        for data, kind, label, attribute in _REFERENCE.findall(text):
            block = declared.get((bool(data), kind, label))
            if block is None:
                raise NotTerraform(f"{data}{kind}.{label} is not there")
            if attribute not in block.required | block.optional | block.exported:
                raise NotTerraform(f"{data}{kind}.{label} has no {attribute}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _plain(text: str) -> str:
    return text.strip('"')
