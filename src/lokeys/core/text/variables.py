# SPDX-License-Identifier: Apache-2.0
"""Texts that a tool fills in before a manifest is applied."""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"\$\{[A-Za-z_]|\{\{|<path:")


def is_filled_in(text: str) -> bool:
    """Tell whether a text has a variable of Flux or envsubst, a template, or a path in a vault.

    Flux: `${NAME}`, `${NAME:=default}`; Helm and similar tools: `{{ … }}`; Argo CD's vault plugin:
    `<path:…#key>`. The final value is not known.
    """
    hints = "$" in text or "{{" in text or "<" in text  # a quick check: most texts have none
    return hints and _VARIABLE.search(text) is not None
