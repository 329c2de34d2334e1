# SPDX-License-Identifier: Apache-2.0
"""A figure with the bound it should keep; how a run of them is shown and kept."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `at_most` or `at_least`: what design and issue ask for, if they do."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Tell whether the bound is kept; None where there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return self.value >= self.at_least if self.at_least is not None else None

    @property
    def bound(self) -> str:
        """Return the bound as text."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> Self:
        """Return a figure that was kept."""
        return cls(**{field.name: row[field.name] for field in dataclasses.fields(cls)})

    def to_json(self) -> dict[str, object]:
        """Return the figure as it is kept."""
        return {**dataclasses.asdict(self), "met": self.met}


def amount(value: float) -> str:
    """Return a number with as many digits as mean something."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = [("what", "figure", "bound", "kept", "note"), ("---", "--:", "--:", "---", "---")]
    for each in figures:
        kept = {True: "yes", False: "**no**", None: ""}[each.met]
        figure = f"{amount(each.value)} {each.unit}".strip()
        rows.append((each.name, figure, each.bound, kept, each.note))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
