# SPDX-License-Identifier: Apache-2.0
"""What a stack names is read within bounds: a tenant may write all of it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.size import MAX_NAMED
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.named import named_in
from lokeys.core.stack.validation.stacks import StackView
from lokeys.engine.stack.gather import gather, judge
from lokeys.errors import NotFound
from manifests.lokistack import NOW, Choice

CHOICE = Choice(tenancy="static")
BESIDE = (CHOICE.secret, *CHOICE.beside)


class Held:
    """Objects in memory; notes which were asked for."""

    def __init__(self, *objects: Mapping[str, Any]) -> None:
        self.objects = {
            Ref(each["kind"], each["metadata"]["name"], each["metadata"]["namespace"]): each
            for each in objects
        }
        self.asked: list[Ref] = []

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        self.asked.append(ref)
        try:
            return self.objects[ref]
        except KeyError:
            raise NotFound(f"{ref} does not exist") from None

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        raise AssertionError((kind, namespace, labels))

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        raise AssertionError((about, reason))

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        raise AssertionError((pod, container, lines, max_bytes))


class Known(NamedTuple):
    """What was read, and what it comes to."""

    unreadable: tuple[Finding, ...]
    view: StackView


def read(manifest: dict[str, Any], held: Held) -> Known:
    """Return a stack as the operator reads and judges it."""
    key, nothing = Fingerprinter(key=Sensitive(b"k" * 32), kept=True), CloudEnvironment()
    stack = Ref("LokiStack", manifest["metadata"]["name"], manifest["metadata"]["namespace"])
    found = asyncio.run(gather(held, stack, named_in(stack, manifest, nothing)))
    judged = judge(stack, manifest, found.found, now=NOW, environment=nothing, fingerprinter=key)
    return Known(found.unreadable, judged.view)


def codes(known: Known) -> set[str]:
    """Return the errors that are told."""
    return {each.code for each in (*known.unreadable, *known.view.findings) if each.is_error}


def test_a_usual_stack_is_read_whole() -> None:
    """With its Secret, and what its tenants name."""
    held = Held(*BESIDE)
    known = read(CHOICE.manifest, held)
    assert codes(known) == set()
    assert known.view.storage is not None
    assert len(held.asked) == 3


def test_of_a_stack_that_is_too_large_nothing_is_read() -> None:
    """It is reported, and nothing of it is followed."""
    held = Held(*BESIDE)
    manifest = CHOICE.manifest
    manifest["metadata"]["annotations"] = {"note": "x" * 300_000}
    known = read(manifest, held)
    assert codes(known) == {"LK0215"}
    assert known.view.stack is None
    assert held.asked == []


def test_a_stack_that_names_too_much_is_not_read_for_it() -> None:
    """Each name would be followed by a watch of its own."""
    held = Held(*BESIDE)
    manifest = CHOICE.manifest
    tenant, *_ = manifest["spec"]["tenants"]["authentication"]
    manifest["spec"]["tenants"]["authentication"] = [
        tenant | {"tenantName": f"{n}", "oidc": tenant["oidc"] | {"secret": {"name": f"s{n}"}}}
        for n in range(MAX_NAMED)
    ]
    known = read(manifest, held)
    assert known.unreadable[0].code == "LK0215"
    assert held.asked == []


def test_what_is_named_is_read_up_to_a_size() -> None:
    """One full ConfigMap is taken, and two are not."""
    ca = next(each for each in BESIDE if each["kind"] == "ConfigMap")
    others = [each for each in BESIDE if each is not ca]
    for more, said in ((1 << 20, set()), (2 << 20, {"LK0215"})):
        full = ca | {"data": ca["data"] | {"more": "x" * more}}
        told = read(CHOICE.manifest, Held(full, *others)).unreadable
        assert {each.code for each in told} == said
        assert {each.object for each in told} <= {
            Ref("ConfigMap", ca["metadata"]["name"], "logging")
        }
