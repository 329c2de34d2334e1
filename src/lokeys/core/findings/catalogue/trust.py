# SPDX-License-Identifier: Apache-2.0
"""LK0701 to LK0729: what a cloud's documents say of a stack's tokens, beside what is needed."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

SUBJECT_NOT_TRUSTED = Rule(
    code="LK0701",
    cause="sts_trust_policy_denied",
    other_causes=("azure_federated_credential_mismatch", "gcs_permission_denied"),
    title="a service account of the stack is not trusted",
    message="{place} takes no token of {missing}{found}",
    meaning="A stack has two service accounts: its own, and its ruler's. The trust names the "
    "subject of each, as `system:serviceaccount:NAMESPACE:ACCOUNT`, letter by letter.",
    why="The pods of an account that is not named get no credentials: without the ruler's, rules "
    "are not stored; without the stack's, nothing is.",
    remedy=(Remedy(text="name both subjects; `lokeys iam` prints how"),),
    rank=22,
)
WRONG_AUDIENCE = Rule(
    code="LK0702",
    cause="sts_wrong_audience",
    other_causes=("azure_federated_credential_mismatch",),
    title="the trust is for tokens of another audience",
    message="{place} wants the audience {found}{hint}; the stack's tokens are for {expected}",
    meaning="A token says whom it is for (aud). The pods ask for the audience in the storage "
    "Secret, or the cloud's default; the trust, or the identity provider, wants another.",
    why="Each token is refused, whoever has it.",
    remedy=(
        Remedy(text="let it take the stack's audience"),
        Remedy(text="or set `audience` in the Secret to one that it takes"),
    ),
    rank=21,
)
WRONG_ISSUER = Rule(
    code="LK0703",
    cause="sts_oidc_provider_missing",
    other_causes=("azure_federated_credential_mismatch", "sts_trust_policy_denied"),
    title="the trust is for tokens of another issuer",
    message="{place} trusts {found}; the cluster's tokens are of {expected}",
    meaning="The issuer in the trust is not the cluster's, letter by letter: a slash at the end, "
    "a scheme too many, another account's provider, or the provider of another cluster.",
    why="The cloud looks for the issuer's keys elsewhere, or not at all, and refuses each token.",
    remedy=(Remedy(text="name the issuer as the cluster's discovery document spells it"),),
    rank=20,
)
EXPLICIT_DENY = Rule(
    code="LK0704",
    cause="s3_access_denied_policy",
    other_causes=("bucket_policy_explicit_deny", "sts_trust_policy_denied"),
    title="a statement denies what Loki needs",
    message="{place}: {found} denies {actions}",
    meaning="An explicit Deny wins over every Allow.",
    why="What it denies is refused, whatever else is granted.",
    remedy=(Remedy(text="take the statement away, or except the role from it"),),
    rank=24,
)
WRONG_PARTITION = Rule(
    code="LK0705",
    other_causes=("s3_access_denied_policy", "sts_oidc_provider_missing"),
    title="an ARN of another partition",
    message="{place} names {found}; the stack is in partition {expected}",
    meaning="AWS's China, its government's regions and the rest know nothing of each other: their "
    "ARNs begin with arn:aws-cn:, arn:aws-us-gov: and arn:aws:.",
    why="An ARN of another partition names nothing here, so nothing is granted.",
    remedy=(Remedy(text="write the ARNs with the stack's partition"),),
    rank=19,
)
ACTION_NOT_ALLOWED = Rule(
    code="LK0706",
    cause="s3_access_denied_policy",
    other_causes=("azure_rbac_missing", "gcs_permission_denied"),
    title="something that Loki does is not allowed",
    message="{place} does not allow {actions}{found}",
    meaning="Loki lists its bucket, and puts, gets and deletes objects in it. Without delete, "
    "retention and compaction fail later than the rest.",
    why="The token is exchanged, and then the store refuses.",
    remedy=(Remedy(text="grant it on the bucket; `lokeys iam` prints the least that is needed"),),
    rank=26,
)
WRONG_RESOURCE = Rule(
    code="LK0707",
    cause="s3_access_denied_policy",
    other_causes=("azure_rbac_missing",),
    title="a right is given on something else than the bucket",
    message="{place} allows {actions}, but not on {expected}{found}",
    meaning="Listing is a right on the bucket itself, the rest are rights on its objects: an ARN "
    "with `/*` does not cover the bucket, one without does not cover the objects. A scope above "
    "or beside the container does not cover it either.",
    why="The store refuses what the policy seems to allow.",
    remedy=(Remedy(text="name the bucket as `lokeys iam` prints it"),),
    rank=25,
)
KEY_NOT_ALLOWED = Rule(
    code="LK0708",
    cause="kms_permission_denied",
    title="the KMS key of the bucket may not be used",
    message="{place} does not allow {actions} on {expected}",
    meaning="With SSE-KMS the store encrypts and decrypts with a key on behalf of whoever asks.",
    why="Putting fails without kms:GenerateDataKey, reading without kms:Decrypt.",
    remedy=(Remedy(text="grant both on the key; the key's own policy must allow it, too"),),
    rank=27,
)
TRUST_TOO_WIDE = Rule(
    code="LK0709",
    severity=Severity.WARNING,
    title="others than the stack may take its identity",
    message="{place} also takes tokens of {found}",
    meaning="A pattern instead of the two subjects, or no condition on the subject at all.",
    why="Whoever may make pods in a namespace that fits can read and delete the logs.",
    remedy=(Remedy(text="name the two subjects letter by letter; `lokeys iam` prints how"),),
    rank=61,
)
RIGHTS_TOO_WIDE = Rule(
    code="LK0710",
    severity=Severity.WARNING,
    title="the identity may do more than Loki does",
    message="{place} also allows {found}",
    meaning="Loki needs to list one bucket, and to put, get and delete its objects.",
    why="A stolen token of an hour does as much as the identity may.",
    remedy=(Remedy(text="grant the least, as `lokeys iam` prints it, and take the rest away"),),
    rank=62,
)
DEFAULT_ACCOUNT_TRUSTED = Rule(
    code="LK0711",
    severity=Severity.INFO,
    title="the namespace's default account is trusted",
    message="{place} takes tokens of {found}, which any pod of the namespace has",
    meaning="Under the Loki Operator the ruler runs as the `default` account unless the tenants' "
    "mode is one of OpenShift's, so that it is often trusted on purpose.",
    why="lokeys runs the ruler as an account of its own. Once it does, this trust has no use.",
    remedy=(Remedy(text="trust the ruler's own account, and take this one away"),),
    rank=80,
)
UNDECIDED = Rule(
    code="LK0712",
    severity=Severity.WARNING,
    title="whether a token passes hangs on what lokeys cannot know",
    message="{place}: {found} decides over {actions}",
    meaning="A condition on where a request comes from, when, or in a language that lokeys does "
    "not read.",
    why="The documents alone do not tell whether Loki reaches its bucket.",
    remedy=(
        Remedy(
            text="try it with a real token",
            command=command("lokeys probe stack {stack} -n {namespace}"),
        ),
    ),
    rank=63,
)
ISSUER_INSIDE = Rule(
    code="LK0713",
    severity=Severity.WARNING,
    title="the cluster's issuer is a name that no cloud can ask",
    message="{place}: its tokens are of {found}, which only the cluster itself can resolve",
    meaning="The cloud fetches the keys that verify tokens from the issuer's address.",
    why="No key, no exchange: each token is refused.",
    remedy=(
        Remedy(
            text="start the API server with --service-account-issuer of a public https address, "
            "and serve the discovery document and the keys there"
        ),
        Remedy(text="or, on Google Cloud, hand in the keys: --jwk-json-path of create-oidc"),
    ),
    rank=60,
)
SUBJECT_TOO_LONG = Rule(
    code="LK0714",
    title="a subject is longer than Google takes",
    message="{place}: {found} has {length} characters; Google takes {limit}",
    meaning="The subject is made of the namespace's and the stack's names.",
    why="Google refuses each token of that account.",
    remedy=(Remedy(text="give the stack or its namespace a shorter name"),),
    rank=18,
)
PROVIDER_OFF = Rule(
    code="LK0715",
    cause="gcs_wif_pool_missing",
    title="the identity provider is switched off or deleted",
    message="{place} is {found}",
    meaning="A provider can be disabled, and a deleted one is kept for thirty days.",
    why="It takes no token until it is enabled or restored.",
    remedy=(Remedy(text="enable it, or restore it with its undelete command"),),
    rank=17,
)
SUBJECT_MAPPED_AWAY = Rule(
    code="LK0716",
    cause="sts_trust_policy_denied",
    title="the provider makes something else of a token's subject",
    message="{place} maps google.subject to {found}; expected assertion.sub",
    meaning="Bindings name subjects as the provider's attribute mapping makes them.",
    why="A binding on `system:serviceaccount:…` then never fits.",
    remedy=(Remedy(text="map google.subject to assertion.sub"),),
    rank=23,
)
ROLE_MISSING = Rule(
    code="LK0717",
    cause="sts_trust_policy_denied",
    title="what the stack's tokens are to be exchanged for is not there",
    message="{place} does not exist",
    meaning="The role, or the identity provider of the cluster, was not made, is in another "
    "account, or was deleted.",
    why="There is nothing to exchange a token for.",
    remedy=(Remedy(text="make it; `lokeys iam` prints the commands"),),
    rank=16,
)
