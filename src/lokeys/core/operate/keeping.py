# SPDX-License-Identifier: Apache-2.0
"""Which pods of another operator keep running when lokeys takes over their stack.

A pod is kept if it has read the same configuration and the same credentials, and if its template
differs from ours only in what can wait until something else replaces the pod:

    former template ─┬─ the same, except for what can wait ──▶ kept, and stands for ours
                     └─ anything else ──▶ ours, and the reasons why
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lokeys.core.kubernetes.json_fields import at
from lokeys.core.operate.changes import differing
from lokeys.core.operate.intents import MARKS, Intent
from lokeys.core.operate.kept import (
    KeptTemplate,
    ReadConfig,
    with_kept_template,
    with_read_config,
)
from lokeys.core.operate.live import Live
from lokeys.core.operate.meaning import meaning_of
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.render.config import loki_config
from lokeys.core.stack.render.pods import TOKEN_VOLUME
from lokeys.core.stack.resource.model import Component

CONFIG, CREDENTIALS = "configuration", "credentials"
"""Reasons that are not in any template."""
_CERTIFICATES = "loki.grafana.com/certRotationRequiredAt"
_OS = "kubernetes.io/os"
_ON_LINUX = [{"matchExpressions": [{"key": _OS, "operator": "In", "values": ["linux"]}]}]
_IN_CLUSTER = frozenset({"", ".svc", ".svc.cluster.local", ".cluster.local"})
_SAID_TWICE = frozenset({"http_proxy", "https_proxy", "no_proxy"})
"""Variables that the other operator sets in lowercase and uppercase; Go reads the latter first."""
_WITH_CA = ("s3", "swift")


def keeping(snapshot: StackSnapshot, intents: Sequence[Intent]) -> tuple[Intent, ...]:
    """Return the intents with the templates that are kept; the configuration records it."""
    same, live = _same_config(snapshot), snapshot.objects
    found = []
    for each in intents:
        former = _former(live.get(each.ref))
        if each.ref == _config_ref(snapshot) and same is not None:
            found.append(with_read_config(each, same))
        elif former is not None and not any(_reasons(snapshot, each, former, same)):
            found.append(with_kept_template(each, json.loads(former.text)))
        else:
            found.append(as_kept(each, live.get(each.ref)))
    return tuple(found)


def as_kept(intent: Intent, live: Live | None) -> Intent:
    """Return the intent with the template that was kept for it, if any."""
    kept = live.workload.kept if live is not None and live.workload is not None else None
    if kept is None or kept.stands_for is None or kept.stands_for != intent.template:
        return intent
    return with_kept_template(intent, json.loads(kept.text))


def replaced_for(snapshot: StackSnapshot, intent: Intent) -> tuple[str, ...] | None:
    """Return why pods of another operator's workload must be replaced: words and template paths.

    None if no other operator has the workload.
    """
    former = _former(snapshot.objects.get(intent.ref))
    if former is None:
        return None
    return tuple(_reasons(snapshot, intent, former, _same_config(snapshot)))


def _config_ref(snapshot: StackSnapshot) -> Ref:
    return Ref("ConfigMap", names.config_name(snapshot.ref.name), snapshot.ref.namespace)


def _same_config(snapshot: StackSnapshot) -> ReadConfig | None:
    """Return the configuration that the former operator's pods have read, if it means the same."""
    stack, storage = snapshot.view.stack, snapshot.view.storage
    live = snapshot.objects.get(_config_ref(snapshot))
    if stack is None or storage is None or live is None or live.config is None:
        return None
    ours = meaning_of(loki_config(stack, storage, now=snapshot.now))
    return live.config if live.config.means == ours else None


def _former(live: Live | None) -> KeptTemplate | None:
    """Return a workload's template while another operator has it."""
    kept = live.workload.kept if live is not None and live.workload is not None else None
    return kept if kept is not None and kept.stands_for is None else None


def _reasons(
    snapshot: StackSnapshot, intent: Intent, former: KeptTemplate, same: ReadConfig | None
) -> Iterator[str]:
    """Yield why pods must be replaced; they may not have read what was written later."""
    since, written = former.since, snapshot.credentials_written_at
    if intent.component is not Component.GATEWAY and (
        same is None or since is None or same.since > since
    ):
        yield CONFIG
    if intent.component in names.WITH_STORAGE and (
        written is None or since is None or written > since
    ):
        yield CREDENTIALS
    said = _ca_argument(snapshot, intent)
    ours = _essence(intent.manifest["spec"]["template"], intent.component, said)
    theirs = _essence(json.loads(former.text), intent.component)
    yield from dict.fromkeys(differing(theirs, ours, "spec.template"))


def _ca_argument(snapshot: StackSnapshot, intent: Intent) -> tuple[str, ...]:
    """Return the argument that sets the store's CA in their pods; ours is in the configuration."""
    stack = snapshot.view.stack
    kind = stack.storage_type if stack is not None else ""
    if stack is None or not stack.ca or kind not in _WITH_CA:
        return ()
    if intent.component not in names.WITH_STORAGE:
        return ()
    path = f"{names.CA_FOLDER}/{stack.ca.key}"
    return (f"-common.storage.object-store.{kind}.http.tls-ca-path={path}",)


def _essence(
    template: Mapping[str, Any], component: Component | None, said: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a template without what can wait: docs/reference/takeover.md lists it.

    `said` are arguments that it need not have, as the configuration has the same.
    """
    metadata, pod = template.get("metadata") or {}, template.get("spec") or {}
    waits = {*MARKS, names.TENANTS_HASH, _CERTIFICATES}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in waits}
    free = _free_volumes(pod)
    spec = {
        **pod,
        "affinity": _affinity(pod.get("affinity") or {}),
        "containers": [
            _container(each, component, free, said) for each in pod.get("containers", ())
        ],
        "nodeSelector": {
            k: v for k, v in (pod.get("nodeSelector") or {}).items() if (k, v) != (_OS, "linux")
        },
        "volumes": [each for each in pod.get("volumes") or () if each["name"] not in free],
    }
    for word in ("automountServiceAccountToken", "securityContext", "serviceAccount"):
        spec.pop(word, None)
    if component is Component.RULER and not _has_token(pod):
        spec.pop("serviceAccountName", None)  # nobody asks who it is
    spec = {key: value for key, value in spec.items() if value not in ({}, [])}
    found = {"annotations": annotations, "labels": metadata.get("labels") or {}}
    return {"metadata": found, "spec": spec}


def _free_volumes(pod: Mapping[str, Any]) -> frozenset[str]:
    """Return the volumes whose content need not outlive the pod, for temporary files of Loki."""
    volumes = pod.get("volumes") or ()
    return frozenset(each["name"] for each in volumes if "emptyDir" in each) & {"storage"}


def _has_token(pod: Mapping[str, Any]) -> bool:
    return any(each.get("name") == TOKEN_VOLUME for each in pod.get("volumes") or ())


def _affinity(affinity: Mapping[str, Any]) -> dict[str, Any]:
    terms = at(
        affinity,
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )
    on_linux = terms == _ON_LINUX
    return {k: v for k, v in affinity.items() if not (k == "nodeAffinity" and on_linux)}


def _container(
    container: Mapping[str, Any],
    component: Component | None,
    free: frozenset[str],
    said: Sequence[str],
) -> dict[str, Any]:
    mounts = container.get("volumeMounts") or ()
    found = {
        **container,
        "args": sorted(map(str, (*(container.get("args") or ()), *said))),
        "env": [dict(each) for each in _variables(container)],
        "volumeMounts": [each for each in mounts if each["name"] not in free],
    }
    found.pop("securityContext", None)
    probe = dict(container.get("readinessProbe") or {})
    if component is Component.QUERY_FRONTEND and "httpGet" in probe:
        # Without a querier it gets no queries, and queriers report it unready in any case.
        probe["httpGet"] = {k: v for k, v in probe["httpGet"].items() if k != "path"}
        found["readinessProbe"] = probe
    return {key: value for key, value in found.items() if value not in ({}, [])}


def _variables(container: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in container.get("env") or ():
        if each["name"] in _SAID_TWICE:
            continue
        if each["name"] == "NO_PROXY":
            hosts = sorted({*str(each.get("value", "")).split(",")} - _IN_CLUSTER)
            yield {"name": "NO_PROXY", "value": ",".join(hosts)}
        else:
            yield each
