# SPDX-License-Identifier: Apache-2.0
"""From a manifest to the model. Later code never needs the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref
from lokeys.core.route.model import (
    AwsIamSource,
    Bucket,
    ClaimSource,
    ExternalSecretRef,
    MetricsEndpoint,
    Mode,
    OnePasswordVault,
    PairKeys,
    Prove,
    PushSecretVault,
    RgwAdmin,
    RgwSource,
    RookSource,
    RotationSpec,
    RotationWindow,
    RouteSpec,
    SecretRef,
    SecretSource,
    Source,
    Vault,
    Workload,
)
from lokeys.core.route.resource.rules import duration
from lokeys.core.route.resource.schema import SPEC
from lokeys.core.route.resource.validate import TOO_LARGE, faults
from lokeys.core.schema.check import Fault
from lokeys.core.schema.language import with_defaults

INVALID = "InvalidSpec"


class Refused(ValueError):
    """A manifest that is not a StorageCredential; names every fault. Shows no value."""

    def __init__(self, found: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, found)))
        self.faults = found

    @property
    def reason(self) -> str:
        """Return the reason of the conditions that report it."""
        return "TooLarge" if self.faults[0].problem == TOO_LARGE else INVALID


def parse(manifest: Mapping[str, Any], *, namespace: str = "default") -> RouteSpec:
    """Return the route that `manifest` describes, every default filled in.

    `namespace` is used if the manifest has none. Raises Refused with all faults.
    """
    found = faults(manifest)
    if found:
        raise Refused(found)
    metadata, spec = manifest["metadata"], with_defaults(manifest["spec"], SPEC)
    home = metadata.get("namespace") or namespace
    secret = spec["secret"]
    return RouteSpec(
        name=metadata["name"],
        namespace=home,
        mode=Mode(spec["mode"]),
        source=_source(spec["source"], home=home),
        vault=_vault(spec["vault"], home=home) if "vault" in spec else None,
        secret=_secret_ref(secret),
        external_secret=_external_secret(secret.get("externalSecret")),
        made_by=_made_by(secret.get("madeBy"), home=home),
        values=_secret_ref(secret["values"]) if "values" in secret else None,
        bucket=_bucket(spec["bucket"]),
        workloads=tuple(map(_workload, spec.get("workloads", ()))),
        prove=Prove(spec["prove"]),
        rotation=_rotation(spec["rotation"]) if "rotation" in spec else None,
        bridge_longest=_longest(spec.get("bridge", {})),
    )


def _longest(bridge: Mapping[str, Any]) -> timedelta:
    return duration(with_defaults(bridge, SPEC.fields["bridge"])["longest"])


def _pair(keys: Mapping[str, str]) -> PairKeys:
    return PairKeys(access_key_id=keys["accessKeyId"], secret_access_key=keys["secretAccessKey"])


def _secret_ref(ref: Mapping[str, Any]) -> SecretRef:
    return SecretRef(
        name=ref["name"],
        keys=_pair(ref["keys"]),
        kind=ref.get("kind", "Secret"),
        inside=ref.get("inside"),
    )


def _source(source: Mapping[str, Any], *, home: str) -> Source:
    match source:
        case {"rook": rook}:
            return RookSource(
                user=rook["user"],
                namespace=rook["namespace"],
                store=rook.get("store"),
                refresh=rook["refresh"],
                admin=_admin(rook["admin"]) if "admin" in rook else None,
            )
        case {"rgw": rgw}:
            return RgwSource(
                uid=rgw["uid"],
                admin=RgwAdmin(endpoint=rgw["endpoint"], secret=_secret_ref(rgw["adminSecretRef"])),
                ca_bundle=rgw.get("caBundle"),
            )
        case {"awsIAM": iam}:
            return AwsIamSource(
                user_name=iam["userName"],
                admin=_secret_ref(iam["adminSecretRef"]) if "adminSecretRef" in iam else None,
                endpoint=iam.get("endpoint"),
            )
        case {"objectBucketClaim": claim}:
            return ClaimSource(claim=claim["name"], namespace=claim.get("namespace", home))
        case _:
            secret = source["secret"]
            return SecretSource(secret=_secret_ref(secret), namespace=secret.get("namespace", home))


def _admin(admin: Mapping[str, Any]) -> RgwAdmin:
    return RgwAdmin(endpoint=admin["endpoint"], secret=_secret_ref(admin["secretRef"]))


def _vault(vault: Mapping[str, Any], *, home: str) -> Vault:
    if "pushSecret" in vault:
        return PushSecretVault(name=vault["pushSecret"]["name"])
    item = vault["onePassword"]
    token = item["connect"]["tokenSecretRef"]
    there = token.get("namespace", home)
    return OnePasswordVault(
        url=item["connect"]["url"],
        token=SecretKeyRef(name=token["name"], key=token["key"]),
        token_namespace=None if there == home else there,
        vault=item["vault"],
        item=item["item"],
        fields=_pair(item["fields"]),
    )


def _external_secret(ref: Mapping[str, Any] | None) -> ExternalSecretRef | None:
    return ExternalSecretRef(name=ref["name"], recreate=ref["recreate"]) if ref else None


def _made_by(ref: Mapping[str, Any] | None, *, home: str) -> Ref | None:
    return Ref(ref["kind"], ref["name"], ref.get("namespace", home)) if ref else None


def _bucket(bucket: Mapping[str, Any]) -> Bucket:
    return Bucket(
        name=bucket["name"],
        endpoint=bucket["endpoint"],
        region=bucket["region"],
        path_style=bucket["pathStyle"],
        ca_bundle=bucket.get("caBundle"),
        create=bucket["create"],
    )


def _workload(workload: Mapping[str, Any]) -> Workload:
    return Workload(
        kind=workload["kind"],
        name=workload["name"],
        container=workload["container"],
        metrics=MetricsEndpoint(**workload["metrics"]),
        force=workload["force"],
    )


def _rotation(rotation: Mapping[str, Any]) -> RotationSpec:
    window = rotation.get("window")
    return RotationSpec(
        every=duration(rotation["every"]),
        overlap=duration(rotation["overlap"]),
        roll_timeout=duration(rotation["rollTimeout"]),
        retire_on_evidence=rotation["retire"] == "OnEvidence",
        window=RotationWindow(
            schedule=window["schedule"],
            duration=duration(window["duration"]),
            time_zone=window["timeZone"],
        )
        if window
        else None,
    )
