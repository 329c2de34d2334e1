# SPDX-License-Identifier: Apache-2.0
"""`spec.template`: where the pods of each component run, in Kubernetes' own words."""

from __future__ import annotations

from dataclasses import replace

from lokeys.core.schema.language import Fields, Flag, Integer, ListOf, Text
from lokeys.core.stack.resource.fields.texts import label_key, labels, line, lines
from lokeys.core.stack.resource.model import Component

TEMPLATE_NAMES = {
    "compactor": Component.COMPACTOR,
    "distributor": Component.DISTRIBUTOR,
    "gateway": Component.GATEWAY,
    "indexGateway": Component.INDEX_GATEWAY,
    "ingester": Component.INGESTER,
    "querier": Component.QUERIER,
    "queryFrontend": Component.QUERY_FRONTEND,
    "ruler": Component.RULER,
}


def _choice(description: str, *choices: str) -> Text:
    """Return a choice that a pod's definition restricts, and the published one does not."""
    return Text(description, choices=choices, published={})


def _selector(description: str) -> Fields:
    expression = Fields(
        "",
        {
            "key": label_key("The label."),
            "operator": _choice("The comparison.", "In", "NotIn", "Exists", "DoesNotExist"),
            "values": lines("What it is compared with."),
        },
        required=("key", "operator"),
    )
    return Fields(
        description,
        {
            "matchLabels": labels("Labels and their values."),
            "matchExpressions": ListOf("Comparisons of labels.", expression),
        },
    )


_TERM = Fields(
    "",
    {
        "labelSelector": _selector("The pods' labels."),
        "namespaceSelector": _selector("The labels of their namespaces."),
        "namespaces": lines("Their namespaces."),
        "topologyKey": label_key("The label of nodes that says what is near."),
        "matchLabelKeys": lines("Labels whose values are the pod's own."),
        "mismatchLabelKeys": lines("Labels whose values are not the pod's own."),
    },
    required=("topologyKey",),
)
_WEIGHED = Fields(
    "",
    {
        "weight": Integer("How much it counts.", least=1, most=100, published={}),
        "podAffinityTerm": replace(_TERM, description="Which pods."),
    },
    required=("weight", "podAffinityTerm"),
)
_TOLERATION = Fields(
    "",
    {
        "key": label_key("The taint's key; any if left out."),
        "operator": _choice("How it is compared.", "Exists", "Equal", "Lt", "Gt"),
        "value": line("The taint's value."),
        "effect": _choice(
            "Of which effect; any if left out.", "NoSchedule", "PreferNoSchedule", "NoExecute"
        ),
        "tolerationSeconds": Integer("For how long.", bits=64),
    },
)
_PLACEMENT = {
    "replicas": Integer("How many pods, if not as many as the size says.", least=0, published={}),
    "nodeSelector": labels("Labels that a node must have."),
    "tolerations": ListOf("Taints of nodes that are borne.", _TOLERATION),
    "podAntiAffinity": Fields(
        "Which pods it keeps away from, as Kubernetes writes it.",
        {
            "requiredDuringSchedulingIgnoredDuringExecution": ListOf("What must hold.", _TERM),
            "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
                "What is better so.", _WEIGHED
            ),
        },
    ),
}
TEMPLATE = Fields(
    "Where the pods run, a component at a time.",
    {
        "useRequestsAsLimits": Flag("Whether limits equal requests."),
        **{
            name: Fields(f"The {component.value.replace('-', ' ')}.", _PLACEMENT)
            for name, component in TEMPLATE_NAMES.items()
        },
    },
)
