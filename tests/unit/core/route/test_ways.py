# SPDX-License-Identifier: Apache-2.0
"""What lokeys meets on its own way to the store is not called a fault of Loki's."""

from typing import Any

import pytest

from builders import A, B, a_delivery, a_pair, a_pod, a_snapshot, a_vault, a_workload, said
from lokeys.core.findings.finding import Confidence, Finding, Severity
from lokeys.core.findings.store_answers import RULE_OF_ANSWER
from lokeys.core.findings.verdict import Answer
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.place import Hop
from lokeys.core.route.diagnosis import Diagnosis, diagnose
from lokeys.core.route.model import Bucket
from lokeys.core.route.snapshot import LogLine, LokiMetrics, PodState, Unreadable, VaultFault, Why

CERTAIN, LIKELY = Confidence.CERTAIN, Confidence.LIKELY
ERROR, WARNING = Severity.ERROR, Severity.WARNING
OF_THE_WAY = (
    Answer.NOT_S3,
    Answer.TLS_UNKNOWN_AUTHORITY,
    Answer.TLS_NAME_MISMATCH,
    Answer.TLS_SCHEME_MISMATCH,
    Answer.CLOCK_SKEW,
)


def pod(*, accepted: int = 0, refused: int = 0, says: str = "") -> PodState:
    """Return a pod with counters, and with one complaint in its log."""
    metrics = LokiMetrics(at=a_snapshot().at, accepted=accepted, refused=refused)
    return a_pod(metrics=metrics, log=(LogLine(cause=says, count=1),) if says else ())


def judged(answer: Answer, *pods: PodState, **verdict: Any) -> Diagnosis:
    """Return what is said of a route whose store answers so from here."""
    return diagnose(a_snapshot(verdicts={A: said(answer, **verdict)}, pods=pods))


def told(diagnosis: Diagnosis, answer: Answer) -> Finding:
    """Return the finding of an answer."""
    code = RULE_OF_ANSWER[answer].code
    (found,) = (f for f in diagnosis.findings if f.code == code and f.hop is Hop.STORE)
    return found


@pytest.mark.parametrize("answer", OF_THE_WAY)
@pytest.mark.parametrize("pods", [(), (pod(accepted=9),), (pod(refused=9),)])
def test_another_way_than_lokis_is_no_fault(answer: Answer, pods: tuple[PodState, ...]) -> None:
    """A proxy's page, an authority that is not trusted here, this clock: a warning and exit 5."""
    diagnosis = judged(answer, *pods)
    found = told(diagnosis, answer)
    assert (found.severity, found.confidence) == (WARNING, LIKELY)
    assert "Loki may get another answer" in found.evidence[-1]
    assert not diagnosis.complete


@pytest.mark.parametrize("answer", OF_THE_WAY)
def test_what_loki_meets_as_well_is_an_error(answer: Answer) -> None:
    """Its own log says the same."""
    diagnosis = judged(answer, pod(says=str(RULE_OF_ANSWER[answer].cause)))
    assert (told(diagnosis, answer).severity, told(diagnosis, answer).confidence) == (
        ERROR,
        CERTAIN,
    )
    assert diagnosis.complete


@pytest.mark.parametrize("answer", [Answer.DENIED, Answer.WRONG_REGION])
@pytest.mark.parametrize(
    ("pods", "action", "expected"),
    [
        pytest.param((pod(accepted=9),), "list", (WARNING, LIKELY), id="Loki's list works"),
        pytest.param((pod(accepted=9),), "delete", (ERROR, LIKELY), id="Loki deletes later"),
        pytest.param((), "list", (ERROR, LIKELY), id="nothing is seen of Loki"),
        pytest.param(
            (a_pod("loki-1", metrics=None), pod(accepted=9)),
            "list",
            (ERROR, LIKELY),
            id="one says nothing",
        ),
        pytest.param((pod(refused=9),), "list", (ERROR, CERTAIN), id="Loki meets 403, too"),
    ],
)
def test_an_answer_to_who_asks_is_weighed_by_lokis_own(
    answer: Answer, pods: tuple[PodState, ...], action: str, expected: tuple[Severity, Confidence]
) -> None:
    """A policy can name networks, and a region can be given to Loki in another way."""
    diagnosis = judged(answer, *pods, action=action)
    found = told(diagnosis, answer)
    assert (found.severity, found.confidence) == expected
    assert diagnosis.complete is (found.severity is ERROR)


@pytest.mark.parametrize("answer", [Answer.NO_BUCKET, Answer.FULL])
def test_what_the_store_says_of_itself_is_so_from_everywhere(answer: Answer) -> None:
    """Whatever Loki's counters hold from before."""
    found = told(judged(answer, pod(accepted=9)), answer)
    assert (found.severity, found.confidence) == (ERROR, CERTAIN)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({A: said(), B: said()}, (WARNING, LIKELY)),
        ({B: said()}, (ERROR, LIKELY)),
        ({A: said(Answer.UNKNOWN_KEY), B: said()}, (ERROR, CERTAIN)),
    ],
    ids=["its own pair works", "it was not tried", "it is refused"],
)
@pytest.mark.parametrize("vault", [None, B], ids=["behind the source", "behind the vault"])
def test_a_secret_that_differs_is_as_bad_as_its_own_pair(
    verdicts: Any, vault: Any, expected: tuple[Severity, Confidence]
) -> None:
    """Loki loses nothing with a pair that the store takes, and what was not tried is not sure."""
    route: dict[str, Any] = {} if vault else {"vault": None, "external_secret": None}
    seen = a_snapshot(route=route, source=B, vault=vault, secret=A, verdicts=verdicts)
    (found,) = (f for f in diagnose(seen).findings if f.code in ("LK0501", "LK0512"))
    assert (found.severity, found.confidence) == expected


TORN = a_pair("B/A")


@pytest.mark.parametrize(
    ("verdicts", "confidence"),
    [({}, LIKELY), ({TORN: said(Answer.WRONG_SECRET)}, CERTAIN)],
    ids=["not tried", "refused"],
)
@pytest.mark.parametrize("where", ["vault", "secret"])
def test_a_torn_pair_is_certain_once_the_store_refuses_it(
    where: str, verdicts: Any, confidence: Confidence
) -> None:
    """Two halves of two pairs can also be a pair of their own, which nobody has tried."""
    seen = a_snapshot(source=A, **{where: TORN}, verdicts={A: said(), **verdicts})
    codes = {"vault": "LK0402", "secret": "LK0502"}
    (found,) = (f for f in diagnose(seen).findings if f.code == codes[where])
    assert (found.severity, found.confidence) == (ERROR, confidence)


def test_an_owner_is_asked_once_for_one_address() -> None:
    """A key that is not tried and an admin API that is not asked can be of one Secret."""
    secret = a_snapshot().spec.secret_ref
    gap = Unreadable(hop=Hop.SOURCE, ref=secret, why=Why.URL_NOT_ALLOWED)
    seen = a_snapshot(source=None, unreadable=(gap,), trying=Trying.CONSENT, verdicts={})
    found = [f for f in diagnose(seen).findings if f.code == "LK0317"]
    assert [f.object for f in found] == [secret]
    assert seen.spec.bucket.endpoint in found[0].message


@pytest.mark.parametrize(("refused", "severity"), [(0, WARNING), (3, ERROR)])
def test_a_secret_of_another_store_is_no_fault_while_loki_writes(
    refused: int, severity: Severity
) -> None:
    """The resource names one host, and Loki's configuration another: that is said beside it."""
    away = a_workload(writes_to="https://archive.example")
    seen = a_snapshot(
        route={"vault": None, "external_secret": None},
        source=B,
        secret=A,
        workloads=(away,),
        pods=(a_pod(refused=refused),),
        verdicts={B: said()},
    )
    found = {f.code: f for f in diagnose(seen).findings}
    assert found["LK0512"].severity is severity
    assert "https://archive.example" in found["LK0318"].message


@pytest.mark.parametrize(
    ("writes_to", "differs"),
    [
        pytest.param("http://rgw.storage:8080", False, id="the same"),
        pytest.param("http://rgw.storage.svc.cluster.local:8080", False, id="a long name"),
        pytest.param("http://rgw.storage:8081", True, id="another port"),
        pytest.param("https://rgw.storage:8080", True, id="another scheme"),
        pytest.param("http://rgw.storage", True, id="the scheme's own port"),
        pytest.param("http://rgw.other:8080", True, id="another host"),
    ],
)
def test_an_address_is_scheme_host_and_port(writes_to: str, *, differs: bool) -> None:
    """Another store may answer at another port of the same host."""
    bucket = Bucket(name="logs", endpoint="http://rgw.storage.svc:8080")
    seen = a_snapshot(route={"bucket": bucket}, workloads=(a_workload(writes_to=writes_to),))
    assert ("LK0318" in {f.code for f in diagnose(seen).findings}) is differs


@pytest.mark.parametrize("writes_to", ["http://rgw", "http://rgw.monitoring.svc:80"])
def test_a_service_of_the_routes_own_namespace_is_called_by_its_name(writes_to: str) -> None:
    """Loki is in the route's namespace: there a name without a dot is a Service of it."""
    bucket = Bucket(name="logs", endpoint="http://rgw.monitoring.svc")
    seen = a_snapshot(route={"bucket": bucket}, workloads=(a_workload(writes_to=writes_to),))
    assert "LK0318" not in {f.code for f in diagnose(seen).findings}


def test_an_address_that_cannot_be_printed_is_not() -> None:
    """Whoever writes Loki's configuration writes what they like into it."""
    odd = a_workload(writes_to="http://a:b@evil.example/\x1b[2J")
    (found,) = (f for f in diagnose(a_snapshot(workloads=(odd,))).findings if f.code == "LK0318")
    assert "says another one:" in found.message


@pytest.mark.parametrize(
    ("ready", "verdicts", "expected"),
    [
        (True, {A: said()}, (WARNING, Confidence.POSSIBLE)),
        (True, {}, (ERROR, LIKELY)),
        (None, {A: said()}, (ERROR, LIKELY)),
        (False, {A: said()}, (ERROR, CERTAIN)),
    ],
    ids=[
        "it reads, and the key works",
        "the key was not tried",
        "it says nothing",
        "it fails, too",
    ],
)
def test_a_name_that_is_not_found_is_weighed_by_what_external_secrets_says(
    ready: bool | None, verdicts: Any, expected: tuple[Severity, Confidence]
) -> None:
    """It reads by names of its own; those of the route may be wrong."""
    seen = a_snapshot(
        vault=a_vault(None, fault=VaultFault.FIELD_NOT_FOUND),
        delivery=a_delivery(ready=ready),
        verdicts=verdicts,
    )
    (found,) = (f for f in diagnose(seen).findings if f.code == "LK0409")
    assert (found.severity, found.confidence) == expected
