# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor --config FILE`: what Loki's own configuration shows, alone or with its log."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from yaml import YAMLError

from lokeys.adapters.files.manifests import STDIN, ManifestText, content_of
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.route.configured import Configuration, configuration_of
from lokeys.errors import BadInput

_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)


def configuration_in(path: str, *, expands: bool | None) -> Configuration:
    """Return what a configuration says. Raises BadInput if the file is not one."""
    if path == STDIN:
        hint = "write it into a file: stdin is for a log"
        raise BadInput("a configuration is read from a file", place="stdin", hint=hint)
    try:
        text = content_of(Path(path)).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("not UTF-8 text", place=path, hint="save it as UTF-8") from None
    manifest = ManifestText(text)

    def line_of(field: tuple[str, ...]) -> int | None:
        try:
            return manifest.position_of((0,), field)[0]
        except (YAMLError, IndexError):  # it is YAML only with its variables expanded
            return None

    told = configuration_of(text, name=path, parse=_PARSE, expands=expands, line_of=line_of)
    if told.unread:
        hint = "give the file that -config.file names, or what Loki's /config page shows"
        raise BadInput(told.unread, place=path, hint=hint)
    return told
