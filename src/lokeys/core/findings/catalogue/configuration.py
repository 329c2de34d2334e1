# SPDX-License-Identifier: Apache-2.0
"""LK09xx: how Loki itself was configured, found before any key is doubted."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

NOT_EXPANDED = Rule(
    code="LK0901",
    cause="env_not_expanded",
    title="a variable is not expanded",
    message="{workloads}: {fields}, and {why}",
    meaning="Loki expands `${NAME}` only with -config.expand-env=true, and only in its "
    "configuration file. In arguments only `$(NAME)` is expanded, by Kubernetes.",
    why="The text itself is used as the key, the bucket or the address. The key is not the "
    "problem.",
    remedy=(
        Remedy(
            text="add `-config.expand-env=true` to the arguments of each component (in the chart "
            "`extraArgs` of `write`, `read` and `backend`, or of `singleBinary`)"
        ),
        Remedy(
            text="with `-config.expand-env=true`, write `${{NAME}}` in the configuration, with "
            "one dollar sign and braces"
        ),
        Remedy(text="in arguments write `$(NAME)`, and give the container a variable of that name"),
    ),
    hop=Hop.PODS,
    rank=2,
)
NOT_SET = Rule(
    code="LK0902",
    cause="env_variable_missing",
    title="environment variables that the configuration uses are missing",
    message="{workloads}: the configuration uses {names}, but the container has no such "
    "variable{others}",
    meaning="A variable that is not set is replaced with nothing: no key, no bucket or no "
    "address. Charts set variables for each component separately.",
    why="Requests are sent without a key, or the component exits at start.",
    remedy=(
        Remedy(
            text="give the container the same `env` or `envFrom` as the components that have them "
            "(in the chart `extraEnvFrom` of each component)"
        ),
        Remedy(text="or remove the variables from the configuration, if no component has them"),
    ),
    hop=Hop.PODS,
    rank=2,
)
NOT_EXPANDABLE = Rule(
    code="LK0903",
    cause="env_expansion_fails",
    title="the configuration has an expression that Loki cannot expand",
    message="{workloads}: `{expression}` on line {line} of {file} is not a variable that "
    "-config.expand-env can expand",
    meaning="A variable's name has letters, digits and `_`; a default follows `:-`. Comments are "
    "expanded, too. Kubernetes allows variable names that Loki cannot read.",
    why="Loki exits at start; a running pod continues until its next start.",
    remedy=(
        Remedy(
            text="use only letters, digits and `_` in the variable's name, write a default as "
            "`${{NAME:-default}}`, and write a literal dollar sign as `$$`"
        ),
    ),
    hop=Hop.PODS,
    rank=1,
)
HALF_A_PAIR = Rule(
    code="LK0904",
    cause="half_a_pair",
    title="the configuration has only half of a key pair",
    message="{workloads}: one of access_key_id and secret_access_key is set, and the other is "
    "empty",
    meaning="The client needs both or neither.",
    why="Loki exits at start.",
    remedy=(Remedy(text="set both, or remove both to use an identity without a key"),),
    hop=Hop.PODS,
    rank=2,
)
ROLE_SHADOWED = Rule(
    code="LK0905",
    severity=Severity.WARNING,
    cause="static_keys_shadow_role",
    title="a static key is used instead of the role",
    message="{workloads}: {account} sets {identity}, but a key pair comes from {pair}",
    meaning="A key pair takes precedence over a role.",
    why="When the key stops working, so do the requests, and nobody expects a key where a role is "
    "set.",
    remedy=(Remedy(text="remove the key pair or the role, whichever is not intended"),),
    hop=Hop.PODS,
    rank=40,
)
EXCHANGE_MISDIRECTED = Rule(
    code="LK0906",
    cause="sts_sent_to_storage_endpoint",
    title="the token exchange is sent to the storage endpoint",
    message="{workloads}: {account} sets {identity}, and Loki {version} requests its credentials "
    "at the configured endpoint, {endpoint}, which is not STS",
    meaning="Before version 3.6, Loki's AWS client uses the configured endpoint for everything, "
    "including STS.",
    why="The store answers 405, and Loki has no credentials.",
    remedy=(
        Remedy(text="remove `endpoint` and set `region`: the client knows AWS's addresses"),
        Remedy(text="or upgrade Loki to 3.6 or later, where the endpoint is used only for S3"),
    ),
    hop=Hop.PODS,
    rank=3,
)
RULERS_OWN_PAIR = Rule(
    code="LK0908",
    severity=Severity.INFO,
    title="the ruler reads its rules with a separate key pair",
    message="{workloads}: the key pair of the ruler's own store comes from {pair}; the one for "
    "chunks and index from {chunks}{values}. lokeys only compares the ruler's pair: it is not "
    "tested, and `lokeys heal` does not replace it",
    meaning="`ruler.storage` (with the newer client `ruler_storage`) configures a separate store. "
    "If anything is set there, nothing of `common.storage` applies to it.",
    why="When the key for chunks and index is replaced, this one is not: alerts stop, although "
    "log lines are written.",
    remedy=(
        Remedy(
            text="if both are for the same user, use the same variables for both, or remove the "
            "ruler's store: Loki then uses `common.storage`"
        ),
    ),
    hop=Hop.PODS,
    rank=46,
)
KEY_IN_CLEAR = Rule(
    code="LK0907",
    severity=Severity.WARNING,
    title="the key pair is in plain text",
    message="{workloads}: the key pair is in plain text in {pair}",
    meaning="A ConfigMap and a workload's manifest can be read by many who cannot read Secrets, "
    "and are in backups and in Git.",
    why="Anyone who reads it can read and delete all logs.",
    remedy=(
        Remedy(
            text="keep the pair in a Secret, use `${{NAME}}` in the configuration, and start Loki "
            "with -config.expand-env=true; then create a new key, because this one may have been "
            "seen"
        ),
        Remedy(
            text="see what is configured",
            command=command("kubectl -n {namespace} get {kind} {name}"),
        ),
    ),
    hop=Hop.PODS,
    rank=45,
)
