# SPDX-License-Identifier: Apache-2.0
"""The LokiStack on the real API server: it takes what is published, and keeps a status."""

from pathlib import Path
from typing import Any

import pytest

from lokeys.core.stack.resource.parse import parse
from manifests.lokistack import STORES, TENANCIES, Choice, pairwise
from parts.api import ApiError
from parts.kubernetes import Kubernetes

DEPLOY = Path(__file__).parents[3] / "deploy"
STRICT = "dryRun=All&fieldValidation=Strict"
STACKS = "/apis/loki.grafana.com/v1/namespaces/{}/lokistacks"
UNREAD = {
    "rules": {
        "enabled": True,
        "selector": {"matchLabels": {"team": "a"}},
        "namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]},
    },
    "tenants": {
        "mode": "static",
        "authentication": [
            {
                "tenantName": "a",
                "tenantId": "1",
                "oidc": {"secret": {"name": "s"}, "issuerURL": "https://i.example"},
            },
            {"tenantName": "b", "tenantId": "2", "mTLS": {"ca": {"caName": "c"}}},
        ],
        "gateway": {"tls": {"ca": {"configMapName": "c", "key": "k"}}},
        "openshift": {"otlp": {"disableRecommendedAttributes": True}},
        "passthrough": {"ca": {"secretName": "c", "key": "k"}},
    },
}
WRONG: dict[str, tuple[tuple[str, ...], Any]] = {
    "a size that there is not": (("spec", "size"), "1x.huge"),
    "a number for text": (("spec", "storageClassName"), 4),
    "a mode that there is not": (("spec", "storage", "secret", "credentialMode"), "magic"),
    "a store that there is not": (("spec", "storage", "secret", "type"), "ftp"),
    "no schema": (("spec", "storage", "schemas"), []),
    "a day that is none": (
        ("spec", "storage", "schemas"),
        [{"version": "v13", "effectiveDate": "soon"}],
    ),
    "text for a number": (("spec", "replicationFactor"), "two"),
    "a huge number": (("spec", "replicationFactor"), 2**31),
    "text for a flag": (("spec", "rules"), {"enabled": "yes"}),
    "a list for an object": (("spec", "limits"), []),
    "a field that nobody knows": (("spec", "storage", "secrets"), {}),
    "no CA": (("spec", "storage", "tls"), {"caKey": "ca.crt"}),
}


def stack(namespace: str, **spec: Any) -> dict[str, Any]:
    manifest = Choice().manifest
    manifest["metadata"]["namespace"] = namespace
    manifest["spec"] |= spec
    return manifest


@pytest.mark.parametrize("choice", pairwise(), ids=str)
def test_every_shape_applies_as_it_is(stacks: Kubernetes, choice: Choice) -> None:
    """Strict validation takes it, and lokeys reads the stored one as it reads the file."""
    body = choice.manifest
    body["metadata"]["namespace"] = "default"
    stored = stacks.api.post(f"{STACKS.format('default')}?{STRICT}", body)
    assert stored["spec"].items() >= {"size": choice.size, "managementState": "Managed"}.items()
    found, faults = parse({**stored, "metadata": body["metadata"]})
    assert (found, faults) == parse(body)


def test_the_choices_meet_every_store_and_tenancy() -> None:
    """The table above leaves out no store and no way of tenancy."""
    assert {choice.store for choice in pairwise()} == set(STORES)
    assert {choice.tenancy for choice in pairwise()} == set(TENANCIES)


def test_what_is_not_acted_on_is_kept_as_written(stacks: Kubernetes) -> None:
    """Fields of the published resource that lokeys passes over come back whole."""
    stored = stacks.api.post(f"{STACKS.format('default')}?{STRICT}", stack("default", **UNREAD))
    assert {name: stored["spec"][name] for name in UNREAD} == UNREAD


def test_what_was_left_out_is_filled_in(stacks: Kubernetes) -> None:
    """The published defaults, and none besides."""
    body = stack("default", tenants={}, replication={"zones": [{"topologyKey": "zone"}]})
    del body["spec"]["storage"]["schemas"]
    spec = stacks.api.post(f"{STACKS.format('default')}?{STRICT}", body)["spec"]
    assert spec["storage"]["schemas"] == [{"version": "v11", "effectiveDate": "2020-10-11"}]
    assert spec["tenants"] == {"mode": "openshift-logging"}
    assert spec["replication"] == {"zones": [{"topologyKey": "zone", "maxSkew": 1}]}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused(stacks: Kubernetes, case: tuple[tuple[str, ...], Any]) -> None:
    """Wrong types, and values outside the published lists, do not get in."""
    path, value = case
    body = stack("default")
    place = body
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ApiError, match=r"^4(00|22):"):
        stacks.api.post(f"{STACKS.format('default')}?{STRICT}", body)


def test_a_status_is_kept_and_shown(stacks: Kubernetes, namespace: str) -> None:
    """The status is written apart from the spec, survives its changes, and fills the columns."""
    here = STACKS.format(namespace)
    stacks.api.post(f"{here}?fieldValidation=Strict", stack(namespace))
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "MissingObjectStorageSecret",
        "message": "x" * 32768,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [condition, {**condition, "type": "Warning", "status": "True"}],
        "components": {"ingester": {"Ready": ["my-stack-ingester-0"], "Failed": []}},
        "storage": {
            "credentialMode": "token-cco",
            "schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}],
        },
        "networkPolicyStatus": {"ruleSet": "None", "objectStorageAllowedEgressPorts": [443]},
    }
    path = f"{here}/my-stack"
    written = stacks.api.patch(f"{path}/status?fieldValidation=Strict", {"status": status})
    assert written["status"] == status
    changed = {"spec": {"size": "1x.small"}, "status": {"storage": {"credentialMode": "static"}}}
    stacks.api.patch(path, changed)
    kept = stacks.api.get(path)
    assert (kept["spec"]["size"], kept["status"]) == ("1x.small", status)
    assert kept["metadata"]["generation"] == 2
    head, row = stacks.kubectl("get", "lokistack", "-n", namespace).splitlines()
    assert head.split() == ["NAME", "SIZE", "MODE", "READY", "REASON", "AGE"]
    assert row.split()[:5] == [
        "my-stack",
        "1x.small",
        "token-cco",
        "False",
        "MissingObjectStorageSecret",
    ]


def test_one_condition_of_a_type(stacks: Kubernetes, namespace: str) -> None:
    """A status that answers one question twice is refused."""
    here = STACKS.format(namespace)
    stacks.api.post(here, stack(namespace))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "ReadyComponents",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    with pytest.raises(ApiError, match="422"):
        stacks.api.patch(
            f"{here}/my-stack/status", {"status": {"conditions": [condition, condition]}}
        )


def test_fields_are_explained(stacks: Kubernetes) -> None:
    """`kubectl explain` says what a field is for."""
    said = stacks.kubectl("explain", "lokistack.spec.storage.secret.credentialMode")
    assert "static keys, short-lived tokens" in " ".join(said.split())


def test_it_never_replaces_another_owners_definition(stacks: Kubernetes) -> None:
    """It is in no other kustomization, and `create`, as the guide has it, leaves one alone."""
    defined = stacks.kubectl("get", "crd", "lokistacks.loki.grafana.com", "-o", "yaml")
    said = stacks.kubectl("create", "-k", str(DEPLOY / "crd/lokistack"), check=False)
    assert "already exists" in said
    assert stacks.kubectl("get", "crd", "lokistacks.loki.grafana.com", "-o", "yaml") == defined
    for folder in (DEPLOY, DEPLOY / "crd"):
        assert "name: lokistacks" not in stacks.kubectl("kustomize", str(folder))
