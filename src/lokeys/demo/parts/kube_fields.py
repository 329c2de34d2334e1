# SPDX-License-Identifier: Apache-2.0
"""Patches, and who owns which field of an object (`metadata.managedFields`)."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lokeys.demo.parts.kube_kinds import Json, Refusal

Path = tuple[str, ...]

_UNOWNED = frozenset(
    {
        ("apiVersion",),
        ("kind",),
        *(
            ("metadata", name)
            for name in (
                "name",
                "namespace",
                "uid",
                "resourceVersion",
                "generation",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "managedFields",
                "generateName",
            )
        ),
    }
)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with an RFC 7386 patch applied; neither is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Json, operations: list[Json]) -> Json:
    """Return `target` with an RFC 6902 patch of add, remove, replace and test applied."""
    result = copy.deepcopy(target)
    for operation in operations:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        try:
            place: Any = result
            for part in parents:
                place = place[int(part) if isinstance(place, list) else part]
            _operate(place, last, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            message = f"the server rejected our request: path {operation['path']} does not fit"
            raise Refusal(422, "Invalid", message) from error
    return result


def _operate(place: Any, last: str, operation: Json) -> None:
    verb = operation["op"]
    if isinstance(place, list) and verb == "add":
        place.insert(len(place) if last == "-" else int(last), operation["value"])
        return
    key: Any = int(last) if isinstance(place, list) else last
    if verb == "add":
        place[key] = operation["value"]
        return
    present = place[key]
    if verb == "replace":
        place[key] = operation["value"]
    elif verb == "remove":
        del place[key]
    elif verb == "test" and present != operation["value"]:
        raise Refusal(422, "Invalid", f"testing path {operation['path']} failed")


def leaves(value: Any, prefix: Path = ()) -> dict[Path, Any]:
    """Return every field that somebody can own; lists are owned as a whole."""
    if prefix in _UNOWNED:
        return {}
    if not isinstance(value, dict) or (not value and prefix):
        return {prefix: value}
    found: dict[Path, Any] = {}
    for key, child in value.items():
        found |= leaves(child, (*prefix, key))
    return found


def to_fields_v1(paths: Iterable[Path]) -> Json:
    """Return the nested `f:` form of some paths."""
    root: Json = {}
    for path in sorted(paths):
        place = root
        for part in path:
            place = place.setdefault(f"f:{part}", {})
    return root


def from_fields_v1(fields: Json, prefix: Path = ()) -> set[Path]:
    """Return the paths of a nested `f:` form."""
    if not fields:
        return {prefix} if prefix else set()
    return set().union(
        *(from_fields_v1(child, (*prefix, key[2:])) for key, child in fields.items())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes, to which subresource ("" for the object itself), and how: Update or Apply."""

    manager: str = "stand-in"
    subresource: str = ""
    operation: str = "Update"

    def entry(self, api_version: str) -> Json:
        """Return an empty entry of this author's for `metadata.managedFields`."""
        entry: Json = {"manager": self.manager, "operation": self.operation}
        entry |= {"apiVersion": api_version, "fieldsType": "FieldsV1", "fieldsV1": {}}
        return entry | ({"subresource": self.subresource} if self.subresource else {})

    def wrote(self, entry: Json) -> bool:
        """Tell whether an entry is this author's."""
        names = entry["manager"], entry.get("subresource", ""), entry["operation"]
        return names == (self.manager, self.subresource, self.operation)


def record_update(old: Json, new: Json, *, author: Author, now: str) -> None:
    """Note in `new` that `author` wrote every field in which it differs from `old`."""
    before, after = leaves(old), leaves(new)
    absent = object()
    written = {path for path, value in after.items() if before.get(path, absent) != value}
    gone = before.keys() - after.keys()
    entries: list[Json] = copy.deepcopy(old.get("metadata", {}).get("managedFields", []))
    mine = next((entry for entry in entries if author.wrote(entry)), None)
    if mine is None:
        mine = author.entry(new["apiVersion"])
        entries.append(mine)
    for entry in entries:
        owned = from_fields_v1(entry["fieldsV1"]) - gone
        entry["fieldsV1"] = to_fields_v1(owned | written if entry is mine else owned - written)
    mine["time"] = now
    new["metadata"]["managedFields"] = [entry for entry in entries if entry["fieldsV1"]]


def apply(old: Json, applied: Json, *, author: Author, force: bool) -> Json:
    """Return `old` with a server-side apply done; `stamp` adds the time if that changed anything.

    Fields that the manager applied before and leaves out now are removed, unless others own them.
    """
    wanted, present = leaves(applied), leaves(old)
    result = copy.deepcopy(old)
    entries: list[Json] = result.setdefault("metadata", {}).pop("managedFields", [])
    mine = next((entry for entry in entries if author.wrote(entry)), None)
    others = [entry for entry in entries if entry is not mine]
    absent = object()
    changed = {path for path, value in wanted.items() if present.get(path, absent) != value}
    _settle_conflicts(others, changed, force=force)
    left_out = (from_fields_v1(mine["fieldsV1"]) if mine else set()) - wanted.keys()
    for path in left_out.difference(*(from_fields_v1(entry["fieldsV1"]) for entry in others)):
        _remove(result, path)
    for path, value in wanted.items():
        _put(result, path, value)
    mine = mine or author.entry(applied["apiVersion"])
    mine["fieldsV1"] = to_fields_v1(wanted)
    result["metadata"]["managedFields"] = [e for e in [*others, mine] if e["fieldsV1"]]
    return result


def stamp(applied: Json, *, author: Author, now: str) -> None:
    """Write the time of an apply that changed something."""
    for entry in applied["metadata"]["managedFields"]:
        if author.wrote(entry):
            entry["time"] = now


def _settle_conflicts(others: list[Json], changed: set[Path], *, force: bool) -> None:
    causes = []
    for entry in others:
        owned = from_fields_v1(entry["fieldsV1"])
        causes += [
            {
                "reason": "FieldManagerConflict",
                "message": f'conflict with "{entry["manager"]}"',
                "field": "." + ".".join(path),
            }
            for path in sorted(owned & changed)
        ]
        if force:
            entry["fieldsV1"] = to_fields_v1(owned - changed)
    if causes and not force:
        message = f"Apply failed with {len(causes)} conflict(s): " + "; ".join(
            f"{cause['message']}: {cause['field']}" for cause in causes
        )
        raise Refusal(409, "Conflict", message, details={"causes": causes})


def _put(target: Json, path: Path, value: Any) -> None:
    *parents, last = path
    place = target
    for part in parents:
        if not isinstance(place.get(part), dict):
            place[part] = {}
        place = place[part]
    place[last] = copy.deepcopy(value)


def _remove(target: Json, path: Path) -> None:
    *parents, last = path
    place: Any = target
    for part in parents:
        place = place.get(part) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.pop(last, None)
