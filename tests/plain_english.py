# SPDX-License-Identifier: Apache-2.0
"""Plain English in every text that a person reads: the words that are not used, and what is.

docs/reference/glossary.md has one word for each thing; `TURNS` has the turns of phrase that make
a reader stop. Texts of the source are its strings, docstrings and comments; texts of a page are its
paragraphs and tables, without code.

    PYTHONPATH=tests python -m plain_english [PATH…]   list what would be refused, also in LATER
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _turn(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w`-])(?:{pattern})(?![\w`-])", re.IGNORECASE)


TURNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        _turn(r"(?<!there )(?:is|are|be|was|were) none"),
        "say what it is: `is not valid`, `does not exist`",
    ),
    (_turn(r"(?<!there )(?:is|are|was|were) no(?! longer| more| other)"), "`is not a …`"),
    (_turn(r"makes? no sense"), "`is not valid`, `could not be parsed`"),
    (_turn(r"told"), "`reported`, `shown`, `given`"),
    (_turn(r"mend(?:s|ed|ing)?"), "`fix`, `repair`"),
    (_turn(r"what (?:\w+ ){0,2}lacks?"), "`… is missing`"),
    (_turn(r"an? (?:line|row|file|folder|page|word) an? \w+"), "`one … per …`"),
    (_turn(r"from here up"), "`or higher`"),
    (_turn(r"nobody's guess"), "`anybody's guess`, or say that it is not defined"),
    (_turn(r"as good as none"), "`has no effect`"),
    (_turn(r"letter by letter"), "`exactly`"),
    (_turn(r"hangs? (?:on|of|by) (?:what|who|which|it|whether)"), "`depends on`"),
    (_turn(r"speaks? of"), "`refers to`, `is about`"),
    (_turn(r"(?:is|are) over as soon as \w+ comes?"), "`is already expired when issued`"),
    (_turn(r"anew"), "`again`; `recreate`"),
    (_turn(r"shall"), "`must`, `will`, `should`"),
    (_turn(r"for ever"), "`forever`"),
    (_turn(r"in clear"), "`in plain text`"),
    (_turn(r"hand(?:s|ed|ing)? (?:\w+ )?in"), "`pass`, `provide`"),
    (_turn(r"knows? no(?:thing of|ne)?(?= )"), "`does not know`, `has no`"),
    (_turn(r"small letters|letters and capitals|capitals and digits"), "`lowercase`, `uppercase`"),
    (_turn(r"all else"), "`everything else`"),
    (_turn(r"takes? (?:\w+ )?for granted"), "`assumes`"),
    (_turn(r"present (?:state|value|template|operator|key|pair|one)"), "`current …`"),
    (_turn(r"(?:date|key|day|release) to come"), "`future …`, `next …`"),
    (_turn(r"one's own|another's"), "name the owner"),
    (_turn(r"blind"), "`could not be read`"),
    (_turn(r"so to say|as it were"), "leave it out"),
)
"""A turn of phrase, and what is said instead. The test's message is the second part."""

LATER: tuple[str, ...] = (
    "docs/reference/benchmarks.md",
    "docs/reference/findings/",
    "docs/reference/lokistack.md",
    "docs/reference/metrics.md",
    "docs/reference/permissions.md",
    "docs/reference/storagecredential.md",
    "scripts/",
    "src/lokeys/adapters/",
    "src/lokeys/cli/",
    "src/lokeys/core/kubernetes/",
    "src/lokeys/core/rbac/",
    "src/lokeys/core/route/",
    "src/lokeys/core/stack/",
    "src/lokeys/core/text/",
    "src/lokeys/core/trust/",
    "src/lokeys/core/validation/",
    "src/lokeys/demo/",
    "src/lokeys/engine/",
    "src/lokeys/kube/",
    "src/lokeys/operator/",
)
"""Rooms that are not yet rewritten, as beginnings of paths. The list only gets shorter."""

_NOT_PROSE = frozenset({"says", "phrases", "beside", "never_beside", "explains", "alternatives"})
"""Arguments that hold what other programs print."""
_CODE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`|<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refused:
    """A turn that stands in a text, where, and what is said instead."""

    path: str
    line: int
    turn: str
    instead: str

    def __str__(self) -> str:
        """Return it as the test's message."""
        return f"{self.path}:{self.line}: `{self.turn}`: write {self.instead}"


def files() -> Iterator[Path]:
    """Yield every file whose texts people read."""
    for each in ("src/lokeys", "scripts"):
        yield from sorted((ROOT / each).rglob("*.py"))
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from sorted(ROOT.glob("*.md"))


def refused(path: Path) -> list[Refused]:
    """Return what is refused in a file."""
    texts = _of_source(path.read_text()) if path.suffix == ".py" else _of_page(path.read_text())
    name = str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    prose = ((line, _CODE.sub(_blanked, text)) for line, text in texts)
    found = (
        Refused(name, line + text.count("\n", 0, hit.start()), hit.group(), instead)
        for line, text in prose
        for turn, instead in TURNS
        for hit in turn.finditer(text)
    )
    return sorted(set(found), key=lambda each: (each.line, each.turn))


def is_later(path: Path) -> bool:
    """Tell whether a file is in a room that is not yet rewritten."""
    return str(path.relative_to(ROOT)).startswith(LATER)


def _blanked(code: re.Match[str]) -> str:
    """Return as many lines as the code has, so that what follows keeps its line."""
    return "`" + "\n" * code.group().count("\n") + "`"


def _of_page(text: str) -> Iterator[tuple[int, str]]:
    yield 1, text


def _of_source(text: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(text)
    other = {
        id(constant)
        for call in ast.walk(tree)
        if isinstance(call, ast.keyword) and call.arg in _NOT_PROSE
        for constant in ast.walk(call.value)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in other:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def main(names: list[str]) -> None:
    """Print what would be refused in the files whose paths begin so, or in all."""
    for path in files():
        if not names or str(path.relative_to(ROOT)).startswith(tuple(names)):
            for each in refused(path):
                print(each)


if __name__ == "__main__":
    main(sys.argv[1:])
