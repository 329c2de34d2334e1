# SPDX-License-Identifier: Apache-2.0
"""How the API server stand-in shows objects: selectors, tables, metadata alone, discovery."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from lokeys.demo.parts.kube_kinds import KINDS, Json, Refusal, ServedKind

_SET = re.compile(r"^(?P<key>[^\s!=]+)\s+(?P<verb>in|notin)\s+\((?P<values>[^)]*)\)$")
_PAIR = re.compile(r"^(?P<key>[^\s!=]+)\s*(?P<verb>==?|!=)\s*(?P<value>\S*)$")


def _requirements(selector: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Tell whether labels meet a selector in kubectl's notation."""
    return all(_label_meets(part, labels) for part in _requirements(selector))


def _label_meets(part: str, labels: dict[str, str]) -> bool:
    if found := _SET.match(part):
        values = {value.strip() for value in found["values"].split(",")}
        return (labels.get(found["key"]) in values) == (found["verb"] == "in")
    if found := _PAIR.match(part):
        return (labels.get(found["key"]) == found["value"]) == (found["verb"] != "!=")
    return part[1:] not in labels if part.startswith("!") else part in labels


def selector_matches(selector: Json, labels: dict[str, str]) -> bool:
    """Tell whether labels meet a selector as objects hold it."""
    for wanted in selector.get("matchExpressions") or []:
        value, verb = labels.get(wanted["key"]), wanted["operator"]
        if verb in {"In", "NotIn"} and (value in wanted["values"]) != (verb == "In"):
            return False
        if verb in {"Exists", "DoesNotExist"} and (value is not None) != (verb == "Exists"):
            return False
    return all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    )


def fields_match(selector: str, item: Json) -> bool:
    """Tell whether an object meets a field selector; any path to a plain value will do."""
    for part in _requirements(selector):
        found = _PAIR.match(part)
        if not found:
            raise Refusal(400, "BadRequest", f"invalid field selector: {part}")
        equal = str(at(item, found["key"], "")) == found["value"]
        if equal == (found["verb"] == "!="):
            return False
    return True


def at(item: Any, path: str, default: Any = None) -> Any:
    """Return the value at a dotted path; of a list of conditions, the one of that type."""
    for part in path.split("."):
        if isinstance(item, list):
            item = next((entry for entry in item if entry.get("type") == part), None)
        elif isinstance(item, dict):
            item = item.get(part)
        if item is None:
            return default
    return item


def condition(item: Json, name: str) -> Json:
    """Return one condition of an object's status, or an empty one."""
    found: Json = at(item, f"status.conditions.{name}", {})
    return found


# --- what a client accepts ----------------------------------------------------------------------


def wanted_form(accept: str) -> str:
    """Return `Table`, `PartialObjectMetadata` or "" for an Accept header; a list's form too."""
    for choice in accept.split(","):
        words = dict(word.strip().partition("=")[::2] for word in choice.split(";")[1:])
        if words.get("g") == "meta.k8s.io" and words.get("v") == "v1":
            return words.get("as", "").removesuffix("List")
        if choice.strip().startswith(("application/json", "*/*")) and "as" not in words:
            return ""
    return ""


def shown(form: str, kind: ServedKind, item: Json, *, now: datetime) -> Json:
    """Return one object in the form that the client asked for."""
    if form == "PartialObjectMetadata":
        return _metadata_alone(item)
    if form == "Table":
        return table(kind, [item], now=now)
    return item


def list_of(form: str, kind: ServedKind, items: list[Json], *, now: datetime) -> Json:
    """Return a list in the form that the client asked for; its metadata is the caller's."""
    if form == "Table":
        return table(kind, items, now=now)
    if form == "PartialObjectMetadata":
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "items": [_metadata_alone(item) for item in items],
        }
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "items": items}


def _metadata_alone(item: Json) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }


def table(kind: ServedKind, items: Iterable[Json], *, now: datetime) -> Json:
    """Return objects as `kubectl get` draws them."""
    names = ["Ready", "Status", "Restarts"] if kind.kind == "Pod" else []
    names += [name for name, _ in kind.columns]
    columns = [
        {"name": name, "type": "string", "format": "", "description": "", "priority": 0}
        for name in ["Name", *names, "Age"]
    ]
    columns[0]["format"] = "name"
    rows = [
        {
            "cells": [item["metadata"]["name"], *_cells(kind, item), _age(item, now)],
            "object": _metadata_alone(item),
        }
        for item in items
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}}
    return head | {"columnDefinitions": columns, "rows": rows}


def _cells(kind: ServedKind, item: Json) -> list[str]:
    cells = [str(at(item, path, "")) for _, path in kind.columns]
    if kind.kind != "Pod":
        return cells
    containers = at(item, "status.containerStatuses", [])
    ready = sum(container["ready"] for container in containers)
    phase = "Terminating" if "deletionTimestamp" in item["metadata"] else at(item, "status.phase")
    waiting = next((at(one, "state.waiting.reason") for one in containers), None)
    restarts = sum(container["restartCount"] for container in containers)
    return [f"{ready}/{len(item['spec']['containers'])}", waiting or phase, str(restarts), *cells]


def _age(item: Json, now: datetime) -> str:
    age: timedelta = now - datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    seconds = int(age.total_seconds())
    return f"{seconds}s" if seconds < 120 else f"{seconds // 60}m"


# --- discovery ----------------------------------------------------------------------------------

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


_FIXED: dict[str, Json] = {
    "/version": {
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.0-stand-in",
        "platform": "linux/amd64",
    },
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
}


def discovery(path: str) -> Json | None:
    """Return the discovery document of a path, or None where it is not one's."""
    versions: dict[str, list[str]] = {}
    for kind in KINDS:
        if kind.version not in versions.setdefault(kind.group, []):
            versions[kind.group].append(kind.version)
    documents = {**_FIXED, "/api/v1": _resources("", "v1")}
    groups = {group: _group(group, found) for group, found in sorted(versions.items()) if group}
    documents["/apis"] = {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": list(groups.values()),
    }
    for name, group in groups.items():
        documents[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1"} | group
        for version in versions[name]:
            documents[f"/apis/{name}/{version}"] = _resources(name, version)
    return documents.get(path)


def _group(group: str, versions: list[str]) -> Json:
    entries = [{"groupVersion": f"{group}/{one}", "version": one} for one in versions]
    return {"name": group, "versions": entries, "preferredVersion": entries[0]}


def _resources(group: str, version: str) -> Json:
    found = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        entry = {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": _VERBS,
            "shortNames": list(kind.short),
        }
        found.append(entry)
        if kind.status:
            found.append(entry | {"name": f"{kind.plural}/status", "shortNames": []})
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}
