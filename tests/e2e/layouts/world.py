# SPDX-License-Identifier: Apache-2.0
"""A layout: how somebody runs Loki's storage key, on a real API server, as lokeys meets it.

    def test_…(layout: Layout) -> None:
        layout.apply("values-inline")                  # tests/manifests/layouts/values-inline.yaml
        layout.show("loki", refused=7)                 # what the pods of workload `loki` show
        layout.run()                                   # … once they do
        told = layout.doctor()                           # as the cluster's admin
        assert (told.code, told.codes) == (3, ["LK0401"])
        assert "…" in told.screen

The file has the objects as they are in a cluster, with the names that people gave them. A layout
puts them into namespaces of the test's own: `monitoring` is `layout.ns("monitoring")`, in
`metadata.namespace`, in each field `namespace` and in the names of Services in whatever text.

Whatever a controller would have made has that controller's owner, with its uid: Rook's Secret its
CephObjectStoreUser; an ObjectBucketClaim's Secret and ConfigMap their claim; the Secret of an
ExternalSecret, OnePasswordItem or SealedSecret its maker. A `status` in the file is set; a
CephObjectStoreUser is Ready without one. External Secrets itself runs once a test says
`layout.start_external_secrets()`, and writes over what the file says that it made.

Pods run once a test says so; an image called `loki` is `watched.py`, or with
`layout.show("loki", real=True)` the real Loki with the arguments, variables and files of the
manifest. `layout.lead("rook-ceph-rgw-lake", "rook-ceph", port, to=rgw.port)` makes a Service that
leads to a port of this machine, for pods and for lokeys, which goes there by a port-forward.

No secret of the file may show in what lokeys prints: values of Secrets under names like *secret*,
*token* or *password*, and all that a test adds to `layout.secrets`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.layouts import kept
from parts.build import program
from parts.external_secrets import ExternalSecrets, apply_crds
from parts.kubelet.network import Outpost
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import gateway
from parts.process import wait_for
from parts.real_node.cluster import LEFT_ALONE

Json = dict[str, Any]
FILES = Path(__file__).parents[2] / "manifests/layouts"
REQUESTS = "loki_objstore_bucket_transport_requests_total"
FAILED_FLUSHES = "loki_ingester_chunks_flush_failures_total"
KEEP = os.environ.get("LOKEYS_KEEP_BUNDLES")
"""Where to keep what `collect` writes, for each layout that a test looks at; tests/bundles."""
_SECRET = re.compile(r"secret|token|password", re.IGNORECASE)
_CLUSTER_WIDE = ("ClusterSecretStore", "ClusterRole", "ClusterRoleBinding")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a command said: its exit code, its JSON, what a person sees, and what it said aside."""

    code: int
    document: Any
    screen: str
    aside: str

    @property
    def findings(self) -> list[Json]:
        """Return a report's findings, the best explanation first."""
        found: list[Json] = self.document["findings"]
        return found

    @property
    def codes(self) -> list[str]:
        """Return the findings' codes."""
        return [each["code"] for each in self.findings]

    def finding(self, code: str) -> Json:
        """Return the only finding of this code."""
        (found,) = (each for each in self.findings if each["code"] == code)
        return found

    @property
    def errors(self) -> list[str]:
        """Return the codes of severity error."""
        return [each["code"] for each in self.findings if each["severity"] == "error"]


@dataclass
class Layout:
    """One layout in a cluster. `tail` sets its namespaces apart; pods show what is in `shows`."""

    kubernetes: Kubernetes
    kubelet: Kubelet
    shows: Path
    tail: str
    outpost: Outpost | None = None
    """Where lokeys runs, if it is not beside the cluster."""
    variables: dict[str, str] = field(default_factory=dict)
    """What lokeys finds in its environment, such as a proxy."""
    secrets: set[str] = field(default_factory=set, repr=False)
    objects: list[Json] = field(default_factory=list)
    _own: ExitStack = field(default_factory=ExitStack)
    _namespaces: dict[str, str] = field(default_factory=dict)

    # --- making it -------------------------------------------------------------------------------

    def ns(self, name: str) -> str:
        """Return the test's own namespace in the place of this one."""
        if name not in self._namespaces:
            made = self._namespaces[name] = f"{name}-{self.tail}"
            metadata = {"name": made, "labels": {LEFT_ALONE: ""}}
            self.kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            account = f"/api/v1/namespaces/{made}/serviceaccounts/default"
            wait_for(lambda: self.kubernetes.api.find(account), f"{made} has its account")
        return self._namespaces[name]

    def apply(self, name: str, *more: Json, **instead: str) -> None:
        """Make what a file has, and `more`; `instead` says which {word} of its texts is what."""
        text = (FILES / f"{name}.yaml").read_text()
        for word, value in instead.items():
            text = text.replace(f"{{{word}}}", value)
        self.put(*(each for each in yaml.safe_load_all(text) if each), *more)

    def put(self, *objects: Json) -> None:
        """Make these objects, what a controller makes last."""
        for each in objects:
            for name in _namespaces_in(each):
                self.ns(name)
        placed = [self._placed(each) for each in objects]
        if any(each["apiVersion"].startswith("external-secrets.io/") for each in placed):
            apply_crds(self.kubernetes)
        self.objects += placed
        self.secrets |= set(_secrets_of(placed))
        made = [each for each in placed if each["kind"] in ("Secret", "ConfigMap")]
        self._apply([each for each in placed if each not in made])
        makers = [each for each in self.objects if each["kind"] in MAKES]
        self._apply([self._owned(each, makers) for each in made])

    def _apply(self, objects: Sequence[Json]) -> None:
        plain = [{k: v for k, v in each.items() if k != "status"} for each in objects]
        if plain:
            self.kubernetes.apply(*plain)
        for each in objects:
            ready = {"phase": "Ready", "observedGeneration": 1}
            status = each.get("status", ready if each["kind"] == "CephObjectStoreUser" else None)
            if status is not None:
                patch = json.dumps({"status": status})
                words = ("--subresource=status", "--type=merge", "-p", patch)
                self.kubernetes.kubectl("patch", *_words(each), *words)

    def _owned(self, made: Json, makers: Sequence[Json]) -> Json:
        """Return an object with the owner that makes it, if one does."""
        metadata = made["metadata"]
        for maker in makers:
            same = maker["metadata"]["namespace"] == metadata["namespace"]
            if same and (made["kind"], metadata["name"]) in MAKES[maker["kind"]](maker):
                found = json.loads(self.kubernetes.kubectl("get", *_words(maker), "-o", "json"))
                owner = {
                    "apiVersion": maker["apiVersion"],
                    "kind": maker["kind"],
                    "name": maker["metadata"]["name"],
                    "uid": found["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
                return made | {"metadata": metadata | {"ownerReferences": [owner]}}
        return made

    def start_external_secrets(self) -> ExternalSecrets:
        """Run the real External Secrets until the test's end."""
        operator = ExternalSecrets(self.kubernetes)
        self._own.callback(operator.close)
        operator.start()
        return operator

    def lead(self, service: str, namespace: str, port: int, *, to: int) -> None:
        """Make a Service that leads to a port of this machine's loopback."""
        target = self.kubelet.relay(to)
        place = self.ns(namespace)
        self.kubernetes.apply(*gateway(place, service, port=port, target=target))
        self.kubelet.take(place)
        path = f"/api/v1/namespaces/{place}/pods/{service}"
        wait_for(lambda: _is_ready(self.kubernetes.api.get(path)), f"{service} leads to {target}")

    # --- its pods --------------------------------------------------------------------------------

    def show(
        self,
        workload: str,
        *,
        namespace: str = "monitoring",
        accepted: int = 0,
        refused: int = 0,
        failed_flushes: int = 0,
        log: Sequence[str] = (),
        ready: bool = True,
        ends_with: int | None = None,
        real: bool = False,
    ) -> None:
        """Say what the pods of a workload show from now on; their log is said when they begin."""
        counted = {200: accepted, 403: refused}
        rows = [f'{REQUESTS}{{status_code="{code}"}} {n}' for code, n in counted.items() if n]
        rows += [f"{FAILED_FLUSHES} {failed_flushes}"] if failed_flushes else []
        said = {
            "metrics": "".join(f"{row}\n" for row in rows),
            "log": [*log],
            "ready": ready,
            "exit": ends_with,
            "real": real,
        }
        folder = self.shows / self.ns(namespace)
        folder.mkdir(exist_ok=True)
        (folder / f"{workload}.json").write_text(json.dumps(said))

    def run(self, *namespaces: str) -> None:
        """Let the pods of these namespaces run, by default `monitoring`, until all have begun."""
        for namespace in map(self.ns, namespaces or ("monitoring",)):
            self.kubelet.take(namespace)
            wait_for(partial(self._began, namespace), f"pods of {namespace}", timeout_s=60)

    def pods(self, namespace: str = "monitoring") -> list[Json]:
        """Return the pods there are."""
        path = f"/api/v1/namespaces/{self.ns(namespace)}/pods"
        found: list[Json] = self.kubernetes.api.get(path)["items"]
        return found

    def _began(self, namespace: str) -> bool:
        apps = f"/apis/apps/v1/namespaces/{namespace}"
        kinds = ("statefulsets", "deployments", "daemonsets")
        found = [o for kind in kinds for o in self.kubernetes.api.get(f"{apps}/{kind}")["items"]]
        wanted = sum(each["spec"].get("replicas", 1) for each in found)
        pods = self.kubernetes.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return all(map(_is_rolled, found)) and bool(sum(map(_has_begun, pods)) >= wanted)

    # --- lokeys ----------------------------------------------------------------------------------

    def person(self, name: str, **rules: Sequence[Json]) -> Path:
        """Return the kubeconfig of somebody who may do just this: RBAC rules by namespace.

        `everywhere` stands for all namespaces. A namespace's hyphens are written as underscores.
        """
        home = self.ns("people")
        subject = {"kind": "ServiceAccount", "name": name, "namespace": home}
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        objects: list[Json] = [account | {"metadata": {"name": name, "namespace": home}}]
        for word, allowed in rules.items():
            place = None if word == "everywhere" else self.ns(word.replace("_", "-"))
            objects += _granted(f"{name}-{self.tail}", place, allowed, subject)
        self.kubernetes.apply(*objects)
        self.objects += [each for each in objects if each["kind"] in _CLUSTER_WIDE]
        return self.kubernetes.user_kubeconfig(home, name)

    def doctor(self, *words: str, person: Path | None = None) -> Told:
        """Ask what is wrong in `monitoring`; where bundles are kept, a bundle says the same."""
        told = self.told("doctor", *words, person=person)
        if KEEP and not words:
            kept.keep(self, told, person=person)
        return told

    def discover(self, *words: str, person: Path | None = None) -> Told:
        """Ask for the routes in `monitoring`; the screen is YAML, what else is said is aside."""
        return self.told("discover", *words, person=person)

    def told(self, *words: str, namespace: str = "monitoring", person: Path | None = None) -> Told:
        """Run a command twice, for programs and for people; both end alike."""
        asked = ("-n", self.ns(namespace), *words)
        seen = self.lokeys(*asked, person=person)
        data = self.lokeys(*asked, "-o", "json", person=person)
        assert seen.returncode == data.returncode, seen.stderr + data.stderr
        document = json.loads(data.stdout) if data.stdout else None
        return Told(code=seen.returncode, document=document, screen=seen.stdout, aside=seen.stderr)

    def lokeys(
        self,
        *words: str,
        person: Path | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run lokeys, by default as the cluster's admin; no secret may show."""
        done = subprocess.run(
            self.command(*words, person=person),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "110"} | self.variables,
        )
        assert "Traceback" not in done.stderr, done.stderr
        if any(secret in done.stdout + done.stderr for secret in self.secrets):
            pytest.fail("a secret shows in what lokeys printed", pytrace=False)
        return done

    def shell(
        self, printed: str, folder: Path, *, person: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Type a command in a folder as it was printed; no secret may show."""
        kubectl = program("kubernetes", "kubectl")
        assert kubectl is not None
        path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.parent), os.defpath))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", printed],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env=os.environ
            | {"PATH": path, "KUBECONFIG": str(person or self.kubernetes.kubeconfig)}
            | {"NO_COLOR": "1"},
        )
        assert "Traceback" not in done.stderr, done.stderr
        if any(secret in done.stdout + done.stderr for secret in self.secrets):
            pytest.fail("a secret shows in what a printed command said", pytrace=False)
        return done

    def command(self, *words: str, person: Path | None = None) -> list[str]:
        """Return the command line of lokeys on this cluster."""
        config, place = person or self.kubernetes.kubeconfig, self.outpost
        if place is not None:
            config = self.kubernetes.kubeconfig_through(place.address, config)
        lokeys = [sys.executable, "-m", "lokeys", "--kubeconfig", str(config), *words]
        return [*(place.command if place else ()), *lokeys]

    # --- its end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Take it away: what has an owner of ours goes with it."""
        api = self.kubernetes.api
        for each in self.objects:
            if each["kind"] in _CLUSTER_WIDE:
                self.kubernetes.kubectl("delete", *_words(each), "--wait=false", check=False)
            elif each["kind"] in MAKES:  # it would be another test's only user
                self.kubernetes.kubectl("delete", *_words(each), check=False)
        self._own.close()  # not before: External Secrets lets its objects go
        for namespace in self._namespaces.values():
            api.delete(f"/api/v1/namespaces/{namespace}")

    # --- names -----------------------------------------------------------------------------------

    def _placed(self, found: Any) -> Any:
        """Return an object, or a part of one, in the test's own namespaces."""
        if isinstance(found, dict):
            return {key: self._placed_at(key, value) for key, value in found.items()}
        if isinstance(found, list):
            return [self._placed(each) for each in found]
        if isinstance(found, str):
            for name, own in self._namespaces.items():
                found = re.sub(rf"\.{re.escape(name)}\.svc\b", f".{own}.svc", found)
        return found

    def _placed_at(self, key: str, value: Any) -> Any:
        if key == "namespace" and isinstance(value, str):
            return self.ns(value)
        return self._placed(value)


def _of_user(user: Json) -> set[tuple[str, str]]:
    name = f"rook-ceph-object-user-{user['spec']['store']}-{user['metadata']['name']}"
    return {("Secret", name)}


def _of_claim(claim: Json) -> set[tuple[str, str]]:
    return {(kind, claim["metadata"]["name"]) for kind in ("Secret", "ConfigMap")}


def _of_external(external: Json) -> set[tuple[str, str]]:
    target = external["spec"].get("target") or {}
    owns = target.get("creationPolicy", "Owner") == "Owner"
    return {("Secret", target.get("name") or external["metadata"]["name"])} if owns else set()


def _of_same_name(maker: Json) -> set[tuple[str, str]]:
    return {("Secret", maker["metadata"]["name"])}


MAKES = {
    "CephObjectStoreUser": _of_user,
    "ObjectBucketClaim": _of_claim,
    "ExternalSecret": _of_external,
    "OnePasswordItem": _of_same_name,
    "SealedSecret": _of_same_name,
}
"""What a controller makes for an object of its kind."""


def _words(found: Json) -> tuple[str, ...]:
    """Return what kubectl calls an object."""
    group, slash, version = found["apiVersion"].rpartition("/")
    kind = f"{found['kind']}.{version}.{group}" if slash else found["kind"]
    namespace = found["metadata"].get("namespace")
    return (kind, found["metadata"]["name"], *(("-n", namespace) if namespace else ()))


def _namespaces_in(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            if key == "namespace" and isinstance(value, str):
                yield value
            else:
                yield from _namespaces_in(value)
    elif isinstance(found, list):
        for each in found:
            yield from _namespaces_in(each)


def _secrets_of(objects: Sequence[Json]) -> Iterator[str]:
    for each in objects:
        if each["kind"] == "Secret":
            values = each.get("stringData") or {}
            yield from (text for key, text in values.items() if _SECRET.search(key) and text)


def _granted(name: str, place: str | None, rules: Sequence[Json], subject: Json) -> list[Json]:
    kind = "Role" if place else "ClusterRole"
    metadata = {"name": name, **({"namespace": place} if place else {})}
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": [*rules]}
    return [
        role,
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [subject],
        },
    ]


def _is_rolled(workload: Json) -> bool:
    """Tell whether a Deployment has pods of its present template alone."""
    if "strategy" not in workload["spec"]:  # lists name no kinds
        return True
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status", {})
    now = status.get("observedGeneration") == workload["metadata"]["generation"]
    return bool(now and wanted == status.get("updatedReplicas", 0) == status.get("replicas", 0))


def _has_begun(pod: Json) -> bool:
    """Tell whether each container has run, or cannot for a reason that stays."""
    containers = pod["status"].get("containerStatuses") or []
    began = [
        "running" in each["state"] or bool(each.get("lastState")) or "terminated" in each["state"]
        for each in containers
    ]
    waits = [(each["state"].get("waiting") or {}).get("reason", "") for each in containers]
    return bool(containers) and all(
        done or reason.endswith(("Error", "BackOff"))
        for done, reason in zip(began, waits, strict=True)
    )


def _is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
