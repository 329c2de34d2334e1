# SPDX-License-Identifier: Apache-2.0
"""What is judged at all, and that the largest of it is judged within a second."""

from collections.abc import Callable
from typing import Any

import pytest

from fakes.stacks import Given
from lokeys.core.kubernetes.size import MAX_STACK_BYTES, in_kib, size_of
from lokeys.core.operate.decision import decide, plan
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.operate.status import status_of
from lokeys.core.place import Ref
from lokeys.core.schema.check import MAX_FAULTS
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.stacks import StackView, view_stack
from manifests.lokistack import NAME, NAMESPACE, NOW, Choice
from took import cpu_s

STACK = Ref("LokiStack", NAME, NAMESPACE)
CHOICE = Choice(tenancy="static")
Json = dict[str, Any]


def view(manifest: Json) -> StackView:
    given = [Given(each) for each in (manifest, CHOICE.secret, *CHOICE.beside)]
    objects = PlacedObjects(given, namespace=NAMESPACE)
    context = StackContext(objects=objects, now=NOW, environment=CloudEnvironment())
    return view_stack(STACK, given[0], context)


@pytest.mark.parametrize(
    ("manifest", "size"),
    [
        ({}, 4),
        ({"a": "b"}, 14),
        ({"a": [1, None, True], "b": {"c": ""}}, 52),
        ({"metadata": {"managedFields": [{"x": "y" * 1000}]}}, 41),
        ({"metadata": 7}, 21),
    ],
)
def test_a_size_is_about_that_of_the_json(manifest: Json, size: int) -> None:
    """Empty values count, too; the owners of fields do not."""
    assert size_of(manifest) == size


def test_a_size_of_a_usual_stack_is_far_below_the_bound() -> None:
    """As published, and with all that a stack can say."""
    for extra in ("plain", "everything"):
        assert size_of(Choice(tenancy="static", extra=extra).manifest) < MAX_STACK_BYTES / 20
    assert in_kib(MAX_STACK_BYTES) == "256 KiB"
    assert in_kib(1) == "1 KiB"


def test_a_stack_above_the_bound_is_refused_by_its_size() -> None:
    """Nothing of it is judged, and it is an error."""
    manifest = CHOICE.manifest
    manifest["spec"]["storageClassName"] = "x" * MAX_STACK_BYTES
    found = view(manifest)
    assert [each.code for each in found.findings] == ["LK0215"]
    assert not found.ok


def test_of_thousands_of_faults_some_are_told() -> None:
    """And those of one kind hide none of another: an error is never lost behind remarks."""
    manifest = CHOICE.manifest
    manifest["spec"] |= {f"unknown{n}": 1 for n in range(5000)}
    manifest["spec"]["storageClassName"] = 7
    codes = [each.code for each in view(manifest).findings]
    assert codes.count("LK0211") == MAX_FAULTS
    assert "LK0201" in codes or "LK0202" in codes or "LK0203" in codes


def _tenants(spec: Json, n: int) -> None:
    spec["limits"] = {"tenants": {f"{each}": {} for each in range(n)}}


def _streams(spec: Json, n: int) -> None:
    streams = [{"days": 1, "selector": '{a="b"}'}] * n
    spec["limits"] = {"global": {"retention": {"days": 1, "streams": streams}}}


def _zones(spec: Json, n: int) -> None:
    spec["replication"] = {"factor": 1, "zones": [{"topologyKey": "a", "maxSkew": 1}] * n}


def _schemas(spec: Json, n: int) -> None:
    days = (f"{1000 + i // 300:04}-{1 + i % 12:02}-{1 + i % 25:02}" for i in range(n))
    spec["storage"]["schemas"] = [{"version": "v13", "effectiveDate": day} for day in days]


def _authentication(spec: Json, n: int) -> None:
    first, *_ = spec["tenants"]["authentication"]
    named = [first | {"tenantName": f"t{each}", "tenantId": f"{each}"} for each in range(n)]
    spec["tenants"]["authentication"] = named


def _bound_roles(spec: Json, n: int) -> None:
    spec["tenants"]["authorization"]["roleBindings"][0]["roles"] = [f"r{each}" for each in range(n)]


def _strangers(spec: Json, n: int) -> None:
    spec |= {f"u{each}": 1 for each in range(n)}


def _bad_items(spec: Json, n: int) -> None:
    spec["template"] = {"ingester": {"tolerations": [1] * n}}


def _tolerations(spec: Json, n: int) -> None:
    spec["template"] = {"ingester": {"tolerations": [{"key": "a"}] * n}}


GROWN: tuple[Callable[[Json, int], None], ...] = (
    *(_tenants, _streams, _zones, _schemas, _authentication),
    *(_bound_roles, _strangers, _bad_items, _tolerations),
)


def _largest(grow: Callable[[Json, int], None]) -> Json:
    """Return the largest stack of a kind that is still judged."""

    def made(n: int) -> Json:
        manifest = CHOICE.manifest
        grow(manifest["spec"], n)
        return manifest

    per_item = (size_of(made(2000)) - size_of(made(1000))) / 1000
    n = int((MAX_STACK_BYTES - size_of(made(1))) / per_item * 0.9)
    return made(n)


@pytest.mark.parametrize("grow", GROWN, ids=lambda grow: grow.__name__.strip("_"))
def test_the_largest_stack_is_judged_within_a_second(grow: Callable[[Json, int], None]) -> None:
    """Read, planned, decided and told of, whatever there are thousands of."""
    manifest = _largest(grow)
    assert MAX_STACK_BYTES * 0.8 < size_of(manifest) <= MAX_STACK_BYTES

    def judge() -> None:
        snapshot = StackSnapshot(view=view(manifest), uid="u", generation=1, now=NOW)
        status_of(snapshot, decide(snapshot, plan(snapshot)))

    assert cpu_s(judge) < 1
