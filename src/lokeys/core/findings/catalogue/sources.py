# SPDX-License-Identifier: Apache-2.0
"""LK03xx: what can be wrong where the key is minted (Rook, RGW, any source Secret)."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, command

SOURCE_KEY_DEAD = Rule(
    code="LK0301",
    cause="source_key_dead",
    title="the source offers a key that the store refuses",
    message="the store says of the pair in {place}: {answer}; nothing is spread from it",
    meaning="The Secret that the route starts from holds a pair that the store does not accept.",
    why="Copying it would break every hop that still works. Rook does not notice when keys change "
    "at RGW: its Secret stays as it was until something else makes it reconcile.",
    remedy=(
        Remedy(
            text="make Rook read RGW again: add a data key to its Secret, Rook rewrites it at once",
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
    message="{place} offers no usable pair: {detail}",
    meaning="The store's user is left without any key, or the source's Secret has an empty half.",
    why="Loki cannot write with nothing, and an empty value must never replace a working one.",
    remedy=(Remedy(text="give the user a key at its source; lokeys carries it on by itself"),),
    hop=Hop.SOURCE,
    rank=9,
)
USER_SUSPENDED = Rule(
    code="LK0303",
    cause="user_suspended",
    title="the store's user is suspended",
    message="every key of {place} is refused while the user is suspended",
    meaning="Somebody suspended the user at the store; its keys are unharmed.",
    why="No new key helps: the user itself is locked.",
    remedy=(
        Remedy(
            text="lift the suspension at the store",
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
    title="Rook has not applied the present state of the user",
    message="{place} says {phase}, but {detail}",
    meaning="The phase Ready of a CephObjectStoreUser speaks of an older generation or of older "
    "key Secrets.",
    why="Rook's phase alone proves nothing: what it last applied may not be what is written now.",
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
    title="Rook's generated Secret is blank because `spec.keys` is set",
    message="{place} sets `spec.keys`, and the route reads Rook's generated Secret, which is empty",
    meaning="With `spec.keys` Rook writes empty values into the Secret it generates (measured).",
    why="Whoever reads it gets nothing; the keys are in the Secrets that `spec.keys` names.",
    remedy=(Remedy(text="point readers at the Secrets that `spec.keys` names"),),
    hop=Hop.SOURCE,
    rank=11,
)
ROOK_EXTRA_KEYS_DOOMED = Rule(
    code="LK0306",
    severity=Severity.WARNING,
    cause="rook_extra_keys_doomed",
    title="keys at RGW that Rook's next reconcile will delete",
    message="{place} has {count} keys at RGW; Rook keeps {survivor} and deletes the others at its "
    "next reconcile",
    meaning="Rook manages a user without `spec.keys` as one that has one key: the smallest id.",
    why="A restart of Rook or any edit of the CephCluster deletes the others, used or not.",
    remedy=(
        Remedy(
            text="keep the wanted key under `spec.keys`, adopted with its present value",
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
    message="the pair in {place} is dead, while RGW lists {count} live key(s) for the user",
    meaning="A key was changed at RGW, behind Rook; Rook neither watches RGW nor looks again.",
    why="The live key exists, but nothing carries it: the route is stale from its first hop on.",
    remedy=(
        Remedy(
            text="make Rook read RGW again: add a data key to its Secret, Rook rewrites it at once",
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
    title="`spec.keys` points at the Secret that Rook itself blanks",
    message="{place} names Rook's generated Secret in `spec.keys`: this destroys every key",
    meaning="Rook blanks its generated Secret when `spec.keys` is set, then reads it as the keys.",
    why="All keys at RGW are deleted and the phase stays Ready (measured).",
    remedy=(Remedy(text="put the pair into a Secret of its own and name that one"),),
    hop=Hop.SOURCE,
    rank=6,
)
ROOK_DELETION_BLOCKED = Rule(
    code="LK0309",
    severity=Severity.WARNING,
    cause="rook_user_deletion_blocked",
    title="the user is being deleted, and its bucket holds that up",
    message="{place} is marked for deletion; the key works until its bucket is gone or linked "
    "elsewhere, and dies then",
    meaning="Rook cannot delete a user that owns a bucket: it retries, ever more rarely.",
    why="The day the bucket is unlinked or emptied, the key goes with the user.",
    remedy=(
        Remedy(
            text="if Loki still needs it: link the bucket to another user before it is too late",
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
    meaning="Rook reconciles users only once their CephObjectStore is ready.",
    why="Until then users and their Secrets do not exist, or stay as they were.",
    remedy=(
        Remedy(
            text="see what the store waits for",
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
    message="{place} lives in another namespace and does not carry the annotation that allows it",
    meaning="A key in another namespace is used only if its owner says so.",
    why="Otherwise whoever may create a StorageCredential could read any key of the cluster.",
    remedy=(
        Remedy(
            text="its owner allows it",
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
    meaning="The user, or the Secret that carries its key, is not there.",
    why="Without a source nothing can be compared or carried.",
    remedy=(Remedy(text="create it, or correct `spec.source`"),),
    hop=Hop.SOURCE,
    rank=5,
)
SOURCE_MALFORMED = Rule(
    code="LK0313",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the source's pair is malformed: {flaw}",
    message="in {place} {flaw}; a malformed pair is not spread",
    meaning="The value has characters that no key has: most often a newline from `echo`.",
    why="Some stores keep such a value as part of the key, most refuse its signature.",
    remedy=(Remedy(text="write the value again without it (`printf`, not `echo`)"),),
    hop=Hop.SOURCE,
    rank=9,
)
SOURCE_AMBIGUOUS = Rule(
    code="LK0314",
    severity=Severity.WARNING,
    title="the route holds none of the user's keys",
    message="{place} has {count} key(s); neither the vault nor the Secret holds one of them, so it "
    "is not known which one Loki should use",
    meaning="A user may have several keys, and IAM never shows their secret halves. The present "
    "one is the one that the vault holds, else the one that the Secret holds. Here neither holds "
    "any of them.",
    why="Taking any of them could spread a key that somebody is about to remove.",
    remedy=(Remedy(text="put the wanted key into the vault or the Secret"),),
    hop=Hop.SOURCE,
    rank=13,
)
SOURCE_STORE_DIFFERS = Rule(
    code="LK0315",
    severity=Severity.WARNING,
    title="the user is in another object store than the resource says",
    message="`spec.source.rook.store` says {said}; {place} is a user of store {store}, and that "
    "counts",
    meaning="The user's own `spec.store` decides where its key is. The field of the resource is "
    "only for `lokeys bucket --create`, for a user that does not exist yet.",
    why="Rook joins store and user with a hyphen to name a Secret, and other halves can make the "
    "same name: the resource must never choose the store.",
    remedy=(Remedy(text="remove `spec.source.rook.store`, or name the user that you mean"),),
    hop=Hop.SOURCE,
    rank=33,
)
ADDRESS_NOT_ALLOWED = Rule(
    code="LK0317",
    severity=Severity.WARNING,
    cause="address_not_allowed",
    title="an address that the owner of the key has not allowed",
    message="no signed request is sent to {url}, keys are only compared: the owner of {place} has "
    "not named or allowed that address",
    meaning="The operator signs requests only for addresses that the key's owner names (Rook's "
    "object store) or lists in the annotation `lokeys.dev/allowed-urls`: scheme, host and port.",
    why="Otherwise whoever may edit a StorageCredential chooses where the keys of others are used.",
    remedy=(
        Remedy(
            text="if Loki writes there, the owner allows it (the annotation takes a list, with "
            "commas between)",
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
    title="Loki writes to another address than the resource says",
    message="`spec.bucket.endpoint` says {url}, and the configuration of {place} says {host}: "
    "unless the source's owner names the first, the operator does not try there what Loki reads",
    meaning="The address in the resource and the address in Loki's own configuration differ in "
    "scheme, host or port.",
    why="What one store says of a key says nothing of another store, and a key goes only where "
    "Loki uses it. One store can have two names, behind a mesh or an ingress: a key that its "
    "source offers is tried all the same.",
    remedy=(Remedy(text="write the address that Loki uses into `spec.bucket.endpoint`"),),
    hop=Hop.STORE,
    rank=30,
)
SOURCE_SECRET_ANOTHERS = Rule(
    code="LK0316",
    cause="k8s_secret_missing",
    title="the Secret with the user's name was not made for the user",
    message="{place} has the name of Rook's Secret for user {user}, and its owner is not that user",
    meaning="A generated Secret counts only if its controller is the CephObjectStoreUser, by uid.",
    why="Two users of two stores can share the name of the Secret; the key in it is the other's.",
    remedy=(
        Remedy(
            text="see whose it is; Rook makes the user's own once that name is free",
            command=command(
                "kubectl -n {namespace} get secret {secret} "
                "-o jsonpath={{.metadata.ownerReferences}}"
            ),
        ),
    ),
    hop=Hop.SOURCE,
    rank=5,
)
