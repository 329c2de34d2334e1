# SPDX-License-Identifier: Apache-2.0
"""Every fault of a manifest, found as the API server would find it, without one.

Covers the part of structural OpenAPI v3 that the schema uses. Unknown fields, which the API server
drops in silence unless asked to be strict, are faults. No fault shows a value: what stands in the
wrong field may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lokeys.core.kubernetes.size import MAX_ROUTE_BYTES, in_kib, is_within
from lokeys.core.route.resource.fields import Schema
from lokeys.core.route.resource.rules import MIRRORS
from lokeys.core.route.resource.schema import API_VERSION, KIND, NAMESPACE, OBJECT_NAME, ROOT
from lokeys.core.text.words import form

TOO_LARGE = "too large"
MAX_UNKNOWN = 20
"""How many unknown fields of one object are named, before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a manifest: where, what, what stands there (its form), what should."""

    path: str
    problem: str
    found: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: {self.problem}" if self.path else self.problem
        seen = f" (found {self.found})" if self.found else ""
        wanted = f"; expected {self.expected}" if self.expected else ""
        return where + seen + wanted + (f" — {self.hint}" if self.hint else "")


def faults(manifest: object) -> tuple[Fault, ...]:
    """Return all faults of a StorageCredential's manifest; its status is nobody's to judge."""
    if not isinstance(manifest, Mapping):
        return (Fault(path="", problem="not an object", found=form(manifest)),)
    if not is_within({**manifest, "status": None}, MAX_ROUTE_BYTES):
        return (Fault(path="", problem=TOO_LARGE, expected=f"at most {in_kib(MAX_ROUTE_BYTES)}"),)
    return (*_head(manifest), *_body(manifest))


def with_defaults(value: Any, schema: Schema) -> Any:
    """Return `value` as the API server stores it: nulls dropped, defaults filled in, copied."""
    if isinstance(value, Mapping) and "properties" in schema:
        known = schema["properties"]
        given = {name: item for name, item in value.items() if item is not None}
        given |= {
            name: node["default"]
            for name, node in known.items()
            if name not in given and "default" in node
        }
        return {name: with_defaults(item, known.get(name, {})) for name, item in given.items()}
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    return value


def _head(manifest: Mapping[Any, Any]) -> Iterator[Fault]:
    for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if manifest.get(field) != wanted:
            found = form(manifest.get(field))
            yield Fault(path=field, problem="not this kind", found=found, expected=f"`{wanted}`")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name in (None, ""):
        expected = "the resource's name"
        yield Fault(path="metadata.name", problem="missing", found=form(name), expected=expected)
    else:
        yield from _own_faults(name, OBJECT_NAME, "metadata.name")
    if namespace not in (None, ""):
        yield from _own_faults(namespace, NAMESPACE, "metadata.namespace")


def _body(manifest: Mapping[Any, Any]) -> Iterator[Fault]:
    rest = {name: item for name, item in manifest.items() if name not in {"metadata", "status"}}
    yield from _check(with_defaults(rest, ROOT), {**ROOT, "x-kubernetes-validations": []}, "")
    metadata, spec = manifest.get("metadata"), manifest.get("spec")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str):
        yield from _rules({"metadata": metadata}, ROOT, "metadata.name")
        yield from _same_secret(metadata, spec)


def _same_secret(metadata: Mapping[str, Any], spec: object) -> Iterator[Fault]:
    """Find the loop that the API server cannot see: its rules do not know their own namespace."""
    match spec:
        case {
            "source": {"secret": {"name": source, "namespace": namespace}},
            "secret": {"name": target},
        } if source == target and namespace == metadata.get("namespace"):
            problem = "the source and the Secret that Loki reads are the same Secret"
            yield Fault(path="spec.source.secret", problem=problem)


def _check(value: Any, schema: Schema, path: str) -> Iterator[Fault]:
    own = list(_own_faults(value, schema, path))
    yield from own
    if not own:
        yield from _rules(value, schema, path)


def _own_faults(value: Any, schema: Schema, path: str) -> Iterator[Fault]:
    """Yield what is wrong with a value and what is below it, its own rules apart."""
    match schema["type"]:
        case "object" if isinstance(value, Mapping):
            yield from _object(value, schema, path)
        case "array" if isinstance(value, list):
            yield from _array(value, schema, path)
        case "string" if isinstance(value, str):
            yield from _text(value, schema, path)
        case "integer" if isinstance(value, int) and not isinstance(value, bool):
            yield from _number(value, schema, path)
        case "boolean" if isinstance(value, bool):
            return
        case wanted:
            yield _wrong_type(value, wanted, path)


def _wrong_type(value: object, wanted: str, path: str) -> Fault:
    hint = ""
    if wanted == "string" and isinstance(value, bool | int | float):
        hint = "put it in quotes"
    elif wanted in {"boolean", "integer"} and isinstance(value, str):
        hint = "take the quotes away"
    expected = _EXPECTED[wanted]
    return Fault(path=path, problem="wrong type", found=form(value), expected=expected, hint=hint)


_EXPECTED = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _object(value: Mapping[Any, Any], schema: Schema, path: str) -> Iterator[Fault]:
    known = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            what = known[name]["description"].partition(". ")[0].rstrip(".")
            expected = what[0].lower() + what[1:]
            yield Fault(path=_below(path, name), problem="missing", expected=expected)
    for name, item in value.items():
        if name in known:
            yield from _check(item, known[name], _below(path, name))
    strangers = [name for name in value if name not in known]
    for name in strangers[:MAX_UNKNOWN]:
        yield _unknown(name, known, path)
    if len(strangers) > MAX_UNKNOWN:
        more = f"{len(strangers) - MAX_UNKNOWN} more unknown fields"
        yield Fault(path=path, problem=more, expected=f"one of {', '.join(known)}")


def _unknown(name: object, known: Mapping[str, Schema], path: str) -> Fault:
    shown = str(name)[:63]
    near = near_miss(shown, known)
    hint = f"did you mean `{near}`?" if near else ""
    expected = f"one of {', '.join(known)}"
    return Fault(path=_below(path, shown), problem="unknown field", expected=expected, hint=hint)


def near_miss(word: str, known: Mapping[str, Any] | list[str]) -> str | None:
    """Return the known word that was probably meant: other case, snake_case, a slip."""
    plain = {_plain(name): name for name in known}
    from difflib import get_close_matches  # noqa: PLC0415 - only where a word is unknown

    close = get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def _plain(word: str) -> str:
    return re.sub("[^a-z0-9]", "", word.lower())


def _array(value: list[Any], schema: Schema, path: str) -> Iterator[Fault]:
    if len(value) > schema["maxItems"]:
        expected = f"at most {schema['maxItems']}"
        yield Fault(path=path, problem="too many", found=f"{len(value)}", expected=expected)
        return
    seen: set[tuple[str, ...]] = set()
    for index, item in enumerate(value):
        yield from _check(item, schema["items"], f"{path}[{index}]")
        keys = schema.get("x-kubernetes-list-map-keys", ())
        identity = tuple(repr(item.get(key)) for key in keys) if isinstance(item, Mapping) else ()
        if identity in seen:
            yield Fault(path=f"{path}[{index}]", problem=f"the same {' and '.join(keys)} twice")
        if identity:
            seen.add(identity)


def _text(value: str, schema: Schema, path: str) -> Iterator[Fault]:
    found = form(value)
    if "enum" in schema and value not in schema["enum"]:
        near = near_miss(value[:63], schema["enum"])
        yield Fault(
            path=path,
            problem="not one of its values",
            found=found,
            expected=f"one of {', '.join(schema['enum'])}",
            hint=f"did you mean `{near}`?" if near else "",
        )
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if len(value) < shortest:
        expected = f"{shortest} characters or more"
        yield Fault(path=path, problem="too short", found=found, expected=expected)
    elif len(value) > longest:
        expected = f"{longest} characters or fewer"
        yield Fault(path=path, problem="too long", found=found, expected=expected)
    elif "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield Fault(
            path=path,
            problem="malformed",
            found=found,
            expected=f"text that matches {schema['pattern']}",
            hint=_invisible(value),
        )


def _invisible(value: str) -> str:
    return "remove the white space around it" if value != value.strip() else ""


def _number(value: int, schema: Schema, path: str) -> Iterator[Fault]:
    lowest, highest = schema["minimum"], schema["maximum"]
    if not lowest <= value <= highest:
        expected = f"{lowest} to {highest}"
        yield Fault(path=path, problem="out of range", found="a number", expected=expected)


def _rules(value: Any, schema: Schema, path: str) -> Iterator[Fault]:
    for written in schema.get("x-kubernetes-validations", ()):
        if not MIRRORS[written["rule"]].holds(value):
            found = form(value) if isinstance(value, str) else ""
            hint = _invisible(value) if isinstance(value, str) else ""
            yield Fault(path=path, problem=written["message"], found=found, hint=hint)
            if isinstance(value, str):
                return  # the rules of a text build on one another


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
