# SPDX-License-Identifier: Apache-2.0
"""Operated stacks of every choice of store, tenancy and extras, with rights as they are printed."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from e2e.stacks.operated import Operated
from e2e.world import Loop
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import render
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from manifests.former import Former
from manifests.lokistack import NAME, NAMESPACE, NOW, Choice
from parts.cloud_credentials import CloudCredentials
from parts.kubernetes import Kubernetes
from parts.process import wait_for

Json = dict[str, Any]
STEP_S = 60.0


@dataclass
class Case(Operated):
    """One stack of a choice, in a namespace of its own; `options` are those of `rbac stack`."""

    name: str = NAME
    choice: Choice = field(default_factory=Choice)
    options: tuple[str, ...] = ()

    @property
    def manifest(self) -> Json:
        found = self.moved(self.choice.manifest)
        found["metadata"]["labels"] = {"lokeys.dev/managed": "true"}
        return found

    def moved(self, manifest: Json) -> Json:
        """Return a manifest of the choice as it is in the stack's own namespace."""
        text = json.dumps(manifest).replace(f'"{NAMESPACE}"', f'"{self.namespace}"')
        found: Json = json.loads(text.replace(f"{NAMESPACE}.{NAME}", f"{self.namespace}.{NAME}"))
        return found

    def grant(self) -> None:
        """Apply what `lokeys rbac stack` prints for it."""
        account = f"{self.installation.namespace}/lokeys"
        words = ("rbac", "stack", "-f", "-", *self.options, "--service-account", account)
        done = subprocess.run(
            [sys.executable, "-m", "lokeys", *words],
            input=json.dumps(self.manifest),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        self.kubernetes.kubectl("apply", "-f", "-", stdin=done.stdout)

    def declare(self, *, label: bool = True) -> None:
        """Apply the Secret and the stack, which is lokeys' where it is labelled."""
        manifest = self.manifest
        if not label:
            manifest["metadata"]["labels"] = {}
        beside = map(self.moved, self.choice.beside)
        self.kubernetes.apply(self.moved(self.choice.secret), *beside, manifest)

    def make_as_former(self) -> None:
        """Make what the stack is made of as another operator has."""
        kinds = {each["kind"] for each in self.rendered()}
        former = Former(
            name=self.name,
            namespace=self.namespace,
            secret="store",
            rules=self._has_rules,
            extras=frozenset(kinds & {"Ingress", "Route", "NetworkPolicy", "CredentialsRequest"}),
        )
        create_as_former(self.kubernetes, self.get("LokiStack", self.name), former.objects())

    @property
    def _has_rules(self) -> bool:
        return bool(self.manifest["spec"].get("rules", {}).get("enabled"))

    def label(self) -> None:
        """Say that the stack is lokeys'."""
        labels = {"lokeys.dev/managed": "true"}
        self.patch("LokiStack", self.name, {"metadata": {"labels": labels}})

    def rendered(self) -> list[Json]:
        """Return the objects that the stack should have."""
        stack, storage = self.choice.read()
        options = RenderOptions(now=NOW, environment=self.choice.environment)
        return [self.moved(each) for each in render(stack, storage, options=options)]

    def wait_made(self, objects: Iterable[Json]) -> None:
        """Wait until lokeys has applied all of these."""
        wanted = list(objects)

        def made() -> bool:
            return sum(map(_ours, self.found(wanted))) == len(wanted)

        wait_for(made, f"{len(wanted)} objects of {self.namespace} are lokeys'", timeout_s=STEP_S)

    def wait_gone(self, objects: Iterable[Json]) -> None:
        """Wait until none of these is there."""
        wanted = list(objects)

        def gone() -> bool:
            return not self.found(wanted)

        wait_for(gone, f"{len(wanted)} objects go", timeout_s=STEP_S)

    def found(self, objects: list[Json]) -> list[Json]:
        """Return those of some objects that are there."""
        collections = {self.kubernetes.collection(each) for each in objects}
        wanted = {(self.kubernetes.collection(e), e["metadata"]["name"]) for e in objects}
        return [
            item
            for collection in collections
            for item in self.kubernetes.api.get(collection)["items"]
            if (collection, item["metadata"]["name"]) in wanted
        ]


def create_as_former(kubernetes: Kubernetes, stack: Json, objects: Iterable[Json]) -> None:
    """Make a stack's objects as another operator does, which then owns every field of them."""
    owner = {
        "apiVersion": stack["apiVersion"],
        "kind": stack["kind"],
        "name": stack["metadata"]["name"],
        "uid": stack["metadata"]["uid"],
        "controller": True,
    }
    made = [
        each | {"metadata": each["metadata"] | {"ownerReferences": [owner]}} for each in objects
    ]
    words = ("create", "--field-manager=manager", "-f", "-")
    kubernetes.kubectl(*words, stdin=listed(made))


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
