# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinition of the LokiStack, made from the fields that lokeys reads.

It accepts every manifest that the published definition accepts: lists of choices, defaults and
bounds are the published ones and no more. Everything else that lokeys objects to is reported in the
status, as in `lokeys validate`. So there are no rules in CEL: each would refuse what others accept.
What lokeys does not use is kept as it is written.
"""

from __future__ import annotations

from typing import Any

from lokeys.core.schema.definition import Definition, definition
from lokeys.core.schema.language import Fields, Integer, ListOf, MapOf, Text
from lokeys.core.stack.resource.fields.spec import RULE_SETS, SCHEMA, SPEC
from lokeys.core.stack.resource.fields.template import TEMPLATE_NAMES
from lokeys.core.stack.resource.model import API_VERSION, KIND
from lokeys.core.stack.storage.model import CredentialMode

GROUP, VERSION = API_VERSION.split("/")
_READY = '.status.conditions[?(@.type=="Ready")]'

_CONDITION = Fields(
    "",
    {
        "type": Text("Which question.", at_most=316),
        "status": Text("The answer.", choices=("True", "False", "Unknown")),
        "observedGeneration": Integer("For which generation of the spec.", bits=64, least=0),
        "lastTransitionTime": Text("Since when.", published={"format": "date-time"}),
        "reason": Text(
            "Why, in one word.",
            at_least=1,
            at_most=1024,
            pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        ),
        "message": Text("Why, for people.", at_most=32768),
    },
    required=("type", "status", "lastTransitionTime", "reason", "message"),
)
_STORAGE = Fields(
    "The storage in use.",
    {
        "schemas": ListOf("The schemas that are applied.", SCHEMA),
        "credentialMode": Text("How Loki proves who it is.", choices=tuple(CredentialMode)),
    },
)
_NETWORK = Fields(
    "What is applied of networkPolicies.",
    {
        "ruleSet": Text("The rule set.", choices=RULE_SETS),
        "objectStorageAllowedEgressPorts": ListOf(
            "The ports on which Loki may reach its store.", Integer("")
        ),
    },
)
_STATUS = Fields(
    "What is.",
    {
        "conditions": ListOf(
            "The stack in a few answers; Ready is the one to wait for.", _CONDITION, keys=("type",)
        ),
        "components": Fields(
            "The pods of each component, by the state they are in.",
            {
                name: MapOf(f"The {component.value.replace('-', ' ')}'s.", ListOf("", Text("")))
                for name, component in TEMPLATE_NAMES.items()
            },
        ),
        "storage": _STORAGE,
        "networkPolicyStatus": _NETWORK,
    },
)
RESOURCE = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="lokistacks",
    categories=("logging",),
    columns=(
        {"name": "Size", "type": "string", "jsonPath": ".spec.size"},
        {"name": "Mode", "type": "string", "jsonPath": ".status.storage.credentialMode"},
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
    ),
    root=Fields(
        "A Loki, its storage, and the credentials with which it gets there.",
        {
            "apiVersion": Text(""),
            "kind": Text(""),
            "metadata": Fields("", {}, open=True),
            "spec": SPEC,
            "status": _STATUS,
        },
    ),
    order=(
        *("description", "type", "format", "enum", "properties", "items"),
        *("required", "default", "maxLength"),
    ),
)


def crd() -> dict[str, Any]:
    """Return the definition as the API server accepts it."""
    return definition(RESOURCE)
