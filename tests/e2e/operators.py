# SPDX-License-Identifier: Apache-2.0
"""`lokeys operator` as processes, with the shipped roles and no right beyond them."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from e2e.sight import Json
from e2e.world import Homelab
from lokeys.core.place import Ref
from lokeys.core.rbac import (
    Account,
    RouteFacts,
    StackWish,
    all_stacks_roles,
    operator_roles,
    route_roles,
)
from lokeys.core.route.resource.parse import parse
from parts.kubernetes import Kubernetes
from parts.process import wait_for

_numbers = itertools.count(1)


@dataclass
class Operator:
    """One replica. Its output is added to `log`."""

    kubeconfig: Path
    log: Path
    namespace: str = "lokeys-system"
    process: subprocess.Popen[bytes] | None = None
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> "Operator":
        words = ("operator", "--system-namespace", self.namespace, "--port", "0", "-v")
        argv = [sys.executable, "-m", "lokeys", "--kubeconfig", str(self.kubeconfig), *words]
        environment = os.environ | self.variables
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, *self.options], stdout=log, stderr=log, env=environment
            )
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    @property
    def leads(self) -> bool:
        """Whether it has taken the lead."""
        return "holds Lease" in self.said

    def metrics(self) -> str:
        """Return its page of metrics."""
        return self.page("/metrics")

    def page(self, path: str, *, within_s: float = 5.0) -> str:
        """Return one of its pages."""
        found = re.search(r"pages on http://[^:]+:(\d+)", self.said)
        assert found is not None, self.said
        url = f"http://127.0.0.1:{found[1]}{path}"
        return httpx2.get(url, trust_env=False, timeout=within_s).text


@contextlib.contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """Run an operator for as long as a test takes."""
    try:
        yield operator.start()
    finally:
        operator.stop()


@dataclass
class Installation:
    """A namespace with the operator's account and its shipped roles; replicas as they are made."""

    kubernetes: Kubernetes
    folder: Path
    namespace: str = field(init=False)
    replicas: list[Operator] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.namespace = f"lokeys-{os.getpid()}-{next(_numbers)}"
        self.account = Account(name="lokeys", namespace=self.namespace)
        roles = operator_roles(self.account)
        metadata = {"name": "lokeys", "namespace": self.namespace}
        self.kubernetes.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            *(self._own(role) for role in roles),
        )
        self.user = f"system:serviceaccount:{self.namespace}:lokeys"

    def _own(self, role: Json) -> Json:
        """Return a cluster-wide role under a name of this installation's own."""
        if not role["kind"].startswith("Cluster"):
            return role
        name = f"{role['metadata']['name']}-{self.namespace}"
        role = role | {"metadata": role["metadata"] | {"name": name}}
        return role | ({"roleRef": role["roleRef"] | {"name": name}} if "roleRef" in role else {})

    def replica(self, *, kubeconfig: Path | None = None) -> Operator:
        """Make a replica that is not started yet."""
        config = kubeconfig or self.kubernetes.user_kubeconfig(self.namespace, "lokeys")
        log = self.folder / f"operator-{self.namespace}-{len(self.replicas)}.log"
        log.touch()
        made = Operator(config, log, self.namespace)
        self.replicas.append(made)
        return made

    def allow(self, home: Homelab, manifest: Json) -> None:
        """Apply what `lokeys rbac` prints for the route."""
        self.kubernetes.apply(*self.roles(home, manifest))

    def roles(self, home: Homelab, manifest: Json) -> list[Json]:
        """Return what `lokeys rbac` prints for the route."""
        known = RouteFacts(
            key_secrets=home.key_secrets or (home.generated,),
            generated=not home.key_secrets,
            secret_store=Ref("SecretStore", "onepassword", home.monitoring),
            bridge=home.bridge is not None,
        )
        return list(route_roles(parse(manifest), account=self.account, known=known))

    @contextlib.contextmanager
    def all_stacks_allowed(self, wish: StackWish) -> Iterator[None]:
        """Give the rights of deploy/rbac/all-stacks, for every LokiStack; take them back."""
        roles = [self._own(role) for role in all_stacks_roles(wish=wish, account=self.account)]
        self.kubernetes.apply(*roles)
        yield
        self.kubernetes.kubectl("delete", "-f", "-", stdin="---\n".join(map(json.dumps, roles)))

    def follow(self, home: Homelab, **changes: object) -> None:
        """Grant the route's rights and apply its StorageCredential."""
        manifest = home.route(**changes)
        self.allow(home, manifest)
        self.kubernetes.apply(manifest)

    def audit(self) -> list[Json]:
        """Return every request that the operator has made, of which an answer was begun."""
        return self.kubernetes.audit_events(self.user)

    def calls(self, home: Homelab, verb: str, resource: str) -> list[Json]:
        """Return the requests of a kind that the operator made in Loki's namespace, and did."""

        def fits(event: Json) -> bool:
            seen = event.get("objectRef", {})
            path = "/".join(filter(None, (seen.get("resource"), seen.get("subresource"))))
            done = event.get("responseStatus", {}).get("code", 0) < 300
            here = seen.get("namespace") == home.monitoring
            return bool(here and done and (event["verb"], path) == (verb, resource))

        return [event for event in self.audit() if fits(event)]

    def close(self) -> None:
        """Stop what still runs."""
        for replica in self.replicas:
            replica.stop()
        self.kubernetes.api.delete(f"/api/v1/namespaces/{self.namespace}")


def wait_led(replica: Operator) -> None:
    """Wait until the replica leads."""
    wait_for(lambda: replica.leads, "an operator leads", timeout_s=90)
