# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinition, made from the schema."""

from __future__ import annotations

from typing import Any

from lokeys.core.route.resource.schema import GROUP, KIND, PLURAL, ROOT, VERSION
from lokeys.core.schema.definition import Definition, definition

_READY = '.status.conditions[?(@.type=="Ready")]'

RESOURCE = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural=PLURAL,
    short_names=("scred",),
    categories=("lokeys",),
    columns=(
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
        {
            "name": "Broken hop",
            "type": "string",
            "jsonPath": ".status.hops[?(@.agrees==false)].name",
        },
        {"name": "Bridged until", "type": "string", "jsonPath": ".status.bridge.until"},
        {"name": "Verified", "type": "date", "jsonPath": ".status.lastVerified.time"},
        {"name": "Age-of-key", "type": "date", "jsonPath": ".status.keySince"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Next step", "type": "string", "jsonPath": ".status.nextStep", "priority": 1},
    ),
    root=ROOT,
    order=("type", "description", "default", "x-kubernetes-validations"),
)

DEFINITION = f"{PLURAL}.{GROUP}"
"""The name of the definition itself."""


def crd() -> dict[str, Any]:
    """Return the definition as the API server accepts it."""
    return definition(RESOURCE)
