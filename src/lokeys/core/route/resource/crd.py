# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinition, made from the schema."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from lokeys.core.route.resource.schema import GROUP, KIND, PLURAL, ROOT, VERSION

_READY = '.status.conditions[?(@.type=="Ready")]'

COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
    {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
    {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
    {"name": "Broken hop", "type": "string", "jsonPath": ".status.hops[?(@.agrees==false)].name"},
    {"name": "Verified", "type": "date", "jsonPath": ".status.lastVerified.time"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Next step", "type": "string", "jsonPath": ".status.nextStep", "priority": 1},
)


def crd() -> dict[str, Any]:
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
                "shortNames": ["scred"],
                "categories": ["lokeys"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": deepcopy(ROOT)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(column) for column in COLUMNS],
                }
            ],
        },
    }
