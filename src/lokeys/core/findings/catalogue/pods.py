# SPDX-License-Identifier: Apache-2.0
"""LK06xx: pods that hold an old key, what keeps them from being replaced, and their symptoms."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import Json, command

_HEAL = Remedy(
    text="let lokeys replace them one at a time and prove it",
    command=command("lokeys heal -n {namespace} {name}"),
)

PODS_BEHIND_SECRET = Rule(
    code="LK0601",
    cause="pods_behind_secret",
    title="{count} pod(s) started before the Secret changed",
    message="{place} still runs with the key from before; Loki reads its keys only at start",
    meaning="The Secret is right; the running processes read it before that.",
    why="/ready stays 200 while each flush is refused.",
    remedy=(_HEAL,),
    hop=Hop.PODS,
    rank=35,
)
ROLLOUT_BLOCKED = Rule(
    code="LK0602",
    severity=Severity.WARNING,
    cause="rollout_blocked",
    title="the rollout waits for a pod that cannot become ready",
    message="{place} will not replace a broken pod by itself: {detail}",
    meaning="A StatefulSet rolls on only when its pods are ready, and this one cannot be.",
    why="The mended revision never reaches the pod that needs it.",
    remedy=(_HEAL,),
    hop=Hop.PODS,
    rank=36,
)
POD_WILL_NOT_STOP = Rule(
    code="LK0603",
    severity=Severity.WARNING,
    cause="pod_will_not_stop",
    title="a pod with a dead key hangs in its shutdown flush",
    message="the store refuses the key of {who}, told to stop: the shutdown flush hangs {end}",
    meaning="Loki flushes before it ends, and retries what the store refuses. Kubernetes does not "
    "shorten a grace period that runs: a second delete or eviction changes nothing.",
    why="That grace period is the outage: nothing takes its place meanwhile.",
    remedy=(
        Remedy(
            text="let the store accept the pod's key again until it is gone: a flush that "
            "succeeds ends it within seconds and keeps every line"
        ),
        Remedy(
            text="or wait: lokeys goes on when it is gone. A forced deletion (grace period 0) "
            "leaves its container running beside the next pod, on the same volume"
        ),
    ),
    hop=Hop.PODS,
    rank=37,
)
BRIDGE = Remedy(
    text="let the store accept the old key again for a while: what runs flushes and stops at once, "
    "and no line is lost. It may have been removed because it leaked: then do not",
    command=command("lokeys heal -n {namespace} {name} --bridge"),
)
WAL_NOT_PERSISTENT = Rule(
    code="LK0604",
    cause="wal_not_persistent",
    title="restarting the pod would lose what it has not flushed",
    message="{who} on no volume that outlives {them}; lokeys does not restart {them} unattended",
    meaning="The lines in memory go with the pod: nothing shows that it could still flush them.",
    why="Whether to lose them now or hope for the old key is a person's decision.",
    remedy=(
        Remedy(
            text="accept the loss and go on",
            command=command("lokeys heal -n {namespace} {name} --accept-loss"),
            destructive=True,
        ),
        Remedy(text="for the next time: put the WAL on a PersistentVolumeClaim"),
    ),
    hop=Hop.PODS,
    rank=38,
)
EVICTION_BLOCKED_BY_BUDGET = Rule(
    code="LK0605",
    severity=Severity.WARNING,
    cause="eviction_blocked_by_budget",
    title="a disruption budget forbids the eviction",
    message="{place} may not be evicted: {detail}",
    meaning="The budget counts the broken pod as the one that must stay.",
    why="The pod cannot become healthy without being replaced.",
    remedy=(
        Remedy(
            text="let budgets allow the eviction of broken pods",
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
    title="two StorageCredentials claim the same thing",
    message="{place} shares a target, an item or a user with another route, which is older: this "
    "one stands still and reads nothing",
    meaning="Two routes would write the same place. Which one is older is not said here: it can be "
    "in a namespace that is not yours to see. Only a route that may act and whose source's owner "
    "allows it counts.",
    why="They could undo each other's work for ever.",
    remedy=(Remedy(text="delete one of the two, or make them differ"),),
    hop=Hop.SECRET,
    rank=4,
)
WORKLOAD_MISSING = Rule(
    code="LK0607",
    severity=Severity.WARNING,
    title="the workload does not exist",
    message="{place} does not exist{detail}",
    meaning="`spec.workloads` names something that is not there.",
    why="Nobody uses the key, or its users are not looked after.",
    remedy=(Remedy(text="correct `spec.workloads`"),),
    hop=Hop.PODS,
    rank=50,
)
WORKLOAD_READS_OTHER = Rule(
    code="LK0608",
    severity=Severity.WARNING,
    title="the workload does not read the Secret",
    message="{place} refers to {secret} in none of its containers",
    meaning="The pods take their credentials from somewhere else.",
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
    title="the pod was replaced and its key is refused all the same",
    message="lokeys has replaced {who} for this key already; it replaces a pod once per change",
    meaning="The pod's credentials do not come from this Secret alone.",
    why="Replacing it again and again would only cost restarts.",
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
    meaning="A symptom: older Lokis and tight probes fail when storage does.",
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
    why="When memory or the WAL's volume is full, lines are lost.",
    remedy=(Remedy(text="mend the cause it is shown with; what waits is flushed then"),),
    hop=Hop.PODS,
    rank=71,
)
SEE_WHERE_FROM = Remedy(
    text="see what can be told of where its key comes from",
    command=command("lokeys discover -n {namespace} {workload}"),
)
REQUESTS_REFUSED = Rule(
    code="LK0614",
    title="the store refuses Loki's requests",
    message="{place}: the storage answers its requests with 403",
    meaning="The pod's own counter of storage answers.",
    why="It is the only evidence of what the running process really holds.",
    remedy=(
        Remedy(
            text="see what the store says of the key that Loki is handed",
            command=command("lokeys trace -n {namespace} {name}"),
        ),
    ),
    hop=Hop.PODS,
    rank=70,
)
