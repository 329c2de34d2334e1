# SPDX-License-Identifier: Apache-2.0
"""The objects that were handed in, found by kind and name whatever their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from lokeys.core.findings.finding import Location
from lokeys.core.place import Ref
from lokeys.core.text.words import object_name

if TYPE_CHECKING:
    from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret

_TOKEN = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
Path = tuple[str | int, ...]


class Placed(Protocol):
    """An object and where it stands."""

    @property
    def object(self) -> Mapping[str, Any]:
        """Return the object."""
        ...

    @property
    def file(self) -> str:
        """Return the name of its file."""
        ...

    @property
    def line(self) -> int:
        """Return the line in which it begins."""
        ...

    def position_of(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of what stands at `path`, or of the nearest thing around it."""
        ...


def read_external(manifest: Mapping[str, Any]) -> ExternalSecret:
    """Return what an ExternalSecret says; most inputs hold none, and start sooner without this."""
    from lokeys.core.kubernetes.external_secrets.reading import read  # noqa: PLC0415

    return read(manifest)


class PlacedObjects:
    """All objects by their names. `namespace` is for those that name none."""

    def __init__(self, given: Iterable[Placed], *, namespace: str) -> None:
        self._namespace = namespace
        self._all: dict[Ref, list[Placed]] = {}
        self._makers: dict[Ref, list[Placed]] = {}
        for placed in given:
            ref = self.ref_of(placed)
            self._all.setdefault(ref, []).append(placed)
            made = read_external(placed.object).target if ref.kind == "ExternalSecret" else ""
            if made:
                self._makers.setdefault(Ref("Secret", object_name(made), ref.namespace), []).append(
                    placed
                )

    def ref_of(self, placed: Placed) -> Ref:
        """Return an object's name; what it does not say is empty."""
        metadata = placed.object.get("metadata")
        said = metadata if isinstance(metadata, Mapping) else {}
        name, namespace = said.get("name"), said.get("namespace")
        return Ref(
            str(placed.object.get("kind")),
            object_name(name) if isinstance(name, str) else "",
            object_name(namespace) if isinstance(namespace, str) and namespace else self._namespace,
        )

    def of_kind(self, kind: str) -> Iterator[tuple[Ref, Placed]]:
        """Yield all objects of a kind, by name; those of one name by what they say."""
        for ref in sorted(ref for ref in self._all if ref.kind == kind):
            yield from ((ref, placed) for placed in _in_order(self._all[ref]))

    def count(self, ref: Ref) -> int:
        """Return how often an object was handed in."""
        return len(self._all.get(ref, ()))

    def differ(self, ref: Ref) -> bool:
        """Tell whether an object was handed in with different contents."""
        return len({_canonical(placed) for placed in self._all.get(ref, ())}) > 1

    def get(self, ref: Ref) -> Placed | None:
        """Return an object, or None where it was not handed in."""
        found = self._all.get(ref)
        return _in_order(found)[0] if found else None

    def external_secrets_of(self, secret: Ref) -> list[Placed]:
        """Return the ExternalSecrets that name a Secret as their target, by what they say."""
        return _in_order(self._makers.get(secret, []))

    def maker_of(self, secret: Ref) -> Placed | None:
        """Return the ExternalSecret that makes a Secret, or names it, or else its SealedSecret."""
        found = self.external_secrets_of(secret)
        named = found[0] if found else self.sealed(secret)
        return next((each for each in found if read_external(each.object).makes_secret), named)

    def sealed(self, secret: Ref) -> Placed | None:
        """Return the SealedSecret that makes a Secret; it has its name."""
        return self.get(Ref("SealedSecret", secret.name, secret.namespace))


def _in_order(found: list[Placed]) -> list[Placed]:
    return sorted(found, key=_canonical) if len(found) > 1 else found


def _canonical(placed: Placed) -> str:
    return json.dumps(placed.object, sort_keys=True, default=str)


def location_of(placed: Placed, field: str | None) -> Location:
    """Return where a field of an object stands: a JSON path, or a Secret's data key."""
    line, column = min(
        (placed.position_of(path) for path in _paths(placed, field)),
        default=placed.position_of(()),
    )
    return Location(file=placed.file, line=line, column=column)


def _paths(placed: Placed, field: str | None) -> Iterator[Path]:
    if field is None:
        return
    if placed.object.get("kind") in ("Secret", "ConfigMap"):
        part, _, key = field.partition(".")
        if part in ("data", "stringData"):
            yield (part, key)
        for part in ("data", "stringData"):
            entries = placed.object.get(part)
            if isinstance(entries, Mapping) and field in entries:
                yield (part, field)
    elif placed.object.get("kind") in ("ExternalSecret", "SealedSecret"):
        yield ("spec",)
    else:
        yield tuple(int(index) if index else name for index, name in _TOKEN.findall(field))
