# SPDX-License-Identifier: Apache-2.0
"""Sound storage Secrets, one for each store and mode, and how they are read."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.place import Ref
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.storage.read import StorageReading, read_storage
from lokeys.core.stack.storage.secret_data import SecretData, external_secret_data, secret_data

STACK = Ref("LokiStack", "my-stack", "logging")
SECRET = Ref("Secret", "loki-storage", "logging")
MANAGED = Ref("Secret", "my-stack-managed-credentials", "logging")
KEY_ID, KEY_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
GUID = "11111111-2222-3333-4444-55555555555"
POOL = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/my-pool"
PROVIDER = f"{POOL}/providers/my-provider"
TOKEN_FILE = "/var/run/secrets/storage/serviceaccount/token"
IMPERSONATE = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
EVERYWHERE = CloudEnvironment(
    openshift=True,
    aws_role_arn="arn",
    azure_client_id="c",
    azure_tenant_id="t",
    azure_subscription_id="s",
    gcp_project_number="1",
    gcp_pool_id="p",
    gcp_provider_id="q",
    gcp_service_account_email="e",
)
ACCOUNT: dict[str, Any] = {
    "type": "service_account",
    "client_email": "loki@my-project.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    "private_key_id": "abc",
    "token_uri": "https://oauth2.googleapis.com/token",
}
EXTERNAL: dict[str, Any] = {
    "type": "external_account",
    "audience": PROVIDER,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "service_account_impersonation_url": f"{IMPERSONATE}loki@my-project.iam.gserviceaccount.com"
    ":generateAccessToken",
    "credential_source": {"file": TOKEN_FILE, "format": {"type": "text"}},
}
_BLOB = {"environment": "AzureGlobal", "container": "loki", "account_name": "logs"}
_SWIFT = ("username", "password", "user_id", "container_name")
_DOMAINS = ("user_domain_name", "user_domain_id", "domain_name", "domain_id")
SOUND: dict[str, dict[str, str]] = {
    "s3 static": {
        "bucketnames": "loki",
        "endpoint": "https://s3.eu-west-1.amazonaws.com",
        "region": "eu-west-1",
        "access_key_id": KEY_ID,
        "access_key_secret": KEY_SECRET,
    },
    "s3 token": {
        "bucketnames": "loki",
        "region": "eu-west-1",
        "role_arn": "arn:aws:iam::123456789012:role/team/loki",
    },
    "s3 token-cco": {"bucketnames": "loki", "region": "eu-west-1"},
    "azure static": {**_BLOB, "account_key": b64encode(bytes(range(64))).decode()},
    "azure token": {
        **_BLOB,
        "client_id": f"{GUID}0",
        "tenant_id": f"{GUID}1",
        "subscription_id": f"{GUID}2",
    },
    "azure token-cco": _BLOB,
    "gcs static": {"bucketname": "loki", "key.json": json.dumps(ACCOUNT)},
    "gcs token": {"bucketname": "loki", "audience": PROVIDER, "key.json": json.dumps(EXTERNAL)},
    "gcs token-cco": {"bucketname": "loki"},
    "swift static": {
        "auth_url": "https://keystone.example.com:5000/v3",
        **{name: f"a-{name}" for name in (*_SWIFT, *_DOMAINS)},
    },
    "alibabacloud static": {
        "bucket": "loki",
        "endpoint": "oss-cn-hangzhou.aliyuncs.com",
        "access_key_id": "LTAI5tExampleExample",
        "secret_access_key": KEY_SECRET[:30],
    },
}


def data_of(values: Mapping[str, str | bytes]) -> SecretData:
    """Return a Secret's data, as its manifest says it."""
    encoded = {
        key: b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in values.items()
    }
    return secret_data({"data": encoded}, ref=SECRET, stack=STACK).data


def from_external_secret(spec: object) -> SecretData:
    """Return what an ExternalSecret tells of its Secret."""
    return external_secret_data(read({"metadata": {"name": "es"}, "spec": spec}), ref=SECRET)


def judged(
    what: str,
    changes: Mapping[str, str | bytes | None] | None = None,
    *,
    mode: str | None = None,
    environment: CloudEnvironment | None = None,
    managed: SecretData | None = None,
) -> StorageReading:
    """Return the reading of a sound Secret with some keys changed, or taken away by None."""
    kind, its_mode = what.split()
    values: dict[str, Any] = {**SOUND[what], **(changes or {})}
    around = environment or (EVERYWHERE if its_mode == "token-cco" else None)
    return read_storage(
        STACK,
        kind,
        mode,
        secret=data_of({key: value for key, value in values.items() if value is not None}),
        managed=managed,
        environment=around,
    )


def told(reading: StorageReading) -> set[tuple[str | None, str | None]]:
    """Return fault and field of every finding, infos apart."""
    return {
        (finding.fault, finding.field)
        for finding in reading.findings
        if finding.severity.value != "info"
    }
