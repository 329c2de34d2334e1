# SPDX-License-Identifier: Apache-2.0
"""What is blamed, in which order, and what is nobody's fault."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    DEAD,
    EXTERNAL_SECRET,
    ITEM,
    SECRET,
    TOKEN,
    TRUSTED,
    USER,
    WORKS,
    A,
    B,
    C,
    a_delivery,
    a_gap,
    a_pair,
    a_pod,
    a_route,
    a_secret,
    a_source,
    a_vault,
    ago,
    content,
    look,
    said,
)
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop, Ref
from lokeys.core.route.diagnosis import Diagnosis, diagnose
from lokeys.core.route.hops import first_disagreement, hops, vault_ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import (
    AwsIamSource,
    PairKeys,
    PushSecretVault,
    RgwAdmin,
    RgwSource,
    SecretRef,
    SecretSource,
)
from lokeys.core.route.snapshot import LogLine, Snapshot, VaultFault, Why

KEYS = PairKeys(access_key_id="id", secret_access_key="secret")
ADMIN = RgwAdmin(endpoint="http://rgw", secret=SecretRef(name="admin", keys=KEYS))
RGW = RgwSource(uid="loki", admin=ADMIN)
A_SECRET = SecretSource(secret=SecretRef(name="key", keys=KEYS), namespace="monitoring")
STALE = {"source": B, "verdicts": {A: DEAD, B: WORKS}}
FORBIDDEN = (a_gap(Hop.SOURCE, USER, Why.FORBIDDEN),)


def causes(seen: Snapshot) -> list[str]:
    """Return the causes of the errors, best explanation first."""
    return [f.cause or f.code for f in diagnose(seen).findings if f.is_error]


def mended(**changes: Any) -> dict[str, Any]:
    """Return a look at a Secret that was mended to B while pods run with A, which is dead."""
    known = content(B, since=ago(minutes=5), old_pods=("u-loki-0",), before=A)
    whole = {"source": B, "vault": B, "secret": B, "verdicts": {B: WORKS}}
    return {**whole, "memory": Memory(content=known, refused=(A.pair,)), **changes}


BLAME = {
    "the runbook's story": ({**STALE}, ["vault_behind_source"]),
    "vault and Secret each missed a change": (
        {"source": C, "vault": B, "verdicts": {A: DEAD, B: DEAD, C: WORKS}},
        ["vault_behind_source", "secret_behind_vault"],
    ),
    "the vault is mended, the Secret not yet": (
        {**STALE, "vault": B},
        ["secret_behind_vault"],
    ),
    "the Secret is mended, the pods not yet": (mended(), ["pods_behind_secret"]),
    "everything is mended but the vault, which would undo it": (
        {**STALE, "secret": B, "memory": Memory(content=content(B))},
        ["vault_behind_source"],
    ),
    "the vault is likely behind, the pods surely": (
        mended(source=C, vault=B, verdicts={B: WORKS}, memory=mended()["memory"]),
        ["pods_behind_secret"],
    ),
    "source and vault are both dead": (
        {"source": B, "verdicts": {A: DEAD, B: DEAD}},
        ["source_key_dead", "vault_behind_source"],
    ),
    "a torn vault does not make the Secret torn": (
        {**STALE, "vault": a_pair("B/A")},
        ["vault_pair_torn", "secret_behind_vault"],
    ),
    "a pod that was replaced for this key is blamed alone": (
        mended(memory=Memory(content=mended()["memory"].content, replaced={"loki-0": B.pair})),
        ["pods_behind_secret"],
    ),
    "a suspended user is told where only the Secret can be read": (
        {
            "source": None,
            "vault": None,
            "unreadable": FORBIDDEN,
            "verdicts": {A: said(Answer.SUSPENDED)},
        },
        ["user_suspended"],
    ),
    "the source is dead, whatever RGW is": (
        {"route": {"source": RGW}, "source": a_source(rook=None), "verdicts": {A: DEAD}},
        ["source_key_dead"],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), BLAME.values(), ids=BLAME.keys())
def test_the_first_cause_is_where_the_key_goes_stale(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """Each disagreement is told once, at its hop; the earliest hop is the best explanation."""
    assert causes(look(**changes)) == expected


def test_a_later_hop_is_never_surer_than_an_earlier_one() -> None:
    """A Secret that surely differs from a vault that is likely behind: likely, and second."""
    found = diagnose(look(source=C, vault=B, verdicts={A: DEAD})).findings
    assert [(f.cause, f.confidence) for f in found] == [
        ("vault_behind_source", Confidence.LIKELY),
        ("secret_behind_vault", Confidence.LIKELY),
    ]
    assert found[0].evidence[0].startswith("the source holds k:")


NOBODYS_FAULT = {
    "a sidecar is broken, Loki writes": {"pods": (a_pod(ready=False, containers_ready="1/2"),)},
    "a sidecar is broken, Loki is idle": {"pods": (a_pod(ready=False, accepted=0),)},
    "a pod restarts, Loki writes": {"pods": (a_pod(restarts=9, probe_failures=40),)},
    "404s alone": {"pods": (a_pod(missing=99),)},
    "a secret that looks like base64 and works": {
        "source": a_pair("A="),
        "vault": a_pair("A="),
        "secret": a_pair("A="),
        "verdicts": {a_pair("A="): WORKS},
        "memory": Memory(content=content(a_pair("A="))),
    },
}


@pytest.mark.parametrize("changes", NOBODYS_FAULT.values(), ids=NOBODYS_FAULT.keys())
def test_what_is_not_about_credentials_is_not_told(changes: dict[str, Any]) -> None:
    """Nothing is said about errors that are not about storage credentials."""
    assert diagnose(look(**changes)).findings == ()


def test_a_broken_sidecar_is_not_blamed_on_a_stale_vault() -> None:
    """The key in the pod still works: its unreadiness is another story than the vault's."""
    seen = look(source=B, verdicts={A: WORKS, B: WORKS}, pods=(a_pod(ready=False, restarts=3),))
    (found,) = diagnose(seen).findings
    assert found.code == "LK0403"
    assert found.symptoms == ()


def test_refused_requests_of_a_key_that_works_stand_alone() -> None:
    """The vault is behind, but this pod has the right key: its 403s have another reason."""
    known = Memory(content=content(B))
    seen = look(**STALE, secret=B, memory=known, pods=(a_pod(refused=2),))
    first, second = diagnose(seen).findings
    assert (first.cause, first.symptoms) == ("vault_behind_source", ())
    assert (second.code, second.confidence) == ("LK0614", Confidence.POSSIBLE)


def test_symptoms_of_several_pods_are_added_up() -> None:
    """Counts are summed, times are the first and the last."""
    lines = [
        LogLine(cause="access_key_unknown", count=n, first_at=ago(hours=n), last_at=ago(minutes=n))
        for n in (1, 2)
    ]
    pods = tuple(a_pod(f"loki-{n}", refused=1, log=(line,)) for n, line in enumerate(lines))
    (found,) = diagnose(look(**STALE, pods=pods)).findings
    by_code = {symptom.code: symptom for symptom in found.symptoms}
    log, refused = by_code["LK0801"], by_code["LK0614"]
    assert (log.count, log.first_seen, log.last_seen) == (3, ago(hours=2), ago(minutes=1))
    assert (refused.count, refused.first_seen) == (2, None)


def test_counters_fold_into_what_the_same_pods_log_says() -> None:
    """Where no hop can be read, the log explains the 403s and the failed flushes of its pod."""
    line = LogLine(cause="access_key_unknown", count=5)
    pod = a_pod(refused=4, flush_failures=2, log=(line,))
    seen = look(source=None, vault=None, verdicts={}, unreadable=FORBIDDEN, pods=(pod,))
    first = diagnose(seen).findings[0]
    assert first.code == "LK0801"
    assert {s.code for s in first.symptoms} == {"LK0614", "LK0613"}


def test_a_suspended_user_is_told_once_for_all_pods_whose_logs_say_so() -> None:
    """It is the user's fault, not a pod's; and a key that a suspended user has explains 403s."""
    line = LogLine(cause="user_suspended", count=50)
    pods = (a_pod("loki-0", refused=4, log=(line,)), a_pod("loki-1", log=(line,)))
    (found,) = diagnose(look(pods=pods)).findings
    assert (found.code, found.object) == ("LK0303", Ref("CephObjectStoreUser", "loki", "storage"))
    assert [text[:31] for text in found.evidence] == ["50 line(s) in the log of Pod mo"] * 2
    assert [(s.code, s.count) for s in found.symptoms] == [("LK0614", 4)]


def test_a_log_about_the_bucket_does_not_explain_403s() -> None:
    """A missing bucket is 404: what is refused stands beside it."""
    pod = a_pod(refused=4, log=(LogLine(cause="bucket_not_found", count=5),))
    assert {f.code for f in diagnose(look(pods=(pod,))).findings} == {"LK0804", "LK0614"}


GAPS = {
    "nothing is missing": ((), True, ()),
    "a thing that does not exist was looked at": (
        (a_gap(Hop.DELIVERY, EXTERNAL_SECRET, Why.NOT_FOUND),),
        True,
        (),
    ),
    "what is forbidden was not": (
        (a_gap(Hop.VAULT, ITEM, Why.FORBIDDEN), a_gap(Hop.VAULT, ITEM, Why.FORBIDDEN, "twice")),
        False,
        (f"{ITEM}: forbidden",),
    ),
    "what a missing token hides was not": (
        (a_gap(Hop.VAULT, TOKEN, Why.NOT_FOUND),),
        False,
        (f"{TOKEN}: does not exist",),
    ),
}


@pytest.mark.parametrize(("gaps", "complete", "unread"), GAPS.values(), ids=GAPS.keys())
def test_a_report_says_whether_it_is_whole(
    gaps: tuple[Any, ...], complete: bool, unread: tuple[str, ...]
) -> None:
    """Complete means that everything there is was read."""
    diagnosis: Diagnosis = diagnose(look(unreadable=gaps))
    assert (diagnosis.complete, diagnosis.not_read) == (complete, unread)


def test_a_store_that_does_not_answer_makes_a_report_incomplete() -> None:
    """Nobody knows whether a key works that could not be tried."""
    assert not diagnose(look(verdicts={A: said(Answer.UNREACHABLE)})).complete


def test_a_malformed_key_names_its_data_key() -> None:
    """`field` is where the value stands, in each hop's own words."""
    bad = a_pair("A!")
    refused = {bad: said(Answer.WRONG_SECRET)}
    sources = {a_route().source: "SecretKey", A_SECRET: "secret", RGW: "secret_key"}
    for source, field in sources.items():
        seen = look(route={"source": source}, source=bad, verdicts=refused)
        assert diagnose(seen).findings[0].field == field
    vaulted = look(vault=bad, verdicts={A: WORKS, **refused})
    assert diagnose(vaulted).findings[0].field == "secret_key"
    pushed = look(route={"vault": PushSecretVault(name="p")}, vault=bad, verdicts=refused)
    assert diagnose(pushed).findings[0].field == "AWS_SECRET_ACCESS_KEY"
    delivered = look(secret=bad, verdicts={A: WORKS, **refused})
    assert diagnose(delivered).findings[0].field == "AWS_SECRET_ACCESS_KEY"


REFS = {
    "Rook's user": (a_route().source, "CephObjectStoreUser storage/loki"),
    "RGW's user": (RGW, "RGWUser/loki"),
    "an IAM user": (AwsIamSource(user_name="loki"), "IAMUser/loki"),
    "a Secret": (A_SECRET, "Secret monitoring/key"),
}


@pytest.mark.parametrize(("source", "name"), REFS.values(), ids=REFS.keys())
def test_a_source_has_a_name_before_it_was_read(source: Any, name: str) -> None:
    """A route is shown even where nothing of it could be read."""
    view = hops(look(route={"source": source}, source=None))[0]
    assert (str(view.ref), view.detail) == (name, "offers no key")


def test_a_route_is_shown_hop_by_hop() -> None:
    """Each hop with what it holds, and where the key goes stale."""
    views = hops(look(**STALE, pods=(a_pod(refused=1, containers_ready="1/2"),)))
    assert [view.hop.value for view in views] == [
        "source",
        "vault",
        "delivery",
        "secret",
        "pods",
        "store",
    ]
    broken = first_disagreement(views)
    assert broken is not None
    assert broken.ref == ITEM
    assert views[4].detail == "1/2 ready, 403 from storage"
    assert first_disagreement(hops(look())) is None


HOPS = {
    "a Secret that is gone disagrees": (
        {"secret": None, "unreadable": (a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND),)},
        3,
        (False, "does not exist"),
    ),
    "a Secret that was not read says nothing": (
        {"secret": None, "unreadable": (a_gap(Hop.SECRET, SECRET, Why.FORBIDDEN),)},
        3,
        (None, "not readable: forbidden"),
    ),
    "a vault whose token is missing": (
        {"vault": None, "unreadable": (a_gap(Hop.VAULT, TOKEN, Why.NOT_FOUND),)},
        1,
        (None, "not readable: Secret vaults/connect-token does not exist"),
    ),
    "a vault whose token may not be read": (
        {"vault": None, "unreadable": (a_gap(Hop.VAULT, TOKEN, Why.FORBIDDEN),)},
        1,
        (None, "not readable: Secret vaults/connect-token: forbidden"),
    ),
    "a vault that nobody read": ({"vault": None}, 1, (None, "")),
    "a vault with a fault": (
        {"vault": a_vault(None, fault=VaultFault.READ_ONLY)},
        1,
        (None, "not readable: writing is refused"),
    ),
    "a vault without a version": (
        {"vault": a_vault(version=None)},
        1,
        (True, "the store says: accepted"),
    ),
    "an ExternalSecret without a condition": (
        {"delivery": a_delivery(reason="")},
        2,
        (None, "no condition yet"),
    ),
    "an ExternalSecret that is not there": ({"delivery": None}, 2, (None, "does not exist")),
    "a blank Secret": ({"secret": a_secret(a_pair("-"))}, 3, (False, "blank")),
    "no pods": ({"pods": ()}, 4, (None, "no pods")),
    "a store that was not asked": ({"verdicts": {}}, 5, (None, "not asked")),
    "a store that refuses": ({"verdicts": {A: DEAD}}, 5, (False, "the key id is unknown")),
}


@pytest.mark.parametrize(("changes", "place", "said"), HOPS.values(), ids=HOPS.keys())
def test_what_a_hop_says(
    changes: dict[str, Any], place: int, said: tuple[bool | None, str]
) -> None:
    """Whether it agrees with the hop before it, and its own word."""
    view = hops(look(**changes))[place]
    assert (view.agrees, view.detail) == said


def test_a_route_without_vault_and_workloads_is_short() -> None:
    """Only the hops that there are."""
    bare = {"vault": None, "external_secret": None, "workloads": ()}
    views = hops(look(route=bare, pods=(), workloads=()))
    assert [view.hop.value for view in views] == ["source", "secret", "store"]
    assert vault_ref(a_route(**bare)) is None
    pushed = a_route(vault=PushSecretVault(name="push"))
    assert vault_ref(pushed) == Ref("PushSecret", "push", "monitoring")


def test_a_pod_at_risk_is_told_without_its_metrics() -> None:
    """What is in its memory is said where it can be read, and the risk in any case."""
    for metrics, lines in ((a_pod().metrics, "12 chunks"), (None, "not known")):
        seen = look(**mended(pods=(a_pod(wal_persistent=False, metrics=metrics),)))
        risk = next(f for f in diagnose(seen).findings if f.cause == "wal_not_persistent")
        assert lines in risk.evidence[0]


def test_a_trusted_key_reads_as_an_accepted_one() -> None:
    """How deep the test went is no news."""
    assert diagnose(look(verdicts={A: TRUSTED})) == diagnose(look())
