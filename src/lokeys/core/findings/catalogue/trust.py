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
    message="{place} does not accept tokens of {missing}{found}",
    meaning="A stack has two service accounts: its own and its ruler's. The trust must name the "
    "subject of each exactly, as `system:serviceaccount:NAMESPACE:ACCOUNT`.",
    why="Pods whose account is not named get no credentials: without the ruler's account rules "
    "are not stored, without the stack's nothing is.",
    remedy=(Remedy(text="name both subjects; `lokeys iam` prints the commands"),),
    rank=22,
)
WRONG_AUDIENCE = Rule(
    code="LK0702",
    cause="sts_wrong_audience",
    other_causes=("azure_federated_credential_mismatch",),
    title="the trust is for tokens with another audience",
    message="{place} expects the audience {found}{hint}; the stack's tokens have {expected}",
    meaning="A token names its audience (aud). The pods request the audience in the storage "
    "Secret, or the cloud's default; the trust or the identity provider expects a different one.",
    why="Every token is refused.",
    remedy=(
        Remedy(text="let it accept the stack's audience"),
        Remedy(text="or set `audience` in the Secret to one that it accepts"),
    ),
    rank=21,
)
WRONG_ISSUER = Rule(
    code="LK0703",
    cause="sts_oidc_provider_missing",
    other_causes=("azure_federated_credential_mismatch", "sts_trust_policy_denied"),
    title="the trust is for tokens of another issuer",
    message="{place} trusts {found}, but the issuer of the cluster's tokens is {expected}",
    meaning="The issuer in the trust is not exactly the cluster's issuer. It has an extra slash "
    "or scheme, or is the provider of another account or cluster.",
    why="The cloud looks for the issuer's signing keys in the wrong place, and refuses every "
    "token.",
    remedy=(Remedy(text="use the issuer exactly as in the cluster's discovery document"),),
    rank=20,
)
EXPLICIT_DENY = Rule(
    code="LK0704",
    cause="s3_access_denied_policy",
    other_causes=("bucket_policy_explicit_deny", "sts_trust_policy_denied"),
    title="a policy statement denies what Loki needs",
    message="{place}: {found} denies {actions}",
    meaning="An explicit Deny overrides every Allow.",
    why="The action is refused, no matter what else is granted.",
    remedy=(Remedy(text="remove the statement, or exclude the role from it"),),
    rank=24,
)
WRONG_PARTITION = Rule(
    code="LK0705",
    other_causes=("s3_access_denied_policy", "sts_oidc_provider_missing"),
    title="an ARN is in another partition",
    message="{place} names {found}, but the stack is in partition {expected}",
    meaning="AWS in China, AWS GovCloud and the other regions are separate partitions: their ARNs "
    "start with arn:aws-cn:, arn:aws-us-gov: and arn:aws:.",
    why="An ARN of another partition matches nothing here, so nothing is granted.",
    remedy=(Remedy(text="write the ARNs with the stack's partition"),),
    rank=19,
)
ACTION_NOT_ALLOWED = Rule(
    code="LK0706",
    cause="s3_access_denied_policy",
    other_causes=("azure_rbac_missing", "gcs_permission_denied"),
    title="an action that Loki needs is not allowed",
    message="{place} does not allow {actions}{found}",
    meaning="Loki lists its bucket, and puts, gets and deletes objects in it. Without delete, "
    "retention and compaction fail later than the rest.",
    why="The token is exchanged, but then the store refuses the request.",
    remedy=(Remedy(text="grant it on the bucket; `lokeys iam` prints the least that Loki needs"),),
    rank=26,
)
WRONG_RESOURCE = Rule(
    code="LK0707",
    cause="s3_access_denied_policy",
    other_causes=("azure_rbac_missing",),
    title="a permission is granted on something other than the bucket",
    message="{place} allows {actions}, but not on {expected}{found}",
    meaning="Listing is a permission on the bucket itself, the others are permissions on its "
    "objects: an ARN with `/*` does not cover the bucket, and one without does not cover the "
    "objects. A scope above or next to the container does not cover it either.",
    why="The store refuses what the policy appears to allow.",
    remedy=(Remedy(text="use the resources that `lokeys iam` prints"),),
    rank=25,
)
KEY_NOT_ALLOWED = Rule(
    code="LK0708",
    cause="kms_permission_denied",
    title="the bucket's KMS key is not allowed to be used",
    message="{place} does not allow {actions} on {expected}",
    meaning="With SSE-KMS the store encrypts and decrypts with a KMS key on behalf of the caller.",
    why="Writing fails without kms:GenerateDataKey, reading without kms:Decrypt.",
    remedy=(Remedy(text="grant both on the key; the key's own policy must allow them, too"),),
    rank=27,
)
TRUST_TOO_WIDE = Rule(
    code="LK0709",
    severity=Severity.WARNING,
    title="others can use the stack's identity, too",
    message="{place} also accepts tokens of {found}",
    meaning="The trust has a pattern instead of the two subjects, or no condition on the subject "
    "at all.",
    why="Anyone who can create pods in a matching namespace can read and delete the logs.",
    remedy=(Remedy(text="name exactly the two subjects; `lokeys iam` prints the commands"),),
    rank=61,
)
RIGHTS_TOO_WIDE = Rule(
    code="LK0710",
    severity=Severity.WARNING,
    title="the identity has more permissions than Loki needs",
    message="{place} also allows {found}",
    meaning="Loki needs to list one bucket, and to put, get and delete its objects.",
    why="A stolen token, valid for an hour, can do everything that the identity can.",
    remedy=(
        Remedy(text="grant only the permissions that `lokeys iam` prints, and remove the others"),
    ),
    rank=62,
)
DEFAULT_ACCOUNT_TRUSTED = Rule(
    code="LK0711",
    severity=Severity.INFO,
    title="the namespace's default service account is trusted",
    message="{place} accepts tokens of {found}, which any pod of the namespace can have",
    meaning="Under the Loki Operator the ruler runs as the `default` service account, unless the "
    "tenants' mode is one of OpenShift's, so it is often trusted on purpose.",
    why="lokeys runs the ruler with its own service account. After that, this trust is no longer "
    "needed.",
    remedy=(Remedy(text="trust the ruler's own service account, and remove this one"),),
    rank=80,
)
UNDECIDED = Rule(
    code="LK0712",
    severity=Severity.WARNING,
    title="whether a token is accepted depends on something that lokeys cannot know",
    message="{place}: {actions}: this depends on {found}",
    meaning="A condition depends on where or when a request is made, or is in a language that "
    "lokeys does not evaluate.",
    why="The documents alone do not show whether Loki can reach its bucket.",
    remedy=(
        Remedy(
            text="test it with a real token",
            command=command("lokeys probe stack {stack} -n {namespace}"),
        ),
    ),
    rank=63,
)
ISSUER_INSIDE = Rule(
    code="LK0713",
    severity=Severity.WARNING,
    title="no cloud can reach the cluster's issuer",
    message="{place}: the issuer of its tokens is {found}, which resolves only inside the cluster",
    meaning="The cloud fetches the keys that verify tokens from the issuer's address.",
    why="Without the keys every token is refused.",
    remedy=(
        Remedy(
            text="start the API server with a public https address as --service-account-issuer, "
            "and serve the discovery document and the keys there"
        ),
        Remedy(text="or, on Google Cloud, upload the keys: --jwk-json-path of create-oidc"),
    ),
    rank=60,
)
SUBJECT_TOO_LONG = Rule(
    code="LK0714",
    title="a subject is longer than Google allows",
    message="{place}: {found} has {length} characters; Google allows {limit}",
    meaning="The subject contains the names of the namespace and of the stack.",
    why="Google refuses every token of that account.",
    remedy=(Remedy(text="give the stack or its namespace a shorter name"),),
    rank=18,
)
PROVIDER_OFF = Rule(
    code="LK0715",
    cause="gcs_wif_pool_missing",
    title="the identity provider is disabled or deleted",
    message="{place} is {found}",
    meaning="A provider can be disabled; a deleted one is kept for 30 days.",
    why="It accepts no token until it is enabled or restored.",
    remedy=(Remedy(text="enable it, or restore it with its undelete command"),),
    rank=17,
)
SUBJECT_MAPPED_AWAY = Rule(
    code="LK0716",
    cause="sts_trust_policy_denied",
    title="the provider maps a token's subject to something else",
    message="{place} maps google.subject to {found}; expected assertion.sub",
    meaning="Bindings use the subject as the provider's attribute mapping produces it.",
    why="A binding on `system:serviceaccount:…` then never matches.",
    remedy=(Remedy(text="map google.subject to assertion.sub"),),
    rank=23,
)
ROLE_MISSING = Rule(
    code="LK0717",
    cause="sts_trust_policy_denied",
    title="the role or identity provider for the stack's tokens does not exist",
    message="{place} does not exist",
    meaning="The role, or the cluster's identity provider, was not created, is in another "
    "account, or was deleted.",
    why="Tokens cannot be exchanged without it.",
    remedy=(Remedy(text="create it; `lokeys iam` prints the commands"),),
    rank=16,
)
