# SPDX-License-Identifier: Apache-2.0
"""Decides by its first bytes what an input is: one place for files, stdin and bundles."""

from __future__ import annotations

import re
from enum import StrEnum

HEAD_BYTES = 65_536
"""As much of an input as tells what it is."""
_ODD = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_MANY = 0.05
_TAR_MAGIC, _TAR_AT, _ZIP_MAGIC = b"ustar", 257, b"PK\x03\x04"
_MANIFEST = re.compile(
    r"(?:[ \t]*(?:#[^\n]{0,4096})?\r?\n|---[^\n]{0,256}\n){0,64}"
    r"(?:(?:apiVersion|kind):[ \t]|\{[ \t]{0,8}\r?\n\s{0,16}\"(?:apiVersion|kind)\":)"
)
_SECTION = re.compile(
    r"^(auth_enabled|server|common|schema_config|storage_config|limits_config|ingester|querier"
    r"|compactor|ruler|memberlist|query_range|frontend|distributor|analytics|bloom_build"
    r"|chunk_store_config|table_manager|target|query_scheduler|pattern_ingester):",
    re.MULTILINE,
)
_SECTIONS = 2
"""So many sections of Loki's make a configuration; a log has none at the start of a line."""


class Kind(StrEnum):
    """What an input can be."""

    EMPTY = "nothing"
    BINARY = "binary data"
    BUNDLE = "an archive"
    MANIFEST = "a manifest of Kubernetes"
    CONFIGURATION = "Loki's configuration"
    LOG = "a log"


def kind_of(head: bytes) -> Kind:
    """Return what an input is whose text begins so; gzip and UTF-16 were undone before."""
    if not head.strip(b" \t\r\n\v\f\0"):
        return Kind.EMPTY
    if head[_TAR_AT:].startswith(_TAR_MAGIC) or head.startswith(_ZIP_MAGIC):
        return Kind.BUNDLE
    head = head.lstrip(b"\0")  # what a log that was cut while it was written begins with
    odd = len(head) - len(head.translate(None, _ODD))
    if odd > _MANY * len(head):
        return Kind.BINARY
    return _kind_of_text(head.removeprefix(b"\xef\xbb\xbf").decode("latin-1"))


def _kind_of_text(head: str) -> Kind:
    if _MANIFEST.match(head):
        return Kind.MANIFEST
    if len({found[1] for found in _SECTION.finditer(head)}) >= _SECTIONS:
        return Kind.CONFIGURATION
    return Kind.LOG
