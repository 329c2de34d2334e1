# SPDX-License-Identifier: Apache-2.0
"""A LokiStack's object storage, resolved: the facts in its Secret that are not secret.

`lokeys.core.stack.storage` reads a Secret into one of these; `lokeys.core.stack.render` renders
them. Secret values stay in the Secret: pods refer to its data keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lokeys.core.kubernetes import aws_addresses
from lokeys.core.stack.storage import s3_client


class StorageType(StrEnum):
    """`spec.storage.secret.type`."""

    AZURE = "azure"
    GCS = "gcs"
    S3 = "s3"
    SWIFT = "swift"
    ALIBABACLOUD = "alibabacloud"


class CredentialMode(StrEnum):
    """`spec.storage.secret.credentialMode`."""

    STATIC = "static"
    TOKEN = "token"
    TOKEN_CCO = "token-cco"


class SseType(StrEnum):
    """S3 server-side encryption, as the Secret spells it."""

    KMS = "SSE-KMS"
    S3 = "SSE-S3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sse:
    """Server-side encryption of an S3 bucket; the pods read the context from the Secret."""

    type: SseType
    kms_key_id: str = ""
    has_kms_encryption_context: bool = False
    kms_encryption_context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """An S3 bucket, or several. `endpoint_host` is `host[:port]`, empty for AWS's default.

    `sts_endpoint` is a URL (token mode on Ceph RGW or MinIO), empty for AWS's own. Without
    `force_path_style` Loki's client chooses where the bucket is in a URL.
    """

    mode: CredentialMode
    buckets: tuple[str, ...]
    endpoint_host: str = ""
    insecure: bool = False
    region: str = ""
    force_path_style: bool = False
    audience: str = ""
    role_arn: str = ""
    sts_endpoint: str = ""
    sse: Sse | None = None

    @property
    def host(self) -> str:
        """Return the host that Loki connects to, as `host[:port]`."""
        return self.endpoint_host or f"s3.{self.region}.{aws_addresses.domain_of(self.region)}"

    def takes_paths(self, bucket: str) -> bool:
        """Tell whether requests have the bucket in their path, not in their host."""
        name = self.host.partition(":")[0]
        return self.force_path_style or not s3_client.takes_virtual_hosts(
            name, secure=not self.insecure, bucket=bucket
        )

    @property
    def path_style(self) -> bool:
        """Tell whether requests have any of the buckets in their path."""
        return any(map(self.takes_paths, self.buckets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """A blob container. `authority_host` is empty for the public cloud."""

    mode: CredentialMode
    container: str
    account_name: str
    environment: str = ""
    endpoint_suffix: str = ""
    authority_host: str = ""
    audience: str = ""
    client_id: str = ""
    tenant_id: str = ""
    subscription_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcs:
    """A Google Cloud Storage bucket. `provider` is key.json's own audience (token mode)."""

    mode: CredentialMode
    bucket: str
    audience: str = ""
    provider: str = ""
    service_account_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swift:
    """An OpenStack Swift container; user name and password stay in the Secret."""

    auth_url: str
    container: str
    user_domain_name: str = ""
    user_domain_id: str = ""
    user_id: str = ""
    domain_id: str = ""
    domain_name: str = ""
    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    project_domain_name: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaCloud:
    """An Alibaba Cloud OSS bucket."""

    endpoint: str
    bucket: str


Storage = S3 | Azure | Gcs | Swift | AlibabaCloud
"""One stack's storage, without faults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEnvironment:
    """The operator's own credentials for token-cco, by cloud; empty if it has none.

    `aws_role_arn` ROLEARN · `azure` CLIENTID, TENANTID, SUBSCRIPTIONID (REGION) · `gcp`
    PROJECT_NUMBER, POOL_ID, PROVIDER_ID, SERVICE_ACCOUNT_EMAIL.
    """

    openshift: bool = False
    aws_role_arn: str = ""
    azure_client_id: str = ""
    azure_tenant_id: str = ""
    azure_subscription_id: str = ""
    azure_region: str = ""
    gcp_project_number: str = ""
    gcp_pool_id: str = ""
    gcp_provider_id: str = ""
    gcp_service_account_email: str = ""
