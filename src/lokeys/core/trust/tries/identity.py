# SPDX-License-Identifier: Apache-2.0
"""What a stack's credentials are and where they are used, derived from its Secrets.

    static     a key           AccessKey · AccountKey · ServiceAccountKey
    token      a trust         Role · FederatedApp · PoolProvider
    token-cco  the same trust, from the Secret that the Cloud Credential Operator manages

Everything that an adapter needs to test them is here; secret values are `Sensitive`.
"""

from __future__ import annotations

import configparser
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from lokeys.core.kubernetes import aws_addresses
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.stack.render.store import mode_of
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import S3, Azure, CredentialMode, Gcs, Sse, SseType, Storage
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.text.urls import NoUrl, url

AZURE_AUTHORITY = "https://login.microsoftonline.com/"
AZURE_SUFFIX = "blob.core.windows.net"
GOOGLE_STORAGE = "https://storage.googleapis.com"
SESSION = "AWS_SESSION_TOKEN"
"""For a temporary key that a person provides; no stack's Secret has it."""
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_GOOGLES_TOKEN_URI = "https://oauth2.googleapis.com/token"
_GOOGLES_EXCHANGE = "https://sts.googleapis.com/v1/token"
"""Loki's client uses this if a credentials file does not set it (golang.org/x/oauth2 0.36.0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """An S3 key."""

    pair: KeyPair = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKey:
    """An Azure storage account's key, base64 as Azure shows it."""

    account: str
    key: Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountKey:
    """A Google service account's private key."""

    email: str
    key_id: str
    private_key: Sensitive
    token_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that accepts web identities, and the STS that issues its credentials."""

    arn: str
    sts_url: str
    region: str
    is_aws: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedApp:
    """An Entra application or managed identity with federated credentials."""

    authority: str
    tenant_id: str
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolProvider:
    """A provider of a workload identity pool; `impersonation_url` is empty for direct access."""

    name: str
    token_url: str
    token_type: str = _JWT
    impersonation_url: str = ""


Triable = S3 | Azure | Gcs
"""The stores that lokeys can test."""

StaticKey = AccessKey | AccountKey | ServiceAccountKey
Trust = Role | FederatedApp | PoolProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """The buckets of a stack on S3, and the headers with which Loki writes to them."""

    buckets: tuple[Bucket, ...]
    sse: Sse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobPlace:
    """A blob container."""

    url: str
    account: str
    container: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsPlace:
    """A bucket of Google Cloud Storage."""

    bucket: str
    url: str = GOOGLE_STORAGE


Place = S3Place | BlobPlace | GcsPlace


class UnusableCredential(ValueError):
    """The Secrets do not contain enough for a test; the message says what is missing."""


def place_of(storage: Triable, *, ca_bundle: str | None = None) -> Place:
    """Return where the credentials are used."""
    match storage:
        case S3():
            return _s3_place(storage, ca_bundle)
        case Azure():
            suffix = storage.endpoint_suffix or AZURE_SUFFIX
            return BlobPlace(
                url=f"https://{storage.account_name}.{suffix}",
                account=storage.account_name,
                container=storage.container,
            )
        case Gcs():
            return GcsPlace(bucket=storage.bucket)
        case other:
            assert_never(other)


def _s3_place(storage: S3, ca_bundle: str | None) -> S3Place:
    buckets = tuple(
        Bucket(
            name=name,
            endpoint=f"http{'' if storage.insecure else 's'}://{storage.host}",
            region=storage.region,
            path_style=storage.takes_paths(name),
            ca_bundle=ca_bundle,
        )
        for name in storage.buckets
    )
    return S3Place(buckets=buckets, sse=storage.sse)


def static_key_of(storage: Triable, secret: SecretData) -> StaticKey:
    """Return the key that a static stack's pods get. Raises Unusable."""
    match storage:
        case S3():
            return AccessKey(
                pair=KeyPair(
                    access_key_id=Sensitive(secret.text("access_key_id")),
                    secret_access_key=Sensitive(secret.text("access_key_secret")),
                    session_token=Sensitive(secret.text(SESSION)) if secret.has(SESSION) else None,
                )
            )
        case Azure():
            key = Sensitive(secret.text("account_key"))
            return AccountKey(account=storage.account_name, key=key)
        case Gcs():
            return service_account_key(_json(secret, "key.json"))
        case other:
            assert_never(other)


def service_account_key(found: Mapping[str, Any]) -> ServiceAccountKey:
    """Return the key of a credentials file. Raises Unusable."""
    return ServiceAccountKey(
        email=_member(found, "client_email"),
        key_id=_member(found, "private_key_id") if found.get("private_key_id") else "",
        private_key=Sensitive(_member(found, "private_key")),
        token_uri=_url(found, "token_uri") if found.get("token_uri") else _GOOGLES_TOKEN_URI,
    )


def trust_of(storage: Triable, secret: SecretData, managed: SecretData | None = None) -> Trust:
    """Return who gets a stack's tokens; `managed` is for token-cco. Raises Unusable."""
    source = secret
    if storage.mode is CredentialMode.TOKEN_CCO:
        if managed is None:
            raise UnusableCredential(
                "the Secret that the Cloud Credential Operator manages is not there yet"
            )
        source = managed
    match storage:
        case S3():
            return _role(storage, source)
        case Azure():
            return _federated_app(storage, source)
        case Gcs():
            managed_file = storage.mode is CredentialMode.TOKEN_CCO
            return pool_provider(
                _json(source, "service_account.json" if managed_file else "key.json")
            )
        case other:
            assert_never(other)


def _role(storage: S3, source: SecretData) -> Role:
    arn = storage.role_arn
    if storage.mode is CredentialMode.TOKEN_CCO:
        arn = _profiles_role(source.text("credentials"))
    own = storage.sts_endpoint
    aws = not own or aws_addresses.is_aws(
        own.partition("://")[2].partition("/")[0].partition(":")[0]
    )
    regional = f"https://sts.{storage.region}.{aws_addresses.domain_of(storage.region)}"
    return Role(arn=arn, sts_url=own or regional, region=storage.region, is_aws=aws)


def _profiles_role(text: str) -> str:
    """Return the role of a shared credentials file's default profile."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="\0")
    try:
        parser.read_string(text)
        found = parser.get("default", "role_arn", fallback="").strip()
    except configparser.Error:
        found = ""
    if not found:
        raise UnusableCredential("`credentials` of the managed Secret names no role_arn")
    return found


def _federated_app(storage: Azure, source: SecretData) -> FederatedApp:
    tenant, client = storage.tenant_id, storage.client_id
    if storage.mode is CredentialMode.TOKEN_CCO:
        tenant, client = source.text("azure_tenant_id"), source.text("azure_client_id")
    if not tenant or not client:
        raise UnusableCredential("the managed Secret names no azure_client_id or azure_tenant_id")
    authority = storage.authority_host or AZURE_AUTHORITY
    return FederatedApp(authority=authority, tenant_id=tenant, client_id=client)


def pool_provider(found: Mapping[str, Any]) -> PoolProvider:
    """Return the provider of an external account's file. Raises Unusable."""
    impersonated = "service_account_impersonation_url"
    kind = found.get("subject_token_type")
    return PoolProvider(
        name=_member(found, "audience"),
        token_url=_url(found, "token_url") if found.get("token_url") else _GOOGLES_EXCHANGE,
        token_type=kind if isinstance(kind, str) and kind else _JWT,
        impersonation_url=_url(found, impersonated) if found.get(impersonated) else "",
    )


def _json(secret: SecretData, key: str) -> Mapping[str, Any]:
    found = json_object(secret.raw(key).removeprefix(b"\xef\xbb\xbf"))
    if found is None:
        raise UnusableCredential(f"`{key}` of {secret.ref} is no JSON object")
    return found


def _member(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise UnusableCredential(f"the credentials file has no `{name}`")
    return value


def _url(found: Mapping[str, Any], name: str) -> str:
    """Return an address to which a secret may be sent: complete, and over TLS."""
    text = _member(found, name)
    head, colon, verb = text.rpartition(":")
    address = head if colon and verb == "generateAccessToken" else text
    try:
        secure = url(address, with_path=True).secure
    except NoUrl:
        secure = False
    if not secure or not text.isprintable() or " " in text:
        raise UnusableCredential(f"the credentials file's `{name}` is no https address")
    return text


def accounts_to_try(stack: LokiStack, storage: Storage) -> tuple[str, ...]:
    """Return the service accounts to test; with a static key one stands for all."""
    if mode_of(storage) is CredentialMode.STATIC:
        return (stack.name,)
    return stack.service_accounts if stack.rules_enabled else stack.service_accounts[:1]


def encryption_headers(sse: Sse | None) -> tuple[tuple[str, str], ...]:
    """Return the headers with which Loki writes: a bucket's policy may require them."""
    if sse is None:
        return ()
    if sse.type is SseType.S3:
        return (("x-amz-server-side-encryption", "AES256"),)
    headers = [("x-amz-server-side-encryption", "aws:kms")]
    if sse.kms_key_id:
        headers.append(("x-amz-server-side-encryption-aws-kms-key-id", sse.kms_key_id))
    if sse.kms_encryption_context:
        context = b64encode(sse.kms_encryption_context.encode()).decode()
        headers.append(("x-amz-server-side-encryption-context", context))
    return tuple(headers)
