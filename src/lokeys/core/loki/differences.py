# SPDX-License-Identifier: Apache-2.0
"""What would change: rendered objects against those that are there, as a unified diff.

    there ──▶ what of it is ours ──▶ YAML ─┐
                                           ├─▶ diff
    rendered ────────────────────▶ YAML ───┘

Of an object that a cluster keeps, ours are the fields that are rendered, and those that somebody
applied (`managedFields`) and nobody renders any more; all others are defaults, or others' business.
A value that may be a credential is not shown, whoever wrote it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from typing import Any

from lokeys.core.place import Ref
from lokeys.core.text.yaml import to_yaml

HIDDEN = "(not shown)"
_APPLIED_BY_UPDATE = "kubectl-client-side-apply"
_LIST_KEYS = ("name", "containerPort", "port", "topologyKey")
_NAMES = (
    "access_key|access_key_id|access_key_secret|account_key|application_credential_secret|"
    "clientSecret|client_secret|connection_string|password|secret_access_key|secret_key|service_account|"
    "session_token|s3"
)
_CREDENTIAL = re.compile(rf"(?P<head>\s*(?:- )?[\"']?(?:{_NAMES})[\"']?:\s+)(?P<value>\S.*)")
_VARIABLE = re.compile("SECRET|PASSWORD|TOKEN|CREDENTIAL|KEY", re.IGNORECASE)
_LOGIN = re.compile(r"(?P<scheme>\w+://)[^/\s:@]*:[^/\s@]*@")
_BLOCK = re.compile(r"[|>][-+]?")
Manifest = Mapping[str, Any]


def ref_of(manifest: Manifest) -> Ref:
    """Return an object's name."""
    metadata = manifest["metadata"]
    return Ref(manifest["kind"], metadata["name"], metadata.get("namespace"))


def differences(
    rendered: Iterable[Manifest], there: Mapping[Ref, Manifest], *, where: str
) -> Iterator[str]:
    """Yield the lines of a diff from what is there to what is rendered; none where they agree.

    What is there and not rendered counts as gone. `where` names the place that it was read from.
    """
    wanted = {ref_of(each): each for each in rendered}
    for ref in sorted({*wanted, *there}):
        before, after = there.get(ref), wanted.get(ref)
        yield from _difference(ref, before, after, where)


def _difference(
    ref: Ref, before: Manifest | None, after: Manifest | None, where: str
) -> Iterator[str]:
    old = _text(_veiled(ours_of(before, after), after)) if before is not None else []
    new = _text(after) if after is not None else []
    if old == new:
        return
    names = (f"{where}/{ref}" if old else "/dev/null", f"rendered/{ref}" if new else "/dev/null")
    yield from unified_diff(old, new, *names, lineterm="")


def _text(manifest: Any) -> list[str]:
    return to_yaml(_sorted(manifest)).splitlines()


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def ours_of(there: Manifest, rendered: Manifest | None) -> Manifest:
    """Return of an object what is ours; all of it where it never was in a cluster."""
    metadata = there["metadata"]
    if "uid" not in metadata:
        return there
    if rendered is None:
        named = {key: metadata[key] for key in ("labels", "name", "namespace") if key in metadata}
        rest = {key: there[key] for key in there if key not in ("metadata", "status")}
        return {**rest, "metadata": named}
    kept: Manifest = _ours(there, rendered, list(_applied(metadata)))
    return kept


def _applied(metadata: Manifest) -> Iterator[Manifest]:
    """Yield what somebody's applying owns."""
    for entry in metadata.get("managedFields") or ():
        applied = entry.get("operation") == "Apply" or entry.get("manager") == _APPLIED_BY_UPDATE
        if applied and entry.get("fieldsV1") and not entry.get("subresource"):
            yield entry["fieldsV1"]


def _ours(there: Any, rendered: Any, owned: Sequence[Manifest]) -> Any:
    if any(not part for part in owned) and not (isinstance(there, list) and rendered):
        return there  # applied as a whole, such as a selector of nodes
    if isinstance(there, Mapping) and (isinstance(rendered, Mapping) or owned):
        wanted = rendered if isinstance(rendered, Mapping) else {}
        below = {key: _below(f"f:{key}", owned) for key in there}
        return {
            key: _ours(item, wanted.get(key), below[key])
            for key, item in there.items()
            if key in wanted or below[key]
        }
    if isinstance(there, list) and (isinstance(rendered, list | tuple) or owned):
        return _our_items(there, rendered if isinstance(rendered, list | tuple) else [], owned)
    return there


def _below(key: str, owned: Sequence[Manifest]) -> list[Manifest]:
    found = (part.get(key) for part in owned)
    return [part for part in found if isinstance(part, Mapping)]


def _our_items(there: list[Any], rendered: Sequence[Any], owned: Sequence[Manifest]) -> list[Any]:
    """Return our items, in the order in which they are rendered; foreign ones are left out."""
    name = _name_of_items([*there, *rendered])
    if name is None:
        pairs = zip(there, [*rendered, *[None] * len(there)], strict=False)
        return [_ours(item, wanted, ()) for item, wanted in pairs]
    wanted = {item[name]: item for item in rendered}
    order = {key: number for number, key in enumerate(wanted)}
    kept = [
        (order.get(item[name], len(order)), _ours(item, wanted.get(item[name]), parts))
        for item in there
        for parts in [_parts_of(item, owned)]
        if item[name] in wanted or parts or {} in owned
    ]
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]


def _name_of_items(items: Sequence[Any]) -> str | None:
    """Return by what field the items of a list are told apart, as the API server does."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    names = (key for key in _LIST_KEYS if all(isinstance(i.get(key), str | int) for i in items))
    return next(names, None)


def _parts_of(item: Manifest, owned: Sequence[Manifest]) -> list[Manifest]:
    keys = {key for part in owned for key in part if str(key).startswith("k:")}
    ours = sorted(key for key in keys if _is_key_of(item, key.removeprefix("k:")))
    return [part for key in ours for part in _below(key, owned)]


def _is_key_of(item: Manifest, key: str) -> bool:
    try:
        named = json.loads(key)
    except ValueError:
        return False
    return isinstance(named, dict) and all(item.get(each) == named[each] for each in named)


def _veiled(there: Any, rendered: Any) -> Any:
    """Return what is there without what may be a credential; what is rendered holds none."""
    if there == rendered:
        return there
    if isinstance(there, Mapping):
        wanted = rendered if isinstance(rendered, Mapping) else {}
        variable = _VARIABLE.search(str(there.get("name", ""))) is not None
        return {
            key: HIDDEN
            if key == "value" and variable and item != wanted.get(key)
            else _veiled(item, wanted.get(key))
            for key, item in there.items()
        }
    if isinstance(there, list):
        others = list(rendered) if isinstance(rendered, list | tuple) else []
        name = _name_of_items([*there, *others])
        by_name = {item[name]: item for item in others} if name else {}
        return [_veiled(item, by_name.get(item[name]) if name else None) for item in there]
    if isinstance(there, str):
        known = set(rendered.splitlines()) if isinstance(rendered, str) else set()
        return "\n".join(_veiled_lines(there.split("\n"), known))
    return there


def _veiled_lines(lines: Iterable[str], known: set[str]) -> Iterator[str]:
    """Yield lines of a configuration; names of variables may stay, and so may known lines."""
    within: int | None = None  # how far a credential's block is indented
    for line in lines:
        indent = len(line) - len(line.lstrip())
        deeper = within is not None and (indent > within or not line.strip())
        if not deeper:
            within = None
        found = None if deeper else _CREDENTIAL.fullmatch(line)
        if found and _BLOCK.fullmatch(found["value"]):
            within = indent
            yield line
        elif line in known or not (found or deeper) or "${" in line or not line.strip():
            yield _LOGIN.sub(rf"\g<scheme>{HIDDEN}@", line)
        else:
            yield f"{found['head'] if found else ' ' * indent}{HIDDEN}"
