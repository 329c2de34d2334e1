# SPDX-License-Identifier: Apache-2.0
"""CustomResourceDefinitions, as the API server accepts them, made from a schema."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lokeys.core.schema.language import Fields, Flag, Integer, ListOf, MapOf, Shape, Text

Node = dict[str, Any]
"""One node of structural OpenAPI v3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A custom resource: its names, what `kubectl get` shows of it, and its fields.

    `order` are the keys that come first in each node of its definition; readers of a file with
    thousands of lines look for them there.
    """

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...]
    columns: tuple[Mapping[str, Any], ...]
    root: Fields
    order: tuple[str, ...]


def definition(resource: Definition) -> Node:
    """Return the definition of a resource."""
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [*resource.short_names],
        "categories": [*resource.categories],
    }
    # The root is not a field: its type comes first.
    root = {"type": "object", **node(resource.root, resource.order)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {word: each for word, each in names.items() if each},
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(column) for column in resource.columns],
                }
            ],
        },
    }


def node(shape: Shape, order: tuple[str, ...] = ()) -> Node:
    """Return one shape, and all below it, as OpenAPI; the keys in `order` come first."""
    said = {
        "description": shape.description or None,
        **_form(shape, order),
        "default": deepcopy(shape.default),
        "x-kubernetes-validations": [
            {"rule": rule.cel, "message": rule.message} for rule in shape.rules
        ]
        or None,
        **(_bounds(shape) if shape.published is None else shape.published),
    }
    first = {word: said[word] for word in order if word in said}
    return {word: each for word, each in (first | said).items() if each is not None}


def _form(shape: Shape, order: tuple[str, ...]) -> Node:
    match shape:
        case Fields():
            below = {name: node(each, order) for name, each in shape.fields.items()}
            return {"type": "object", "properties": below or None}
        case MapOf():
            return {"type": "object", "additionalProperties": node(shape.item, order)}
        case ListOf():
            return {"type": "array", "items": node(shape.item, order)}
        case Text():
            return {"type": "string"}
        case Integer():
            return {"type": "integer", "format": f"int{shape.bits}"}
        case Flag():
            return {"type": "boolean"}
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _bounds(shape: Shape) -> Node:
    match shape:
        case Fields():
            return {"required": [*shape.required] or None}
        case MapOf():
            return {"maxProperties": shape.at_most}
        case ListOf():
            return {"maxItems": shape.at_most, **_identity(shape.keys)}
        case Text():
            return {
                "enum": [*map(str, shape.choices)] or None,
                "minLength": shape.at_least,
                "maxLength": shape.at_most,
                "pattern": shape.pattern,
            }
        case Integer():
            return {"minimum": shape.least, "maximum": shape.most}
    return {}


def _identity(keys: tuple[str, ...] | None) -> Node:
    if keys is None:
        return {}
    if not keys:
        return {"x-kubernetes-list-type": "atomic"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [*keys]}
