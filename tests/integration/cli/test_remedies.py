# SPDX-License-Identifier: Apache-2.0
"""The commands that mend a storage Secret, run as they are printed: by a shell and kubectl."""

import json
import os
import subprocess
import sys
from asyncio import to_thread
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.demo.world import NAMESPACE, named, on_loop, world
from lokeys.core.place import Ref
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.validation.validate import validate
from parts.build import program
from parts.kubernetes import Kubernetes
from parts.openshift import define
from parts.plugin import need, not_built
from unit.core.validation.manifests import NOW, Given, stack

STACK = Ref("LokiStack", "my-stack", NAMESPACE)
SECRET = Ref("Secret", "loki-storage", NAMESPACE)
PAIR = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "access_key_secret": "a" * 40}
ABROAD = {
    "bucketnames": "loki",
    "endpoint": "https://s3.us-east-2.amazonaws.com",
    "region": "eu-west-1",
    **PAIR,
}
RGW = {"bucketnames": "loki", "endpoint": "http://rgw.storage:7480"}
TYPED = """a "quoted" \\back\\slash %s $HOME `x` 'y' ä """
ACCOUNT = json.dumps({"type": "service_account", "private_key": "-----BEGIN\n\\n'\"-----"})


@dataclass(frozen=True, kw_only=True)
class Mending:
    """A Secret's values, the key that is told of, what is typed, and what comes of a way out."""

    kind: str
    values: dict[str, str]
    field: str
    wanted: dict[str, str]
    typed: str = ""
    way_out: int = 0


MENDINGS = {
    "typed": Mending(
        kind="s3",
        values={**RGW, "access_key_id": "id"},
        field="access_key_secret",
        typed=TYPED,
        wanted={"access_key_secret": TYPED},
    ),
    "from a file": Mending(
        kind="gcs", values={"bucketname": "loki"}, field="key.json", wanted={"key.json": ACCOUNT}
    ),
    "the region of the endpoint": Mending(
        kind="s3", values=ABROAD, field="region", wanted={"region": "us-east-2"}
    ),
    "an endpoint of the region": Mending(
        kind="s3",
        values=ABROAD,
        field="region",
        wanted={"endpoint": "https://s3.eu-west-1.amazonaws.com"},
        way_out=1,
    ),
}


def printed(mending: Mending) -> str:
    """Return a command for a key of a Secret."""
    secret = secret_data({"stringData": mending.values}, ref=SECRET, stack=STACK).data
    findings = read_storage(STACK, mending.kind, "static", secret=secret).findings
    (finding,) = [each for each in findings if each.field == mending.field]
    command = finding.remedy[mending.way_out].command
    assert command is not None
    return str(command)


def run(command: str, kubectl: Path, config: Path, *, typed: str = "") -> None:
    """Run a command as it is printed, in the folder of the kubeconfig."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        input=typed,
        env={
            "PATH": f"{kubectl.parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(config),
            "HOME": str(config.parent),
        },
        cwd=config.parent,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mending", MENDINGS.values(), ids=MENDINGS)
@on_loop
async def test_a_secret_value_arrives_as_it_is(
    mending: Mending, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Quotes, backslashes and blanks included; what else the Secret holds stays."""
    need(pytestconfig, "kubernetes", not_built("kubernetes", "kubectl"))
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    (tmp_path / "key.json").write_text(ACCOUNT)
    async with world(tmp_path) as cluster:
        cluster.api.add(named("Secret", SECRET.name, stringData=mending.values))
        config = cluster.api.write_kubeconfig(tmp_path / "config", namespace=NAMESPACE)
        await to_thread(run, printed(mending), kubectl, config, typed=f"{mending.typed}\n")
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET.name}"
        _, found = await cluster.call("GET", path)
    wanted = {**mending.values, **mending.wanted}
    assert found["data"] == {key: b64encode(each.encode()).decode() for key, each in wanted.items()}


CLAIMED = {
    "AWS_ACCESS_KEY_ID": "K3Vt8QxYw2LmPa7RcZ5d",
    "AWS_SECRET_ACCESS_KEY": "9fT2bYw0qLm3VxKc7Rz5Ud8PnGh1JsEa4QoXiBtN",
}


@pytest.mark.parametrize(("port", "scheme"), [("443", "https"), ("80", "http")])
def test_a_claims_secret_becomes_one_that_a_stack_reads(
    port: str,
    scheme: str,
    kubernetes: Kubernetes,
    make_namespace: Callable[[str], str],
) -> None:
    """On a real API server; the claim's own is left as it is, and a stack takes the new one."""
    namespace = make_namespace("claimed")
    named_so = {"name": "logs-bucket", "namespace": namespace}
    place = {"BUCKET_NAME": "logs-1", "BUCKET_HOST": "rgw.storage.svc", "BUCKET_PORT": port}
    claim = {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim"}
    own: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": named_so,
        "stringData": CLAIMED,
    }
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named_so, "data": place}
    path = f"/api/v1/namespaces/{namespace}"
    kubernetes.api.post(f"{path}/secrets", own)
    kubernetes.api.post(f"{path}/configmaps", config_map)
    asking = stack(secret={"name": "logs-bucket", "type": "s3"})
    asking["metadata"]["namespace"] = namespace
    given = [Given(asking), Given({**claim, "metadata": named_so}), Given(own)]
    (finding,) = validate(given, now=NOW).all_findings
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    define(kubernetes, lokistack_crd())
    kubernetes.apply(asking)
    for remedy in finding.remedy:
        run(str(remedy.command), kubectl, kubernetes.kubeconfig)
    made = kubernetes.api.find(f"{path}/secrets/logs-bucket-loki")
    left = kubernetes.api.find(f"{path}/secrets/logs-bucket")

    assert made is not None
    assert left is not None
    assert {key: b64decode(value).decode() for key, value in made["data"].items()} == {
        "access_key_id": CLAIMED["AWS_ACCESS_KEY_ID"],
        "access_key_secret": CLAIMED["AWS_SECRET_ACCESS_KEY"],
        "bucketnames": "logs-1",
        "endpoint": f"{scheme}://rgw.storage.svc:{port}",
    }
    assert left["data"].keys() == CLAIMED.keys()
    patched = kubernetes.api.get(stack_path(namespace))
    assert patched["spec"]["storage"]["secret"] == {"name": "logs-bucket-loki", "type": "s3"}
    whole = validate([Given(patched), Given({"kind": "Secret", **made})], now=NOW)
    assert whole.all_findings == ()


def stack_path(namespace: str) -> str:
    return f"/apis/loki.grafana.com/v1/namespaces/{namespace}/lokistacks/{STACK.name}"


def test_what_a_claims_config_map_holds_stays_a_value(
    kubernetes: Kubernetes, make_namespace: Callable[[str], str]
) -> None:
    """Whoever may write it gets no field of the Secret that is made, and no label of it."""
    namespace = make_namespace("claimed")
    named_so = {"name": "logs-bucket", "namespace": namespace}
    text = 'a","endpoint":"http://evil.example"},"metadata":{"labels":{"evil":"1"}},"x":{"y":"'
    place = {"BUCKET_NAME": text, "BUCKET_HOST": f"h\\{text}", "BUCKET_PORT": "80"}
    own: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": named_so}
    claim = {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim"}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named_so, "data": place}
    kubernetes.apply({**own, "stringData": CLAIMED}, config_map)
    asking = stack(secret={"name": "logs-bucket", "type": "s3"})
    asking["metadata"]["namespace"] = namespace
    given = [asking, {**claim, "metadata": named_so}, {**own, "stringData": CLAIMED}]
    (finding,) = validate([Given(each) for each in given], now=NOW).all_findings
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    run(str(finding.remedy[0].command), kubectl, kubernetes.kubeconfig)
    made = kubernetes.api.get(f"/api/v1/namespaces/{namespace}/secrets/logs-bucket-loki")

    assert "labels" not in made["metadata"]
    assert b64decode(made["data"]["bucketnames"]).decode() == text
    assert b64decode(made["data"]["endpoint"]).decode() == f"http://h\\{text}:80"


def test_what_was_filled_in_is_judged_as_the_cluster_has_it(
    kubernetes: Kubernetes, make_namespace: Callable[[str], str]
) -> None:
    """The command prints the stack and its Secret, and `validate` says what is wrong with them."""
    namespace = make_namespace("filled")
    asking = stack()
    asking["metadata"]["namespace"] = namespace
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret"}
    manifest["metadata"] = {"name": SECRET.name, "namespace": namespace}
    values = {**RGW, **PAIR, "endpoint": "${S3_ENDPOINT}"}
    given = [Given(asking), Given({**manifest, "stringData": values})]
    (finding,) = validate(given, now=NOW).all_findings
    filled = {**values, "endpoint": "ftp://nowhere"}
    define(kubernetes, lokistack_crd())
    kubernetes.apply(asking, {**manifest, "stringData": filled})
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    printing, _, judging = str(finding.remedy[0].command).partition(" | ")
    assert judging == "lokeys validate -f -"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{printing} | {sys.executable} -m {judging}"],
        env={
            "PATH": f"{kubectl.parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubernetes.kubeconfig),
            "HOME": str(kubernetes.folder),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "LK0107" in done.stdout
