# SPDX-License-Identifier: Apache-2.0
"""The leader is killed with SIGKILL in the middle of a heal, at the calls that matter most.

A call is lost on its way, or done and its answer lost: the other replica, which takes over when the
Leases have run out, finishes all the same, and does nothing twice. Every write of a heal, without
the real parts, is gone through in integration/demo/test_killed_anywhere.py.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from e2e import hands
from e2e.operators import Installation, Operator
from e2e.proxy import Proxy, kubeconfig_through
from e2e.sight import Json, Pair
from e2e.world import Homelab, Loop
from lokeys.http_server import Handler, Hangup, Request, Response
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw

LEASE_S = 15.0


def nothing_more(_home: Homelab) -> Json:
    return {}


def rook_may_be_told(home: Homelab) -> Json:
    secret = {"name": hands.make_admin_secret(home)}
    admin = {"endpoint": home.endpoint, "secretRef": secret}
    rook = {"user": home.user, "namespace": home.storage, "refresh": True, "admin": admin}
    return {"source": {"rook": rook}}


def buckets_may_be_made(_home: Homelab) -> Json:
    return {"bucket": {"create": True}}


def behind_rook(home: Homelab) -> Pair:
    """Replace the key where Rook does not look, and let lokeys look now."""
    pair = home.replace_key_at_rgw()
    home.look_now()
    return pair


def with_its_bucket(home: Homelab) -> Pair:
    """Purge the user with its bucket; Rook makes it anew, with a new key and no bucket."""
    old = home.source_pair()
    home.rgw.admin("user", "rm", f"--uid={home.user}", "--purge-data", "--purge-keys")
    home.touch_ceph_cluster()
    wait_for(lambda: home.source_pair() != old, "Rook makes the user anew", timeout_s=20)
    return home.source_pair()


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a heal, by method and path; `after`: it arrives, and its answer does not.

    `happens` is what makes the heal necessary, `allows` what the route must allow for it.
    """

    method: str
    path: str
    after: bool = False
    once: bool = True
    happens: Callable[[Homelab], Pair] = Homelab.replace_key
    allows: Callable[[Homelab], Json] = nothing_more


CALLS = {
    "the word to Rook": Call(
        method="PATCH",
        path=r"/api/v1/namespaces/storage-.*/secrets/rook-ceph-object-user-.*",
        happens=behind_rook,
        allows=rook_may_be_told,
    ),
    "the making of the bucket": Call(
        method="PUT",
        path=r"/bucket-[^/]*/?",
        happens=with_its_bucket,
        allows=buckets_may_be_made,
    ),
    # Whoever goes on tests for itself; three forced syncs are allowed.
    "the test of the key": Call(method="PUT", path=r"/bucket-.*/.+", once=False),
    "the write to the vault": Call(method="PATCH", path=r"/v1/vaults/.*/items/.*"),
    "the forced sync": Call(method="PATCH", path=r".*/externalsecrets/[^/]+", once=False),
    "the eviction": Call(method="POST", path=r".*/pods/loki-0/eviction"),
}
MOMENTS = {f"before {name}": call for name, call in CALLS.items()} | {
    f"after {name}": dataclasses.replace(call, after=True) for name, call in CALLS.items()
}


@dataclass
class Killer:
    """Kills a replica at a call, before it arrives or before its answer does."""

    victim: Operator
    call: Call
    struck_at: float = 0.0
    arrived: int = 0
    """How many such calls have arrived, from whomever."""

    async def __call__(self, request: Request, answer: Handler) -> Response:
        fits = request.method == self.call.method and re.fullmatch(self.call.path, request.path)
        if not fits:
            return await answer(request)
        if self.struck_at:
            self.arrived += 1
            return await answer(request)
        self.struck_at = time.monotonic()
        if self.call.after:
            self.arrived += 1
            await answer(request)
        self.victim.kill()
        raise Hangup


@dataclass
class Replicas:
    """Two replicas: one leads, the other stands by; a dead one is replaced by a third."""

    installation: Installation
    kubernetes: Kubernetes
    api: Proxy

    def two(self) -> tuple[Operator, Operator]:
        """Return the leader and the one that stands by."""
        alive = [replica for replica in self.installation.replicas if replica.running]
        while len(alive) < 2:
            alive.append(self._start())
        wait_for(lambda: any(replica.leads for replica in alive), "one leads", timeout_s=30)
        alive.sort(key=lambda replica: not replica.leads)
        return alive[0], alive[1]

    def _start(self) -> Operator:
        own = self.kubernetes.user_kubeconfig(self.installation.namespace, "lokeys")
        config = kubeconfig_through(self.api, self.kubernetes, own)
        replica = self.installation.replica(kubeconfig=config).start()
        wait_for(lambda: "pages on" in replica.said, "a replica is up", timeout_s=30)
        return replica


@pytest.fixture(scope="module")
def replicas(installation: Installation, kubernetes: Kubernetes, loop: Loop) -> Iterator[Replicas]:
    """Run replicas that reach the API server by a proxy."""
    api = Proxy(loop, kubernetes.server, ca_file=kubernetes.ca_file)
    yield Replicas(installation, kubernetes, api)
    for replica in installation.replicas:
        replica.stop()
    api.close()


@pytest.fixture
def store(loop: Loop, rgw: Rgw) -> Iterator[Proxy]:
    """Put a proxy in front of RGW."""
    proxy = Proxy(loop, rgw.endpoint)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("call", MOMENTS.values(), ids=MOMENTS)
def test_the_other_replica_finishes_and_nothing_is_done_twice(
    home: Homelab,
    installation: Installation,
    replicas: Replicas,
    store: Proxy,
    call: Call,
) -> None:
    """One new version in the vault, one eviction, at most three forced syncs, and soon."""
    home.build(with_loki=False)
    leader, heir = replicas.two()
    allowed = call.allows(home)
    place = home.route()["spec"]["bucket"] | {"endpoint": store.url} | allowed.pop("bucket", {})
    installation.follow(home, bucket=place, **allowed)
    home.wait_condition("Ready", "True")
    version = hands.item_version(home)
    killer = Killer(leader, call)
    home.on_connect = replicas.api.on_request = store.on_request = killer
    pair = call.happens(home)
    wait_for(lambda: heir.leads, "the other leads", timeout_s=LEASE_S + 20)
    home.wait_healed(pair)
    took_s = time.monotonic() - killer.struck_at
    assert killer.arrived == 1 or not call.once
    assert hands.item_version(home) == version + 1
    assert len(installation.calls(home, "create", "pods/eviction")) == 1
    assert len(installation.calls(home, "patch", "externalsecrets")) <= 3
    assert took_s < LEASE_S + 15


@pytest.mark.parametrize("flush", ["lost", "unanswered"])
def test_a_pod_is_asked_to_flush_once(
    home: Homelab, installation: Installation, replicas: Replicas, flush: str
) -> None:
    """The leader is killed while it asks: the other asks only if nothing was flushed."""
    home.build(with_loki=False, flush=flush)
    leader, heir = replicas.two()
    pod = home.pod()["metadata"]["uid"]
    installation.follow(home)
    wait_for(home.flush_is_held, "a flush is asked for", timeout_s=30)
    leader.kill()
    home.let_flush_go()
    wait_for(lambda: heir.leads, "the other leads", timeout_s=LEASE_S + 10)
    home.wait_condition("Ready", "True", reason="ProvedByLoki")
    assert home.flushes() == 1
    assert home.pod()["metadata"]["uid"] == pod
    assert installation.calls(home, "create", "pods/eviction") == []
