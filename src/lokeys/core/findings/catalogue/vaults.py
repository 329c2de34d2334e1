# SPDX-License-Identifier: Apache-2.0
"""LK04xx: what can be wrong with the vault's copy of the key."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_HEAL = Remedy(
    text="let lokeys test the source's key, write both fields at once and deliver the key",
    command=command("lokeys heal -n {namespace} {name}"),
)

VAULT_BEHIND_SOURCE = Rule(
    code="LK0401",
    cause="vault_behind_source",
    title="the vault has an older key than the source",
    message="{place} was not updated when the source's key changed; the route is stale from here "
    "on",
    meaning="The store's key changed, and nobody copied it into the vault.",
    why="Everything after the vault receives a key that no longer works and reports success.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=20,
)
VAULT_PAIR_TORN = Rule(
    code="LK0402",
    cause="vault_pair_torn",
    title="the vault's access key id and secret key belong to different keys",
    message="{place} holds the id of one key and the secret of another",
    meaning="Only one of the two fields was updated.",
    why="The store knows the id and refuses every signature made with the wrong secret key.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=19,
)
FOREIGN_KEY_IN_VAULT = Rule(
    code="LK0403",
    severity=Severity.WARNING,
    cause="foreign_key_in_vault",
    title="the vault has a working key that does not come from the source",
    message="the store accepts the key pair in {place}, but it is not the source's; lokeys does "
    "not overwrite it",
    meaning="Somebody put a different key into the item on purpose, or the route names the wrong "
    "source.",
    why="Overwriting a working key could break whoever uses it.",
    remedy=(
        Remedy(
            text="to replace it with the source's key",
            command=command("lokeys heal -n {namespace} {name} --overwrite-foreign"),
            destructive=True,
        ),
        Remedy(text="otherwise name the user that this key belongs to in `spec.source`"),
    ),
    hop=Hop.VAULT,
    rank=21,
)
VAULT_VALUE_EMPTY = Rule(
    code="LK0404",
    cause="vault_value_empty",
    title="a field of the vault item is empty",
    message="in {place} {flaw}; External Secrets delivers that and reports success",
    meaning="The item has the field, but without a value.",
    why="External Secrets delivers an empty value like any other, and it replaces a working one.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=18,
)
VAULT_UNREACHABLE = Rule(
    code="LK0405",
    cause="op_connect_unreachable",
    title="1Password Connect does not answer",
    message="{place} could not be read: {detail}",
    meaning="Connect is down, does not respond, returns errors, or something else listens at its "
    "address.",
    why="External Secrets waits without a time limit, for every ExternalSecret in the cluster.",
    remedy=(
        Remedy(
            text="check Connect's own health",
            command=command("curl -sS -m 5 {url}/health"),
        ),
    ),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_NOT_FOUND = Rule(
    code="LK0406",
    cause="op_vault_not_found",
    title="the vault was not found",
    message="Connect does not find the vault of {place}: {detail}",
    meaning="The name or id is wrong, or the token has no access to that vault.",
    why="Without the vault no item can be read or written.",
    remedy=(Remedy(text="correct `spec.vault.onePassword.vault`, or give the token access to it"),),
    hop=Hop.VAULT,
    rank=16,
)
ITEM_NOT_FOUND = Rule(
    code="LK0407",
    cause="op_item_not_found",
    title="the item was not found",
    message="{place} does not exist in that vault: {detail}",
    meaning="The title is wrong, or the item was archived, moved or deleted.",
    why="External Secrets keeps the old Secret, and every refresh fails.",
    remedy=(Remedy(text="create the item, or correct `spec.vault.onePassword.item`"),),
    hop=Hop.VAULT,
    rank=16,
)
ITEM_AMBIGUOUS = Rule(
    code="LK0408",
    cause="op_item_ambiguous",
    title="several items have the same title",
    message="{place} matches more than one item: {detail}; lokeys does not choose",
    meaning="1Password allows equal titles. External Secrets and lokeys need exactly one match.",
    why="Choosing could overwrite the wrong item.",
    remedy=(Remedy(text="rename the other items, or name the item by its 26-character id"),),
    hop=Hop.VAULT,
    rank=16,
)
FIELD_NOT_FOUND = Rule(
    code="LK0409",
    cause="op_field_not_found",
    title="the item has no such field",
    message="a field of {place} is missing: {detail}",
    meaning="The label in the item differs from the label in the route.",
    why="Neither External Secrets nor lokeys can read the key pair.",
    remedy=(
        Remedy(
            text="rename the fields in the item to the labels in the route, or change the route"
        ),
    ),
    hop=Hop.VAULT,
    rank=17,
)
FIELD_AMBIGUOUS = Rule(
    code="LK0410",
    cause="op_field_ambiguous",
    title="several fields of the item have the same label",
    message="{place} has more than one field with that label: {detail}; lokeys does not choose",
    meaning="1Password allows equal labels. A route needs exactly one field for each half of the "
    "pair.",
    why="Choosing could overwrite the wrong field.",
    remedy=(Remedy(text="rename the other fields"),),
    hop=Hop.VAULT,
    rank=17,
)
VAULT_ACCESS_REFUSED = Rule(
    code="LK0411",
    cause="op_token_lacks_vault_access",
    title="Connect refuses the token",
    message="{place} could not be read: {detail}",
    meaning="The token is invalid or expired, belongs to another Connect server, or has no access "
    "to that vault.",
    why="After the token is fixed, External Secrets notices it only when it checks its store "
    "again.",
    remedy=(Remedy(text="put a valid token with read and write access into the token's Secret"),),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_RATE_LIMITED = Rule(
    code="LK0412",
    severity=Severity.WARNING,
    cause="op_rate_limited",
    title="1Password limits the rate of requests",
    message="{place} could not be read: {detail}",
    meaning="The request quota is used up for now.",
    why="External Secrets fails too until the quota is reset, and each of its retries uses more "
    "of it.",
    remedy=(Remedy(text="wait; then read less often, or read the whole item at once (`extract`)"),),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_WRITE_REJECTED = Rule(
    code="LK0413",
    cause="op_write_rejected",
    title="the vault refuses to be written",
    message="the source's key could not be written to {place}: {detail}",
    meaning="The token can read the vault but not write to it.",
    why="The source's key cannot get past this hop.",
    remedy=(Remedy(text="give the token write access, or update both fields by hand"),),
    hop=Hop.VAULT,
    rank=14,
)
VAULT_MALFORMED = Rule(
    code="LK0414",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the vault's key pair is malformed: {flaw}",
    message="in {place} {flaw}",
    meaning="The value has characters that keys never have, usually a pasted newline.",
    why="The value is delivered unchanged, and the store refuses its signature.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=18,
)
VAULT_NOT_READABLE = Rule(
    code="LK0415",
    severity=Severity.INFO,
    title="this vault cannot be read from here",
    message="lokeys can neither read nor write {place}; it compares the source with the Secret "
    "instead",
    meaning="Not every vault has an API that lokeys can use.",
    why="When the key changes, a person has to update the copy in the vault.",
    remedy=(Remedy(text="when the source's key changes, copy both halves into the item"),),
    hop=Hop.VAULT,
    rank=60,
)
VAULT_ADDRESS_NOT_ALLOWED = Rule(
    code="LK0416",
    cause="address_not_allowed",
    title="the Connect token's owner has not allowed this address",
    message="lokeys does not send the token in {place} to {url}: its owner has not allowed that "
    "address",
    meaning="A token is sent only to the host of a SecretStore that names this same token, or to "
    "an address in the annotation `lokeys.dev/allowed-urls` on its Secret, by scheme, host and "
    "port.",
    why="Otherwise anyone who can edit a StorageCredential could send the token, and with it the "
    "key pair, to their own server.",
    remedy=(
        Remedy(
            text="if that is your Connect server, the token's owner can allow it (the annotation "
            "is a comma-separated list)",
            command=command(
                "kubectl -n {namespace} annotate secret {name} --overwrite "
                "lokeys.dev/allowed-urls={url}"
            ),
        ),
    ),
    hop=Hop.VAULT,
    rank=11,
)
VAULT_TOKEN_NOT_ALLOWED = Rule(
    code="LK0417",
    severity=Severity.WARNING,
    cause="token_not_allowed",
    title="the Connect token's owner has not allowed this namespace",
    message="lokeys does not use the token in {place} for a route in namespace {reader}: its "
    "owner has not allowed that namespace",
    meaning="A token in another namespace is used only if its Secret allows it. Until then lokeys "
    "neither reads nor writes the item, and compares the source with the Secret.",
    why="Otherwise anyone who can create a StorageCredential could read and write everything that "
    "the token gives access to.",
    remedy=(
        Remedy(
            text="the token's owner can allow it (the annotation is a comma-separated list)",
            command=command(
                "kubectl -n {namespace} annotate secret {name} --overwrite "
                "lokeys.dev/allowed-namespaces={reader}"
            ),
        ),
    ),
    hop=Hop.VAULT,
    rank=11,
)
