# SPDX-License-Identifier: Apache-2.0
"""Least privilege, by the audit log: nothing is forbidden, and nothing is granted in vain.

Two replicas run as the account that deploy/ ships, with what `lokeys rbac` prints for each route.
They heal one route after the other, each of which needs other rights.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from e2e import hands
from e2e.operators import Operator
from e2e.rights import Right, forbidden, granted, used
from e2e.sight import SECRET
from e2e.world import Homelab, Loop
from lokeys.core.route.resource.crd import crd
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.plugin import run_external_secrets, run_kubernetes
from parts.process import wait_for
from parts.rgw import Rgw

ROOT = Path(__file__).parents[2]
SYSTEM = "lokeys-system"
ACCOUNT = {"kind": "ServiceAccount", "name": "lokeys", "namespace": SYSTEM}
USER = f"system:serviceaccount:{SYSTEM}:lokeys"

pytestmark = pytest.mark.timeout(600)

RARE: dict[str, str] = {
    "patch lokistacks/status.loki.grafana.com in the cluster": "e2e/stacks/test_rights.py uses it",
}
"""Rights that these scenarios do not come to need, and why they are granted all the same."""


@dataclass
class Book:
    """What was granted, used and refused in all scenarios, as if of one homelab."""

    granted: set[Right] = field(default_factory=set)
    used: set[Right] = field(default_factory=set)
    refused: set[Right] = field(default_factory=set)

    def note(self, kubernetes: Kubernetes, namespaces: tuple[str, ...], name: str) -> None:
        """Add what has happened in some namespaces, and to the cluster."""
        events = [
            event
            for event in kubernetes.audit_events(USER)
            if event.get("objectRef", {}).get("namespace", "") in ("", *namespaces)
        ]
        for into, rights in (
            (self.granted, granted(kubernetes, ACCOUNT, namespaces)),
            (self.used, used(events)),
            (self.refused, forbidden(events)),
        ):
            into |= {right.said(name) for right in rights}

    @property
    def in_vain(self) -> set[Right]:
        """What was granted and never used."""
        return {r for r in self.granted if not any(r.covers(use) for use in self.used)}


Follow = Callable[..., None]
Scenario = Callable[[Homelab, Follow], None]


def the_story(home: Homelab, follow: Follow) -> None:
    """Rook is made to read RGW again, the vault written, a sync forced, the pod replaced."""
    home.build()
    home.push("before")
    home.wait_written()
    admin = {"endpoint": home.rgw.endpoint, "secretRef": {"name": hands.make_admin_secret(home)}}
    rook = {"user": home.user, "namespace": home.storage, "refresh": True, "admin": admin}
    follow(home, source={"rook": rook})
    home.wait_condition("Ready", "True")
    pair = home.replace_key_at_rgw()
    home.push("during")
    home.wait_healed(pair, timeout_s=120)


def keys_of_its_own(home: Homelab, follow: Follow) -> None:
    """The Secret that `spec.keys` names is the source; why Rook is stuck stands in its events."""
    home.build(with_loki=False)
    hands.make_key_secret(home, "key-one", home.source_pair())
    hands.use_keys(home, "key-one")
    wait_for(lambda: hands.is_blank(home), "a blank Secret")
    follow(home)
    home.wait_condition("Ready", "True")
    home.stop_rook()
    home.kubernetes.api.patch(hands.user_path(home), {"spec": {"displayName": "Loki, renamed"}})
    home.wait_finding("rook_not_applied", timeout_s=60)


def immutable(home: Homelab, follow: Follow) -> None:
    """An immutable Secret is deleted, to be made anew."""
    home.build(with_loki=False, target={"name": SECRET, "immutable": True})
    secret = home.route()["spec"]["secret"]
    allowed = secret | {"externalSecret": {"name": SECRET, "recreate": True}}
    pair = home.replace_key()
    follow(home, secret=allowed)
    home.wait_healed(pair)


def a_mended_store(home: Homelab, follow: Follow) -> None:
    """External Secrets is made to look at its store again."""
    home.build(with_loki=False)
    hands.give_store_a_token(home, "nonsense")
    follow(home)
    home.wait_finding("eso_store_not_ready")
    path = f"/apis/{hands.ESO}/namespaces/{home.monitoring}/secretstores/{hands.STORE}"
    mend_once_touched(home, path)


def a_mended_store_for_all(home: Homelab, follow: Follow) -> None:
    """The same with a ClusterSecretStore, which is told of in a role of the whole cluster."""
    home.build(with_loki=False)
    hands.set_store_token(home, "nonsense")
    token = {"name": hands.OWN_TOKEN, "key": "token", "namespace": home.monitoring}
    provider = {
        "connectHost": home.connect_url,
        "vaults": {"homelab": 1},
        "auth": {"secretRef": {"connectTokenSecretRef": token}},
    }
    name = f"store-{home.name}"
    spec = {"provider": {"onepassword": provider}}
    home.apply(hands.ESO, "ClusterSecretStore", name, None, spec=spec)
    home.apply_external_secret(secretStoreRef={"name": name, "kind": "ClusterSecretStore"})
    follow(home)
    home.wait_finding("eso_store_not_ready")
    mend_once_touched(home, f"/apis/{hands.ESO}/clustersecretstores/{name}")


def mend_once_touched(home: Homelab, store: str) -> None:
    """Replace the key, and mend the store's token when the operator has touched the store."""

    def annotations() -> object:
        return home.kubernetes.api.get(store)["metadata"].get("annotations")

    before, pair = annotations(), home.replace_key()
    wait_for(lambda: annotations() != before, "the operator touches the store", timeout_s=60)
    hands.set_store_token(home, home.token)
    again = {"metadata": {"annotations": {"touched": "by hand"}}}
    home.kubernetes.api.patch(store, again)
    home.wait_healed(pair)


def no_external_secret(home: Homelab, follow: Follow) -> None:
    """The operator writes the Secret itself, from a Secret elsewhere; there is no vault."""
    home.build(with_loki=False)
    hands.make_secret(home, "pair", dict(zip(hands.ROOK_KEYS, home.source_pair(), strict=True)),
                      storage=True)  # fmt: skip
    words = {
        "lokeys.dev/allowed-namespaces": home.monitoring,
        "lokeys.dev/allowed-urls": home.endpoint,
    }
    allowed = {"metadata": {"annotations": words}}
    home.kubernetes.api.patch(f"/api/v1/namespaces/{home.storage}/secrets/pair", allowed)
    home.delete_external_secret()
    spec = home.route()["spec"]
    secret = {key: spec["secret"][key] for key in ("name", "keys")}
    keys = {"accessKeyId": "AccessKey", "secretAccessKey": "SecretKey"}
    source = {"secret": {"name": "pair", "namespace": home.storage, "keys": keys}}
    follow(home, secret=secret, source=source, vault=None)
    wait_for(lambda: home.pair_in(SECRET) == home.source_pair(), "lokeys makes it", timeout_s=30)
    pair = home.replace_key()
    hands.make_secret(home, "pair", dict(zip(hands.ROOK_KEYS, pair, strict=True)), storage=True)
    wait_for(lambda: home.pair_in(SECRET) == pair, "lokeys writes it", timeout_s=60)
    home.wait_condition("Ready", "True")


def other_workloads(home: Homelab, follow: Follow) -> None:
    """A wrong hash makes External Secrets read afresh; a Deployment's and a DaemonSet's pods go."""
    home.build(with_loki=False, refreshPolicy="CreatedOnce")
    path = f"/apis/apps/v1/namespaces/{home.monitoring}/statefulsets/loki"
    pod = home.kubernetes.api.get(path)["spec"]["template"]["spec"]
    names = {"Deployment": "read", "DaemonSet": "each"}
    for kind, name in names.items():
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        home.apply("apps/v1", kind, name, home.monitoring, spec=spec)
    workloads = [{"kind": kind, "name": name} for kind, name in names.items()]
    follow(home, workloads=[*home.route()["spec"]["workloads"], *workloads])
    home.wait_condition("Ready", "True")
    home.wait_healed(home.replace_key())


def an_address_that_a_service_has(home: Homelab, follow: Follow) -> None:
    """The object store does not name the address; older keys are tried there all the same."""
    home.build(with_loki=False)
    hands.lead_by_a_service(home)
    follow(home)
    home.wait_condition("Ready", "True")
    home.wait_healed(home.replace_key())
    assert "address_not_allowed" not in home.causes()


SCENARIOS: tuple[Scenario, ...] = (
    the_story,
    keys_of_its_own,
    immutable,
    a_mended_store,
    a_mended_store_for_all,
    no_external_secret,
    other_workloads,
    an_address_that_a_service_has,
)


@pytest.fixture(scope="module")
def kubernetes(pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """Run a control plane of their own: an operator looks at the whole cluster."""
    yield from run_kubernetes(pytestconfig)


@pytest.fixture(scope="module")
def external_secrets(
    pytestconfig: pytest.Config, kubernetes: Kubernetes
) -> Iterator[ExternalSecrets]:
    """Run External Secrets there."""
    yield from run_external_secrets(pytestconfig, kubernetes)


@pytest.fixture(scope="module")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Let it know StorageCredentials."""
    kubernetes.apply(crd())
    return kubernetes


@pytest.fixture(scope="module")
def replicas(
    defined: Kubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Operator]]:
    """Install what deploy/ ships, but for the Deployment, whose two replicas run here."""
    defined.apply(lokistack_crd())
    shipped = yaml.safe_load_all(defined.kubectl("kustomize", str(ROOT / "deploy")))
    defined.apply(
        *(each for each in shipped if each["kind"] not in ("Deployment", "NetworkPolicy"))
    )
    folder = tmp_path_factory.mktemp("replicas")
    made = []
    for number in range(2):
        log = folder / f"{number}.log"
        log.touch()
        made.append(Operator(defined.user_kubeconfig(SYSTEM, "lokeys"), log, SYSTEM))
    try:
        for replica in made:
            replica.start()
        wait_for(lambda: any(replica.leads for replica in made), "one of them leads")
        yield made
    finally:
        for replica in made:
            replica.stop()


@pytest.fixture(scope="module")
def make_home(
    defined: Kubernetes, external_secrets: ExternalSecrets, rgw: Rgw, kubelet: Kubelet, loop: Loop
) -> Callable[[str], Homelab]:
    """Make homelabs that are not built yet."""
    return lambda name: Homelab(defined, external_secrets, rgw, kubelet, loop, name)


@pytest.fixture(scope="module")
def book(
    make_home: Callable[[str], Homelab],
    defined: Kubernetes,
    replicas: list[Operator],
    tmp_path_factory: pytest.TempPathFactory,
) -> Book:
    """Play all scenarios, one homelab at a time, and keep book."""
    kept, folder = Book(), tmp_path_factory.mktemp("routes")
    assert len(replicas) == 2

    def follow(home: Homelab, **changes: object) -> None:
        manifest = home.route(**changes)
        manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value}
        file = str(home.file(folder, manifest))
        roles = home.lokeys("rbac", "-f", file, "--service-account", f"{SYSTEM}/lokeys")
        assert roles.code == 0, roles.err
        defined.kubectl("apply", "-f", "-", stdin=roles.out)
        defined.apply(manifest)

    for scenario in SCENARIOS:
        name = f"{os.getpid()}-{scenario.__name__.replace('_', '-')}"
        home = make_home(name)
        with contextlib.closing(home):
            scenario(home, follow)
            kept.note(defined, (home.monitoring, home.storage), name)
        for kind in ("clusterrolebinding", "clusterrole", "clustersecretstore"):
            names = (f"lokeys-{home.monitoring}.loki", f"store-{name}")
            defined.kubectl("delete", kind, *names, "--ignore-not-found")
    kept.note(defined, (SYSTEM,), "")
    return kept


def test_nothing_that_the_operator_asks_for_is_forbidden(book: Book) -> None:
    """The shipped roles and those that `lokeys rbac` prints are enough."""
    assert sorted(map(str, book.refused)) == []


def test_nothing_is_granted_in_vain(book: Book) -> None:
    """Each verb on each named thing was used at least once, or stands in RARE with its reason."""
    found = sorted(str(right) for right in book.in_vain)
    assert found == sorted(RARE), "\n".join(found)
