# SPDX-License-Identifier: Apache-2.0
"""The StorageCredential on the real API server: it judges as lokeys does, and keeps a status."""

from typing import Any

import pytest

from builders import DEAD, WORKS, A, B, a_gap, look
from lokeys.core.place import Hop, Ref
from lokeys.core.route.conditions import status
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.memory import Memory
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.resource.crd import DEFINITION, crd
from lokeys.core.route.resource.parse import parse
from lokeys.core.route.resource.render import render
from lokeys.core.route.resource.served import status_schema_of, taken
from lokeys.core.route.resource.status import fitted, memory_from_status, memory_to_status
from lokeys.core.route.snapshot import Why
from lokeys.core.sensitive import Fingerprint
from manifests.older import older_crd
from manifests.storagecredential import CASES, ROOK, Case
from parts.api import ApiError
from parts.kubernetes import Kubernetes
from parts.process import wait_for

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STRICT = "dryRun=All&fieldValidation=Strict"


def path(namespace: str, name: str = "") -> str:
    return f"/apis/lokeys.dev/v1alpha1/namespaces/{namespace}/storagecredentials/{name}".rstrip("/")


def in_namespace(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_the_api_server_judges_as_lokeys_does(defined: Kubernetes, case: Case) -> None:
    """What `faults` accepts the API server accepts, and what it refuses the API server refuses."""
    body = in_namespace(case.manifest(), "default")
    if not case.sound:
        with pytest.raises(ApiError, match=r"^4(00|22):"):
            defined.api.post(f"{path('default')}?{STRICT}", body)
        return
    assert parse(defined.api.post(f"{path('default')}?{STRICT}", body)) == parse(body)


def test_defaults_are_filled_in_the_same(defined: Kubernetes) -> None:
    """A manifest parsed from a file and one read back from the cluster are the same route."""
    spec = parse(in_namespace(ROOK, "default"))
    stored = defined.api.post(f"{path('default')}?{STRICT}", render(spec))
    assert stored["spec"]["bucket"]["region"] == "us-east-1"
    assert parse(stored) == spec


def test_a_status_is_kept_and_shown(defined: Kubernetes, namespace: str) -> None:
    """The longest status is taken whole, memory included, and the columns show what matters."""
    defined.api.post(path(namespace), in_namespace(ROOK, namespace))
    pair = Fingerprint("k:" + "a" * 64)
    memory = Memory(source_held=(pair,), replaced={"loki-0": pair}, forced_count=2)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "VaultBehindSource",
        "message": "x" * 40_000,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    finding = {
        "code": "LK0401",
        "severity": "error",
        "title": "t" * 2000,
        "message": "m",
        "field": None,
    }
    hops = [
        {"name": "source", "fingerprint": "k:aaaaaa", "agrees": None},
        {"name": "vault", "fingerprint": "k:bbbbbb", "agrees": False},
    ]
    longest = {
        "observedGeneration": 1,
        "conditions": [condition],
        "hops": hops,
        "findings": [finding] * 20,
        "nextStep": "write the vault " * 200,
        "pods": [{"name": f"loki-{n}", "current": True} for n in range(300)],
        "memory": memory_to_status(memory, key="k"),
        "lastVerified": {"time": "2026-01-01T00:00:00Z"},
    }
    written = defined.api.patch(
        f"{path(namespace, 'loki')}/status?fieldValidation=Strict", {"status": fitted(longest)}
    )
    assert written["status"] == fitted(longest)
    assert memory_from_status(written["status"], key="k") == memory
    head, row = defined.kubectl("get", "scred", "-n", namespace).splitlines()
    shown = "NAME MODE READY REASON BROKEN HOP BRIDGED UNTIL VERIFIED AGE-OF-KEY AGE"
    assert " ".join(head.split()) == shown
    assert row.split()[:5] == ["loki", "Heal", "False", "VaultBehindSource", "vault"]


SEEN = {
    "all is well": {},
    "the vault is behind": {"source": B, "verdicts": {A: DEAD, B: WORKS}},
    "the source is dead": {"verdicts": {A: DEAD}},
    "nothing could be read": {
        "source": None,
        "vault": None,
        "secret": None,
        "delivery": None,
        "pods": (),
        "unreadable": (
            a_gap(Hop.SOURCE, Ref("Secret", "s", "storage"), Why.FORBIDDEN, "x" * 3000),
        ),
    },
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_what_the_core_says_is_taken_whole(
    defined: Kubernetes, namespace: str, seen: dict[str, Any]
) -> None:
    """The status of a look passes strict validation, and comes back as it was written."""
    defined.api.post(path(namespace), in_namespace(ROOK, namespace))
    snapshot = look(**seen)
    diagnosis = diagnose(snapshot)
    said = status(snapshot, diagnosis, plan(snapshot, Policy()), before={}, generation=1)
    kept = fitted({**said, "memory": memory_to_status(snapshot.memory, key="k")})
    assert set(kept) == {*said, "memory"}
    place = f"{path(namespace, 'loki')}/status?fieldValidation=Strict"
    assert defined.api.patch(place, {"status": kept})["status"] == kept


def test_an_older_definition_takes_what_is_left_for_it(
    kubernetes: Kubernetes, defined: Kubernetes, namespace: str
) -> None:
    """A new hop's name would have the whole status refused; and the new definition takes the old.

    The definition is put back: whatever was written under the older one stays as it was.
    """
    said = {"hops": [{"name": "source"}, {"name": "values"}, {"name": "secret"}]}
    defined.api.post(path(namespace), in_namespace(ROOK, namespace))
    place = f"{path(namespace, 'loki')}/status"
    kubernetes.apply(older_crd())
    try:
        wait_for(lambda: refused(defined, place, said), "the older definition is served")
        schema = status_schema_of(kubernetes.api.get(f"{DEFINITIONS}/{DEFINITION}"))
        left = taken(said, schema)
        assert left == {"hops": [{"name": "source"}, {"name": "secret"}]}
        assert defined.api.patch(place, {"status": left})["status"] == left
    finally:
        kubernetes.apply(crd())
    wait_for(lambda: not refused(defined, place, said), "today's definition is served")
    assert defined.api.patch(place, {"status": left})["status"] == left


def refused(cluster: Kubernetes, place: str, said: dict[str, Any]) -> bool:
    """Tell whether the API server refuses a status."""
    try:
        cluster.api.patch(f"{place}?dryRun=All", {"status": said})
    except ApiError as error:
        return error.status == 422
    return False


def test_garbage_in_a_status_is_refused(defined: Kubernetes, namespace: str) -> None:
    """A hand-made memory whose form is wrong does not get in."""
    defined.api.post(path(namespace), in_namespace(ROOK, namespace))
    garbage = {"memory": {"forcedFor": "not a fingerprint"}}
    with pytest.raises(ApiError, match="422"):
        defined.api.patch(f"{path(namespace, 'loki')}/status", {"status": garbage})
    assert "status" not in defined.api.get(path(namespace, "loki"))
