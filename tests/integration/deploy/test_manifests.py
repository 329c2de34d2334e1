# SPDX-License-Identifier: Apache-2.0
"""What deploy/ ships: it builds, the real API server takes it, and its rights are what they say."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.cli.commands.operator import command as operator
from lokeys.cli.operator_environment import CLOUD_VARIABLES, IMAGE_VARIABLES, images_from
from lokeys.core.place import Ref
from lokeys.core.rbac import Account, RouteFacts, route_roles
from lokeys.core.route.resource.parse import parse
from lokeys.core.stack.render.options import Images
from manifests.storagecredential import ROOK
from parts.api import Api, ApiError
from parts.kubernetes import Kubernetes

ROOT = Path(__file__).parents[3]
FOLDERS = [
    ".",
    "crd",
    "crd/lokistack",
    "rbac/all-stacks",
    "rbac",
    "operator",
    "doctor-cronjob",
    "monitoring",
]
WHOLE = [".", "crd/lokistack", "rbac/all-stacks", "doctor-cronjob", "monitoring"]
SERVED = ["crd/lokistack", "rbac/all-stacks", "rbac", "operator", "doctor-cronjob"]


def build(kubernetes: Kubernetes, folder: str) -> list[dict[str, Any]]:
    text = kubernetes.kubectl("kustomize", str(ROOT / "deploy" / folder))
    return [each for each in yaml.safe_load_all(text) if each]


def moved(item: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Return the object in another namespace, so that a test meddles with nobody's."""
    if "namespace" in item["metadata"]:
        item["metadata"]["namespace"] = namespace
    for subject in item.get("subjects", ()):
        subject["namespace"] = namespace
    return item


def pods(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods that the workloads among `items` would make."""
    found = []
    for item in items:
        spec = item.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            metadata = {**template["metadata"], "name": f"{item['metadata']['name']}-0"}
            found.append({"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata})
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_builds(kubernetes: Kubernetes, folder: str) -> None:
    """Kustomize makes objects of it, each with a kind and a name."""
    items = build(kubernetes, folder)
    assert items
    assert all(item["kind"] and item["metadata"]["name"] for item in items)


def test_an_overlay_of_all_builds(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Everything beside each other: no object is made twice, and the whole is no more than that."""
    shutil.copytree(ROOT / "deploy", tmp_path / "copy")
    folders = [f"copy/{folder}" for folder in WHOLE]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": folders}))
    items = build(kubernetes, str(tmp_path))
    alone = [item for folder in WHOLE for item in build(kubernetes, folder)]
    assert sorted(map(named, items)) == sorted(map(named, alone))
    assert len(set(map(named, items))) == len(items)


def named(item: dict[str, Any]) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace", ""), metadata["name"]


def test_the_operator_is_told_what_it_understands(kubernetes: Kubernetes) -> None:
    """Its options and images are those it would take; each cloud's variable is shown."""
    (deployment,) = (i for i in build(kubernetes, "operator") if i["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, verb, *options = container["command"]
    assert (program, verb) == ("lokeys", "operator")
    known = {option: parameter for parameter in operator.params for option in parameter.opts}
    assert {option.partition("=")[0] for option in options} <= known.keys()
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    assert images_from(given) == Images() == images_from({})
    assert {name for name in given if name.startswith("RELATED_IMAGE_")} == set(IMAGE_VARIABLES)
    shown = (ROOT / "deploy/operator/deployment.yaml").read_text()
    assert [name for name in CLOUD_VARIABLES if f"- {{name: {name}, value: " not in shown] == []


@pytest.mark.parametrize("folder", SERVED)
def test_the_api_server_takes_it_without_a_warning(
    kubernetes: Kubernetes, namespace: str, folder: str
) -> None:
    """Every object passes strict field validation; nothing is deprecated or dropped."""
    items = [moved(item, namespace) for item in build(kubernetes, folder)]
    said = kubernetes.kubectl(
        "apply",
        # As another test may have made it already; without this kubectl says that it did not.
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        check=False,
    )
    lines = said.splitlines()
    assert len(lines) == len(items), said
    assert all("(server dry run)" in line for line in lines), said


@pytest.mark.parametrize("folder", ["operator", "doctor-cronjob"])
def test_pods_pass_the_restricted_pod_security_standard(
    kubernetes: Kubernetes, namespace: str, folder: str
) -> None:
    """A namespace that enforces it, as ours does, admits the pods, and refuses a laxer one."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubernetes.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    items = build(kubernetes, folder)
    (pod,) = pods(items)
    account = pod["spec"].pop("serviceAccountName")
    assert account in {
        item["metadata"]["name"] for item in items if item["kind"] == "ServiceAccount"
    }
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict"
    kubernetes.api.post(path, pod)
    pod["spec"]["containers"][0]["securityContext"]["capabilities"] = {}
    with pytest.raises(ApiError, match="403"):
        kubernetes.api.post(path, pod)


def test_selectors_meet_the_pods_they_are_for(kubernetes: Kubernetes) -> None:
    """Service, budget and policy select the operator's pods, and the ports have names it serves."""
    by_kind = {item["kind"]: item for item in build(kubernetes, "operator")}
    template = by_kind["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    for selector in (
        by_kind["Deployment"]["spec"]["selector"]["matchLabels"],
        by_kind["Service"]["spec"]["selector"],
        by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    (port,) = template["spec"]["containers"][0]["ports"]
    assert by_kind["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert by_kind["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] == port["name"]
    assert by_kind["Deployment"]["spec"]["replicas"] == 2
    assert (
        by_kind["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )


@pytest.fixture
def agent(kubernetes: Kubernetes, namespace: str) -> Iterator[Api]:
    """Act as a service account that holds the Roles of one route, and nothing else."""
    kubernetes.api.post(
        f"/api/v1/namespaces/{namespace}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "lokeys"}},
    )
    source = {**ROOK["spec"]["source"]["rook"], "namespace": namespace}
    spec = parse(
        {
            **ROOK,
            "metadata": {"name": "loki", "namespace": namespace},
            "spec": {**ROOK["spec"], "source": {"rook": source}},
        }
    )
    known = RouteFacts(
        key_secrets=("rook-ceph-object-user-storage-loki",),
        generated=True,
        secret_store=Ref("SecretStore", "op", namespace),
    )
    roles = route_roles(spec, account=Account(name="lokeys", namespace=namespace), known=known)
    said = kubernetes.kubectl(
        "apply",
        "--validate=strict",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": roles}),
    )
    assert said.count("created") == len(roles)
    config = yaml.safe_load(kubernetes.user_kubeconfig(namespace, "lokeys").read_text())
    token = config["users"][0]["user"]["token"]
    api = Api(kubernetes.server, ca_file=kubernetes.ca_file, token=token)
    yield api
    api.close()


def test_a_routes_roles_open_its_secrets_by_name_and_no_other(agent: Api, namespace: str) -> None:
    """Reading and following one Secret works; listing all, another, or making one does not."""
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    assert agent.get(f"{secrets}?fieldSelector=metadata.name%3Dloki-s3-credentials")["items"] == []
    watch = f"{secrets}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dloki-s3-credentials"
    agent.get(watch)
    assert agent.find(f"{secrets}/loki-s3-credentials") is None
    for method, path in (
        ("GET", secrets),
        ("GET", f"{secrets}/another"),
        ("GET", f"{secrets}?fieldSelector=metadata.name%3Danother"),
        ("POST", secrets),
        ("DELETE", f"{secrets}/loki-s3-credentials"),
        ("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts"),
    ):
        with pytest.raises(ApiError, match="403"):
            agent.call(method, path, {"metadata": {"name": "loki-s3-credentials"}})


def test_a_routes_roles_let_it_take_its_lease_only(agent: Api, namespace: str) -> None:
    """The route's Lease can be made, read and renewed; nobody else's can be touched."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lokeys-loki"},
    }
    made = agent.post(leases, body)
    agent.call("PUT", f"{leases}/lokeys-loki", {**made, "spec": {"holderIdentity": "me"}})
    with pytest.raises(ApiError, match="403"):
        agent.get(f"{leases}/lokeys-other")
    with pytest.raises(ApiError, match="403"):
        agent.delete(f"{leases}/lokeys-loki")
