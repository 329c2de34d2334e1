# SPDX-License-Identifier: Apache-2.0
"""What a status remembers, and that no status is too long or too strange."""

from dataclasses import fields, replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.route.memory import Bridge, Content, Held, Memory, Offered
from lokeys.core.route.resource.status import fitted, memory_from_status, memory_to_status
from lokeys.core.route.resource.status_schema import MEMORY
from lokeys.core.schema.language import Fields
from lokeys.core.sensitive import Fingerprint

CONTENT = MEMORY.fields["content"]
assert isinstance(CONTENT, Fields)
prints = st.binary(min_size=32, max_size=32).map(lambda it: Fingerprint(f"k:{it.hex()}"))
moments = st.datetimes(timezones=st.just(UTC))
words = st.text(min_size=1, max_size=20)
contents = st.builds(
    Content,
    pair=prints,
    since=moments,
    exact=st.booleans(),
    old_pods=st.lists(words, max_size=3).map(tuple),
    before=st.none() | prints,
)
memories = st.builds(
    Memory,
    content=st.none() | contents,
    source_held=st.lists(prints, max_size=3).map(tuple),
    refused=st.lists(prints, max_size=3).map(tuple),
    forced_for=st.none() | prints,
    forced_count=st.integers(0, 9),
    forced_at=st.none() | moments,
    replaced=st.dictionaries(words, prints, max_size=3),
    blocked_since=st.dictionaries(words, moments, max_size=3),
    flushed=st.dictionaries(words, moments, max_size=3),
    refreshed_source_at=st.none() | moments,
    revalidated_at=st.none() | moments,
    held=st.dictionaries(words, st.builds(Held, pair=prints, started_at=moments), max_size=3),
    bridge=st.none()
    | st.builds(
        Bridge,
        pair=prints,
        key_id=prints,
        source=words,
        since=moments,
        until=moments,
        added_at=st.none() | moments,
    ),
    offered=st.none()
    | st.builds(Offered, source=words, pairs=st.lists(prints, min_size=1, max_size=3).map(tuple)),
    barred=st.lists(prints, max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | prints
    | st.just("2026-01-01T00:00:00Z")
    | st.just("0001-01-01T00:00:00+14:00"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


@given(memories)
def test_memory_survives_the_status(memory: Memory) -> None:
    """What is remembered is what was written, to the microsecond, and fits the schema.

    Which pods hold the Secret's own pair is not written: two looks tell it again.
    """
    written = memory_to_status(memory, key="k")
    present = memory.content.pair if memory.content else None
    kept = {uid: held for uid, held in memory.held.items() if held.pair != present}
    assert memory_from_status({"memory": written}, key="k") == replace(memory, held=kept)
    assert fitted({"memory": written}) == {"memory": written}


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(MEMORY.fields, JSON))
    | JSON
    | st.fixed_dictionaries(
        {"content": st.fixed_dictionaries({}, optional=dict.fromkeys(CONTENT.fields, JSON))}
    )
)
def test_a_status_made_by_hand_is_forgotten_not_feared(garbage: Any) -> None:
    """Whatever stands in a status, reading it gives a memory that can be written again."""
    kept = {**garbage, "key": "k"} if isinstance(garbage, dict) else garbage
    memory = memory_from_status({"memory": kept}, key="k")
    assert memory_from_status({"memory": memory_to_status(memory, key="k")}, key="k") == memory


@pytest.mark.parametrize("status", [None, [], "x", {}, {"memory": None}, {"memory": []}])
def test_no_memory_is_an_empty_one(status: object) -> None:
    """A new resource has nothing to remember."""
    assert memory_from_status(status, key="k") == Memory()
    assert memory_to_status(Memory(), key="k") == {"key": "k"}


@pytest.mark.parametrize(
    "broken",
    [
        {"pair": "k:short"},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"since": None},
        {"pair": 5},
    ],
    ids=str,
)
def test_content_without_its_facts_is_none(broken: dict[str, object]) -> None:
    """A fingerprint that is not whole or a time without its zone makes the content unknown."""
    content: dict[str, object] = {
        "pair": "k:" + "a" * 64,
        "since": "2026-01-01T00:00:00Z",
        "exact": True,
    }
    kept: dict[str, object] = {"key": "k", "content": content}
    assert memory_from_status({"memory": kept}, key="k").content is not None
    assert memory_from_status({"memory": kept}, key="another") == Memory()
    kept["content"] = content | broken
    assert memory_from_status({"memory": kept}, key="k").content is None


def test_what_a_pod_holds_is_known_whole_or_not_at_all() -> None:
    """A pair without its start says nothing of the container that runs now."""
    pair, started = "k:" + "a" * 64, "2026-01-01T00:00:00Z"
    held = {
        "whole": {"pair": pair, "startedAt": started},
        "no start": {"pair": pair},
        "no pair": {"pair": "k:a", "startedAt": started},
        "no record": pair,
    }
    known = memory_from_status({"memory": {"key": "k", "held": held}}, key="k").held
    assert set(known) == {"whole"}
    assert known["whole"].pair == pair


@pytest.mark.parametrize(("model", "schema"), [(Memory, MEMORY), (Content, CONTENT)])
def test_the_schema_knows_every_field_of_the_memory(model: type, schema: Fields) -> None:
    """A field that the schema lacked would be dropped by the API server without a word."""
    known = {camel(field.name) for field in fields(model)} - {
        "runs",
        "stopping",
    }  # which are not kept
    assert known == set(schema.fields) - {"key"}  # the operator's own, beside the memory


def test_a_status_is_cut_to_what_the_api_server_takes() -> None:
    """Too much is shortened and marked; nulls and unknown fields go; the rest stays as it is."""
    long = {
        "observedGeneration": 3,
        "nextStep": "x" * 2000,
        "findings": [{"code": "LK0301", "unknown": 1, "cause": None}] * 12,
        "memory": {"replaced": {f"pod-{n}": "k:" + "a" * 64 for n in range(2001)}},
        "odd": True,
    }
    cut = fitted(long)
    assert set(cut) == {"observedGeneration", "nextStep", "findings", "memory"}
    assert len(cut["nextStep"]) == 1024
    assert cut["nextStep"].endswith("x…")
    assert cut["findings"] == [{"code": "LK0301"}] * 10
    assert len(cut["memory"]["replaced"]) == 2000
