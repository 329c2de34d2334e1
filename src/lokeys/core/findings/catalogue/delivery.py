# SPDX-License-Identifier: Apache-2.0
"""LK05xx: what can be wrong on the way from the vault into the Secret that Loki reads."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, Output, command

_HEAL = Remedy(
    text="let lokeys carry it on and prove it",
    command=command("lokeys heal -n {namespace} {name}"),
)

SECRET_BEHIND_VAULT = Rule(
    code="LK0501",
    cause="secret_behind_vault",
    title="the Secret is older than the vault",
    message="{place} still holds the key from before the vault changed",
    meaning="External Secrets reads at an interval; a change of the vault pushes nothing.",
    why="Until the next refresh, which may be an hour away, Loki is handed the old key.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=25,
)
SECRET_PAIR_TORN = Rule(
    code="LK0502",
    cause="secret_pair_torn",
    title="the Secret's id and secret belong to different keys",
    message="{place} holds the id of one key and the secret of another",
    meaning="External Secrets reads the two halves one after the other; the item changed between.",
    why="It says Ready, and stays torn until the next refresh.",
    remedy=(_HEAL, Remedy(text="`dataFrom.extract` reads the whole item at once")),
    hop=Hop.SECRET,
    rank=22,
)
SECRET_CANNOT_REFRESH = Rule(
    code="LK0503",
    cause="secret_cannot_refresh",
    title="the ExternalSecret never reads again",
    message="{place} says Ready and keeps the old key: {detail}",
    meaning="An interval of 0, refreshPolicy CreatedOnce or an immutable Secret end all refreshes.",
    why="No waiting and no annotation helps; the condition stays Ready.",
    remedy=(_HEAL, Remedy(text="{advice}")),
    hop=Hop.DELIVERY,
    rank=24,
)
ESO_STOPPED_BY_BAD_INTERVAL = Rule(
    code="LK0504",
    cause="eso_stopped_by_bad_interval",
    title="one bad interval stops every ExternalSecret in the cluster",
    message="{place} has a refreshInterval that does not parse ({detail}): External Secrets "
    "reads no ExternalSecret at all until it is gone",
    meaning="Go durations know h, m and s; a day is `24h`. The CRD accepts `1d` all the same.",
    why="The controller cannot decode its list of ExternalSecrets, so nothing refreshes.",
    remedy=(
        Remedy(
            text="write the interval in hours",
            command=command(
                "kubectl -n {es_namespace} patch externalsecret {es_name} --type merge -p",
                Json.of({"spec": {"refreshInterval": "24h"}}),
            ),
        ),
    ),
    hop=Hop.DELIVERY,
    rank=13,
)
ESO_STORE_NOT_READY = Rule(
    code="LK0505",
    cause="eso_store_not_ready",
    title="the SecretStore is not ready",
    message="{place} is not ready: {detail}",
    meaning="External Secrets could not validate the store, or its token was mended since and "
    "nobody looked again.",
    why="ExternalSecrets neither watch their store nor its token; they keep the old Secret.",
    remedy=(
        Remedy(
            text="once the store's token is right, make External Secrets look at the store again",
            command=command(
                "kubectl -n {store_namespace} annotate {store_kind} {store_name}",
                Output("date +%s", before="force-sync="),
                "--overwrite",
            ),
        ),
    ),
    hop=Hop.DELIVERY,
    rank=17,
)
ESO_TARGET_OWNED_BY_OTHER = Rule(
    code="LK0506",
    cause="eso_target_owned_by_other",
    title="another ExternalSecret owns the Secret",
    message="{place} belongs to {owner}; this route's ExternalSecret cannot write it",
    meaning="Two ExternalSecrets name one target; the first one keeps it.",
    why="What is written is the other one's content, whatever this one reads.",
    remedy=(Remedy(text="delete one of the two, or give each a target of its own"),),
    hop=Hop.DELIVERY,
    rank=16,
)
SECRET_MISSING = Rule(
    code="LK0507",
    cause="k8s_secret_missing",
    title="the Secret that Loki reads does not exist",
    message="{place} does not exist{detail}",
    meaning="Nothing has created it, or somebody deleted it.",
    why="A pod that needs it does not start.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=21,
)
DELIVERY_FAILS = Rule(
    code="LK0508",
    other_causes=(
        "eso_store_not_ready",
        "eso_target_owned_by_other",
        "op_connect_unreachable",
        "op_field_ambiguous",
        "op_field_not_found",
        "op_item_ambiguous",
        "op_item_not_found",
        "op_rate_limited",
        "op_token_lacks_vault_access",
    ),
    title="External Secrets cannot refresh the Secret",
    message="{place}: {detail}",
    meaning="The last refresh failed; the cause stands only in its Warning event.",
    why="The Secret keeps its old value for as long as that lasts.",
    remedy=(
        Remedy(
            text="read its events",
            command=command("kubectl -n {namespace} describe externalsecret {name_of_es}"),
        ),
    ),
    hop=Hop.DELIVERY,
    rank=23,
)
DELIVERY_MISSING = Rule(
    code="LK0509",
    cause="externalsecret_missing",
    title="the ExternalSecret does not exist",
    message="{place} does not exist, so nothing delivers the key",
    meaning="The route names an ExternalSecret that is not there.",
    why="The Secret is not refreshed by anything.",
    remedy=(Remedy(text="create it, or correct `spec.secret.externalSecret.name`"),),
    hop=Hop.DELIVERY,
    rank=15,
)
SECRET_MALFORMED = Rule(
    code="LK0510",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the Secret's pair is malformed: {flaw}",
    message="in {place} {flaw}",
    meaning="The value has characters that no key has: most often a newline from `echo`.",
    why="Loki signs with exactly these bytes, and the store refuses.",
    remedy=(Remedy(text="write the value again without it (`printf`, not `echo`)"),),
    hop=Hop.SECRET,
    rank=26,
)
SECRET_BLANK = Rule(
    code="LK0511",
    cause="vault_value_empty",
    title="the Secret was delivered with an empty value",
    message="in {place} {flaw}",
    meaning="An empty field, or a missing data key, came through as a success.",
    why="A Loki started with it finds no credentials.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=26,
)
SECRET_BEHIND_SOURCE = Rule(
    code="LK0512",
    cause="secret_behind_source",
    title="the Secret holds another key than the source",
    message="{place} does not hold the source's key{detail}",
    meaning="Between source and Secret something was not carried on; what lies between is not "
    "part of the route, or cannot be read.",
    why="Loki is handed a key that is not the source's.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=27,
)
CONFIG_BEHIND_VALUES = Rule(
    code="LK0515",
    cause="config_behind_values",
    title="Loki's configuration holds another key than the values it is rendered from",
    message="{place} does not hold the key that {values} holds now: {maker} has not rendered it",
    meaning="The chart writes the key into Loki's configuration. A change of the values is "
    "rendered at the next reconciliation only.",
    why="Loki reads the configuration, not the values.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=27,
)
SECRET_FIXED_BY_HAND = Rule(
    code="LK0513",
    severity=Severity.WARNING,
    cause="two_writers",
    title="somebody else writes the Secret",
    message="{place} changes back after each refresh: another writer is at work",
    meaning="The content differs from the vault's although it was delivered just now.",
    why="Two writers undo each other, and Loki reads whichever came last.",
    remedy=(
        Remedy(
            text="see who writes it",
            command=command(
                "kubectl -n {namespace} get secret {secret} "
                "-o jsonpath={{.metadata.managedFields[*].manager}}"
            ),
        ),
    ),
    hop=Hop.SECRET,
    rank=28,
)
SECRET_BLANKS_DROPPED = Rule(
    code="LK0514",
    severity=Severity.WARNING,
    cause="secret_trailing_newline",
    title="a newline that Loki does not sign with: {flaw}",
    message="in {place} {flaw}, and Loki's configuration drops it: the variable stands bare in "
    "its YAML",
    meaning="YAML takes blanks away around a value without quotes. In quotes, in an argument, or "
    "under the names that AWS's SDK looks for, the newline would be part of the key.",
    why="It works by luck: whatever else reads the Secret signs with the newline and is refused.",
    remedy=(Remedy(text="write the value again without it (`printf`, not `echo`)"),),
    hop=Hop.SECRET,
    rank=29,
)
