# SPDX-License-Identifier: Apache-2.0
"""What Google's storage, tokens and metadata server say."""

from __future__ import annotations

from lokeys.core.findings.catalogue.complaints.making import row
from lokeys.core.findings.complaint import OfKey, Voice
from lokeys.core.findings.finding import Remedy
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_NO_TOKEN = "Loki gets no token, so nothing is written."
_REFUSED = "Every request of this kind is refused."
_COMPARE = Remedy(
    text="compare the pool's provider with the token",
    command=command("lokeys iam gcp STACK -n NAMESPACE --check"),
)

PERMISSION = row(
    "LK0852",
    "gcs_permission_denied",
    "the service account lacks a permission on the bucket",
    meaning="Loki lists, creates, gets and deletes objects; the thanos client also reads the "
    "bucket.",
    why=_REFUSED,
    fix=(
        Remedy(
            text="grant the role on the bucket",
            command=command(
                "gcloud storage buckets add-iam-policy-binding gs://BUCKET "
                "--member serviceAccount:EMAIL --role roles/storage.objectAdmin"
            ),
        ),
    ),
    says=("does not have storage.objects", "does not have storage.buckets", "permission 'storage"),
    rank=40,
)
KEY_JSON = row(
    "LK0853",
    "gcs_key_json_invalid",
    "the service account's key could not be read",
    meaning="The file is missing, is not JSON (for example a name instead of the content), or its "
    "private key lost its line breaks.",
    why="Loki does not start, or gets no token.",
    fix="mount the whole key.json as a file, name it in GOOGLE_APPLICATION_CREDENTIALS, and check "
    "it: jq .type key.json",
    says=(
        "error getting credentials using google_application_credentials",
        *("private key should be a pem", "missing 'type' field in credentials"),
        *("looking for beginning of value", "unknown credential type", "asn1: structure error"),
    ),
    beside=("gcs", "google", "credential", "private key", "oauth2", "key.json"),
    of_key=OfKey.REFUSED,
    hop=Hop.SECRET,
    rank=2,
)
INVALID_JWT = row(
    "LK0854",
    "gcs_invalid_jwt",
    "Google refuses the service account's key",
    meaning="The key was deleted or belongs to another account, the account was deleted, or the "
    "node's clock is wrong.",
    why=_NO_TOKEN,
    fix=(
        Remedy(
            text="list the account's keys, and compare them with private_key_id of key.json",
            command=command("gcloud iam service-accounts keys list --iam-account EMAIL"),
        ),
    ),
    says=("invalid jwt signature", "invalid jwt:", "invalid grant: account not found"),
    of_key=OfKey.REFUSED,
    alternatives=("clock_skew",),
)
INVALID_401 = row(
    "LK0855",
    "gcs_invalid_credentials_401",
    "Google Cloud Storage does not accept the token",
    meaning="The token or the key is not valid there.",
    why=_REFUSED,
    fix="create a new key for the account, or use workload identity",
    says=(
        *("error 401: invalid credentials", "401 with body: invalid credentials", "autherror"),
        "invalid credentials, autherror",
    ),
    of_key=OfKey.REFUSED,
)
SCOPE = row(
    "LK0856",
    "gcs_scope_insufficient",
    "the node's scopes or metadata server do not allow it",
    meaning="The node pool's access scopes lack storage, or the Kubernetes service account may "
    "not act as the Google service account.",
    why=_REFUSED,
    fix="give the node pool the scope devstorage.read_write, or use workload identity: bind "
    "roles/iam.workloadIdentityUser to the Kubernetes service account",
    says=(
        *("insufficient authentication scopes", "access_token_scope_insufficient"),
        *("unable to generate access token; iam returned 403", "insufficientpermissions"),
    ),
)
POOL = row(
    "LK0857",
    "gcs_wif_pool_missing",
    "the workload identity pool or provider does not exist",
    meaning="It does not exist, is disabled or was deleted; or the cluster has no workload "
    "identity.",
    why=_NO_TOKEN,
    fix=(
        Remedy(
            text="list the pools, and compare them with `audience` of key.json",
            command=command("gcloud iam workload-identity-pools list --location global"),
        ),
        _COMPARE,
    ),
    says=(
        *("identity pool does not exist", "pool or provider is disabled", "invalid_target"),
        'audience\\" parameters is invalid',
    ),
    said_by=Voice.PROVIDER,
)
UNIFORM = row(
    "LK0858",
    "gcs_wif_needs_uniform_access",
    "the bucket needs uniform bucket-level access",
    meaning="A bucket with per-object access control does not support federated identities.",
    why=_REFUSED,
    fix=(
        Remedy(
            text="enable it",
            command=command(
                "gcloud storage buckets update gs://BUCKET --uniform-bucket-level-access"
            ),
        ),
    ),
    says=("uniform bucket-level access",),
)
AUDIENCE = row(
    "LK0859",
    "gcs_wif_audience_mismatch",
    "the provider does not allow the token's audience",
    meaning="A provider accepts its own full name as the audience, or the audiences in its list.",
    why=_NO_TOKEN,
    fix=(_COMPARE,),
    says=("audience in id token",),
    said_by=Voice.PROVIDER,
)
ISSUER = row(
    "LK0860",
    "gcs_wif_issuer_mismatch",
    "the provider is for another issuer",
    meaning="The provider's issuer URI differs from the token's.",
    why=_NO_TOKEN,
    fix=(_COMPARE,),
    says=("issuer in id token",),
    said_by=Voice.PROVIDER,
)
CONDITION = row(
    "LK0861",
    "gcs_wif_condition_denied",
    "the provider's attribute condition rejects the token",
    meaning="The condition is false for this service account.",
    why=_NO_TOKEN,
    fix=(_COMPARE,),
    says=("rejected by the attribute condition",),
    said_by=Voice.PROVIDER,
)
IMPERSONATION = row(
    "LK0862",
    "gcs_impersonation_denied",
    "the federated identity cannot impersonate the service account",
    meaning="roles/iam.workloadIdentityUser is not bound to this subject, or the account does not "
    "exist.",
    why=_NO_TOKEN,
    fix=(_COMPARE,),
    says=(
        *("iam.serviceaccounts.getaccesstoken' denied", "iam.serviceaccounts.getaccesstoken"),
        "iam service account credentials api has not been used",
    ),
    said_by=Voice.PROVIDER,
)

FIRST = (
    *(POOL, SCOPE, UNIFORM, AUDIENCE, ISSUER, CONDITION, IMPERSONATION),
    *(KEY_JSON, INVALID_JWT, INVALID_401),
)
LAST = (PERMISSION,)
"After the rows for anonymous requests: Google lists missing permissions for those, too."
