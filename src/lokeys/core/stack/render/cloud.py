# SPDX-License-Identifier: Apache-2.0
"""The request for cloud credentials on OpenShift: the minimum that the stack's bucket needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from lokeys.core.stack.render import names
from lokeys.core.stack.render.names import TOKEN_FILE
from lokeys.core.stack.render.pods import Manifest
from lokeys.core.stack.render.store import MANAGED_SUFFIX
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import (
    S3,
    Azure,
    CloudEnvironment,
    CredentialMode,
    Gcs,
    Storage,
)

CENTRAL = "centralus"
_API = "cloudcredential.openshift.io/v1"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_BLOBS = f"{_CONTAINERS}/blobs"
_GROUP_RIGHTS = (
    f"{_CONTAINERS}/read",
    "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
    "Microsoft.Storage/storageAccounts/blobServices/read",
    "Microsoft.Storage/storageAccounts/read",
)
_BLOB_RIGHTS = tuple(
    f"{_BLOBS}/{right}" for right in ("add/action", "delete", "move/action", "read", "write")
)


def credentials_request(
    stack: LokiStack, storage: Storage, environment: CloudEnvironment
) -> Iterator[Manifest]:
    """Yield the request, if the stack gets its credentials from the cluster's cloud."""
    if not isinstance(storage, S3 | Azure | Gcs) or storage.mode is not CredentialMode.TOKEN_CCO:
        return
    secret = {"name": f"{stack.name}{MANAGED_SUFFIX}", "namespace": stack.namespace}
    yield {
        "apiVersion": _API,
        "kind": "CredentialsRequest",
        "metadata": names.metadata(stack, stack.name, names.labels(stack)),
        "spec": {
            "cloudTokenPath": TOKEN_FILE,
            "providerSpec": _provider(storage, environment),
            "secretRef": secret,
            "serviceAccountNames": list(stack.service_accounts),
        },
    }


def _provider(storage: S3 | Azure | Gcs, environment: CloudEnvironment) -> Manifest:
    match storage:
        case S3():
            return _aws(storage, environment)
        case Azure():
            return {
                "apiVersion": _API,
                "azureClientID": environment.azure_client_id,
                "azureRegion": environment.azure_region or CENTRAL,
                "azureSubscriptionID": environment.azure_subscription_id,
                "azureTenantID": environment.azure_tenant_id,
                "dataPermissions": list(_BLOB_RIGHTS),
                "kind": "AzureProviderSpec",
                "permissions": list(_GROUP_RIGHTS),
            }
        case Gcs():
            return {
                "apiVersion": _API,
                "audience": gcp_provider(environment),
                "kind": "GCPProviderSpec",
                "predefinedRoles": ["roles/iam.workloadIdentityUser", "roles/storage.objectAdmin"],
                "serviceAccountEmail": environment.gcp_service_account_email,
            }
        case other:
            assert_never(other)


def gcp_provider(environment: CloudEnvironment) -> str:
    """Return the full name of the workload identity provider."""
    project, pool = environment.gcp_project_number, environment.gcp_pool_id
    pools = f"//iam.googleapis.com/projects/{project}/locations/global/workloadIdentityPools"
    return f"{pools}/{pool}/providers/{environment.gcp_provider_id}"


def _aws(storage: S3, environment: CloudEnvironment) -> Manifest:
    role = environment.aws_role_arn
    partition = role.split(":")[1] if role.startswith("arn:") else "aws"
    buckets = [f"arn:{partition}:s3:::{bucket}" for bucket in storage.buckets]

    def allow(actions: list[str], resource: str) -> Manifest:
        return {"action": actions, "effect": "Allow", "resource": resource}

    objects = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    return {
        "apiVersion": _API,
        "kind": "AWSProviderSpec",
        "statementEntries": [
            *(allow(["s3:ListBucket"], bucket) for bucket in buckets),
            *(allow(objects, f"{bucket}/*") for bucket in buckets),
        ],
        "stsIAMRoleARN": role,
    }
