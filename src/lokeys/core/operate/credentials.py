# SPDX-License-Identifier: Apache-2.0
"""A changed credential is tested before it is rolled out.

the Secret's hash ≠ the pods' hash ─▶ tested ─┬─ reaches the bucket ───▶ all, in order
                                              ├─ cannot be tested here ▶ one; all once it is proved
                                              └─ refused or broken ────▶ none
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum, auto

from lokeys.core.findings.catalogue import operation, storage_objects
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes import aws_addresses
from lokeys.core.operate.live import Live, LivePodState, LiveWorkload, Pod, Rollout
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.storage.model import S3, AlibabaCloud, CredentialMode
from lokeys.core.stack.storage.wording import tell

_FORMER_CONFIG = "-config"


class Standing(Enum):
    """May the current credentials reach pods that run with others?"""

    SPREAD = auto()
    HELD = auto()
    """Not yet, or never: in test, refused, or something that they need is missing."""


def standing(snapshot: StackSnapshot) -> Standing:
    """Return whether pods may be given the current credentials."""
    if awaits_managed(snapshot):
        return Standing.HELD
    if not changed(snapshot):
        return Standing.SPREAD
    trial = snapshot.trial
    held = trial is None or trial.broken or refused_first(snapshot)
    return Standing.HELD if held else Standing.SPREAD


def first_pods(snapshot: StackSnapshot) -> tuple[Pod, ...]:
    """Return the pods that were the first to get credentials that could not be tested before."""
    given = _given_first(snapshot)
    return tuple(
        pod
        for pod in snapshot.pods
        if pod.component in given and _is_new(pod, given[pod.component])
    )


def refused_first(snapshot: StackSnapshot) -> tuple[Pod, ...]:
    """Return those of them to which the store has only ever answered with a refusal."""
    counted = ((pod, snapshot.counted.get(pod.uid)) for pod in first_pods(snapshot))
    return tuple(pod for pod, n in counted if n is not None and n.refused and not n.accepted)


def unproved(snapshot: StackSnapshot) -> frozenset[str]:
    """Return the components that were first to get them, as long as none has proved them.

    One answered request to the store is proof, and the rest may follow.
    """
    if isinstance(snapshot.view.storage, AlibabaCloud):  # Loki counts none of its answers
        return frozenset()
    first = [pod for pod in first_pods(snapshot) if pod.revision]
    asked = [pod for pod in first if pod.uid in snapshot.counted]
    counts = (snapshot.counted[pod.uid] for pod in asked)
    if any(each is not None and each.accepted for each in counts):
        return frozenset()
    # A workload may be reported ready before its last pod is.
    ready = Counter(pod.component for pod in first if pod.state is LivePodState.READY)
    unseen = (
        component
        for component, rollout in _given_first(snapshot).items()
        if rollout.revision and rollout.settled and ready[component] < rollout.wanted
    )
    return frozenset((*(pod.component for pod in asked), *unseen))


def _given_first(snapshot: StackSnapshot) -> dict[str, Rollout]:
    """Return the components that run with credentials that could not be tested before."""
    trial = snapshot.trial
    if trial is None or trial.passed or not changed(snapshot):
        return {}
    return {
        each.workload.component: each.workload.rollout
        for each in _with_credentials(snapshot.objects)
        if each.workload and not _wears_others(each.workload, snapshot)
    }


def _is_new(pod: Pod, rollout: Rollout) -> bool:
    """Tell whether a pod has its workload's current template, as far as that is known."""
    observed = rollout.observed >= rollout.generation
    return observed and pod.revision in ("", rollout.revision)


def changed(snapshot: StackSnapshot) -> bool:
    """Tell whether some pods have other credential hashes than they would be given."""
    return any(
        _wears_others(each.workload, snapshot)
        for each in _with_credentials(snapshot.objects)
        if each.workload is not None
    )


def _wears_others(workload: LiveWorkload, snapshot: StackSnapshot) -> bool:
    return workload.marks.get(names.STORE_HASH, "") != snapshot.store_hash or workload.marks.get(
        names.MANAGED_HASH, ""
    ) != _managed_hash(snapshot)


def awaits_managed(snapshot: StackSnapshot) -> bool:
    """Tell whether the cluster's cloud has not issued the credentials yet."""
    return any(f.code == storage_objects.MISSING_MANAGED_SECRET.code for f in snapshot.findings)


def refusals(snapshot: StackSnapshot) -> Iterator[Finding]:
    """Yield that the credentials do not reach the bucket, if that is known."""
    trial = snapshot.trial
    secret = Ref("Secret", str(snapshot.view.secret_name), snapshot.ref.namespace)
    rule = operation.CREDENTIALS_REFUSED
    for pod in refused_first(snapshot):
        detail = f"{pod.name}, the first pod with them, is answered 403"
        words = {"detail": detail, "kept": "the other pods keep what they have"}
        yield tell(rule, secret, stack=snapshot.ref, words=words)
        return
    if trial is None or not trial.broken:
        return
    # Credentials that pods already run with may fail for a moment; those that were never rolled out
    # may not.
    unsure = not trial.refused and not changed(snapshot)
    for each in trial.verifications:
        link = each.first_broken
        if link is None or unsure:
            continue
        kept = "the pods keep what they have" if changed(snapshot) else "the pods run with them"
        what = f"{each.account}: {link.name}: {link.detail or link.cause or 'broken'}"
        words = {"detail": what, "kept": kept}
        yield tell(rule, secret, stack=snapshot.ref, words=words)
        return


def moved_stores(snapshot: StackSnapshot) -> Iterator[Finding]:
    """Yield that taking over a running stack would move its storage elsewhere."""
    storage, secret = snapshot.view.storage, snapshot.view.secret
    if not isinstance(storage, S3) or storage.mode is CredentialMode.STATIC or secret is None:
        return
    host = storage.endpoint_host
    if not host or aws_addresses.is_aws(host.partition(":")[0]):
        return  # each host of AWS leads to the region's buckets, at most by another path
    config = Ref("ConfigMap", f"{snapshot.ref.name}{_FORMER_CONFIG}", snapshot.ref.namespace)
    live = snapshot.objects.get(config)
    if live is not None and live.content is None:
        words = {"host": host}
        yield tell(
            operation.ENDPOINT_WOULD_MOVE_THE_STORE,
            secret.ref,
            stack=snapshot.ref,
            field="endpoint",
            words=words,
        )


def _managed_hash(snapshot: StackSnapshot) -> str:
    cco = snapshot.view.mode is CredentialMode.TOKEN_CCO
    return snapshot.managed_hash if cco else ""


def _with_credentials(objects: Mapping[Ref, Live]) -> Iterator[Live]:
    return (
        each
        for each in objects.values()
        if each.workload is not None and each.workload.marks.get(names.STORE_HASH)
    )
