# SPDX-License-Identifier: Apache-2.0
"""The contract's `resolved`: the meaning of a storage Secret, without any secret value."""

from __future__ import annotations

from typing import Any, assert_never

from lokeys.core.stack.storage.model import (
    S3,
    AlibabaCloud,
    Azure,
    CredentialMode,
    Gcs,
    Sse,
    Storage,
    Swift,
)


def resolved_to_json(storage: Storage) -> dict[str, Any]:
    """Return the contract's form of a stack's storage."""
    match storage:
        case S3():
            return {
                "buckets": list(storage.buckets),
                "endpointHost": storage.endpoint_host,
                "region": storage.region,
                "insecure": storage.insecure,
                "forcePathStyle": storage.path_style,
                "sts": storage.mode is not CredentialMode.STATIC,
                "audience": storage.audience,
                "sse": _sse(storage.sse),
            }
        case Azure():
            return {
                "container": storage.container,
                "endpointSuffix": storage.endpoint_suffix,
                "audience": storage.audience,
                "workloadIdentity": storage.mode is not CredentialMode.STATIC,
            }
        case Gcs():
            return {
                "bucket": storage.bucket,
                "audience": storage.audience,
                "workloadIdentity": storage.mode is not CredentialMode.STATIC,
            }
        case Swift():
            return _swift(storage)
        case AlibabaCloud():
            return {"endpoint": storage.endpoint, "bucket": storage.bucket}
        case other:
            assert_never(other)


def _sse(sse: Sse | None) -> dict[str, str] | None:
    if sse is None:
        return None
    return {
        "type": sse.type.value,
        "kmsKeyId": sse.kms_key_id,
        "kmsEncryptionContext": sse.kms_encryption_context,
    }


def _swift(storage: Swift) -> dict[str, str]:
    return {
        "authUrl": storage.auth_url,
        "userDomainName": storage.user_domain_name,
        "userDomainId": storage.user_domain_id,
        "userId": storage.user_id,
        "domainId": storage.domain_id,
        "domainName": storage.domain_name,
        "projectId": storage.project_id,
        "projectName": storage.project_name,
        "projectDomainId": storage.project_domain_id,
        "projectDomainName": storage.project_domain_name,
        "region": storage.region,
        "container": storage.container,
    }
