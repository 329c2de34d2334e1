# SPDX-License-Identifier: Apache-2.0
"""LK04xx: what can be wrong with the vault's copy of the key."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_HEAL = Remedy(
    text="let lokeys test the source's key, write both fields at once and carry it on",
    command=command("lokeys heal -n {namespace} {name}"),
)

VAULT_BEHIND_SOURCE = Rule(
    code="LK0401",
    cause="vault_behind_source",
    title="the vault holds an older key than the source",
    message="{place} was not updated when the source's key changed: the key goes stale here",
    meaning="The store's key changed, and nobody copied it into the vault.",
    why="Everything behind the vault is handed a dead key and reports success doing so.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=20,
)
VAULT_PAIR_TORN = Rule(
    code="LK0402",
    cause="vault_pair_torn",
    title="the vault's id and secret belong to different keys",
    message="{place} holds the id of one key and the secret of another",
    meaning="Only one of the two fields was updated.",
    why="The store knows the id and refuses each signature made with the wrong secret.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=19,
)
FOREIGN_KEY_IN_VAULT = Rule(
    code="LK0403",
    severity=Severity.WARNING,
    cause="foreign_key_in_vault",
    title="the vault holds a working key that the source never had",
    message="the store knows the pair in {place}, and it is not the source's; lokeys leaves it",
    meaning="Somebody put another key into the item on purpose, or the route names a wrong source.",
    why="Overwriting a key that works could take it from whoever chose it.",
    remedy=(
        Remedy(
            text="if the source's key shall replace it, say so",
            command=command("lokeys heal -n {namespace} {name} --overwrite-foreign"),
            destructive=True,
        ),
        Remedy(text="else name the user that this key belongs to in `spec.source`"),
    ),
    hop=Hop.VAULT,
    rank=21,
)
VAULT_VALUE_EMPTY = Rule(
    code="LK0404",
    cause="vault_value_empty",
    title="a field of the vault's item is empty",
    message="in {place} {flaw}; External Secrets delivers that as a success",
    meaning="The item has the field, without a value.",
    why="An empty value travels like any other and replaces a working one.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=18,
)
VAULT_UNREACHABLE = Rule(
    code="LK0405",
    cause="op_connect_unreachable",
    title="1Password Connect does not answer",
    message="{place} could not be read: {detail}",
    meaning="Connect is down, hangs, answers with errors, or something else listens there.",
    why="External Secrets waits without a time limit, for every ExternalSecret in the cluster.",
    remedy=(
        Remedy(
            text="look at Connect's own health",
            command=command("curl -sS -m 5 {url}/health"),
        ),
    ),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_NOT_FOUND = Rule(
    code="LK0406",
    cause="op_vault_not_found",
    title="the vault is not found",
    message="Connect knows no vault for {place}: {detail}",
    meaning="The name or id is wrong, or the token may not see that vault.",
    why="Without the vault no item can be read or written.",
    remedy=(Remedy(text="correct `spec.vault.onePassword.vault`, or give the token access to it"),),
    hop=Hop.VAULT,
    rank=16,
)
ITEM_NOT_FOUND = Rule(
    code="LK0407",
    cause="op_item_not_found",
    title="the item is not found",
    message="{place} does not exist in that vault: {detail}",
    meaning="The title is wrong, or the item was archived, moved or deleted.",
    why="External Secrets keeps the old Secret and fails each refresh.",
    remedy=(Remedy(text="create the item, or correct `spec.vault.onePassword.item`"),),
    hop=Hop.VAULT,
    rank=16,
)
ITEM_AMBIGUOUS = Rule(
    code="LK0408",
    cause="op_item_ambiguous",
    title="several items have that title",
    message="{place} is not one item: {detail}; lokeys refuses to choose",
    meaning="1Password allows equal titles; External Secrets and lokeys need exactly one.",
    why="A choice could write over the wrong item.",
    remedy=(Remedy(text="rename the others, or name the item by its 26-character id"),),
    hop=Hop.VAULT,
    rank=16,
)
FIELD_NOT_FOUND = Rule(
    code="LK0409",
    cause="op_field_not_found",
    title="the item has no such field",
    message="{place} lacks a field: {detail}",
    meaning="The label in the item and the label in the route differ.",
    why="Neither External Secrets nor lokeys can read the pair.",
    remedy=(Remedy(text="name the fields in the item as the route does, or the other way round"),),
    hop=Hop.VAULT,
    rank=17,
)
FIELD_AMBIGUOUS = Rule(
    code="LK0410",
    cause="op_field_ambiguous",
    title="the item has several fields of that label",
    message="{place} has a label more than once: {detail}; lokeys refuses to choose",
    meaning="1Password allows equal labels; a route needs exactly one field for each half.",
    why="A choice could write over the wrong field.",
    remedy=(Remedy(text="rename the others"),),
    hop=Hop.VAULT,
    rank=17,
)
VAULT_ACCESS_REFUSED = Rule(
    code="LK0411",
    cause="op_token_lacks_vault_access",
    title="Connect refuses the token",
    message="{place} could not be read: {detail}",
    meaning="The token is invalid, expired, of another Connect server, or without that vault.",
    why="A mended token is noticed by External Secrets only when its store is looked at again.",
    remedy=(Remedy(text="put a valid token with read and write access into its Secret"),),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_RATE_LIMITED = Rule(
    code="LK0412",
    severity=Severity.WARNING,
    cause="op_rate_limited",
    title="1Password asks to slow down",
    message="{place} could not be read: {detail}",
    meaning="The quota of requests is used up for now.",
    why="External Secrets fails too until it is back, and each of its retries costs more quota.",
    remedy=(Remedy(text="wait; then read less often, or a whole item at once (`extract`)"),),
    hop=Hop.VAULT,
    rank=15,
)
VAULT_WRITE_REJECTED = Rule(
    code="LK0413",
    cause="op_write_rejected",
    title="the vault refuses to be written",
    message="the source's key could not be put into {place}: {detail}",
    meaning="The token may read the vault, and not write it.",
    why="The source's key cannot pass this hop.",
    remedy=(Remedy(text="give the token write access, or update both fields by hand"),),
    hop=Hop.VAULT,
    rank=14,
)
VAULT_MALFORMED = Rule(
    code="LK0414",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the vault's pair is malformed: {flaw}",
    message="in {place} {flaw}",
    meaning="The value has characters that no key has: most often a newline that was pasted.",
    why="It travels as it is, and the store refuses its signature.",
    remedy=(_HEAL,),
    hop=Hop.VAULT,
    rank=18,
)
VAULT_NOT_READABLE = Rule(
    code="LK0415",
    severity=Severity.INFO,
    title="this vault cannot be read from here",
    message="{place} can be neither read nor written by lokeys; source and Secret are compared",
    meaning="Not every vault has an API that lokeys may use.",
    why="When the key changes, the copy in the vault stays a step for a person.",
    remedy=(Remedy(text="when the source's key changes: copy both halves into the item"),),
    hop=Hop.VAULT,
    rank=60,
)
VAULT_ADDRESS_NOT_ALLOWED = Rule(
    code="LK0416",
    cause="address_not_allowed",
    title="the Connect token's owner has not allowed this address",
    message="the token in {place} is not sent to {url}: nobody who owns it has allowed that",
    meaning="A token goes only to the host of a SecretStore that names this very token, or to an "
    "address in the annotation `lokeys.dev/allowed-urls` on its Secret, by scheme, host and port.",
    why="Whoever may edit a StorageCredential could else send the token, and the key pair with it, "
    "to a server of their own.",
    remedy=(
        Remedy(
            text="if that is your Connect server, the token's owner allows it (the annotation "
            "takes a list, with commas between)",
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
    message="the token in {place} is not used for a route in namespace {reader}: its owner has not "
    "allowed that",
    meaning="A token in another namespace is used only if its Secret says so. Until then the item "
    "is neither read nor written; source and Secret are compared.",
    why="Otherwise whoever may create a StorageCredential could read and write all that the token "
    "opens.",
    remedy=(
        Remedy(
            text="the token's owner allows it (the annotation takes a list, with commas between)",
            command=command(
                "kubectl -n {namespace} annotate secret {name} --overwrite "
                "lokeys.dev/allowed-namespaces={reader}"
            ),
        ),
    ),
    hop=Hop.VAULT,
    rank=11,
)
