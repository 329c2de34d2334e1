# SPDX-License-Identifier: Apache-2.0
"""LK06xx: pods that hold an old key, what keeps them from being replaced, and their symptoms."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, command

_HEAL = Remedy(
    text="let lokeys replace them one at a time and prove that the key works",
    command=command("lokeys heal -n {namespace} {name}"),
)

PODS_BEHIND_SECRET = Rule(
    code="LK0601",
    cause="pods_behind_secret",
    title="{count} pod(s) started before the Secret changed",
    message="{place} still uses the key from before the change; Loki reads its keys only at start",
    meaning="The Secret is right, but the running processes read it before it changed.",
    why="/ready stays 200 while every flush is refused.",
    remedy=(_HEAL,),
    hop=Hop.PODS,
    rank=35,
)
ROLLOUT_BLOCKED = Rule(
    code="LK0602",
    severity=Severity.WARNING,
    cause="rollout_blocked",
    title="the rollout waits for a pod that cannot become ready",
    message="{place} does not replace a broken pod by itself: {detail}",
    meaning="A StatefulSet continues its rollout only when its pods are ready, and this one "
    "cannot become ready.",
    why="The fixed revision never reaches the pod that needs it.",
    remedy=(_HEAL,),
    hop=Hop.PODS,
    rank=36,
)
POD_WILL_NOT_STOP = Rule(
    code="LK0603",
    severity=Severity.WARNING,
    cause="pod_will_not_stop",
    title="a terminating pod hangs in its shutdown flush, because its key is refused",
    message="the store refuses the key of {who}, which is terminating: the shutdown flush hangs "
    "{end}",
    meaning="Loki flushes before it stops, and retries what the store refuses. Kubernetes does "
    "not shorten a grace period that has started: a second delete or eviction changes nothing.",
    why="The outage lasts for the grace period: no other pod takes its place before it ends.",
    remedy=(
        Remedy(
            text="let the store accept the pod's key again until the pod is gone: a flush that "
            "succeeds ends it within seconds, and no line is lost"
        ),
        Remedy(
            text="or wait: lokeys continues when the pod is gone. A forced deletion (grace period "
            "0) leaves its container running beside the next pod, on the same volume"
        ),
    ),
    hop=Hop.PODS,
    rank=37,
)
BRIDGE = Remedy(
    text="let the store accept the old key again for a while: running pods flush and stop at "
    "once, and no line is lost. Do not do this if the key was removed because it leaked",
    command=command("lokeys heal -n {namespace} {name} --bridge"),
)
WAL_NOT_PERSISTENT = Rule(
    code="LK0604",
    cause="wal_not_persistent",
    title="restarting the pod would lose data that it has not flushed",
    message="{who} on no volume that outlives {them}; lokeys does not restart {them} unattended",
    meaning="The lines in memory are lost with the pod: nothing shows that it can still flush "
    "them.",
    why="A person must decide whether to lose them now or to try to make the old key work again.",
    remedy=(
        Remedy(
            text="to accept the loss and continue",
            command=command("lokeys heal -n {namespace} {name} --accept-loss"),
            destructive=True,
        ),
        Remedy(text="to avoid this in the future, put the WAL on a PersistentVolumeClaim"),
    ),
    hop=Hop.PODS,
    rank=38,
)
EVICTION_BLOCKED_BY_BUDGET = Rule(
    code="LK0605",
    severity=Severity.WARNING,
    cause="eviction_blocked_by_budget",
    title="a PodDisruptionBudget forbids the eviction",
    message="{place} cannot be evicted: {detail}",
    meaning="The budget counts the broken pod among those that must stay.",
    why="The pod cannot become healthy without being replaced.",
    remedy=(
        Remedy(
            text="let the budget allow the eviction of unhealthy pods",
            command=command(
                "kubectl -n {namespace} patch pdb {budget} --type merge -p",
                Json.of({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}),
            ),
        ),
    ),
    hop=Hop.PODS,
    rank=34,
)
TWO_WRITERS = Rule(
    code="LK0606",
    cause="two_writers",
    title="two StorageCredentials write to the same place",
    message="{place} shares a target, an item or a user with another route, which is older: this "
    "route is stopped and reads nothing",
    meaning="Two routes would write to the same place. The other route is not named here, because "
    "it can be in a namespace that you may not see. Only a route that may act, and that its "
    "source's owner allows, counts.",
    why="They could undo each other's work forever.",
    remedy=(Remedy(text="delete one of the two, or give each its own target, item and user"),),
    hop=Hop.SECRET,
    rank=4,
)
WORKLOAD_MISSING = Rule(
    code="LK0607",
    severity=Severity.WARNING,
    title="the workload does not exist",
    message="{place} does not exist{detail}",
    meaning="`spec.workloads` names a workload that does not exist.",
    why="Nothing uses the key, or lokeys does not know the pods that use it.",
    remedy=(Remedy(text="correct `spec.workloads`"),),
    hop=Hop.PODS,
    rank=50,
)
WORKLOAD_READS_OTHER = Rule(
    code="LK0608",
    severity=Severity.WARNING,
    title="the workload does not read the Secret",
    message="no container of {place} refers to {secret}",
    meaning="The pods get their credentials from somewhere else.",
    why="Healing this route would not help them.",
    remedy=(
        Remedy(
            text="see where its key comes from",
            command=command("lokeys discover -n {namespace} {workload}"),
        ),
    ),
    hop=Hop.PODS,
    rank=51,
)
POD_STAYS_BEHIND = Rule(
    code="LK0609",
    cause="pods_behind_secret",
    title="the pod was replaced, and its key is still refused",
    message="lokeys has already replaced {who} for this key; it replaces a pod only once per "
    "change",
    meaning="The pod's credentials do not come from this Secret alone.",
    why="Replacing it again would only cause more restarts.",
    remedy=(
        Remedy(
            text="see what the pod really reads",
            command=command("kubectl -n {namespace} get pod {pod} -o yaml"),
        ),
    ),
    hop=Hop.PODS,
    rank=32,
)
NOT_READY = Rule(
    code="LK0610",
    severity=Severity.INFO,
    title="a container is not ready",
    message="{place} is not ready",
    meaning="A symptom: older Loki versions and strict probes fail when the storage fails.",
    why="It is shown with the cause that explains it, never alone.",
    hop=Hop.PODS,
    rank=80,
)
PROBES_FAIL = Rule(
    code="LK0611",
    severity=Severity.INFO,
    title="readiness probes fail",
    message="{place}: its readiness probe fails",
    meaning="A symptom: see LK0610.",
    why="It is shown with the cause that explains it, never alone.",
    hop=Hop.PODS,
    rank=81,
)
RESTARTS = Rule(
    code="LK0612",
    severity=Severity.INFO,
    title="the container restarts",
    message="{place} restarts",
    meaning="A symptom: a liveness probe gave up, or Loki ended itself.",
    why="It is shown with the cause that explains it, never alone.",
    hop=Hop.PODS,
    rank=82,
)
FLUSHES_FAIL = Rule(
    code="LK0613",
    title="Loki cannot flush",
    message="{place}: flushes fail",
    meaning="Chunks stay in memory and in the WAL because the store refuses them.",
    why="When the memory or the WAL's volume is full, lines are lost.",
    remedy=(Remedy(text="fix the cause that it is shown with; Loki then flushes what is waiting"),),
    hop=Hop.PODS,
    rank=71,
)
SEE_WHERE_FROM = Remedy(
    text="see what is known about where its key comes from",
    command=command("lokeys discover -n {namespace} {workload}"),
)
REQUESTS_REFUSED = Rule(
    code="LK0614",
    title="the store refuses Loki's requests",
    message="{place}: the store answers its requests with 403",
    meaning="The pod's own metric counts the store's answers.",
    why="It is the only evidence of the key that the running process really has.",
    remedy=(
        Remedy(
            text="see what the store answers for the key that Loki is given",
            command=command("lokeys trace -n {namespace} {name}"),
        ),
    ),
    hop=Hop.PODS,
    rank=70,
)
