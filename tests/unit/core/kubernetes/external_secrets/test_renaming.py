# SPDX-License-Identifier: Apache-2.0
"""What a field of the store is called in External Secrets, and the way back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.external_secrets.renaming import (
    Renaming,
    Unknown,
    delivered_names,
    renaming_of,
)
from lokeys.core.kubernetes.external_secrets.template import NotFollowed

LABELS = ("access key id", "access_key", "loki/id")


def renaming(*rewrite: dict[str, Any], **extract: str) -> Renaming:
    """Return what an entry of `dataFrom` does to names."""
    found = renaming_of({"extract": {"key": "loki", **extract}, "rewrite": list(rewrite)})
    assert isinstance(found, Renaming), found
    return found


def regexp(source: str, target: str) -> dict[str, Any]:
    """Return a rewrite by an expression."""
    return {"regexp": {"source": source, "target": target}}


def transform(template: str) -> dict[str, Any]:
    """Return a rewrite by a template."""
    return {"transform": {"template": template}}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({}, ("access_key_id", "access_key", "loki_id")),
        ({"conversionStrategy": "Default"}, ("access_key_id", "access_key", "loki_id")),
        (
            {"conversionStrategy": "Unicode"},
            ("access_U0020_key_U0020_id", "access_key", "loki_U002f_id"),
        ),
        ({"conversionStrategy": "None"}, ("access key id", "access_key", "loki/id")),
    ],
    ids=["none named", "Default", "Unicode", "None"],
)
def test_what_may_not_stand_in_a_key_is_converted(
    strategy: dict[str, str], expected: tuple[str, ...]
) -> None:
    """As `conversionStrategy` says."""
    assert tuple(map(renaming(**strategy).new, LABELS)) == expected


@pytest.mark.parametrize(
    ("rewrite", "name", "expected"),
    [
        pytest.param([regexp("(.*)", "loki_$1")], "id", "loki_id", id="a prefix"),
        pytest.param([regexp("(.*)", "$1_loki")], "id", "", id="$1_loki is another group"),
        pytest.param([regexp("(.*)", "${1}_loki")], "id", "id_loki", id="a suffix"),
        pytest.param([regexp("^LOKI_(.*)$", "$1")], "LOKI_ID", "ID", id="a prefix goes"),
        pytest.param([regexp("^LOKI_(.*)$", "$1")], "OTHER", "OTHER", id="no match, no change"),
        pytest.param([regexp("[^A-Za-z0-9_]", "_")], "a b/c", "a_b_c", id="a class of letters"),
        pytest.param([regexp("a", "$$1$9")], "bab", "b$1b", id="a dollar, and no such group"),
        pytest.param([regexp("x*", "-")], "axb", "-a-b-", id="empty matches as in Go"),
        pytest.param([regexp("-", "_"), regexp("(.*)", "p_$1")], "a-b", "p_a_b", id="in turn"),
        pytest.param([transform("{{ .value | upper }}")], "id", "ID", id="a template"),
        pytest.param([transform("{{ .other }}")], "id", None, id="a template of something else"),
        pytest.param([transform("{{ .value | b64dec }}"), regexp("a", "b")], "!", None, id="none"),
    ],
)
def test_rewrite_gives_new_names(
    rewrite: list[dict[str, Any]], name: str, expected: str | None
) -> None:
    """One operation after the other; no conversion follows."""
    assert renaming(*rewrite).new(name) == expected


@pytest.mark.parametrize(
    ("rewrite", "why"),
    [
        ([{"merge": {}}], "depends on the values"),
        ([regexp("(a+)+b", "x")], "an expression"),
        ([regexp(".*.*.*", "x")], "an expression"),
        ([regexp("a?" * 30 + "a" * 30, "x")], "an expression"),
        ([regexp("(?i)a", "x")], "an expression"),
        ([regexp("[z-a]", "x")], "an expression"),
        ([regexp("a" * 300, "x")], "an expression"),
        ([transform("{{ if .value }}x{{ end }}")], "`if`"),
    ],
)
def test_what_is_not_followed_says_why(rewrite: list[dict[str, Any]], why: str) -> None:
    """An expression that could take for ever is not run at all."""
    found = renaming_of({"extract": {"key": "loki"}, "rewrite": rewrite})
    assert isinstance(found, NotFollowed)
    assert why in found.why


@pytest.mark.parametrize(
    ("rewrite", "strategy", "name", "expected"),
    [
        pytest.param([], "Default", "id", "id", id="nothing that was converted"),
        pytest.param([], "Default", "access_key", Unknown.SEVERAL, id="`_` may be anything"),
        pytest.param([], "Unicode", "access_key", "access_key", id="Unicode keeps `_`"),
        pytest.param([], "Unicode", "a_U0020_b", Unknown.SEVERAL, id="Unicode's own mark"),
        pytest.param([], "None", "access_key", "access_key", id="None converts nothing"),
        pytest.param([regexp("(.*)", "loki_$1")], "", "loki_id", "id", id="a prefix"),
        pytest.param([regexp("(.*)", "loki_$1")], "", "minio_id", Unknown.NONE, id="another's"),
        pytest.param([regexp("(.+)", "$$${1}_x")], "", "$id_x", "id", id="prefix and suffix"),
        pytest.param([regexp("(.*)", "x$2")], "", "x", Unknown.SEVERAL, id="no such group"),
        pytest.param([regexp("(.*)", "x")], "", "x", Unknown.SEVERAL, id="no group at all"),
        pytest.param([regexp("^L_(.*)", "$1")], "", "id", Unknown.SEVERAL, id="a part of names"),
        pytest.param([transform("loki_{{ .value }}")], "", "loki_id", "id", id="a template"),
        pytest.param([transform("{{ .value | upper }}")], "", "ID", Unknown.SEVERAL, id="upper"),
        pytest.param(
            [regexp("(.*)", "a_$1"), regexp("(.*)", "b_$1")], "", "b_a_id", "id", id="two in turn"
        ),
        pytest.param(
            [regexp("(.*)", "a_$1"), regexp("x", "y")], "", "a_id", Unknown.SEVERAL, id="one of two"
        ),
    ],
)
def test_the_way_back_is_told_only_where_it_is_certain(
    rewrite: list[dict[str, Any]], strategy: str, name: str, expected: str | Unknown
) -> None:
    """Else the store's own labels have to decide."""
    assert renaming(*rewrite, conversionStrategy=strategy).before(name) == expected


REWRITES = st.sampled_from(
    [
        [],
        [regexp("(.*)", "p_$1")],
        [regexp("^(.+)$", "${1}s")],
        [transform("{{ .value }}-x")],
        [regexp("-", "_")],
        [regexp("(.*)", "p_$1"), transform("q{{ .value }}")],
    ]
)
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: "\n" not in name)


@given(REWRITES, st.sampled_from(["Default", "Unicode", "None"]), NAMES)
def test_the_way_back_leads_home(rewrite: list[dict[str, Any]], strategy: str, name: str) -> None:
    """Whatever a field is called: what is said to be its name in the store is its name."""
    there = renaming(*rewrite, conversionStrategy=strategy)
    new = there.new(name)
    assert new is not None
    assert there.before(new) in (name, Unknown.SEVERAL)


def test_a_label_is_delivered_under_these_names() -> None:
    """By default or with `Unicode`; a label that can be a key stays what it is."""
    assert delivered_names("access key") == {"access_key", "access_U0020_key"}
    assert delivered_names("access_key") == {"access_key"}


def test_a_name_too_long_for_a_key_is_not_rewritten() -> None:
    """No Secret could hold it."""
    assert renaming(regexp("a", "b")).new("a" * 254) is None


@pytest.mark.parametrize(
    ("rewrite", "why"),
    [
        ([regexp("a", "b")] * 5, "more than 4 steps"),
        ([transform("{{ .value }}" + "x" * 200)], "a template that is too long"),
    ],
    ids=["steps", "a template"],
)
def test_a_rewrite_is_followed_only_so_far(rewrite: list[dict[str, Any]], why: str) -> None:
    """Each step is compiled, and tried at each name."""
    found = renaming_of({"rewrite": rewrite})
    assert isinstance(found, NotFollowed)
    assert why in found.why
