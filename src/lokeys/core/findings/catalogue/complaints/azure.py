# SPDX-License-Identifier: Apache-2.0
"""What Azure's storage and Entra say, as Loki's older and newer clients repeat it."""

from __future__ import annotations

from lokeys.core.findings.catalogue.complaints.making import row
from lokeys.core.findings.complaint import OfKey, Voice
from lokeys.core.findings.finding import Remedy
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_NO_TOKEN = "Loki gets no token, so nothing is written."
_REFUSED = "Every request is refused, while /ready stays 200."
_IMDS = ("169.254.169.254", "metadata/identity", "managedidentitycredential", "adal")
_COMPARE = Remedy(
    text="compare issuer, subject and audience with the service account's",
    command=command("lokeys iam azure STACK -n NAMESPACE --check"),
)

ACCOUNT_KEY = row(
    "LK0844",
    "azure_account_key_invalid",
    "the account key is wrong",
    meaning="It belongs to another account, was rotated, or is not an account key (but a SAS "
    "token or text that is not base64); or the account does not allow keys.",
    why=_REFUSED,
    fix=(
        Remedy(
            text="use a key of this account, and write it into the Secret unchanged",
            command=command("az storage account keys list --account-name ACCOUNT -o table"),
        ),
    ),
    says=(
        *("illegal base64 data at input byte", "servicecode=authenticationfailed"),
        *("error code: authenticationfailed", "mac signature found in the http request"),
        *("keybasedauthenticationnotpermitted", "code>authenticationfailed</code"),
        *("servicecode=invalidauthenticationinfo", "error code: invalidauthenticationinfo"),
    ),
    of_key=OfKey.REFUSED,
    rank=40,
)
RBAC = row(
    "LK0845",
    "azure_rbac_missing",
    "the identity has no role for the blobs",
    meaning="The token is valid, but the role `Storage Blob Data Contributor` on the container or "
    "account is missing. Owner and Contributor do not include data access. A new role takes some "
    "minutes to apply.",
    why=_REFUSED,
    fix=(
        Remedy(
            text="grant the role",
            command=command(
                "az role assignment create --role",
                "Storage Blob Data Contributor",
                *("--assignee", "CLIENT_ID", "--scope", "STORAGE_ACCOUNT_ID"),
            ),
        ),
    ),
    says=("authorizationpermissionmismatch",),
    rank=40,
)
NETWORK_RULES = row(
    "LK0846",
    "azure_authorization_failure",
    "the storage account's network rules refuse the request",
    meaning="The account's firewall allows only selected networks, or the request used a path "
    "that it does not allow.",
    why=_REFUSED,
    fix=(
        Remedy(
            text="see which networks the account allows, and add the cluster's network",
            command=command("az storage account network-rule list --account-name ACCOUNT"),
        ),
    ),
    says=("authorizationfailure",),
    alternatives=("azure_rbac_missing",),
    rank=40,
)
FEDERATED = row(
    "LK0847",
    "azure_federated_credential_mismatch",
    "no federated credential matches the token",
    meaning="The issuer, subject and audience of a federated credential must equal the token's "
    "exactly. Each service account needs its own federated credential.",
    why=_NO_TOKEN,
    fix=(_COMPARE,),
    says=(
        *("no matching federated identity record found", "aadsts70021:", "aadsts700211:"),
        *("aadsts700212:", "aadsts700213:", "aadsts7002138:"),
    ),
    said_by=Voice.PROVIDER,
)
CLIENT_OR_TENANT = row(
    "LK0850",
    "azure_client_or_tenant_wrong",
    "the client is not in this tenant",
    meaning="`client_id` is not in tenant `tenant_id`, or that tenant does not exist.",
    why=_NO_TOKEN,
    fix=(
        Remedy(
            text="see which application or identity has this client id, and its tenant",
            command=command("az ad sp show --id CLIENT_ID --query appOwnerOrganizationId -o tsv"),
        ),
    ),
    says=(
        *("aadsts700016:", "aadsts90002:", "aadsts900023:", "was not found in the directory"),
        *("invalid tenantid", "aadsts50034:", "aadsts900021:"),
    ),
    said_by=Voice.PROVIDER,
)
NOT_INJECTED = row(
    "LK0848",
    "azure_wi_not_injected",
    "the pod has no workload identity",
    meaning="AZURE_CLIENT_ID, AZURE_TENANT_ID or AZURE_FEDERATED_TOKEN_FILE is missing: the "
    "webhook injects them only into pods with the label azure.workload.identity/use.",
    why=_NO_TOKEN,
    fix='set the label azure.workload.identity/use: "true" on the pods and the annotation '
    "azure.workload.identity/client-id on their service account, then replace the pods",
    says=(
        *("no client id specified", "no token file specified", "no tenant id specified"),
        *("failed to read federated token file", "missing environment variable azure_"),
        "no such file or directory azure_federated_token_file",
    ),
    said_by=Voice.PROVIDER,
    hop=Hop.PODS,
    explains=("azure_identity_not_assigned",),
)
THROTTLED = row(
    "LK0851",
    "azure_imds_throttled",
    "the node's token endpoint limits the rate of requests",
    meaning="Too many pods on this node request managed identity tokens.",
    why=_NO_TOKEN,
    fix="use workload identity instead of managed identity; it does not use the node's endpoint",
    says=("status code = '429'", "429 too many requests", "too many requests"),
    beside=_IMDS,
    said_by=Voice.PROVIDER,
)
NOT_ASSIGNED = row(
    "LK0849",
    "azure_identity_not_assigned",
    "the node does not have this managed identity",
    meaning="The identity is not assigned to the node pool. Often managed identity is configured "
    "where workload identity was intended.",
    why=_NO_TOKEN,
    fix="set `use_federated_token: true` (thanos client: no `user_assigned_id`) for workload "
    "identity, or assign the identity to the node pool",
    says=(
        *("identity not found", "requested identity isn't assigned to this resource"),
        *("no default identity is assigned", "requested identity has not been assigned"),
    ),
    beside=_IMDS,
    said_by=Voice.PROVIDER,
)

FIRST = (
    *(NOT_INJECTED, FEDERATED, CLIENT_OR_TENANT, THROTTLED, NOT_ASSIGNED),
    *(RBAC, NETWORK_RULES, ACCOUNT_KEY),
)
