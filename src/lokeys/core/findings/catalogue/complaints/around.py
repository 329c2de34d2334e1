# SPDX-License-Identifier: Apache-2.0
"""What is said around Loki: by Kubernetes, External Secrets, 1Password, Rook, the Loki Operator."""

from __future__ import annotations

import re
from dataclasses import replace

from lokeys.core.findings.catalogue.complaints.making import NETWORK_WORDS, row
from lokeys.core.findings.complaint import OfKey
from lokeys.core.findings.finding import Remedy
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_NOT_DELIVERED = "The Secret keeps its old value, or is not created at all."
_WAITING = ("eso_store_not_ready",)
_VAULT = ("1password", "onepassword", "op://")
_MISSING = re.compile(
    r'(?:error: |: )secret "[^"]{1,253}" not found|couldn\'t find key \S{1,253} in secret'
)
_GOT_MANY = re.compile(r"got (?:[2-9]|\d{2,9})\b")
_STATUS = Remedy(
    text="see its conditions and events",
    command=command("kubectl -n NAMESPACE describe externalsecret NAME"),
)

SECRET_MISSING = row(
    "LK0865",
    "k8s_secret_missing",
    "a Secret that the pod needs does not exist",
    meaning="The container waits for a Secret, or for a key of a Secret, that does not exist.",
    why="The pod does not start.",
    fix="check its name and namespace, and what should create it (an ExternalSecret, a chart, "
    "Rook)",
    says=('" not found', "couldn't find key"),
    beside=("error: secret", "for volume", "in secret"),
    never_beside=("1password", "secretstore"),
    of_key=OfKey.NOTHING,
    shape=_MISSING,
    hop=Hop.SECRET,
    rank=3,
)
CONNECT_UNREACHABLE = row(
    "LK0866",
    "op_connect_unreachable",
    "1Password Connect does not answer",
    meaning="Connection refused, timed out, or no such host; or something else answers there.",
    why=_NOT_DELIVERED,
    fix="check Connect's pods and its Service, and `connectHost` of the SecretStore",
    says=NETWORK_WORDS,
    beside=("finding 1password", "1password vault", "1password item", "/v1/vaults"),
    of_key=OfKey.NOTHING,
    explains=_WAITING,
    hop=Hop.VAULT,
    rank=3,
)
CONNECT_IS_A_PAGE = replace(
    CONNECT_UNREACHABLE, phrases=("decoding response: invalid character '<'",), beside=()
)
"""In the words of Connect's own client."""
VAULT_NOT_FOUND = row(
    "LK0867",
    "op_vault_not_found",
    "the vault was not found",
    meaning="The vault's name or id is not accepted, or the token has no access to it.",
    why=_NOT_DELIVERED,
    fix="set the vault in the SecretStore to its exact title: op vault list",
    says=(
        *("invalid vault uuid", "no vaults found with title", "vault not found"),
        "found 0 vaults with title",
    ),
    explains=_WAITING,
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
ITEM_NOT_FOUND = row(
    "LK0868",
    "op_item_not_found",
    "the item was not found",
    meaning="The vaults that the SecretStore searches have no item with that title.",
    why=_NOT_DELIVERED,
    fix=(Remedy(text="compare `remoteRef.key` with the item's title: op item list"), _STATUS),
    says=("key not found in 1password vaults", "no items found with title"),
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
ITEM_AMBIGUOUS = row(
    "LK0869",
    "op_item_ambiguous",
    "several items have the same title",
    meaning="External Secrets reads an item only if its title is unique.",
    why=_NOT_DELIVERED,
    fix="rename or archive all but one: op item list",
    says=("expected one 1password item matching", "multiple items found with title"),
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
FIELD_AMBIGUOUS = row(
    "LK0871",
    "op_field_ambiguous",
    "several fields of the item have the same label",
    meaning="External Secrets reads a field only if its label is unique.",
    why=_NOT_DELIVERED,
    fix="rename all but one of the fields",
    says=("expected one 1password itemfield matching",),
    shape=_GOT_MANY,
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
FIELD_NOT_FOUND = row(
    "LK0870",
    "op_field_not_found",
    "the item has no such field",
    meaning="No field of the item has the label that `remoteRef.property` names.",
    why=_NOT_DELIVERED,
    fix=(Remedy(text="compare `remoteRef.property` with the field's label"), _STATUS),
    says=("expected one 1password itemfield matching",),
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
WRITE_REJECTED = row(
    "LK0874",
    "op_write_rejected",
    "the vault refuses to be written",
    meaning="The token can read the vault but not write to it.",
    why="The vault keeps the old key.",
    fix="give the Connect token write access to the vault, or remove the PushSecret",
    says=("token does not have write access", "error updating 1password item", "set secret failed"),
    beside=_VAULT,
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
RATE_LIMITED = row(
    "LK0873",
    "op_rate_limited",
    "1Password's request quota is used up",
    meaning="The account's or the token's hourly or daily limit is reached.",
    why=_NOT_DELIVERED,
    fix="raise `refreshInterval` of the ExternalSecrets, or use Connect, which caches",
    says=("status 429", "too many requests", "rate limit exceeded"),
    beside=_VAULT,
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
TOKEN_REFUSED = row(
    "LK0872",
    "op_token_lacks_vault_access",
    "1Password refuses the token",
    meaning="The Connect token or service account token is not valid, or has no access to this "
    "vault.",
    why=_NOT_DELIVERED,
    fix="create a token with read access to the vault, write it into the SecretStore's Secret, "
    "then force a sync of the store and the ExternalSecrets",
    says=(
        *("invalid token signature", "token does not have access to vault", "status 401"),
        *("authorization: token does not", "invalid bearer token", "status 403: "),
    ),
    beside=("1password", "onepassword", "vault", "(e)", "validate provider", "secretstore/"),
    explains=_WAITING,
    of_key=OfKey.NOTHING,
    hop=Hop.VAULT,
    rank=3,
)
BAD_INTERVAL = row(
    "LK0875",
    "eso_stopped_by_bad_interval",
    "one invalid interval stops every ExternalSecret in the cluster",
    meaning="An ExternalSecret has a `refreshInterval` such as `1d`, which is not a Go duration, "
    "so the controller cannot list any of them.",
    why="No ExternalSecret in the cluster is refreshed.",
    fix=(
        Remedy(
            text="find it, and write the interval in hours: 24h",
            command=command(
                "kubectl get externalsecrets -A -o custom-columns=NS:.metadata.namespace,"
                "NAME:.metadata.name,INTERVAL:.spec.refreshInterval"
            ),
        ),
    ),
    says=("unknown unit", "missing unit in duration", "invalid duration"),
    beside=("externalsecret",),
    of_key=OfKey.NOTHING,
    hop=Hop.DELIVERY,
    rank=3,
)
STORE_NOT_READY = row(
    "LK0876",
    "eso_store_not_ready",
    "the SecretStore is not ready",
    meaning="The store was not found or could not be validated; ExternalSecrets wait for it.",
    why=_NOT_DELIVERED,
    fix=(
        Remedy(
            text="see why",
            command=command("kubectl -n NAMESPACE describe secretstore NAME"),
        ),
    ),
    says=(
        *("is not ready", "could not get secretstore", "could not get clustersecretstore"),
        *("unable to create client", "unable to validate store", "cannot get kubernetes secret"),
        *("could not validate provider", "could not get provider client", "invalidproviderconfig"),
    ),
    beside=("secretstore", "kubernetes secret", "validate store", "external-secrets", " provider"),
    of_key=OfKey.NOTHING,
    hop=Hop.DELIVERY,
    rank=4,
)
OWNED_BY_OTHER = row(
    "LK0877",
    "eso_target_owned_by_other",
    "another ExternalSecret owns the Secret",
    meaning="Two ExternalSecrets have the same target; only the first one writes it.",
    why="This one delivers nothing.",
    fix="give each ExternalSecret its own target, or delete one of them",
    says=("target is owned by another externalsecret",),
    of_key=OfKey.NOTHING,
    hop=Hop.DELIVERY,
    rank=3,
)
BUDGET = row(
    "LK0878",
    "eviction_blocked_by_budget",
    "a PodDisruptionBudget forbids the eviction",
    meaning="The PodDisruptionBudget does not allow more of these pods to be unavailable.",
    why="A pod with an old key cannot be replaced this way.",
    fix="see which pods are not ready, and why: kubectl -n NAMESPACE get pdb,pods",
    says=("violate the pod's disruption budget",),
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=45,
)
ROOK_NOT_READY = row(
    "LK0863",
    "rook_object_store_not_ready",
    "the object store is not ready",
    meaning="The CephObjectStore is missing or is still being created, so its users and their "
    "Secrets wait.",
    why="There is no key yet.",
    fix=(
        Remedy(
            text="see the store's phase and the operator's log",
            command=command("kubectl -n rook-ceph get cephobjectstore,cephcluster"),
        ),
    ),
    says=(
        *("skipping reconcile since operator is still initializing", "rgw-admin-ops-user"),
        *("objectstore resource not ready", "failed to initialized rgw admin ops client api"),
        '" not found',
    ),
    beside=("cephobjectstore", "objectstore resource", "ceph-object"),
    never_beside=("nosuchbucket", "already exists"),
    of_key=OfKey.NOTHING,
    hop=Hop.SOURCE,
    rank=3,
)
ROOK_STALE = row(
    "LK0864",
    "rook_stale_user_secret",
    "an old Secret blocks the new user's Secret",
    meaning="A Secret of that name already exists and belongs to an earlier user.",
    why="Its key is not the new user's.",
    fix="after saving what still uses it, delete the old Secret; Rook creates it again",
    says=("already exists",),
    beside=("ceph-object-user", "cephobjectstoreuser", "object store user secret"),
    of_key=OfKey.NOTHING,
    hop=Hop.SOURCE,
    rank=3,
)
LOKISTACK_SECRET = row(
    "LK0879",
    "lokistack_secret_keys_wrong",
    "keys are missing in the LokiStack's storage Secret",
    meaning="A key that the storage type needs is missing or empty in the Secret.",
    why="The operator creates no pods.",
    fix="to see all errors in it: lokeys validate -f PATH",
    says=("missing secret field", "invalid object storage secret contents"),
    of_key=OfKey.NOTHING,
    hop=Hop.SECRET,
    rank=2,
)

FIRST = (
    *(SECRET_MISSING, VAULT_NOT_FOUND, ITEM_NOT_FOUND, ITEM_AMBIGUOUS, FIELD_AMBIGUOUS),
    *(FIELD_NOT_FOUND, WRITE_REJECTED, RATE_LIMITED, TOKEN_REFUSED, CONNECT_UNREACHABLE),
    CONNECT_IS_A_PAGE,
    *(BAD_INTERVAL, OWNED_BY_OTHER, STORE_NOT_READY, BUDGET, ROOK_STALE, ROOK_NOT_READY),
    LOKISTACK_SECRET,
)
