# SPDX-License-Identifier: Apache-2.0
"""Of two routes on one thing the younger stands still; a status is patched to what it shall be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import ITEM, USER, a_gap, a_route, a_snapshot, a_vault
from lokeys.core.place import Hop
from lokeys.core.route.claims import RouteClaims, claims
from lokeys.core.route.model import Mode, RookSource, RouteSpec, SecretSource
from lokeys.core.route.snapshot import Snapshot, VaultFault, Why
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


def looked(spec: RouteSpec, **changes: Any) -> Snapshot:
    """Return a look at a route whose source and vault could be read."""
    return a_snapshot(spec=spec, **changes)


def two_routes(**older: Any) -> tuple[RouteClaims, Key, Key]:
    """Return the claims of two routes on one user, both looked at, and their keys."""
    claims, old, young = RouteClaims(), ("evil", "old"), ("monitoring", "loki")
    spec = a_route(name="old", namespace="evil", **{"mode": Mode.HEAL, **older.pop("spec", {})})
    claims.put(young, a_route(), manifest("2026-02-02T00:00:00Z"))
    claims.put(old, spec, manifest("2026-01-01T00:00:00Z"))
    claims.settle(old, looked(spec, **older))
    claims.settle(young, looked(a_route()))
    return claims, old, young


def test_a_copied_key_claims_its_target_alone() -> None:
    """No item and no user of Rook stands behind a plain Secret without a vault."""
    copied = SecretSource(secret=a_route().secret, namespace="a")
    spec = a_route(source=copied, vault=None)

    assert list(claims(spec)) == [("secret", spec.namespace, spec.secret.name)]


def test_the_younger_route_has_the_older_for_a_rival() -> None:
    """Both claim one user, both may: the older has no rival, the younger has one."""
    claims, old, young = two_routes()
    assert not claims.has_rival(old)
    assert claims.has_rival(young)


NOT_ALLOWED = a_gap(Hop.SOURCE, USER, Why.NOT_ALLOWED)
OWN_ITEM = {"source": RookSource(user="own", namespace="evil")}


@pytest.mark.parametrize(
    "older",
    [
        pytest.param({"spec": {"mode": Mode.OBSERVE}}, id="one that only observes"),
        pytest.param({"source": None, "unreadable": (NOT_ALLOWED,)}, id="one that nobody allowed"),
        pytest.param(
            {"source": None, "unreadable": (a_gap(Hop.SOURCE, USER, Why.FORBIDDEN),)},
            id="one without a Role",
        ),
        pytest.param(
            {"spec": OWN_ITEM, "vault": a_vault(None, fault=VaultFault.TOKEN_REFUSED)},
            id="one that names another's item with a token of its own",
        ),
        pytest.param(
            {
                "spec": OWN_ITEM,
                "vault": None,
                "unreadable": (a_gap(Hop.VAULT, ITEM, Why.URL_NOT_ALLOWED),),
            },
            id="one that names another's item without a token for it",
        ),
    ],
)
def test_an_older_route_that_may_not_claim_stops_nobody(older: dict[str, Any]) -> None:
    """Whoever may write a resource names what he likes in it, and that stalls nobody's heal."""
    claims, _, young = two_routes(**older)
    assert not claims.awaits(young)
    assert not claims.has_rival(young)


@pytest.mark.parametrize(
    "unanswered",
    [
        pytest.param(
            {"source": None, "unreadable": (a_gap(Hop.SOURCE, USER, Why.UNREACHABLE),)},
            id="the API server stumbles",
        ),
        pytest.param({"vault": a_vault(None, fault=VaultFault.UNREACHABLE)}, id="the vault"),
        pytest.param(
            {"vault": None, "unreadable": (a_gap(Hop.VAULT, ITEM, Why.UNREACHABLE),)},
            id="the token's Secret",
        ),
    ],
)
def test_an_answer_that_is_missing_takes_no_claim_away(unanswered: dict[str, Any]) -> None:
    """Nor does it give one."""
    claims, old, young = two_routes()
    spec = a_route(name="old", namespace="evil")
    claims.settle(old, looked(spec, **unanswered))
    assert claims.has_rival(young)


def test_a_route_waits_for_an_older_one_that_was_not_looked_at() -> None:
    """It may be a rival; its first look wakes the younger one."""
    claims, old, young = RouteClaims(), ("ns", "old"), ("ns", "young")
    spec = a_route(name="old", namespace="ns")
    claims.put(young, a_route(name="young", namespace="ns"), manifest("2026-02-02T00:00:00Z"))
    assert claims.put(old, spec, manifest("2026-01-01T00:00:00Z")) == {young}
    assert claims.awaits(young)
    assert not claims.awaits(old)
    assert claims.settle(old, looked(spec)) == {young}
    assert not claims.awaits(young)
    assert claims.settle(old, looked(spec)) == set()


def test_a_route_that_stands_still_claims_nothing() -> None:
    """A third one that shares only with it goes on."""
    claims, _, young = two_routes()
    third = ("ns", "third")
    spec = a_route(name="third", namespace="ns", source=RookSource(user="own", namespace="ns"))
    assert claims.put(third, spec, manifest("2026-03-03T00:00:00Z")) >= {young}
    claims.settle(third, looked(spec))
    claims.stand_still(young)
    assert claims.elders(third)[0] == ("evil", "old")


def test_the_younger_goes_on_when_the_older_is_gone() -> None:
    """Deleting the older wakes the younger, which then has no rival."""
    claims, old, young = two_routes()
    assert claims.drop(old) == {young}
    assert not claims.has_rival(young)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.booleans())))
def test_exactly_one_of_those_who_share_has_no_rival(moves: list[tuple[str, str, bool]]) -> None:
    """However routes come and go, of all that claim one user one may act."""
    claims = RouteClaims()
    alive: set[Key] = set()
    for name, namespace, stays in moves:
        key = (namespace, name)
        if stays:
            spec = a_route(name=name, namespace=namespace)
            claims.put(key, spec, manifest(f"2026-{name}"))
            claims.settle(key, looked(spec))
            alive.add(key)
        else:
            claims.drop(key)
            alive.discard(key)
    free = [key for key in alive if not claims.has_rival(key)]
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
