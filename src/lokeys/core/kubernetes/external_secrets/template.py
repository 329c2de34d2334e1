# SPDX-License-Identifier: Apache-2.0
"""Go templates, as far as their result depends on the named fields alone.

    {{ .id }}   {{ .id | trim }}   {{ trim .id }}   {{ index . "access-key" | b64dec }}   and text

Conditions, loops, variables and functions beyond `FUNCTIONS` are not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lokeys.core.kubernetes.external_secrets.functions import FUNCTIONS, LONGEST, Call

MAX_LENGTH = 1 << 16
_MAX_DEPTH = 8
MAX_STEPS = 64
"""Fields and functions in one template."""
_BLANKS = " \t\r\n"
_ACTION = re.compile(
    r"""\{\{(?P<left>-(?=[ \t\r\n]))?
    (?P<inside>(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`|[^"`{}])*?)
    (?P<right>(?<=[ \t\r\n])-)?\}\}""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<field>\.[A-Za-z_]\w*)(?![\w.])|(?P<dot>\.)(?![\w.])|(?P<word>[A-Za-z_]\w*)
    |(?P<text>"(?:[^"\\\n]|\\["\\nrt])*"|`[^`]*`)|(?P<sign>[|()]))""",
    re.VERBOSE | re.ASCII,
)
_KEYWORDS = frozenset(
    {"if", "else", "end", "range", "with", "define", "template", "block", "and", "or", "not"}
)
_LONGEST_WORD = 40
_FORM = "the template uses a form that is not followed"


@dataclass(frozen=True, slots=True)
class NotFollowed:
    """What cannot be determined from an object, and why, as the end of a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A field by its name, and the functions that are applied to its value."""

    name: str
    calls: tuple[Call, ...] = ()


Parts = tuple[str | Variable, ...]
_Token = tuple[str, str]


class _Beyond(Exception):
    """The template uses more than is followed."""


def parsed(text: str) -> Parts | NotFollowed:
    """Return a template's texts and fields in order, or why it is not followed."""
    if len(text) > MAX_LENGTH:
        return NotFollowed("the template is too long")
    try:
        return tuple(_parts(text))
    except _Beyond as beyond:
        return NotFollowed(str(beyond))


def rendered(parts: Parts, value_of: Callable[[str], str | None]) -> str | None:
    """Return the template's result; None if a value is unknown or a function has no result."""
    texts: list[str] = []
    for part in parts:
        text = part if isinstance(part, str) else through(part.calls, value_of(part.name))
        if text is None:
            return None
        texts.append(text)
    result = "".join(texts)
    return result if len(result) <= LONGEST else None


def through(calls: Sequence[Call], value: str | None) -> str | None:
    """Return a value after these function calls."""
    for call in calls:
        if value is None:
            return None
        value = call.of(value)
    return value


def _parts(text: str) -> Iterator[str | Variable]:
    position, trim, steps = 0, False, 0
    for match in _ACTION.finditer(text):
        yield from _plain(text[position : match.start()], left=trim, right=bool(match["left"]))
        position, trim = match.end(), bool(match["right"])
        if not _COMMENT.fullmatch(match["inside"]):
            pipeline = _Pipeline(match["inside"], steps)
            yield pipeline.whole()
            steps = pipeline.steps
    yield from _plain(text[position:], left=trim, right=False)


def _plain(text: str, *, left: bool, right: bool) -> Iterator[str]:
    if "{{" in text:
        raise _Beyond(_FORM)
    text = text.lstrip(_BLANKS) if left else text
    text = text.rstrip(_BLANKS) if right else text
    if text:
        yield text


class _Pipeline:
    """The text between two braces: operands and functions, joined by `|`."""

    def __init__(self, inside: str, steps: int) -> None:
        self.steps = steps
        """Number of fields and functions so far."""
        self._tokens = list(_tokens(inside))
        self._next = 0
        self._depth = 0

    def whole(self) -> str | Variable:
        found = self._pipeline()
        if self._next < len(self._tokens):
            raise _Beyond(_FORM)
        return found

    def _pipeline(self) -> str | Variable:
        found = self._command(None)
        while self._take("|"):
            found = self._command(found)
        return found

    def _command(self, piped: str | Variable | None) -> str | Variable:
        """Return an operand, or a function's result for its operands and the piped value."""
        kind, word = self._peek()
        if kind != "word" and piped is None:
            return self._operand()
        if kind != "word":
            raise _Beyond(_FORM)
        self._next += 1
        self._step()
        if word == "index" and piped is None:
            return self._index()
        if word not in FUNCTIONS:
            what = "" if word in _KEYWORDS else "the function "
            raise _Beyond(f"the template uses {what}`{word[:_LONGEST_WORD]}`")
        operands: list[str | Variable] = []
        while self._peek()[0] in ("field", "text", "(", "dot"):
            operands.append(self._operand())
        return _called(word, operands if piped is None else [*operands, piped])

    def _index(self) -> Variable:
        dot, name = self._peek(), self._peek(1)
        if dot[0] != "dot" or name[0] != "text":
            raise _Beyond("the template uses `index` on something else than the fields")
        self._next += 2
        return Variable(_unquoted(name[1]))

    def _operand(self) -> str | Variable:
        kind, text = self._peek()
        self._next += 1
        if kind == "field":
            self._step()
            return Variable(text[1:])
        if kind == "text":
            return _unquoted(text)
        if kind == "(" and self._depth < _MAX_DEPTH:
            self._depth += 1
            found = self._pipeline()
            self._depth -= 1
            if self._take(")"):
                return found
        raise _Beyond(_FORM)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise _Beyond(f"the template has more than {MAX_STEPS} fields and functions")

    def _peek(self, ahead: int = 0) -> _Token:
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else ("", "")

    def _take(self, sign: str) -> bool:
        taken = self._peek()[0] == sign
        self._next += taken
        return taken


def _called(name: str, operands: list[str | Variable]) -> str | Variable:
    function = FUNCTIONS[name]
    if len(operands) != function.takes + 1:
        raise _Beyond(f"the template uses `{name}` with other arguments than it takes")
    *arguments, value = operands
    constant = tuple(each for each in arguments if isinstance(each, str))
    if len(constant) != len(arguments):
        raise _Beyond(f"the template gives `{name}` a field where a text is expected")
    call = Call(name, function, constant)
    if isinstance(value, Variable):
        return Variable(value.name, (*value.calls, call))
    result = call.of(value)
    if result is None:
        raise _Beyond(f"the template uses `{name}` on a text for which it has no result")
    return result


def _tokens(inside: str) -> Iterator[_Token]:
    position, inside = 0, inside.strip()
    while position < len(inside):
        match = _TOKEN.match(inside, position)
        if match is None or match.lastgroup is None:
            raise _Beyond(_FORM)
        kind, text = match.lastgroup, match[match.lastgroup]
        yield (text, text) if kind == "sign" else (kind, text)
        position = match.end()


def _unquoted(text: str) -> str:
    return text[1:-1] if text.startswith("`") else str(json.loads(text.replace("\t", "\\t")))
