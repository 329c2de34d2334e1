# SPDX-License-Identifier: Apache-2.0
"""Of two routes on one thing the younger stands still; a status is patched to what it shall be."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import a_route
from lokeys.core.model import Ref
from lokeys.operator.routes import Claims
from lokeys.operator.statuses import changes, concerns_us
from lokeys.operator.workers import Key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
STATUS = st.dictionaries(
    st.text(max_size=3),
    st.lists(st.integers())
    | st.text()
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text()),
)


def manifest(created: str, **metadata: Any) -> dict[str, Any]:
    """Return a resource that was made at this time."""
    return {"metadata": {"creationTimestamp": created, "generation": 1, **metadata}}


def test_the_younger_route_sees_the_older_as_its_rival() -> None:
    """Both claim one Secret: the older has no rival, the younger has it."""
    claims = Claims()
    old, young = ("ns", "old"), ("ns", "young")
    claims.put(young, a_route(name="young", namespace="ns"), manifest("2026-02-02T00:00:00Z"))
    woken = claims.put(old, a_route(name="old", namespace="ns"), manifest("2026-01-01T00:00:00Z"))
    assert woken == {young}
    assert claims.rivals(old) == ()
    assert claims.rivals(young) == (Ref("StorageCredential", "old", "ns"),)


def test_the_younger_goes_on_when_the_older_is_gone() -> None:
    """Deleting the older wakes the younger, which then has no rival."""
    claims = Claims()
    old, young = ("ns", "old"), ("ns", "young")
    claims.put(old, a_route(name="old", namespace="ns"), manifest("2026-01-01T00:00:00Z"))
    claims.put(young, a_route(name="young", namespace="ns"), manifest("2026-02-02T00:00:00Z"))
    assert claims.drop(old) == {young}
    assert claims.rivals(young) == ()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.booleans())))
def test_exactly_one_of_those_who_share_has_no_rival(moves: list[tuple[str, str, bool]]) -> None:
    """However routes come and go, of all that claim one Secret one may act."""
    claims = Claims()
    alive: dict[Key, str] = {}
    for name, namespace, stays in moves:
        key = (namespace, name)
        if stays:
            claims.put(key, a_route(name=name, namespace=namespace), manifest(f"2026-{name}"))
            alive[key] = namespace
        else:
            claims.drop(key)
            alive.pop(key, None)
    free = [key for key in alive if not claims.rivals(key)]
    assert len(free) <= 1  # they all share the source's user
    assert bool(free) == bool(alive)


def merged(before: Any, patch: Any) -> Any:
    """Apply a merge patch as RFC 7396 says."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(STATUS, STATUS)
def test_the_patch_makes_the_status_what_it_shall_be(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    """Nothing of the old status is left in the new one, and what is equal is not sent."""
    patch = changes(before, now)
    assert merged(before, patch) == now
    assert (patch == {}) == (before == now)


def test_the_echo_of_our_own_status_is_no_news() -> None:
    """Only what a person can change brings the route back into the queue."""
    before = manifest("x", labels={}, annotations={})
    echo = {**before, "status": {"conditions": []}}
    assert not concerns_us(before, echo)
    assert concerns_us(None, before)
    assert concerns_us(before, None)
    for change in ({"generation": 2}, {"labels": {"a": "b"}}, {"annotations": {"a": "b"}}):
        assert concerns_us(before, {"metadata": {**before["metadata"], **change}})
