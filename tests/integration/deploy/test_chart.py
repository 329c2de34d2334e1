# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: the objects of deploy/, what its values change, and its life on an API server."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.pages import blocks
from lokeys import __version__
from lokeys.cli.commands.operator import command as operator
from lokeys.cli.main import lokeys
from manifests.storagecredential import ROOK
from parts.api import ApiError
from parts.build import built_program
from parts.helm import CHART, Helm
from parts.kubernetes import Kubernetes
from parts.plugin import run_kubernetes
from parts.process import PartError, wait_for

Json = dict[str, Any]
DEPLOY = CHART.parent
GUIDE = "docs/guides/install.md"
SYSTEM = "lokeys-system"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/storagecredentials.lokeys.dev"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
ROUTES = "/apis/lokeys.dev/v1alpha1/namespaces/default/storagecredentials"
CHOICES: dict[str, Json] = {
    "all that can be added": {
        "crds": {"storageCredential": True, "lokiStack": True},
        "lokistacks.mode": "all",
        "lokistacks.openshift": True,
        "verification": {"everySeconds": 60, "tokens": True},
        "env": {"ROLEARN": "arn:aws:iam::123456789012:role/lokeys", "HTTPS_PROXY": "http://p:1"},
        "image": {"tag": "1.2.3", "pullPolicy": "Never", "pullSecrets": ["mirror"]},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "infra", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
        "watchNamespace": "monitoring",
    },
    "as little as can be": {
        "crds.storageCredential": False,
        "replicas": 1,
        "networkPolicy.enabled": False,
        "lokistacks.mode": "none",
        "resources": {},
    },
}
WRONG: dict[str, Json] = {
    "a value that there is not": {"replica": 3},
    "no replica": {"replicas": 0},
    "text for a number": {"replicas": "two"},
    "a mode that there is not": {"lokistacks.mode": "some"},
    "a namespace that none can be called": {"watchNamespace": "Not_one"},
    "a digest that is none": {"image.digest": "sha256:abc"},
    "an image with a blank": {"lokistacks.images.loki": "grafana/loki :3"},
    "a registry that ends in a slash": {"registry": "registry.example/"},
    "a policy that there is not": {"image.pullPolicy": "Sometimes"},
    "a variable that is no text": {"env": {"REGION": 1}},
    "a variable that none can be called": {"env": {"A B": "c"}},
    "a pause of nothing": {"verification.everySeconds": 0},
}


@pytest.fixture
def chart(helm_binary: Path, tmp_path: Path) -> Helm:
    """Return Helm without a cluster."""
    return Helm(helm_binary, tmp_path)


@pytest.fixture(scope="module")
def empty(pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """Run a control plane in which nobody has installed anything."""
    yield from run_kubernetes(pytestconfig)


def kustomized(kubernetes: Kubernetes, *folders: str) -> list[Json]:
    texts = (kubernetes.kubectl("kustomize", str(DEPLOY / folder)) for folder in folders)
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def by_name(items: list[Json]) -> dict[tuple[str, str, str], Json]:
    found = {
        (i["kind"], i["metadata"].get("namespace", ""), i["metadata"]["name"]): i for i in items
    }
    assert len(found) == len(items)
    return found


def container(items: list[Json]) -> Json:
    (deployment,) = (each for each in items if each["kind"] == "Deployment")
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    made: Json = only
    return made


def images(only: Json) -> list[str]:
    return [only["image"], *(each["value"] for each in only["env"] if "value" in each)]


def test_helm_finds_no_fault(chart: Helm) -> None:
    """`helm lint --strict` has nothing to say but that there is no icon."""
    said = chart.run("lint", "--strict", str(CHART))
    assert "0 chart(s) failed" in said
    assert re.findall(r"^\[(?:WARNING|ERROR)\].*", said, re.MULTILINE) == []


def test_with_default_values_it_makes_what_deploy_makes(
    chart: Helm, kubernetes: Kubernetes
) -> None:
    """Field by field; Helm makes the namespace itself, and the chart's image has its version."""
    shipped = by_name(kustomized(kubernetes, "."))
    made = chart.template()
    only = container(made)
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert only["image"] == f"lokeys:{version}"
    only["image"] = "lokeys"
    shipped.pop(("Namespace", "", SYSTEM))
    assert by_name(made) == shipped


def test_all_that_deploy_has_beside_can_be_chosen(chart: Helm, kubernetes: Kubernetes) -> None:
    """Monitoring, the LokiStack's definition and the rights on all stacks are those of deploy/."""
    beside = kustomized(kubernetes, "crd/lokistack", "rbac/all-stacks", "monitoring")
    values = {"crds.lokiStack": True, "lokistacks.mode": "all", "monitoring.enabled": True}
    plain, chosen = by_name(chart.template()), by_name(chart.template(values))
    added = [item for name, item in chosen.items() if name not in plain]
    for item in beside:
        item["metadata"].pop("namespace", None)  # Helm adds it
    assert by_name(added) == by_name(beside)


def test_it_says_the_version_that_the_code_says() -> None:
    """The chart in the repository is of the version to come."""
    said = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert said["version"] == said["appVersion"] == __version__.partition(".dev")[0]


def test_another_namespace_is_everywhere(chart: Helm) -> None:
    """Installed elsewhere, no object, subject or text names the namespace of deploy/."""
    values = {"lokistacks.mode": "all", "monitoring.enabled": True}
    made = chart.template(values, namespace="elsewhere")
    assert SYSTEM not in json.dumps(made)
    subjects = [subject for item in made for subject in item.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {"elsewhere"}


@pytest.mark.parametrize("registry", ["registry.example", "registry.example:5000/mirror"])
def test_one_value_moves_every_image(chart: Helm, registry: str) -> None:
    """An air-gapped site names its registry once; what stands behind the registry stays."""
    here, there = container(chart.template()), container(chart.template({"registry": registry}))
    plain = [re.sub(r"^(docker|quay)\.io/", "", image) for image in images(here)]
    assert images(there) == [f"{registry}/{image}" for image in plain]


def test_a_digest_goes_before_a_tag(chart: Helm) -> None:
    """Who pins the image gets that image, and no tag beside it."""
    digest = "sha256:" + "a" * 64
    made = container(chart.template({"image.digest": digest, "image.tag": "1.2.3"}))
    assert made["image"] == f"lokeys@{digest}"


@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)
def test_the_operator_is_told_what_it_understands(chart: Helm, values: Json) -> None:
    """Whatever is chosen, the command line is one that the operator takes."""
    made = container(chart.template(values))
    program, verb, *words = made["command"]
    assert (program, verb) == ("lokeys", "operator")
    parent = lokeys.make_context("lokeys", [], resilient_parsing=True)
    taken = operator.make_context("operator", words, parent=parent).params
    assert taken["lokistacks"] == values["lokistacks.mode"]
    assert taken["verify_tokens"] == values.get("verification", {}).get("tokens", False)
    assert taken["verify_every"] == values.get("verification", {}).get("everySeconds", 300)


@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)
def test_the_api_server_takes_it_without_a_warning(
    chart: Helm, empty: Kubernetes, values: Json
) -> None:
    """Every object passes strict field validation, and nothing in it is deprecated."""
    made = chart.template(values, namespace="default")
    said = empty.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}),
        check=False,
    )
    lines = said.splitlines()
    assert len(lines) == len(made), said
    assert all("(server dry run)" in line for line in lines), said


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused(chart: Helm, values: Json) -> None:
    """Before anything is made of it, by the schema of the values."""
    with pytest.raises(PartError, match="don't meet the specifications of the schema"):
        chart.template(values)


def test_every_default_is_in_the_schema() -> None:
    """No value can be set that the schema does not know, and it knows none beside."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) == {*values, "global"}
    for name, below in schema["properties"].items():
        if below.get("additionalProperties") is False:
            assert set(below["properties"]) == set(values[name]), name


@pytest.fixture
def tool(helm_binary: Path, empty: Kubernetes, tmp_path: Path) -> Iterator[Helm]:
    """Return Helm on a cluster in which, afterwards, nothing of lokeys is left."""
    made = Helm(helm_binary, tmp_path, kubeconfig=empty.kubeconfig)
    yield made
    made.run("uninstall", "lokeys", "--namespace", SYSTEM)
    empty.kubectl("delete", "--wait", "crd", "storagecredentials.lokeys.dev")


def test_it_takes_over_what_kubectl_made(tool: Helm, empty: Kubernetes) -> None:
    """Who has applied deploy/ before goes on with Helm, and keeps the routes."""
    empty.kubectl("apply", "--server-side", "-k", str(DEPLOY))
    wait_for(lambda: _routes(empty) == [], "StorageCredentials are served")
    empty.api.post(ROUTES, {**ROOK, "metadata": {"name": "loki", "namespace": "default"}})
    words = ("install", "lokeys", str(CHART), "--namespace", SYSTEM)
    with pytest.raises(PartError, match="cannot be imported into the current release"):
        tool.run(*words)
    tool.run(*words, "--take-ownership", "--force-conflicts")
    wait_for(lambda: _routes(empty) == ["loki"], "the route is there")


def test_its_life(tool: Helm, empty: Kubernetes, tmp_path: Path) -> None:
    """Installed, upgraded and taken away as the guide says: the definition and the routes stay.

    An older definition is brought to the chart's own, which Helm does not do for crds/.
    """
    shutil.copytree(CHART, tmp_path / "deploy/chart")
    columns = _made_older(tmp_path / "deploy/chart/files/crd/storagecredentials.yaml")
    install, to_a_mirror, test, upgrade, uninstall = (each.text for each in blocks(GUIDE))
    assert test.startswith("helm test")  # takes a node: `make cluster` runs it

    def typed(text: str) -> str:
        return tool.shell(
            text, folder=tmp_path, path=[built_program("kubernetes", "kubectl").parent]
        )

    said = typed(install)
    wait_for(lambda: _routes(empty) == [], "StorageCredentials are served")
    manifest = {**ROOK, "metadata": {"name": "loki", "namespace": "default"}}
    empty.api.post(ROUTES, manifest)
    assert "lokeys discover -n NAMESPACE" in said
    assert "lokeys rbac -n NAMESPACE -f loki.yaml | kubectl apply -f -" in said

    typed(to_a_mirror)
    deployment = empty.api.get(f"{DEPLOYMENTS}/lokeys")
    assert container([deployment])["image"].startswith("registry.example/mirror/lokeys:")

    shutil.rmtree(tmp_path / "deploy/chart")
    shutil.copytree(CHART, tmp_path / "deploy/chart")
    typed(upgrade)
    now = empty.api.get(DEFINITION)["spec"]["versions"][0]
    assert now["additionalPrinterColumns"] == columns

    typed(uninstall)
    assert empty.api.get(DEPLOYMENTS)["items"] == []
    wait_for(lambda: _routes(empty) == ["loki"], "the route is there")

    typed(install)
    wait_for(lambda: _routes(empty) == ["loki"], "the route is there")


def _made_older(file: Path) -> Json:
    """Take the columns out of a definition, and return them."""
    definition = yaml.safe_load(file.read_text())
    columns: Json = definition["spec"]["versions"][0].pop("additionalPrinterColumns")
    file.write_text(yaml.safe_dump(definition))
    return columns


def _routes(kubernetes: Kubernetes) -> list[str] | None:
    try:
        found = kubernetes.api.find(ROUTES)
    except ApiError:  # 429 while the API server prepares the kind
        return None
    return None if found is None else [each["metadata"]["name"] for each in found["items"]]
