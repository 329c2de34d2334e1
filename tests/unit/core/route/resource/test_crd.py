# SPDX-License-Identifier: Apache-2.0
"""The definition that the API server gets."""

from typing import Any

from lokeys.core.route.resource.crd import crd

ROOT = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, child in schema.get("properties", {}).items():
        found += nodes(child, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            found += nodes(schema[name], f"{path}[]")
    return found


def test_every_field_is_described_and_bounded() -> None:
    """No text, list or table without a limit: status writes stay small and CEL rules cheap."""
    limits = {"array": "maxItems", "string": "maxLength"}
    for path, node in nodes(ROOT)[1:]:
        assert node.get("description") or path == ".metadata", path
        limit = limits.get(node["type"])
        if limit and not path.startswith((".apiVersion", ".kind")):
            assert limit in node or "enum" in node, path


def test_the_definition_is_a_copy() -> None:
    """Who changes the definition does not change the schema that manifests are judged by."""
    made = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    workload = made["spec"]["properties"]["workloads"]["items"]["properties"]
    workload["metrics"]["default"]["port"] = 1
    made["spec"]["properties"].clear()
    assert crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == ROOT
