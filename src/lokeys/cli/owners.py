# SPDX-License-Identifier: Apache-2.0
"""What the owners of a route's credentials have not allowed yet and the operator needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from lokeys.adapters.kubernetes.cluster import ALLOWED_NAMESPACES, allows
from lokeys.adapters.kubernetes.consents import names_address
from lokeys.cli.session import Session
from lokeys.core.kubernetes.consent import ALLOWED_URLS, Trying
from lokeys.core.place import Ref
from lokeys.core.route.model import OnePasswordVault, RouteSpec, consenting_ref
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.route.trying import not_tried
from lokeys.core.text.shell import Command, command
from lokeys.engine.route.holding import naming_present
from lokeys.errors import LokeysError

_ANNOTATE = command("kubectl -n {namespace} annotate {kind} {name} --overwrite {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingConsent:
    """An annotation that the owner of an object would have to add."""

    place: Ref
    annotation: str
    value: str

    @property
    def command(self) -> Command:
        """Return the command that adds it. Raises NoCommand."""
        words = {
            "kind": self.place.kind.lower(),
            "namespace": self.place.namespace or "",
            "name": self.place.name,
            "said": f"{self.annotation}={self.value}",
        }
        return _ANNOTATE.filled(words)


async def missing_consents(session: Session, spec: RouteSpec) -> AsyncIterator[MissingConsent]:
    """Yield what is missing, as far as the caller can see, without what cannot be read."""
    ref = consenting_ref(spec)
    if ref is not None:
        try:
            source = await session.objects.get(ref)
        except LokeysError:
            return
        if not allows(source, spec.namespace):
            yield MissingConsent(place=ref, annotation=ALLOWED_NAMESPACES, value=spec.namespace)
    ports = session.wire(spec)
    read = await ports.secret.read()
    held = naming_present(await ports.source.read(), None, read.state)
    seen = Snapshot(
        spec=spec,
        at=session.clock(),
        source=held.state,
        secret=read.state,
        trying=Trying.CONSENT,
    )
    place = not_tried(seen)
    if place is not None:
        yield MissingConsent(place=place, annotation=ALLOWED_URLS, value=spec.bucket.endpoint)
    if isinstance(spec.vault, OnePasswordVault):
        for missing in await _of_token(session, spec.vault, spec.namespace):
            yield missing


async def _of_token(
    session: Session, vault: OnePasswordVault, namespace: str
) -> list[MissingConsent]:
    """Return what the owner of a Connect token must still allow for a route of `namespace`."""
    place = vault.token_secret(namespace)
    try:
        secret = await session.objects.get(place)
    except LokeysError:
        return []  # without access to it nothing is reported missing
    missing = []
    if not allows(secret, namespace):
        missing.append((ALLOWED_NAMESPACES, namespace))
    if not await names_address(
        session.objects, secret, vault.token, url=vault.url, namespace=namespace
    ):
        missing.append((ALLOWED_URLS, vault.url))
    return [MissingConsent(place=place, annotation=said, value=to) for said, to in missing]
