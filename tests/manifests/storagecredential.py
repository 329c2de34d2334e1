# SPDX-License-Identifier: Apache-2.0
"""StorageCredentials, sound and not, for whoever judges them: lokeys and the real API server."""

from copy import deepcopy
from typing import Any, NamedTuple

ABSENT = object()
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

ROOK: dict[str, Any] = {
    "apiVersion": "lokeys.dev/v1alpha1",
    "kind": "StorageCredential",
    "metadata": {"name": "loki", "namespace": "monitoring"},
    "spec": {
        "mode": "Heal",
        "source": {
            "rook": {
                "user": "loki",
                "namespace": "storage",
                "store": "storage",
                "refresh": True,
                "admin": {
                    "endpoint": "http://rgw.storage.svc:80",
                    "secretRef": {"name": "rgw-admin"},
                },
            }
        },
        "vault": {
            "onePassword": {
                "connect": {
                    "url": "http://connect.vaults.svc:8080",
                    "tokenSecretRef": {"name": "connect-token", "key": "token"},
                },
                "vault": "homelab",
                "item": "loki-s3-config",
            }
        },
        "secret": {
            "name": "loki-s3-credentials",
            "externalSecret": {"name": "loki-s3-credentials"},
        },
        "bucket": {"name": "loki-chunks", "endpoint": "http://rgw.storage.svc:80"},
        "workloads": [{"kind": "StatefulSet", "name": "loki"}],
    },
}

MINIMAL: dict[str, Any] = {
    "apiVersion": "lokeys.dev/v1alpha1",
    "kind": "StorageCredential",
    "metadata": {"name": "copied", "namespace": "monitoring"},
    "spec": {
        "source": {
            "secret": {"name": "from", "keys": {"accessKeyId": "id", "secretAccessKey": "secret"}}
        },
        "secret": {"name": "to"},
        "bucket": {"name": "loki", "endpoint": "https://s3.example"},
    },
}


class Case(NamedTuple):
    """One change of a sound manifest, and whether it stays sound."""

    says: str
    sound: bool
    changes: dict[str, Any]
    base: dict[str, Any] = ROOK

    def manifest(self) -> dict[str, Any]:
        made = deepcopy(self.base)
        for path, value in self.changes.items():
            _put(made, path.split("."), value if value is ABSENT else deepcopy(value))
        return made


def _put(manifest: Any, path: list[str], value: object) -> None:
    for name in path[:-1]:
        manifest = (
            manifest[int(name)] if isinstance(manifest, list) else manifest.setdefault(name, {})
        )
    if value is ABSENT:
        del manifest[path[-1]]
    else:
        manifest[path[-1]] = value


_RGW = {"uid": "loki", "adminSecretRef": {"name": "admin"}}
_IAM = {"userName": "loki", "adminSecretRef": {"name": "admin"}}
_HTTPS = "https://rgw.example:8443"
_STS = {"kind": "StatefulSet", "name": "loki"}


def _bucket(**fields: object) -> dict[str, Any]:
    return {f"spec.bucket.{name}": value for name, value in fields.items()}


def _rotation(**fields: object) -> dict[str, Any]:
    return {"spec.rotation": fields}


def _window(schedule: str, duration: str = "2h", **fields: object) -> dict[str, Any]:
    return _rotation(window={"schedule": schedule, "duration": duration, **fields})


PATHS = {"accessKeyId": "s3.access_key_id", "secretAccessKey": "s3.secret_access_key"}
CONFIG = {"kind": "ConfigMap", "name": "c", "inside": "config.yaml", "keys": PATHS}
FLUX = {"kind": "HelmRelease", "name": "loki"}
CLAIM = {"name": "logs", "namespace": "monitoring"}


CASES = [
    Case("the runbook's route", True, {}),
    Case("the least that can be said", True, {}, MINIMAL),
    Case("a field that is null counts as left out", True, {"spec.vault": None}),
    Case("a null where there is a default is that default", True, {"spec.mode": None}),
    Case("no spec", False, {"spec": ABSENT}),
    Case("a spec that is a list", False, {"spec": []}),
    Case("an unknown field", False, {"spec.sauce": {}}),
    Case("an unknown field far below", False, {"spec.workloads.0.metrics.prot": 1}),
    Case("a name of 63 characters", True, {"metadata.name": "a" * 63}),
    Case("a name of 64 characters", False, {"metadata.name": "a" * 64}),
    Case("the name whose Lease is the operator's own", False, {"metadata.name": "operator"}),
    Case("a mode in another case", False, {"spec.mode": "heal"}),
    Case("no source", False, {"spec.source": ABSENT}),
    Case("an empty source", False, {"spec.source": {}}),
    Case("two sources", False, {"spec.source.rgw": {"endpoint": _HTTPS, **_RGW}}),
    Case("RGW's own user", True, {"spec.source": {"rgw": {"endpoint": _HTTPS, **_RGW}}}),
    Case(
        "RGW's own user behind a private authority",
        True,
        {"spec.source": {"rgw": {"endpoint": _HTTPS, "caBundle": PEM, **_RGW}}},
    ),
    Case(
        "a CA bundle for plain http",
        False,
        {"spec.source": {"rgw": {"endpoint": "http://rgw", "caBundle": PEM, **_RGW}}},
    ),
    Case("an IAM user", True, {"spec.source": {"awsIAM": _IAM}}),
    Case(
        "an IAM user by the pod's own identity",
        True,
        {"spec.source.awsIAM": {"userName": "l"}, "spec.source.rook": ABSENT},
    ),
    Case(
        "an IAM user's name with a slash", False, {"spec.source": {"awsIAM": {"userName": "a/b"}}}
    ),
    Case("a Rook user without a namespace", False, {"spec.source.rook.namespace": ABSENT}),
    Case("a namespace with a dot", False, {"spec.source.rook.namespace": "a.b"}),
    Case("a user's name in capitals", False, {"spec.source.rook.user": "Loki"}),
    Case("a user's name with a newline", False, {"spec.source.rook.user": "loki\n"}),
    Case("refresh without admin", False, {"spec.source.rook.admin": ABSENT}),
    Case("a refresh in quotes", False, {"spec.source.rook.refresh": "true"}),
    Case("a Secret as source in rotation mode", False, {"spec.mode": "Rotate"}, MINIMAL),
    Case("a Secret as source with a rotation", False, _rotation(), MINIMAL),
    Case("a Secret as its own source", False, {"spec.secret.name": "from"}, MINIMAL),
    Case(
        "a Secret of the same name elsewhere as source",
        True,
        {"spec.secret.name": "from", "spec.source.secret.namespace": "other"},
        MINIMAL,
    ),
    Case("a source's Secret without keys", False, {"spec.source.secret.keys": ABSENT}, MINIMAL),
    Case(
        "both halves under one name",
        False,
        {"spec.secret.keys": {"accessKeyId": "k", "secretAccessKey": "k"}},
    ),
    Case("one half named, the other by default", True, {"spec.secret.keys": {"accessKeyId": "k"}}),
    Case(
        "one half named like the other's default",
        False,
        {"spec.secret.keys": {"accessKeyId": "AWS_SECRET_ACCESS_KEY"}},
    ),
    Case("a data key with a space", False, {"spec.secret.keys": {"accessKeyId": "a b"}}),
    Case("no Secret", False, {"spec.secret": ABSENT}),
    Case("no vault", True, {"spec.vault": ABSENT}),
    Case("an empty vault", False, {"spec.vault": {}}),
    Case("two vaults", False, {"spec.vault.pushSecret": {"name": "p"}}),
    Case("a PushSecret", True, {"spec.vault": {"pushSecret": {"name": "p"}}}),
    Case("a vault with spaces in its name", True, {"spec.vault.onePassword.vault": "My Vault"}),
    Case(
        "a field label with a space",
        True,
        {"spec.vault.onePassword.fields": {"accessKeyId": "key id"}},
    ),
    Case("an empty item title", False, {"spec.vault.onePassword.item": ""}),
    Case(
        "a Connect below a path",
        True,
        {"spec.vault.onePassword.connect.url": "https://op.example/connect"},
    ),
    Case(
        "a Connect URL with a user",
        False,
        {"spec.vault.onePassword.connect.url": "https://me:pw@op.example"},
    ),
    Case(
        "a token by the default key",
        True,
        {"spec.vault.onePassword.connect.tokenSecretRef": {"name": "t"}},
    ),
    Case(
        "a token in another namespace",
        True,
        {"spec.vault.onePassword.connect.tokenSecretRef": {"name": "t", "namespace": "vaults"}},
    ),
    Case(
        "a token in a namespace that cannot be",
        False,
        {"spec.vault.onePassword.connect.tokenSecretRef": {"name": "t", "namespace": "a.b"}},
    ),
    Case(
        "a Secret that something else makes",
        True,
        {"spec.secret": {"name": "s", "madeBy": {"kind": "SealedSecret", "name": "s"}}},
    ),
    Case(
        "a Secret that two things make",
        False,
        {
            "spec.secret": {
                "name": "s",
                "externalSecret": {"name": "s"},
                "madeBy": {"kind": "SealedSecret", "name": "s"},
            }
        },
    ),
    Case(
        "a Secret made by no kind",
        False,
        {"spec.secret": {"name": "s", "madeBy": {"kind": "sealed-secret", "name": "s"}}},
    ),
    Case("an ObjectBucketClaim as the source", True, {"spec.source": {"objectBucketClaim": CLAIM}}),
    Case(
        "a claim's key cannot be rotated",
        False,
        {"spec.source": {"objectBucketClaim": CLAIM}, "spec.mode": "Rotate"},
    ),
    Case(
        "a configuration that a HelmRelease renders of a Secret",
        True,
        {"spec.secret": {**CONFIG, "madeBy": FLUX, "values": {"name": "v", "keys": PATHS}}},
    ),
    Case(
        "values that External Secrets makes, and a HelmRelease renders",
        True,
        {
            "spec.secret": {
                **CONFIG,
                "externalSecret": {"name": "e"},
                "madeBy": FLUX,
                "values": {"name": "v", "keys": PATHS},
            }
        },
    ),
    Case(
        "values that nothing renders",
        False,
        {"spec.secret": {**CONFIG, "values": {"name": "v", "keys": PATHS}}},
    ),
    Case(
        "values that something else renders",
        False,
        {
            "spec.secret": {
                **CONFIG,
                "madeBy": {"kind": "Kustomization", "name": "k"},
                "values": {"name": "v", "keys": PATHS},
            }
        },
    ),
    Case(
        "a ConfigMap without a text",
        False,
        {"spec.secret": {"kind": "ConfigMap", "name": "c", "keys": PATHS}},
    ),
    Case("an endpoint with a port", True, _bucket(endpoint="http://10.0.0.1:65535")),
    Case("an endpoint that is an IPv6 address", True, _bucket(endpoint="http://[fd00::1]:80")),
    Case("an endpoint without a scheme", False, _bucket(endpoint="rgw.storage.svc")),
    Case("an endpoint of another scheme", False, _bucket(endpoint="s3://loki")),
    Case("an endpoint with a path", False, _bucket(endpoint="https://s3.example/loki")),
    Case("an endpoint with a slash at its end", False, _bucket(endpoint="https://s3.example/")),
    Case("an endpoint with a user", False, _bucket(endpoint="https://a:b@s3.example")),
    Case("an endpoint with a query", False, _bucket(endpoint="https://s3.example?x=1")),
    Case("an endpoint with a space before it", False, _bucket(endpoint=" https://s3.example")),
    Case("an endpoint with a newline after it", False, _bucket(endpoint="https://s3.example\n")),
    Case("an endpoint whose port is too high", False, _bucket(endpoint="https://s3.example:65536")),
    Case("an endpoint of 300 characters", False, _bucket(endpoint="https://" + "a" * 300)),
    Case("a bucket of two characters", False, _bucket(name="ab")),
    Case("a tenant's bucket at Ceph RGW", True, _bucket(name="team-a:loki")),
    Case("a bucket of three characters", True, _bucket(name="abc")),
    Case("a bucket of 64 characters", False, _bucket(name="a" * 64)),
    Case("a bucket with a slash", False, _bucket(name="loki/chunks")),
    Case("a bucket that is a number", False, _bucket(name=12345)),
    Case("a bucket with a letter beyond ASCII", False, _bucket(name="łoki")),
    Case("a private authority", True, _bucket(endpoint=_HTTPS, caBundle=PEM)),
    Case("a private authority in base64", False, _bucket(endpoint=_HTTPS, caBundle="LS0tLS1C")),
    Case(
        "a private key among the certificates",
        False,
        _bucket(endpoint=_HTTPS, caBundle=PEM + "-----BEGIN PRIVATE KEY-----"),
    ),
    Case("an empty region", False, _bucket(region="")),
    Case("a virtual-hosted bucket that may be made", True, _bucket(pathStyle=False, create=True)),
    Case("pathStyle as a number", False, _bucket(pathStyle=1)),
    Case("no workloads", True, {"spec.workloads": ABSENT}),
    Case("an empty list of workloads", True, {"spec.workloads": []}),
    Case("workloads that are no list", False, {"spec.workloads": _STS}),
    Case("a workload that is text", False, {"spec.workloads": ["loki"]}),
    Case("a workload that is null", False, {"spec.workloads": [None]}),
    Case("a workload twice", False, {"spec.workloads": [_STS, {**_STS, "force": True}]}),
    Case("two kinds of one name", True, {"spec.workloads": [_STS, {**_STS, "kind": "LokiStack"}]}),
    Case("a workload of another kind", False, {"spec.workloads": [{**_STS, "kind": "Job"}]}),
    Case("33 workloads", False, {"spec.workloads": [{**_STS, "name": f"l{n}"} for n in range(33)]}),
    Case("metrics on another port", True, {"spec.workloads": [{**_STS, "metrics": {"port": 80}}]}),
    Case("port 0", False, {"spec.workloads": [{**_STS, "metrics": {"port": 0}}]}),
    Case("port 65536", False, {"spec.workloads": [{**_STS, "metrics": {"port": 65536}}]}),
    Case("a port in quotes", False, {"spec.workloads": [{**_STS, "metrics": {"port": "80"}}]}),
    Case("a port that is true", False, {"spec.workloads": [{**_STS, "metrics": {"port": True}}]}),
    Case(
        "a metrics path without a slash",
        False,
        {"spec.workloads": [{**_STS, "metrics": {"path": "m"}}]},
    ),
    Case("a flush for proof", True, {"spec.prove": "Flush"}),
    Case("an unknown proof", False, {"spec.prove": "Hope"}),
    Case("a rotation by default", True, _rotation()),
    Case(
        "a rotation with all its fields",
        True,
        {"spec.mode": "Rotate", **_rotation(every="1h", overlap="59m59s", retire="AfterGrace")},
    ),
    Case("a rotation in days", False, _rotation(every="30d")),
    Case("a rotation of no length", False, _rotation(every="")),
    Case("a rotation with its units turned round", False, _rotation(every="30m720h")),
    Case("a rotation every minute", False, _rotation(every="1m", overlap="1s")),
    Case("an overlap as long as the rotation", False, _rotation(every="1h", overlap="60m")),
    Case("an unknown way to retire", False, _rotation(retire="Never")),
    Case("a window on Saturdays", True, _window("0 2 * * 6", timeZone="Europe/Zurich")),
    Case("a window with lists, ranges and steps", True, _window("*/5,59 0-6/2 1,15 1-12 0,7")),
    Case("a window with four fields", False, _window("0 2 * *")),
    Case("a window by a nickname", False, _window("@daily")),
    Case("a window at minute 60", False, _window("60 2 * * 6")),
    Case("a window at hour 24", False, _window("0 24 * * 6")),
    Case("a window in month 13", False, _window("0 2 * 13 6")),
    Case("a window on day 32", False, _window("0 2 32 * 6")),
    Case("a window on weekday 8", False, _window("0 2 * * 8")),
    Case("a window that never opens", False, _window("0 2 * * 6", "30s")),
    Case("a window that never closes", False, _window("0 2 * * 6", "25h")),
    Case("a window without a duration", False, _rotation(window={"schedule": "0 2 * * 6"})),
    Case("a time zone with spaces", False, _window("0 2 * * 6", timeZone="Middle Earth")),
    Case("a short bridge", True, {"spec.bridge": {"longest": "10m"}}),
    Case("a bridge that says nothing", True, {"spec.bridge": {}}),
    Case("never a bridge", True, {"spec.bridge": {"longest": "0s"}}),
    Case("a bridge of days", False, {"spec.bridge": {"longest": "25h"}}),
    Case("a bridge that is no duration", False, {"spec.bridge": {"longest": "soon"}}),
]
