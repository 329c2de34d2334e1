# SPDX-License-Identifier: Apache-2.0
"""A stack's Roles on the real API server: enough to make all of it, and nothing of another's."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.core.rbac import Account, StackWish, stack_roles
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import render
from manifests.lokistack import NAMESPACE, NOW, Choice
from parts.api import Api, ApiError
from parts.cloud_credentials import define
from parts.kubernetes import Kubernetes

WISH = StackWish(tokens=True)
PLAIN, OPENSHIFT = Choice(extra="everything"), Choice(tenancy="openshift-logging", extra="rules")
STACKS = [PLAIN, Choice(tenancy="static", extra="everything"), OPENSHIFT, Choice(store="s3-cco")]
ADMIN = {
    "apiGroup": "rbac.authorization.k8s.io",
    "kind": "ClusterRole",
    "name": "cluster-admin",
}
FOREIGN = {"Route"}  # no definition of it is here


@dataclass(frozen=True)
class Agent:
    """Who holds one stack's Roles, and the stack's objects."""

    kubernetes: Kubernetes
    kubeconfig: Path
    api: Api
    namespace: str
    objects: list[dict[str, Any]]

    def apply(self, *objects: dict[str, Any]) -> str:
        """Apply on the server's side, as the operator does."""
        return self.kubectl(
            "apply", "--server-side", "--field-manager=lokeys", "-f", "-", stdin=_listed(objects)
        )

    def kubectl(self, *arguments: str, stdin: str) -> str:
        """Return what kubectl says to the agent, good or bad."""
        who = ("--kubeconfig", str(self.kubeconfig))
        return self.kubernetes.kubectl(*who, *arguments, stdin=stdin, check=False)


def _listed(objects: Iterable[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


@pytest.fixture
def agent(
    kubernetes: Kubernetes, namespace: str, request: pytest.FixtureRequest
) -> Iterator[Agent]:
    """Give a service account the Roles of one stack, and nothing else."""
    define(kubernetes)
    choice: Choice = request.param
    stack, storage = choice.read()
    options = RenderOptions(now=NOW, environment=choice.environment)
    rendered = render(stack, storage, options=options)
    objects = [_moved(each, namespace) for each in rendered if each["kind"] not in FOREIGN]
    account = Account(name="lokeys", namespace=namespace)
    made = stack_roles(stack, wish=WISH, account=account)
    roles = json.loads(json.dumps(made).replace(NAMESPACE, namespace))
    kubernetes.api.post(
        f"/api/v1/namespaces/{namespace}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "lokeys"}},
    )
    kubernetes.apply(*roles)
    kubeconfig = kubernetes.user_kubeconfig(namespace, "lokeys")
    token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    api = Api(kubernetes.server, ca_file=kubernetes.ca_file, token=token)
    yield Agent(kubernetes, kubeconfig, api, namespace, objects)
    api.close()
    for item in (*roles, *objects):
        if item["kind"].startswith("ClusterRole"):
            name = item["metadata"]["name"]
            kubernetes.kubectl("delete", item["kind"], name, "--ignore-not-found")


def _moved(item: dict[str, Any], namespace: str) -> dict[str, Any]:
    moved: dict[str, Any] = json.loads(json.dumps(item).replace(f'"{NAMESPACE}"', f'"{namespace}"'))
    if "namespace" not in moved["metadata"]:
        name = moved["metadata"]["name"].replace(NAMESPACE, namespace)
        moved["metadata"]["name"] = name
        if "roleRef" in moved:
            moved["roleRef"]["name"] = name
    return moved


@pytest.mark.parametrize("agent", STACKS, indirect=True, ids=str)
def test_the_roles_make_a_whole_stack_and_take_it_away(agent: Agent) -> None:
    """Every object that rendering makes is applied anew, applied again, followed and deleted."""
    for word in ("serverside-applied", "serverside-applied"):
        said = agent.apply(*agent.objects)
        assert said.count(word) == len(agent.objects), said
    gone = agent.kubectl("delete", "--wait=false", "-f", "-", stdin=_listed(agent.objects))
    assert gone.count("deleted") == len(agent.objects), gone


@pytest.mark.parametrize("agent", [PLAIN], indirect=True, ids=str)
def test_what_is_not_the_stacks_is_out_of_reach(agent: Agent) -> None:
    """Another name, another Secret, another account's token, a pod of its own: all forbidden."""
    others = [
        {**item, "metadata": {**item["metadata"], "name": "another"}}
        for item in {item["kind"]: item for item in agent.objects}.values()
    ]
    said = agent.apply(*others)
    assert said.count('"another" is forbidden') == len(others), said
    core = f"/api/v1/namespaces/{agent.namespace}"
    review = {"spec": {"audiences": ["sts.example"]}}
    for method, path, body in (
        ("GET", f"{core}/secrets", None),
        ("GET", f"{core}/secrets/another", None),
        ("DELETE", f"{core}/secrets/store", None),
        ("POST", f"{core}/configmaps", {"metadata": {"name": "my-stack-config"}}),
        ("POST", f"{core}/pods", {"metadata": {"name": "p"}}),
        ("POST", f"{core}/serviceaccounts/default/token", review),
        ("GET", "/api/v1/configmaps", None),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", None),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}),
    ):
        with pytest.raises(ApiError, match="403"):
            agent.api.call(method, path, body)


@pytest.mark.parametrize("agent", [PLAIN], indirect=True, ids=str)
def test_tokens_are_for_the_two_accounts(agent: Agent) -> None:
    """Both accounts that reach the store can be tried, once they are there."""
    agent.apply(*(item for item in agent.objects if item["kind"] == "ServiceAccount"))
    for name in ("my-stack", "my-stack-ruler"):
        path = f"/api/v1/namespaces/{agent.namespace}/serviceaccounts/{name}/token"
        answer = agent.api.post(path, {"spec": {"audiences": ["sts.example"]}})
        assert answer["status"]["token"]


@pytest.mark.parametrize("agent", [OPENSHIFT], indirect=True, ids=str)
def test_the_gateways_role_cannot_be_made_more_of(agent: Agent) -> None:
    """The operator cannot put a right into the gateway's ClusterRole that it does not hold."""
    (role,) = (item for item in agent.objects if item["kind"] == "ClusterRole")
    assert "serverside-applied" in agent.apply(role)
    greedy = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    said = agent.apply({**role, "rules": [*role["rules"], greedy]})
    assert "attempting to grant RBAC permissions not currently held" in said
    admin = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": role["metadata"],
        "roleRef": ADMIN,
        "subjects": [{"kind": "ServiceAccount", "name": "lokeys", "namespace": agent.namespace}],
    }
    assert "attempting to grant RBAC permissions not currently held" in agent.apply(admin)
