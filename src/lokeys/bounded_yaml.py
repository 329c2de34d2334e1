# SPDX-License-Identifier: Apache-2.0
"""YAML from anybody: its size is checked, event by event, before a value is built from it.

A few hundred bytes of aliases expand to gigabytes, and libyaml's composer ends the whole process if
the text is nested too deeply.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 64
_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_NO_TAGS = "a manifest is plain data: remove the `!` and what follows it"


class TooMuch(Exception):
    """The text must not be built; `line` counts from 1."""

    def __init__(self, problem: str, *, line: int, hint: str | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.hint = hint


def weigh(text: str, *, max_values: int) -> None:
    """Reject text that is nested too deeply, is too large with aliases expanded, or has tags.

    Raises TooMuch, and yaml.YAMLError if the text is not valid YAML.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        anchor = getattr(event, "anchor", None) or ""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:  # unknown, or of a node that is not complete: a cycle
                raise TooMuch(f"alias `{anchor[:63]}` stands for nothing", line=line)
            total += sizes[anchor]
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = total - before + 1
        elif isinstance(event, yaml.NodeEvent):
            if getattr(event, "tag", None) not in _TAGS:
                raise TooMuch("a tag that says how to build a value", line=line, hint=_NO_TAGS)
            total += 1
            sizes[anchor] = 1
            if isinstance(event, yaml.CollectionStartEvent):
                sizes.pop(anchor)
                open_nodes.append((anchor, total))
        if len(open_nodes) > MAX_DEPTH:
            raise TooMuch(f"nested deeper than {MAX_DEPTH}", line=line)
        if total > max_values:
            raise TooMuch(
                f"more than {max_values} values, its aliases written out",
                line=line,
                hint="write out what is meant, without aliases",
            )


def built(text: str, *, max_values: int = 100_000) -> Any:
    """Return the value of a text of one document; None if it is not valid YAML or too large."""
    try:
        weigh(text, max_values=max_values)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (TooMuch, yaml.YAMLError, ValueError):
        return None
