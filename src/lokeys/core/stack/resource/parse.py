# SPDX-License-Identifier: Apache-2.0
"""Parses a LokiStack manifest: the stack, or every fault of its form. Any JSON; never raises.

What depends on the Secret (storage type, credential mode) or the time (schemas in force) is judged
by `lokeys.core.stack.storage` and `lokeys.core.stack.resource.schemas`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.place import Ref
from lokeys.core.schema.check import Checker, Fault, FaultKind
from lokeys.core.stack.resource.fields.spec import DEFAULT_SCHEMAS, DOCUMENT
from lokeys.core.stack.resource.fields.template import TEMPLATE_NAMES
from lokeys.core.stack.resource.fields.texts import calendar_date
from lokeys.core.stack.resource.model import (
    API_VERSION,
    DEFAULT_CA_KEY,
    KIND,
    CaRef,
    Component,
    Limits,
    LokiStack,
    Placement,
    Proxy,
    Retention,
    RetentionStream,
    Schema,
    SchemaVersion,
    Size,
    Tenants,
    Zone,
)
from lokeys.core.stack.resource.operated import is_operated
from lokeys.core.stack.resource.otlp import otlp_findings
from lokeys.core.text.words import found

_NO_EFFECT = "does not act on it"
_NO_SUCH = "knows no such field"
Parsed = tuple[LokiStack | None, tuple[Finding, ...]]


def parse(manifest: object, *, namespace: str = "default") -> Parsed:
    """Return the stack, and findings about its form; no stack if those have errors.

    `namespace` is used if the manifest names none.
    """
    checker = Checker(describe=found)
    fields = checker.checked(manifest, DOCUMENT, "") or {}
    metadata = fields.get("metadata", {})
    ref = Ref(KIND, metadata.get("name", ""), metadata.get("namespace", namespace))
    if isinstance(manifest, Mapping):
        checker.identify(manifest, API_VERSION, KIND)
    stack = _stack(fields, ref, checker) if isinstance(fields.get("spec"), dict) else None
    findings = tuple(_finding(fault, ref) for fault in checker.faults)
    if any(finding.is_error for finding in findings) or stack is None:
        return None, findings
    return stack, (*findings, *otlp_findings(stack))


def _finding(fault: Fault, ref: Ref) -> Finding:
    words: dict[str, Any] = {
        "name": ref.name or "NAME",
        "namespace": ref.namespace,
        "found": fault.found,
        "expected": fault.expected,
    }
    match fault.kind:
        case FaultKind.BAD:
            rule = _rule_of(fault.path)
        case FaultKind.MISSING:
            rule = lokistacks.MISSING_FIELD
        case kind:
            rule = lokistacks.UNSUPPORTED_FIELD
            words["detail"] = _NO_SUCH if kind is FaultKind.UNKNOWN_FIELD else _NO_EFFECT
    finding = rule.at(
        ref, route=f"{ref.namespace}/{ref.name}", field=fault.path or "the manifest", **words
    )
    return _of_status(finding) if fault.path.split(".")[0] == "status" else finding


def _of_status(finding: Finding) -> Finding:
    """Return a finding whose commands fix the status, which an edit alone does not change."""
    remedy = tuple(
        replace(each, command=each.command and each.command.option("--subresource=status"))
        for each in finding.remedy
    )
    return replace(finding, remedy=remedy)


def _rule_of(path: str) -> Rule:
    if path == "spec.size":
        return lokistacks.UNKNOWN_SIZE
    if path.startswith("spec.storage.schemas[") and path.endswith("].effectiveDate"):
        return lokistacks.BAD_DATE
    return lokistacks.BAD_TYPE


def _stack(fields: Mapping[str, Any], ref: Ref, checker: Checker) -> LokiStack | None:
    """Return the stack of checked fields; None if a required one is missing."""
    spec, metadata = fields["spec"], fields.get("metadata", {})
    storage = spec.get("storage", {})
    secret = storage.get("secret", {})
    applied = fields.get("status", {}).get("storage", {}).get("schemas", ())
    needed = (
        spec.get("size"),
        spec.get("storageClassName"),
        secret.get("name"),
        secret.get("type"),
    )
    replication, ring = _replication(spec, checker), spec.get("hashRing", {}).get("memberlist", {})
    if None in needed:
        return None
    limits, template = spec.get("limits", {}), spec.get("template", {})
    proxy, tenants = spec.get("proxy"), spec.get("tenants")
    tls = storage.get("tls")
    return LokiStack(
        name=ref.name,
        namespace=ref.namespace or "",
        uid=metadata.get("uid", ""),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        managed=is_operated(fields),
        size=Size(spec["size"]),
        schemas=_listed(storage.get("schemas", DEFAULT_SCHEMAS)),
        applied_schemas=_listed(applied),
        storage_secret_name=secret["name"],
        storage_type=secret["type"],
        credential_mode=secret.get("credentialMode") or None,
        ca=_ca(tls) if tls else None,
        storage_class_name=spec["storageClassName"],
        replication_factor=replication.get("factor", spec.get("replicationFactor")),
        zones=_zones(replication),
        pod_ip_in_ring=ring.get("instanceAddrType") == "podIP",
        ipv6=ring.get("enableIPv6", False),
        proxy=_proxy(proxy) if proxy else None,
        rules_enabled=spec.get("rules", {}).get("enabled", False),
        limits=_limits(limits.get("global", {})),
        tenant_limits={name: _limits(each) for name, each in limits.get("tenants", {}).items()},
        placements=dict(_placements(template)),
        requests_as_limits=template.get("useRequestsAsLimits", False),
        tenants=None if tenants is None else _tenants(tenants, checker),
        restrict_network=spec.get("networkPolicies", {}).get("ruleSet") == "RestrictIngressEgress",
    )


def _listed(entries: Iterable[Mapping[str, str]]) -> tuple[Schema, ...]:
    """Return the schemas of a list, without those that have no version or date."""
    dated = (
        (entry["version"], calendar_date(entry["effectiveDate"]))
        for entry in entries
        if {"version", "effectiveDate"} <= entry.keys()
    )
    return tuple(
        Schema(version=SchemaVersion(version), effective_date=day) for version, day in dated if day
    )


def _replication(spec: Mapping[str, Any], checker: Checker) -> Mapping[str, Any]:
    replication: Mapping[str, Any] = spec.get("replication", {})
    if "factor" in replication and "replicationFactor" in spec:
        value = spec["replicationFactor"]
        expected = "absent beside `spec.replication.factor`"
        checker.bad("spec.replicationFactor", value, "said twice", expected)
    return replication


def _zones(replication: Mapping[str, Any]) -> tuple[Zone, ...]:
    return tuple(
        Zone(topology_key=zone["topologyKey"], max_skew=zone.get("maxSkew", 1))
        for zone in replication.get("zones", ())
        if "topologyKey" in zone
    )


def _ca(tls: Mapping[str, Any]) -> CaRef | None:
    name = tls.get("caName")
    return CaRef(name=name, key=tls.get("caKey", DEFAULT_CA_KEY)) if name else None


def _proxy(proxy: Mapping[str, str]) -> Proxy:
    return Proxy(
        http=proxy.get("httpProxy", ""),
        https=proxy.get("httpsProxy", ""),
        no_proxy=proxy.get("noProxy", ""),
    )


def _limits(limits: Mapping[str, Any]) -> Limits:
    queries = dict(limits.get("queries", {}))
    timeout, blocked = queries.pop("queryTimeout", None), queries.pop("blocked", ())
    retention = limits.get("retention", {})
    return Limits(
        ingestion=limits.get("ingestion", {}),
        queries=queries,
        query_timeout=timeout,
        retention=_retention(retention) if "days" in retention else None,
        otlp=limits.get("otlp", {}),
        blocked=tuple(blocked),
    )


def _retention(retention: Mapping[str, Any]) -> Retention:
    return Retention(
        days=retention["days"],
        streams=tuple(
            RetentionStream(
                selector=stream["selector"],
                days=stream["days"],
                priority=stream.get("priority", 1),
            )
            for stream in retention.get("streams", ())
            if {"selector", "days"} <= stream.keys()
        ),
    )


def _placements(template: Mapping[str, Any]) -> Iterable[tuple[Component, Placement]]:
    for name, component in TEMPLATE_NAMES.items():
        words = template.get(name)
        if words:
            yield (
                component,
                Placement(
                    replicas=words.get("replicas"),
                    node_selector=words.get("nodeSelector", {}),
                    tolerations=tuple(words.get("tolerations", ())),
                    pod_anti_affinity=words.get("podAntiAffinity"),
                ),
            )


def _tenants(tenants: Mapping[str, Any], checker: Checker) -> Tenants:
    # Stacks without tenants are read sooner without this import.
    from lokeys.core.stack.resource.tenancy import not_acted_on, tenants_of  # noqa: PLC0415

    for path in not_acted_on(tenants):
        checker.note(path, FaultKind.NOT_ACTED_ON)
    return tenants_of(tenants)
