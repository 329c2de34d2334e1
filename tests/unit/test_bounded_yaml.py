# SPDX-License-Identifier: Apache-2.0
"""What a text of anyone's can cost us: nothing."""

import pytest

from lokeys.bounded_yaml import built

ALIASES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
MERGES = ALIASES.replace("[", "{<<: [").replace("]", "]}")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        ALIASES,
        MERGES,
        "a: &a [*a]",
        "a: !!int ''",
        "a: !!python/object:os.system x",
        "a: 2001-99-99",
        "a: [",
        "a: b\n---\na: c",
    ],
    ids=["deep", "aliases", "merges", "a circle", "a tag", "code", "no date", "cut off", "two"],
)
def test_what_is_too_much_or_no_yaml_is_not_built(text: str) -> None:
    """It says nothing, at once, and the process lives."""
    assert built(text) is None


def test_merges_of_a_sensible_size_are_built() -> None:
    """Anchors and merge keys are no crime."""
    text = "a: &a {k: 1}\nb: {<<: *a, l: [*a]}"
    assert built(text) == {"a": {"k": 1}, "b": {"k": 1, "l": [{"k": 1}]}}
