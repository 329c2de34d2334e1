# SPDX-License-Identifier: Apache-2.0
"""Which data keys each store reads in each mode, and what other keys were meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lokeys.core.stack.storage.model import CredentialMode, StorageType

STATIC, TOKEN, CCO = CredentialMode.STATIC, CredentialMode.TOKEN, CredentialMode.TOKEN_CCO


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one store in one mode."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """Return all keys that are read."""
        return frozenset((*self.required, *self.optional))


_SSE = ("sse_type", "sse_kms_key_id", "sse_kms_encryption_context")
_IDENTITY = ("client_id", "tenant_id", "subscription_id")

KEYS: Mapping[tuple[StorageType, CredentialMode], Keys] = MappingProxyType(
    {
        (StorageType.S3, STATIC): Keys(
            required=("bucketnames", "endpoint", "access_key_id", "access_key_secret"),
            optional=("region", "forcepathstyle", *_SSE),
        ),
        (StorageType.S3, TOKEN): Keys(
            required=("bucketnames", "region", "role_arn"),
            optional=("audience", "endpoint", "sts_endpoint", "forcepathstyle", *_SSE),
        ),
        (StorageType.S3, CCO): Keys(
            required=("bucketnames", "region"), optional=("audience", "forcepathstyle", *_SSE)
        ),
        (StorageType.AZURE, STATIC): Keys(
            required=("container", "account_name", "account_key"),
            optional=("environment", "endpoint_suffix"),
        ),
        (StorageType.AZURE, TOKEN): Keys(
            required=("container", "account_name", *_IDENTITY),
            optional=("environment", "endpoint_suffix", "audience"),
        ),
        (StorageType.AZURE, CCO): Keys(
            required=("container", "account_name"),
            optional=("environment", "endpoint_suffix", "audience"),
        ),
        (StorageType.GCS, STATIC): Keys(required=("bucketname", "key.json")),
        (StorageType.GCS, TOKEN): Keys(required=("bucketname", "audience", "key.json")),
        (StorageType.GCS, CCO): Keys(required=("bucketname",), optional=("audience",)),
        (StorageType.SWIFT, STATIC): Keys(
            required=(
                *("auth_url", "username", "password", "user_id", "container_name"),
                *("user_domain_name", "user_domain_id", "domain_name", "domain_id"),
            ),
            optional=(
                *("project_id", "project_name", "project_domain_id", "project_domain_name"),
                "region",
            ),
        ),
        (StorageType.ALIBABACLOUD, STATIC): Keys(
            required=("bucket", "endpoint", "access_key_id", "secret_access_key")
        ),
    }
)

DECIDING = {
    StorageType.S3: "role_arn",
    StorageType.AZURE: "client_id",
    StorageType.GCS: "key.json",
}
"""The key whose presence means mode token; for gcs its content decides."""

OWN_KEYS = {
    StorageType.S3: ("access_key_id", "access_key_secret"),
    StorageType.AZURE: ("account_key",),
}
"""What only a Secret in mode static holds."""

KNOWN_KEYS = frozenset(name for keys in KEYS.values() for name in keys.known)
"""Keys that any store reads in any mode."""

SECRET_KEYS = frozenset({"access_key_id", "access_key_secret", "secret_access_key"}) | {
    *("account_key", "username", "password")
}
"""Keys whose values are never shown, and never put on a command line."""

EXPECTED = {
    "bucketnames": "the bucket's name",
    "bucketname": "the bucket's name",
    "bucket": "the bucket's name",
    "container": "the container's name",
    "container_name": "the container's name",
    "endpoint": "a URL such as https://s3.eu-west-1.amazonaws.com",
    "region": "the bucket's region, such as eu-west-1",
    "role_arn": "an ARN such as arn:aws:iam::123456789012:role/loki",
    "access_key_id": "the id of a key",
    "access_key_secret": "the secret half of the key",
    "secret_access_key": "the secret half of the key",
    "account_name": "the storage account's name",
    "account_key": "the storage account's key, which is base64",
    "audience": "what the provider expects as the token's audience",
    "key.json": "Google's credentials file",
    "auth_url": "Keystone's URL",
    "username": "the user's name",
    "password": "the user's password",
    "user_id": "the user's id",
    "user_domain_name": "the name of the user's domain",
    "user_domain_id": "the id of the user's domain",
    "domain_name": "the domain's name",
    "domain_id": "the domain's id",
    "client_id": "the client id of the managed identity, a GUID",
    "tenant_id": "the tenant that it is in, a GUID",
    "subscription_id": "the subscription that it is in, a GUID",
    "environment": "the Azure cloud, such as AzureGlobal",
    "sse_kms_key_id": "the id of a KMS key",
}
"""What a key holds, in words: every key that may be missing."""

EXPECTED_OF = {
    (StorageType.ALIBABACLOUD, "endpoint"): "a host such as oss-cn-hangzhou.aliyuncs.com",
}
"""The same, for stores that differ."""

_MEANT = {
    "bucketnames": "bucket bucketname bucket_name bucket_names buckets aws_bucket_names bucketName",
    "bucketname": "bucket bucketnames bucket_name bucket_names buckets gcs_bucket",
    "bucket": "bucketname bucketnames bucket_name bucket_names buckets",
    "endpoint": "endpoint_url url host bucket_host aws_endpoint_url s3_endpoint server",
    "region": "aws_region bucket_region aws_default_region location",
    "access_key_id": "access_key accesskey aws_access_key_id keyid key_id accesskeyid user",
    "access_key_secret": "secret_access_key secret_key secretkey aws_secret_access_key "
    "access_secret accesskeysecret secret aws_access_key_secret",
    "secret_access_key": "access_key_secret secret_key secretkey aws_secret_access_key secret",
    "role_arn": "role aws_role_arn rolearn arn iam_role",
    "forcepathstyle": "force_path_style path_style pathstyle s3forcepathstyle",
    "sts_endpoint": "sts_url stsendpoint aws_endpoint_url_sts",
    "container": "container_name azure_container blob_container",
    "container_name": "container swift_container",
    "account_name": "account storage_account storageaccount azure_storage_account_name",
    "account_key": "key storage_key access_key azure_storage_account_key",
    "client_id": "azure_client_id clientid app_id application_id",
    "tenant_id": "azure_tenant_id tenantid tenant directory_id",
    "subscription_id": "azure_subscription_id subscriptionid subscription",
    "environment": "azure_environment cloud environment_name",
    "endpoint_suffix": "suffix azure_endpoint_suffix storage_suffix",
    "key.json": "key_json keyjson credentials.json service_account.json key service_account_key",
    "audience": "aud token_audience",
    "username": "user user_name os_username",
    "password": "os_password pass",
    "auth_url": "authurl os_auth_url keystone_url",
}
_PLAIN = re.compile(r"[^a-z0-9]")


def _plain(word: str) -> str:
    return _PLAIN.sub("", word.lower())


_ALIASES = {
    meant: frozenset(map(_plain, words.split())) | {_plain(meant)}
    for meant, words in _MEANT.items()
}


def keys_of(storage_type: StorageType, mode: CredentialMode) -> Keys:
    """Return the keys of a store in a mode, or of its static mode if it has no such mode."""
    return KEYS.get((storage_type, mode)) or KEYS[storage_type, STATIC]


def meant_by(word: str, keys: Keys) -> str | None:
    """Return the key that was probably meant: another tool's name for it, or a typo."""
    plain = _plain(word)[:64]
    known = sorted(keys.known)
    for key in known:
        if plain in _ALIASES.get(key, ()):
            return key
    from difflib import get_close_matches  # noqa: PLC0415 - only if a word is unknown

    close = get_close_matches(plain, [_plain(key) for key in known], n=1, cutoff=0.8)
    return next((key for key in known if close and _plain(key) == close[0]), None)


def near_miss(names: Iterable[str], key: str, storage_type: StorageType) -> str | None:
    """Return the name that was probably meant to be `key`, which some mode of the store reads."""
    known = Keys(required=(key,))
    read = {name for (kind, _), keys in KEYS.items() if kind is storage_type for name in keys.known}
    return next(
        (each for each in sorted(names) if each not in read and meant_by(each, known)), None
    )


def looks_like(name: str, storage_type: StorageType) -> str | None:
    """Return the key of any mode of the store that was probably meant by a name."""
    modes = (keys for (kind, _), keys in KEYS.items() if kind is storage_type)
    return next((meant for keys in modes if (meant := meant_by(name, keys))), None)


def providers_of(key: str, *, but: StorageType) -> tuple[StorageType, ...]:
    """Return the other stores that read this key in some mode."""
    own = {name for (kind, _), keys in KEYS.items() if kind is but for name in keys.known}
    if key in own:
        return ()
    found = {kind for (kind, _), keys in KEYS.items() if key in keys.known}
    return tuple(sorted(found))


def modes_of(key: str, storage_type: StorageType) -> tuple[CredentialMode, ...]:
    """Return the modes in which a store reads this key."""
    return tuple(
        mode for (kind, mode), keys in KEYS.items() if kind is storage_type and key in keys.known
    )
