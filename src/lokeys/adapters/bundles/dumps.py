# SPDX-License-Identifier: Apache-2.0
"""Dumps of objects that lokeys did not make, as far as they go.

    oc adm must-gather, inspect   namespaces/NS/GROUP/KINDS.yaml, namespaces/NS/pods/POD/POD.yaml,
                                  …/pods/POD/CONTAINER/CONTAINER/logs/{current,previous}.log[.gz]
    troubleshoot's bundles        cluster-resources/KINDS/NS.json, NS/POD/CONTAINER.log
    kubectl get -o yaml, -o json  any objects, in any files

Most dumps leave out the values of Secrets: such a Secret counts as unreadable. What a dump does not
contain is not known, so it is never reported as missing in the cluster.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lokeys.adapters.bundles.reading import Tree
from lokeys.adapters.files.manifests import objects_in
from lokeys.core.kubernetes.json_fields import at, text_at
from lokeys.core.place import Ref
from lokeys.core.text.words import quoted
from lokeys.errors import BadInput, NotFound, NotReadable
from lokeys.kube.selectors import matches

Json = Mapping[str, Any]
_LogKey = tuple[str, str, str]
_LAST = "\x7f"
"""Sorts the current log after rotated ones."""
MAX_OBJECTS = 20_000
_NOT_HERE = "not in this dump"
_NS, _POD, _CONTAINER = r"(?P<ns>[^/]{1,63})", r"(?P<pod>[^/]{1,253})", r"(?P<c>[^/]{1,63})"
_WHICH = r"(?:(?P<which>current|previous)\.log|rotated/(?P<rotated>[^/]{1,253}))$"
_LOGS = tuple(
    map(
        re.compile,
        (
            rf"(?:^|/)namespaces/{_NS}/pods/{_POD}/{_CONTAINER}/[^/]{{1,63}}/logs/{_WHICH}",
            rf"(?:^|/)namespaces/{_NS}/pods/{_POD}/{_CONTAINER}/logs/{_WHICH}",
            rf"(?:^|/)namespaces/{_NS}/pods/{_POD}/logs/{_WHICH}",
            rf"(?:^|/)cluster-resources/pods/logs/{_NS}/{_POD}/{_CONTAINER}\.log$",
            rf"^{_NS}/{_POD}/{_CONTAINER}\.log$",
        ),
    )
)
_LEFT_OUT = re.compile(
    r"\*{0,8}(?:redacted|hidden|elided|removed)\*{0,8}|\*{3,64}|<[a-z -]{1,40}>|", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Dump:
    """The objects and logs of a dump, and the latest time in them."""

    at: datetime
    objects: Mapping[Ref, Json] = field(repr=False)
    logs: Mapping[_LogKey, str] = field(repr=False)
    not_read: tuple[str, ...] = ()


def dump_of(tree: Tree, *, now: datetime, place: str) -> Dump:
    """Return what is in some files. Raises BadInput if there is neither object nor log."""
    objects: dict[Ref, Json] = {}
    logs: dict[_LogKey, dict[str, str]] = {}
    for name, content in tree.files.items():
        if name.endswith((".yaml", ".yml", ".json")):
            for ref, obj in _objects_in(name, content, tree):
                objects.setdefault(ref, obj)
        elif (found := _log_of(name)) is not None:
            logs.setdefault(found[0], {})[found[1]] = content.decode(errors="replace")
        if len(objects) > MAX_OBJECTS:
            tree.note(f"more than {MAX_OBJECTS} objects: the others were left out")
            break
    if not objects and not logs:
        told = f": {tree.notes[0]}" if tree.notes else ""
        raise BadInput(
            f"neither an object nor a pod's log is in it{told}",
            place=place,
            hint="lokeys collect writes a bundle that has all",
        )
    return Dump(
        at=newest(objects, before=now),
        objects=objects,
        logs={key: _joined(parts) for key, parts in logs.items()},
        not_read=tree.told(),
    )


def _objects_in(name: str, content: bytes, tree: Tree) -> Iterator[tuple[Ref, Json]]:
    try:
        for located in objects_in(content, file=name, strict=False):
            ref = _ref_of(located.object)
            if ref is not None:
                yield ref, located.object
    except BadInput as error:
        tree.note(f"{quoted(name)}: {error}")
    except RecursionError:
        tree.note(f"{quoted(name)}: nested too deeply")


def _ref_of(obj: Json) -> Ref | None:
    name, namespace = at(obj, "metadata", "name"), at(obj, "metadata", "namespace")
    if not isinstance(name, str) or not isinstance(namespace, str | None):
        return None
    return Ref(str(obj["kind"]), name, namespace)


def _log_of(name: str) -> tuple[_LogKey, str] | None:
    """Return namespace, pod and container ("" if unknown), and the sort key of its parts."""
    for form in _LOGS:
        found = form.search(name)
        if found is not None:
            named = found.groupdict()
            key = (found["ns"], found["pod"], named.get("c") or "")
            return key, named.get("rotated") or (named.get("which") or "current") + _LAST
    return None


def _joined(parts: Mapping[str, str]) -> str:
    """Return a log's parts, the rotated ones first; of the previous run if this one is empty."""
    told = [text for order, text in sorted(parts.items()) if not order.endswith(_LAST)]
    now = parts.get(f"current{_LAST}", "")
    return "\n".join((*told, now if now.strip() else parts.get(f"previous{_LAST}", now)))


class DumpObjects:
    """An `Objects` on a dump: what it does not contain cannot be read."""

    def __init__(self, dump: Dump) -> None:
        self._dump = dump
        self._kinds = {(ref.kind, ref.namespace) for ref in dump.objects}

    async def get(self, ref: Ref) -> Json:
        """Return it. Raises NotFound if others of its kind are here, otherwise NotReadable."""
        found = self._dump.objects.get(ref)
        if found is not None:
            if ref.kind == "Secret" and _is_emptied(found):
                raise NotReadable(f"{ref}: its values were left out of this dump")
            return found
        if ref.kind != "Secret" and (ref.kind, ref.namespace) in self._kinds:
            raise NotFound(f"{ref} does not exist, or is {_NOT_HERE}")
        raise NotReadable(f"{ref} is {_NOT_HERE}")

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Json]:
        """Return the objects of a kind. Raises NotReadable if the dump has none at all."""
        if not any(each == kind for each, _ in self._kinds):
            raise NotReadable(f"objects of kind {kind} are {_NOT_HERE}, or there are none")
        return [
            obj
            for ref, obj in self._dump.objects.items()
            if ref.kind == kind and namespace in (None, ref.namespace) and matches(obj, labels)
        ]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Json]:
        """Return the events about an object."""
        wanted = (about.kind, about.name, reason)
        return [
            obj
            for ref, obj in self._dump.objects.items()
            if ref.kind == "Event"
            and (
                text_at(obj, "involvedObject", "kind"),
                text_at(obj, "involvedObject", "name"),
                text_at(obj, "reason"),
            )
            == wanted
        ]

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a container's log. Raises NotReadable."""
        for name in (container, ""):
            text = self._dump.logs.get((pod.namespace or "", pod.name, name))
            if text is not None:
                return "\n".join(text[-max_bytes:].split("\n")[-lines:])
        raise NotReadable(f"the log of {pod} is {_NOT_HERE}")


def _is_emptied(secret: Json) -> bool:
    """Tell whether a Secret's values were removed before it was dumped."""
    data = at(secret, "data")
    if not isinstance(data, Mapping) or not data:
        return True
    for value in data.values():
        if value is None:
            continue
        if not any(map(_LEFT_OUT.fullmatch, _readings_of(str(value)))):
            return False
    return True


def _readings_of(value: str) -> Iterator[str]:
    """Yield a value as it is written, and what it is base64 of."""
    yield value
    with suppress(Base64Error, ValueError):
        yield b64decode(value, validate=True).decode(errors="replace")


def newest(objects: Mapping[Ref, Json], *, before: datetime) -> datetime:
    """Return the latest time in some objects that is not in the future."""
    found = (_moment(text) for obj in objects.values() for text in _texts(obj, depth=8))
    return max((at for at in found if at is not None and at <= before), default=before)


def _moment(text: str) -> datetime | None:
    if len(text) > 40 or "T" not in text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _texts(value: Any, *, depth: int) -> Iterator[str]:
    """Yield the texts in an object, as deep as Kubernetes writes times."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, Mapping | list):
        below = value.values() if isinstance(value, Mapping) else value
        for each in below:
            yield from _texts(each, depth=depth - 1)
