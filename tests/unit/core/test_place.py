# SPDX-License-Identifier: Apache-2.0
"""Names that objects can bear."""

import pytest

from lokeys.core.place import is_name, is_namespace


@pytest.mark.parametrize("name", ["a", "a-b.c1", "0", "a" * 63, ".".join(["a" * 62] * 4)])
def test_a_sound_name(name: str) -> None:
    """A DNS subdomain names an object; one label of it a namespace."""
    assert is_name(name)
    assert is_namespace(name) == ("." not in name)


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", "a-", "a..b", "a\n", "a\x00", "../x", "a?b", "é", "a" * 254, 5, None, ["a"]],
    ids=repr,
)
def test_no_name(name: object) -> None:
    """Nothing else does."""
    assert not is_name(name)
    assert not is_namespace(name)
