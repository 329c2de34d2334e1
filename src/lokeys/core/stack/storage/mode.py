# SPDX-License-Identifier: Apache-2.0
"""How a stack's pods authenticate: by the spec, the operator's environment, or the Secret."""

from __future__ import annotations

import json
from typing import Any

from lokeys.core.stack.storage.fields import DECIDING, OWN_KEYS, near_miss
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode, StorageType
from lokeys.core.stack.storage.secret_data import WHOLE_FILE, SecretData

WITH_TOKENS = frozenset({StorageType.S3, StorageType.AZURE, StorageType.GCS})
NEEDED = {
    StorageType.S3: "ROLEARN",
    StorageType.AZURE: "CLIENTID, TENANTID, SUBSCRIPTIONID",
    StorageType.GCS: "PROJECT_NUMBER, POOL_ID, PROVIDER_ID, SERVICE_ACCOUNT_EMAIL",
}
"""The operator's variables for token-cco, by store."""


def has_cloud_credentials(environment: CloudEnvironment, storage_type: StorageType) -> bool:
    """Tell whether the operator, on OpenShift, has the credentials of this store's cloud."""
    wanted: dict[StorageType, tuple[str, ...]] = {
        StorageType.S3: (environment.aws_role_arn,),
        StorageType.AZURE: (
            environment.azure_client_id,
            environment.azure_tenant_id,
            environment.azure_subscription_id,
        ),
        StorageType.GCS: (
            environment.gcp_project_number,
            environment.gcp_pool_id,
            environment.gcp_provider_id,
            environment.gcp_service_account_email,
        ),
    }
    found = wanted.get(storage_type)
    return environment.openshift and found is not None and all(found)


def infer_mode(
    storage_type: StorageType,
    word: str | None,
    *,
    secret: SecretData | None,
    environment: CloudEnvironment,
) -> CredentialMode | None:
    """Return the mode in use; None if it cannot be known from the arguments."""
    if word:
        return CredentialMode(word) if word in set(CredentialMode) else None
    if storage_type not in WITH_TOKENS:
        return CredentialMode.STATIC
    if has_cloud_credentials(environment, storage_type):
        return CredentialMode.TOKEN_CCO
    return None if secret is None else _by_secret(storage_type, secret)


def _by_secret(storage_type: StorageType, secret: SecretData) -> CredentialMode | None:
    if storage_type is StorageType.GCS:
        if secret.values is None or (not secret.complete and WHOLE_FILE not in secret.keys):
            return None  # the future content of key.json is not known
        file = near_miss(secret.keys, WHOLE_FILE, storage_type)
        credentials = json_object(secret.raw(WHOLE_FILE) or secret.raw(file or ""))
        token = credentials is not None and credentials.get("type") == "external_account"
        return CredentialMode.TOKEN if token else CredentialMode.STATIC
    if secret.has(DECIDING[storage_type]) or meant_for_token(storage_type, secret):
        return CredentialMode.TOKEN
    return None if secret.may_have(DECIDING[storage_type]) else CredentialMode.STATIC


def meant_for_token(storage_type: StorageType, secret: SecretData) -> str | None:
    """Return the key that shows that a Secret is for mode token: that key, or a typo of it.

    None if there is something of mode static, or may be.
    """
    own = OWN_KEYS.get(storage_type, ())
    if not own or not secret.complete:
        return None
    if any(each in secret.keys or near_miss(secret.keys, each, storage_type) for each in own):
        return None
    key = DECIDING[storage_type]
    return key if secret.has(key) else near_miss(secret.keys, key, storage_type)


def json_object(value: bytes) -> dict[str, Any] | None:
    """Return the object in a JSON text, or None for anything else."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
