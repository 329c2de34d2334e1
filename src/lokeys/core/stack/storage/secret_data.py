# SPDX-License-Identifier: Apache-2.0
"""A Secret's data, from its manifest or from the manifest of what makes it.

Makers reveal names, and the values that their templates have in final form. What SOPS has
encrypted, and what is filled in before a manifest is applied, has a name and no value.

The only place in the core that looks at values: only their form leaves `lokeys.core.stack.storage`.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.catalogue.storage_objects import FILLED_IN_LATER
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.storage.fields import KNOWN_KEYS
from lokeys.core.stack.storage.values import seen
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.variables import is_filled_in
from lokeys.core.text.words import form, object_name, quoted

if TYPE_CHECKING:  # most inputs have no maker of Secrets, and start sooner without their readers
    from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret
    from lokeys.core.kubernetes.made import Made

WHOLE_FILE = "key.json"
"""The key whose value, not its name, decides the stack's mode."""

_VAULT_PATH = "avp.kubernetes.io/path"  # Argo CD's vault plugin: then it reads `<key>`
_ENCRYPTED = "ENC["  # how SOPS writes a value
_PLAIN = re.compile("[A-Za-z0-9+/]{3,512}={0,2}")
_BY_CHANCE = "is plain text, not base64: decoded it is no text"
_ASCII = range(0x20, 0x7F)
_LISTED = 8
"""Keys that a finding names."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_KEY = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretData:
    """What is known about a Secret. `values` None: only key names are (an ExternalSecret).

    `complete` tells whether there will be no more keys; `spoilt` are keys whose value is not known:
    invalid, which is reported already, or encrypted; `whole` tells whether nothing in the manifest
    is.
    """

    ref: Ref
    values: Mapping[str, Sensitive] | None = None
    keys: frozenset[str] = frozenset()
    complete: bool = True
    spoilt: frozenset[str] = frozenset()
    whole: bool = True
    made_by: Ref | None = None

    def has(self, key: str) -> bool:
        """Tell whether the key exists and, as far as known, is more than white space."""
        if key in self.spoilt:
            return True
        if self.values is None:
            return key in self.keys
        value = self.values.get(key)
        return value is not None and bool(value.reveal().strip())

    def may_have(self, key: str) -> bool:
        """Tell whether the key exists, or may exist."""
        return self.has(key) or not self.complete

    def raw(self, key: str) -> bytes:
        """Return a value's bytes; empty if it is absent or unknown."""
        value = (self.values or {}).get(key)
        return value.reveal() if value else b""

    def text(self, key: str) -> str:
        """Return a value without outer invisible characters; empty if absent or unknown."""
        return seen(self.raw(key).decode(errors="replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A Secret's manifest, read."""

    data: SecretData
    findings: tuple[Finding, ...] = field(default=())


def secret_data(manifest: Mapping[str, Any], *, ref: Ref, stack: Ref) -> Decoded:
    """Return the data of a Secret; `stringData` takes precedence, as in the API server."""
    values: dict[str, Sensitive] = {}
    findings: list[Finding] = []
    spoilt: set[str] = set()
    unknown: set[str] = set()
    sops = isinstance(manifest.get("sops"), Mapping)
    annotations = _mapping(_mapping(manifest.get("metadata")).get("annotations"))
    from_vault = _VAULT_PATH in annotations
    for part in ("data", "stringData"):
        for key, value in _entries(manifest.get(part), part, ref, stack, findings):
            if not _KEY.fullmatch(key):
                findings.append(_no_key(f"{part}.{key}", ref, stack))
                continue
            if not isinstance(value, str):
                words = {"found": form(value), "expected": "a text"}
                name = f"{part}.{key}"
                remedy = (rules.UNDER_STRING_DATA, rules.IN_QUOTES) if part == "data" else None
                findings.append(
                    tell(rules.BAD_DATA, ref, stack=stack, field=name, words=words, remedy=remedy)
                )
                spoilt.add(key)
                continue
            # In a cluster it is base64, which contains none of these.
            placeholder = from_vault and value.startswith("<")
            if (sops and value.startswith(_ENCRYPTED)) or is_filled_in(value) or placeholder:
                spoilt.add(key)
                unknown.add(key)
                continue
            decoded = _bytes(value) if part == "data" else value.encode(errors="surrogatepass")
            plain = part == "data" and decoded is not None and _is_plain(key, value, decoded)
            if decoded is None or plain:
                words = {"found": _BY_CHANCE if plain else _no_base64(value)}
                other = rules.SET_FILE_FIELD if key == "key.json" else rules.SET_SECRET_FIELD
                remedy = (rules.UNDER_STRING_DATA, other)
                findings.append(
                    tell(rules.BAD_BASE64, ref, stack=stack, field=key, words=words, remedy=remedy)
                )
                spoilt.add(key)
            else:
                values[key] = Sensitive(decoded)
                spoilt.discard(key)
    keys = frozenset(values) | spoilt
    data = SecretData(
        ref=ref,
        values=None if WHOLE_FILE in unknown else values,
        keys=keys,
        spoilt=frozenset(spoilt),
        whole=not findings,
    )
    if unknown:
        words = {"keys": _some(unknown)}
        findings.append(tell(FILLED_IN_LATER, ref, stack=stack, words=words))
    return Decoded(data=data, findings=tuple(findings))


def _entries(
    part: object, name: str, ref: Ref, stack: Ref, findings: list[Finding]
) -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        yield from ((str(key), value) for key, value in part.items() if value is not None)
    elif part is not None:
        words = {"found": form(part), "expected": "a mapping of names to texts"}
        findings.append(tell(rules.BAD_DATA, ref, stack=stack, field=name, words=words))


def _some(keys: Collection[str]) -> str:
    """Return names of keys in the form used in a sentence."""
    names, more = [quoted(key) for key in sorted(keys)[:_LISTED]], len(keys) - _LISTED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _no_key(field: str, ref: Ref, stack: Ref) -> Finding:
    words = {"found": "no name of a key", "expected": "letters, digits, `-`, `_` and `.` alone"}
    remedy = (rules.NAME_OTHERWISE,)
    return tell(rules.BAD_DATA, ref, stack=stack, field=field, words=words, remedy=remedy)


def _no_base64(value: str) -> str:
    return f"is not base64: {form(value)}"


def _is_plain(key: str, value: str, decoded: bytes) -> bool:
    """Tell whether text under `data` was meant literally, although it happens to be base64.

    All keys that a store reads hold text. Keys of AWS and Ceph (20 and 40 characters) and Azure's
    (88) are always valid base64; decoded they are not text. If the result is mostly ASCII, it was
    encoded, from text in another encoding.
    """
    if key not in KNOWN_KEYS or key == WHOLE_FILE or not _PLAIN.fullmatch(value):
        return False
    if value.endswith("=") and key != "account_key":
        return False
    if decoded.startswith(_UTF_16) or sum(map(_ASCII.__contains__, decoded)) * 4 > len(decoded) * 3:
        return False
    try:
        return not all(map(_is_ordinary, decoded.decode()))
    except UnicodeDecodeError:
        return True


def _is_ordinary(letter: str) -> bool:
    return letter.isprintable() or letter.isspace() or unicodedata.category(letter) == "Cf"


def _bytes(value: str) -> bytes | None:
    """Return base64 decoded as in Go: line breaks are allowed."""
    try:
        return b64decode(value.replace("\n", "").replace("\r", "").encode(), validate=True)
    except (Base64Error, ValueError):
        return None


def external_secret_data(said: ExternalSecret, *, ref: Ref) -> SecretData:
    """Return what an ExternalSecret says about the Secret that it makes: its keys, and literals."""
    namespace = ref.namespace if said.ref.kind == "ExternalSecret" else None
    made_by = Ref(said.ref.kind, object_name(said.ref.name), namespace)
    literals = {key: text for key in said.template if (text := said.literal(key)) is not None}
    return _told(ref, made_by, said.keys, literals, complete=said.names_all_keys)


def made_secret_data(made: Made, *, ref: Ref) -> SecretData:
    """Return what any other object says about the Secret that it makes."""
    made_by = Ref(made.maker.kind, object_name(made.maker.name), made.maker.namespace)
    return _told(ref, made_by, made.keys, made.literals, complete=made.complete)


def _told(
    ref: Ref, made_by: Ref, keys: frozenset[str], literals: Mapping[str, str], *, complete: bool
) -> SecretData:
    """Return what is known about a made Secret. A file is known completely, or not at all."""
    unknown = keys - literals.keys()
    values = {key: Sensitive(text.encode(errors="surrogatepass")) for key, text in literals.items()}
    known = bool(literals) and WHOLE_FILE not in unknown
    return SecretData(
        ref=ref,
        values=values if known else None,
        keys=keys,
        spoilt=unknown if known else frozenset(),
        complete=complete,
        made_by=made_by,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
