# SPDX-License-Identifier: Apache-2.0
"""What would change: rendered objects compared with the existing ones, as a unified diff.

    existing ──▶ the part that is ours ──▶ YAML ─┐
                                                 ├─▶ diff
    rendered ──────────────────────────▶ YAML ───┘

Of an object in a cluster, ours are the fields that are rendered, and those that somebody applied
(`managedFields`) and that are no longer rendered; all others are defaults, or belong to others. An
existing value is shown only if it equals ours, because any other may be a credential in whatever
form: its field is named, with a fingerprint instead of the value, the same for equal values.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive, short
from lokeys.core.text.yaml import to_yaml

_APPLIED_BY_UPDATE = "kubectl-client-side-apply"
_LIST_KEYS = ("name", "containerPort", "port", "topologyKey")
_NAMES = frozenset({"name", "topologyKey"})
_SMALL = 1 << 16
"""Numbers below this are shown: replicas, ports, file modes."""
_CREDENTIALS = frozenset(
    {
        *("access_key", "access_key_id", "access_key_secret", "account_key", "password", "s3"),
        *("application_credential_secret", "clientSecret", "client_secret", "connection_string"),
        *("secret_access_key", "secret_key", "service_account", "session_token"),
    }
)
"""Loki's names for credentials; of a configuration's names only these and ours are shown."""
Manifest = Mapping[str, Any]


def ref_of(manifest: Manifest) -> Ref:
    """Return an object's name."""
    metadata = manifest["metadata"]
    return Ref(manifest["kind"], metadata["name"], metadata.get("namespace"))


def differences(
    rendered: Iterable[Manifest],
    there: Mapping[Ref, Manifest],
    *,
    where: str,
    fingerprinter: Fingerprinter,
) -> Iterator[str]:
    """Yield the diff from the existing to the rendered objects; nothing if they are equal.

    An existing object that is not rendered counts as removed. `where` names where it was read.
    """
    wanted = {ref_of(each): each for each in rendered}
    for ref in sorted({*wanted, *there}):
        before, after = there.get(ref), wanted.get(ref)
        yield from _difference(ref, before, after, where, _Veil(fingerprinter))


def _difference(
    ref: Ref, before: Manifest | None, after: Manifest | None, where: str, veil: _Veil
) -> Iterator[str]:
    old = _text(veil.over(ours_of(before, after), after or _named(before))) if before else []
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
    """Return the part of an object that is ours; all of it if it was never in a cluster."""
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
    """Yield the fields that somebody's apply owns."""
    for entry in metadata.get("managedFields") or ():
        applied = entry.get("operation") == "Apply" or entry.get("manager") == _APPLIED_BY_UPDATE
        if applied and entry.get("fieldsV1") and not entry.get("subresource"):
            yield entry["fieldsV1"]


def _ours(there: Any, rendered: Any, owned: Sequence[Manifest]) -> Any:
    if any(not part for part in owned) and not (isinstance(there, list) and rendered):
        return there  # applied as a whole, such as a node selector
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
    """Return our items, in the order in which they are rendered; others are left out."""
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
    """Return the field that identifies the items of a list, as for the API server."""
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


def _named(there: Manifest) -> Manifest:
    """Return an object's name, which the diff has shown already."""
    metadata = {k: v for k, v in there["metadata"].items() if k in ("name", "namespace")}
    return {"apiVersion": there.get("apiVersion"), "kind": there["kind"], "metadata": metadata}


@dataclass(frozen=True, slots=True)
class _Veil:
    """Replaces all values that are not ours with fingerprints."""

    fingerprinter: Fingerprinter

    def over(self, there: Any, rendered: Any) -> Any:
        """Return the existing object, with its values only where the rendered one has the same."""
        if there == rendered or there is None or isinstance(there, bool):
            return there
        if isinstance(there, Mapping):
            wanted = rendered if isinstance(rendered, Mapping) else {}
            return {key: self.over(item, wanted.get(key)) for key, item in there.items()}
        if isinstance(there, list):
            return self._over_items(there, rendered if isinstance(rendered, list | tuple) else ())
        if isinstance(there, int) and abs(there) < _SMALL:
            return there
        if isinstance(there, str) and isinstance(rendered, str) and "\n" in there + rendered:
            return "\n".join(self._over_lines(there.split("\n"), rendered.split("\n")))
        return self._over_value(str(there))

    def _over_items(self, there: list[Any], rendered: Sequence[Any]) -> list[Any]:
        name = _name_of_items([*there, *rendered])
        if name is None:
            begun = {str(each).partition("=")[0] for each in rendered}
            return [each if each in rendered else self._over_item(each, begun) for each in there]
        ours = {item[name]: item for item in rendered}
        items = [(item, self.over(item, ours.get(item[name]))) for item in there]
        if name not in _NAMES:
            return [veiled for _, veiled in items]
        return [{**veiled, name: item[name]} for item, veiled in items]

    def _over_item(self, item: Any, begun: Container[str]) -> Any:
        """Return an item of a list without names; with its name if we set that argument."""
        option, equals, value = str(item).partition("=")
        if isinstance(item, str) and equals and option in begun:
            return f"{option}={self._over_value(value)}"
        return self.over(item, None)

    def _over_lines(self, there: Iterable[str], rendered: Sequence[str]) -> Iterator[str]:
        """Yield the lines of a configuration, without the values of lines that we do not write."""
        names = ({_key(line)[1] for line in rendered} | _CREDENTIALS) - {""}
        for line in there:
            indent, key, value = _key(line)
            if line in rendered or not line.strip():
                yield line
            elif key in names:
                yield f"{indent}{key}: {self._over_value(value)}" if value.strip() else line
            else:
                yield f"{indent}{self._over_value(line)}"

    def _over_value(self, text: str) -> str:
        fingerprint = self.fingerprinter.of(Sensitive(text.strip()), purpose="value of a diff")
        return f"(not shown, {short(fingerprint)})"


def _key(line: str) -> tuple[str, str, str]:
    """Return a YAML line's indentation, the name that it begins with, and the rest."""
    plain = line.lstrip(" -")
    name, colon, value = plain.partition(":")
    return line[: len(line) - len(plain)], name.strip(" \"'") if colon else "", value
