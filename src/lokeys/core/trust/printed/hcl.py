# SPDX-License-Identifier: Apache-2.0
"""The part of Terraform's language that is written here: blocks, texts, lists, references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lokeys.core.text.words import escaped, printable


@dataclass(frozen=True, slots=True)
class Reference:
    """An expression that is written as it is, such as `aws_iam_role.loki.arn`."""

    text: str


@dataclass(frozen=True, slots=True)
class HclJson:
    """A document, as `jsonencode(…)`."""

    content: Any


Value = str | bool | Reference | HclJson | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HclBlock:
    """One block: its kind, its labels, and its content."""

    kind: str
    labels: tuple[str, ...]
    body: tuple[tuple[str, Value] | HclBlock, ...]


def hcl(blocks: Sequence[HclBlock], *, comment: str = "") -> str:
    """Return blocks as a Terraform file, with `comment` at its end."""
    parts = ["\n".join(_lines(block, "")) for block in blocks]
    if comment:
        parts.append("\n".join(f"# {printable(line)}" for line in comment.split("\n")))
    return "\n\n".join(parts) + "\n"


def _lines(block: HclBlock, indent: str) -> Iterator[str]:
    labels = "".join(f" {_text(label)}" for label in block.labels)
    yield f"{indent}{block.kind}{labels} {{"
    names = [part[0] for part in block.body if not isinstance(part, HclBlock)]
    room = max(map(len, names), default=0)
    for part in block.body:
        if isinstance(part, HclBlock):
            yield from _lines(part, f"{indent}  ")
        else:
            name, value = part
            yield f"{indent}  {name:<{room}} = {_value(value, f'{indent}  ')}"
    yield f"{indent}}}"


def _value(value: Value, indent: str) -> str:
    match value:
        case Reference():
            return value.text
        case HclJson():
            text = _escaped(json.dumps(value.content, indent=2))
            return "jsonencode(" + text.replace("\n", f"\n{indent}") + ")"
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case Mapping():
            inner = ", ".join(f"{_text(key)} = {_text(each)}" for key, each in value.items())
            return f"{{ {inner} }}"
    return "[" + ", ".join(map(_text, value)) + "]"


def _text(text: str) -> str:
    return _escaped(f'"{escaped(text)}"')


def _escaped(text: str) -> str:
    """Return text that Terraform does not expand."""
    return text.replace("${", "$${").replace("%{", "%%{")
