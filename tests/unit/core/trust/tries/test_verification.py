# SPDX-License-Identifier: Apache-2.0
"""What a try shows of a way to the bucket, and what the stack's condition says of it."""

from __future__ import annotations

import pytest

from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, Untried, broken, held, untried
from lokeys.core.trust.tries.verification import (
    ConditionWords,
    LinkName,
    Verification,
    condition_words,
    in_order,
)

SECRET = Link(name=LinkName.SECRET, ok=True)
TOKEN = Link(name=LinkName.TOKEN, ok=True)
TRUST = Link(name=LinkName.TRUST, ok=True)
STORE = Link(name=LinkName.STORE, ok=True, detail="put, get, list and delete work")
FORBIDDEN = Link(name=LinkName.TOKEN, ok=None, detail="may not ask", untried=Untried.NOT_PERMITTED)
REFUSED = Link(
    name=LinkName.TRUST,
    ok=False,
    detail="the subject differs",
    cause="sts_trust_policy_denied",
    confidence=Confidence.POSSIBLE,
)
SILENT = Link(name=LinkName.STORE, ok=None, detail="no answer", untried=Untried.NOT_TRIED)


def way(*links: Link, account: str = "logs") -> Verification:
    return Verification(account=account, links=links)


def not_reached(name: LinkName) -> Link:
    return Link(name=name, ok=None)


@pytest.mark.parametrize(
    ("tried", "verified", "refused"),
    [
        pytest.param(way(SECRET, TOKEN, TRUST, STORE), True, False, id="whole"),
        pytest.param(way(SECRET, STORE), True, False, id="a static key"),
        pytest.param(way(SECRET, TOKEN, TRUST), None, False, id="the store was not asked"),
        pytest.param(way(SECRET, FORBIDDEN), None, False, id="no right to ask for a token"),
        pytest.param(way(SECRET, SILENT), None, False, id="the store gave no answer"),
        pytest.param(
            way(SECRET, TOKEN, REFUSED, not_reached(LinkName.STORE)), False, True, id="refused"
        ),
        pytest.param(
            way(Link(name=LinkName.SECRET, ok=False), not_reached(LinkName.STORE)),
            False,
            False,
            id="broken before anybody was asked",
        ),
    ],
)
def test_a_way_is_verified_to_its_end_or_not_at_all(
    tried: Verification, verified: bool | None, refused: bool
) -> None:
    """True needs the store's yes; silence is neither yes nor no; only others can refuse."""
    assert tried.verified is verified
    assert tried.refused is refused


def test_only_what_another_try_may_tell_is_left_open() -> None:
    """Silence is; a right that lacks is not, nor is what holds or breaks."""
    assert way(SECRET, SILENT).left_open
    for tried in (way(SECRET, FORBIDDEN), way(SECRET, STORE), way(SECRET, REFUSED)):
        assert not tried.left_open


def test_the_first_broken_link_is_the_one_told() -> None:
    """What stands behind a break was not tried, and is not blamed."""
    assert way(SECRET, REFUSED, STORE).first_broken is REFUSED
    assert way(SECRET, STORE).first_broken is None
    assert way(SECRET, FORBIDDEN, not_reached(LinkName.STORE)).first_untried is FORBIDDEN


RULER = way(SECRET, TOKEN, TRUST, STORE, account="logs-ruler")
WHOLE = way(SECRET, TOKEN, TRUST, STORE)


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        pytest.param(
            (WHOLE, RULER),
            ConditionWords(
                status="True", reason="Verified", message="verified for logs, logs-ruler"
            ),
            id="both verified",
        ),
        pytest.param(
            (way(SECRET, FORBIDDEN), way(SECRET, TOKEN, REFUSED, account="logs-ruler")),
            ConditionWords(
                status="False",
                reason="StsTrustPolicyDenied",
                message="logs-ruler: trust: the subject differs (possible)",
            ),
            id="a broken one wins over one not tried",
        ),
        pytest.param(
            (WHOLE, way(SECRET, FORBIDDEN, account="logs-ruler")),
            ConditionWords(
                status="Unknown", reason="NotPermitted", message="logs-ruler: token: may not ask"
            ),
            id="no right",
        ),
        pytest.param(
            (way(SECRET, SILENT),),
            ConditionWords(status="Unknown", reason="NotTried", message="logs: store: no answer"),
            id="no answer",
        ),
        pytest.param(
            (way(SECRET),),
            ConditionWords(
                status="Unknown", reason="NotTried", message="logs: not tried to its end"
            ),
            id="nothing behind the Secret",
        ),
        pytest.param(
            (way(Link(name=LinkName.ISSUER, ok=False)),),
            ConditionWords(status="False", reason="IssuerBroken", message="logs: issuer: broken"),
            id="a break without a cause",
        ),
    ],
)
def test_the_condition_tells_the_worst_account(
    tries: tuple[Verification, ...], expected: ConditionWords
) -> None:
    """False names the first cause, Unknown why it could not be tried, True for whom it holds."""
    assert condition_words(tries) == expected


def test_without_a_try_the_last_word_stands() -> None:
    """A restarted operator says what was known until it has tried again; at first: NotTried."""
    before = ConditionWords(status="True", reason="Verified", message="verified for logs")
    assert condition_words((), previous=before) == before
    assert condition_words(()) == ConditionWords(status="Unknown", reason="NotTried")


WAY = (LinkName.SECRET, LinkName.TOKEN, LinkName.AUDIENCE, LinkName.TRUST, LinkName.STORE)


def test_the_last_word_about_a_link_counts_and_nothing_behind_a_break_holds() -> None:
    """A provider that refuses the audience breaks that link, whatever was worked out before."""
    links = [
        held(LinkName.SECRET),
        held(LinkName.TOKEN),
        held(LinkName.AUDIENCE, "sts"),
        broken(LinkName.AUDIENCE, "sts_wrong_audience", "not listed", evidence=["aud is sts"]),
        held(LinkName.TRUST),
    ]
    ordered = in_order(links, expected=WAY)
    assert [link.ok for link in ordered] == [True, True, False, None, None]
    assert ordered[2].evidence == ("aud is sts",)
    assert ordered[3].untried is None


def test_a_way_that_could_not_be_gone_on_ends_there() -> None:
    """Silence at one link leaves those behind it open, without a reason of their own."""
    links = [held(LinkName.SECRET), untried(LinkName.TOKEN, "no answer", cause="sts_unreachable")]
    ordered = in_order(links, expected=WAY)
    assert [link.ok for link in ordered] == [True, None, None, None, None]
    assert ordered[1].confidence is Confidence.POSSIBLE
    assert [link.untried for link in ordered[2:]] == [None, None, None]
