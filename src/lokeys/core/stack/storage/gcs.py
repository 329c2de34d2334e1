# SPDX-License-Identifier: Apache-2.0
"""Reading a Secret for Google Cloud Storage: a bucket, and Google's credentials file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import CredentialMode, Gcs
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.text.words import form

KEY = "key.json"
TOKEN_FILE = "/var/run/secrets/storage/serviceaccount/token"
_PROPOSALS_FILE = "/var/run/secrets/serviceaccount/token"
_WRONG_FILES = {
    _PROPOSALS_FILE: f"{_PROPOSALS_FILE}, as the Loki Operator's proposal once told",
    "/var/run/secrets/kubernetes.io/serviceaccount/token": "the API server's own token",
    "/var/run/secrets/openshift/serviceaccount/token": "/var/run/secrets/openshift/serviceaccount"
    "/token, as OpenShift's own components have it",
}
_PROVIDER = re.compile(
    r"//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/"
    r"[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}"
)
_IMPERSONATION = re.compile(
    r"https://iamcredentials\.[a-z.]+/v1/projects/-/serviceAccounts/"
    r"(?P<email>[a-z0-9.-]+@[a-z0-9.-]+):generateAccessToken"
)
_TOKEN_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
_PROVIDER_FORM = "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/"


def read_gcs(reader: SecretReader) -> Gcs:
    """Return what the Secret says; what it says wrong is among the reader's findings."""
    provider = email = ""
    audience = "" if reader.mode is CredentialMode.STATIC else reader.value("audience")
    if reader.mode is not CredentialMode.TOKEN_CCO and reader.value(KEY):
        credentials = json_object(reader.secret.raw(KEY).removeprefix(b"\xef\xbb\xbf"))
        if credentials is None:
            _bad(reader, "is no JSON object", "one, as Google's tools write it")
        elif reader.mode is CredentialMode.STATIC:
            _account_key(reader, credentials)
        else:
            provider, email = _external_account(reader, credentials)
            _audience(reader, audience, provider=provider)
    return Gcs(
        mode=reader.mode,
        bucket=reader.name("bucketname"),
        audience=audience,
        provider=provider,
        service_account_email=email,
    )


def _bad(reader: SecretReader, found: str, expected: str, *, hint: str = "") -> None:
    reader.tell(rules.BAD_JSON, KEY, found=found, expected=expected, hint=hint)


def _type(reader: SecretReader, credentials: Mapping[str, Any], *, wanted: str) -> bool:
    kind = credentials.get("type")
    if kind == wanted:
        return True
    known = {
        "service_account": "is a service account's own key, as mode static reads it",
        "external_account": "configures an exchange of tokens, as mode token reads it",
        "authorized_user": "holds the login of a person",
    }
    found = known.get(kind, "has another `type`") if isinstance(kind, str) else "has no `type`"
    _bad(reader, found, f"`type` {wanted}")
    return False


def _account_key(reader: SecretReader, credentials: Mapping[str, Any]) -> None:
    if not _type(reader, credentials, wanted="service_account"):
        return
    for member in ("client_email", "private_key", "private_key_id", "token_uri"):
        value = credentials.get(member)
        if not isinstance(value, str) or not value.strip():
            _bad(
                reader,
                f"has no `{member}`",
                "a key as `gcloud iam service-accounts keys` writes it",
            )
    private = credentials.get("private_key")
    if isinstance(private, str) and private.strip():
        lines = private.strip().splitlines()
        whole = lines[0].startswith("-----BEGIN ") and lines[-1].startswith("-----END ")
        if not whole or len(lines) < 3:
            hint = "; its line breaks were escaped twice" if "\\n" in private else ""
            _bad(reader, "holds a `private_key` that is no PEM", "PEM of several lines", hint=hint)


def _external_account(reader: SecretReader, credentials: Mapping[str, Any]) -> tuple[str, str]:
    """Return the provider and the service account that are named, as far as they are sound."""
    if not _type(reader, credentials, wanted="external_account"):
        return "", ""
    _token_url(reader, credentials.get("token_url"))
    if credentials.get("subject_token_type") not in _TOKEN_TYPES:
        _bad(reader, "has another `subject_token_type`", _TOKEN_TYPES[0])
    _source(reader, credentials.get("credential_source"))
    return _provider(reader, credentials.get("audience")), _impersonated(reader, credentials)


def _provider(reader: SecretReader, audience: object) -> str:
    if isinstance(audience, str) and _PROVIDER.fullmatch(audience):
        return audience
    found = form(audience) if isinstance(audience, str) else "missing"
    found = f"a file whose `audience` is {found}"
    expected = f"{_PROVIDER_FORM}providers/PROVIDER"
    reader.tell(rules.BAD_AUDIENCE, KEY, found=found, expected=expected)
    return ""


def _impersonated(reader: SecretReader, credentials: Mapping[str, Any]) -> str:
    address = credentials.get("service_account_impersonation_url")
    if address is None:
        return ""
    found = _IMPERSONATION.fullmatch(address) if isinstance(address, str) else None
    if found is None:
        expected = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/EMAIL"
        problem = "has a `service_account_impersonation_url` that is none"
        _bad(reader, problem, f"{expected}:generateAccessToken")
        return ""
    return found["email"]


def _token_url(reader: SecretReader, address: object) -> None:
    expected = "https://sts.googleapis.com/v1/token"
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme != "https" or not parts.netloc.startswith("sts."):
        _bad(reader, "has a `token_url` that is no token exchange", expected)
    elif parts.path != "/v1/token":
        _bad(reader, "has a `token_url` of another path", expected)


def _source(reader: SecretReader, source: object) -> None:
    file = source.get("file") if isinstance(source, Mapping) else None
    if file != TOKEN_FILE:
        found = "missing"
        if isinstance(file, str):
            found = _WRONG_FILES.get(file, "another path")
        reader.tell(rules.WRONG_CREDENTIAL_SOURCE, KEY, found=found, expected=TOKEN_FILE)
    form_of_file = source.get("format") if isinstance(source, Mapping) else None
    kind = form_of_file.get("type", "text") if isinstance(form_of_file, Mapping) else form_of_file
    if kind not in (None, "text"):
        _bad(reader, "reads its token in another format", "credential_source.format.type text")


def _audience(reader: SecretReader, audience: str, *, provider: str) -> None:
    """Say so where the token's audience is not the provider's name; the provider may allow it."""
    if audience and provider and audience not in (provider, f"https:{provider}"):
        reader.tell(
            rules.BAD_AUDIENCE,
            "audience",
            severity=Severity.INFO,
            found="not the name of the provider in key.json",
            expected="that name, or one of the provider's own list of allowed audiences",
        )
