# SPDX-License-Identifier: Apache-2.0
"""StorageCredentials from files: the one that was meant, and the route that it describes."""

from __future__ import annotations

from typing import BinaryIO

from lokeys.adapters.files.manifests import Located, name_of, read
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.resource.parse import Refused, parse
from lokeys.core.route.resource.schema import KIND
from lokeys.errors import BadInput


def storage_credentials(path: str, *, stdin: BinaryIO | None = None) -> tuple[Located, ...]:
    """Return the StorageCredentials among the objects of `path`."""
    return tuple(item for item in read(path, stdin=stdin) if item.object.get("kind") == KIND)


def storage_credential(
    path: str, *, name: str | None = None, stdin: BinaryIO | None = None
) -> Located:
    """Return the one StorageCredential of `path`, or the one of that name."""
    found = storage_credentials(path, stdin=stdin)
    chosen = [item for item in found if name in (None, name_of(item))]
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(f"{item.title} ({item.place})" for item in found)
    if not found:
        raise BadInput(
            f"no {KIND} in here", place=path, hint="lokeys discover prints one for a running Loki"
        )
    if not chosen:
        raise BadInput(f"no {KIND} named {name}", place=path, hint=f"there is: {listed}")
    raise BadInput(f"more than one {KIND}", place=path, hint=f"name one of them: {listed}")


def route_spec(located: Located, *, namespace: str = "default") -> RouteSpec:
    """Return the route that a StorageCredential describes; raises BadInput with all its faults."""
    try:
        return parse(located.object, namespace=namespace)
    except Refused as refused:
        many = len(refused.faults) > 1
        listed = "".join(f"\n  {fault}" for fault in refused.faults)
        faults = f"has {len(refused.faults)} faults:{listed}" if many else f"{refused}"
        raise BadInput(
            f"{located.title} {faults}" if many else f"{located.title}: {faults}",
            place=located.place,
            hint="docs/reference/storagecredential.md says what each field is",
        ) from None
