# SPDX-License-Identifier: Apache-2.0
"""What each error about a route rests on, and its healthy neighbour, of which no error is told.

A neighbour is a case's own configuration without the fault: `NEIGHBOURS` says what is otherwise.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from golden.cases import CONFIG, Case, cases
from golden.stories import read_story
from lokeys.core.findings.finding import Confidence, Severity
from lokeys.core.findings.rules import RULES
from lokeys.core.route.diagnosis import diagnose

ROUTES = ("LK03", "LK04", "LK05", "LK06", "LK08", "LK09")
FINE: dict[str, Any] = {"loki-0": {}}
WORKS = {"A": "ACCEPTED"}

CERTAIN = {
    "LK0301": "the store refuses the pair, at the address that the route and Loki use",
    "LK0302": "the store's own list, or an empty half",
    "LK0303": "the store's answer to the pair",
    "LK0305": "the generated Secret is empty, and spec.keys is set",
    "LK0307": "the store refuses the pair, and its list has others",
    "LK0308": "spec.keys names the generated Secret",
    "LK0311": "the annotation is not there",
    "LK0312": "the API server has no such object",
    "LK0313": "a character in the value, which the store does not take",
    "LK0316": "the Secret's controller is another",
    "LK0401": "the store takes the source's pair, and refuses the vault's or a source once had it",
    "LK0402": "one half is the source's, and the store refuses the pair",
    "LK0404": "the field is empty",
    "LK0405": "no answer of Connect's to one who runs beside it",
    "LK0407": "not found, and External Secrets cannot refresh",
    "LK0408": "found twice, and External Secrets cannot refresh",
    "LK0409": "not found, and External Secrets cannot refresh",
    "LK0410": "found twice, and External Secrets cannot refresh",
    "LK0411": "Connect's refusal of the token",
    "LK0413": "the vault's refusal of a write",
    "LK0414": "a character in the value, which the store does not take",
    "LK0416": "nothing that the token's owner wrote names the address",
    "LK0501": "the pairs differ, and the store refuses the Secret's",
    "LK0502": "one half is the vault's, and the store refuses the pair",
    "LK0503": "the spec of the ExternalSecret, and pairs that differ",
    "LK0504": "the interval does not parse",
    "LK0505": "the store's own condition, or there is none",
    "LK0506": "the Secret's controller is another ExternalSecret",
    "LK0507": "the API server has no such object",
    "LK0508": "External Secrets says so",
    "LK0509": "the API server has no such object",
    "LK0510": "a character in the value, which the store does not take",
    "LK0511": "a half is empty",
    "LK0512": "the pairs differ, and the store refuses the Secret's",
    "LK0515": "the pairs differ, and the store refuses the one that was rendered",
    "LK0601": "somebody saw the Secret change after the containers had started",
    "LK0604": "the pod must go, and its manifest has no volume for the WAL",
    "LK0606": "two resources name one thing",
    "LK0615": "the store takes the key, and the recorded end has passed",
    "LK0609": "the pod started after the Secret changed, and is refused",
    "LK0801": "the store refuses the pair, at the address that Loki uses",
    "LK0802": "the store refuses the pair, at the address that Loki uses",
    "LK0803": "the store denies it to lokeys, and 403s to Loki",
    "LK0804": "the store has no such bucket for a key that it knows",
    "LK0805": "the store says that it is full",
    "LK0809": "lokeys does not trust the authority, and Loki's log says the same",
    "LK0815": "the store refuses the pair even what each valid user may do",
    "LK0901": "the configuration names variables, and the arguments do not expand them",
    "LK0902": "the configuration names a variable that the container has not",
    "LK0903": "an expression that Loki's own rules do not read",
    "LK0904": "the configuration has one half of a pair",
}
"""What of a finding excludes all else, by the codes that may call an error certain."""

DELIVERED = {"source": "B", "vault": "B", "secret": "B", "store": {"B": "ACCEPTED"}}
DELIVERED_LATER = DELIVERED | {"memory": {"content": {"pair": "B", "since": "-2h"}}, "pods": FINE}
NEW_EVERYWHERE = DELIVERED_LATER | {"delivery": {}}
HELD = {"memory": {"content": {"pair": "A", "since": "-2h"}}, "pods": FINE}
ROOKS = {"source": "A", "vault": "A", "store": WORKS, "pods": FINE, "unreadable": []}

WITHOUT_FAULTS = {"pods": FINE, "workloads": [{"loki": {"container": "loki", "faults": []}}]}

LOGGED = {
    case.folder.name: {"pods": FINE}
    for case in cases()
    if case.code.startswith("LK08") and case.code >= "LK0819"
}
"""Cases of what a log alone says: the same pod, whose log does not say it."""

NEIGHBOURS: dict[str, dict[str, Any]] = {
    **LOGGED,
    "LK0301-source-offers-a-dead-key": {"store": WORKS, "pods": FINE},
    "LK0301-the-endpoint-is-another-stores": {"store": WORKS},
    "LK0302-half-of-it-is-empty": {"source": "A"},
    "LK0302-no-key-is-left": {"source": {"pair": "A", "slots": ["A"]}, "store": WORKS},
    "LK0303-the-user-is-suspended": {"store": WORKS, "pods": FINE},
    "LK0305-the-generated-secret-is-blank": {"source": "A", "store": WORKS},
    "LK0307-the-key-changed-behind-rook": {
        "source": {"pair": "A", "slots": ["A"]},
        "store": WORKS,
        "pods": FINE,
    },
    "LK0308-spec-keys-names-the-generated-secret": {"source": "A", "store": WORKS},
    "LK0311-the-owner-has-not-allowed-it": ROOKS,
    "LK0312-its-secret-does-not-exist": ROOKS,
    "LK0312-the-user-does-not-exist": ROOKS,
    "LK0313-a-newline-in-the-source": {
        "store": {"A!": "ACCEPTED"},
        "vault": "A!",
        "secret": "A!",
        "memory": {"content": {"pair": "A!", "since": "-2h"}},
    },
    "LK0316-two-users-share-a-name": ROOKS,
    "LK0401-a-ready-pod-that-loses-everything": NEW_EVERYWHERE,
    "LK0402-only-one-field-was-edited": NEW_EVERYWHERE,
    "LK0404-a-field-is-empty": {"vault": "A"},
    "LK0405-connect-does-not-answer": {"vault": "A"},
    "LK0406-no-such-vault": {"vault": "A"},
    "LK0407-no-such-item": {"vault": "A", "delivery": {}},
    "LK0408-two-items-of-one-title": {"vault": "A", "delivery": {}},
    "LK0409-a-field-is-missing": {"delivery": {}},
    "LK0410-a-label-twice": {"vault": "A", "delivery": {}},
    "LK0411-the-token-is-refused": {"vault": "A"},
    "LK0413-the-vault-may-not-be-written": NEW_EVERYWHERE,
    "LK0414-a-newline-was-pasted": NEW_EVERYWHERE,
    "LK0416-connect-at-a-server-of-their-own": NEW_EVERYWHERE | {"unreadable": []},
    "LK0501-the-refresh-is-an-hour-away": NEW_EVERYWHERE,
    "LK0502-a-torn-delivery": NEW_EVERYWHERE,
    "LK0503-interval-zero": DELIVERED_LATER,
    "LK0503-immutable": DELIVERED_LATER | {"secret": {"pair": "B", "immutable": True}},
    "LK0504-a-day-is-no-duration": {"delivery": {"stopped_by": []}},
    "LK0504-our-own-interval": {
        "delivery": {"refresh_interval": "24h", "refresh_interval_text": "24h"}
    },
    "LK0505-the-store-is-not-ready": NEW_EVERYWHERE,
    "LK0506-another-owner": {"delivery": {}},
    "LK0507-the-secret-is-gone": {"secret": "A", "unreadable": []},
    "LK0508-a-failure-of-its-own": {"delivery": {}},
    "LK0509-no-external-secret": NEW_EVERYWHERE | {"unreadable": []},
    "LK0510-a-newline-in-the-secret": {"secret": "A", **HELD},
    "LK0511-an-empty-value-was-delivered": {"secret": "A", **HELD},
    "LK0512-no-vault-between": DELIVERED_LATER | {"vault": None},
    "LK0512-a-vault-that-cannot-be-read": {"store": {"A": "ACCEPTED", "B": "ACCEPTED"}},
    "LK0515-flux-has-not-rendered-it": {
        "secret": {"pair": "B", "ref": "ConfigMap monitoring/loki"},
        "memory": {"content": {"pair": "B", "since": "-2h"}},
    },
    "LK0601-pods-from-before": DELIVERED_LATER | {"workloads": [{"wanted": 1}]},
    "LK0604-no-volume-for-the-wal": DELIVERED_LATER
    | {"pods": {"loki-0": {"wal_persistent": False}}},
    "LK0604-a-bridge-would-save-it": {
        "source": "A",
        "store": WORKS,
        "pods": {"loki-0": {"wal_persistent": False}},
    },
    "LK0606-two-routes": {"rivals": False},
    "LK0609-replaced-and-refused-all-the-same": {"pods": FINE},
    "LK0614-the-key-is-fine": {"pods": FINE},
    "LK0615-nobody-ended-the-bridge": {"memory": {"content": {"pair": "B", "since": "-2h"}}},
    "LK0615-the-source-was-exchanged": {"memory": {"content": {"pair": "B", "since": "-2h"}}},
    "LK0801-only-the-secret-can-be-read": {"store": WORKS, "pods": FINE},
    "LK0802-a-secret-of-another-key": {"secret": "A", "store": WORKS, **HELD},
    "LK0803-delete-is-not-allowed": {"store": WORKS, "pods": FINE},
    "LK0804-the-bucket-went-with-its-user": {"store": WORKS, "pods": FINE},
    "LK0805-the-quota-is-used-up": {"store": WORKS, "pods": FINE},
    "LK0806-in-its-log": {"store": {"A": "CLOCK_SKEW"}, "pods": FINE},
    "LK0807-in-its-log": {"store": {"A": "WRONG_REGION"}, "pods": FINE},
    "LK0808-in-its-log": {"store": {"A": "NOT_S3"}, "pods": FINE},
    "LK0809-nor-does-loki-trust-it": {"pods": FINE},
    "LK0810-in-its-log": {"store": {"A": "TLS_NAME_MISMATCH"}, "pods": FINE},
    "LK0811-in-its-log": {"store": {"A": "TLS_SCHEME_MISMATCH"}, "pods": FINE},
    "LK0812-in-its-log": {"store": {"A": "UNREACHABLE"}, "pods": FINE},
    "LK0815-sts-hides-the-reason": {"store": WORKS, "pods": FINE},
    "LK0816-in-its-log": {"pods": FINE},
    "LK0817-in-its-log": {"pods": FINE},
    "LK0818-in-its-log": {"pods": FINE},
    "LK0901-expand-env-is-not-given": WITHOUT_FAULTS,
    "LK0902-one-component-lacks-them": WITHOUT_FAULTS,
    "LK0903-a-dash-in-a-name": WITHOUT_FAULTS,
    "LK0904-no-secret-key": WITHOUT_FAULTS,
    "LK0906-an-endpoint-beside-a-role": WITHOUT_FAULTS,
}


def routes() -> list[Case]:
    """Return the cases of routes; a configuration alone is judged by test_configured."""
    return [
        case
        for case in cases()
        if case.code.startswith(ROUTES) and not (case.folder / CONFIG).exists()
    ]


def told(case: Case) -> list[tuple[str, Severity, Confidence]]:
    """Return what a case's route is told."""
    _, seen = read_story(case.folder / "case.yaml")
    return [(f.code, f.severity, f.confidence) for f in diagnose(seen).findings]


@pytest.mark.parametrize("case", routes(), ids=lambda case: case.folder.name)
def test_an_error_is_called_certain_on_evidence_alone(case: Case) -> None:
    """Whoever adds one says what it is."""
    sure = {
        code
        for code, severity, confidence in told(case)
        if severity is Severity.ERROR and confidence is Confidence.CERTAIN
    }
    assert sure <= CERTAIN.keys()


def test_each_evidence_is_one_of_a_case() -> None:
    """No sentence stands here for an error that no case calls certain."""
    found = {
        code
        for case in routes()
        for code, severity, confidence in told(case)
        if severity is Severity.ERROR and confidence is Confidence.CERTAIN
    }
    assert found == CERTAIN.keys()


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_healthy_neighbour_gets_no_error(name: str, tmp_path: Path) -> None:
    """The same configuration without the fault; the fault itself is told in the case."""
    (case,) = (each for each in routes() if each.folder.name == name)
    story = yaml.safe_load((case.folder / "case.yaml").read_text())
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(story | NEIGHBOURS[name]))
    _, seen = read_story(file)
    assert [f.code for f in diagnose(seen).findings if f.is_error] == []


def test_each_error_of_a_route_has_a_neighbour() -> None:
    """But for symptoms, which never stand alone."""
    errors = {
        code
        for case in routes()
        for code, severity, _ in told(case)
        if severity is Severity.ERROR and code.startswith(ROUTES)
    }
    assert errors - {name.split("-", 1)[0] for name in NEIGHBOURS} == set()
    assert {RULES[code].severity for code in errors} == {Severity.ERROR}
