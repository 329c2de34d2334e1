# SPDX-License-Identifier: Apache-2.0
"""The definition that the API server gets."""

import re
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


def test_no_rule_names_a_field_by_a_word_that_cel_reserves() -> None:
    """Kubernetes 1.31 refuses the whole definition then; escaped, every version takes it."""
    reserved = r"in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace"
    rules = [
        rule["rule"] for _, node in nodes(ROOT) for rule in node.get("x-kubernetes-validations", ())
    ]
    assert any("__namespace__" in rule for rule in rules)
    assert [rule for rule in rules if re.search(rf"\.({reserved}|return|var|void)\b", rule)] == []
