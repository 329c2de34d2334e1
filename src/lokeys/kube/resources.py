# SPDX-License-Identifier: Apache-2.0
"""Kinds of objects, and their paths in the API server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from lokeys.errors import NotFound


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind: its group ("" for core), version and plural make its path."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return the value of an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the URL path of a collection, or of one object in it.

        Raises NotFound for an invalid object name that would lead to another path.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{_segment(namespace)}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{_segment(name)}" if name is not None else "")

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _segment(name: str) -> str:
    if name in ("", ".", ".."):
        raise NotFound(f"no object can have the name `{name}`")
    return quote(name, safe=":", errors="replace")


SECRET = Resource("", "v1", "secrets", "Secret")
POD = Resource("", "v1", "pods", "Pod")
EVENT = Resource("", "v1", "events", "Event")
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
SERVICE = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
PERSISTENT_VOLUME_CLAIM = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
STATEFUL_SET = Resource("apps", "v1", "statefulsets", "StatefulSet")
DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
DAEMON_SET = Resource("apps", "v1", "daemonsets", "DaemonSet")
JOB = Resource("batch", "v1", "jobs", "Job")
CRON_JOB = Resource("batch", "v1", "cronjobs", "CronJob")
REPLICA_SET = Resource("apps", "v1", "replicasets", "ReplicaSet")
POD_DISRUPTION_BUDGET = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICY = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
INGRESS = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ROLE = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDING = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False
)
CLUSTER_ROLE_BINDING = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
CRD = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
SELF_SUBJECT_ACCESS_REVIEW = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)
SELF_SUBJECT_REVIEW = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)

EXTERNAL_SECRET = Resource("external-secrets.io", "v1", "externalsecrets", "ExternalSecret")
EXTERNAL_SECRET_V1BETA1 = Resource(
    "external-secrets.io", "v1beta1", "externalsecrets", "ExternalSecret"
)
SECRET_STORE = Resource("external-secrets.io", "v1", "secretstores", "SecretStore")
SECRET_STORE_V1BETA1 = Resource("external-secrets.io", "v1beta1", "secretstores", "SecretStore")
CLUSTER_SECRET_STORE = Resource(
    "external-secrets.io", "v1", "clustersecretstores", "ClusterSecretStore", namespaced=False
)
CLUSTER_SECRET_STORE_V1BETA1 = Resource(
    "external-secrets.io", "v1beta1", "clustersecretstores", "ClusterSecretStore", namespaced=False
)
PUSH_SECRET = Resource("external-secrets.io", "v1alpha1", "pushsecrets", "PushSecret")
HELM_RELEASE = Resource("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")
HELM_RELEASE_V2BETA2 = Resource("helm.toolkit.fluxcd.io", "v2beta2", "helmreleases", "HelmRelease")
ONE_PASSWORD_ITEM = Resource("onepassword.com", "v1", "onepassworditems", "OnePasswordItem")
CEPH_OBJECT_STORE_USER = Resource(
    "ceph.rook.io", "v1", "cephobjectstoreusers", "CephObjectStoreUser"
)
CEPH_OBJECT_STORE = Resource("ceph.rook.io", "v1", "cephobjectstores", "CephObjectStore")
STORAGE_CREDENTIAL = Resource("lokeys.dev", "v1alpha1", "storagecredentials", "StorageCredential")
LOKI_STACK = Resource("loki.grafana.com", "v1", "lokistacks", "LokiStack")
SERVICE_MONITOR = Resource("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor")
PROMETHEUS_RULE = Resource("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule")
ROUTE = Resource("route.openshift.io", "v1", "routes", "Route")
CREDENTIALS_REQUEST = Resource(
    "cloudcredential.openshift.io", "v1", "credentialsrequests", "CredentialsRequest"
)
