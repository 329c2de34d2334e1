# SPDX-License-Identifier: Apache-2.0
r"""Text that Loki reads as it was meant, after it has expanded the variables in its configuration.

With `-config.expand-env` Loki first reads the whole file as a template of drone/envsubst, and only
then as YAML: `${NAME}` is replaced, `$$` becomes `$`, and `\\` and `\/` become `\` and `/`, in
quotes or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.core.text.yaml import Block


def from_environment(name: str) -> Block:
    """Return a variable that Loki replaces; as a block, so that no value breaks the YAML."""
    return Block(f"${{{name}}}")


def expandable(value: Any) -> Any:
    """Return a value in which every text except a variable's name survives the expansion."""
    match value:
        case Block():
            return value
        case str():
            return value.replace("\\", "\\\\").replace("$", "$$")
        case Mapping():
            return {expandable(key): expandable(item) for key, item in value.items()}
        case list() | tuple():
            return [expandable(item) for item in value]
    return value
