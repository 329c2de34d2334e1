# SPDX-License-Identifier: Apache-2.0
"""LK0730 to LK0759: what a real try of a stack's credentials shows, link by link."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

_CHECK = Remedy(
    text="compare what the cloud has with what the stack needs",
    command=command("lokeys iam {cloud} {stack} -n {namespace} --check"),
)
_MAKE = Remedy(
    text="print the commands that set up the cloud for this stack",
    command=command("lokeys iam {cloud} {stack} -n {namespace}"),
)
_AGAIN = Remedy(text="test again", command=command("lokeys probe stack {stack} -n {namespace}"))
_EDIT = Remedy(
    text="correct the stack's storage Secret",
    command=command("kubectl -n {namespace} edit secret {secret}"),
)


def _rule(  # noqa: PLR0913 - reads best with one line per fact
    code: str,
    cause: str | None,
    title: str,
    *,
    meaning: str,
    why: str,
    remedy: tuple[Remedy, ...],
    rank: int,
    severity: Severity = Severity.ERROR,
) -> Rule:
    return Rule(
        code=code,
        severity=severity,
        cause=cause,
        title=title,
        message="{account}: {detail}",
        meaning=meaning,
        why=why,
        remedy=remedy,
        rank=rank,
    )


_NO_CREDENTIALS = "Pods of this account get no credentials; Loki logs only `Access Denied.`"

TRUST_DENIED = _rule(
    "LK0730",
    "sts_trust_policy_denied",
    "the role does not accept this token",
    meaning="The role's trust policy names another provider, subject or audience, or the role "
    "does not exist: AWS gives the same answer for both, and Ceph RGW gives it for every error.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=22,
)
WRONG_AUDIENCE = _rule(
    "LK0731",
    "sts_wrong_audience",
    "the provider does not accept tokens for this audience",
    meaning="A token names its audience. The identity provider lists the audiences that it "
    "accepts (its client ids), and this one is not among them; or the audience is that of the API "
    "server itself.",
    why=_NO_CREDENTIALS,
    remedy=(
        _CHECK,
        Remedy(text="or set `audience` in the storage Secret to one that the provider lists"),
    ),
    rank=21,
)
PROVIDER_MISSING = _rule(
    "LK0732",
    "sts_oidc_provider_missing",
    "the account has no identity provider for the cluster",
    meaning="No OpenID Connect provider is registered whose URL is exactly the token's issuer.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _CHECK),
    rank=20,
)
REGION_INACTIVE = _rule(
    "LK0733",
    "sts_region_inactive",
    "STS is not active in this region",
    meaning="An account must activate STS in newer regions. AWS gives the same answer as for a "
    "missing provider; another region accepted the token.",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(text="activate STS for the region: IAM console, account settings, endpoints"),
        _AGAIN,
    ),
    rank=20,
)
ROLE_MISSING = _rule(
    "LK0734",
    "sts_role_missing",
    "the role does not exist",
    meaning="The role does not exist or its ARN is invalid.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _EDIT),
    rank=20,
)
ISSUER_UNREACHABLE = _rule(
    "LK0735",
    "oidc_issuer_unreachable",
    "the cloud cannot fetch the cluster's signing keys",
    meaning="The cloud cannot fetch or does not trust the issuer's signing keys. It fetches them "
    "over https from outside the cluster, so an issuer whose name resolves only inside the "
    "cluster cannot be reached.",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(
            text="publish the issuer's discovery document and signing keys where the cloud can "
            "fetch them"
        ),
        Remedy(
            text="see which issuer the API server names",
            command=command("kubectl get --raw /.well-known/openid-configuration"),
        ),
    ),
    rank=20,
)
TOKEN_INVALID = _rule(
    "LK0736",
    "oidc_token_invalid",
    "the cloud refuses the token itself",
    meaning="Its signature or format is not valid: the published keys are not the ones that the "
    "API server signs with, or the issuer changed.",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(
            text="compare the published keys with the API server's own",
            command=command("kubectl get --raw /openid/v1/jwks"),
        ),
        _AGAIN,
    ),
    rank=20,
)
NO_STS = _rule(
    "LK0737",
    "sts_sent_to_storage_endpoint",
    "the address is not an STS",
    meaning="The exchange was sent to an address that does not support it: a store without an "
    "STS, or with its STS disabled (RGW: `rgw enable apis` must include sts and iam).",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(text="set `sts_endpoint` of the storage Secret to the address of the STS"),
        _EDIT,
    ),
    rank=19,
)
CREDENTIALS_REFUSED = _rule(
    "LK0738",
    "temporary_credentials_refused",
    "the store refuses the credentials that STS just issued",
    meaning="STS and the store do not belong together, or the store does not accept temporary "
    "keys (RGW: `rgw s3 auth use sts = true`, and the same `rgw sts key` for all gateways).",
    why="Every exchange succeeds, and every request of Loki fails.",
    remedy=(
        Remedy(text="use the STS and the store of the same installation, with the same key"),
        _AGAIN,
    ),
    rank=24,
)
CREDENTIALS_EXPIRED = _rule(
    "LK0739",
    "session_token_expired",
    "temporary credentials are already expired when issued",
    meaning="The store considers credentials expired that STS has just issued: their clocks "
    "differ.",
    why="Every exchange succeeds, and every request of Loki fails.",
    remedy=(Remedy(text="synchronize the clocks of STS and the store"), _AGAIN),
    rank=24,
)
FEDERATED_MISMATCH = _rule(
    "LK0740",
    "azure_federated_credential_mismatch",
    "no federated credential matches the token",
    meaning="The issuer, subject and audience of a federated credential must equal the token's "
    "exactly, including uppercase and lowercase. Each service account needs its own federated "
    "credential.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=22,
)
CLIENT_OR_TENANT = _rule(
    "LK0741",
    "azure_client_or_tenant_wrong",
    "the client is not in this tenant",
    meaning="`client_id` is not in tenant `tenant_id`, or that tenant does not exist, or the "
    "storage account belongs to another tenant.",
    why=_NO_CREDENTIALS,
    remedy=(_EDIT, _CHECK),
    rank=20,
)
RBAC_MISSING = _rule(
    "LK0742",
    "azure_rbac_missing",
    "the identity has no role for the blobs",
    meaning="The token is valid, but the identity does not have the role `Storage Blob Data "
    "Contributor` on the container. Owner and Contributor do not include data access. A new role "
    "takes some minutes to apply.",
    why="Every request of Loki is refused.",
    remedy=(_MAKE, _CHECK),
    rank=26,
)
AUTHORIZATION_FAILURE = _rule(
    "LK0743",
    "azure_authorization_failure",
    "the storage account refuses the request",
    meaning="The account's firewall, network rules or policies do not allow access from here, or "
    "do not allow this method of authentication.",
    why="Every request of Loki from such a place is refused.",
    remedy=(
        Remedy(
            text="allow the cluster's network in the storage account's networking and "
            "configuration settings"
        ),
        _AGAIN,
    ),
    rank=26,
)
ACCOUNT_KEY = _rule(
    "LK0744",
    "azure_account_key_invalid",
    "the account key is wrong",
    meaning="It belongs to another account, was rotated, or is not an account key (but a SAS "
    "token or a connection string).",
    why="Every request of Loki is refused.",
    remedy=(_EDIT, Remedy(text="better: use mode token, which needs no key")),
    rank=20,
)
POOL_MISSING = _rule(
    "LK0745",
    "gcs_wif_pool_missing",
    "the workload identity pool or provider does not exist",
    meaning="`audience` of key.json names a pool or provider that does not exist, is disabled or "
    "was deleted. It contains the project's number, not its name.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _EDIT),
    rank=20,
)
GOOGLE_AUDIENCE = _rule(
    "LK0746",
    "gcs_wif_audience_mismatch",
    "the provider does not allow the token's audience",
    meaning="A provider accepts its own full name as the audience, or the audiences in its list.",
    why=_NO_CREDENTIALS,
    remedy=(
        _CHECK,
        Remedy(text="or set `audience` in the storage Secret to one that the provider allows"),
    ),
    rank=21,
)
GOOGLE_ISSUER = _rule(
    "LK0747",
    "gcs_wif_issuer_mismatch",
    "the provider is for another issuer",
    meaning="The provider's issuer URI is not exactly the cluster's issuer.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=21,
)
CONDITION_DENIED = _rule(
    "LK0748",
    "gcs_wif_condition_denied",
    "the provider's attribute condition rejects the token",
    meaning="The condition is false for this service account.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK,),
    rank=22,
)
IMPERSONATION_DENIED = _rule(
    "LK0749",
    "gcs_impersonation_denied",
    "the federated identity cannot impersonate the service account",
    meaning="The Google service account does not grant roles/iam.workloadIdentityUser to this "
    "subject or does not exist, or the IAM Credentials API is disabled.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _CHECK),
    rank=23,
)
PERMISSION_DENIED = _rule(
    "LK0750",
    "gcs_permission_denied",
    "the identity lacks a permission on the bucket",
    meaning="Loki lists, creates, gets and deletes objects. It needs roles/storage.objectAdmin on "
    "the bucket.",
    why="Every request of Loki is refused.",
    remedy=(_MAKE, _CHECK),
    rank=26,
)
INVALID_JWT = _rule(
    "LK0751",
    "gcs_invalid_jwt",
    "Google refuses the service account's key",
    meaning="The key was deleted at Google or belongs to another account, or the account was "
    "deleted.",
    why="Loki gets no token.",
    remedy=(_EDIT, Remedy(text="better: use mode token, which needs no key")),
    rank=20,
)
KEY_FILE = _rule(
    "LK0752",
    "gcs_key_json_invalid",
    "the private key in key.json is not valid",
    meaning="It is not an RSA key in PEM format. Often its line breaks were lost when it was "
    "copied.",
    why="Loki does not start, or gets no token.",
    remedy=(_EDIT,),
    rank=19,
)
BEARER_REFUSED = _rule(
    "LK0753",
    "gcs_invalid_credentials_401",
    "the store does not accept the token",
    meaning="Google Cloud Storage does not accept the token that Google's own exchange just "
    "issued.",
    why="Every request of Loki is refused.",
    remedy=(Remedy(text="check whether Cloud Storage is enabled in the project"), _AGAIN),
    rank=24,
)
SCOPE_INSUFFICIENT = _rule(
    "LK0754",
    "gcs_scope_insufficient",
    "the token's scopes do not allow the call",
    meaning="The token was issued for less than reading and writing objects.",
    why="Every request of Loki is refused.",
    remedy=(Remedy(text="give the account's tokens the scope devstorage.read_write"), _AGAIN),
    rank=24,
)
UNIFORM_ACCESS = _rule(
    "LK0755",
    "gcs_wif_needs_uniform_access",
    "the bucket needs uniform bucket-level access",
    meaning="A bucket with per-object access control does not support federated identities.",
    why="Every request of Loki is refused.",
    remedy=(
        Remedy(
            text="enable it for the bucket",
            command=command(
                "gcloud storage buckets update gs://BUCKET --uniform-bucket-level-access"
            ),
        ),
    ),
    rank=25,
)
SECRET_UNUSABLE = _rule(
    "LK0756",
    "lokistack_secret_keys_wrong",
    "the Secret lacks what a test needs",
    meaning="The key that names the role, the application or the provider is missing or could not "
    "be read.",
    why="Nothing can be requested, by lokeys or by Loki's pods.",
    remedy=(
        _EDIT,
        Remedy(text="to see all errors in it", command=command("lokeys validate -f PATH")),
    ),
    rank=18,
)
BROKEN = _rule(
    "LK0757",
    None,
    "a link fails for a reason that lokeys does not know",
    meaning="The provider or the store refused with an error code that lokeys does not know.",
    why="Loki's own requests fail in the same way.",
    remedy=(_AGAIN, Remedy(text="look up the error code in the provider's documentation")),
    rank=30,
)
NOT_PERMITTED = _rule(
    "LK0758",
    None,
    "lokeys is not allowed to test the stack's tokens",
    meaning="Requesting a token of the stack's service accounts needs a separate Role, which is "
    "not installed by default. It is limited to the two service accounts and to the provider's "
    "audience.",
    why="It is not known whether the exchange works, and Loki would not report it either.",
    remedy=(
        Remedy(
            text="allow it for this stack (the operator must also be started with --verify-tokens)",
            command=command("lokeys rbac stack {stack} -n {namespace} --tokens").pipe(
                "kubectl apply -f -"
            ),
        ),
        _AGAIN,
    ),
    rank=60,
    severity=Severity.INFO,
)
NOT_TRIED = _rule(
    "LK0759",
    None,
    "the stack's credentials could not be tested",
    meaning="There was no answer, or something that the test needs does not exist yet.",
    why="Nothing was refused, and nothing is proved.",
    remedy=(_AGAIN,),
    rank=55,
    severity=Severity.WARNING,
)
