# SPDX-License-Identifier: Apache-2.0
"""What is said of a bridge: whether it stands, whether it could, what the status keeps of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DEAD,
    NOW,
    STAGING,
    TRUSTED,
    WORKS,
    A,
    B,
    a_gap,
    a_kept_pair,
    a_pod,
    a_rook_user,
    a_route,
    a_source,
    ago,
    content,
    live,
    look,
    said,
)
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop, Ref
from lokeys.core.rbac import RouteFacts, route_grants
from lokeys.core.route.bridging import LONGEST_BRIDGE, allowed_bridge, why_impossible
from lokeys.core.route.conditions import conditions, status
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.key_state import seen
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.model import (
    AwsIamSource,
    Mode,
    PairKeys,
    RgwAdmin,
    RgwSource,
    SecretRef,
    SecretSource,
    Source,
    bridging_ref,
)
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.remembering import bridge_ended
from lokeys.core.route.resource.served import keeps_bridges
from lokeys.core.route.resource.status import memory_from_status, memory_to_status
from lokeys.core.route.snapshot import Snapshot, Why
from lokeys.core.route.standing import bridged_key, is_overdue, source_name

BRIDGE = Bridge(
    pair=A.pair,
    key_id=A.key_id,
    source=source_name(a_route()),
    since=ago(minutes=6),
    until=NOW + timedelta(minutes=54),
    added_at=ago(minutes=5),
)


def bridged(bridge: Bridge = BRIDGE, **changes: Any) -> Snapshot:
    """Return a look at a route that is well, but for a bridge that stands."""
    whole: dict[str, Any] = {
        "source": a_source(B, slots=live(A, B), rook=a_rook_user(uses_spec_keys=True)),
        "vault": B,
        "secret": B,
        "verdicts": {A: WORKS, B: TRUSTED},
        "memory": Memory(content=content(B), bridge=bridge),
        "issues": True,
    }
    return look(**{**whole, **changes})


CONDITION: dict[str, tuple[Snapshot, tuple[str, str]]] = {
    "there is none": (look(), ("False", "NoBridge")),
    "it stands": (bridged(), ("True", "Standing")),
    "it is about to be": (
        bridged(
            Bridge(**{**{f: getattr(BRIDGE, f) for f in BRIDGE.__slots__}, "added_at": None}),
            source=a_source(B),
            verdicts={B: TRUSTED},
        ),
        ("Unknown", "Planned"),
    ),
    "its time is over": (
        bridged(Bridge(**{**{f: getattr(BRIDGE, f) for f in BRIDGE.__slots__}, "until": NOW})),
        ("True", "Overdue"),
    ),
    "a person has removed the key": (
        bridged(source=a_source(B, slots=live(B)), verdicts={A: DEAD, B: TRUSTED}),
        ("False", "NoBridge"),
    ),
}


@pytest.mark.parametrize(("seen_now", "told"), CONDITION.values(), ids=CONDITION)
def test_a_condition_says_whether_a_key_is_valid_again(
    seen_now: Snapshot, told: tuple[str, str]
) -> None:
    """Bridged, with a reason that `lokeys explain` knows."""
    found = conditions(seen_now, diagnose(seen_now), plan(seen_now, Policy()))
    condition = next(each for each in found if each.type == "Bridged")
    assert (condition.status, condition.reason) == told


def test_the_status_shows_it_to_people() -> None:
    """Its fingerprint, and from when until when; without one the field is not there."""
    shown = bridged()
    made = status(shown, diagnose(shown), plan(shown, Policy()), before={}, generation=1)
    assert made["bridge"] == {
        "fingerprint": A.pair[:8],
        "since": "2026-03-01T11:55:00Z",
        "until": "2026-03-01T12:54:00Z",
    }
    calm = look()
    assert "bridge" not in status(
        calm, diagnose(calm), plan(calm, Policy()), before=made, generation=1
    )


def test_a_bridge_is_no_error_until_it_is_overdue() -> None:
    """A route on which one stands can be Ready; past its time it is not."""
    assert [f.code for f in diagnose(bridged()).findings] == ["LK0616"]
    assert not is_overdue(bridged())
    gone = bridged(source=a_source(B, slots=live(B)), verdicts={A: DEAD, B: TRUSTED})
    assert diagnose(gone).findings == ()


def test_what_is_remembered_of_a_bridge_comes_back() -> None:
    """Whole, or not at all: a status can be edited by hand."""
    memory = Memory(bridge=BRIDGE, barred=(B.pair,))
    kept = memory_to_status(memory, key="k")
    assert memory_from_status({"memory": kept}, key="k") == memory
    for lost in ("pair", "keyId", "source", "since", "until"):
        torn = {**kept, "bridge": {k: v for k, v in kept["bridge"].items() if k != lost}}
        assert memory_from_status({"memory": torn}, key="k").bridge is None
    for odd in ("no mapping", {"source": 7}, {"source": "a", "pairs": "b"}):
        assert memory_from_status({"memory": {"key": "k", "offered": odd}}, key="k") == Memory()


def test_the_end_of_a_bridge_bars_its_key() -> None:
    """What never began bars nothing."""
    assert bridge_ended(Memory(bridge=BRIDGE)).barred == (A.pair,)
    assert bridge_ended(Memory()) == Memory()


def test_the_key_of_a_bridge_is_never_the_present_one() -> None:
    """Also where only the sealed copy still says which it is."""
    told = a_kept_pair(until=NOW, since=NOW)
    assert bridged_key(Memory(bridge=BRIDGE), None) == A.key_id
    assert bridged_key(Memory(), told) == A.key_id
    assert bridged_key(Memory(), a_kept_pair()) is None
    assert bridged_key(Memory(), None) is None


def test_an_older_definition_keeps_no_bridge() -> None:
    """One that is not known is taken for the present one."""
    older: dict[str, Any] = {"properties": {"memory": {"properties": {"content": {}}}}}
    assert not keeps_bridges(older)
    older["properties"]["memory"]["properties"]["bridge"] = {}
    assert keeps_bridges(older)
    assert keeps_bridges({})


ALLOWED = {
    "an hour": ("1h", timedelta(hours=1)),
    "a day at most": ("48h", LONGEST_BRIDGE),
    "a day at most, however huge": ("9" * 9 + "h", LONGEST_BRIDGE),
    "more than any calendar has": ("9" * 31 + "h", None),
    "a fraction of nothing": ("0.0000001ns", None),
    "no unit": ("3600", None),
    "a day, which is no unit of Go's": ("1d", None),
    "a number as Python writes it": ("1e9h", None),
    "infinity": ("infh", None),
    "digits of another script": ("\u0661h", None),
    "two of them": ("1h,2h", None),
    "one with a newline": ("1h\n", None),
    "nothing": ("", None),
    "zero": ("0s", None),
    "less than nothing": ("-1h", None),
    "no duration": ("yes", None),
    "a page of it": ("1h" * 99, None),
    "a list": (["1h"], None),
}


@pytest.mark.parametrize(("text", "longest"), ALLOWED.values(), ids=ALLOWED)
def test_an_owner_allows(text: object, longest: timedelta | None) -> None:
    """By one annotation, with the longest time; anybody may have written it."""
    manifest = {"metadata": {"annotations": {"lokeys.dev/allowed-bridge": text}}}
    assert allowed_bridge(manifest) == longest
    assert allowed_bridge({}) is None
    assert allowed_bridge({"metadata": {}}) is None


KEYS = PairKeys(access_key_id="a", secret_access_key="b")
ADMIN = SecretRef(name="admin", keys=KEYS)
RGW = RgwSource(uid="loki", admin=RgwAdmin(endpoint="http://rgw", secret=ADMIN))
OWNERS: dict[str, tuple[Source, Ref | None]] = {
    "rook": (a_route().source, Ref("CephObjectStoreUser", "loki", "storage")),
    "rgw": (RGW, Ref("Secret", "admin", "monitoring")),
    "awsIAM, which never takes a removed key back": (
        AwsIamSource(user_name="loki", admin=ADMIN),
        None,
    ),
    "a Secret": (SecretSource(secret=ADMIN, namespace="storage"), None),
}


@pytest.mark.parametrize(("source", "owner"), OWNERS.values(), ids=OWNERS)
def test_a_bridge_is_allowed_on(source: Source, owner: Ref | None) -> None:
    """The object of whoever may change the user's keys."""
    assert bridging_ref(a_route(source=source)) == owner


def test_its_rights_are_printed_where_it_is_allowed() -> None:
    """One Secret by name, its creation, and the resource it belongs to."""
    known, stands = RouteFacts(bridge=True), RouteFacts(stands=True)

    def about(mode: Mode, facts: RouteFacts) -> set[str]:
        found = route_grants(a_route(mode=mode), known=facts)
        return {g.sentence for g in found if "bridge" in g.why or "bridge" in "".join(g.names)}

    assert len(about(Mode.HEAL, known)) == 3
    assert about(Mode.OBSERVE, known) == about(Mode.HEAL, RouteFacts()) == set()
    assert about(Mode.HEAL, stands) == about(Mode.HEAL, known)


@pytest.mark.parametrize("source", [a_route().source, RGW], ids=["rook", "rgw"])
def test_the_rights_to_end_it_are_printed_while_it_stands(source: Source) -> None:
    """In Observe, and where its owner allows none any more: to end it, and not to begin one."""
    spec = a_route(mode=Mode.OBSERVE, source=source)
    plain = {grant.sentence for grant in route_grants(spec)}
    more = {g.sentence for g in route_grants(spec, known=RouteFacts(stands=True))} - plain
    assert [each for each in more if "create" in each and "secrets" in each] == []
    for right in ("delete", "lokeys-bridge-loki", "leases", "storagecredentials"):
        assert any(right in each for each in more), right


LATE: dict[str, Any] = {
    "source": B,
    "vault": B,
    "secret": B,
    "verdicts": {B: TRUSTED},
    "memory": Memory(content=content(B, since=ago(minutes=2), old_pods=("u-loki-0",), before=A)),
    "pods": (a_pod(refused=3),),
}
HELD: dict[str, Any] = {
    "source": B,
    "verdicts": {A: DEAD, B: TRUSTED},
    "pods": (a_pod(refused=3),),
    "issues": True,
}
WHY: dict[str, tuple[dict[str, Any], str]] = {
    "its source's keys cannot be changed": (LATE, "lokeys cannot add a key of"),
    "the Secret has moved on": ({**LATE, "issues": True}, "holds another pair already"),
    "the copy cannot be read": (
        {**HELD, "kept_gap": a_gap(Hop.SECRET, STAGING, Why.FORBIDDEN)},
        "Secret monitoring/lokeys-bridge-loki: forbidden",
    ),
    "it was bridged before": (
        {**HELD, "memory": Memory(content=content(A), barred=(A.pair,))},
        "has been added again once",
    ),
    "nothing: it is only not allowed": (HELD, ""),
    "IAM chooses its keys": (
        {**HELD, "spec": a_route(source=AwsIamSource(user_name="loki", admin=ADMIN))},
        "IAM never takes a removed key back",
    ),
    "the store is silent": (
        {**HELD, "verdicts": {A: said(Answer.UNREACHABLE), B: TRUSTED}},
        "holds another pair already",
    ),
}


@pytest.mark.parametrize(("changes", "why"), WHY.values(), ids=WHY)
def test_why_no_bridge_is_possible(changes: dict[str, Any], why: str) -> None:
    """In words, for the finding and for `heal --bridge`."""
    told = why_impossible(seen(look(**changes)))
    assert why in told
    assert bool(told) == bool(why)
