# SPDX-License-Identifier: Apache-2.0
"""A LokiStack's spec, parsed, with every default filled in.

The names are those of the resource in whole words. What is only passed on to Kubernetes or to Loki
(selectors, tolerations, limits by their names) stays a mapping of checked types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from lokeys.core.place import Ref

API_VERSION = "loki.grafana.com/v1"
KIND = "LokiStack"
DEFAULT_QUERY_TIMEOUT = "3m"
DEFAULT_CA_KEY = "service-ca.crt"


class Size(StrEnum):
    """`spec.size`."""

    DEMO = "1x.demo"
    PICO = "1x.pico"
    EXTRA_SMALL = "1x.extra-small"
    SMALL = "1x.small"
    MEDIUM = "1x.medium"


class Component(StrEnum):
    """A part of Loki with its own pods, spelled as in names and labels."""

    COMPACTOR = "compactor"
    DISTRIBUTOR = "distributor"
    INDEX_GATEWAY = "index-gateway"
    INGESTER = "ingester"
    QUERIER = "querier"
    QUERY_FRONTEND = "query-frontend"
    RULER = "ruler"
    GATEWAY = "gateway"


class SchemaVersion(StrEnum):
    """A version of Loki's storage schema."""

    V11 = "v11"
    V12 = "v12"
    V13 = "v13"


class TenancyMode(StrEnum):
    """`spec.tenants.mode`."""

    STATIC = "static"
    DYNAMIC = "dynamic"
    OPENSHIFT_LOGGING = "openshift-logging"
    OPENSHIFT_NETWORK = "openshift-network"
    PASSTHROUGH = "passthrough"

    @property
    def on_openshift(self) -> bool:
        """Tell whether the gateway asks OpenShift who may read and write."""
        return self in (TenancyMode.OPENSHIFT_LOGGING, TenancyMode.OPENSHIFT_NETWORK)


USUAL_TENANCY = TenancyMode.OPENSHIFT_LOGGING
"""The mode if there are tenants and no mode: as in the published definition."""
USUAL_ADMIN_GROUPS = ("system:cluster-admins", "cluster-admin", "dedicated-admin")
"""Groups that may do everything if none is named: as in the published definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One period of the storage schema: from this date on, this version."""

    version: SchemaVersion
    effective_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CaRef:
    """The ConfigMap with the store's CA, and the key in it."""

    name: str
    key: str = DEFAULT_CA_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One label of nodes over which pods are spread."""

    topology_key: str
    max_skew: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy that Loki's components use; each empty if there is none."""

    http: str = ""
    https: str = ""
    no_proxy: str = ""

    @property
    def exceptions(self) -> str:
        """Return what is reached directly: the stack's list, and hosts in the cluster."""
        return ",".join(filter(None, (self.no_proxy, ".svc", ".svc.cluster.local")))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionStream:
    """How long the streams of one selector are kept."""

    selector: str
    days: int
    priority: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long log lines are kept."""

    days: int
    streams: tuple[RetentionStream, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of all tenants, or of one. `ingestion` and `queries` use the spec's names."""

    ingestion: Mapping[str, int] = field(default_factory=dict)
    queries: Mapping[str, int] = field(default_factory=dict)
    query_timeout: str | None = None
    retention: Retention | None = None
    otlp: Mapping[str, Any] = field(default_factory=dict)
    blocked: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One component in `spec.template`; the mappings are Kubernetes' own."""

    replicas: int | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    pod_anti_affinity: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    """One key of a ConfigMap or a Secret in the stack's namespace."""

    kind: str
    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """Users have a token of this issuer; the Secret holds the gateway's client credentials."""

    secret_name: str
    issuer_url: str
    redirect_url: str = ""
    username_claim: str = ""
    group_claim: str = ""
    issuer_ca: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant, and how its users identify themselves: one of the two."""

    name: str
    id: str
    oidc: Oidc | None = None
    client_ca: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTls:
    """The gateway's TLS files; `ca` is the issuer that it expects of its own certificate."""

    certificate: Entry | None = None
    private_key: Entry | None = None
    ca: Entry | None = None

    @property
    def serves(self) -> bool:
        """Tell whether everything that serving needs is there."""
        return self.certificate is not None and self.private_key is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """Who may read and write, as far as lokeys uses it; the rest stays in the spec."""

    mode: TenancyMode
    authentication: tuple[Tenant, ...] = ()
    roles: tuple[Mapping[str, Any], ...] = ()
    role_bindings: tuple[Mapping[str, Any], ...] = ()
    opa_url: str = ""
    admin_groups: tuple[str, ...] = ()
    default_tenant: str = ""
    disable_ingress: bool = False
    tls: GatewayTls = GatewayTls()
    client_ca: Entry | None = None
    """For passthrough: the CA of the certificates that clients need."""

    @property
    def issued(self) -> tuple[Oidc, ...]:
        """Return the issuers of tenants, in the spec's order."""
        return tuple(tenant.oidc for tenant in self.authentication if tenant.oidc)

    @property
    def client_secrets(self) -> tuple[str, ...]:
        """Return the Secrets with the gateway's client credentials, by name."""
        return tuple(sorted({each.secret_name for each in self.issued}))

    @property
    def authorities(self) -> tuple[Entry, ...]:
        """Return the CAs of issuers and clients."""
        found = {each.issuer_ca for each in self.issued}
        found |= {self.client_ca, *(tenant.client_ca for tenant in self.authentication)}
        return tuple(sorted(each for each in found if each is not None))

    @property
    def read_once(self) -> tuple[Entry, ...]:
        """Return the files that the gateway reads only when it starts.

        The gateway of users reloads its own certificate when that changes; the passthrough one does
        not.
        """
        through = self.mode is TenancyMode.PASSTHROUGH
        own = (self.tls.certificate, self.tls.private_key) if through else (self.tls.ca,)
        return tuple(sorted({*self.authorities, *(each for each in own if each)}))

    @property
    def asks_for_certificates(self) -> bool:
        """Tell whether some clients identify themselves by a certificate."""
        clients = any(tenant.client_ca for tenant in self.authentication)
        return clients or self.client_ca is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiStack:
    """One LokiStack without faults of form."""

    name: str
    namespace: str
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    managed: bool = True
    size: Size
    schemas: tuple[Schema, ...]
    applied_schemas: tuple[Schema, ...] = ()
    storage_secret_name: str
    storage_type: str
    credential_mode: str | None = None
    ca: CaRef | None = None
    storage_class_name: str
    replication_factor: int | None = None
    zones: tuple[Zone, ...] = ()
    pod_ip_in_ring: bool = False
    ipv6: bool = False
    proxy: Proxy | None = None
    rules_enabled: bool = False
    limits: Limits = field(default_factory=Limits)
    tenant_limits: Mapping[str, Limits] = field(default_factory=dict)
    placements: Mapping[Component, Placement] = field(default_factory=dict)
    requests_as_limits: bool = False
    tenants: Tenants | None = None
    restrict_network: bool = False

    @property
    def ref(self) -> Ref:
        """Return the resource's own reference."""
        return Ref(KIND, self.name, self.namespace)

    @property
    def route(self) -> str:
        """Return `namespace/name`, as findings name a stack."""
        return f"{self.namespace}/{self.name}"

    @property
    def secret_ref(self) -> Ref:
        """Return the Secret with the storage."""
        return Ref("Secret", self.storage_secret_name, self.namespace)

    @property
    def service_accounts(self) -> tuple[str, str]:
        """Return the accounts whose tokens reach the store: the stack's and its ruler's."""
        return (self.name, f"{self.name}-ruler")
