# SPDX-License-Identifier: Apache-2.0
"""Reads a Secret for Google Cloud Storage: a bucket, and Google's credentials file.

Loki 3.7.8 reads the file with golang.org/x/oauth2 0.36.0 (google/google.go, internal/oauth2.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.external_account import KEY, bad, read_external_account
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import CredentialMode, Gcs
from lokeys.core.stack.storage.reader import SecretReader

_ACCOUNT, _EXCHANGE = "service_account", "external_account"
_KINDS = {
    _ACCOUNT: "is a service account's own key, as mode static reads it",
    _EXCHANGE: "configures an exchange of tokens, as mode token reads it",
}
_UNUSUAL = {
    "authorized_user": "holds the login of a person, which ends when that person leaves",
    "impersonated_service_account": "acts as a service account by another credential in it",
    "external_account_authorized_user": "holds the login of a person from outside Google",
    "gdch_service_account": "is an account of Google Distributed Cloud",
}
"""Types that the client also reads, and that are not meant for a long-running program."""


def read_gcs(reader: SecretReader) -> Gcs:
    """Return what the Secret says; its faults are among the reader's findings."""
    provider = email = ""
    audience = "" if reader.mode is CredentialMode.STATIC else reader.value("audience")
    if reader.mode is not CredentialMode.TOKEN_CCO and reader.value(KEY):
        credentials = json_object(reader.secret.raw(KEY).removeprefix(b"\xef\xbb\xbf"))
        if credentials is None:
            bad(reader, "is no JSON object", "one, as Google's tools write it")
        elif reader.mode is CredentialMode.STATIC:
            _account_key(reader, credentials)
        elif _type(reader, credentials, wanted=_EXCHANGE):
            provider, email = read_external_account(reader, credentials)
            _audience(reader, audience, provider=provider)
    return Gcs(
        mode=reader.mode,
        bucket=reader.name("bucketname"),
        audience=audience,
        provider=provider,
        service_account_email=email,
    )


def _type(reader: SecretReader, credentials: Mapping[str, Any], *, wanted: str) -> bool:
    kind = credentials.get("type")
    if kind == wanted:
        return True
    name = kind if isinstance(kind, str) else ""
    unusual = wanted == _ACCOUNT and name in _UNUSUAL
    found = {**_KINDS, **_UNUSUAL}.get(name, "has another `type`" if name else "has no `type`")
    severity = Severity.WARNING if unusual else None
    bad(reader, found, f"`type` {wanted}", severity=severity)
    return False


def _account_key(reader: SecretReader, credentials: Mapping[str, Any]) -> None:
    if not _type(reader, credentials, wanted=_ACCOUNT):
        return
    for member, instead in (
        ("client_email", ""),
        ("private_key", ""),
        ("private_key_id", "Google finds the key without it"),
        ("token_uri", "the client takes Google's own"),
    ):
        value = credentials.get(member)
        if isinstance(value, str) and value.strip():
            continue
        severity = Severity.WARNING if instead and value in (None, "") else None
        bad(
            reader,
            f"has no `{member}`",
            "a key as `gcloud iam service-accounts keys` writes it",
            hint=f"; {instead}" if severity else "",
            severity=severity,
        )
    private = credentials.get("private_key")
    if isinstance(private, str) and private.strip() and not _is_pem(private):
        hint = "; its line breaks were escaped twice" if "\\n" in private else ""
        bad(reader, "holds a `private_key` that is no PEM", "PEM of several lines", hint=hint)


def _is_pem(text: str) -> bool:
    """Tell whether Go finds a PEM block; text before it does not count."""
    lines = text.strip().splitlines()
    begin = next((at for at, line in enumerate(lines) if line.startswith("-----BEGIN ")), None)
    if begin is None:
        return False
    end = next((at for at, line in enumerate(lines) if line.startswith("-----END ")), 0)
    return end > begin + 1


def _audience(reader: SecretReader, audience: str, *, provider: str) -> None:
    """Add a finding if the audience is not the provider's name; the provider may allow it."""
    if audience and provider and audience not in (provider, f"https:{provider}"):
        reader.tell(
            rules.BAD_AUDIENCE,
            "audience",
            severity=Severity.INFO,
            found="not the name of the provider in key.json",
            expected="that name, or one of the provider's own list of allowed audiences",
        )
