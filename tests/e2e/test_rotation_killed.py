# SPDX-License-Identifier: Apache-2.0
"""The leader is killed with SIGKILL before two of a rotation's writes: the other finishes.

Before Switch is recorded, and before the old key is taken away, each in a homelab of its own.
"""

import functools
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from e2e.bridges import RgwLab
from e2e.canary import assert_no_secret_shows
from e2e.killing import LEASE, Course, Replicas, StopsAt, at_each
from e2e.operators import Installation
from e2e.proxy import Proxy
from e2e.rotations import Keys, Watcher, Worker, ask, follow, working
from e2e.sight import SECRET
from e2e.test_operator_killed import LEASE_S, everywhere
from e2e.world import Loop
from lokeys.http_server import Handler, HttpRequest, Response
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw

HOME = "/api/v1/namespaces/monitoring"
STATUS = "/apis/lokeys.dev/v1alpha1/namespaces/monitoring/storagecredentials/loki/status"
STAGING = f"{HOME}/secrets/lokeys-bridge-loki"
SYNCED = (
    "PATCH /apis/external-secrets.io/v1/namespaces/monitoring/externalsecrets/loki-s3-credentials"
)
PHASES = ("Create", "Publish", "Switch", "Roll", "Grace", "Retire")
KINDS = (
    f"take {LEASE}",
    *(f"record {phase}" for phase in PHASES),
    "record the new pair",
    "record a pass",
    "record the end",
    f"PATCH {STATUS}",
    f"PATCH {STATUS.removesuffix('/status')}",
    f"POST {HOME}/events",
    f"POST {HOME}/secrets",
    "PUT /admin/user",
    "PUT /bucket/lokeys-probe/*",
    "DELETE /bucket/lokeys-probe/*",
    "PATCH /v1/vaults/*/items/*",
    SYNCED,
    f"POST {HOME}/pods/loki-0/eviction",
    f"PATCH {STAGING}",
    "DELETE /admin/user",
    f"DELETE {STAGING}",
    f"PATCH {HOME}/configmaps/lokeys-history-loki",
    f"give back {LEASE}",
)
"""Every kind of write that a rotation has, whoever asks for it."""
ONCE = (
    f"POST {HOME}/secrets",
    "PUT /admin/user",
    "PATCH /v1/vaults/*/items/*",
    f"POST {HOME}/pods/loki-0/eviction",
    "DELETE /admin/user",
)
"""What is never done twice, whoever is killed."""
KILLED_BEFORE = ("DELETE /admin/user", "record Switch")
ROTATION = {"every": "720h", "overlap": "1s", "retire": "AfterGrace"}

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


@dataclass(eq=False)
class Rotating(Course):
    """The course of a rotation, whose records in the status are told apart."""

    def named(self, request: HttpRequest) -> str:
        """Return a write as it is called in any homelab; nothing if it writes nothing."""
        name = super().named(request)
        if name != f"PATCH {STATUS}":
            return name
        memory = json.loads(request.body)["status"].get("memory") or {}
        rotation = memory.get("rotation") or {}
        if "phase" in rotation:
            return f"record {rotation['phase']}"
        words = {"new": "the new pair", "passed": "a pass", "endedAt": "the end"}
        return next((f"record {words[key]}" for key in words if key in rotation), name)


@dataclass(eq=False)
class Case:
    """A homelab whose rotation stands still before one kind of write."""

    lab: RgwLab
    kind: str
    stops_at: StopsAt
    store: Proxy
    course: Rotating = field(init=False)
    watcher: Watcher = field(init=False)
    keys: Keys = field(init=False)

    def __post_init__(self) -> None:
        self.course = Rotating(self.lab, self.stops_at)
        self.store.on_request = self.course.by
        self.watcher, self.keys = Watcher(self.lab), Keys(self.lab)

    def build(self, installation: Installation) -> None:
        """Build the homelab, whose store lokeys reaches by a proxy of its own."""
        lab = self.lab
        lab.build(with_loki=False)
        follow(lab, installation, self.store.url, ROTATION)
        lab.wait_condition("Ready", "True", timeout_s=120)

    def begin(self) -> None:
        """Ask for the rotation; from here on writes count."""
        self.course.counts = True
        ask(self.lab)

    @property
    def settled(self) -> bool:
        """Tell whether the first one has nothing more to do here."""
        return bool(self.course.stopped_at) or self.done

    @property
    def done(self) -> bool:
        """Tell whether it has ended, and everything is as the status says."""
        rotated = self.lab.status().get("rotation", {})
        ready = self.lab.condition("Ready").get("status")
        return (rotated.get("phase"), ready) == ("Idle", "True")

    def problems(self) -> list[str]:
        """Return which promises were not kept."""
        found = []
        try:
            wait_for(lambda: self.done and not self.lab.kept(), "it has ended", timeout_s=150)
        except Exception as error:  # noqa: BLE001 - all cases are told, not the first
            found.append(f"{error}: {json.dumps(self.lab.status())}")
        pair, times = self.lab.pair_in(SECRET), self.course.arrived.count
        if pair is None or self.lab.vault_pair() != pair or self.lab.keys() != {pair[0]}:
            found.append("store, vault and Secret hold not the same")
        elif not self.lab.held_by_pod(pair):
            found.append("the pod holds another")
        found += [f"{write}: {times(write)} times" for write in ONCE if times(write) != 1]
        found += [f"written, and no kind: {kind}" for kind in {*self.course.arrived} - {*KINDS}]
        found += [f"refused: {each}" for each in self.watcher.refused]
        if self.keys.most > 2:
            found.append("a third key")
        if self.course.stopped_at != self.kind:
            found.append(f"it stood still before {self.course.stopped_at or 'nothing'}")
        return [f"killed before {self.kind}: {each}" for each in found]


@dataclass
class Stage:
    """Where the cases are played."""

    installation: Installation
    replicas: Replicas
    cases: list[Case]

    def play(self) -> list[str]:
        """Let all rotations stand still, kill the leader, and return what was not as promised."""
        everywhere(lambda case: case.build(self.installation), self.cases)
        watchers: list[Worker] = [each.watcher for each in self.cases]
        watchers += [each.keys for each in self.cases]
        with working(*watchers):
            everywhere(Case.begin, self.cases)
            leader, heir = self.replicas.two()
            wait_for(lambda: all(c.settled for c in self.cases), "all stand still", timeout_s=120)
            leader.kill()
            self.replicas.loop.run(self._let_go())
            wait_for(lambda: heir.leads, "the other leads", timeout_s=LEASE_S + 30)
            # As a Deployment does: one that has lost its Lease for want of an answer is run again.
            wait_for(self._is_over, "all have ended", timeout_s=180)
            return list(itertools.chain.from_iterable(everywhere(Case.problems, self.cases)))

    def _is_over(self) -> bool:
        self.replicas.two()
        return all(case.done for case in self.cases)

    async def _let_go(self) -> None:
        for case in self.cases:
            case.course.over.set()


@pytest.fixture
def stage(  # noqa: PLR0917 - one argument a part
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
    installation: Installation,
) -> Iterator[Stage]:
    """Run replicas that reach API server and store by proxies, and a homelab for each kind."""
    api = Proxy(loop, defined.server, ca_file=defined.ca_file)
    cases = []
    for number, kind in enumerate(KILLED_BEFORE):
        name = f"{os.getpid()}-r{number}-{KINDS.index(kind)}"
        lab = RgwLab(defined, external_secrets, rgw, kubelet, loop, name)
        lab.has_rook = False
        lab.secrets.add(rgw.admin_secret_key)
        (stops_at,) = at_each([kind])
        cases.append(Case(lab, kind, stops_at, Proxy(loop, rgw.endpoint)))
    api.on_request = functools.partial(passed_on, cases)
    replicas = Replicas(installation, defined, api, loop)
    replicas.two()
    yield Stage(installation, replicas, cases)
    for replica in installation.replicas:
        replica.stop()
    everywhere(lambda case: case.lab.close(), cases)
    for proxy in (api, *(case.store for case in cases)):
        proxy.close()


async def passed_on(cases: list[Case], request: HttpRequest, answer: Handler) -> Response:
    """Send a request to the API server by the course of its route."""
    for case in cases:
        if case.course.concerns(request):
            return await case.course.by(request, answer)
    return await answer(request)


def test_the_other_replica_finishes_the_rotation(stage: Stage) -> None:
    """No key is made or taken away twice, none is left over, and no pod ever held a dead one."""
    wrong = stage.play()
    assert wrong == [], "\n".join(wrong)
    for case in stage.cases:
        pair = case.lab.pair_in(SECRET)
        assert pair is not None
        case.lab.secrets.add(pair[1])
        assert_no_secret_shows(case.lab, stage.installation)
