# SPDX-License-Identifier: Apache-2.0
"""Reads a Secret for Azure's blobs, in each of its clouds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.model import Azure, CredentialMode
from lokeys.core.stack.storage.reader import SecretReader, meant_of
from lokeys.core.stack.storage.values import is_base64, is_guid
from lokeys.core.text.words import form, quoted


@dataclass(frozen=True, slots=True)
class _Cloud:
    suffix: str
    authority: str = ""


CLOUDS = {
    "AzureGlobal": _Cloud("blob.core.windows.net"),
    "AzurePublicCloud": _Cloud("blob.core.windows.net"),
    "AzureChinaCloud": _Cloud("blob.core.chinacloudapi.cn", "https://login.chinacloudapi.cn/"),
    "AzureGermanCloud": _Cloud("blob.core.cloudapi.de", "https://login.microsoftonline.de/"),
    "AzureUSGovernment": _Cloud("blob.core.usgovcloudapi.net", "https://login.microsoftonline.us/"),
}
_OTHER_NAMES = {
    "azurecloud": "AzureGlobal",
    "azurepublic": "AzureGlobal",
    "azurechina": "AzureChinaCloud",
    "azuregovernment": "AzureUSGovernment",
    "azureusgovernmentcloud": "AzureUSGovernment",
}
"""Names that Azure's other tools use for its clouds, in lowercase."""
_ACCOUNT = re.compile("[a-z0-9]{3,24}")
_CONTAINER = re.compile("(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_IDENTITY = ("client_id", "tenant_id", "subscription_id")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
"""A tenant by one of its domains (azidentity 1.13.1, azidentity.go: validTenantID)."""
_ZONE = re.compile(r"z[0-9]{1,2}\.blob\.storage\.azure\.net")
"""Hosts of accounts with their own Azure DNS zone."""
_SUFFIX = re.compile(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+")


def read_azure(reader: SecretReader) -> Azure:
    """Return what the Secret says; its faults are among the reader's findings."""
    environment, suffix = reader.value("environment"), reader.value("endpoint_suffix")
    cloud = _cloud(reader, environment, suffix)
    token = reader.mode is CredentialMode.TOKEN
    if token:
        _look_at_identity(reader)
    account_key = reader.value("account_key")
    if reader.mode is CredentialMode.STATIC and account_key and not is_base64(account_key):
        reader.tell(rules.BAD_BASE64, "account_key", found=f"is not base64: {form(account_key)}")
    identity = {key: reader.value(key) if token else "" for key in _IDENTITY}
    return Azure(
        mode=reader.mode,
        container=reader.name(
            "container",
            dollar=True,
            usual=_CONTAINER,
            of="small letters, digits and single `-`, 3 to 63 of them",
        ),
        account_name=_account(reader),
        environment=environment,
        endpoint_suffix=suffix or (cloud.suffix if cloud else ""),
        authority_host=cloud.authority if cloud else "",
        audience="" if reader.mode is CredentialMode.STATIC else reader.value("audience"),
        **identity,
    )


def _look_at_identity(reader: SecretReader) -> None:
    for key in _IDENTITY:
        text = reader.value(key)
        if not text or is_guid(text) or (key == "tenant_id" and _DOMAIN.fullmatch(text)):
            continue
        unread = key == "subscription_id"
        reader.tell(
            rules.BAD_GUID,
            key,
            found=form(text),
            expected="a GUID, or a domain of the tenant" if key == "tenant_id" else "a GUID",
            hint="; Loki never reads it" if unread else "",
            severity=Severity.WARNING if unread else None,
        )


def _account(reader: SecretReader) -> str:
    """Return the storage account's name; adds a finding if it is a host or not valid."""
    text = reader.value("account_name")
    name, _, domain = text.removeprefix("https://").rstrip("/").partition(".")
    if not domain:
        of = "3 to 24 small letters and digits"
        return reader.name("account_name", usual=_ACCOUNT, of=of)
    known = domain in {cloud.suffix for cloud in CLOUDS.values()}
    meant = known and _ACCOUNT.fullmatch(name) is not None
    reader.tell(
        rules.BAD_BUCKET_NAME,
        "account_name",
        found="a host" if known else "what is no name",
        expected=f"the account's name alone, `{name}`" if meant else "the account's name alone",
        value=name if meant else "VALUE",
    )
    return text


def _cloud(reader: SecretReader, environment: str, suffix: str) -> _Cloud | None:
    """Return the cloud that environment and suffix agree on."""
    if not environment and not suffix:
        known = reader.unusable | reader.secret.spoilt
        if not (known & {"environment", "endpoint_suffix"}) and not reader.secret.may_have(
            "endpoint_suffix"
        ):
            reader.missing("environment", why="; or `endpoint_suffix`: they tell Azure's cloud")
        return None
    named = CLOUDS.get(environment)
    if environment and named is None:
        reader.tell(
            rules.BAD_ENVIRONMENT,
            "environment",
            expected=", ".join(CLOUDS),
            **meant_of(environment, CLOUDS, _OTHER_NAMES),
        )
    by_suffix = next((cloud for cloud in CLOUDS.values() if cloud.suffix == suffix), None)
    if suffix and by_suffix is None and not _ZONE.fullmatch(suffix):
        _unknown_suffix(reader, suffix)
    elif by_suffix and named and named.suffix != suffix:
        reader.tell(
            rules.BAD_ENDPOINT_SUFFIX,
            "endpoint_suffix",
            found=f"`{suffix}`, of another cloud",
            expected=f"`{named.suffix}`, as `environment` is {environment}",
            value=named.suffix,
        )
    return named or by_suffix


def _unknown_suffix(reader: SecretReader, suffix: str) -> None:
    """Add a finding about a suffix that no cloud has: a typo, or that of an Azure Stack.

    The client appends it to the account's name, whatever it is (github.com/grafana/objstore,
    providers/azure/helpers.go).
    """
    suffixes = list(dict.fromkeys(cloud.suffix for cloud in CLOUDS.values()))
    small = suffix.strip(".").lower()
    near = [each for each in suffixes if small in (each, each[5:])]
    if not near and "blob" in small.split("."):
        from difflib import get_close_matches  # noqa: PLC0415 - only if a suffix is unknown

        near = get_close_matches(small[:64], suffixes, n=1, cutoff=0.85)
    own = not near and "blob" in suffix.split(".") and _SUFFIX.fullmatch(suffix) is not None
    reader.tell(
        rules.BAD_ENDPOINT_SUFFIX,
        "endpoint_suffix",
        severity=Severity.WARNING if own else None,
        found=f"{quoted(suffix)}, of no cloud that is known here" if own else form(suffix),
        expected=f"one of {', '.join(suffixes)}",
        hint=f"; `{near[0]}` was meant" if near else "",
        value=near[0] if near else "VALUE",
    )
