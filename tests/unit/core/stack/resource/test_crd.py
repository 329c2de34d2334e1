# SPDX-License-Identifier: Apache-2.0
"""The definition of the LokiStack: every field described, and as open as the published one."""

from collections.abc import Iterator
from typing import Any

from lokeys.core.stack.resource.crd import crd

ROOT = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, below in node.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}")
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if word in node:
            yield from nodes(node[word], path + mark)


NODES = {path: node for part in ("spec", "status") for path, node in nodes(ROOT[part], part)}


def test_every_field_says_what_it_is_for() -> None:
    """`kubectl explain` has a line for each field."""
    named = [path for path in NODES if not path.endswith(("[]", "{}"))]
    assert len(named) > 300
    assert not [path for path in named if not NODES[path].get("description", "").strip()]


def test_choices_are_the_published_ones() -> None:
    """Sizes, modes, types and schemas are lists; what Kubernetes judges itself is left to it."""
    enums = {path: node["enum"] for path, node in NODES.items() if "enum" in node}
    assert enums["spec.size"] == ["1x.demo", "1x.pico", "1x.extra-small", "1x.small", "1x.medium"]
    assert enums["spec.storage.secret.credentialMode"] == ["static", "token", "token-cco"]
    assert enums["spec.storage.secret.type"] == ["azure", "gcs", "s3", "swift", "alibabacloud"]
    assert enums["spec.storage.schemas[].version"] == ["v11", "v12", "v13"]
    assert not [path for path in enums if path.endswith((".operator", ".effect"))]


def test_what_is_not_acted_on_is_kept_and_nothing_else_is_open() -> None:
    """Only fields that lokeys passes over keep what it does not know."""
    kept = {path for path, node in NODES.items() if "x-kubernetes-preserve-unknown-fields" in node}
    assert kept == {
        "spec.rules.namespaceSelector",
        "spec.rules.selector",
    }


def test_no_rule_is_stricter_than_the_published_definition() -> None:
    """Whatever else is wrong with a stack is said in its status, not refused at the door."""
    assert not [path for path, node in NODES.items() if "x-kubernetes-validations" in node]
    patterns = {path for path, node in NODES.items() if "pattern" in node}
    assert patterns == {
        "spec.storage.schemas[].effectiveDate",
        "status.storage.schemas[].effectiveDate",
        "status.conditions[].reason",
    }
