# SPDX-License-Identifier: Apache-2.0
"""LK05xx: what can be wrong on the way from the vault into the Secret that Loki reads."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, Output, command

_HEAL = Remedy(
    text="let lokeys deliver the key and prove that it works",
    command=command("lokeys heal -n {namespace} {name}"),
)

SECRET_BEHIND_VAULT = Rule(
    code="LK0501",
    cause="secret_behind_vault",
    title="the Secret is older than the vault",
    message="{place} still has the key from before the vault changed",
    meaning="External Secrets reads the vault at an interval; a change in the vault does not "
    "trigger a refresh.",
    why="Until the next refresh, which can take an hour, Loki gets the old key.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=25,
)
SECRET_PAIR_TORN = Rule(
    code="LK0502",
    cause="secret_pair_torn",
    title="the Secret's access key id and secret key belong to different keys",
    message="{place} holds the id of one key and the secret of another",
    meaning="External Secrets reads the two halves one after the other, and the item changed in "
    "between.",
    why="The ExternalSecret reports Ready, and the pair stays mixed until the next refresh.",
    remedy=(
        _HEAL,
        Remedy(text="to avoid this, use `dataFrom.extract`, which reads the whole item at once"),
    ),
    hop=Hop.SECRET,
    rank=22,
)
SECRET_CANNOT_REFRESH = Rule(
    code="LK0503",
    cause="secret_cannot_refresh",
    title="the ExternalSecret never refreshes",
    message="{place} reports Ready and keeps the old key: {detail}",
    meaning="An interval of 0, refreshPolicy CreatedOnce or an immutable Secret stops all "
    "refreshes.",
    why="Waiting or annotating does not help, and the condition stays Ready.",
    remedy=(_HEAL, Remedy(text="{advice}")),
    hop=Hop.DELIVERY,
    rank=24,
)
ESO_STOPPED_BY_BAD_INTERVAL = Rule(
    code="LK0504",
    cause="eso_stopped_by_bad_interval",
    title="one invalid interval stops every ExternalSecret in the cluster",
    message="{place} has a refreshInterval that cannot be parsed ({detail}): External Secrets "
    "reads no ExternalSecret at all until it is fixed",
    meaning="A Go duration has the units h, m and s; write a day as `24h`. The CRD nevertheless "
    "accepts `1d`.",
    why="The controller cannot decode its list of ExternalSecrets, so it refreshes none of them.",
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
    meaning="External Secrets could not validate the store, or its token has been fixed since and "
    "External Secrets has not checked the store again.",
    why="ExternalSecrets watch neither their store nor its token. They keep the old Secret.",
    remedy=(
        Remedy(
            text="when the store's token is right, make External Secrets check the store again",
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
    meaning="Two ExternalSecrets have the same target; the first one keeps it.",
    why="The Secret has the content of the other ExternalSecret, whatever this one reads.",
    remedy=(Remedy(text="delete one of the two, or give each its own target"),),
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
    meaning="The last refresh failed. Only its Warning event shows the cause.",
    why="The Secret keeps its old value until a refresh succeeds.",
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
    meaning="The route names an ExternalSecret that does not exist.",
    why="Nothing refreshes the Secret.",
    remedy=(Remedy(text="create it, or correct `spec.secret.externalSecret.name`"),),
    hop=Hop.DELIVERY,
    rank=15,
)
SECRET_MALFORMED = Rule(
    code="LK0510",
    cause="secret_trailing_newline",
    other_causes=("access_key_unknown", "secret_key_mismatch"),
    title="the Secret's key pair is malformed: {flaw}",
    message="in {place} {flaw}",
    meaning="The value has characters that keys never have, usually a newline from `echo`.",
    why="Loki signs with exactly these bytes, and the store refuses the signature.",
    remedy=(Remedy(text="write the value again without them (use `printf`, not `echo`)"),),
    hop=Hop.SECRET,
    rank=26,
)
SECRET_BLANK = Rule(
    code="LK0511",
    cause="vault_value_empty",
    title="an empty value was delivered to the Secret",
    message="in {place} {flaw}",
    meaning="An empty field or a missing data key was delivered and reported as success.",
    why="A Loki that starts with it has no credentials.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=26,
)
SECRET_BEHIND_SOURCE = Rule(
    code="LK0512",
    cause="secret_behind_source",
    title="the Secret has a different key than the source",
    message="{place} does not have the source's key{detail}",
    meaning="Something between the source and the Secret did not deliver the key. It is not part "
    "of the route, or it cannot be read.",
    why="Loki gets a key that is not the source's.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=27,
)
CONFIG_BEHIND_VALUES = Rule(
    code="LK0515",
    cause="config_behind_values",
    title="Loki's configuration has a different key than the values it is rendered from",
    message="{place} does not have the key that is now in {values}: {maker} has not rendered it "
    "yet",
    meaning="The chart writes the key into Loki's configuration. A change of the values is "
    "rendered only at the next reconciliation.",
    why="Loki reads the configuration, not the values.",
    remedy=(_HEAL,),
    hop=Hop.SECRET,
    rank=27,
)
SECRET_FIXED_BY_HAND = Rule(
    code="LK0513",
    severity=Severity.WARNING,
    cause="two_writers",
    title="something else writes the Secret",
    message="{place} changes back after each refresh: something else writes it, too",
    meaning="The content differs from the vault's, although it was delivered just now.",
    why="Two writers undo each other's changes, and Loki reads the value that was written last.",
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
    title="the Secret ends in a newline that Loki ignores: {flaw}",
    message="in {place} {flaw}, and Loki's configuration drops it: the variable is not quoted in "
    "its YAML",
    meaning="YAML removes whitespace around an unquoted value. In quotes, in an argument, or in "
    "the variables that AWS's SDK reads, the newline would be part of the key.",
    why="It works by luck: any other reader of the Secret signs with the newline and is refused.",
    remedy=(Remedy(text="write the value again without it (use `printf`, not `echo`)"),),
    hop=Hop.SECRET,
    rank=29,
)
