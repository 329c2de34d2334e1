# SPDX-License-Identifier: Apache-2.0
"""What a kustomization says of the files around it, by the fields of kustomize's reference."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.kustomize import (
    MAX_ENTRIES,
    PatchTarget,
    kustomization,
    target_of,
    tool_for,
)

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("content", "files", "inline"),
    [
        ({"patches": [{"path": "a.yaml"}]}, [("a.yaml", None)], []),
        (
            {"patches": [{"path": "a.yaml", "target": {"kind": "LokiStack"}}]},
            [("a.yaml", PatchTarget("LokiStack"))],
            [],
        ),
        (
            {"patches": [{"patch": "- op: add", "target": {"kind": "Secret", "name": "a.*"}}]},
            [],
            [("- op: add", PatchTarget("Secret"))],
        ),
        ({"patches": [{"patch": "kind: X", "target": 7}, {}, 7]}, [], [("kind: X", None)]),
        ({"patchesStrategicMerge": ["a.yaml"]}, [("a.yaml", None)], []),
        ({"patchesStrategicMerge": ["kind: X\n"]}, [], [("kind: X\n", None)]),
        (
            {"patchesJson6902": [{"path": "a.json", "target": {"kind": "Secret", "name": "a"}}]},
            [("a.json", PatchTarget("Secret", "a"))],
            [],
        ),
        ({"patches": "none"}, [], []),
    ],
    ids=[
        "a file that names what it changes",
        "a file and its target",
        "a text, and a pattern",
        "a text that names what it changes",
        "a strategic merge's file",
        "a strategic merge's text",
        "JSON patches of old",
        "no list",
    ],
)
def test_patches_are_files_or_texts(content: Json, files: Any, inline: Any) -> None:
    """Each with its target, where it says one."""
    found = kustomization(content)

    assert (list(found.patches), list(found.inline)) == (files, inline)


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ({"resources": ["a.yaml", "../base"], "namespace": "logs", "labels": [{}]}, False),
        ({"resources": ["https://example.com/a.yaml"]}, True),
        ({"resources": ["git@example.com:a/b"]}, True),
        ({"bases": ["github.com/a/b"]}, True),
        ({"namePrefix": "a-"}, True),
        ({"generators": ["ksops.yaml"]}, True),
        ({"helmCharts": [{"name": "loki"}]}, True),
        ({"components": ["../minio"]}, True),
        ({"configMapGenerator": [{"name": "ca"}]}, True),
    ],
)
def test_what_may_bring_more_is_told(content: Json, more: bool) -> None:
    """Objects that do not lie in a file of its resources, or that are called otherwise."""
    assert kustomization(content).more is more


@pytest.mark.parametrize(
    ("content", "tool"),
    [
        ({}, "kubectl kustomize"),
        ({"helmCharts": [{"name": "loki"}]}, "kubectl kustomize --enable-helm"),
        ({"generators": ["a"]}, "kustomize build --enable-alpha-plugins --enable-exec"),
    ],
    ids=["nothing", "a chart", "a plugin"],
)
def test_the_tool_is_one_that_builds_it(content: Json, tool: str) -> None:
    """Of all that is taken, the one that needs most."""
    assert tool_for([kustomization({}), kustomization(content)]) == tool


def test_files_that_are_no_objects_are_named() -> None:
    """Contents, values, and kustomize's own configuration."""
    content = {
        "configurations": ["a"],
        "generators": ["b"],
        "secretGenerator": [{"files": ["key=c", "d"], "envs": ["e"], "env": "f"}],
        "helmCharts": [{"valuesFile": "g", "additionalValuesFiles": ["h"]}],
        "replacements": [{"path": "i"}],
        "openapi": {"path": "j"},
    }

    assert set(kustomization(content).data) == set("abcdefghij")


def test_a_target_takes_what_it_says() -> None:
    """An empty kind or name is any."""
    patch = {"kind": "LokiStack", "metadata": {"name": "logs"}}

    assert target_of(patch).takes("LokiStack", "logs")
    assert not target_of(patch).takes("LokiStack", "other")
    assert not PatchTarget("Secret").takes("LokiStack", "logs")
    assert PatchTarget().takes("LokiStack", "logs")


def test_lists_are_bounded() -> None:
    """However long one is."""
    assert len(kustomization({"resources": ["a"] * 10 * MAX_ENTRIES}).resources) == MAX_ENTRIES


NAMES = ["resources", "patches", "path", "patch", "target", "secretGenerator", "files", "openapi"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "helmCharts", "name"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "helmCharts", "replacements"]), JSON, max_size=6))
def test_any_content_at_all_is_read(content: Json) -> None:
    """Nothing that anybody writes raises."""
    kustomization(content)
