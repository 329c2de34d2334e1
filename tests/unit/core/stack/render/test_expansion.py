# SPDX-License-Identifier: Apache-2.0
"""Texts survive the expansion of variables that Loki's configuration goes through before YAML."""

import re
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.stack.render.expansion import expandable, from_environment
from lokeys.core.text.yaml import to_yaml

EXPANDED = re.compile(r"\\([\\/])|\$(\$)|\$\{(\w+)\}")
TEXTS = st.text(st.sampled_from("\\/$\"'`{}NAME#: \n\tnéß√😀\x07\u2028"), max_size=20)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def read(text: str, **variables: str) -> Any:
    """Return what Loki reads: the expansion is that of drone/envsubst, as far as we use it."""
    text = EXPANDED.sub(lambda m: variables[m[3]] if m[3] else m[1] or m[2], text)
    return yaml.load(text, Loader=yaml.CSafeLoader)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_whatever_is_written_is_read(value: dict[str, Any]) -> None:
    """Backslashes, dollars, quotes and signs of all alphabets, in keys and values, at any depth."""
    assert read(to_yaml(expandable(value))) == value


def test_variables_are_left_to_loki() -> None:
    """And a dollar beside one is a dollar."""
    value = {"key": from_environment("KEY"), "text": "${KEY}$$\\\\"}
    assert read(to_yaml(expandable(value)), KEY="'\"x: #") == {
        "key": "'\"x: #",
        "text": "${KEY}$$\\\\",
    }


def test_tuples_are_read_as_lists() -> None:
    """YAML has no other."""
    assert read(to_yaml(expandable({"a": ("b\\", 1)}))) == {"a": ["b\\", 1]}
