# SPDX-License-Identifier: Apache-2.0
"""Removes secret values from what was read of a cluster; tokens replace them.

    learn     every value that is known to be a secret, wherever it is
    redact    each object and text: by the place, then every known value wherever it is

A value in a Secret is a secret unless its name and its form both say that it is an address, a
bucket or similar. Elsewhere a secret is recognized by its name, by the text around it (a URL's
user, a header), or by equality with one that is known already.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from lokeys.adapters.bundles.names import (
    is_filled_in,
    is_plain,
    is_secret_name,
    looks_random,
)
from lokeys.adapters.bundles.tokens import Tokens
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.text.redaction import without_echoes

Json = Mapping[str, Any]

_SHORTEST = 6
"""A shorter value is only replaced in its own place: it could be part of other words."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DATA_HASH = "reconcile.external-secrets.io/data-hash"
_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
_OF_LOKI = frozenset(
    {"schema_config", "storage_config", "common", "auth_enabled", "ingester", "limits_config"}
)
_NO_SECRETS = frozenset({"true", "false", "$"})
"""The last one is what remains of `${NAME}` before its brace."""
_NAMED_INSIDE = frozenset({"ConfigMap", "HelmRelease", "Pod"}) | frozenset(
    {"StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Event"}
)
"""Kinds in which people choose the names of values."""
_KEPT_METADATA = frozenset(
    {"uid", "resourceVersion", "name", "namespace", "labels", "generateName"}
)

_ASSIGNED = re.compile(
    r"""(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]{2,80})["']?[ \t]{0,4}:?[:=][ \t]{0,4}"""
    r"""(?:"(?P<double>(?:[^"\\\n]|\\[^\n]){1,4096})|'(?P<single>[^'\n]{1,4096})"""
    r"""|(?P<bare>[^\s"'{}\[\],;&<>]{1,4096}))"""
)
_USER_IN_URL = re.compile(
    r"(?<=://)(?P<user>[^\s:@/\"'<>]{1,512}):(?P<password>[^\s@\"'<>]{1,1024})(?=@)"
)
_HEADERS = re.compile(
    r"(?P<before>\b(?:Bearer|Basic|AWS|SharedKey)\s+)(?P<value>[A-Za-z0-9+/=_.:~-]{8,4096})"
)
_AWS_ID = re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,2048}")
_PEM = re.compile(
    r"-----BEGIN (?P<what>[A-Z ]{0,40}PRIVATE KEY)-----"
    r"(?P<body>[A-Za-z0-9+/=\s\\]{1,16384})-----END"
)
_QUERY = re.compile(
    r"(?P<before>[?&](?:X-Amz-[A-Za-z-]{1,40}|sig|se|sp|sv|skoid|AWSAccessKeyId|Signature|"
    r"secret-key|access-key|token)=)(?P<value>[^\s&\"'<>]{1,2048})"
)


@dataclass(slots=True)
class Redactor:
    """Redacts one bundle. First `learn` all, then `redact` all."""

    tokens: Tokens = field(default_factory=Tokens)
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    """Texts, and what replaces them."""
    _longest_first: list[tuple[str, str]] | None = field(default=None, repr=False)

    # --- learning --------------------------------------------------------------------------------

    def learn(self, value: str) -> None:
        """Treat a value as a secret wherever it is from now on."""
        body = value.strip()
        if len(body) < _SHORTEST or self.tokens.made(body):
            return
        token = self.tokens.of(body)
        for form in _forms_of(body):
            self._known.setdefault(form, form_of(token, form, body))
        self._longest_first = None

    def learn_object(self, obj: Json) -> None:
        """Learn every secret that an object holds in a place for secrets."""
        if obj.get("kind") == "Secret":
            for name, value in _data_of(obj):
                for found in self._secrets_in(name, value):
                    self.learn(found)
        else:
            for found in _named_values(obj, inside=obj.get("kind") in _NAMED_INSIDE):
                self.learn(found)

    def _secrets_in(self, name: str, value: str) -> Iterator[str]:
        document = _settings_in(value)
        if document is not None:
            yield from _strict_values(document, strict=not _OF_LOKI & document.keys())
        elif not is_plain(name, value):
            yield value

    # --- redacting -------------------------------------------------------------------------------

    def object(self, obj: Json) -> dict[str, Any]:
        """Return an object without secret values, and without what nobody reads."""
        metadata = _metadata(obj.get("metadata"), self)
        rest = {key: value for key, value in obj.items() if key != "metadata"}
        if obj.get("kind") == "Secret":
            held = ("data", "stringData")
            kept = {key: self.value(each) for key, each in rest.items() if key not in held}
            data = {name: self._datum(name, value) for name, value in _data_of(obj)}
            return {**kept, "metadata": metadata} | ({"data": data} if data else {})
        inside = obj.get("kind") in _NAMED_INSIDE
        return {"metadata": metadata, **{k: self.value(v, inside, k) for k, v in rest.items()}}

    def _datum(self, name: str, value: str) -> str:
        if _settings_in(value) is not None:
            told = self.text(value)
        elif is_plain(name, value):
            told = self.without_known(value)
        else:
            told = self.tokens.of(value)
        return b64encode(told.encode(errors="surrogateescape")).decode()

    def value(self, value: Any, inside: bool = False, name: str = "") -> Any:
        """Return any part of an object; `inside`: names in it are people's own."""
        if isinstance(value, Mapping):
            paired = inside and _is_named_value(value)
            return {
                key: self.value(
                    each, inside, str(value["name"]) if paired and key == "value" else key
                )
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [
                self.value(each, inside, _option_before(value, place) if inside else "")
                for place, each in enumerate(value)
            ]
        if not isinstance(value, str):
            return value
        if inside and _is_secret(name, value):
            return self.tokens.of(value)
        return self.text(value) if inside or len(value) > _SHORTEST else value

    def text(self, text: str) -> str:
        """Return an untrusted text without known secrets, and without what looks like one."""
        text = without_echoes(self.without_known(text), self.tokens.of)
        text = _USER_IN_URL.sub(self._user, text)
        for form in (_HEADERS, _QUERY):
            text = form.sub(self._behind, text)
        text = _PEM.sub(
            lambda found: f"-----BEGIN {found['what']}-----{self.tokens.of(found['body'])}-----END",
            text,
        )
        for form in (_JWT, _AWS_ID):
            text = form.sub(lambda found: self.tokens.of(found[0]), text)
        text = _ASSIGNED.sub(self._assigned, text)
        return self.tokens.of(text) if looks_random(text) else text

    def without_known(self, text: str) -> str:
        """Return a text without the values that were learned."""
        for form, told in self._forms():
            if form in text:
                text = text.replace(form, told)
        return text

    def _forms(self) -> list[tuple[str, str]]:
        """Return what is replaced, the longest first: a shorter one may be a part of it."""
        if self._longest_first is None:
            self._longest_first = sorted(self._known.items(), key=lambda each: -len(each[0]))
        return self._longest_first

    def _user(self, found: re.Match[str]) -> str:
        told = (found["user"], found["password"])
        return ":".join(
            each if is_filled_in(each) else self.tokens.of(unquote(each)) for each in told
        )

    def _behind(self, found: re.Match[str]) -> str:
        return f"{found['before']}{self.tokens.of(found['value'])}"

    def _assigned(self, found: re.Match[str]) -> str:
        group = next(each for each in ("double", "single", "bare") if found[each] is not None)
        value = found[group]
        if not (_is_secret(found["name"], value) or looks_random(value)):
            return found[0]
        start = found.start(group) - found.start()
        return f"{found[0][:start]}{self.tokens.of(value)}{found[0][start + len(value) :]}"


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) and not is_filled_in(value) and value not in _NO_SECRETS


def _is_named_value(value: Json) -> bool:
    return isinstance(value.get("name"), str) and isinstance(value.get("value"), str)


def _option_before(values: list[Any], place: int) -> str:
    """Return the option whose value this may be: `--secret-key VALUE`."""
    before = values[place - 1] if place else None
    return (
        before if isinstance(before, str) and before.startswith("-") and "=" not in before else ""
    )


def _metadata(found: Any, redactor: Redactor) -> Any:
    if not isinstance(found, Mapping):
        return found
    told = {
        key: value if key in _KEPT_METADATA else redactor.value(value)
        for key, value in found.items()
        if key not in ("managedFields", "annotations")
    }
    annotations = found.get("annotations")
    if isinstance(annotations, Mapping):
        told["annotations"] = {
            key: redactor.tokens.of(str(value))
            if key == _DATA_HASH
            else redactor.value(value, True, key)
            for key, value in annotations.items()
            if key != _LAST_APPLIED
        }
    writers = [*_writers_of_data(found)]
    return told | ({"managedFields": writers} if writers else {})


def _writers_of_data(metadata: Json) -> Iterator[dict[str, Any]]:
    """Yield who wrote data and when, which is recorded nowhere else."""
    entries = metadata.get("managedFields")
    for entry in entries if isinstance(entries, list) else []:
        fields = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
        if isinstance(fields, Mapping) and fields.get("f:data") is not None:
            yield {**entry, "fieldsV1": {"f:data": {}}}


def _data_of(secret: Json) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a Secret."""
    data, texts = secret.get("data"), secret.get("stringData")
    for name, value in (data if isinstance(data, Mapping) else {}).items():
        if isinstance(value, str):
            try:
                yield name, b64decode(value).decode(errors="surrogateescape")
            except (Base64Error, ValueError):
                yield name, value
    for name, value in (texts if isinstance(texts, Mapping) else {}).items():
        if isinstance(value, str):
            yield name, value


def _settings_in(value: str) -> dict[str, Any] | None:
    """Return the settings in a text, such as Loki's configuration; None for anything else."""
    if "\n" not in value.strip() and not value.lstrip().startswith("{"):
        return None
    document = _PARSE(value)
    return document if isinstance(document, dict) else None


def _strict_values(value: Any, *, strict: bool, name: str = "") -> Iterator[str]:
    """Yield the secrets in settings; strict: everything that is not clearly something else."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _strict_values(each, strict=strict, name=str(key))
    elif isinstance(value, list):
        for each in value:
            yield from _strict_values(each, strict=strict, name=name)
    elif isinstance(value, str):
        hidden = not is_plain(name, value) if strict else _is_secret(name, value)
        if (hidden and not is_filled_in(value)) or looks_random(value):
            yield from _lines_of(value)


def _named_values(value: Any, *, inside: bool, name: str = "") -> Iterator[str]:
    """Yield the values with a secret's name in an object that is not a Secret."""
    if isinstance(value, Mapping):
        paired = inside and _is_named_value(value)
        for key, each in value.items():
            called = str(value["name"]) if paired and key == "value" else str(key)
            yield from _named_values(each, inside=inside, name=called)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            before = _option_before(value, place) if inside else ""
            yield from _named_values(each, inside=inside, name=before)
    elif isinstance(value, str) and inside:
        document = _settings_in(value)
        if document is not None:
            yield from _strict_values(document, strict=False)
        elif _is_secret(name, value):
            yield from _lines_of(value)


def _lines_of(value: str) -> Iterator[str]:
    """Yield a value, and its lines: in a text they have blanks before them."""
    yield value
    if "\n" in value.strip():
        yield from (line for line in value.splitlines() if len(line.strip()) >= 2 * _SHORTEST)


def _forms_of(body: str) -> Iterator[str]:
    """Yield the forms in which a text may contain a value."""
    yield body
    plain = body.encode(errors="surrogateescape")
    yield b64encode(plain).decode()
    yield b64encode(plain + b"\n").decode()
    yield json.dumps(body)[1:-1]
    if body.isascii():
        yield quote(body, safe="")
        yield quote_plus(body)
        yield quote(body)


def form_of(token: str, form: str, body: str) -> str:
    """Return a token in the form of its value."""
    forms = dict(zip(_forms_of(body), _forms_of(token), strict=False))
    return forms.get(form, token)
