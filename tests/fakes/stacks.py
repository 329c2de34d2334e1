# SPDX-License-Identifier: Apache-2.0
"""A cluster in memory in which one stack is operated: what is applied, and how rollouts go on."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lokeys.core.findings.link import Link
from lokeys.core.operate.decision import Decision, decide, plan
from lokeys.core.operate.intents import Intent, kept_images
from lokeys.core.operate.kept import kept_in, read_config_in
from lokeys.core.operate.live import Live, LivePodState, LiveWorkload, Pod, Rollout
from lokeys.core.operate.snapshot import StackSnapshot, Trial
from lokeys.core.operate.status import status_of
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.render.hashes import secret_hash, store_hash, tenants_hash
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.stacks import view_stack
from lokeys.core.trust.tries.verification import LinkName, Verification
from manifests.lokistack import NAMESPACE, NOW, Choice

UID = "11111111-aaaa-4bbb-8ccc-000000000001"
KEY = Fingerprinter(key=Sensitive(b"k" * 32), kept=True)
STACK = Ref("LokiStack", "my-stack", NAMESPACE)
GOOD = Trial(
    verifications=(Verification(account="my-stack", links=(Link(name=LinkName.STORE, ok=True),)),)
)


def refused(detail: str = "the store says no", name: LinkName = LinkName.STORE) -> Trial:
    """Return a trial that ended badly."""
    link = Link(name=name, ok=False, detail=detail)
    return Trial(verifications=(Verification(account="my-stack", links=(link,)),))


@dataclass(frozen=True, slots=True)
class Given:
    """An object that stands nowhere in particular."""

    object: Mapping[str, Any]
    file: str = ""
    line: int = 1

    def position_of(self, _path: Sequence[str | int]) -> tuple[int, int]:
        return (1, 1)


@dataclass
class StackWorld:
    """One stack with its Secret, and its live objects. Pods come and go by `settle`."""

    choice: Choice = field(default_factory=Choice)
    now: datetime = NOW
    trial: Trial | None = GOOD
    environment: CloudEnvironment | None = None
    manifest: dict[str, Any] = field(init=False)
    secret: dict[str, Any] | None = field(init=False)
    written_at: datetime | None = NOW
    """When the Secret was last written."""
    managed: dict[str, Any] | None = None
    others: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[Ref, Live] = field(default_factory=dict)
    intents: dict[Ref, Intent] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    status: dict[str, Any] = field(default_factory=dict)
    counted: dict[str, LokiMetrics | None] = field(default_factory=dict)
    writes: list[Ref] = field(default_factory=list)
    version: int = 1

    def __post_init__(self) -> None:
        self.manifest = json.loads(json.dumps(self.choice.manifest))
        self.secret = self.choice.secret
        self.others = self.choice.beside

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.manifest["spec"]
        return spec

    def change_key(self, value: str) -> None:
        """Put another secret key into the Secret; it is still to be tried."""
        assert self.secret is not None
        data = {**self.secret["stringData"], "access_key_secret": value}
        self.secret = {**self.secret, "stringData": data}
        self.trial = None

    def snapshot(self, **changes: Any) -> StackSnapshot:
        """Return what the operator would know."""
        environment = self.environment or self.choice.environment
        ref = STACK
        stack = Given({**self.manifest, "status": self.status})
        named = [each for each in (self.secret, self.managed, *self.others) if each is not None]
        objects = PlacedObjects([stack, *map(Given, named)], namespace=NAMESPACE)
        context = StackContext(
            objects=objects, now=self.now, environment=environment, absent="does not exist"
        )
        view = view_stack(ref, stack, context)
        named_ca = self.spec["storage"].get("tls", {}).get("caName")
        ca = next((each for each in self.others if each["metadata"]["name"] == named_ca), None)
        managed = ""
        if self.managed is not None:
            held = secret_data(self.managed, ref=Ref("Secret", "m", NAMESPACE), stack=ref).data
            managed = secret_hash(held, KEY)
        snapshot = StackSnapshot(
            view=view,
            uid=UID,
            generation=1,
            now=self.now,
            status=self.status,
            objects=dict(self.objects),
            pods=self.pods,
            store_hash=store_hash(view.secret, ca, KEY) if view.secret else "",
            managed_hash=managed,
            tenants_hash=self._tenants_hash(ref, view.stack),
            credentials_written_at=self.written_at,
            trial=self.trial,
            counted=self.counted,
            environment=environment,
        )
        return replace(snapshot, **changes)

    def _tenants_hash(self, ref: Ref, stack: LokiStack | None) -> str:
        there = {
            Ref(each["kind"], each["metadata"]["name"], NAMESPACE): each for each in self.others
        }
        return tenants_hash(stack.tenants if stack else None, there, KEY, stack=ref)

    def decide(self) -> Decision:
        snapshot = self.snapshot()
        return decide(snapshot, plan(snapshot))

    def step(self) -> Decision:
        """Decide, do it, write the status."""
        course = self.decide()
        for intent in (*course.config, *course.workloads):
            self.apply(intent)
        for live in course.prunes:
            self.writes.append(live.ref)
            self.delete(live.ref)
        stuck = {pod.uid for pod in course.stuck}
        self.pods = tuple(pod for pod in self.pods if pod.uid not in stuck)
        self.tell()
        return course

    def tell(self) -> dict[str, Any]:
        """Write the status as it should be now."""
        snapshot = self.snapshot()
        self.status = status_of(snapshot, decide(snapshot, plan(snapshot)))
        return self.status

    def delete(self, ref: Ref) -> None:
        """Delete one object; a workload's pods go with it."""
        live = self.objects.pop(ref)
        if live.workload is not None and ref in self.intents:
            word = self.intents[ref].manifest["metadata"]["labels"]["app.kubernetes.io/component"]
            self.pods = tuple(pod for pod in self.pods if pod.component != word)

    def edit(self, ref: Ref) -> None:
        """Change one object as somebody else would."""
        self.objects[ref] = replace(self.objects[ref], content="somebody else's")

    def apply(self, intent: Intent) -> None:
        """Write one object as the API server would keep it."""
        self.version += 1
        self.writes.append(intent.ref)
        self.intents[intent.ref] = intent
        old = self.objects.get(intent.ref)
        self.objects[intent.ref] = Live(
            ref=intent.ref,
            uid=f"uid-{intent.ref.name}",
            version=str(self.version),
            owners={UID: STACK},
            content=intent.digest,
            workload=self._workload(intent, old.workload if old else None),
            config=read_config_in(intent.manifest) if intent.ref.kind == "ConfigMap" else None,
        )

    def _workload(self, intent: Intent, old: LiveWorkload | None) -> LiveWorkload | None:
        if intent.component is None:
            return None
        if old is not None:
            assert old.fixed == intent.fixed, "the API server would refuse it"
        wanted = intent.manifest["spec"]["replicas"]
        kept = kept_in(intent.manifest)
        before = old.rollout if old else Rollout()
        rolls = old is None or old.template != intent.template
        return LiveWorkload(
            component=intent.manifest["metadata"]["labels"]["app.kubernetes.io/component"],
            template=intent.template,
            marks=kept.marks if kept else intent.marks,
            kept=kept,
            fixed=intent.fixed,
            images=kept_images(intent.manifest),
            account=intent.manifest["spec"]["template"]["spec"]["serviceAccountName"],
            rollout=replace(
                before,
                generation=before.generation + 1,
                wanted=wanted,
                updated=0 if rolls else before.updated,
                revision=str(intent.template)[:6] if intent.ref.kind == "StatefulSet" else "",
            ),
        )

    def settle(self, ref: Ref, *, ready: bool = True) -> None:
        """Let a workload's controller finish; its pods become ready, or do not."""
        live = self.objects[ref]
        assert live.workload is not None
        rollout = live.workload.rollout
        done = replace(
            rollout,
            observed=rollout.generation,
            current=rollout.wanted,
            updated=rollout.wanted,
            ready=rollout.wanted if ready else 0,
        )
        self.objects[ref] = replace(live, workload=replace(live.workload, rollout=done))
        intent = self.intents[ref]
        word = intent.manifest["metadata"]["labels"]["app.kubernetes.io/component"]
        state = LivePodState.READY if ready else LivePodState.RUNNING
        made = tuple(
            Pod(
                name=f"{ref.name}-{number}",
                uid=f"{ref.name}-{number}-{self.version}",
                component=word,
                state=state,
                revision=done.revision,
                unready_since=None if ready else self.now,
            )
            for number in range(done.wanted)
        )
        self.pods = (*(pod for pod in self.pods if pod.component != word), *made)

    def unsettled(self) -> list[Ref]:
        return [
            ref
            for ref, live in self.objects.items()
            if live.workload is not None and not live.workload.rollout.settled
        ]

    def settle_all(self) -> None:
        for ref in self.unsettled():
            self.settle(ref)

    def run(self, most: int = 30) -> int:
        """Go on until nothing is to be done; return how many rounds it took."""
        for rounds in range(most):
            course = self.step()
            if course.rests and not self.unsettled():
                return rounds
            self.settle_all()
        raise AssertionError(f"it does not come to rest: {course}")

    def condition(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            each for each in self.tell()["conditions"] if each["type"] == kind
        )
        return found

    @property
    def main(self) -> tuple[str, str]:
        """Return type and reason of the condition that holds."""
        mains = [
            (each["type"], each["reason"])
            for each in self.tell()["conditions"]
            if each["status"] == "True"
            and each["type"] in ("Degraded", "Failed", "Pending", "Ready")
        ]
        assert len(mains) == 1, mains
        return mains[0]


def managed_secret() -> dict[str, Any]:
    """Return what the Cloud Credential Operator makes for S3."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "my-stack-managed-credentials", "namespace": NAMESPACE},
        "data": {"credentials": base64.b64encode(b"[default]\n").decode()},
    }


def parsed(world: StackWorld) -> Any:
    """Return the world's stack."""
    stack, faults = parse(world.manifest)
    assert stack, faults
    return stack
