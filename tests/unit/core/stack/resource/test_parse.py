# SPDX-License-Identifier: Apache-2.0
"""Reading a LokiStack: every fault with its path, and never a crash."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.stack.resource.fields.texts import calendar_date, duration_s
from lokeys.core.stack.resource.model import Component, LokiStack, Size, TenancyMode
from lokeys.core.stack.resource.parse import parse
from lokeys.core.text.words import found
from lokeys.core.text.yaml import to_yaml
from manifests.lokistack import SCHEMAS, TENANCIES, Choice

FULL = Choice(store="swift", tenancy="static", extra="everything").manifest
FULL["metadata"] |= {"uid": "u", "labels": {"a": "b"}, "annotations": {"c": "d"}}
FULL["status"] = {"storage": {"schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}]}}
STREAMS = "spec.limits.global.retention.streams"
JSON = [None, True, 0, -1, 1.5, 10**30, "", "x", "\ud800\x00", [], [None], {}, {"a": 1}]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value."""
    yield path
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in entries:
        yield from paths(item, (*path, key))


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """Return the full manifest with another value at `path`."""
    manifest: Any = {"": json.loads(json.dumps(FULL))}
    place = manifest
    for key in ("", *path)[:-1]:
        place = place[key]
    place[("", *path)[-1]] = value
    return manifest[""]


def read(manifest: Any) -> LokiStack:
    stack, findings = parse(manifest)
    assert stack, findings
    return stack


def faults(manifest: Any) -> list[tuple[str | None, str | None]]:
    return [(each.fault, each.field) for each in parse(manifest)[1]]


@pytest.mark.parametrize("value", JSON, ids=repr)
def test_any_json_anywhere_is_a_finding_at_most(value: Any) -> None:
    """Whatever stands in a field: no crash; a stack comes out exactly where nothing is an error."""
    for path in paths(FULL):
        stack, findings = parse(changed(path, value))
        assert (stack is None) == any(finding.is_error for finding in findings), path
        if stack is None:
            top = ".".join(str(key) for key in path[:1])
            assert any(
                (finding.field or "").startswith((top, "the manifest")) for finding in findings
            )


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=9,
    )
)
def test_any_document_can_be_read(value: Any) -> None:
    """What is no LokiStack at all is told, not raised."""
    stack, findings = parse(value)
    assert stack is None
    assert findings


def test_a_full_manifest_is_read_whole() -> None:
    """Every part of the spec that is acted on arrives."""
    stack = read(FULL)
    assert (stack.size, stack.route, stack.uid) == (Size.DEMO, "logging/my-stack", "u")
    assert (stack.labels, stack.annotations) == ({"a": "b"}, {"c": "d"})
    assert stack.applied_schemas == stack.schemas
    assert stack.ca
    assert (stack.ca.name, stack.ca.key) == ("ca", "service-ca.crt")
    assert stack.secret_ref.path == "Secret/store"
    assert stack.service_accounts == ("my-stack", "my-stack-ruler")
    assert all((stack.rules_enabled, stack.restrict_network, stack.requests_as_limits))
    assert (stack.pod_ip_in_ring, stack.ipv6) == (True, False)
    assert stack.replication_factor == 2
    assert [zone.max_skew for zone in stack.zones] == [1]
    assert stack.proxy
    assert stack.proxy.http == "http://proxy:3128"
    assert stack.limits.retention
    assert (stack.limits.retention.days, len(stack.limits.retention.streams)) == (20, 1)
    assert stack.tenant_limits["no"].query_timeout == "10m"
    assert stack.placements[Component.INGESTER].replicas == 4
    assert stack.tenants
    assert stack.tenants.mode is TenancyMode.STATIC
    assert all((stack.tenants.roles, stack.tenants.role_bindings, stack.tenants.authentication))


@pytest.mark.parametrize("tenancy", TENANCIES)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_reading_is_the_same_after_writing(tenancy: str | None, schema: str) -> None:
    """Order and format of the manifest change nothing."""
    manifest = Choice(tenancy=tenancy, schema=schema, extra="everything").manifest
    again = yaml.safe_load(to_yaml(dict(reversed(manifest.items()))))
    assert parse(again) == parse(manifest)


def test_a_namespace_is_taken_from_outside_where_the_manifest_has_none() -> None:
    """As kubectl does."""
    stack, _ = parse(changed(("metadata", "namespace"), None), namespace="here")
    assert stack
    assert stack.namespace == "here"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param(("apiVersion",), "v2", [("bad_type", "apiVersion")], id="another version"),
        pytest.param(("kind",), "Loki", [("bad_type", "kind")], id="another kind"),
        pytest.param(
            ("metadata", "name"),
            "a" * 44,
            [("bad_type", "metadata.name")],
            id="a name too long for a Service",
        ),
        pytest.param(
            ("metadata", "name"), None, [("missing_field", "metadata.name")], id="no name"
        ),
        pytest.param(("spec", "size"), "2x", [("unknown_size", "spec.size")], id="no such size"),
        pytest.param(
            ("spec", "storageClassName"),
            None,
            [("missing_field", "spec.storageClassName")],
            id="no storage class",
        ),
        pytest.param(
            ("spec", "replicationFactor"),
            2,
            [("bad_type", "spec.replicationFactor")],
            id="both ways to say the factor",
        ),
        pytest.param(
            ("spec", "storage", "schemas", 0, "effectiveDate"),
            "2024-02-30",
            [("bad_date", "spec.storage.schemas[0].effectiveDate")],
            id="no such day",
        ),
        pytest.param(
            ("spec", "storage", "schemas", 0, "version"),
            "v9",
            [("bad_type", "spec.storage.schemas[0].version")],
            id="no such schema",
        ),
        pytest.param(
            (
                "spec",
                "limits",
                "tenants",
                "a b",
            ),
            {"x": 1},
            [("unsupported_field", "spec.limits.tenants[a b].x")],
            id="a field that nobody knows",
        ),
        pytest.param(
            ("spec", "tenants", "mode"),
            "passthrough",
            [
                ("unsupported_field", f"spec.tenants.{path}")
                for path in (
                    "authentication",
                    "authorization.roles",
                    "authorization.roleBindings",
                )
            ],
            id="users in the mode that knows none",
        ),
        pytest.param(
            ("spec", "tenants"),
            {"mode": "openshift-network", "passthrough": {"defaultTenant": "a"}},
            [("unsupported_field", "spec.tenants.passthrough.defaultTenant")],
            id="what another mode would do",
        ),
        pytest.param(
            ("spec", "template", "gateway", "tolerations", 0, "tolerationSeconds"),
            2**63,
            [("bad_type", "spec.template.gateway.tolerations[0].tolerationSeconds")],
            id="a number too large",
        ),
        pytest.param(
            ("spec", "limits", "global", "retention", "streams", 0, "priority"),
            "1",
            [("bad_type", "spec.limits.global.retention.streams[0].priority")],
            id="a number in quotes",
        ),
        pytest.param(
            ("spec", "rules", "selector"),
            {},
            [("unsupported_field", "spec.rules.selector")],
            id="a field that nothing comes of",
        ),
        pytest.param(
            ("spec", "limits", "global", "retention", "days"),
            0,
            [("bad_type", "spec.limits.global.retention.days")],
            id="a number too small",
        ),
        pytest.param(
            ("spec", "limits", "global", "retention", "streams", 0, "selector"),
            "app",
            [("bad_type", "spec.limits.global.retention.streams[0].selector")],
            id="no stream selector",
        ),
        pytest.param(
            (
                "spec",
                "template",
                "querier",
                "podAntiAffinity",
                "preferredDuringSchedulingIgnoredDuringExecution",
            ),
            [{"weight": 101, "podAffinityTerm": {"topologyKey": "a"}}],
            [
                (
                    "bad_type",
                    "spec.template.querier.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
                )
            ],
            id="a weight out of its range",
        ),
    ],
)
def test_a_fault_is_told_with_its_path(path: tuple[Any, ...], value: Any, expected: Any) -> None:
    """One fault, one finding."""
    assert faults(changed(path, value)) == expected


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        pytest.param(
            ("spec", "storage", "schemas"),
            lambda s: s.schemas[0].version == "v11",
            id="the first schema there was",
        ),
        pytest.param(("spec", "storage", "tls"), lambda s: s.ca is None, id="no CA"),
        pytest.param(("spec", "tenants"), lambda s: s.tenants is None, id="no tenants"),
        pytest.param(
            ("spec", "tenants", "mode"),
            lambda s: s.tenants.mode is TenancyMode.OPENSHIFT_LOGGING,
            id="tenants of no mode",
        ),
        pytest.param(("spec", "proxy"), lambda s: s.proxy is None, id="no proxy"),
        pytest.param(("spec", "limits"), lambda s: s.limits.retention is None, id="no limits"),
        pytest.param(("status",), lambda s: s.applied_schemas == (), id="nothing applied"),
        pytest.param(("metadata", "uid"), lambda s: s.uid == "", id="not in a cluster yet"),
    ],
)
def test_what_is_left_out_has_a_default(path: tuple[Any, ...], reads: Any) -> None:
    """As the published resource says."""
    assert reads(read(changed(path, None)))


def test_ten_thousand_schemas_are_read() -> None:
    """A list as long as anybody likes."""
    days = [
        {"version": "v13", "effectiveDate": f"{1000 + n // 300:04}-{1 + n % 12:02}-{1 + n % 25:02}"}
        for n in range(10_000)
    ]
    assert len(read(changed(("spec", "storage", "schemas"), days)).schemas) == 10_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3m", 180),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("0s", None),
        ("3", None),
        ("9" * 50 + "h", None),
        ("99999h", None),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float | None) -> None:
    """Units are a must; nothing and forever are no durations."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["2024-1-1", "20241001", "2024-13-01", "x"])
def test_a_day_is_written_in_full(text: str) -> None:
    """Year, month and day, and a day that there is."""
    assert calendar_date(text) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"), (True, "true"), (3, "the number 3"), (10**20, "a huge number"),
        ("a\n", "`a?`"), ("x" * 100, f"`{'x' * 63}…`"), ({}, "an object"),
        ([], "an empty list"), ([1], "a list"),
    ],
)  # fmt: skip
def test_what_was_found_is_told_in_a_few_words(value: Any, said: str) -> None:
    """Never more of it than a piece."""
    assert found(value) == said


def test_a_fault_of_the_status_is_mended_in_the_status() -> None:
    """An edit without the subresource is passed over by the API server."""
    for path in ("status", "spec"):
        wrong = changed((path, "storage"), 7)
        (finding,) = [each for each in parse(wrong)[1] if each.field == f"{path}.storage"]
        (remedy,) = finding.remedy
        assert str(remedy.command).endswith("--subresource=status") == (path == "status")


@pytest.mark.parametrize(
    ("selector", "fault"), [('{app="a"}', []), ('{app!="a"}', [f"{STREAMS}[0].selector"])]
)
def test_streams_that_are_kept_otherwise_are_chosen_by_a_selector(
    selector: str, fault: list[str]
) -> None:
    """One that fits streams without the label keeps Loki from starting."""
    streams = [{"days": 1, "selector": selector}]
    manifest = changed(
        ("spec", "limits"), {"global": {"retention": {"days": 1, "streams": streams}}}
    )
    fields = [each.field for each in parse(manifest)[1]]
    assert [field for field in fields if field and field.startswith(STREAMS)] == fault


def test_a_text_that_is_longer_than_any_is_not_looked_at() -> None:
    """The annotations, which nobody reads, may be."""
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 100_000}
    found = parse(changed(("metadata", "annotations"), annotations))[1]
    assert not found
    (fault,) = parse(changed(("spec", "storageClassName"), "x" * 100_000))[1]
    assert "at most 16384 characters" in fault.message
