# SPDX-License-Identifier: Apache-2.0
"""Schemas: what may follow on what is applied."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import Schema, SchemaVersion
from lokeys.core.stack.resource.schemas import in_order, schema_findings

STACK = Ref("LokiStack", "my-stack", "logging")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
JUST = datetime(2026, 11, 23, 22, tzinfo=UTC)
LATE = datetime(2026, 11, 23, 22, 0, 1, tzinfo=UTC)


def schemas(text: str) -> tuple[Schema, ...]:
    """Return the schemas of words such as `v11:2020-10-11`."""
    words = (word.split(":") for word in text.split())
    return tuple(
        Schema(version=SchemaVersion(version), effective_date=date.fromisoformat(day))
        for version, day in words
    )


def faults(wanted: str, *, applied: str = "", now: datetime = NOW) -> list[str | None]:
    found = schema_findings(STACK, schemas(wanted), applied=schemas(applied), now=now)
    return [finding.fault for finding in found]


OLD = "v11:2020-10-11"


@pytest.mark.parametrize(
    ("wanted", "applied", "now", "expected"),
    [
        pytest.param("", "", NOW, ["no_schemas"], id="none"),
        pytest.param(OLD, "", NOW, [], id="one in force"),
        pytest.param("v13:2026-11-24", "", NOW, ["missing_valid_start_date"], id="none in force"),
        pytest.param("v13:2026-11-23", "", NOW, [], id="in force since midnight"),
        pytest.param(f"{OLD} v12:2020-10-11", "", NOW, ["dates_not_unique"], id="a day twice"),
        pytest.param(OLD, OLD, NOW, [], id="unchanged"),
        pytest.param(f"{OLD} v11:2030-01-01", OLD, NOW, [], id="one version twice is allowed"),
        pytest.param(f"{OLD} v13:2026-11-24", OLD, NOW, [], id="added with notice"),
        pytest.param(f"{OLD} v13:2026-11-24", OLD, JUST, [], id="added with just two hours"),
        pytest.param(
            f"{OLD} v13:2026-11-24", OLD, LATE, ["retroactively_added"], id="added too late"
        ),
        pytest.param(
            f"{OLD} v13:2022-01-01", OLD, NOW, ["retroactively_added"], id="added in the past"
        ),
        pytest.param(
            "v13:2022-01-01",
            OLD,
            NOW,
            ["retroactively_removed", "retroactively_added"],
            id="moved",
        ),
        pytest.param("v12:2020-10-11", OLD, NOW, ["retroactively_changed"], id="changed"),
        pytest.param("v13:2024-01-01 v13:2025-01-01", "v13:2024-01-01", NOW, [], id="merged"),
        pytest.param("v13:2024-01-01", "v13:2024-01-01 v13:2025-01-01", NOW, [], id="unmerged"),
        pytest.param(
            "v12:2024-01-01 v13:2025-01-01",
            "v13:2024-01-01 v13:2025-01-01",
            NOW,
            ["retroactively_changed"],
            id="another version before the same",
        ),
        pytest.param(
            "v13:2024-01-01 v12:2024-06-01 v13:2025-01-01",
            "v13:2024-01-01",
            NOW,
            ["retroactively_added"],
            id="another version for a while",
        ),
        pytest.param(
            f"{OLD} v13:2023-01-01",
            f"{OLD} v13:2022-01-01",
            NOW,
            ["retroactively_removed"],
            id="begun later",
        ),
        pytest.param(OLD, f"{OLD} v13:2027-01-01", NOW, [], id="one to come may go"),
        pytest.param(
            f"{OLD} v12:2027-01-01", f"{OLD} v13:2027-01-01", NOW, [], id="one to come may change"
        ),
        pytest.param(
            OLD,
            f"{OLD} v13:2026-11-24",
            LATE,
            ["retroactively_removed"],
            id="one that is about to begin stays",
        ),
    ],
)  # fmt: skip
def test_what_may_follow(wanted: str, applied: str, now: datetime, expected: list[str]) -> None:
    """Each case as the title says."""
    assert faults(wanted, applied=applied, now=now) == expected


@pytest.mark.parametrize("now", [NOW, JUST, LATE], ids=str)
def test_the_way_out_of_a_late_addition_is_one(now: datetime) -> None:
    """The date that the remedy names is accepted, and is the first that is."""
    late = f"{OLD} v13:2026-11-23"
    (finding,) = schema_findings(STACK, schemas(late), applied=schemas(OLD), now=now)
    day = next(word for word in finding.remedy[0].text.split() if word.startswith("2026-"))
    assert faults(f"{OLD} v13:{day}", applied=OLD, now=now) == []
    before = date.fromisoformat(day) - timedelta(days=1)
    assert faults(f"{OLD} v13:{before}", applied=OLD, now=now) == ["retroactively_added"]


DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
LISTS = st.dictionaries(DAYS, st.sampled_from(SchemaVersion), max_size=5).map(
    lambda each: tuple(Schema(version=v, effective_date=d) for d, v in each.items())
)


@given(LISTS, LISTS)
def test_a_status_that_merges_equal_versions_is_the_same(
    wanted: tuple[Schema, ...], applied: tuple[Schema, ...]
) -> None:
    """Whether the Loki Operator or lokeys wrote it: the same is accepted."""
    merged = tuple(
        each
        for number, each in enumerate(in_order(applied))
        if not number or in_order(applied)[number - 1].version is not each.version
    )
    accepted = [
        not list(schema_findings(STACK, wanted, applied=before, now=NOW))
        for before in (applied, merged)
    ]
    assert accepted[0] == accepted[1]


@settings(deadline=None)
@given(LISTS, LISTS, st.integers(0, 47))
def test_what_is_applied_is_accepted_again(
    wanted: tuple[Schema, ...], applied: tuple[Schema, ...], hours: int
) -> None:
    """A list without a fault has none when it is applied, then or later; order is no matter."""
    first = list(schema_findings(STACK, wanted, applied=applied, now=NOW))
    assert first == list(
        schema_findings(STACK, in_order(wanted), applied=in_order(applied), now=NOW)
    )
    if not first:
        later = NOW + timedelta(hours=hours)
        assert not list(schema_findings(STACK, wanted, applied=wanted, now=later))
