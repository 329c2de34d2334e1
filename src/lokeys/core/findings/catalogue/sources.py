# SPDX-License-Identifier: Apache-2.0
"""LK03xx: what can be wrong where the key is minted (Rook, RGW, any source Secret)."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, command

SOURCE_KEY_DEAD = Rule(
    code="LK0301",
    cause="source_key_dead",
    title="the store refuses the source's key",
    message="the store answers for the key pair in {place}: {answer}; lokeys does not copy it "
    "anywhere",
    meaning="The store does not accept the key pair in the Secret that the route starts from.",
    why="Copying it would break every hop that still works. Rook does not notice when keys change "
    "at RGW: its Secret stays the same until something else makes Rook reconcile.",
    remedy=(
        Remedy(
            text="make Rook read RGW again: add a data key to its Secret, and Rook rewrites it at "
            "once",
            command=command(
                "kubectl -n {namespace} patch secret {secret} --type merge -p",
                Json.of({"data": {"lokeys-refresh": ""}}),
            ),
        ),
        Remedy(text="or let lokeys do that: set `spec.source.rook.refresh: true`"),
    ),
    hop=Hop.SOURCE,
    rank=10,
)
SOURCE_HAS_NO_KEY = Rule(
    code="LK0302",
    cause="source_has_no_key",
    title="the source has no key",
    message="{place} has no usable key pair: {detail}",
    meaning="The store's user has no key, or one half of the pair in the source's Secret is empty.",
    why="Loki cannot write without a key, and an empty value must never replace a working one.",
    remedy=(Remedy(text="create a key for the user at the source; lokeys then delivers it"),),
    hop=Hop.SOURCE,
    rank=9,
)
USER_SUSPENDED = Rule(
    code="LK0303",
    cause="user_suspended",
    title="the store's user is suspended",
    message="every key of {place} is refused because the user is suspended",
    meaning="Somebody suspended the user at the store. Its keys still exist.",
    why="A new key does not help: the user itself is locked.",
    remedy=(
        Remedy(
            text="enable the user at the store",
            command=command("radosgw-admin user enable --uid={user}"),
        ),
    ),
    hop=Hop.SOURCE,
    rank=8,
)
ROOK_NOT_APPLIED = Rule(
    code="LK0304",
    severity=Severity.WARNING,
    cause="rook_not_applied",
    title="Rook has not applied the current state of the user",
    message="{place} has phase {phase}, but {detail}",
    meaning="The phase Ready of the CephObjectStoreUser refers to an older generation or to older "
    "key Secrets.",
    why="The phase alone proves nothing: what Rook last applied may differ from the current spec.",
    remedy=(
        Remedy(
            text="see why Rook is behind",
            command=command("kubectl -n {namespace} describe cephobjectstoreuser {user}"),
        ),
    ),
    hop=Hop.SOURCE,
    rank=30,
)
ROOK_GENERATED_SECRET_BLANK = Rule(
    code="LK0305",
    cause="rook_generated_secret_blank",
    title="Rook's generated Secret is empty because `spec.keys` is set",
    message="{place} sets `spec.keys`, so Rook's generated Secret is empty, and the route reads "
    "that Secret",
    meaning="When `spec.keys` is set, Rook writes empty values into the Secret that it generates "
    "(measured).",
    why="Readers of that Secret get nothing. The keys are in the Secrets that `spec.keys` names.",
    remedy=(Remedy(text="make readers use the Secrets that `spec.keys` names"),),
    hop=Hop.SOURCE,
    rank=11,
)
ROOK_EXTRA_KEYS_DOOMED = Rule(
    code="LK0306",
    severity=Severity.WARNING,
    cause="rook_extra_keys_doomed",
    title="Rook's next reconcile will delete keys at RGW",
    message="{place} has {count} keys at RGW; Rook's next reconcile keeps {survivor} and deletes "
    "the others",
    meaning="For a user without `spec.keys` Rook keeps a single key: the one with the smallest id.",
    why="A restart of Rook or any change of the CephCluster deletes the other keys, whether they "
    "are in use or not.",
    remedy=(
        Remedy(
            text="add the key that you want to keep to `spec.keys`, with its current value",
            command=command("kubectl -n {namespace} edit cephobjectstoreuser {user}"),
        ),
    ),
    hop=Hop.SOURCE,
    rank=31,
)
ROOK_STALE_USER_SECRET = Rule(
    code="LK0307",
    cause="rook_stale_user_secret",
    title="the key changed at RGW and Rook has not noticed",
    message="the key pair in {place} no longer works, while RGW lists {count} valid key(s) for "
    "the user",
    meaning="A key was changed directly at RGW. Rook does not watch RGW and does not look again.",
    why="A valid key exists, but nothing delivers it: the route is stale from its first hop on.",
    remedy=(
        Remedy(
            text="make Rook read RGW again: add a data key to its Secret, and Rook rewrites it at "
            "once",
            command=command(
                "kubectl -n {namespace} patch secret {secret} --type merge -p",
                Json.of({"data": {"lokeys-refresh": ""}}),
            ),
        ),
    ),
    hop=Hop.SOURCE,
    rank=7,
)
ROOK_READS_ITS_OWN_SECRET = Rule(
    code="LK0308",
    cause="rook_generated_secret_blank",
    title="`spec.keys` names the Secret that Rook itself empties",
    message="`spec.keys` of {place} names Rook's generated Secret: this destroys every key",
    meaning="When `spec.keys` is set, Rook first empties its generated Secret and then reads the "
    "keys from it.",
    why="All keys at RGW are deleted, and the phase stays Ready (measured).",
    remedy=(
        Remedy(text="put the key pair into a separate Secret and name that one in `spec.keys`"),
    ),
    hop=Hop.SOURCE,
    rank=6,
)
ROOK_DELETION_BLOCKED = Rule(
    code="LK0309",
    severity=Severity.WARNING,
    cause="rook_user_deletion_blocked",
    title="the user is being deleted, and only its bucket delays that",
    message="{place} is marked for deletion; its key works until its bucket is deleted or linked "
    "to another user",
    meaning="Rook cannot delete a user that owns a bucket. It retries less and less often.",
    why="As soon as the bucket is unlinked or deleted, the user and its key are deleted.",
    remedy=(
        Remedy(
            text="if Loki still needs the bucket, link it to another user in time",
            command=command("radosgw-admin bucket link --bucket={bucket} --uid=OTHER_USER"),
        ),
        Remedy(
            text="then give that user what lies in it, which else only the old user may read",
            command=command("radosgw-admin bucket chown --bucket={bucket} --uid=OTHER_USER"),
        ),
    ),
    hop=Hop.SOURCE,
    rank=32,
)
ROOK_OBJECT_STORE_NOT_READY = Rule(
    code="LK0310",
    severity=Severity.WARNING,
    cause="rook_object_store_not_ready",
    title="Rook has not reconciled the object store",
    message="the object store of {place} is not ready, so its users wait",
    meaning="Rook reconciles users only after their CephObjectStore is ready.",
    why="Until then users and their Secrets are not created or updated.",
    remedy=(
        Remedy(
            text="see what the object store waits for",
            command=command("kubectl -n {namespace} describe cephobjectstore"),
        ),
    ),
    hop=Hop.SOURCE,
    rank=12,
)
SOURCE_NOT_ALLOWED = Rule(
    code="LK0311",
    cause="source_not_allowed",
    title="the source's owner has not allowed this namespace",
    message="{place} is in another namespace and does not have the annotation that allows its use",
    meaning="A key in another namespace is used only if its owner allows it.",
    why="Otherwise anyone who can create a StorageCredential could read any key in the cluster.",
    remedy=(
        Remedy(
            text="the owner of the source can allow it",
            command=command(
                "kubectl -n {namespace} annotate {kind} {name} "
                "lokeys.dev/allowed-namespaces={reader}"
            ),
        ),
    ),
    hop=Hop.SOURCE,
    rank=5,
)
SOURCE_MISSING = Rule(
    code="LK0312",
    cause="k8s_secret_missing",
    other_causes=("store_user_missing",),
    title="the source does not exist",
    message="{place} does not exist{detail}",
    meaning="The user, or the Secret with its key, does not exist.",
    why="Without a source, lokeys has nothing to compare or deliver.",
    remedy=(Remedy(text="create it, or correct `spec.source`"),),
    hop=Hop.SOURCE,
    rank=5,
)
SOURCE_MALFORMED = Rule(
    code="LK0313",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the source's key pair is malformed: {flaw}",
    message="in {place} {flaw}; lokeys does not copy a malformed pair",
    meaning="The value has characters that keys never have, usually a newline from `echo`.",
    why="Some stores keep such a value as part of the key; most refuse its signature.",
    remedy=(Remedy(text="write the value again without them (use `printf`, not `echo`)"),),
    hop=Hop.SOURCE,
    rank=9,
)
SOURCE_AMBIGUOUS = Rule(
    code="LK0314",
    severity=Severity.WARNING,
    title="the route has none of the user's keys",
    message="{place} has {count} key(s), and neither the vault nor the Secret holds one of them, "
    "so it is not known which one Loki should use",
    meaning="A user can have several keys, and IAM never shows their secret keys. lokeys takes "
    "the key in the vault as the current one, otherwise the key in the Secret. Here neither holds "
    "any of the user's keys.",
    why="Choosing any of them could deliver a key that somebody is about to delete.",
    remedy=(Remedy(text="put the key that Loki should use into the vault or the Secret"),),
    hop=Hop.SOURCE,
    rank=13,
)
SOURCE_STORE_DIFFERS = Rule(
    code="LK0315",
    severity=Severity.WARNING,
    title="the user is in a different object store than the resource says",
    message="`spec.source.rook.store` is {said}, but {place} is a user of store {store}; lokeys "
    "uses the latter",
    meaning="The user's own `spec.store` says where its key is. The field of the resource is used "
    "only by `lokeys bucket --create`, for a user that does not exist yet.",
    why="Rook names a Secret after store and user, joined with a hyphen, and a different split "
    "can give the same name. The resource must therefore never choose the store.",
    remedy=(Remedy(text="remove `spec.source.rook.store`, or name the user that you mean"),),
    hop=Hop.SOURCE,
    rank=33,
)
ADDRESS_NOT_ALLOWED = Rule(
    code="LK0317",
    severity=Severity.WARNING,
    cause="address_not_allowed",
    title="the key's owner has not allowed this address",
    message="lokeys sends no signed requests to {url} and only compares keys: the owner of "
    "{place} has not named or allowed that address",
    meaning="The operator signs requests only for addresses that the key's owner names (Rook's "
    "object store) or lists in the annotation `lokeys.dev/allowed-urls`, by scheme, host and port.",
    why="Otherwise anyone who can edit a StorageCredential could choose where other people's keys "
    "are used.",
    remedy=(
        Remedy(
            text="if Loki writes there, the owner can allow it (the annotation is a "
            "comma-separated list)",
            command=command(
                "kubectl -n {namespace} annotate {kind} {name} --overwrite "
                "lokeys.dev/allowed-urls={url}"
            ),
        ),
    ),
    hop=Hop.SOURCE,
    rank=30,
)
ADDRESS_NOT_LOKIS = Rule(
    code="LK0318",
    severity=Severity.WARNING,
    title="Loki writes to a different address than the resource says",
    message="`spec.bucket.endpoint` is {url}, but the configuration of {place} says {host}: "
    "unless the source's owner names the first, the operator does not test Loki's key there",
    meaning="The address in the resource and the address in Loki's own configuration differ in "
    "scheme, host or port.",
    why="The answer of one store says nothing about another, and a key is sent only where Loki "
    "uses it. One store can have two names, behind a mesh or an ingress: a key that its source "
    "offers is tested anyway.",
    remedy=(Remedy(text="set `spec.bucket.endpoint` to the address that Loki uses"),),
    hop=Hop.STORE,
    rank=30,
)
SOURCE_SECRET_ANOTHERS = Rule(
    code="LK0316",
    cause="k8s_secret_missing",
    title="the Secret with the user's name belongs to something else",
    message="{place} has the name of Rook's Secret for user {user}, but its owner is not that user",
    meaning="lokeys accepts a generated Secret only if its controller is the CephObjectStoreUser, "
    "by uid.",
    why="Users of two stores can have Secrets of the same name; the key in this one belongs to "
    "the other user.",
    remedy=(
        Remedy(
            text="see who owns it; Rook creates the user's own Secret once that name is free",
            command=command(
                "kubectl -n {namespace} get secret {secret} "
                "-o jsonpath={{.metadata.ownerReferences}}"
            ),
        ),
    ),
    hop=Hop.SOURCE,
    rank=5,
)
