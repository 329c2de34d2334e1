# SPDX-License-Identifier: Apache-2.0
"""What the fields of a kubeconfig may hold: checked before they are used.

A fault names the field by its path in the file, and the form of its value, never the value: it may
be a token, or contain one.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lokeys.core.place import is_namespace
from lokeys.core.text.words import form
from lokeys.errors import BadInput

MAX_URL = 8192
_PATH_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?(\.[a-z0-9_-]{1,63})*\.?")
_VARIABLE = re.compile(r"[^=\x00]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a field may hold, in words and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def carryable(text: str) -> bool:
    """Tell whether an HTTP header can hold the text unchanged."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _whole(text: object) -> bool:
    """Tell whether it is text that can be encoded: no half of a surrogate pair."""
    return isinstance(text, str) and not re.search("[\ud800-\udfff]", text)


def _line(text: object) -> bool:
    return isinstance(text, str) and _whole(text) and not re.search(r"[\x00-\x1f\x7f]", text)


def is_host(text: str) -> bool:
    """Tell whether the text names a host: a DNS name or an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text.lower()) is not None
    return True


def _lines(value: object) -> bool:
    return isinstance(value, list) and all(map(_line, value))


def _headers(value: object) -> bool:
    return _lines(value) and all(map(carryable, value))  # type: ignore[call-overload]


def _environment(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, Mapping)
        and _whole(entry.get("name"))
        and _VARIABLE.fullmatch(entry["name"]) is not None
        and _whole(entry.get("value", ""))
        and "\0" not in entry.get("value", "")
        for entry in value
    )


LINE = Form(expected="one line of text", holds=_line)
TEXT = Form(expected="text", holds=_whole)
FLAG = Form(expected="true or false", holds=lambda value: isinstance(value, bool))
DATA = Form(expected="base64 text", holds=lambda value: _whole(value) and value.isascii())
HEADER = Form(
    expected="text without line breaks, control characters or spaces around it, in ASCII",
    holds=lambda value: isinstance(value, str) and carryable(value),
)
HEADERS = Form(expected="a list of texts, each one line of ASCII", holds=_headers)
LINES = Form(expected="a list of texts, each one line", holds=_lines)
NAMESPACE = Form(expected="a namespace's name, of a-z, 0-9 and -", holds=is_namespace)
HOST = Form(expected="a host's name", holds=lambda value: _line(value) and is_host(value))
OBJECT = Form(expected="an object", holds=lambda value: isinstance(value, Mapping))
VARIABLES = Form(expected="a list of `name` and `value`, both text", holds=_environment)

Fields = Mapping[str, Form]
CONTEXT: Fields = {"cluster": LINE, "user": LINE, "namespace": NAMESPACE}
CLUSTER: Fields = {
    "server": LINE,
    "certificate-authority": LINE,
    "certificate-authority-data": DATA,
    "insecure-skip-tls-verify": FLAG,
    "proxy-url": LINE,
    "tls-server-name": HOST,
}
USER: Fields = {
    "token": HEADER,
    "tokenFile": LINE,
    "username": TEXT,
    "password": TEXT,
    "client-certificate": LINE,
    "client-certificate-data": DATA,
    "client-key": LINE,
    "client-key-data": DATA,
    "as": HEADER,
    "as-groups": HEADERS,
    "auth-provider": OBJECT,
    "exec": OBJECT,
}
EXEC: Fields = {
    "apiVersion": LINE,
    "command": LINE,
    "args": LINES,
    "env": VARIABLES,
    "installHint": TEXT,
    "interactiveMode": LINE,
    "provideClusterInfo": FLAG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry is: its file, and the path in it."""

    file: str
    path: str

    def fault(self, field: str, problem: str, *, hint: str | None = None) -> BadInput:
        """Return the error for one field of the entry."""
        return BadInput(f"`{self.path}.{field}` {problem}", place=self.file, hint=hint)


def checked(entry: Mapping[str, Any], fields: Fields, *, place: Place) -> dict[str, Any]:
    """Return the entry's known fields, without null and empty text. Raises BadInput."""
    kept: dict[str, Any] = {}
    for name, wanted in fields.items():
        value = entry.get(name)
        if value is None or value == "":
            continue
        if not wanted.holds(value):
            raise place.fault(
                name, f"is not usable (found {form(value)})", hint=f"it must be {wanted.expected}"
            )
        kept[name] = value
    return kept


def check_user(user: Mapping[str, Any], *, place: Place) -> dict[str, Any]:
    """Return the user's entry, checked. Raises BadInput."""
    kept = checked(user, USER, place=place)
    if "exec" in kept:
        plugin = Place(file=place.file, path=f"{place.path}.exec")
        kept["exec"] = checked(kept["exec"], EXEC, place=plugin)
    for half, other in (("client-certificate", "client-key"), ("client-key", "client-certificate")):
        given = half in kept or f"{half}-data" in kept
        if given and not (other in kept or f"{other}-data" in kept):
            raise place.fault(half, f"comes without `{other}`", hint="give both, or neither")
    others = {"exec", "token", "tokenFile", "username", "client-certificate"}
    if "auth-provider" in kept and not others & {name.removesuffix("-data") for name in kept}:
        raise place.fault("auth-provider", "is no longer supported", hint="use an exec plugin")
    return kept


def check_cluster(cluster: Mapping[str, Any], *, place: Place) -> dict[str, Any]:
    """Return the cluster's entry, checked. Raises BadInput."""
    kept = checked(cluster, CLUSTER, place=place)
    if "server" in kept:
        url = _url(kept["server"])
        hint = "https://HOST:PORT"
        if url is None or url.query or url.fragment:
            raise place.fault("server", "is no http or https URL", hint=hint)
        if "@" in url.netloc:
            problem = "holds a user name or password: not sent, and not shown"
            raise place.fault("server", problem, hint=f"write {hint}; a user's entry holds those")
    if "proxy-url" in kept and not is_proxy(kept["proxy-url"]):
        raise place.fault("proxy-url", "is no URL of a proxy", hint="http://HOST:PORT")
    return kept


def is_proxy(text: str) -> bool:
    """Tell whether calls can go through a proxy of this URL."""
    return _url(text) is not None


def _url(text: str) -> SplitResult | None:
    """Return the parts of an http(s) URL; None if it is not valid."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    sound = _line(text) and " " not in text and len(text) <= MAX_URL and url.port != 0
    if sound and url.scheme in ("http", "https") and is_host(url.hostname or ""):
        return url
    return None


@dataclass(frozen=True, slots=True)
class KubeconfigEntry:
    """One entry of a file, and where it is; judged only when it is chosen."""

    body: Mapping[str, Any] = field(repr=False)
    place: Place
    folder: Path

    def context(self) -> dict[str, Any]:
        """Return a context's fields. Raises BadInput."""
        return checked(self.body, CONTEXT, place=self.place)

    def cluster(self) -> dict[str, Any]:
        """Return a cluster's fields. Raises BadInput."""
        return self._absolute(check_cluster(self.body, place=self.place))

    def user(self) -> dict[str, Any]:
        """Return a user's fields. Raises BadInput."""
        return self._absolute(check_user(self.body, place=self.place))

    def _absolute(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the entry with paths of files and plugin resolved from its own file."""
        found = dict(entry)
        for name in _PATH_FIELDS:
            if name in entry:
                found[name] = str(self.folder / entry[name])
        plugin = entry.get("exec", {})
        if os.sep in plugin.get("command", ""):
            found["exec"] = {**plugin, "command": str(self.folder / plugin["command"])}
        return found
