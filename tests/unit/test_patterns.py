# SPDX-License-Identifier: Apache-2.0
"""No regular expression takes long, whatever it is given: each is found, and attacked.

A pattern is attacked as its module uses it, with texts made of its own parts: the beginning of a
match, one part of it over and over, and an end that does not fit. One whose text is bounded before
it is matched is attacked at that bound, which stands in a table with who sees to it; any other at
`LONGEST`. So a new pattern is attacked without anybody's doing, and one that is made in passing,
where nobody finds it, fails.
"""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lokeys
from took import cpu_s

# What the standard library parses patterns with.
parser: Any = importlib.import_module("re._parser")
SOURCE = Path(lokeys.__file__).parent
METHODS = ("fullmatch", "match", "search", "findall", "finditer", "split", "sub")
MAKERS = ("compile", *METHODS)
LONGEST = 65_536
LENGTHS = (2048, 8192, LONGEST)
LONGEST_S = 0.2
"""Of CPU. What grows with the square of a length shows in short texts, before it takes long."""
MISFIT = "\x00"

BOUNDED = {
    "core/text/durations.py _DURATION": (100, "go_duration"),
    "core/text/durations.py _PART": (100, "go_duration"),
    "core/kubernetes/aws_addresses.py _REGION": (31, "is_region"),
    "core/trust/gcp/cel.py _TOKENS": (4096, "holds"),
    "adapters/kubernetes/workloads.py _SIMPLE_PATTERN": (2048, "roller_of"),
    "core/findings/doctor/lines.py _PAIR": (16_384, "read_line"),
    "core/findings/doctor/lines.py _STREAM": (16_384, "read_line"),
    "core/findings/doctor/lines.py _ESCAPED": (16_384, "read_line"),
}
"""How long a text is at most, and what sees to that."""

NOT_ATTACKED = {
    "core/stack/storage/values.py wanted": "of a table; attacked in a Secret by test_hostile_texts",
    "core/route/resource/rules.py pattern": "of the schema; attacked in a resource, "
    "by test_hostile_texts",
    "core/schema/check.py shape.pattern": "of the schema, as above",
    "core/route/checks/delivery.py text": "of a table of plain words",
    r"core/kubernetes/external_secrets/renaming.py _END.sub('\\\\Z', source)": "an "
    "ExternalSecret's own: attacked in a rewrite by test_hostile_texts",
    "demo/parts/kube_views.py ',(?![^(]*\\\\))'": "a stand-in of the demo",
    "demo/parts/loki_store.py f'<{name}>([^<]*)</{name}>'": "a stand-in of the demo",
}
"""Patterns that are made of something else, and what bounds them."""


@dataclass(frozen=True)
class Found:
    """One pattern in the source: where, and how it is used."""

    module: str
    name: str
    methods: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module} {self.name}"

    literal: str | None = None
    """A pattern that is used where it stands."""

    @property
    def pattern(self) -> re.Pattern[str] | None:
        if self.literal is not None:
            return re.compile(self.literal)
        name = ".".join(Path(self.module).with_suffix("").parts)
        made = getattr(importlib.import_module(f"lokeys.{name}"), self.name, None)
        return made if isinstance(made, re.Pattern) else None


def _is_re(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=attribute)):
            return attribute in MAKERS
    return False


def _used(tree: ast.AST, name: str) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and node.attr in METHODS
                if isinstance(node.value, ast.Name) and node.value.id == name
            }
        )
    )


def _in_module(path: Path) -> Iterator[Found]:
    tree = ast.parse(path.read_text())
    module = str(path.relative_to(SOURCE))
    named: set[ast.AST] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and _is_re(node.value):
            (target,) = node.targets
            name = ast.unparse(target)
            named.add(node.value)
            yield Found(module, name, _used(tree, name) or ("fullmatch",))
    for call in ast.walk(tree):
        if _is_re(call) and call not in named and isinstance(call, ast.Call):
            first, method = call.args[0], ast.unparse(call.func).removeprefix("re.")
            literal = str(first.value) if isinstance(first, ast.Constant) else None
            yield Found(module, ast.unparse(first), (method,), literal)


def every() -> list[Found]:
    """Return all patterns of the source."""
    return [each for path in sorted(SOURCE.rglob("*.py")) for each in _in_module(path)]


# --- what a pattern stumbles over ---------------------------------------------------------------


def _shortest(items: Any) -> str:
    """Return a short text that a part of a pattern takes, as far as that is easily said."""
    return "".join(_one(operator, argument) for operator, argument in items)


def _one(operator: Any, argument: Any) -> str:  # noqa: PLR0911 - one for each kind
    match str(operator):
        case "LITERAL":
            return str(chr(argument))
        case "NOT_LITERAL" | "ANY":
            return "a"
        case "IN":
            return _of_class(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, _, inner = argument
            return _shortest(inner) * int(least)
        case "SUBPATTERN":
            return _shortest(argument[-1])
        case "BRANCH":
            return _shortest(argument[1][0])
    return ""


def _of_class(items: Any) -> str:
    for operator, argument in items:
        match str(operator):
            case "NEGATE":
                return "a"
            case "LITERAL":
                return chr(argument)
            case "RANGE":
                return chr(argument[0])
            case "CATEGORY":
                kind = str(argument).rpartition("_")[2]
                return {"SPACE": " ", "DIGIT": "0"}.get(kind, "a")
    return "a"


def _units(items: Any) -> Iterator[str]:
    """Yield what may be repeated: each part of a pattern, and what is inside of it."""
    for operator, argument in items:
        match str(operator):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield _shortest(argument[2])
                yield from _units(argument[2])
            case "SUBPATTERN":
                yield _shortest(argument[-1])
                yield from _units(argument[-1])
            case "BRANCH":
                for branch in argument[1]:
                    yield _shortest(branch)
                    yield from _units(branch)
            case _:
                yield _one(operator, argument)


def _beginnings(items: list[Any]) -> Iterator[str]:
    """Yield what comes before each part of a pattern, the optional ones taken once."""
    begun = ""
    for operator, argument in items:
        yield begun
        repeated = "REPEAT" in str(operator)
        begun += (_one(operator, argument) or _shortest(argument[2])) if repeated else ""
        begun += "" if repeated else _one(operator, argument)
    yield begun


def hostile(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return beginnings and what to repeat behind them."""
    items = list(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    units = dict.fromkeys(each for each in (*_units(items), " ", "a", _shortest(items)) if each)
    beginnings = dict.fromkeys(_beginnings(items))
    again = [("", begun) for begun in beginnings if begun]
    return again + [(begun, unit) for begun in beginnings for unit in units]


USES: dict[str, Callable[[re.Pattern[str], str], object]] = {
    "fullmatch": lambda pattern, text: pattern.fullmatch(text),
    "match": lambda pattern, text: pattern.match(text),
    "search": lambda pattern, text: pattern.search(text),
    "findall": lambda pattern, text: pattern.findall(text),
    "finditer": lambda pattern, text: list(pattern.finditer(text)),
    "split": lambda pattern, text: pattern.split(text),
    "sub": lambda pattern, text: pattern.sub("", text),
}


def _took_s(pattern: re.Pattern[str], method: str, text: str) -> float:
    return cpu_s(lambda: USES[method](pattern, text))


def slow(pattern: re.Pattern[str], method: str, longest: int) -> Iterator[str]:
    """Yield the attacks that take too long."""
    for begun, unit in hostile(pattern):
        for length in dict.fromkeys(min(each, longest) for each in LENGTHS):
            text = (begun + unit * (length // len(unit)))[: length - 1] + MISFIT
            took_s = _took_s(pattern, method, text)
            if took_s > LONGEST_S * max(length / longest, 0.2):
                yield f"{begun!r} and {length} characters of {unit!r}: {took_s:.2f} s"
                break


ALL = every()


@pytest.mark.parametrize("found", [e for e in ALL if str(e) not in NOT_ATTACKED], ids=str)
def test_no_pattern_takes_long(found: Found) -> None:
    """At the longest text that reaches it."""
    pattern = found.pattern
    assert pattern is not None, "give it a name of its module, or say why it needs none"
    longest, _ = BOUNDED.get(str(found), (LONGEST, ""))
    for method in found.methods:
        assert next(slow(pattern, method, longest), None) is None, method


def test_the_tables_name_patterns_that_there_are() -> None:
    """A bound for a pattern that went is taken out."""
    assert {*BOUNDED, *NOT_ATTACKED} <= {str(each) for each in ALL}


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"B(.*?)END", "findall"),
        (r"\s*\{a=b\s*(,a=b\s*)*,?\s*\}\s*", "fullmatch"),
        (r"\w+://[^/\s:@]*:[^/\s@]*@", "sub"),
        (r"\$\{([a-z]+)(?::([^}]*))?\}", "sub"),
        (r"(a+)+b", "match"),
        (r"\d+\d+x", "match"),
    ],
)
def test_a_pattern_that_takes_long_is_found(pattern: str, method: str) -> None:
    """Those that once stopped the operator, and others of their kind."""
    made = re.compile(pattern, re.DOTALL)
    assert next(slow(made, method, 26 if pattern == r"(a+)+b" else LONGEST))
