# SPDX-License-Identifier: Apache-2.0
"""Of a running Loki's route only what is proved is judged; the rest is said."""

from itertools import product
from typing import Any

import pytest

from builders import A, B, a_pod, a_route, a_secret, a_snapshot, a_vault, content, said
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.discovery.model import GUESS, UNKNOWN, Discovered
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RookSource, UnknownSource
from lokeys.core.route.snapshot import LokiMetrics, VaultState

USER = RookSource(user="loki", namespace="storage")


def found(**changes: Any) -> Discovered:
    """Return a discovered route."""
    spec = a_route(source=changes.pop("source", USER))
    return Discovered(spec=spec, **changes)


def test_a_proved_route_is_judged_whole() -> None:
    """Nothing is left out, and nothing is to be said."""
    whole = found()
    assert (whole.proved, whole.doubt) == (whole.spec, "")


def test_a_guess_is_left_out_and_named() -> None:
    """The vault and the Secret are compared without it."""
    guess = found(sure=False, notes={GUESS: "a guess: by its name, among storage/loki"})
    assert guess.proved.source == UnknownSource()
    assert guess.proved.vault == guess.spec.vault
    assert guess.doubt == (
        "CephObjectStoreUser storage/loki is a guess: by its name, among storage/loki; "
        "vault and Secret are compared"
    )


def test_without_source_and_vault_nothing_is_compared() -> None:
    """That is said, and what is to be filled in is not called by its placeholder."""
    notes = {
        "spec.source": f"{UNKNOWN}: no user can be seen",
        "spec.vault": f"{UNKNOWN}: no item is named",
    }
    blank = found(source=UnknownSource(), sure=False, notes=notes)
    assert blank.proved.vault is None
    assert blank.doubt == (
        "no user can be seen; no item is named; its Secret is compared with nothing before it"
    )


def test_a_vault_with_a_blank_is_left_out_alone() -> None:
    """The source stays."""
    blank = found(notes={"spec.vault.onePassword.item": f"{UNKNOWN}: no item is named"})
    assert (blank.proved.source, blank.proved.vault) == (USER, None)
    assert blank.doubt == "no item is named; source and Secret are compared"


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("vault", [None, a_vault(A), a_vault(B)], ids=["none", "equal", "other"])
@pytest.mark.parametrize("refused", [0, 3], ids=["no 403", "403s"])
def test_no_error_rests_on_a_source_that_nobody_knows(
    answer: Answer, vault: VaultState | None, refused: int
) -> None:
    """Whatever the store, the vault and the pods say: no error is one of the source."""
    for held, other in product((A, B), Answer):
        metrics = LokiMetrics(at=a_snapshot().at, accepted=2, refused=refused)
        seen = a_snapshot(
            spec=a_route(source=UnknownSource()),
            source=None,
            vault=vault,
            secret=a_secret(held),
            pods=(a_pod(metrics=metrics),),
            verdicts={A: said(answer), B: said(other)},
            memory=Memory(content=content(held)),
        )
        diagnosis = diagnose(seen)
        wrong = [f for f in diagnosis.findings if f.is_error and f.hop in (Hop.SOURCE, Hop.VAULT)]
        assert [f.cause for f in wrong if f.cause != "user_suspended"] == []
        assert "enable --uid=loki-s3" not in str([f.remedy for f in wrong])
        assert all(view.hop is not Hop.SOURCE for view in diagnosis.hops)
