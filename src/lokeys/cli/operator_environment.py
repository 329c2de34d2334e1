# SPDX-License-Identifier: Apache-2.0
"""The operator's environment: its own, or as options of `validate` and `render` describe it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokeys.core.kubernetes.aws_addresses import role_arn
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.errors import BadInput

if TYPE_CHECKING:  # checks of manifests alone start without the renderer
    from lokeys.core.stack.render.options import Images

CLOUD_VARIABLES = {
    "ROLEARN": "aws_role_arn",
    "CLIENTID": "azure_client_id",
    "TENANTID": "azure_tenant_id",
    "SUBSCRIPTIONID": "azure_subscription_id",
    "REGION": "azure_region",
    "PROJECT_NUMBER": "gcp_project_number",
    "POOL_ID": "gcp_pool_id",
    "PROVIDER_ID": "gcp_provider_id",
    "SERVICE_ACCOUNT_EMAIL": "gcp_service_account_email",
}
IMAGE_VARIABLES = {
    "RELATED_IMAGE_LOKI": "loki",
    "RELATED_IMAGE_GATEWAY": "gateway",
    "RELATED_IMAGE_OPA": "opa",
    "RELATED_IMAGE_PASSTHROUGH_GATEWAY": "passthrough",
}
_EXAMPLE = {
    "aws_role_arn": "arn:aws:iam::000000000000:role/ROLEARN",
    "azure_client_id": "00000000-0000-0000-0000-000000000001",
    "azure_tenant_id": "00000000-0000-0000-0000-000000000002",
    "azure_subscription_id": "00000000-0000-0000-0000-000000000003",
    "gcp_project_number": "000000000000",
    "gcp_pool_id": "pool-id",
    "gcp_provider_id": "provider-id",
    "gcp_service_account_email": "service-account@project.iam.gserviceaccount.com",
}
MAX_BYTES = 64 * 1024


def environment_options(command: Any) -> Any:
    """Add --openshift, --token-cco and --operator-env to a command."""
    options = (
        click.option("--openshift", is_flag=True, help="As if the operator ran on OpenShift."),
        click.option(
            "--token-cco",
            is_flag=True,
            help="As if it also had the credentials of the cloud that fits a stack's type.",
        ),
        click.option(
            "--operator-env",
            metavar="FILE",
            help="The operator's variables, a NAME=VALUE a line, such as ROLEARN=arn:aws:…",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def cloud_environment(
    *, openshift: bool, token_cco: bool, operator_env: str | None
) -> CloudEnvironment:
    """Return what the options say. Raises BadInput."""
    known = _EXAMPLE if token_cco else {}
    exact = _read(operator_env) if operator_env is not None else {}
    return CloudEnvironment(openshift=openshift or token_cco, **{**known, **exact})


def from_environment(variables: Mapping[str, str], *, openshift: bool) -> CloudEnvironment:
    """Return what the operator's own environment says; an empty variable counts as not set."""
    found = {field: variables.get(name, "") for name, field in CLOUD_VARIABLES.items()}
    return CloudEnvironment(openshift=openshift, **found)


def images_from(variables: Mapping[str, str]) -> Images:
    """Return the images in the operator's own environment, with defaults for the rest."""
    named = {field: variables.get(name, "") for name, field in IMAGE_VARIABLES.items()}
    from lokeys.core.stack.render.options import Images  # noqa: PLC0415 - as above

    return Images(**{field: image for field, image in named.items() if image})


def _read(path: str) -> dict[str, str]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadInput(f"cannot read it: {reason}", place=path) from error
    if len(content) > MAX_BYTES:
        raise BadInput("too large for a list of variables", place=path)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInput("not UTF-8 text", place=path, hint="save it as UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals:
            raise BadInput("not NAME=VALUE", place=f"{path}:{number}")
        if name.strip() in CLOUD_VARIABLES:  # the operator also has other variables
            said = _unquoted(value.strip())
            if name.strip() == "ROLEARN" and said and role_arn(said) is None:
                raise BadInput(
                    "ROLEARN is no ARN of a role",
                    place=f"{path}:{number}",
                    hint="it is such as arn:aws:iam::123456789012:role/loki",
                )
            found[CLOUD_VARIABLES[name.strip()]] = said
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
