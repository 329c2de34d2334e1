# SPDX-License-Identifier: Apache-2.0
"""Faults of a StorageCredential: all of them, each with its place and a way out."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.size import MAX_ROUTE_BYTES, size_of
from lokeys.core.route.resource import rules, schema
from lokeys.core.route.resource.validate import TOO_LARGE, faults
from lokeys.core.schema.check import Fault
from lokeys.core.schema.language import CelRule, Fields, ListOf, MapOf, Shape
from lokeys.core.text.words import form
from manifests.storagecredential import CASES, MINIMAL, ROOK, Case
from took import cpu_s

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def changed(**changes: object) -> dict[str, Any]:
    return Case(
        "", True, {key.replace("__", "."): value for key, value in changes.items()}
    ).manifest()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_every_case_is_judged(case: Case) -> None:
    """Sound manifests have no fault; the others have at least one, each with a place."""
    found = faults(case.manifest())
    assert (not found) == case.sound, found
    assert all(fault.path.startswith(("spec", "metadata")) for fault in found)


def test_all_faults_are_named_not_the_first() -> None:
    """Three faults in one manifest are three faults in the answer."""
    bad = changed(spec__mode="heal", spec__bucket__name="ab", spec__secret__name="A B")
    assert {fault.path for fault in faults(bad)} == {
        "spec.mode",
        "spec.bucket.name",
        "spec.secret.name",
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bucket_name", None),
        ("external_secret", "externalSecret"),
        ("ExternalSecret", "externalSecret"),
        ("externalSecrt", "externalSecret"),
    ],
)
def test_a_slip_is_answered_with_the_field_that_was_meant(written: str, meant: str | None) -> None:
    """Other case, snake_case and typing errors are recognised; other words are not."""
    bad = deepcopy(ROOK)
    bad["spec"]["secret"][written] = bad["spec"]["secret"].pop("externalSecret")
    (fault,) = faults(bad)
    assert fault.path == f"spec.secret.{written}"
    assert fault.hint == (f"did you mean `{meant}`?" if meant else "")
    assert "externalSecret" in fault.expected


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"spec__mode": "heal"}, "did you mean `Heal`?"),
        ({"spec__mode": "zzz"}, ""),
        ({"spec__secret__name": 1}, "put it in quotes"),
        ({"spec__bucket__pathStyle": "true"}, "take the quotes away"),
        ({"spec__bucket": []}, ""),
        ({"spec__secret__name": "loki "}, "remove the white space around it"),
        ({"spec__secret__name": "Loki"}, ""),
        ({"spec__bucket__endpoint": "https://s3.example\n"}, "remove the white space around it"),
    ],
    ids=str,
)
def test_a_hint_says_what_to_do_where_that_is_clear(change: dict[str, Any], hint: str) -> None:
    """A fault with an obvious remedy names it."""
    (fault,) = faults(changed(**change))
    assert fault.hint == hint


@pytest.mark.parametrize(
    ("manifest", "paths"),
    [
        ([], [""]),
        ({}, ["apiVersion", "kind", "metadata.name", "spec"]),
        ({**ROOK, "kind": "Secret"}, ["kind"]),
        ({**ROOK, "metadata": "loki"}, ["metadata.name"]),
        ({**ROOK, "status": "by hand"}, []),
        ({**ROOK, "spce": {}}, ["spce"]),
    ],
    ids=["a list", "nothing", "another kind", "no name", "a broken status", "an unknown top field"],
)
def test_the_envelope_is_judged_too(manifest: object, paths: list[str]) -> None:
    """Kind, version and name are part of a manifest; a status is not."""
    assert [fault.path for fault in faults(manifest)] == paths


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"name": "a", "namespace": {"a": 1}}, "metadata.namespace"),
        ({"name": "a", "namespace": "x\0y"}, "metadata.namespace"),
        ({"name": "a", "namespace": 0}, "metadata.namespace"),
        ({"name": "a", "namespace": "../../x"}, "metadata.namespace"),
        ({"name": "a", "namespace": "a b?x=1#"}, "metadata.namespace"),
        ({"name": "a", "namespace": "a.b"}, "metadata.namespace"),
        ({"name": "a\nb"}, "metadata.name"),
        ({"name": "../../x"}, "metadata.name"),
        ({"name": "a" * 5000}, "metadata.name"),
        ({"name": 5}, "metadata.name"),
        ({"name": "a", "namespace": None}, None),
        ({"name": "a.b-c", "namespace": "x-1"}, None),
    ],
    ids=str,
)
def test_metadata_are_judged_as_the_api_server_judges_them(
    metadata: dict[str, Any], path: str | None
) -> None:
    """A name that no object can bear is a fault at its field, told by its form alone."""
    found = faults({**ROOK, "metadata": metadata})
    assert {fault.path for fault in found} == ({path} if path else set())
    assert not any("../" in str(fault) for fault in found)


def test_a_source_that_is_the_target_by_its_full_name_is_a_loop() -> None:
    """Naming the own namespace does not hide the loop that the API server cannot see."""
    loop = Case(
        "",
        True,
        {"spec.secret.name": "from", "spec.source.secret.namespace": "monitoring"},
        MINIMAL,
    )
    (fault,) = faults(loop.manifest())
    assert fault.path == "spec.source.secret"


def test_a_fault_reads_as_a_sentence() -> None:
    """Place, problem, what was found, what is expected, what to do."""
    fault = Fault(
        path="spec.mode", problem="wrong", found="a number", expected="text", hint="quote it"
    )
    assert str(fault) == "spec.mode: wrong (found a number); expected text — quote it"
    assert str(Fault(path="", problem="not an object")) == "not an object"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true or false"),
        (1.5, "a number"),
        ("abc", "a text of 3 characters"),
        ("", "an empty text"),
        ({}, "an object"),
        ([], "a list"),
        (b"", "something that JSON has no word for"),
    ],
)
def test_what_is_found_is_described_by_its_form(value: object, words: str) -> None:
    """A description never holds the value."""
    assert form(value) == words


@given(
    place=st.sampled_from([case for case in CASES if case.sound and case.base is ROOK]),
    value=JSON,
    data=st.data(),
)
def test_nothing_in_a_manifest_is_too_strange(
    place: Case, value: object, data: st.DataObject
) -> None:
    """Any JSON at any place is judged, and no text of it is repeated but names of fields."""
    manifest = place.manifest()
    at: Any = manifest["spec"]
    while True:
        key = data.draw(
            st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at))))
        )
        if not at[key] or not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = value
    for fault in faults(manifest):
        assert str(fault)


def test_no_fault_shows_a_value() -> None:
    """A secret in the wrong place is not repeated."""
    canary = "canary/Secret+Value=="
    places = [
        "mode",
        "prove",
        "secret.name",
        "bucket.endpoint",
        "bucket.name",
        "bucket.caBundle",
        "rotation",
        "workloads",
        "source.rook.user",
        "vault.onePassword.connect.url",
        "secret.keys.accessKeyId",
    ]
    for place in places:
        found = faults(Case("", False, {f"spec.{place}": canary}).manifest())
        assert found, place
        assert canary not in "".join(map(str, found))


def shapes(shape: Shape) -> Iterator[Shape]:
    yield shape
    match shape:
        case Fields():
            for below in shape.fields.values():
                yield from shapes(below)
        case ListOf() | MapOf():
            yield from shapes(shape.item)


def test_every_rule_is_in_the_schema_and_broken_by_a_case() -> None:
    """None is there for nothing: each stands at a field, and one of the manifests breaks it."""
    used = {rule.message for shape in shapes(schema.ROOT) for rule in shape.rules}
    assert used == {rule.message for rule in vars(rules).values() if isinstance(rule, CelRule)}
    assert used <= {fault.problem for case in CASES for fault in faults(case.manifest())}


def test_a_flood_of_unknown_fields_is_counted() -> None:
    """A wrong file by mistake gives a short answer, in a short time."""
    flood = {**ROOK, "spec": {**ROOK["spec"], **{f"field{n}": n for n in range(10_000)}}}
    found = faults(flood)
    assert len(found) == 21
    assert found[-1].problem == "9980 more unknown fields"


def test_a_huge_word_is_judged_quickly() -> None:
    """A value of 200 kB in a field of a few words is only measured."""
    (fault,) = faults(changed(spec__mode="Heal" * 50_000))
    assert fault.found == "a text of 200000 characters"


def _unknown(manifest: Any, n: int) -> None:
    manifest["spec"] |= {f"mdoe{each}": 1 for each in range(n)}


def _unknown_of_workloads(manifest: Any, n: int) -> None:
    fields = {f"nmae{each}": 1 for each in range(n // 32)}
    manifest["spec"]["workloads"] = [{"name": f"w{each}", **fields} for each in range(32)]


def _workloads(manifest: Any, n: int) -> None:
    manifest["spec"]["workloads"] = [{"kind": "Deployment"}] * (n // 2)


def _labels(manifest: Any, n: int) -> None:
    manifest["metadata"]["labels"] = {f"label{each}": "v" for each in range(n)}


def _bundle(manifest: Any, n: int) -> None:
    manifest["spec"]["bucket"]["caBundle"] = "-----BEGIN CERTIFICATE-----" * (n // 2)


@pytest.mark.parametrize(
    "grow",
    [_unknown, _unknown_of_workloads, _workloads, _labels, _bundle],
    ids=lambda g: g.__name__,
)
def test_the_largest_resource_is_judged_within_a_second(grow: Callable[[Any, int], None]) -> None:
    """Whatever there are thousands of; and what is larger by its size alone."""
    manifest = deepcopy(ROOK)
    grow(manifest, MAX_ROUTE_BYTES // 32)
    assert MAX_ROUTE_BYTES * 0.4 < size_of(manifest) <= MAX_ROUTE_BYTES
    assert all(fault.problem != TOO_LARGE for fault in faults(manifest))
    assert cpu_s(lambda: faults(manifest)) < 1
    grow(manifest, MAX_ROUTE_BYTES // 8)
    assert [str(fault) for fault in faults(manifest)] == ["too large; expected at most 256 KiB"]


def test_a_status_makes_no_resource_too_large() -> None:
    """The operator writes it itself."""
    assert faults({**MINIMAL, "status": {"a": "x" * MAX_ROUTE_BYTES}}) == ()
