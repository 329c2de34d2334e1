# SPDX-License-Identifier: Apache-2.0
"""Where a Loki writes, out of its own configuration. Keys that stand in it are passed over."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES, MAX_LOKI_CONFIG_VALUES
from lokeys.core.route.discovery.model import Environment, LokiStorage
from lokeys.core.route.model import PairKeys

LONGEST_VALUE = 2048
"""Of an address, a name or a variable; what is longer is none."""
_PATHS = (
    ("storage_config", "object_store", "s3"),
    ("common", "storage", "object_store", "s3"),
    ("object_store", "s3"),
    ("common", "storage", "s3"),
    ("storage_config", "aws"),
    ("storage_config", "s3"),
)
"""The newer client's place first: where both are given, that one is used."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-?([^}]*))?\}")


def storage_of(texts: Iterable[str], environment: Environment) -> LokiStorage:
    """Return what the first configuration with an S3 section says."""
    for text in texts:
        for section in _sections(text):
            return _storage(section, environment)
    return LokiStorage()


def texts_of(held: Json) -> list[str]:
    """Return the YAML files in a ConfigMap or Secret."""
    data: Json = held.get("data") or {}
    secret = held.get("kind") == "Secret"
    return [
        decoded(value) if secret else str(value)
        for name, value in data.items()
        if name.endswith((".yaml", ".yml"))
    ]


def decoded(value: object) -> str:
    """Return a Secret's value as text; nothing where it is none."""
    try:
        return b64decode(str(value or "")).decode()
    except (Base64Error, UnicodeDecodeError):
        return ""


def _sections(text: str) -> Iterator[Json]:
    if len(text) > MAX_LOKI_CONFIG_BYTES:
        return
    document = built(text, max_values=MAX_LOKI_CONFIG_VALUES)
    for path in _PATHS:
        section = document
        for name in path:
            section = section.get(name) if isinstance(section, Mapping) else None
        if isinstance(section, Mapping) and section:
            yield section


def _storage(section: Json, environment: Environment) -> LokiStorage:
    def said(*names: str) -> str:
        value = str(next((section[name] for name in names if section.get(name)), ""))
        return _expanded(value, environment) if len(value) <= LONGEST_VALUE else ""

    # `s3://id:secret@host/bucket`: secrets hold slashes, so all up to the last `@` is passed over.
    host, _, path = said("s3").rpartition("@")[2].rpartition("://")[2].partition("/")
    bucket = said("bucket_name", "bucketnames") or path.strip("/")
    endpoint = said("endpoint") or host
    insecure = str(section.get("insecure", "")).lower() == "true"
    style = str(section.get("s3forcepathstyle", section.get("bucket_lookup_type", ""))).lower()
    return LokiStorage(
        bucket=bucket.split(",")[0].strip(),
        endpoint=_url(endpoint, insecure=insecure),
        region=said("region"),
        path_style=style not in ("false", "virtual-hosted", "virtual_hosted"),
        variables=_variables(section),
    )


def _url(endpoint: str, *, insecure: bool) -> str:
    """Return the endpoint as a URL without whatever else stood in it."""
    if not endpoint:
        return ""
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    scheme = parts.scheme or ("http" if insecure else "https")
    where = f"[{host}]" if ":" in host else host
    return f"{scheme}://{where}{port}" if host else ""


def _variables(section: Json) -> PairKeys | None:
    found = [
        _VARIABLE.fullmatch(str(section.get(name, "")).strip())
        for name in ("access_key_id", "secret_access_key")
    ]
    if found[0] is None or found[1] is None:
        return None
    return PairKeys(access_key_id=found[0][1], secret_access_key=found[1][1])


def _expanded(text: str, environment: Environment) -> str:
    """Return text with its variables filled in; empty where one is not known."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        known = environment.values.get(match[1], match[2])
        if known is None or len(known) > LONGEST_VALUE:
            missing = True
            return ""
        return known

    expanded = _VARIABLE.sub(value, text)
    return "" if missing else expanded
