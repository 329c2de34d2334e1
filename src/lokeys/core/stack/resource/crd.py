# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinition of the LokiStack, made from the fields that lokeys reads.

It takes every manifest that the published definition takes: lists of choices, defaults and bounds
are the published ones and no more, and whatever else lokeys holds against a manifest it says in
the status, as `lokeys validate` does. So there are no rules in CEL: none could be added without
refusing what others accept. What lokeys does not act on is kept as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.core.stack.resource.fields import SCHEMA, SPEC, TEMPLATE_NAMES
from lokeys.core.stack.resource.model import API_VERSION, KIND, USUAL_TENANCY
from lokeys.core.stack.resource.shapes import (
    INT32,
    Fields,
    Flag,
    Integer,
    ListOf,
    MapOf,
    Shape,
    Text,
)
from lokeys.core.stack.resource.words import words_for
from lokeys.core.stack.storage.model import CredentialMode, StorageType

GROUP, VERSION = API_VERSION.split("/")
PLURAL = "lokistacks"
Node = dict[str, Any]

_READY = '.status.conditions[?(@.type=="Ready")]'
COLUMNS: tuple[Node, ...] = (
    {"name": "Size", "type": "string", "jsonPath": ".spec.size"},
    {"name": "Mode", "type": "string", "jsonPath": ".status.storage.credentialMode"},
    {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
    {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
)

_RULE_SETS = ("None", "RestrictIngressEgress")
_DATE_FORM = "^([0-9]{4,})([-]([0-9]{2})){2}$"
_CONDITION = Fields(
    fields={
        "type": Text(),
        "status": Text(choices=("True", "False", "Unknown")),
        "observedGeneration": Integer(least=0, most=2**63 - 1),
        "lastTransitionTime": Text(),
        "reason": Text(),
        "message": Text(),
    },
    required=("type", "status", "lastTransitionTime", "reason", "message"),
)
STATUS = Fields(
    fields={
        "conditions": ListOf(item=_CONDITION),
        "components": Fields(fields=dict.fromkeys(TEMPLATE_NAMES, MapOf(item=ListOf(item=Text())))),
        "storage": Fields(
            fields={
                "schemas": ListOf(item=SCHEMA),
                "credentialMode": Text(choices=tuple(CredentialMode)),
            }
        ),
        "networkPolicyStatus": Fields(
            fields={
                "ruleSet": Text(choices=_RULE_SETS),
                "objectStorageAllowedEgressPorts": ListOf(item=Integer()),
            }
        ),
    }
)

_PUBLISHED: dict[str, Node] = {
    "spec.managementState": {"default": "Managed"},
    "spec.hashRing.type": {"default": "memberlist"},
    "spec.replication.factor": {"minimum": 1},
    "spec.replication.zones[].maxSkew": {"default": 1},
    "spec.replicationFactor": {"minimum": 1},
    "spec.storage.schemas": {
        "default": [{"effectiveDate": "2020-10-11", "version": "v11"}],
        "minItems": 1,
    },
    "spec.storage.schemas[].effectiveDate": {"pattern": _DATE_FORM},
    "spec.storage.secret.type": {"enum": [kind.value for kind in StorageType]},
    "spec.storage.secret.credentialMode": {"enum": [mode.value for mode in CredentialMode]},
    "spec.tenants": {"required": ["mode"]},  # which its default then fulfils
    "spec.tenants.mode": {"default": USUAL_TENANCY.value},
    "status.conditions": {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    },
    "status.conditions[].lastTransitionTime": {"format": "date-time"},
    "status.conditions[].message": {"maxLength": 32768},
    "status.conditions[].observedGeneration": {"minimum": 0},
    "status.conditions[].reason": {
        "maxLength": 1024,
        "minLength": 1,
        "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    },
    "status.conditions[].type": {"maxLength": 316},
    "status.storage.schemas[].effectiveDate": {"pattern": _DATE_FORM},
}
"""Defaults and bounds of the published definition, by path."""

_EVERYWHERE: dict[str, Node] = {
    "queries.queryTimeout": {"default": "3m"},
    "queries.blocked[]": {"minProperties": 1},
    "retention.days": {"minimum": 1},
    "streams[].days": {"minimum": 1},
    "streams[].priority": {"default": 1},
}
"""The same for what stands below the limits of all tenants and of each."""

_ANY_TEXT = ("matchExpressions[].operator", "tolerations[].effect", "tolerations[].operator")
"""Kubernetes' own choices, which its definition of a pod judges and the published one does not."""


def crd() -> Node:
    """Return the definition as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "categories": ["logging"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root()},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(column) for column in COLUMNS],
                }
            ],
        },
    }


def _root() -> Node:
    return {
        "type": "object",
        "description": "A Loki, its storage, and the credentials with which it gets there.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _described(SPEC, "spec"),
            "status": _described(STATUS, "status"),
        },
    }


def _described(shape: Shape, path: str) -> Node:
    return {"description": words_for(path), **_node(shape, path)}


def _node(shape: Shape, path: str) -> Node:
    bounds = _PUBLISHED.get(path, {}) | _EVERYWHERE.get(_last_two(path), {})
    return _form(shape, path) | bounds


def _form(shape: Shape, path: str) -> Node:
    match shape:
        case Fields():
            return _object(shape, path)
        case MapOf():
            return {"type": "object", "additionalProperties": _node(shape.item, f"{path}{{}}")}
        case ListOf():
            return {"type": "array", "items": _node(shape.item, f"{path}[]")}
        case Text():
            judged = shape.choices and _last_two(path) not in _ANY_TEXT
            return {"type": "string"} | ({"enum": [*map(str, shape.choices)]} if judged else {})
        case Integer():
            wide = shape.most > INT32[1]
            return {"type": "integer", "format": "int64" if wide else "int32"}
        case Flag():
            return {"type": "boolean"}
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _object(shape: Fields, path: str) -> Node:
    below: Mapping[str, Shape] = shape.fields
    node: Node = {
        "type": "object",
        "properties": {name: _described(each, f"{path}.{name}") for name, each in below.items()},
    }
    return node | ({"required": [*shape.required]} if shape.required else {})


def _last_two(path: str) -> str:
    return ".".join(path.split(".")[-2:])
