# SPDX-License-Identifier: Apache-2.0
"""A stack whose pods need not run.

The API server and its controllers are real; a test says of each pod that it is ready, as a kubelet
would.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.operators import Installation
from e2e.world import Loop
from lokeys.core.loki.options import RenderOptions
from lokeys.core.loki.render import render
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from manifests.lokistack import NAME, NAMESPACE, NOW, Choice
from parts.api import Api as KubeApi
from parts.api import ApiError
from parts.cloud_credentials import CloudCredentials
from parts.kubernetes import Kubernetes
from parts.process import wait_for

Json = dict[str, Any]
STEP_S, GONE = 60.0, 404


@dataclass
class Case:
    """One stack in a namespace of its own, and the hands that change it."""

    kubernetes: Kubernetes
    namespace: str
    choice: Choice
    options: tuple[str, ...] = ()
    user: str = ""
    """The operator that was granted its rights, as the audit log names it."""

    @property
    def path(self) -> str:
        return f"/apis/loki.grafana.com/v1/namespaces/{self.namespace}/lokistacks/{NAME}"

    def moved(self, manifest: Json) -> Json:
        text = json.dumps(manifest).replace(f'"{NAMESPACE}"', f'"{self.namespace}"')
        found: Json = json.loads(text.replace(f"{NAMESPACE}.{NAME}", f"{self.namespace}.{NAME}"))
        return found

    def grant(self, installation: Installation) -> None:
        """Apply what `lokeys rbac stack` prints for it."""
        self.user, account = installation.user, f"{installation.namespace}/lokeys"
        words = ("rbac", "stack", "-f", "-", *self.options, "--service-account", account)
        done = subprocess.run(
            [sys.executable, "-m", "lokeys", *words],
            input=json.dumps(self.moved(self.choice.manifest)),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        self.kubernetes.kubectl("apply", "-f", "-", stdin=done.stdout)

    def declare(self, *, label: bool = True) -> None:
        """Apply the Secret and the stack, which is lokeys' where it is labelled."""
        manifest = self.moved(self.choice.manifest)
        manifest["metadata"]["labels"] = {"lokeys.dev/managed": "true"} if label else {}
        beside = map(self.moved, self.choice.beside)
        self.kubernetes.apply(self.moved(self.choice.secret), *beside, manifest)

    def rendered(self) -> list[Json]:
        """Return the objects that the stack should have."""
        stack, storage = self.choice.read()
        options = RenderOptions(now=NOW, environment=self.choice.environment)
        return [self.moved(each) for each in render(stack, storage, options=options)]

    def wait_made(self, objects: Iterable[Json]) -> None:
        """Wait until lokeys has applied all of these."""
        wanted = list(objects)

        def made() -> bool:
            self.make_pods_ready()
            return sum(map(_ours, self.found(wanted))) == len(wanted)

        wait_for(made, f"{len(wanted)} objects of {self.namespace} are lokeys'", timeout_s=STEP_S)

    def wait_gone(self, objects: Iterable[Json]) -> None:
        """Wait until none of these is there."""
        wanted = list(objects)

        def gone() -> bool:
            self.make_pods_ready()
            return not self.found(wanted)

        wait_for(gone, f"{len(wanted)} objects go", timeout_s=STEP_S)

    def wait_ready(self) -> None:
        """Wait until the stack is Ready, saying of each of its pods that it is."""
        self.wait_condition("Ready", "True", "ReadyComponents")

    def wait_condition(self, kind: str, status: str, reason: str) -> None:
        """Wait until a condition says so, saying of each pod that it is ready."""

        def so() -> bool:
            self.make_pods_ready()
            return self.condition(kind) == (status, reason)

        wait_for(so, f"{kind} of {self.namespace} is {status}: {reason}", timeout_s=STEP_S)

    def condition(self, kind: str) -> tuple[str, str]:
        """Return what a condition says and why; nothing where it is not there."""
        conditions = self.kubernetes.api.get(self.path).get("status", {}).get("conditions", ())
        found = [each for each in conditions if each["type"] == kind]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def marks(self, annotation: str) -> dict[str, str]:
        """Return which hash the pods of each component are to wear."""
        found = {}
        for kind in ("deployments", "statefulsets"):
            path = f"/apis/apps/v1/namespaces/{self.namespace}/{kind}"
            for each in self.kubernetes.api.get(path)["items"]:
                worn = each["spec"]["template"]["metadata"].get("annotations", {})
                name = each["metadata"]["name"].removeprefix(f"{NAME}-")
                found[name] = worn.get(annotation, "")
        return found

    def make_pods_ready(self) -> bool:
        """Say what a kubelet would of pods that run; return that nothing is waited for by that."""
        say_pods_run(self.kubernetes.api, self.namespace)
        return False

    def found(self, objects: list[Json]) -> list[Json]:
        """Return those of some objects that are there."""
        words = ("get", "--show-managed-fields", "-o", "json", "--ignore-not-found", "-f", "-")
        said = self.kubernetes.kubectl(*words, stdin=listed(objects))
        found = json.loads(said) if said.strip() else {"items": []}
        items: list[Json] = found.get("items", [found])
        return items


def say_pods_run(api: KubeApi, namespace: str) -> None:
    """Say of every pod of a namespace that it runs and is ready."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    for pod in api.get(pods)["items"]:
        if pod["status"].get("phase") != "Running":
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            try:
                api.patch(f"{pods}/{pod['metadata']['name']}/status", {"status": status})
            except ApiError as error:
                if error.status != GONE:  # its controller may have deleted it meanwhile
                    raise


def listed(objects: Iterable[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _ours(found: Json) -> bool:
    fields = found["metadata"].get("managedFields", ())
    return any((each["manager"], each["operation"]) == ("lokeys", "Apply") for each in fields)


@contextmanager
def cloud(loop: Loop, kubernetes: Kubernetes, namespace: str) -> Iterator[CloudCredentials]:
    """Answer the namespace's CredentialsRequests meanwhile."""
    stack = AsyncExitStack()

    async def enter() -> CloudCredentials:
        api = await stack.enter_async_context(Api(load(kubeconfig=str(kubernetes.kubeconfig))))
        return await stack.enter_async_context(CloudCredentials(api, namespace))

    answers = loop.run(enter())
    try:
        yield answers
    finally:
        loop.run(stack.aclose())
