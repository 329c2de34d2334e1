# SPDX-License-Identifier: Apache-2.0
"""LK09xx: how Loki itself was configured, found before any key is doubted."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

NOT_EXPANDED = Rule(
    code="LK0901",
    cause="env_not_expanded",
    title="a variable reaches the store as it is written",
    message="{workloads}: {fields}, and {why}",
    meaning="Loki fills `${NAME}` in only with -config.expand-env=true, and in its configuration "
    "file only; arguments know `$(NAME)` alone, which Kubernetes fills in.",
    why="The text itself is taken for the key, the bucket or the address; the key is fine.",
    remedy=(
        Remedy(
            text="add `-config.expand-env=true` to the arguments of each component (in the chart "
            "`extraArgs` of `write`, `read` and `backend`, or of `singleBinary`)"
        ),
        Remedy(
            text="write `${{NAME}}` in the configuration, with one dollar sign and braces, where "
            "the arguments have `-config.expand-env=true`"
        ),
        Remedy(text="write `$(NAME)` in arguments, and give the container a variable of that name"),
    ),
    hop=Hop.PODS,
    rank=2,
)
NOT_SET = Rule(
    code="LK0902",
    cause="env_variable_missing",
    title="the container lacks variables that its configuration names",
    message="{workloads}: the configuration names {names}, and the container has no such "
    "variable{others}",
    meaning="A variable that is not set is filled in as nothing: no key, no bucket or no address. "
    "Charts take variables for each component by itself.",
    why="Requests go out without a key, or the component ends at its start.",
    remedy=(
        Remedy(
            text="give the container the same `env` or `envFrom` as the components that have them "
            "(in the chart `extraEnvFrom` of each component)"
        ),
        Remedy(text="or take the variables out of the configuration, if none has them"),
    ),
    hop=Hop.PODS,
    rank=2,
)
NOT_EXPANDABLE = Rule(
    code="LK0903",
    cause="env_expansion_fails",
    title="the configuration holds an expression that Loki cannot read",
    message="{workloads}: `{expression}` on line {line} of {file} is no variable that "
    "-config.expand-env can read",
    meaning="A name is of letters, digits and `_`, and a default stands after `:-`. Comments are "
    "read, too. Kubernetes allows variables whose names Loki cannot read.",
    why="Loki ends before it starts; a pod that runs goes on until its next start.",
    remedy=(
        Remedy(
            text="name the variable with letters, digits and `_` alone, write a default as "
            "`${{NAME:-default}}`, and a dollar sign that is meant as `$$`"
        ),
    ),
    hop=Hop.PODS,
    rank=1,
)
HALF_A_PAIR = Rule(
    code="LK0904",
    cause="half_a_pair",
    title="the configuration gives half a key pair",
    message="{workloads}: one of access_key_id and secret_access_key is set, and the other is "
    "empty",
    meaning="The client takes both, or neither.",
    why="Loki ends at its start.",
    remedy=(Remedy(text="set both, or leave both out for an identity without a key"),),
    hop=Hop.PODS,
    rank=2,
)
ROLE_SHADOWED = Rule(
    code="LK0905",
    severity=Severity.WARNING,
    cause="static_keys_shadow_role",
    title="a static key is used, and not the role",
    message="{workloads}: {identity} is set by {account}, and a key pair comes from {pair}",
    meaning="A pair of keys counts before a role.",
    why="When the key ends, so do the requests; nobody looks for it where a role is set.",
    remedy=(Remedy(text="remove the key pair, or the role, whichever is not meant"),),
    hop=Hop.PODS,
    rank=40,
)
EXCHANGE_MISDIRECTED = Rule(
    code="LK0906",
    cause="sts_sent_to_storage_endpoint",
    title="the token exchange is sent to the storage endpoint",
    message="{workloads}: {identity} is set by {account}, and Loki {version} asks for its "
    "credentials at the endpoint that is set, {endpoint}, which is not STS",
    meaning="Before 3.6 one endpoint is set for all that Loki's AWS client asks, STS included.",
    why="The store answers 405, and Loki has no credentials.",
    remedy=(
        Remedy(text="leave `endpoint` out and set `region`: the client knows AWS's addresses"),
        Remedy(text="or upgrade Loki to 3.6 or later, in which an endpoint is for S3 alone"),
    ),
    hop=Hop.PODS,
    rank=3,
)
RULERS_OWN_PAIR = Rule(
    code="LK0908",
    severity=Severity.INFO,
    title="the ruler reads its rules with a key pair of its own",
    message="{workloads}: the ruler's own store has its pair from {pair}; chunks and index have "
    "theirs from {chunks}{values}. The ruler's pair is only compared: it is not tried, and `lokeys "
    "heal` does not replace it",
    meaning="`ruler.storage` (with the newer client `ruler_storage`) is a store of its own. Once "
    "anything is set there, nothing of `common.storage` counts for it.",
    why="A key that is replaced for chunks and index is not replaced there: then alerts stop, "
    "although lines are written.",
    remedy=(
        Remedy(
            text="if both mean one user, let both name the same variables, or leave the ruler's "
            "store out: Loki then takes `common.storage` for it"
        ),
    ),
    hop=Hop.PODS,
    rank=46,
)
KEY_IN_CLEAR = Rule(
    code="LK0907",
    severity=Severity.WARNING,
    title="the key pair stands in clear",
    message="{workloads}: the key pair stands in {pair}, in clear",
    meaning="A ConfigMap and a workload's manifest can be read by many who may read no Secret, and "
    "stand in backups and in Git.",
    why="Whoever reads it can read and delete all logs.",
    remedy=(
        Remedy(
            text="keep the pair in a Secret, name it `${{NAME}}` in the configuration, and start "
            "Loki with -config.expand-env=true; then make a new key, as this one was seen"
        ),
        Remedy(
            text="see what is configured",
            command=command("kubectl -n {namespace} get {kind} {name}"),
        ),
    ),
    hop=Hop.PODS,
    rank=45,
)
