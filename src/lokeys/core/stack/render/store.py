# SPDX-License-Identifier: Apache-2.0
"""The store's part of Loki's configuration, and what its pods need to reach it.

Credentials are never in here: the configuration names environment variables, which Loki expands
when it starts, and pods take those from the Secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from lokeys.core.stack.render.expansion import from_environment
from lokeys.core.stack.render.names import CA_FOLDER, MANAGED_FOLDER, SECRET_FOLDER, TOKEN_FILE
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import (
    S3,
    AlibabaCloud,
    Azure,
    CredentialMode,
    Gcs,
    Sse,
    SseType,
    Storage,
    Swift,
)

MANAGED_SUFFIX = "-managed-credentials"
SSE_CONTEXT = "AWS_SSE_KMS_ENCRYPTION_CONTEXT"
AUDIENCES = {S3: "sts.amazonaws.com", Azure: "api://AzureADTokenExchange", Gcs: "openshift"}
_SUFFIXES = {
    "AzureChinaCloud": "blob.core.chinacloudapi.cn",
    "AzureGermanCloud": "blob.core.cloudapi.de",
    "AzureUSGovernment": "blob.core.usgovcloudapi.net",
}
_SWIFT = (
    "user_domain_name",
    "user_domain_id",
    "user_id",
    "domain_id",
    "domain_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
)
Env = dict[str, Any]


def mode_of(storage: Storage) -> CredentialMode:
    """Return how the store is reached."""
    match storage:
        case S3() | Azure() | Gcs():
            return storage.mode
    return CredentialMode.STATIC


def audience_of(storage: Storage) -> str:
    """Return the audience of the pods' tokens."""
    match storage:
        case S3() | Azure() | Gcs():
            return storage.audience or AUDIENCES[type(storage)]
    return ""


def uses_managed_secret(storage: Storage) -> bool:
    """Tell whether pods mount what the Cloud Credential Operator wrote."""
    return mode_of(storage) is CredentialMode.TOKEN_CCO and isinstance(storage, S3 | Gcs)


def store_config(stack: LokiStack, storage: Storage) -> dict[str, Any]:
    """Return the part of `storage_config` that says where chunks and index are stored."""
    if isinstance(storage, S3) and len(storage.buckets) > 1:
        return {"aws": dict(_older_s3(stack, storage)), "use_thanos_objstore": False}
    return {"object_store": _object_store(stack, storage), "use_thanos_objstore": True}


def _object_store(stack: LokiStack, storage: Storage) -> dict[str, Any]:
    match storage:
        case S3():
            return {"s3": dict(_s3(stack, storage))}
        case Azure():
            return {"azure": dict(_azure(storage))}
        case Gcs():
            return {"gcs": {"bucket_name": storage.bucket}}
        case Swift():
            return {"swift": dict(sorted(_swift(stack, storage)))}
        case AlibabaCloud():
            return {
                "alibaba": {
                    "access_key_id": from_environment("ALIBABA_CLOUD_ACCESS_KEY_ID"),
                    "access_key_secret": from_environment("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
                    "bucket": storage.bucket,
                    "endpoint": storage.endpoint,
                }
            }
        case other:
            assert_never(other)


def _s3(stack: LokiStack, storage: S3) -> Iterator[tuple[str, Any]]:
    if storage.mode is CredentialMode.STATIC:
        yield "access_key_id", from_environment("AWS_ACCESS_KEY_ID")
    if storage.force_path_style:
        yield "bucket_lookup_type", "path"
    yield "bucket_name", storage.buckets[0]
    yield "endpoint", storage.host
    if stack.ca:
        yield "http", {"tls_ca_path": f"{CA_FOLDER}/{stack.ca.key}"}
    if storage.insecure:
        yield "insecure", True
    if storage.mode is not CredentialMode.STATIC:
        yield "native_aws_auth_enabled", True
    if storage.region:
        yield "region", storage.region
    if storage.mode is CredentialMode.STATIC:
        yield "secret_access_key", from_environment("AWS_ACCESS_KEY_SECRET")
    if storage.sse:
        yield "sse", dict(_sse(storage.sse))


def _older_s3(stack: LokiStack, storage: S3) -> Iterator[tuple[str, Any]]:
    """Yield the settings of Loki's older client, the only one that uses several buckets."""
    host = storage.endpoint_host
    if storage.mode is CredentialMode.STATIC:
        yield "access_key_id", from_environment("AWS_ACCESS_KEY_ID")
    yield "bucketnames", ",".join(storage.buckets)
    if host:
        yield "endpoint", f"{'http' if storage.insecure else 'https'}://{host}"
    if stack.ca:
        yield "http_config", {"ca_file": f"{CA_FOLDER}/{stack.ca.key}"}
    if storage.insecure:
        yield "insecure", True
    yield "region", storage.region or "us-east-1"
    # This client uses virtual hosts by default, which hardly any store except AWS's supports.
    yield "s3forcepathstyle", storage.path_style
    if storage.mode is CredentialMode.STATIC:
        yield "secret_access_key", from_environment("AWS_ACCESS_KEY_SECRET")
    if storage.sse:
        yield "sse", dict(_sse(storage.sse))


def _sse(sse: Sse) -> Iterator[tuple[str, Any]]:
    if sse.type is SseType.KMS and sse.has_kms_encryption_context:
        yield "kms_encryption_context", from_environment(SSE_CONTEXT)
    if sse.type is SseType.KMS and sse.kms_key_id:
        yield "kms_key_id", sse.kms_key_id
    yield "type", sse.type.value


def _azure(storage: Azure) -> Iterator[tuple[str, Any]]:
    if storage.mode is CredentialMode.STATIC:
        yield "account_key", from_environment("AZURE_STORAGE_ACCOUNT_KEY")
    yield "account_name", from_environment("AZURE_STORAGE_ACCOUNT_NAME")
    yield "container_name", storage.container
    suffix = storage.endpoint_suffix or _SUFFIXES.get(storage.environment, "")
    if suffix:
        yield "endpoint_suffix", suffix


def _swift(stack: LokiStack, storage: Swift) -> Iterator[tuple[str, Any]]:
    yield "auth_url", storage.auth_url
    yield "container_name", storage.container
    if stack.ca:
        yield "http", {"tls_ca_path": f"{CA_FOLDER}/{stack.ca.key}"}
    yield "password", from_environment("SWIFT_PASSWORD")
    for key in _SWIFT:
        if getattr(storage, key):
            yield key, getattr(storage, key)
    if storage.region:
        yield "region_name", storage.region
    yield "username", from_environment("SWIFT_USERNAME")


def environment(stack: LokiStack, storage: Storage) -> list[Env]:
    """Return the environment with which a pod reaches the store, sorted by name."""
    return sorted(_environment(stack, storage), key=lambda entry: str(entry["name"]))


def _environment(stack: LokiStack, storage: Storage) -> Iterator[Env]:
    match storage:
        case S3():
            yield from _s3_environment(stack, storage)
        case Azure():
            yield from _azure_environment(stack, storage)
        case Gcs():
            managed = storage.mode is CredentialMode.TOKEN_CCO
            file = "service_account.json" if managed else "key.json"
            folder = MANAGED_FOLDER if managed else SECRET_FOLDER
            yield _value("GOOGLE_APPLICATION_CREDENTIALS", f"{folder}/{file}")
        case Swift():
            keys = {"SWIFT_USERNAME": "username", "SWIFT_PASSWORD": "password"}
            yield from _from_secret(stack.storage_secret_name, keys)
        case AlibabaCloud():
            keys = {
                "ALIBABA_CLOUD_ACCESS_KEY_ID": "access_key_id",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret_access_key",
            }
            yield from _from_secret(stack.storage_secret_name, keys)
        case other:
            assert_never(other)


def _s3_environment(stack: LokiStack, storage: S3) -> Iterator[Env]:
    keys: dict[str, str] = {}
    if stack.ca and storage.mode is not CredentialMode.STATIC:
        # Tokens are exchanged by a client of AWS's SDK, which does not use Loki's own setting.
        yield _value("AWS_CA_BUNDLE", f"{CA_FOLDER}/{stack.ca.key}")
    match storage.mode:
        case CredentialMode.STATIC:
            keys = {
                "AWS_ACCESS_KEY_ID": "access_key_id",
                "AWS_ACCESS_KEY_SECRET": "access_key_secret",
            }
        case CredentialMode.TOKEN:
            keys = {"AWS_ROLE_ARN": "role_arn"}
            yield _value("AWS_WEB_IDENTITY_TOKEN_FILE", TOKEN_FILE)
            yield _value("AWS_REGION", storage.region)
            if storage.sts_endpoint:
                yield _value("AWS_ENDPOINT_URL_STS", storage.sts_endpoint)
        case _:
            yield _value("AWS_SHARED_CREDENTIALS_FILE", f"{MANAGED_FOLDER}/credentials")
            yield _value("AWS_SDK_LOAD_CONFIG", "true")
            yield _value("AWS_REGION", storage.region)
    if storage.sse and storage.sse.type is SseType.KMS and storage.sse.has_kms_encryption_context:
        keys[SSE_CONTEXT] = "sse_kms_encryption_context"
    yield from _from_secret(stack.storage_secret_name, keys)


def _azure_environment(stack: LokiStack, storage: Azure) -> Iterator[Env]:
    keys = {"AZURE_STORAGE_ACCOUNT_NAME": "account_name"}
    if storage.mode is CredentialMode.STATIC:
        keys["AZURE_STORAGE_ACCOUNT_KEY"] = "account_key"
        yield from _from_secret(stack.storage_secret_name, keys)
        return
    yield from _from_secret(stack.storage_secret_name, keys)
    managed = storage.mode is CredentialMode.TOKEN_CCO
    prefix, owner = (
        ("azure_", f"{stack.name}{MANAGED_SUFFIX}") if managed else ("", stack.storage_secret_name)
    )
    identities = ("client_id", "tenant_id", "subscription_id")
    yield from _from_secret(owner, {f"AZURE_{key.upper()}": f"{prefix}{key}" for key in identities})
    yield _value("AZURE_FEDERATED_TOKEN_FILE", TOKEN_FILE)
    if storage.authority_host:
        yield _value("AZURE_AUTHORITY_HOST", storage.authority_host)


def _from_secret(secret: str, keys: Mapping[str, str]) -> Iterator[Env]:
    for name, key in keys.items():
        yield {"name": name, "valueFrom": {"secretKeyRef": {"key": key, "name": secret}}}


def _value(name: str, value: str) -> Env:
    # Kubernetes expands $(NAME) in a value; a doubled sign is literal.
    return {"name": name, "value": value.replace("$(", "$$(")}
