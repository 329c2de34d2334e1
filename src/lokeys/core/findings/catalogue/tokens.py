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
    text="print what the cloud needs for this stack, ready to run",
    command=command("lokeys iam {cloud} {stack} -n {namespace}"),
)
_AGAIN = Remedy(text="try again", command=command("lokeys probe stack {stack} -n {namespace}"))
_EDIT = Remedy(
    text="correct the stack's storage Secret",
    command=command("kubectl -n {namespace} edit secret {secret}"),
)


def _rule(  # noqa: PLR0913 - one line a fact reads best
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


_NO_CREDENTIALS = "Pods of this account get no credentials; Loki logs `Access Denied.` and no more."

TRUST_DENIED = _rule(
    "LK0730",
    "sts_trust_policy_denied",
    "the role does not take this token",
    meaning="The role's trust policy names another provider, subject or audience, or there is no "
    "such role: AWS says the same of both, and Ceph RGW says it of everything.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=22,
)
WRONG_AUDIENCE = _rule(
    "LK0731",
    "sts_wrong_audience",
    "the provider does not take tokens of this audience",
    meaning="A token says whom it is for. The identity provider lists the audiences it takes (its "
    "client ids), and this one is not among them; or the audience is the API server's own.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, Remedy(text="or set `audience` in the storage Secret to one that it lists")),
    rank=21,
)
PROVIDER_MISSING = _rule(
    "LK0732",
    "sts_oidc_provider_missing",
    "the account has no identity provider for the cluster",
    meaning="No OpenID Connect provider of the token's issuer is registered, letter by letter.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _CHECK),
    rank=20,
)
REGION_INACTIVE = _rule(
    "LK0733",
    "sts_region_inactive",
    "STS is not active in that region",
    meaning="An account must switch on the STS of newer regions. AWS says the same as for a "
    "missing provider; another region took the token.",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(text="activate the region's STS: IAM console, account settings, endpoints"),
        _AGAIN,
    ),
    rank=20,
)
ROLE_MISSING = _rule(
    "LK0734",
    "sts_role_missing",
    "there is no such role",
    meaning="The role's ARN names nothing, or is no role's name.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _EDIT),
    rank=20,
)
ISSUER_UNREACHABLE = _rule(
    "LK0735",
    "oidc_issuer_unreachable",
    "the cloud cannot fetch the cluster's keys",
    meaning="To check a token's signature, the cloud fetches the issuer's keys over https from "
    "outside of the cluster. An issuer with a name of the cluster's own cannot be reached.",
    why=_NO_CREDENTIALS,
    remedy=(
        Remedy(
            text="publish the issuer's discovery document and keys where the cloud can get them"
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
    "the token itself is refused",
    meaning="Its signature or form does not pass: the keys that the issuer publishes are not those "
    "that the API server signs with, or its issuer changed.",
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
    "what answers is no STS",
    meaning="The exchange went to an address that does not do it: a store without an STS, or one "
    "that has it switched off (RGW: `rgw enable apis` with sts, iam).",
    why=_NO_CREDENTIALS,
    remedy=(Remedy(text="name the STS in `sts_endpoint` of the storage Secret"), _EDIT),
    rank=19,
)
CREDENTIALS_REFUSED = _rule(
    "LK0738",
    "temporary_credentials_refused",
    "the store refuses what STS has just given",
    meaning="STS and the store do not belong together, or the store does not take temporary keys "
    "(RGW: `rgw s3 auth use sts = true`, and one `rgw sts key` for all gateways).",
    why="Each exchange succeeds, and each request of Loki fails.",
    remedy=(Remedy(text="let STS and store be of one installation, with one key"), _AGAIN),
    rank=24,
)
CREDENTIALS_EXPIRED = _rule(
    "LK0739",
    "session_token_expired",
    "temporary credentials are over as soon as they come",
    meaning="The store takes what STS gave a moment ago for expired: the clocks differ.",
    why="Each exchange succeeds, and each request of Loki fails.",
    remedy=(Remedy(text="synchronise the clocks of STS and store"), _AGAIN),
    rank=24,
)
FEDERATED_MISMATCH = _rule(
    "LK0740",
    "azure_federated_credential_mismatch",
    "no federated credential fits the token",
    meaning="Issuer, subject and audience of a federated credential must equal the token's, letter "
    "by letter and in the same capitals. Each service account needs one of its own.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=22,
)
CLIENT_OR_TENANT = _rule(
    "LK0741",
    "azure_client_or_tenant_wrong",
    "the client is not of that tenant",
    meaning="`client_id` names no application or managed identity of the tenant `tenant_id`, or "
    "the storage account belongs to another tenant.",
    why=_NO_CREDENTIALS,
    remedy=(_EDIT, _CHECK),
    rank=20,
)
RBAC_MISSING = _rule(
    "LK0742",
    "azure_rbac_missing",
    "the identity has no role on the blobs",
    meaning="The token is good; the identity lacks `Storage Blob Data Contributor` on the "
    "container. Owner and Contributor are no roles on data; a new role takes some minutes.",
    why="Each request of Loki is refused.",
    remedy=(_MAKE, _CHECK),
    rank=26,
)
AUTHORIZATION_FAILURE = _rule(
    "LK0743",
    "azure_authorization_failure",
    "the storage account refuses the request",
    meaning="The account's firewall, network rules or policies do not let it in from here, or do "
    "not allow this way of authenticating.",
    why="Each request of Loki from such a place is refused.",
    remedy=(
        Remedy(text="let the cluster's network in: the account's networking and configuration"),
        _AGAIN,
    ),
    rank=26,
)
ACCOUNT_KEY = _rule(
    "LK0744",
    "azure_account_key_invalid",
    "the account key is wrong",
    meaning="It is another account's, was rotated, or is no account key (a SAS token, a "
    "connection string).",
    why="Each request of Loki is refused.",
    remedy=(_EDIT, Remedy(text="better: mode token, without a key")),
    rank=20,
)
POOL_MISSING = _rule(
    "LK0745",
    "gcs_wif_pool_missing",
    "there is no such workload identity pool or provider",
    meaning="`audience` of key.json names a pool or provider that does not exist, or is disabled "
    "or deleted. It has the project's number, not its name.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _EDIT),
    rank=20,
)
GOOGLE_AUDIENCE = _rule(
    "LK0746",
    "gcs_wif_audience_mismatch",
    "the provider does not allow the token's audience",
    meaning="A provider takes its own full name as audience, or those in its list.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, Remedy(text="or set `audience` in the storage Secret to one it allows")),
    rank=21,
)
GOOGLE_ISSUER = _rule(
    "LK0747",
    "gcs_wif_issuer_mismatch",
    "the provider is for another issuer",
    meaning="The provider's issuer URI is not the cluster's, letter by letter.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK, _MAKE),
    rank=21,
)
CONDITION_DENIED = _rule(
    "LK0748",
    "gcs_wif_condition_denied",
    "the provider's condition rejects the token",
    meaning="The provider's attribute condition is not true of this service account.",
    why=_NO_CREDENTIALS,
    remedy=(_CHECK,),
    rank=22,
)
IMPERSONATION_DENIED = _rule(
    "LK0749",
    "gcs_impersonation_denied",
    "the federated identity may not act as the service account",
    meaning="The Google service account does not grant roles/iam.workloadIdentityUser to this "
    "subject, does not exist, or the IAM Credentials API is off.",
    why=_NO_CREDENTIALS,
    remedy=(_MAKE, _CHECK),
    rank=23,
)
PERMISSION_DENIED = _rule(
    "LK0750",
    "gcs_permission_denied",
    "the identity lacks a permission on the bucket",
    meaning="Loki lists, creates, gets and deletes objects: roles/storage.objectAdmin on the "
    "bucket.",
    why="Each request of Loki is refused.",
    remedy=(_MAKE, _CHECK),
    rank=26,
)
INVALID_JWT = _rule(
    "LK0751",
    "gcs_invalid_jwt",
    "the service account's key is refused",
    meaning="The key was deleted at Google, is another account's, or the account is gone.",
    why="Loki gets no token.",
    remedy=(_EDIT, Remedy(text="better: mode token, without a key")),
    rank=20,
)
KEY_FILE = _rule(
    "LK0752",
    "gcs_key_json_invalid",
    "the private key in key.json cannot sign",
    meaning="It is no PEM of an RSA key; often its line breaks were lost on the way.",
    why="Loki does not start, or gets no token.",
    remedy=(_EDIT,),
    rank=19,
)
BEARER_REFUSED = _rule(
    "LK0753",
    "gcs_invalid_credentials_401",
    "the store does not take the token",
    meaning="Google Cloud Storage does not take what Google's own exchange gave a moment ago.",
    why="Each request of Loki is refused.",
    remedy=(Remedy(text="look whether the project's storage is enabled"), _AGAIN),
    rank=24,
)
SCOPE_INSUFFICIENT = _rule(
    "LK0754",
    "gcs_scope_insufficient",
    "the token's scopes do not allow the call",
    meaning="The token was given for less than reading and writing objects.",
    why="Each request of Loki is refused.",
    remedy=(Remedy(text="let the account's tokens have devstorage.read_write"), _AGAIN),
    rank=24,
)
UNIFORM_ACCESS = _rule(
    "LK0755",
    "gcs_wif_needs_uniform_access",
    "the bucket needs uniform access for federated identities",
    meaning="A bucket that decides object by object knows no federated identities.",
    why="Each request of Loki is refused.",
    remedy=(
        Remedy(
            text="switch it on for the bucket",
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
    "the Secret does not say enough to try anything",
    meaning="What names the role, the application or the provider is missing or not readable.",
    why="Nothing can be asked, and Loki's pods cannot ask either.",
    remedy=(
        _EDIT,
        Remedy(text="see every fault of it", command=command("lokeys validate -f PATH")),
    ),
    rank=18,
)
BROKEN = _rule(
    "LK0757",
    None,
    "a link is broken for a reason that lokeys does not know",
    meaning="The provider or the store refused with a code that is in none of lokeys' tables.",
    why="Loki's own requests go the same way.",
    remedy=(_AGAIN, Remedy(text="look the code up in the provider's documentation")),
    rank=30,
)
NOT_PERMITTED = _rule(
    "LK0758",
    None,
    "lokeys may not try the stack's tokens",
    meaning="Asking for a token of the stack's service accounts needs a Role of its own, which is "
    "off by default. It is limited to the two accounts, and to the provider's audience.",
    why="Whether the exchange works is not known; Loki would not say so either.",
    remedy=(
        Remedy(
            text="allow it for this stack (the operator must be started with --verify-tokens, too)",
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
    "the stack's credentials could not be tried",
    meaning="No answer came, or something that a try needs is not there yet.",
    why="Nothing was refused, and nothing is proved.",
    remedy=(_AGAIN,),
    rank=55,
    severity=Severity.WARNING,
)
