# SPDX-License-Identifier: Apache-2.0
"""Which of a user's keys is the route's present one: never a guess."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, A, B, C, live
from lokeys.core.route.slots import Slot, merged, present, slot_to_json
from lokeys.core.sensitive import PairFacts, short

BOTH = live(A, B)
A_AS_IAM_SHOWS_IT = replace(BOTH[0], facts=None)
A_WITH_ANOTHER_SECRET = replace(A, pair=C.pair, secret=C.secret)


@pytest.mark.parametrize(
    ("slots", "carried", "chosen"),
    [
        pytest.param((), (A, A), None, id="a user without keys has no present one"),
        pytest.param(live(A), (B, B), A, id="the only key is present, whatever the hops hold"),
        pytest.param(BOTH, (None, None), None, id="of two that no hop holds none is chosen"),
        pytest.param(BOTH, (C, C), None, id="a pair that is no key of the user chooses none"),
        pytest.param(BOTH, (None, B), B, id="of two the one that the Secret holds"),
        pytest.param(BOTH, (B, A), B, id="the vault is nearer to the source than the Secret"),
        pytest.param(BOTH, (C, A), A, id="a vault with a foreign pair leaves it to the Secret"),
        pytest.param(
            (BOTH[0], replace(BOTH[1], offered=True)),
            (A, A),
            B,
            id="the source itself says so",
        ),
        pytest.param(
            (BOTH[0], replace(BOTH[1], active=False)), (B, B), A, id="one switched off is no key"
        ),
        pytest.param(
            (BOTH[0], replace(BOTH[1], listed=False)),
            (B, B),
            A,
            id="one that the store does not list is no key",
        ),
        pytest.param(
            BOTH, (A_WITH_ANOTHER_SECRET, None), A, id="of a known id the source's secret counts"
        ),
        pytest.param(
            (A_AS_IAM_SHOWS_IT, BOTH[1]),
            (A, None),
            A,
            id="a secret that the store never shows is what the hop holds",
        ),
        pytest.param((A_AS_IAM_SHOWS_IT,), (None, A), A, id="the only key, shown by the Secret"),
        pytest.param((A_AS_IAM_SHOWS_IT,), (B, None), None, id="the only key, shown by nobody"),
    ],
)
def test_the_present_pair(
    slots: tuple[Slot, ...], carried: tuple[PairFacts | None, ...], chosen: PairFacts | None
) -> None:
    """The source's word, the only key, or what the route carries; nothing else."""
    assert present(slots, carried) == chosen


@given(
    slots=st.lists(st.sampled_from([A, B, C]), unique=True).map(lambda pairs: live(*pairs)),
    carried=st.tuples(*[st.sampled_from([A, B, C, None])] * 2),
)
def test_a_key_of_several_is_present_only_if_a_hop_holds_it(
    slots: tuple[Slot, ...], carried: tuple[PairFacts | None, ...]
) -> None:
    """Whatever is chosen is a key of the user; of several, one that the route carries."""
    chosen = present(slots, carried)
    if chosen is not None:
        assert chosen in [slot.facts for slot in slots]
        assert len(slots) == 1 or chosen in carried


def test_what_is_declared_and_what_the_store_lists_are_one_list() -> None:
    """A declared key that the store lacks says so; one that nothing declares comes with them."""
    declared = [replace(slot, listed=None, declared_by="s") for slot in live(A, B)]
    both = merged(declared, live(B, C))
    assert [(slot.facts, slot.listed, slot.declared_by) for slot in both] == [
        (A, False, "s"),
        (B, True, "s"),
        (C, True, None),
    ]


def test_a_slot_as_a_program_reads_it() -> None:
    """Fingerprints only; `present` says which one the route uses."""
    slot = replace(BOTH[1], since=NOW, declared_by="lokeys-loki-1")
    assert slot_to_json(slot, present=B) == {
        "keyId": short(B.key_id),
        "hint": slot.hint,
        "fingerprint": short(B.pair),
        "present": True,
        "offered": False,
        "declaredBy": "lokeys-loki-1",
        "listed": True,
        "active": True,
        "since": "2026-03-01T12:00:00Z",
    }
    assert slot_to_json(A_AS_IAM_SHOWS_IT, present=None)["fingerprint"] is None
