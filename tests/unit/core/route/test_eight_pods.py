# SPDX-License-Identifier: Apache-2.0
"""One trouble of many pods is one finding, which lists them."""

from typing import Any

import pytest

from builders import LOKI, USER, A, B, a_gap, a_pod, a_snapshot, a_workload, ago, content, said
from lokeys.core.findings.finding import Finding
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop, Ref
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.memory import Memory
from lokeys.core.route.snapshot import LogLine, PodState, Why

READ = Ref("Deployment", "loki-read", "monitoring")


def pods(count: int, **changes: Any) -> tuple[PodState, ...]:
    """Return pods of the StatefulSet that have the same trouble."""
    return tuple(a_pod(f"loki-{number}", **changes) for number in range(count))


def found(code: str, **changes: Any) -> list[Finding]:
    """Return the findings of a code; the store has nothing against the Secret's pair."""
    return [f for f in diagnose(a_snapshot(**changes)).findings if f.code == code]


def test_403s_of_eight_pods_are_one_finding() -> None:
    """It is at their workload; five are listed, and how many more there are."""
    (finding,) = found("LK0614", pods=pods(8, refused=3))
    assert finding.object == LOKI
    assert finding.evidence == (
        *(f"loki-{n}: 3 storage request(s) refused with 403 since it started" for n in range(5)),
        "and 3 more pods",
        "causes that would fit: the key, its permissions, or a bucket policy",
    )


def test_what_one_pod_says_is_at_the_pod() -> None:
    """Of one there is nothing to list."""
    (finding,) = found("LK0614", pods=pods(1, refused=3))
    assert finding.object == Ref("Pod", "loki-0", "monitoring")
    assert finding.evidence[0] == "3 storage request(s) refused with 403 since it started"


def test_each_workload_has_a_finding_of_its_own() -> None:
    """Readers and writers can have different troubles."""
    other = a_pod("loki-read-1", workload=READ, refused=3)
    workloads = (a_workload(), a_workload(ref=READ))
    told = found("LK0614", pods=(*pods(2, refused=3), other), workloads=workloads)
    assert {f.object for f in told} == {LOKI, other.ref}


@pytest.mark.parametrize(
    ("cause", "code"), [("endpoint_unreachable", "LK0812"), ("user_suspended", "LK0303")]
)
def test_a_complaint_of_eight_logs_is_one_finding(cause: str, code: str) -> None:
    """At the workload, or at the user whom all of them name."""
    log = (LogLine(cause=cause, count=2),)
    (finding,) = found(code, pods=pods(8, log=log))
    assert finding.object == (LOKI if code == "LK0812" else USER)
    assert len(finding.evidence) == 6
    assert "loki-0" in finding.evidence[0]


def test_symptoms_of_eight_pods_are_counted_beside_it() -> None:
    """403s go to the complaint that tells more."""
    log = (LogLine(cause="access_key_unknown", count=2),)
    (finding,) = found("LK0801", pods=pods(8, log=log, refused=3), verdicts={})
    assert [(s.code, s.count) for s in finding.symptoms] == [("LK0614", 24)]


def late(*named: PodState, **remembered: Any) -> dict[str, Any]:
    """Return a route whose key changed to B, and pods that still hold A."""
    old = tuple(pod.uid for pod in named)
    memory = Memory(
        content=content(B, since=ago(minutes=20), exact=True, before=A, old_pods=old),
        refused=(A.pair,),
        **remembered,
    )
    verdicts = {A: said(Answer.UNKNOWN_KEY), B: said()}
    hops = {"source": B, "vault": B, "secret": B}
    return {"pods": named, "memory": memory, "verdicts": verdicts, **hops}


def test_pods_that_hold_unsaved_lines_are_one_finding() -> None:
    """Also those whose metrics cannot be read."""
    sick = pods(3, wal_persistent=False, refused=3)
    blind = a_pod("loki-3", wal_persistent=False, metrics=None)
    (finding,) = found("LK0604", **late(*sick, blind))
    assert finding.object == LOKI
    assert finding.evidence[0].startswith("loki-0: 12 chunks in memory")
    assert finding.evidence[3] == (
        "loki-3: what it holds is not known: its metrics could not be read"
    )


def test_unsaved_lines_of_several_workloads_are_one_finding() -> None:
    """All that a restart would cost is one decision; each workload is named."""
    backend = Ref("StatefulSet", "backend", "monitoring")
    other = a_pod("backend-0", wal_persistent=False, refused=3, workload=backend)
    (finding,) = found("LK0604", **late(*pods(1, wal_persistent=False, refused=3), other))
    assert finding.message.startswith("Pod monitoring/")
    assert " and Pod monitoring/" in finding.message
    assert finding.message.endswith("lokeys does not restart them unattended")
    assert {line.partition(":")[0] for line in finding.evidence} >= {"loki-0", "backend-0"}


@pytest.mark.parametrize(("count", "place"), [(1, Ref("Pod", "loki-0", "monitoring")), (3, LOKI)])
def test_pods_that_a_budget_protects_are_one_finding(count: int, place: Ref) -> None:
    """It says since when the first was refused, and lists them where there are several."""
    sick = pods(count, refused=3)
    blocked = {pod.ref.name: ago(minutes=5 - number) for number, pod in enumerate(sick)}
    (finding,) = found("LK0605", **late(*sick, blocked_since=blocked))
    assert finding.object == place
    assert finding.evidence == (() if count == 1 else ("loki-0", "loki-1", "loki-2"))
    assert "since 2026-03-01T11:55:00Z" in finding.message


def test_metrics_of_eight_pods_that_do_not_answer_are_one_gap() -> None:
    """One finding, and one line of what was not read."""
    eight = pods(8)
    gaps = tuple(a_gap(Hop.PODS, pod.ref, Why.UNREACHABLE, f"of {pod.uid}") for pod in eight)
    diagnosis = diagnose(a_snapshot(pods=eight, unreadable=gaps))
    (finding,) = (f for f in diagnosis.findings if f.code == "LK1003")
    assert finding.object == LOKI
    assert finding.evidence[-1] == "and 3 more pods"
    assert diagnosis.not_read == (f"{LOKI} (8 pods): {Why.UNREACHABLE}",)


def test_pods_that_hang_in_their_shutdown_are_one_finding() -> None:
    """Each with what it holds; until when is said once, or of each where they differ."""
    hung = pods(8, refused=3, deleting_since=ago(minutes=1))
    (finding,) = found("LK0603", **late(*hung))
    assert finding.object == LOKI
    assert finding.message.startswith(f"the store refuses the key of 8 pods of {LOKI},")
    assert finding.evidence[0].startswith("loki-0: it holds 12 chunks in memory")
    assert "and 3 more pods" in finding.evidence
    later = a_pod("loki-8", refused=3, deleting_since=ago(minutes=3))
    (finding,) = found("LK0603", **late(*hung[:1], later))
    assert finding.message.endswith("hangs for as long as is said below of each pod")
    assert "it hangs until" in finding.evidence[0]
    assert "it hangs although its grace" in finding.evidence[1]


def test_pods_that_were_replaced_in_vain_are_one_finding() -> None:
    """The command looks at one of them."""
    replaced = {f"loki-{number}": B.pair for number in range(8)}
    (finding,) = found("LK0609", **late(*pods(8, refused=3), replaced=replaced))
    assert finding.object == LOKI
    assert f"replaced 8 pods of {LOKI} for this key" in finding.message
    assert finding.evidence[-1] == "and 3 more pods"
    assert [str(each.command) for each in finding.remedy] == [
        "kubectl -n monitoring get pod loki-0 -o yaml"
    ]
