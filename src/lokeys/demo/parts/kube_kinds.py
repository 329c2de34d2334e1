# SPDX-License-Identifier: Apache-2.0
"""The kinds of objects that the API server stand-in keeps, and its refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedKind:
    """One kind of object; `columns` are what `kubectl get` shows beside name and age."""

    group: str = ""
    version: str = "v1"
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    status: bool = False  # has a status subresource
    generation: bool = False  # counts changes of the spec
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def api_version(self) -> str:
        """Return what stands in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Return `plural.group`, the name under which all spellings share their objects."""
        if self.group == "events.k8s.io":
            return self.plural
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _custom(group: str, version: str, kind: str, plural: str, **more: Any) -> ServedKind:
    return ServedKind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        **({"status": True, "generation": True} | more),
    )


_READY = ("Ready", "status.conditions.Ready.status")
_REASON = ("Reason", "status.conditions.Ready.reason")

KINDS = (
    ServedKind(kind="Secret", plural="secrets", columns=(("Type", "type"),)),
    ServedKind(kind="ConfigMap", plural="configmaps", short=("cm",)),
    ServedKind(kind="Pod", plural="pods", short=("po",), status=True),
    ServedKind(
        kind="Event",
        plural="events",
        short=("ev",),
        columns=(("Type", "type"), ("Reason", "reason"), ("Message", "message")),
    ),
    ServedKind(kind="Namespace", plural="namespaces", short=("ns",), namespaced=False, status=True),
    ServedKind(kind="Service", plural="services", short=("svc",), status=True),
    ServedKind(kind="ServiceAccount", plural="serviceaccounts", short=("sa",)),
    ServedKind(kind="Node", plural="nodes", short=("no",), namespaced=False, status=True),
    ServedKind(
        kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short=("pvc",), status=True
    ),
    _custom("apps", "v1", "StatefulSet", "statefulsets", short=("sts",)),
    _custom("apps", "v1", "Deployment", "deployments", short=("deploy",)),
    _custom("apps", "v1", "DaemonSet", "daemonsets", short=("ds",)),
    _custom("apps", "v1", "ReplicaSet", "replicasets", short=("rs",)),
    ServedKind(group="apps", kind="ControllerRevision", plural="controllerrevisions"),
    _custom("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",)),
    ServedKind(group="coordination.k8s.io", kind="Lease", plural="leases"),
    ServedKind(group="events.k8s.io", kind="Event", plural="events", short=("ev",)),
    ServedKind(group="rbac.authorization.k8s.io", kind="Role", plural="roles"),
    ServedKind(group="rbac.authorization.k8s.io", kind="RoleBinding", plural="rolebindings"),
    _custom(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        short=("crd",),
        namespaced=False,
    ),
    _custom("ceph.rook.io", "v1", "CephObjectStoreUser", "cephobjectstoreusers"),
    _custom("ceph.rook.io", "v1", "CephObjectStore", "cephobjectstores"),
    _custom("ceph.rook.io", "v1", "CephCluster", "cephclusters"),
    _custom(
        "external-secrets.io",
        "v1",
        "ExternalSecret",
        "externalsecrets",
        short=("es",),
        columns=(_READY, _REASON),
    ),
    _custom(
        "external-secrets.io",
        "v1",
        "SecretStore",
        "secretstores",
        short=("ss",),
        columns=(_READY, _REASON),
    ),
    _custom(
        "external-secrets.io",
        "v1",
        "ClusterSecretStore",
        "clustersecretstores",
        short=("css",),
        namespaced=False,
        columns=(_READY, _REASON),
    ),
    _custom("external-secrets.io", "v1alpha1", "PushSecret", "pushsecrets", short=("ps",)),
    _custom("loki.grafana.com", "v1", "LokiStack", "lokistacks"),
    _custom(
        "lokeys.dev",
        "v1alpha1",
        "StorageCredential",
        "storagecredentials",
        short=("scred",),
        columns=(("Mode", "spec.mode"), _READY, _REASON),
    ),
)


class Refusal(Exception):
    """What the API server answers when it will not: one Kubernetes Status."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Json | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {}

    @property
    def body(self) -> Json:
        """Return the Status object."""
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status |= {"message": str(self), "reason": self.reason, "code": self.code}
        return status | ({"details": self.details} if self.details else {})


def not_found(kind: ServedKind, name: str) -> Refusal:
    """Return the refusal for an object that does not exist."""
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return Refusal(404, "NotFound", f'{kind.resource} "{name}" not found', details=details)


def conflict(kind: ServedKind, name: str, why: str) -> Refusal:
    """Return the refusal of a write that somebody else has overtaken."""
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=details)


def invalid(kind: ServedKind, name: str, why: str) -> Refusal:
    """Return the refusal of an object whose content is not allowed."""
    details = {"name": name, "group": kind.group, "kind": kind.kind}
    return Refusal(422, "Invalid", f'{kind.kind} "{name}" is invalid: {why}', details=details)


def expired(message: str) -> Refusal:
    """Return the refusal of a resourceVersion that is too old."""
    return Refusal(410, "Expired", message)
