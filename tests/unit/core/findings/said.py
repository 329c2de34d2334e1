# SPDX-License-Identifier: Apache-2.0
"""Which rules each call in the source tells, and the words that it gives them: by reading it.

What a name holds is looked for where it is assigned in the same function, then in the module; what
a parameter holds, at the calls of its function in the same module.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import lokeys
from lokeys.core.findings.catalogue import storage_objects
from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.stack.storage import wording
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.stack.validation import context
from lokeys.core.trust import fetched

SOURCE = Path(lokeys.__file__).parent
BY_ITSELF = frozenset({"place", "route", "field"})
OF_TELL = BY_ITSELF | {"value", "namespace", "name", "stack"}
HELPERS: Mapping[Callable[..., Any], frozenset[str]] = {
    Rule.at: BY_ITSELF,
    wording.tell: OF_TELL,
    SecretReader.tell: OF_TELL | {"type", "mode", "hint"},
    context.told_absent: OF_TELL | {"stack_ref", "where"},
    context.named_secret: OF_TELL | {"stack_ref", "where"},
    fetched.tell: BY_ITSELF | {"namespace", "stack"},
}
"""What tells a finding, and the words that it knows by itself."""
_DEEP = 6
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Said:
    """One call: None where reading does not tell."""

    where: str
    line: int
    rules: tuple[Rule, ...] | None
    words: frozenset[str] | None
    remedies: tuple[Remedy, ...] | None = None
    """Those that stand in place of the rule's own and are filled in, if any do."""


@dataclass(kw_only=True)
class Module:
    """One file of the source."""

    name: str
    tree: ast.Module
    values: Mapping[str, Any]

    @cached_property
    def home(self) -> dict[ast.AST, Function]:
        """Return the innermost function of each node."""
        found: dict[ast.AST, Function] = {}
        for function in ast.walk(self.tree):  # an outer one comes before those in it
            if isinstance(function, Function):
                found |= dict.fromkeys(ast.walk(function), function)
        return found


@cache
def read(name: str) -> Module:
    """Return a module by its name."""
    module = importlib.import_module(name)
    return Module(name=name, tree=ast.parse(inspect.getsource(module)), values=vars(module))


def every_call() -> Iterator[Said]:
    """Yield each call of a helper, but those by which one helper calls the next."""
    for path in sorted(SOURCE.rglob("*.py")):
        if any(word in path.read_text() for word in (".at(", "tell(", "told_absent(")):
            parts = path.relative_to(SOURCE.parent).with_suffix("").parts
            yield from _calls(read(".".join(parts).removesuffix(".__init__")))


def _calls(module: Module) -> Iterator[Said]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        home = module.home.get(node)
        helper, rule = _called(node, module)
        if helper is None or (home is not None and _is_helper(home, module)):
            continue
        reading = Reading(module, home)
        said = Said(
            where=f"{module.name.removeprefix('lokeys.')}:{home.name if home else ''}"
            f" {ast.unparse(rule)}",
            line=node.lineno,
            rules=reading.all_of(rule, Rule),
            words=_words(reading, node, helper),
            remedies=_remedies(reading, node, helper),
        )
        handed = home is not None and home.args.kwarg and home.args.kwarg.arg
        yield from _handed_on(said, rule, home, module) if home and handed else (said,)


def _handed_on(said: Said, rule: ast.expr, home: Function, module: Module) -> Iterator[Said]:
    """Yield a call once for each call of its function, whose further words it hands on."""
    own = [each.arg for each in (*home.args.args, *home.args.kwonlyargs)]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _name(node.func) == home.name:
            caller = Reading(module, module.home.get(node))
            more: frozenset[str] | None = frozenset(
                str(each.arg) for each in node.keywords if each.arg not in own
            )
            for each in node.keywords:
                if each.arg is None:
                    found = caller.keys(each.value)
                    more = None if found is None or more is None else more | found
            given = dict(zip(own, node.args, strict=False)).get(_name(rule))
            yield replace(
                said,
                line=node.lineno,
                rules=caller.all_of(given, Rule) if given is not None else said.rules,
                words=None if said.words is None or more is None else said.words | more,
            )


def _called(node: ast.Call, module: Module) -> tuple[Callable[..., Any] | None, ast.expr]:
    """Return which helper is called, if any, and what stands for its rule."""
    match node:
        case ast.Call(func=ast.Attribute(attr="at", value=rule)):
            return Rule.at, rule
        case ast.Call(func=ast.Attribute(attr="tell"), args=[rule, *_]):
            return SecretReader.tell, rule
        case ast.Call(func=ast.Name(id="named_secret")):
            given = [each.value for each in node.keywords if each.arg == "missing"]
            return context.named_secret, given[0] if given else ast.Name("MISSING_STORAGE_SECRET")
        case ast.Call(func=ast.Name(id=name), args=[rule, *_]):
            found = module.values.get(name)
            known = found in HELPERS if inspect.isfunction(found) else False
            return (found if known else None), rule
    return None, node


def _is_helper(function: Function, module: Module) -> bool:
    held = [module.values.get(function.name), getattr(SecretReader, function.name, None)]
    return any(
        each in HELPERS and each.__module__ == module.name
        for each in held
        if inspect.isfunction(each)
    )


def _words(reading: Reading, node: ast.Call, helper: Callable[..., Any]) -> frozenset[str] | None:
    known = HELPERS[helper]
    by_mapping = "words" in inspect.signature(helper).parameters and helper in (
        wording.tell,
        context.told_absent,
        context.named_secret,
    )
    handed = reading.home.args.kwarg if reading.home is not None else None
    for keyword in node.keywords:
        if keyword.arg is None or (by_mapping and keyword.arg == "words"):
            if handed is not None and _name(keyword.value) == handed.arg:
                continue  # `_handed_on` knows them
            more = reading.keys(keyword.value)
            if more is None:
                return None
            known |= more
        elif not by_mapping:
            known |= {keyword.arg}
    return known


def _remedies(
    reading: Reading, node: ast.Call, helper: Callable[..., Any]
) -> tuple[Remedy, ...] | None:
    given = [each.value for each in node.keywords if each.arg == "remedy"]
    if not given:
        return None
    if helper is Rule.at:
        return ()  # they are shown as they are
    return reading.all_of(given[0], Remedy)


@dataclass(frozen=True)
class Reading:
    """What expressions of one function may hold."""

    module: Module
    home: Function | None
    deep: int = 0
    seen: frozenset[str] = frozenset()
    """Names that are being looked up: what `x = x or y` says of `x` is `y`."""

    def held(self, name: str) -> list[tuple[Reading, ast.expr]] | None:
        """Return what a name may be; None where that is not seen."""
        if self.home is None or self.deep > _DEEP:
            return None
        if name in self.seen:
            return []
        inner = replace(self, seen=self.seen | {name})
        found: list[tuple[Reading, ast.expr]] = []
        for node in ast.walk(self.home):
            for target, value in _assigned(node):
                if isinstance(target, ast.Name) and target.id == name:
                    found.append((inner, value))
        arguments = self.home.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if name in {each.arg for each in every}:
            given = self._given(name)
            if given is None:
                return None
            found += given
        return found or None

    def _given(self, name: str) -> list[tuple[Reading, ast.expr]] | None:
        assert self.home is not None
        positional = [each.arg for each in self.home.args.args if each.arg != "self"]
        found: list[tuple[Reading, ast.expr]] = []
        for node in ast.walk(self.module.tree):
            if not isinstance(node, ast.Call) or _name(node.func) != self.home.name:
                continue
            values = {str(each.arg): each.value for each in node.keywords}
            values |= dict(zip(positional, node.args, strict=False))
            if name in values:
                home = self.module.home.get(node)
                found.append((Reading(self.module, home, self.deep + 1), values[name]))
            elif (default := _default(self.home, name)) is not None:
                found.append((self, default))
            else:
                return None
        return found or None

    def all_of(  # noqa: C901, PLR0911, PLR0912 - a case for each form of an expression
        self, node: ast.expr, kind: type[Any]
    ) -> tuple[Any, ...] | None:
        """Return every value of a class that an expression may hold; None where unknown."""
        match node:
            case ast.Constant(value=None):
                return ()
            case ast.Name(id="MISSING_STORAGE_SECRET"):
                return (storage_objects.MISSING_STORAGE_SECRET,)
            case ast.Name(id=name):
                held = self.held(name)
                if held is None:
                    return _flat(self.module.values.get(name), kind)
                return _joined(reading.all_of(each, kind) for reading, each in held)
            case ast.Attribute(value=ast.Name(id=room), attr=name):
                return _flat(getattr(self.module.values.get(room), name, None), kind)
            case ast.IfExp(body=one, orelse=other):
                return _joined((self.all_of(one, kind), self.all_of(other, kind)))
            case ast.BoolOp(values=values) | ast.Tuple(elts=values):
                return _joined(self.all_of(each, kind) for each in values)
            case ast.Starred(value=inner) | ast.NamedExpr(value=inner):
                return self.all_of(inner, kind)
            case ast.Subscript(value=inner):
                return self.all_of(inner, kind)
            case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[_, *others]):
                return _joined(self.all_of(each, kind) for each in (inner, *others))
            case ast.Call(func=ast.Attribute(value=inner, attr="items" | "values")):
                return self.all_of(inner, kind)
            case ast.Dict(values=values):
                return _joined(self.all_of(each, kind) for each in values)
            case ast.Call(func=ast.Name(id="replace"), args=[inner, *_]):
                return self.all_of(inner, kind)
            case ast.Call(func=ast.Name(id=name)):
                return self._returned(name, kind)
        return None

    def _returned(self, name: str, kind: type[Any]) -> tuple[Any, ...] | None:
        for function in set(self.module.home.values()):
            if function.name == name and self.deep <= _DEEP:
                inner = Reading(self.module, function, self.deep + 1)
                return _joined(
                    inner.all_of(node.value, kind)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Return) and node.value is not None
                )
        return None

    def keys(  # noqa: C901, PLR0911 - a case for each form of an expression
        self, node: ast.expr
    ) -> frozenset[str] | None:
        """Return the words that a mapping surely has; None where unknown."""
        match node:
            case ast.Constant(value=None):
                return frozenset()
            case ast.Dict(keys=keys, values=values):
                known: frozenset[str] = frozenset()
                for key, value in zip(keys, values, strict=True):
                    more = frozenset({str(key.value)}) if isinstance(key, ast.Constant) else None
                    if key is None:
                        more = self.keys(value)
                    if more is None:
                        return None
                    known |= more
                return known
            case ast.BinOp(left=left, right=right, op=ast.BitOr()):
                one, other = self.keys(left), self.keys(right)
                return None if one is None or other is None else one | other
            case ast.IfExp(body=left, orelse=right):
                one, other = self.keys(left), self.keys(right)
                return None if one is None or other is None else one & other
            case ast.BoolOp(values=values, op=ast.Or()):
                return _common(self.keys(each) for each in values)
            case ast.Name(id=name):
                grown = self._grown(node)
                if grown:
                    return _all(self.keys(each) for each in grown)
                held = self.held(name)
                if held is None:
                    return None
                return _common(r.keys(each) for r, each in held)
            case ast.Call(func=ast.Name(id=name)):
                return self._keys_returned(name)
        return None

    def _grown(self, use: ast.Name) -> list[ast.expr]:
        """Return what a name is made of, line by line, in the block in which it is used."""
        blocks = [
            block
            for node in ast.walk(self.home or self.module.tree)
            for block in (getattr(node, "body", None), getattr(node, "orelse", None))
            if isinstance(block, list) and any(use in ast.walk(line) for line in block)
        ]
        block = blocks[-1] if blocks else []  # the innermost comes last
        at = next((n for n, line in enumerate(block) if use in ast.walk(line)), 0)
        found: list[ast.expr] = []
        for line in reversed(block[:at]):
            match line:
                case ast.AugAssign(target=ast.Name(id=use.id), op=ast.BitOr(), value=value):
                    found.append(value)
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=use.id), slice=key)], value=value
                ):
                    found.append(ast.Dict(keys=[key], values=[value]))
                case (
                    ast.Assign(targets=[ast.Name(id=use.id)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=use.id), value=ast.expr() as value)
                ):
                    return [*found, value]
        return []

    def _keys_returned(self, name: str) -> frozenset[str] | None:
        called = self.module.values.get(name)
        if not inspect.isfunction(called) or self.deep > _DEEP:
            return None
        module = read(called.__module__)
        for function in set(module.home.values()):
            if function.name == name:
                inner = Reading(module, function, self.deep + 1)
                return _common(
                    inner.keys(node.value)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Return) and node.value is not None
                )
        return None


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            yield from zip(targets, values, strict=False)
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
            yield from ((target, value) for target in targets)
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=ast.Tuple(elts=targets), iter=value):
            yield from ((target, value) for target in targets)
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield target, value
        case ast.AugAssign(target=target, value=value):
            yield target, value


def _default(function: Function, name: str) -> ast.expr | None:
    arguments = function.args
    pairs = [
        *zip(arguments.args[::-1], arguments.defaults[::-1], strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((value for argument, value in pairs if argument.arg == name), None)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _flat(value: Any, kind: type[Any]) -> tuple[Any, ...] | None:
    """Return every value of a class in a table."""
    if isinstance(value, kind):
        return (value,)
    values = value.values() if isinstance(value, Mapping) else value
    if isinstance(values, str) or not isinstance(values, Iterable):
        return None
    return tuple(one for each in values for one in _flat(each, kind) or ()) or None


def _joined(found: Iterable[tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
    every: tuple[Any, ...] = ()
    for each in found:
        if each is None:
            return None
        every += each
    return every


def _all(found: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    every = list(found)
    known = [each for each in every if each is not None]
    return frozenset().union(*known) if len(known) == len(every) else None


def _common(found: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    every = list(found)
    known = [each for each in every if each is not None]
    return frozenset.intersection(*known) if known and len(known) == len(every) else None
