# SPDX-License-Identifier: Apache-2.0
"""The objects of an input, found by kind and name whatever their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from lokeys.core.findings.finding import Location
from lokeys.core.kubernetes.json_fields import at, text_at
from lokeys.core.place import Ref
from lokeys.core.text.words import object_name

if TYPE_CHECKING:
    from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret
    from lokeys.core.kubernetes.made import Made

OF_CLUSTER = "ClusterExternalSecret"
_NO_NAMESPACE = frozenset({OF_CLUSTER, "Bundle", "ClusterBundle", "ClusterPolicy", "ClusterSecret"})
_NO_MAKERS = frozenset({"Secret", "ConfigMap", "LokiStack", "ExternalSecret", OF_CLUSTER})
MAX_NAMESPACES = 256
"""Limit for one ClusterExternalSecret."""

_TOKEN = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
Path = tuple[str | int, ...]


class Placed(Protocol):
    """An object and where it is."""

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
        """Return line and column of the value at `path`, or of its nearest parent."""
        ...


def read_external(manifest: Mapping[str, Any]) -> ExternalSecret:
    """Return what an ExternalSecret says, or those that a ClusterExternalSecret makes."""
    # Most inputs have none, and start sooner without this import.
    from lokeys.core.kubernetes.external_secrets.reading import read  # noqa: PLC0415

    if manifest.get("kind") != OF_CLUSTER:
        return read(manifest)
    own, spec = text_at(manifest, "metadata", "name"), at(manifest, "spec")
    name = text_at(spec, "externalSecretName") or own
    made = read({"metadata": {"name": name}, "spec": at(spec, "externalSecretSpec")})
    return replace(made, ref=Ref(OF_CLUSTER, own))


class PlacedObjects:
    """All objects by their names. `namespace` is used for those that name none."""

    def __init__(self, given: Iterable[Placed], *, namespace: str) -> None:
        self._namespace = namespace
        self._all: dict[Ref, list[Placed]] = {}
        self._makers: dict[Ref, list[Placed]] = {}
        for placed in given:
            ref = self.ref_of(placed)
            self._all.setdefault(ref, []).append(placed)
            if ref.kind in ("ExternalSecret", OF_CLUSTER):
                for secret in _targets(placed.object, ref):
                    self._makers.setdefault(secret, []).append(placed)
        self._made: dict[str, list[tuple[Placed, Made]]] | None = None
        self._namesakes: dict[tuple[str, str], dict[Ref, bool]] | None = None

    def ref_of(self, placed: Placed) -> Ref:
        """Return an object's name; missing parts are empty."""
        metadata = placed.object.get("metadata")
        said = metadata if isinstance(metadata, Mapping) else {}
        name, namespace = said.get("name"), said.get("namespace")
        kind = str(placed.object.get("kind"))
        named = object_name(name) if isinstance(name, str) else ""
        if kind in _NO_NAMESPACE:
            return Ref(kind, named)
        given = namespace if isinstance(namespace, str) else ""
        return Ref(kind, named, object_name(given) or self._namespace)

    def of_kind(self, kind: str) -> Iterator[tuple[Ref, Placed]]:
        """Yield all objects of a kind, by name; those with the same name by their content."""
        for ref in sorted(ref for ref in self._all if ref.kind == kind):
            yield from ((ref, placed) for placed in _in_order(self._all[ref]))

    def count(self, ref: Ref) -> int:
        """Return how often the input has an object."""
        return len(self._all.get(ref, ()))

    def differ(self, ref: Ref) -> bool:
        """Tell whether the input has an object with different contents."""
        return len({_canonical(placed) for placed in self._all.get(ref, ())}) > 1

    def get(self, ref: Ref) -> Placed | None:
        """Return an object, or None if the input does not have it."""
        found = self._all.get(ref)
        return _in_order(found)[0] if found else None

    def namesake(self, wanted: Ref, asking: Ref) -> Ref | None:
        """Return the one object, or made object, with that kind and name in another namespace.

        Only if it, or the object that names it, has no namespace: one is chosen on apply.
        """
        if self._namesakes is None:
            self._namesakes = {}
            for ref, is_bare in self._named():
                known = self._namesakes.setdefault((ref.kind, ref.name), {})
                known[ref] = known.get(ref, False) or is_bare
        found = self._namesakes.get((wanted.kind, wanted.name), {})
        asks_barely = any(map(_is_bare, self._all.get(asking, ())))
        fitting = [ref for ref, is_bare in found.items() if is_bare or asks_barely]
        return fitting[0] if len(fitting) == 1 else None

    def _named(self) -> Iterator[tuple[Ref, bool]]:
        """Yield what exists or is made, and whether it names no namespace."""
        for source in (self._all, self._makers):
            for ref, items in source.items():
                yield from ((ref, _is_bare(placed)) for placed in items if ref.namespace)
        for all_made in self._all_made().values():
            for placed, made in all_made:
                if made.secret.namespace:
                    yield made.secret, _is_bare(placed)

    def external_secrets_of(self, secret: Ref) -> list[Placed]:
        """Return the ExternalSecrets that have a Secret as their target, by content."""
        everywhere = self._makers.get(Ref("Secret", secret.name), [])
        return _in_order([*self._makers.get(secret, []), *everywhere])

    def maker_of(self, secret: Ref) -> Placed | None:
        """Return the ExternalSecret that makes or names a Secret, or else its other maker."""
        found = self.external_secrets_of(secret)
        made = None if found else self.made_of(secret)
        named = found[0] if found else made and made[0]
        return next((each for each in found if read_external(each.object).makes_secret), named)

    def made_of(self, secret: Ref) -> tuple[Placed, Made] | None:
        """Return what else makes a Secret, with what it says about it; a guess if none names it.

        One that names it comes first; then a Job whose script does; then one whose names are
        encrypted.
        """
        known = self._all_made()
        named = [each for each in known.get(secret.name, ()) if each[1].is_for(secret)]
        return next(iter(named), None) or self._job_for(secret) or self._unnamed(secret)

    def _all_made(self) -> dict[str, list[tuple[Placed, Made]]]:
        """Return what is made, by name; only called if a Secret does not exist."""
        if self._made is None:
            from lokeys.core.kubernetes.made import made_by  # noqa: PLC0415 - few need it

            self._made = {}
            for ref in sorted(ref for ref in self._all if ref.kind not in _NO_MAKERS):
                for placed in _in_order(self._all[ref]):
                    for made in made_by(placed.object, namespace=self._namespace):
                        self._made.setdefault(made.secret.name, []).append((placed, made))
        return self._made

    def _job_for(self, secret: Ref) -> tuple[Placed, Made] | None:
        from lokeys.core.kubernetes.made import Made, may_make  # noqa: PLC0415

        for kind in ("Job", "CronJob"):
            for ref, placed in self.of_kind(kind):
                if ref.namespace == secret.namespace and may_make(placed.object, secret.name):
                    return placed, Made(secret=secret, maker=ref)
        return None

    def _unnamed(self, secret: Ref) -> tuple[Placed, Made] | None:
        named = (each for each in self._all_made().get("", ()) if each[1].is_for(secret))
        return next(named, None)


def _is_bare(placed: Placed) -> bool:
    return not text_at(placed.object, "metadata", "namespace")


def _targets(manifest: Mapping[str, Any], ref: Ref) -> list[Ref]:
    """Return the Secrets that an ExternalSecret has as its target; a cluster's one has several."""
    made = object_name(read_external(manifest).target)
    if not made:
        return []
    if ref.kind != OF_CLUSTER:
        return [Ref("Secret", made, ref.namespace)]
    spec = at(manifest, "spec")
    listed = at(spec, "namespaces")
    if at(spec, "namespaceSelector") or at(spec, "namespaceSelectors") or not listed:
        return [Ref("Secret", made)]  # in whatever namespaces have these labels
    named = listed[:MAX_NAMESPACES] if isinstance(listed, list) else []
    return [Ref("Secret", made, object_name(str(each))) for each in named]


def _in_order(found: list[Placed]) -> list[Placed]:
    return sorted(found, key=_canonical) if len(found) > 1 else found


def _canonical(placed: Placed) -> str:
    return json.dumps(placed.object, sort_keys=True, default=str)


def location_of(placed: Placed, field: str | None) -> Location:
    """Return where a field of an object is: a JSON path, or a Secret's data key."""
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
    elif placed.object.get("kind") in ("LokiStack", "StorageCredential"):
        yield tuple(int(index) if index else name for index, name in _TOKEN.findall(field))
    else:  # what makes a Secret with that key
        yield ("spec",)
