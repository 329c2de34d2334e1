# SPDX-License-Identifier: Apache-2.0
"""Judges all stacks and StorageCredentials of an input; every finding has its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.findings.report import Ignore, heeded
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import KIND as LOKISTACK
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.objects import Placed, PlacedObjects, location_of
from lokeys.core.stack.validation.shared_buckets import shared_buckets
from lokeys.core.stack.validation.shared_names import shared_names
from lokeys.core.stack.validation.stacks import StackView, view_stack
from lokeys.core.stack.validation.unbuilt import softened
from lokeys.core.validation.passed_over import PassedOver, of_kinds

_STORAGE_CREDENTIAL = "StorageCredential"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """One StorageCredential and what is wrong with it."""

    ref: Ref
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether there is no error."""
        return not any(finding.is_error for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The result for an input. `findings` are those of no single stack or credential."""

    stacks: tuple[StackView, ...]
    credentials: tuple[CredentialView, ...]
    findings: tuple[Finding, ...]
    passed_over: tuple[PassedOver, ...] = ()
    """Input that is not judged."""

    @property
    def views(self) -> tuple[StackView | CredentialView, ...]:
        """Return the stacks, then the credentials."""
        return (*self.stacks, *self.credentials)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return every finding."""
        return (*self.findings, *(finding for view in self.views for finding in view.findings))

    @property
    def ok(self) -> bool:
        """Tell whether there is no error."""
        return not any(finding.is_error for finding in self.all_findings)


def validate(  # noqa: PLR0913 - the input and what it is judged against
    given: Sequence[Placed],
    *,
    now: datetime,
    namespace: str = "default",
    environment: CloudEnvironment | None = None,
    secrets_optional: bool = False,
    ignored: Sequence[Ignore] = (),
    passed_over: Sequence[PassedOver] = (),
) -> Validation:
    """Return all faults of the stacks and StorageCredentials among the objects.

    `passed_over` is what the reader left out. The order of the objects changes only the places that
    are named.
    """
    objects = PlacedObjects(given, namespace=namespace)
    context = StackContext(
        objects=objects,
        now=now,
        environment=environment or CloudEnvironment(),
        secrets_optional=secrets_optional,
    )
    views = [view_stack(ref, placed, context) for ref, placed in objects.of_kind(LOKISTACK)]
    return Validation(
        stacks=tuple(
            replace(view, findings=_placed(view.findings, view, objects, ignored)) for view in views
        ),
        credentials=tuple(_credentials(objects, ignored)),
        findings=_shared(views, objects, ignored),
        passed_over=(*passed_over, *of_kinds(given)),
    )


def _credentials(objects: PlacedObjects, ignored: Sequence[Ignore]) -> Iterator[CredentialView]:
    given = list(objects.of_kind(_STORAGE_CREDENTIAL))
    if not given:
        return
    # Without the other resource's schema, input with only stacks is judged sooner.
    from lokeys.core.validation.credentials import credential_findings  # noqa: PLC0415

    for ref, placed in given:
        found = heeded(credential_findings(ref, placed), ignored)
        yield CredentialView(ref=ref, findings=found)


def _placed(
    findings: Iterable[Finding], view: StackView, objects: PlacedObjects, ignored: Sequence[Ignore]
) -> tuple[Finding, ...]:
    """Return findings with their places: in the object's own file, or otherwise in the stack's."""
    return heeded((_with_place(finding, view, objects) for finding in findings), ignored)


def _with_place(finding: Finding, view: StackView, objects: PlacedObjects) -> Finding:
    place, field = view.placed, finding.field
    own: Placed | None = view.placed
    if finding.object is not None and finding.object != view.ref:
        own = objects.get(finding.object) or objects.maker_of(finding.object)
        place, field = (own, field) if own else (place, _pointer_to(finding.object, view))
    return softened(replace(finding, location=location_of(place, field)), own, view.placed)


def _pointer_to(ref: Ref, view: StackView) -> str:
    """Return the field of a stack that names an object that does not exist."""
    from lokeys.core.stack.validation.tenants import pointer_to  # noqa: PLC0415 - few need it

    of_tenants = "" if ref.name == view.secret_name else pointer_to(ref, view.placed.object)
    if of_tenants:
        return of_tenants
    return "spec.storage.tls.caName" if ref.kind == "ConfigMap" else "spec.storage.secret.name"


def _shared(
    views: Sequence[StackView], objects: PlacedObjects, ignored: Sequence[Ignore]
) -> tuple[Finding, ...]:
    """Return what is wrong with what stacks share: objects, buckets and names."""
    named = {
        finding.object
        for view in views
        for finding in view.findings
        if finding.object is not None and finding.object.kind == "ConfigMap"
    } | {view.secret.ref for view in views if view.secret is not None}
    found = []
    for ref in sorted(named):
        placed = objects.get(ref)
        if placed is not None and objects.count(ref) > 1 and objects.differ(ref):
            words = {"count": objects.count(ref)}
            finding = tell(rules.DUPLICATE_OBJECT, ref, stack=ref, words=words)
            found.append(replace(finding, route=None, location=location_of(placed, None)))
    found += shared_buckets(views)
    found += shared_names(views)
    return heeded(found, ignored)
