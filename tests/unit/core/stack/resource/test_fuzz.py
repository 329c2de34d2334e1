# SPDX-License-Identifier: Apache-2.0
"""Every field of the tables with every type of JSON: a finding with its path, or a stack."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.findings.finding import Finding
from lokeys.core.schema.language import Anything, Fields, ListOf, MapOf, Shape
from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.resource.fields.spec import DOCUMENT
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.fields import KEYS
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.text.yaml import documents
from manifests.lokistack import NOW, Choice
from unit.core.stack.storage.secrets import SECRET, STACK

STORAGE = Choice().read()[1]
PLAIN = Choice().manifest
JSON: list[Any] = [True, 0, -1, 1.5, 10**30, "", "x", "1x.small", "\ud800\x00", [], [None], [[]]]
JSON += [{}, {"a": 1}, [{}], [{"name": 1}]]
Path = tuple[str | int, ...]


def paths(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """Yield the path of every field that the tables know, with its shape."""
    yield path, shape
    match shape:
        case Fields():
            for name, inner in shape.fields.items():
                yield from paths(inner, (*path, name))
        case MapOf():
            yield from paths(shape.item, (*path, "any"))
        case ListOf():
            yield from paths(shape.item, (*path, 0))


FIELDS = [(path, shape) for path, shape in paths(DOCUMENT) if path]


def changed(path: Path, value: Any) -> dict[str, Any]:
    """Return a sound manifest with `value` at `path`, and what must stand around it."""
    root: list[Any] = [copy.deepcopy(PLAIN)]
    node: Any = root
    for key, following in zip((0, *path), path, strict=False):
        fresh: Any = [None] if isinstance(following, int) else {}
        inner = node.get(key) if isinstance(node, dict) else node[key]
        if not isinstance(inner, type(fresh)) or inner == []:
            node[key] = inner = fresh
        node = inner
    node[path[-1]] = value
    manifest: dict[str, Any] = root[0]
    return manifest


def shown(path: Path) -> str:
    """Return a path as findings write it."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


@pytest.mark.parametrize("value", JSON, ids=lambda value: ascii(value)[:20])
def test_any_type_in_any_field_is_told_with_its_path(value: Any) -> None:
    """What does not fit is an error there or below; what fits is rendered."""
    assert len(FIELDS) > 300
    for path, shape in FIELDS:
        stack, findings = parse(changed(path, value))
        errors = [finding for finding in findings if finding.is_error]
        if isinstance(value, dict | list) and not isinstance(shape, ListOf | MapOf | Fields):
            known = isinstance(shape, Anything)
            assert known or _tells(errors, path), path
        if stack is None:
            assert errors, path
            continue
        assert not errors
        assert documents(render(stack, STORAGE, options=RenderOptions(now=NOW))), path


def _tells(errors: list[Finding], path: Path) -> bool:
    return any((finding.field or "").startswith(shown(path)) for finding in errors)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "days", "key", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(FIELDS), json_values), min_size=1, max_size=4))
def test_several_fields_at_once(changes: list[tuple[tuple[Path, Shape], Any]]) -> None:
    """Faults of one hide none of another, and what is left is rendered."""
    manifest = PLAIN
    for (path, _), value in changes:
        top = str(path[0])
        manifest = {**manifest, top: changed(path, value)[top]}
    stack, findings = parse(manifest)
    assert (stack is None) == any(finding.is_error for finding in findings)
    if stack is not None:
        documents(render(stack, STORAGE, options=RenderOptions(now=NOW)))


@pytest.mark.parametrize("part", ["data", "stringData"])
@pytest.mark.parametrize("key", sorted({name for keys in KEYS.values() for name in keys.known}))
def test_any_type_in_any_key_of_a_secret(part: str, key: str) -> None:
    """A value that is no text is an error at that key; a null is as if it were not there."""
    for value in (None, *JSON):
        read = secret_data({part: {key: value}}, ref=SECRET, stack=STACK)
        told = [finding.field for finding in read.findings if finding.is_error]
        if value is None:
            assert not told
        elif not isinstance(value, str):
            assert told == [f"{part}.{key}"]
            assert key in read.data.spoilt
        else:
            assert told in ([], [key])
