# SPDX-License-Identifier: Apache-2.0
"""From the name of a field in the store to its name in External Secrets, for `extract`.

rewrite (one after the other)     regexp, transform     no conversion follows else
conversionStrategy           Default: `_` for all but letters, digits and `-._`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from lokeys.core.kubernetes.external_secrets.template import (
    NotFollowed,
    Parts,
    Variable,
    parsed,
    rendered,
)
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at

_MAX_SOURCE = 200
_MAX_NAME = 253
_MAX_STEPS = 4
_MAX_REPEATS = 2
"""Repeats in one expression: with more of them, matching a name could take too long."""

# What Go and Python treat alike: no flags, no repeated groups, no counts, no lookaround.
_CLASS = r"\[\^?(?:[A-Za-z0-9 _./:-]|\\[wWdDsS./-])+\]"
_ESCAPED = r"\\[wWdDsS.^$*+?()|{}\[\]/-]"
_ONE = rf"(?:{_CLASS}|{_ESCAPED}|[A-Za-z0-9 _/:@,#%=&~!.-])[*+?]?"
_SOURCE = re.compile(rf"\^?(?:{_ONE}|\((?:{_ONE})*\))*\$?")
_REPEAT = re.compile(r"(?<!\\)[*+?]")
_END = re.compile(r"(?<!\\)\$\Z")
_EVERYTHING = re.compile(r"\^?\(\.[*+]\)\$?")
_GROUP = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_UNICODE = re.compile(r"_U[0-9a-f]{4,6}_")


class Unknown(Enum):
    """Why a field's name in the store cannot be determined from its name here."""

    NONE = "no field has this name"
    SEVERAL = "more than one field can have this name"


@dataclass(frozen=True, slots=True)
class Regexp:
    """Each match of an expression is replaced."""

    source: str
    target: str

    def new(self, name: str) -> str:
        """Return the name with each match replaced, as Go does."""
        end, position, out = -1, 0, ""
        for match in _compiled(self.source).finditer(name):
            if match.end() == match.start() == end:
                continue  # Go ignores an empty match that follows another one
            out += name[position : match.start()] + self._expanded(match)
            position = end = match.end()
        return out + name[position:]

    def _expanded(self, match: re.Match[str]) -> str:
        def group(reference: re.Match[str]) -> str:
            name = reference[1] or reference[2] or ""
            number = int(name) if name.isascii() and name.isdigit() else -1
            found = match[number] if 0 <= number <= match.re.groups else ""
            return "$" if reference[0] == "$$" else found or ""

        return _GROUP.sub(group, self.target)

    def before(self, name: str) -> str | Unknown:
        """Return the name before, if the expression matches all of every name."""
        groups = [found for found in _GROUP.finditer(self.target) if found[0] != "$$"]
        if not _EVERYTHING.fullmatch(self.source) or len(groups) != 1:
            return Unknown.SEVERAL
        if (groups[0][1] or groups[0][2]) not in ("0", "1"):
            return Unknown.SEVERAL
        start, end = self.target[: groups[0].start()], self.target[groups[0].end() :]
        return _between(start.replace("$$", "$"), name, end.replace("$$", "$"))


@dataclass(frozen=True, slots=True)
class Transform:
    """A template makes the new name from `.value`."""

    parts: Parts

    def new(self, name: str) -> str | None:
        """Return the template's result for a name."""
        return rendered(self.parts, lambda variable: name if variable == "value" else None)

    def before(self, name: str) -> str | Unknown:
        """Return the name before, if the template only adds text."""
        fields = [each for each in self.parts if isinstance(each, Variable)]
        if fields != [Variable("value")]:
            return Unknown.SEVERAL
        place = self.parts.index(fields[0])
        before, after = self.parts[:place], self.parts[place + 1 :]
        return _between("".join(map(str, before)), name, "".join(map(str, after)))


@dataclass(frozen=True, slots=True)
class Conversion:
    """Characters that a Secret's key may not have are replaced."""

    strategy: str

    def new(self, name: str) -> str:
        """Return the name with invalid characters replaced."""
        return "".join(map(self._letter, name))

    def _letter(self, one: str) -> str:
        if one.isnumeric() or one.isalpha() or one in "-._" or self.strategy == "None":
            return one
        return f"_U{ord(one):04x}_" if self.strategy == "Unicode" else "_"

    def before(self, name: str) -> str | Unknown:
        """Return the name before; each `_` may have been another character."""
        replaced = _UNICODE.search(name) if self.strategy == "Unicode" else "_" in name
        return Unknown.SEVERAL if replaced and self.strategy != "None" else name


def delivered_names(label: str) -> frozenset[str]:
    """Return the possible names in External Secrets of a whole item's field with this label.

    This assumes that only `conversionStrategy` renames it.
    """
    return frozenset(Conversion(each).new(label) for each in ("Default", "Unicode"))


def _between(start: str, name: str, end: str) -> str | Unknown:
    middle = name[len(start) : len(name) - len(end)]
    return middle if middle and start + middle + end == name else Unknown.NONE


def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(_END.sub(r"\\Z", source), re.ASCII)


Step = Regexp | Transform | Conversion


@dataclass(frozen=True, slots=True)
class Renaming:
    """All changes to a name, in order."""

    steps: tuple[Step, ...]

    def new(self, name: str) -> str | None:
        """Return what a field of the store is called here, None if that is not known."""
        new: str | None = name
        for step in self.steps:
            new = step.new(new) if new is not None and len(new) <= _MAX_NAME else None
        return new

    def before(self, name: str) -> str | Unknown:
        """Return what a field is called in the store, as far as its name here reveals it."""
        before: str | Unknown = name
        for step in reversed(self.steps):
            before = step.before(before) if isinstance(before, str) else before
        return before


def renaming_of(entry: Json) -> Renaming | NotFollowed:
    """Return how an entry of `dataFrom` changes names, or why that is not followed."""
    steps: list[Step] = []
    rewrite = mappings_at(entry, "rewrite")
    if len(rewrite) > _MAX_STEPS:
        return NotFollowed(f"`rewrite` has more than {_MAX_STEPS} steps")
    for each in rewrite:
        step = _step(each)
        if isinstance(step, NotFollowed):
            return step
        steps.append(step)
    strategy = text_at(entry, "extract", "conversionStrategy") or "Default"
    return Renaming(tuple(steps) or (Conversion(strategy),))


def _step(entry: Json) -> Step | NotFollowed:
    if at(entry, "regexp") is not None:
        return _regexp(text_at(entry, "regexp", "source"), text_at(entry, "regexp", "target"))
    if at(entry, "transform") is not None:
        template = text_at(entry, "transform", "template")
        if len(template) > _MAX_SOURCE:
            return NotFollowed("`rewrite` uses a template that is too long")
        parts = parsed(template)
        return Transform(parts) if isinstance(parts, tuple) else parts
    return NotFollowed("`rewrite` depends on the values")


def _regexp(source: str, target: str) -> Regexp | NotFollowed:
    refused = NotFollowed("`rewrite` uses an expression that is not followed")
    if len(source) > _MAX_SOURCE or "--" in source or not _SOURCE.fullmatch(source):
        return refused
    if len(_REPEAT.findall(source)) > _MAX_REPEATS or len(target) > _MAX_SOURCE:
        return refused
    try:
        _compiled(source)
    except re.error:
        return refused
    return Regexp(source, target)
