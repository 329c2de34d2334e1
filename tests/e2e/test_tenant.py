# SPDX-License-Identifier: Apache-2.0
"""A tenant attacks: whoever may edit StorageCredentials gets nothing that was not theirs.

The operator runs with its shipped roles and what `lokeys rbac` prints. The tenant may write
StorageCredentials in a namespace, and runs a server that notes what is sent to it. The table of
docs/concepts/security.md names these tests.
"""

import asyncio
import itertools
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from e2e.operators import Installation, Operator
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.core.place import Ref
from lokeys.core.rbac import RouteFacts, route_roles
from lokeys.core.route.resource.parse import parse
from lokeys.demo.parts.crds import rook_crds
from lokeys.errors import NeedsHuman
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.kubernetes import OWN_AUDIENCE, Kubernetes
from parts.process import wait_for

Json = dict[str, Any]

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

_numbers = itertools.count(1)
KEYS = {"accessKeyId": "id", "secretAccessKey": "key"}
FIELDS = {"accessKeyId": "access_key", "secretAccessKey": "secret_key"}


@dataclass
class Spy:
    """A server of the tenant's: it answers nothing of use, and notes what came."""

    seen: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> "Spy":
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                size = int(self.headers.get("content-length") or 0)
                seen.append(f"{self.requestline}\n{self.headers}\n{self.rfile.read(size)!r}")
                self.send_response(404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Place:
    """The namespaces of one test, and what is in them."""

    kubernetes: Kubernetes
    installation: Installation
    spy: Spy
    name: str

    def __post_init__(self) -> None:
        self.storage, self.tenant, self.owner = (
            f"{who}-{self.name}" for who in ("storage", "tenant", "owner")
        )
        for namespace in (self.storage, self.tenant, self.owner):
            self.apply("v1", "Namespace", namespace, None)

    def apply(
        self,
        version: str,
        kind: str,
        name: str,
        namespace: str | None,
        *,
        metadata: Json | None = None,
        **body: Any,
    ) -> None:
        about: Json = {"name": name, **(metadata or {})}
        if namespace:
            about["namespace"] = namespace
        self.kubernetes.apply({"apiVersion": version, "kind": kind, "metadata": about, **body})

    def secret(self, name: str, namespace: str, metadata: Json | None = None, **data: str) -> None:
        encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
        self.apply("v1", "Secret", name, namespace, metadata=metadata, data=encoded)

    def user(self, name: str, *, allowed: str = "", store: str = "objects") -> str:
        """Make a user and the Secret that Rook would make for it; return the Secret's name."""
        words = {"annotations": {"lokeys.dev/allowed-namespaces": allowed}}
        version, kind = "ceph.rook.io/v1", "CephObjectStoreUser"
        spec = {"store": store, "displayName": name}
        self.apply(version, kind, name, self.storage, metadata=words, spec=spec)
        path = f"/apis/{version}/namespaces/{self.storage}/cephobjectstoreusers/{name}"
        owner = {
            "apiVersion": version,
            "kind": kind,
            "name": name,
            "uid": self.kubernetes.api.get(path)["metadata"]["uid"],
            "controller": True,
        }
        generated = f"rook-ceph-object-user-{store}-{name}"
        self.secret(
            generated,
            self.storage,
            {"ownerReferences": [owner]},
            AccessKey=f"ID-OF-{name}",
            SecretKey=f"secret-of-{name}",
            Endpoint="http://127.0.0.1:1",
        )
        return generated

    def route(self, namespace: str, **changes: Any) -> Json:
        """Return a StorageCredential all of whose addresses are the spy's."""
        rook = {"user": "loki", "namespace": self.storage}
        spec = {
            "mode": "Heal",
            "source": {"rook": rook},
            "secret": {"name": "target", "keys": KEYS},
            "bucket": {"name": "bucket", "endpoint": self.spy.url},
        } | changes
        metadata = {"name": "loki", "namespace": namespace}
        return {
            "apiVersion": "lokeys.dev/v1alpha1",
            "kind": "StorageCredential",
            "metadata": metadata,
            "spec": spec,
        }

    def follow(self, manifest: Json, *secrets: str) -> None:
        """Grant the route's rights, and the operator more Secrets of the source than it needs."""
        known = RouteFacts(key_secrets=secrets, generated=True)
        roles = route_roles(parse(manifest), account=self.installation.account, known=known)
        self.kubernetes.apply(*roles)
        self.kubernetes.apply(manifest)

    def status(self, namespace: str) -> Json:
        path = f"/apis/lokeys.dev/v1alpha1/namespaces/{namespace}/storagecredentials/loki"
        found: Json = self.kubernetes.api.get(path).get("status") or {}
        return found

    def codes(self, namespace: str) -> set[str]:
        return {each["code"] for each in self.status(namespace).get("findings") or ()}

    def wait_codes(self, namespace: str, *codes: str) -> None:
        wait_for(
            lambda: set(codes) <= self.codes(namespace),
            f"{codes} in {namespace}, which says {self.codes(namespace)}",
            timeout_s=60,
        )

    def annotate(self, kind: str, name: str, namespace: str, **words: str) -> None:
        paths = {"secrets": "/api/v1", "cephobjectstoreusers": "/apis/ceph.rook.io/v1"}
        path = f"{paths[kind]}/namespaces/{namespace}/{kind}/{name}"
        annotations = {f"lokeys.dev/{key.replace('_', '-')}": text for key, text in words.items()}
        self.kubernetes.api.patch(path, {"metadata": {"annotations": annotations}})


@pytest.fixture
def place(defined: Kubernetes, installation: Installation, operator: Operator) -> Iterator[Place]:
    """Make the namespaces of a test, and the tenant's server."""
    assert operator.running
    defined.apply(*rook_crds())
    spy = Spy().start()
    made = Place(defined, installation, spy, f"tenant-{os.getpid()}-{next(_numbers)}")
    yield made
    for namespace in (made.storage, made.tenant, made.owner):
        defined.api.delete(f"/api/v1/namespaces/{namespace}")
    spy.stop()


def vault_at(url: str) -> Json:
    """Return a vault behind a Connect server at this address."""
    connect = {"url": url, "tokenSecretRef": {"name": "connect-token", "key": "token"}}
    return {"onePassword": {"connect": connect, "vault": "v", "item": "i", "fields": FIELDS}}


def test_another_users_key_is_not_got_by_naming_its_store(place: Place) -> None:
    """Allowed for `loki` alone, the tenant names the store with which the Secret is `prod-loki`'s.

    The operator may read both Secrets, and the tenant's server is the store that all may use.
    """
    mine = place.user("loki", allowed=place.tenant)
    other = place.user("prod-loki")
    assert other == "rook-ceph-object-user-objects-prod-loki"
    place.annotate("cephobjectstoreusers", "loki", place.storage, allowed_urls=place.spy.url)
    rook = {"user": "loki", "namespace": place.storage, "store": "objects-prod"}
    place.follow(place.route(place.tenant, source={"rook": rook}), mine, other)
    place.wait_codes(place.tenant, "LK0315")
    wait_for(lambda: place.spy.seen, "the tenant's own key is tried", timeout_s=60)
    assert all("ID-OF-loki" in each for each in place.spy.seen)


def test_a_secret_that_was_made_for_another_user_is_none(place: Place) -> None:
    """A user of the store `objects-prod`: the Secret of its name belongs to `prod-loki`."""
    other = place.user("prod-loki")
    words = {"annotations": {"lokeys.dev/allowed-namespaces": place.tenant}}
    spec = {"store": "objects-prod", "displayName": "loki"}
    place.apply(
        "ceph.rook.io/v1", "CephObjectStoreUser", "loki", place.storage, metadata=words, spec=spec
    )
    place.annotate("cephobjectstoreusers", "loki", place.storage, allowed_urls=place.spy.url)
    place.follow(place.route(place.tenant), other)
    place.wait_codes(place.tenant, "LK0316")
    assert not place.spy.seen


@pytest.mark.parametrize("mode", ["Observe", "Heal"])
def test_token_pair_and_requests_stay_away_from_the_tenants_server(place: Place, mode: str) -> None:
    """Connect, the store and RGW's admin API are all named to be the tenant's server."""
    mine = place.user("loki", allowed=place.tenant)
    place.secret("connect-token", place.tenant, token="canary-token")
    # The tenant's own, and so no word of the source's owner.
    own = {"annotations": {"lokeys.dev/allowed-urls": place.spy.url}}
    place.secret("rgw-admin", place.tenant, own, accessKey="a", secretKey="s")
    place.secret("target", place.tenant, id="ID-OLD", key="secret-old")
    admin = {"endpoint": place.spy.url, "secretRef": {"name": "rgw-admin"}}
    rook = {"user": "loki", "namespace": place.storage, "refresh": True, "admin": admin}
    route = place.route(
        place.tenant, mode=mode, source={"rook": rook}, vault=vault_at(place.spy.url)
    )
    place.follow(route, mine)
    place.wait_codes(place.tenant, "LK0416", "LK0317")
    assert place.spy.seen == []
    place.annotate("secrets", "connect-token", place.tenant, allowed_urls=place.spy.url)
    wait_for(lambda: place.spy.seen, "its owner's word lets the token go", timeout_s=60)
    assert any("canary-token" in each for each in place.spy.seen)
    assert not any("ID-OF-loki" in each or "ID-OLD" in each for each in place.spy.seen)


def observing(place: Place) -> Json:
    return place.route(place.tenant, mode="Observe")


def not_allowed(place: Place) -> Json:
    return place.route(place.tenant)


@pytest.mark.parametrize("attack", [observing, not_allowed])
def test_an_older_route_of_a_tenant_stalls_nobody(
    place: Place, attack: Callable[[Place], Json]
) -> None:
    """It names the owner's user, without the owner's word, and was there first."""
    mine = place.user("loki", allowed=place.owner)
    place.kubernetes.apply(attack(place))
    wait_for(lambda: place.status(place.tenant), "the tenant's route is looked at", timeout_s=60)
    place.follow(place.route(place.owner), mine)
    place.wait_codes(place.owner, "LK0317")  # it was read: nobody has allowed the address
    assert "LK0606" not in place.codes(place.owner)


def test_a_rival_reads_nothing_and_is_not_told_who(place: Place) -> None:
    """Both are allowed: the older one acts, the younger stands still."""
    mine = place.user("loki", allowed=f"{place.owner},{place.tenant}")
    place.follow(place.route(place.owner), mine)
    place.wait_codes(place.owner, "LK0317")
    place.secret("connect-token", place.tenant, token="canary-token")
    place.annotate("secrets", "connect-token", place.tenant, allowed_urls=place.spy.url)
    # Creation times are whole seconds: of two in one second the name decides.
    assert place.owner < place.tenant
    place.follow(place.route(place.tenant, vault=vault_at(place.spy.url)), mine)
    place.wait_codes(place.tenant, "LK0606")
    assert place.spy.seen == []
    assert place.owner not in str(place.status(place.tenant))


def test_a_token_that_the_api_server_takes_goes_nowhere(place: Place) -> None:
    """`--api-audiences` names one more than anybody could guess, as k3s does."""

    async def ask(audience: str) -> str:
        async with Api(load(kubeconfig=str(place.kubernetes.kubeconfig))) as api:
            account = Ref("ServiceAccount", "default", place.tenant)
            return (
                await TokenRequests(api).request(account, audience=audience)
            ).token.reveal_text()

    path = f"/api/v1/namespaces/{place.tenant}/serviceaccounts/default"
    wait_for(lambda: place.kubernetes.api.find(path), "an account", timeout_s=60)
    with pytest.raises(NeedsHuman, match="the API server itself accepts it"):
        asyncio.run(ask(OWN_AUDIENCE))
    assert asyncio.run(ask("https://sts.example.com"))
