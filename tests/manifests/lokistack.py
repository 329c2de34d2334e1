# SPDX-License-Identifier: Apache-2.0
"""LokiStacks and their Secrets, one of each kind, and pairwise choices among them."""

import base64
import copy
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import API_VERSION, LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import CloudEnvironment, Storage
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from manifests.pairs import cover

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAME, NAMESPACE = "my-stack", "logging"
CANARY = "c4naryWJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzz"
"""Stands in most secret values, and nowhere else."""

AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBEjCBugIBAjAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApzdG9yYWdlLWNhMCAX
DTIwMDEwMTAwMDAwMFoYDzIwNjAwMTAxMDAwMDAwWjAVMRMwEQYDVQQDDApzdG9y
YWdlLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwIiREacRwP3Upxsil+/6
lixLWTofVotRGe+5u0I+MlheGF2jvl6mHpO1E98N6abPUwF50wSXZ6/djXgcYoK/
LjAKBggqhkjOPQQDAgNHADBEAiALpyisbFmarsoPadXWldxt84EYV0ak/2TWUGrU
eeWQZgIgD0Ve/PXFSVtUGy3/UVVfk3NKPGo7VfblXVcDOEslS1o=
-----END CERTIFICATE-----
"""
"""A CA for tests, valid until 2060."""

GUID = "11111111-2222-4333-8444-55555555555"
_TOKEN = "/var/run/secrets/storage/serviceaccount/token"
_POOLS = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools"
_PROVIDER = f"{_POOLS}/pool/providers/prov"
_AZURE = {"environment": "AzureGlobal", "container": "logs", "account_name": "lokilogs"}
_STATIC_KEY = {
    "type": "service_account",
    "project_id": "my-project",
    "private_key_id": CANARY,
    "private_key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n",
    "client_email": "loki@my-project.iam.gserviceaccount.com",
    "client_id": "1",
    "token_uri": "https://oauth2.googleapis.com/token",
}
_TOKEN_KEY = {
    "type": "external_account",
    "audience": _PROVIDER,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/"
    "serviceAccounts/loki@my-project.iam.gserviceaccount.com:generateAccessToken",
    "credential_source": {"file": _TOKEN, "format": {"type": "text"}},
}
_PAIR = {"access_key_id": "AKIAQ4KLMN5OPQR6STUV", "access_key_secret": CANARY}
_ROLE = {"role_arn": "arn:aws:iam::123456789012:role/loki"}
_IDENTITIES = {f"{word}_id": f"{GUID}{n}" for n, word in enumerate(("client", "tenant"))}
_IDENTITIES["subscription_id"] = f"{GUID}2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A kind of storage Secret, and the mode that it is for."""

    type: str
    mode: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twist:
    """What is added to a store's Secret, and taken from it; the stores that can have it."""

    stores: tuple[str, ...]
    data: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    ca: bool = False


STORES = {
    "s3": Store(
        type="s3",
        mode="static",
        data={"bucketnames": "1234", "endpoint": "http://rgw.store:8080", **_PAIR},
    ),
    "s3-aws-kms": Store(
        type="s3",
        mode="static",
        data={
            "bucketnames": "logs",
            "endpoint": "https://s3.eu-central-1.amazonaws.com",
            "region": "eu-central-1",
            "sse_type": "SSE-KMS",
            "sse_kms_key_id": "alias/loki",
            "sse_kms_encryption_context": json.dumps({"canary": CANARY}),
            **_PAIR,
        },
    ),
    "s3-buckets": Store(
        type="s3",
        mode="static",
        data={"bucketnames": "one,two", "endpoint": "https://minio.example:9000", **_PAIR},
    ),
    "s3-token": Store(
        type="s3",
        mode="token",
        data={"bucketnames": "logs", "region": "cn-north-1"}
        | {"role_arn": "arn:aws-cn:iam::123456789012:role/loki"},
    ),
    "s3-token-rgw": Store(
        type="s3",
        mode="token",
        data={
            "bucketnames": "logs",
            "region": "us-east-1",
            "endpoint": "https://rgw.example",
            "sts_endpoint": "https://rgw.example",
            "audience": "loki",
            **_ROLE,
        },
    ),
    "s3-cco": Store(
        type="s3", mode="token-cco", data={"bucketnames": "logs", "region": "eu-west-1"}
    ),
    "azure": Store(
        type="azure",
        mode="static",
        data={**_AZURE, "account_key": base64.b64encode(bytes(range(128, 192))).decode()},
    ),
    "azure-token": Store(
        type="azure",
        mode="token",
        data={**_AZURE, "environment": "AzureUSGovernment", **_IDENTITIES},
    ),
    "azure-cco": Store(type="azure", mode="token-cco", data=_AZURE),
    "gcs": Store(
        type="gcs",
        mode="static",
        data={"bucketname": "logs", "key.json": json.dumps(_STATIC_KEY)},
    ),
    "gcs-token": Store(
        type="gcs",
        mode="token",
        data={"bucketname": "logs", "audience": _PROVIDER, "key.json": json.dumps(_TOKEN_KEY)},
    ),
    "gcs-cco": Store(type="gcs", mode="token-cco", data={"bucketname": "logs"}),
    "swift": Store(
        type="swift",
        mode="static",
        data={
            "auth_url": "https://keystone.example:5000/v3",
            "username": f"user-{CANARY}",
            "user_domain_name": "Default",
            "user_domain_id": "default",
            "user_id": "0123456789abcdef",
            "password": CANARY,
            "domain_id": "default",
            "domain_name": "Default",
            "container_name": "logs",
            "region": "RegionOne",
        },
    ),
    "alibabacloud": Store(
        type="alibabacloud",
        mode="static",
        data={
            "endpoint": "oss-eu-central-1.aliyuncs.com",
            "bucket": "logs",
            "access_key_id": "LTAI5tQQQQQQQQQQQQQQQQQQ",
            "secret_access_key": CANARY,
        },
    ),
}
SIZES = ("1x.demo", "1x.pico", "1x.extra-small", "1x.small", "1x.medium")
TENANCIES = (
    None,
    "static",
    "dynamic",
    "openshift-logging",
    "openshift-network",
    "passthrough",
)
SCHEMAS = {
    "v11": [("v11", "2020-10-11")],
    "v12": [("v12", "2022-10-11")],
    "v13": [("v13", "2024-10-01")],
    "v11 then v13": [("v11", "2020-10-11"), ("v13", "2024-10-01")],
    "v13 to come": [("v12", "2022-10-11"), ("v13", "2099-10-01")],
}
_TOLERATION = {"key": "logging", "operator": "Exists", "effect": "NoSchedule"}
_LIMITS = {
    "ingestion": {"ingestionRate": 12, "perStreamDesiredRate": 2, "perStreamRateLimit": 7},
    "queries": {"queryTimeout": "4m30s", "maxQuerySeries": 900},
    "retention": {"days": 20, "streams": [{"days": 3, "selector": '{app=~"a$|$b"}'}]},
    "otlp": {
        "streamLabels": {
            "resourceAttributes": [{"name": "k8s.pod"}, {"name": "a.*", "regex": True}]
        },
        "drop": {"logAttributes": [{"name": "noise"}], "resourceAttributes": [{"name": "x"}]},
    },
}
EXTRAS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "rules": {"enabled": True},
        "replication": {
            "factor": 2,
            "zones": [{"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1}],
        },
        "hashRing": {"type": "memberlist", "memberlist": {"instanceAddrType": "podIP"}},
        "proxy": {"httpProxy": "http://proxy:3128", "noProxy": "10.0.0.0/8"},
        "limits": {
            "global": _LIMITS,
            "tenants": {
                "no": {
                    **_LIMITS,
                    "queries": {
                        "queryTimeout": "10m",
                        "blocked": [{"pattern": ".*$x.*", "regex": True, "types": ["filter"]}],
                    },
                }
            },
        },
        "template": {
            "useRequestsAsLimits": True,
            "ingester": {
                "replicas": 4,
                "nodeSelector": {"disk": "fast"},
                "tolerations": [_TOLERATION],
            },
            "gateway": {"tolerations": [_TOLERATION]},
            "querier": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"topologyKey": "kubernetes.io/hostname"}
                    ]
                }
            },
        },
        "networkPolicies": {"ruleSet": "RestrictIngressEgress"},
    },
    "rules": {
        "rules": {"enabled": True},
        "hashRing": {"type": "memberlist", "memberlist": {"enableIPv6": True}},
    },
}
_KMS_KEYS = ("sse_kms_key_id", "sse_kms_encryption_context")
_KMS = {"sse_type": "SSE-KMS", "sse_kms_key_id": "alias/loki"}
_ANY_S3 = tuple(name for name, store in STORES.items() if store.type == "s3")
_ANY_AZURE = tuple(name for name, store in STORES.items() if store.type == "azure")
TWISTS: dict[str, Twist] = {
    "plain": Twist(stores=tuple(STORES)),
    "a CA": Twist(stores=_ANY_S3, ca=True),
    "SSE-S3": Twist(stores=_ANY_S3, data={"sse_type": "SSE-S3"}, drops=_KMS_KEYS),
    "SSE-KMS, path style": Twist(
        stores=_ANY_S3, data={**_KMS, "forcepathstyle": "true"}, drops=_KMS_KEYS[1:]
    ),
    "SSE-KMS and context": Twist(
        stores=_ANY_S3, data={**_KMS, "sse_kms_encryption_context": json.dumps({"a": CANARY})}
    ),
    "several buckets": Twist(
        stores=tuple(name for name in _ANY_S3 if name != "s3-buckets"),
        data={"bucketnames": "logs-1,logs-2,logs-3"},
    ),
    "virtual hosts": Twist(stores=("s3", "s3-buckets"), data={"forcepathstyle": "false"}),
    "AWS in China": Twist(
        stores=("s3-aws-kms",),
        data={"region": "cn-north-1", "endpoint": "https://s3.cn-north-1.amazonaws.com.cn"},
    ),
    "AWS for governments, FIPS": Twist(
        stores=("s3-aws-kms",),
        data={
            "region": "us-gov-west-1",
            "endpoint": "https://s3-fips.us-gov-west-1.amazonaws.com",
        },
    ),
    "a role for governments": Twist(
        stores=("s3-token",),
        data={"region": "us-gov-west-1", "role_arn": "arn:aws-us-gov:iam::123456789012:role/loki"},
    ),
    "an endpoint of a VPC": Twist(
        stores=("s3-aws-kms",),
        data={"endpoint": "https://bucket.vpce-0a1b-2c3d.s3.eu-central-1.vpce.amazonaws.com:443"},
    ),
    "Azure in China": Twist(stores=_ANY_AZURE, data={"environment": "AzureChinaCloud"}),
    "Azure for governments": Twist(stores=_ANY_AZURE, data={"environment": "AzureUSGovernment"}),
    "Azure by its suffix": Twist(
        stores=_ANY_AZURE,
        data={"endpoint_suffix": "blob.core.usgovcloudapi.net"},
        drops=("environment",),
    ),
    "an audience of its own": Twist(
        stores=("s3-token", "s3-cco", "azure-token", "azure-cco", "gcs-cco"),
        data={"audience": "loki.example"},
    ),
}
"""What a store may be told beside the least."""

COMPONENTS = (
    *("distributor", "ingester", "querier", "query-frontend"),
    *("compactor", "index-gateway", "ruler"),
)
DIMENSIONS: tuple[tuple[Any, ...], ...] = (
    tuple(STORES),
    SIZES,
    TENANCIES,
    tuple(SCHEMAS),
    tuple(EXTRAS),
    tuple(TWISTS),
)
CLOUDS = CloudEnvironment(
    openshift=True,
    aws_role_arn="arn:aws:iam::123456789012:role/loki",
    azure_client_id=f"{GUID}0",
    azure_tenant_id=f"{GUID}1",
    azure_subscription_id=f"{GUID}2",
    gcp_project_number="123456789",
    gcp_pool_id="pool",
    gcp_provider_id="prov",
    gcp_service_account_email="loki@my-project.iam.gserviceaccount.com",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One stack out of all combinations."""

    store: str = "s3"
    size: str = "1x.demo"
    tenancy: str | None = None
    schema: str = "v13"
    extra: str = "plain"
    twist: str = "plain"

    def __str__(self) -> str:
        words = (self.store, self.size, self.tenancy, self.schema, self.extra, self.twist)
        return ", ".join(map(str, words))

    @property
    def on_openshift(self) -> bool:
        """Tell whether the cluster is OpenShift."""
        return self.environment.openshift

    @property
    def environment(self) -> CloudEnvironment:
        """Return what the operator has: the cloud's credentials where the mode asks for them."""
        if STORES[self.store].mode == "token-cco":
            return CLOUDS
        return CloudEnvironment(openshift=(self.tenancy or "").startswith("openshift"))

    @property
    def has_ca(self) -> bool:
        """Tell whether the store's certificate has an authority of its own."""
        return self.store == "swift" or TWISTS[self.twist].ca

    @property
    def secret(self) -> dict[str, Any]:
        """Return the storage Secret."""
        twist = TWISTS[self.twist]
        base = STORES[self.store].data.items()
        kept = {key: value for key, value in base if key not in twist.drops}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "store", "namespace": NAMESPACE},
            "stringData": {**kept, **twist.data},
        }

    @property
    def beside(self) -> list[dict[str, Any]]:
        """Return what the tenants name."""
        named = self.tenancy in ("static", "dynamic", "passthrough")
        return tenant_objects() if named else []

    @property
    def manifest(self) -> dict[str, Any]:
        """Return the LokiStack."""
        store = STORES[self.store]
        spec: dict[str, Any] = {
            "size": self.size,
            "storageClassName": "fast",
            "storage": {
                "schemas": [
                    {"version": version, "effectiveDate": day}
                    for version, day in SCHEMAS[self.schema]
                ],
                "secret": {"name": "store", "type": store.type, "credentialMode": store.mode},
                **({"tls": {"caName": "ca"}} if self.has_ca else {}),
            },
            **EXTRAS[self.extra],
        }
        if self.tenancy:
            spec["tenants"] = copy.deepcopy(_tenants(self.tenancy))
        return {
            "apiVersion": API_VERSION,
            "kind": "LokiStack",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": spec,
        }

    def read(self) -> tuple[LokiStack, Storage]:
        """Return the stack and its storage, which have no faults."""
        stack, faults = parse(self.manifest)
        assert stack, faults
        ref = Ref("Secret", "store", NAMESPACE)
        data = secret_data(self.secret, ref=ref, stack=stack.ref).data
        reading = read_storage(
            stack.ref,
            stack.storage_type,
            stack.credential_mode,
            secret=data,
            environment=self.environment,
        )
        assert reading.storage, [finding.message for finding in reading.findings]
        return stack, reading.storage


_TLS_SECRET = "gateway-tls"
_TLS = {
    "certificate": {"secretName": _TLS_SECRET, "key": "tls.crt"},
    "privateKey": {"secretName": _TLS_SECRET, "key": "tls.key"},
}
_USERS = [
    {
        "tenantName": "123",
        "tenantId": "yes",
        "oidc": {
            "secret": {"name": "client-123"},
            "issuerURL": "https://issuer.example/realm",
            "issuerCA": {"caName": "tenants-ca", "caKey": "issuer.crt"},
            "redirectURL": "https://logs.example/oidc/123/callback",
            "usernameClaim": "email",
            "groupClaim": "groups",
        },
    },
    {"tenantName": "by-cert", "tenantId": "t-2", "mTLS": {"ca": {"caName": "tenants-ca"}}},
]


def _tenants(mode: str) -> dict[str, Any]:
    tenants: dict[str, Any] = {"mode": mode}
    if mode in ("static", "dynamic"):
        tenants["authentication"] = _USERS
        tenants["authorization"] = {"opa": {"url": "http://opa:8181/v1/data/loki"}}
    if mode in ("static", "passthrough"):
        tenants["gateway"] = {"tls": _TLS}
    if mode == "dynamic":
        own_ca = {"configMapName": "gateway-ca", "key": "ca.crt"}
        tenants["gateway"] = {"tls": {**_TLS, "ca": own_ca}}
    if mode == "static":
        tenants["authorization"] = {
            "roles": [
                {"name": "r", "permissions": ["read"], "resources": ["logs"], "tenants": ["123"]}
            ],
            "roleBindings": [
                {"name": "b", "roles": ["r"], "subjects": [{"kind": "user", "name": "on"}]}
            ],
        }
    if mode == "openshift-logging":
        tenants["openshift"] = {"adminGroups": ["cluster-admin"]}
    if mode == "passthrough":
        client_ca = {"secretName": "clients-ca", "key": "ca.crt"}
        tenants["passthrough"] = {"ca": client_ca, "defaultTenant": "nobody"}
    return tenants


def tenant_objects(authority: str = AUTHORITY) -> list[dict[str, Any]]:
    """Return the Secrets and CAs that the tenancies name."""

    def one(kind: str, name: str, **data: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": NAMESPACE}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **data}

    client = {"clientID": "the-gateway", "clientSecret": f"it's {CANARY}"}
    authorities = {"issuer.crt": authority, "service-ca.crt": authority}
    return [
        one("Secret", "client-123", stringData=client),
        one("ConfigMap", "tenants-ca", data=authorities),
        one("Secret", "clients-ca", stringData={"ca.crt": authority}),
    ]


def every() -> Iterator[Choice]:
    """Yield all combinations; those with a twist in one size and without tenants.

    A twist is about the store alone, of which neither size nor tenancy says anything.
    """
    for row in itertools.product(*DIMENSIONS):
        choice = _choice(row)
        here = choice.twist == "plain" or (choice.size, choice.tenancy) == (SIZES[0], None)
        if here and _fits(dict(enumerate(row))):
            yield choice


def pairwise() -> list[Choice]:
    """Return few choices in which every two values of two dimensions meet that can."""
    return [_choice(row) for row in cover(DIMENSIONS, _fits)]


def pairwise_components() -> list[tuple[Choice, str]]:
    """Return the same with one dimension more: a component that such a stack has."""
    extra, component = DIMENSIONS.index(tuple(EXTRAS)), len(DIMENSIONS)

    def fits(row: Mapping[int, Any]) -> bool:
        has_ruler = extra not in row or "rules" in EXTRAS[row[extra]]
        return _fits(row) and (has_ruler or row.get(component) != "ruler")

    rows = cover((*DIMENSIONS, COMPONENTS), fits)
    return [(_choice(row[:-1]), row[-1]) for row in rows]


def _choice(row: tuple[Any, ...]) -> Choice:
    store, size, tenancy, schema, extra, twist = row
    return Choice(store=store, size=size, tenancy=tenancy, schema=schema, extra=extra, twist=twist)


def _fits(row: Mapping[int, Any]) -> bool:
    store, twist = row.get(0), row.get(len(DIMENSIONS) - 1)
    return store is None or twist is None or store in TWISTS[twist].stores
