# SPDX-License-Identifier: Apache-2.0
"""When a rotation begins by itself: age, window, annotation; and which record of two is later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, A, B, C, a_route
from lokeys.core.route.memory import Content, Memory
from lokeys.core.route.model import Mode, RotationSpec, RotationWindow, RouteSpec
from lokeys.core.route.rotation.age import key_since
from lokeys.core.route.rotation.cron import is_open, opens_at
from lokeys.core.route.rotation.model import Phase, Rotation, rotation_said
from lokeys.core.route.rotation.triggers import Occasion, due_at, newest, wish_of
from lokeys.core.sensitive import PairFacts

MONTH = timedelta(hours=720)


def a_spec(mode: Mode = Mode.ROTATE, **rotation: Any) -> RouteSpec:
    return a_route(mode=mode, rotation=RotationSpec(**rotation))


def an_occasion(days: float = 0.0, **changes: Any) -> Occasion:
    """Return an occasion so many days after the resource was made."""
    return Occasion(
        **{"now": NOW, "since": NOW - timedelta(days=days), "uid": "uid", "zone": UTC, **changes}
    )


def a_rotation(**changes: Any) -> Rotation:
    return Rotation(
        **{
            "source": "s",
            "why": "w",
            "begun_at": NOW,
            "phase_since": NOW,
            "old": A.pair,
            "old_id": A.key_id,
            **changes,
        }
    )


LONG_AGO = NOW - timedelta(days=99)


def held(pair: PairFacts = A, *, since: datetime = LONG_AGO) -> Content:
    return Content(pair=pair.pair, since=since)


def test_a_key_is_replaced_when_it_is_old_enough() -> None:
    """Within a tenth of `every` after that; not before."""
    assert wish_of(a_spec(), None, an_occasion(days=30)) is None
    wish = wish_of(a_spec(), None, an_occasion(days=33))
    assert wish is not None
    assert "older than 30 days" in wish.why


@given(st.uuids().map(str))
def test_starts_are_spread_over_a_tenth_of_the_age(uid: str) -> None:
    """Each resource has a moment of its own, always the same."""
    occasion = an_occasion(uid=uid)
    due = due_at(a_spec(), None, occasion) - NOW
    assert MONTH <= due <= MONTH * 1.1
    assert due_at(a_spec(), None, occasion) - NOW == due


def test_a_thousand_routes_do_not_begin_at_once() -> None:
    """In no hour of the 72 that the spread takes more than three times their share."""
    dues = [
        (due_at(a_spec(), None, an_occasion(uid=f"u{n}")) - NOW).total_seconds() // 3600
        for n in range(1000)
    ]
    assert max(dues.count(hour) for hour in set(dues)) < 3 * 1000 / 72


def test_the_age_counts_from_the_last_rotation_whichever_way_it_went() -> None:
    """One that went back is not tried again at once."""
    last = a_rotation(ended_at=NOW - timedelta(days=2), back=True)
    assert wish_of(a_spec(), last, an_occasion(days=99)) is None
    old = replace(last, ended_at=NOW - timedelta(days=40))
    assert wish_of(a_spec(), old, an_occasion(days=99)) is not None


def test_a_key_older_than_its_resource_is_replaced_within_a_tenth_of_its_age() -> None:
    """Its age counts, and the resource's does not; not all of them begin in the first minute."""
    occasion = an_occasion(key_since=NOW - timedelta(days=400))
    assert wish_of(a_spec(), None, occasion) is None
    due = due_at(a_spec(), None, occasion) - NOW
    assert timedelta(0) < due <= MONTH / 10


def test_a_key_that_a_heal_has_brought_is_young() -> None:
    """Whoever replaced it at the source has done what the age would ask for."""
    assert wish_of(a_spec(), None, an_occasion(days=99, key_since=NOW)) is None


@pytest.mark.parametrize(
    ("memory", "since"),
    [
        pytest.param(Memory(), None, id="nobody has looked yet"),
        pytest.param(Memory(content=held()), LONG_AGO, id="never rotated: since it was delivered"),
        pytest.param(
            Memory(content=held(B), rotation=a_rotation(old_since=LONG_AGO, new=B.pair)),
            LONG_AGO,
            id="in a rotation: the old key is still taken",
        ),
        pytest.param(
            Memory(content=held(B), rotation=a_rotation(new=B.pair, ended_at=NOW)),
            NOW,
            id="rotated: since that began",
        ),
        pytest.param(
            Memory(
                content=held(since=NOW),
                rotation=a_rotation(old_since=LONG_AGO, new=B.pair, back=True, ended_at=NOW),
            ),
            LONG_AGO,
            id="gone back: as old as before",
        ),
        pytest.param(
            Memory(content=held(C), rotation=a_rotation(new=B.pair, ended_at=NOW)),
            LONG_AGO,
            id="replaced by somebody else since: since that was delivered",
        ),
    ],
)
def test_how_old_a_key_is(memory: Memory, since: datetime | None) -> None:
    """As far as lokeys knows: it may be older, never younger."""
    assert key_since(memory) == since


@pytest.mark.parametrize(
    ("spec", "last"),
    [
        pytest.param(a_spec(Mode.HEAL), None, id="mode Heal"),
        pytest.param(a_route(mode=Mode.ROTATE, rotation=None), None, id="no age is named"),
        pytest.param(a_spec(), a_rotation(), id="one is under way"),
    ],
)
def test_no_rotation_is_due(spec: RouteSpec, last: Rotation | None) -> None:
    """However old the key is."""
    assert wish_of(spec, last, an_occasion(days=999)) is None


def test_without_an_age_a_key_is_never_too_old() -> None:
    """Nor does that overflow."""
    spec = a_route(mode=Mode.ROTATE, rotation=None)
    assert wish_of(spec, a_rotation(ended_at=NOW), an_occasion()) is None


def test_the_annotation_asks_once() -> None:
    """A value that was handled, or that the last rotation began for, asks for nothing."""
    asked = an_occasion(asked="now")
    wish = wish_of(a_spec(), None, asked)
    assert wish is not None
    assert wish.asked == "now"
    assert wish_of(a_spec(), None, replace(asked, handled="now")) is None
    assert wish_of(a_spec(), a_rotation(asked="now", ended_at=NOW), asked) is None
    assert wish_of(a_route(mode=Mode.ROTATE, rotation=None), None, asked) is not None


WINDOW = RotationWindow(schedule="0 11 * * 0", duration=timedelta(hours=2))


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        pytest.param({}, True, id="it is open: a Sunday, an hour after eleven"),
        pytest.param({"now": NOW + timedelta(hours=1)}, False, id="it has just closed"),
        pytest.param({"now": NOW - timedelta(hours=2)}, False, id="it is to open"),
        pytest.param({"zone": None}, False, id="nobody knows its time zone here"),
        pytest.param({"now": NOW + timedelta(days=7)}, True, id="a missed one is made up later"),
    ],
)
def test_a_rotation_begins_within_its_window(changes: dict[str, Any], due: bool) -> None:
    """An old key waits for the next window, and gets one rotation in it."""
    spec = a_spec(window=WINDOW)
    assert (wish_of(spec, None, an_occasion(days=60, **changes)) is not None) is due


CRON: dict[str, tuple[str, str, bool]] = {
    "a minute of each hour": ("5 * * * *", "2026-03-02T10:05", True),
    "another minute": ("5 * * * *", "2026-03-02T10:06", False),
    "each quarter": ("*/15 * * * *", "2026-03-02T10:45", True),
    "from a minute on, in steps": ("10/20 * * * *", "2026-03-02T10:50", True),
    "before it": ("10/20 * * * *", "2026-03-02T10:00", False),
    "a range in steps": ("0 8-16/4 * * *", "2026-03-02T12:00", True),
    "after the range": ("0 8-16/4 * * *", "2026-03-02T20:00", False),
    "a list": ("0 1,13 * * *", "2026-03-02T13:00", True),
    "a month": ("0 0 1 3 *", "2026-03-01T00:00", True),
    "another month": ("0 0 1 4 *", "2026-03-01T00:00", False),
    "Sunday is 0": ("0 0 * * 0", "2026-03-01T00:00", True),
    "and 7": ("0 0 * * 7", "2026-03-01T00:00", True),
    "Saturday": ("0 2 * * 6", "2026-03-07T02:00", True),
    "a weekday that is not": ("0 2 * * 6", "2026-03-06T02:00", False),
    "a day and a weekday: either counts": ("0 0 13 * 5", "2026-03-06T00:00", True),
    "the day of the two": ("0 0 13 * 5", "2026-04-13T00:00", True),
    "neither of the two": ("0 0 13 * 5", "2026-04-14T00:00", False),
}


@pytest.mark.parametrize(("schedule", "at", "opens"), CRON.values(), ids=CRON.keys())
def test_a_schedule_names_minutes_as_cron_does(schedule: str, at: str, opens: bool) -> None:
    """Five fields; Vixie's rule for two kinds of days."""
    assert opens_at(schedule, datetime.fromisoformat(at).replace(tzinfo=UTC)) is opens


NUMBER = st.integers(0, 59)


@given(minute=NUMBER, hour=st.integers(0, 23), later=st.integers(0, 180))
def test_a_window_is_open_for_its_duration_and_no_longer(
    minute: int, hour: int, later: int
) -> None:
    """From its first minute on."""
    opened = datetime(2026, 3, 4, hour, minute, tzinfo=UTC)
    hour_long = timedelta(hours=1)
    now = opened + timedelta(minutes=later)
    assert is_open(f"{minute} {hour} * * *", hour_long, UTC, now) is (later < 60)


def test_a_window_is_of_its_own_time_zone_whatever_the_clocks_do() -> None:
    """Two in the night in Berlin: one o'clock UTC in winter, midnight in summer; once left out."""
    berlin, short = ZoneInfo("Europe/Berlin"), timedelta(minutes=30)
    schedule = "0 2 * * *"
    assert is_open(schedule, short, berlin, datetime(2026, 3, 28, 1, 10, tzinfo=UTC))
    assert is_open(schedule, short, berlin, datetime(2026, 3, 30, 0, 10, tzinfo=UTC))
    skipped = (datetime(2026, 3, 29, h, 10, tzinfo=UTC) for h in range(3))
    assert not any(is_open(schedule, short, berlin, now) for now in skipped)


LATER: dict[str, dict[str, Any]] = {
    "it has a new pair": {"new": B.pair},
    "it has passed once more": {"passed": 1},
    "a person let the old key go": {"let_go": True},
    "it is a phase further": {"phase": Phase.PUBLISH, "phase_since": NOW + timedelta(seconds=1)},
    "it goes back": {"back": True},
    "it has ended": {"ended_at": NOW},
    "it is the next one": {"begun_at": NOW + timedelta(days=1)},
}


@pytest.mark.parametrize("changes", LATER.values(), ids=LATER.keys())
def test_of_two_records_the_later_one_counts(changes: dict[str, Any]) -> None:
    """Whichever side has it: an older one never undoes it."""
    first, later = a_rotation(), a_rotation(**changes)
    assert newest(first, later) == newest(later, first) == later
    assert newest(None, later) == newest(later, None) == later
    assert newest(None, None) is None


TOLD: dict[str, tuple[Rotation | None, str]] = {
    "none": (None, "NotRotated"),
    "its first phase": (a_rotation(), "RotationCreate"),
    "a later one": (a_rotation(phase=Phase.ROLL), "RotationRoll"),
    "on its way back": (a_rotation(back=True), "RotationGoesBack"),
    "back": (a_rotation(back=True, ended_at=NOW), "RotationUndone"),
    "through": (a_rotation(new=B.pair, ended_at=NOW), "Rotated"),
}


@pytest.mark.parametrize(("rotation", "reason"), TOLD.values(), ids=TOLD.keys())
def test_each_phase_is_worth_one_event(rotation: Rotation | None, reason: str) -> None:
    """With fingerprints at most."""
    told, message = rotation_said(rotation)
    assert told == reason
    assert A.pair not in message
    never = rotation_said(a_rotation(ended_at=NOW))
    assert never[0] == "Rotated"
