# SPDX-License-Identifier: Apache-2.0
"""What is known about a stack and its cloud: from options, its Secret, its cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lokeys.core.place import is_name
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.text.shell import Command, command
from lokeys.core.text.urls import NoUrl, url
from lokeys.core.trust.accounts import Stack
from lokeys.core.trust.printed.shell import MissingValue

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TEXT = re.compile(r"[\x21-\x7e]{1,1024}")
ISSUER_COMMAND = command("kubectl get --raw /.well-known/openid-configuration")


SECRET_NAME = "spec.storage.secret.name"


class Unfit(ValueError):
    """An answer that is not valid; says which, what is wrong, and what is expected."""

    def __init__(self, option: str, expected: str) -> None:
        super().__init__(f"{option}: {expected} is expected")
        self.option = option


@dataclass(slots=True, kw_only=True)
class Answers:
    """Values by the names of their options; a needed value that is absent is noted."""

    given: Mapping[str, str]
    missing: list[MissingValue] = field(default_factory=list)

    def text(self, option: str, form: re.Pattern[str] = _TEXT, expected: str = "a text") -> str:
        """Return an answer, or an empty text. Raises Unfit."""
        value = self.given.get(option, "")
        if value and not form.fullmatch(value):
            raise Unfit(option, expected)
        return value

    def needed(
        self,
        option: str,
        form: re.Pattern[str] = _TEXT,
        expected: str = "a text",
        *,
        what: str,
        command: Command | None = None,
    ) -> str:
        """Return an answer, or the placeholder for it in what is printed."""
        value = self.text(option, form, expected)
        if value:
            return value
        name = option.removeprefix("--").replace("-", "_").upper()
        self.missing.append(MissingValue(name=name, option=option, what=what, command=command))
        return name

    def url(self, option: str, *, insecure: bool) -> str:
        """Return an address, or an empty text. Raises Unfit."""
        value = self.text(option)
        if not value:
            return ""
        expected = "a URL of http or https" if insecure else "a URL of https"
        try:
            found = url(value, with_path=True)
        except NoUrl as problem:
            raise Unfit(option, f"{expected} ({problem} was given)") from None
        if not (found.secure or insecure):
            raise Unfit(option, f"{expected} (the cloud takes no other)")
        return value

    def issuer(self, *, insecure: bool = False) -> str:
        """Return the cluster's issuer exactly as its tokens spell it."""
        found = self.url("--issuer", insecure=insecure)
        what = "who signs the tokens of the cluster's service accounts (iss)"
        return found or self.needed("--issuer", what=what, command=ISSUER_COMMAND)

    def stack(self, *, issuer: str, audience: str) -> Stack:
        """Return the stack that is asked about. Raises Unfit."""
        present = self.given.get("mode", "")
        secret = self.text("--secret-name", _NAME, "the name of a Secret")
        stored = self.given.get("secret", "")
        if stored and not is_name(stored):
            raise Unfit(SECRET_NAME, "the name of a Secret")
        name = self.needed("--name", _NAME, "the name of a LokiStack", what="the LokiStack")
        replaces = stored if present == "static" and stored != secret else ""
        made = secret or (f"{stored}-token" if replaces else stored or f"{name}-storage")
        return Stack(
            namespace=self.needed("--namespace", _LABEL, "a namespace", what="its namespace"),
            name=name,
            issuer=issuer,
            audience=audience,
            secret=made,
            replaces=replaces,
            present=bool(self.given.get("present")) and made == stored,
            rules=self.given.get("rules") != "no",
        )


KMS_CONTEXT = "sse_kms_encryption_context"
_PLAIN = {
    "s3": {
        "bucketnames": "--bucket",
        "region": "--region",
        "endpoint": "--endpoint",
        "sts_endpoint": "--sts-endpoint",
        "role_arn": "role_arn",
        "audience": "--audience",
        "forcepathstyle": "forcepathstyle",
        "sse_type": "sse_type",
        "sse_kms_key_id": "--kms-key",
    },
    "azure": {
        "container": "--container",
        "account_name": "--storage-account",
        "environment": "environment",
        "endpoint_suffix": "endpoint_suffix",
        "audience": "--audience",
        "client_id": "--client-id",
        "tenant_id": "--tenant-id",
        "subscription_id": "--subscription",
    },
    "gcs": {"bucketname": "--bucket", "audience": "--audience"},
}
"""Keys of a storage Secret that are not secret, and the answers that they give."""
_PROVIDER = re.compile(
    r"//iam\.googleapis\.com/projects/(?P<number>[0-9]+)/locations/global/workloadIdentityPools/"
    r"(?P<pool>[a-z0-9-]+)/providers/(?P<provider>[a-z0-9-]+)"
)
_IMPERSONATED = re.compile(
    r".*/serviceAccounts/(?P<email>[a-z0-9.-]+@([a-z0-9.-]+\.)?gserviceaccount\.com)"
    r":generateAccessToken"
)
_HOME = re.compile(r".*@(?P<project>[a-z0-9-]+)\.iam\.gserviceaccount\.com")


def answers_of(storage_type: str, secret: SecretData) -> dict[str, str]:
    """Return the answers in a storage Secret. Nothing else in it is read."""
    known = _PLAIN.get(storage_type, {})
    found = {option: secret.text(key) for key, option in known.items() if secret.text(key)}
    if storage_type == "s3" and secret.has(KMS_CONTEXT):
        found[KMS_CONTEXT] = "yes"  # its value is not read
    if storage_type == "gcs":
        found |= _google(json_object(secret.raw("key.json")) or {})
    return found


def _google(credentials: Mapping[str, object]) -> dict[str, str]:
    """Return what Google's file says about the project, apart from its key."""
    found: dict[str, str] = {}
    if credentials.get("type") == "service_account" and credentials.get("project_id"):
        found["--project"] = str(credentials["project_id"])
    provider = _PROVIDER.fullmatch(str(credentials.get("audience")))
    if provider:
        found |= {
            "--project-number": provider["number"],
            "--pool": provider["pool"],
            "--provider": provider["provider"],
        }
    account = _IMPERSONATED.fullmatch(str(credentials.get("service_account_impersonation_url")))
    if account:
        found["--service-account"] = account["email"]
        home = _HOME.fullmatch(account["email"])
        found |= {"--project": home["project"]} if home else {}
    return found


def used_keys(storage_type: str) -> frozenset[str]:
    """Return the keys of a storage Secret whose values are used here."""
    more = {"key.json"} if storage_type == "gcs" else set()
    return frozenset(_PLAIN.get(storage_type, {})) | more
