# SPDX-License-Identifier: Apache-2.0
"""Reads one LokiStack with what it names, and judges it as `validate` judges manifests.

manifest ─▶ names ─▶ gathered ─▶ view and hashes     the operator ╰──────▶ storage alone       a
test of its credentials
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from lokeys.core.findings.catalogue import lokistacks, operation
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.size import MAX_NAMED, MAX_NAMED_BYTES, in_kib, size_of
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.mode import WITH_TOKENS
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode
from lokeys.core.stack.storage.read import StorageReading, read_storage
from lokeys.core.stack.storage.secret_data import SecretData, secret_data
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.named import Hashes, hashes_of, managed_ref
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.stacks import StackView, view_stack
from lokeys.errors import LokeysError, NotFound, NotReadable
from lokeys.ports import Objects as Reads

_ABSENT = "does not exist"


@dataclass(frozen=True, slots=True)
class InCluster:
    """An object of the cluster: it is not in a file."""

    object: Json
    file: str = ""
    line: int = 1

    def position_of(self, _path: Sequence[str | int]) -> tuple[int, int]:
        """Return the only position."""
        return (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What exists of what a stack names; `refused` is what may not be read, and why.

    If a stack names too much, nothing is `found`, and `too_large` reports it.
    """

    stack: Ref
    found: Mapping[Ref, Json] = field(default_factory=dict)
    refused: Mapping[Ref, NotReadable] = field(default_factory=dict)
    too_large: tuple[Finding, ...] = ()

    @property
    def unreadable(self) -> tuple[Finding, ...]:
        """Return findings for everything that could not be read."""
        rule = operation.STORAGE_SECRET_UNREADABLE
        refused = (
            tell(rule, ref, stack=self.stack, words={"detail": str(refusal)})
            for ref, refusal in self.refused.items()
        )
        return (*refused, *self.too_large)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A stack with its faults, and the keyed hashes of its credentials."""

    view: StackView
    hashes: Hashes


async def gather(reads: Reads, stack: Ref, refs: Sequence[Ref]) -> Gathered:
    """Read what a stack names, without what does not exist. Raises if nobody answers."""
    if len(refs) > MAX_NAMED:
        said = f"it names {len(refs)} Secrets and ConfigMaps"
        return _too_large(stack, stack, found=said, expected=str(MAX_NAMED))
    found: dict[Ref, Json] = {}
    refused: dict[Ref, NotReadable] = {}
    size = 0
    for ref in refs:
        try:
            found[ref] = await reads.get(ref)
        except NotFound:
            continue
        except NotReadable as refusal:
            refused[ref] = refusal
            continue
        size += size_of(found[ref])
        if size > MAX_NAMED_BYTES:
            said = f"with it, what the stack names has {in_kib(size)}"
            return _too_large(stack, ref, found=said, expected=in_kib(MAX_NAMED_BYTES))
    return Gathered(stack=stack, found=found, refused=refused)


def _too_large(stack: Ref, place: Ref, **words: str) -> Gathered:
    finding = tell(lokistacks.TOO_LARGE, place, stack=stack, words=words)
    return Gathered(stack=stack, too_large=(finding,))


def judge(  # noqa: PLR0913 - the stack, what it names, and what both are judged against
    stack: Ref,
    manifest: Json,
    found: Mapping[Ref, Json],
    *,
    now: datetime,
    environment: CloudEnvironment,
    fingerprinter: Fingerprinter,
) -> Judged:
    """Return the judgement of a stack, with the objects that were found for it."""
    placed = InCluster(manifest)
    given = [placed, *(InCluster({**each, "kind": ref.kind}) for ref, each in found.items())]
    objects = PlacedObjects(given, namespace=stack.namespace or "")
    context = StackContext(objects=objects, now=now, environment=environment, absent=_ABSENT)
    view = view_stack(stack, placed, context)
    return Judged(view=view, hashes=hashes_of(view, found, fingerprinter))


async def storage_of(
    stack: LokiStack, reads: Reads, *, managed: CloudEnvironment
) -> tuple[SecretData, StorageReading]:
    """Return a stack's Secret and its storage. Raises NotFound, and errors of reading.

    `managed` is the environment in which the cluster's cloud issues credentials.
    """
    ref = stack.secret_ref
    decoded = secret_data(await reads.get(ref), ref=ref, stack=stack.ref)
    environment = managed if await _is_managed(stack, reads) else CloudEnvironment()
    reading = read_storage(
        stack.ref,
        stack.storage_type,
        stack.credential_mode,
        secret=decoded.data,
        environment=environment,
    )
    return decoded.data, reading


async def _is_managed(stack: LokiStack, reads: Reads) -> bool:
    """Tell whether managed credentials are requested, or exist as far as can be seen."""
    if stack.storage_type not in WITH_TOKENS or stack.credential_mode is not None:
        return stack.credential_mode == CredentialMode.TOKEN_CCO
    ref = managed_ref(stack.ref)
    with suppress(LokeysError):
        return ref in (await gather(reads, stack.ref, [ref])).found
    return False
