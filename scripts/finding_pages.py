# SPDX-License-Identifier: Apache-2.0
"""Makes a page of docs/reference/findings/ for each code, from catalogue and golden cases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.findings.rules import RULES, explain

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs/reference/findings"
GOLDEN = ROOT / "tests/golden"
MADE = (
    "<!-- Made by scripts/generate.py from the catalogue and tests/golden: change it there. -->\n"
)

_GROUPS = {
    "LK01": "Storage Secrets and CAs",
    "LK02": "LokiStacks and schemas",
    "LK03": "Sources: Rook, RGW, any Secret",
    "LK04": "Vaults: 1Password",
    "LK05": "External Secrets and the Secret",
    "LK06": "Pods and their rollout",
    "LK07": "Trust in short-lived tokens",
    "LK08": "The store's answers",
    "LK09": "Loki's own configuration",
    "LK10": "What could not be read",
}


class _Shown(dict[str, str]):
    """Fills a template's gaps with their names between @, which no shell minds, or with dots."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self._named = named

    def __missing__(self, key: str) -> str:
        return f"@{key}@" if self._named else "…"


def finding_pages() -> dict[Path, str]:
    """Return every page, and the list of them: where, and what must stand there."""
    made = {PAGES / f"{code}.md": "\n".join(_page(rule)) for code, rule in RULES.items()}
    made[PAGES / "README.md"] = "\n".join(_list())
    made[PAGES / "causes.md"] = "\n".join(_causes())
    return made


def _page(rule: Rule) -> Iterator[str]:
    yield f"# {rule.code}: {_title(rule)}\n"
    yield MADE
    yield f"- Severity: {rule.severity.value}"
    if rule.fault:
        yield f"- Fault: `{rule.fault}`"
    if rule.cause:
        yield f"- Cause: `{rule.cause}`. {CAUSES[rule.cause]}"
    for cause in rule.other_causes:
        yield f"- {'Or cause' if rule.cause else 'Cause'}: `{cause}`. {CAUSES[cause]}"
    if rule.hop:
        yield f"- Hop: {rule.hop.value}"
    yield f"\n## What it means\n\n{rule.meaning}"
    yield f"\n## Why it matters\n\n{rule.why}"
    if rule.remedy:
        yield "\n## What to do"
        for remedy in rule.remedy:
            yield from _remedy(remedy)
    yield from _examples(rule.code)
    yield ""


def _title(rule: Rule) -> str:
    return rule.title.format_map(_Shown(named=False))


def _remedy(remedy: Remedy) -> Iterator[str]:
    text = remedy.text.format_map(_Shown(named=False))
    care = " **This loses or overwrites something.**" if remedy.destructive else ""
    yield f"\n- {text[0].upper()}{text[1:]}.{care}"
    if remedy.command:
        command = re.sub("@([a-z_]+)@", r"<\1>", str(remedy.command.filled(_Shown(named=True))))
        yield f"\n  ```sh\n  {command}\n  ```"


def _examples(code: str) -> Iterator[str]:
    cases = sorted(GOLDEN.glob(f"{code}-*/expected.txt"))
    if cases:
        yield "\n## Examples"
    for case in cases:
        story, _, told = case.read_text().partition("\n\n")
        yield f"\n{story[0].upper()}{story[1:]}:\n\n```text\n{told.rstrip()}\n```"


def _list() -> Iterator[str]:
    yield "# Findings\n"
    yield MADE
    yield "Every finding has a code that is never reused. `lokeys explain CODE` says the same."
    yield "What each cause means, and which findings tell it: [causes](causes.md)."
    for prefix, name in _GROUPS.items():
        yield f"\n## {name}\n\n| Code | Severity | Cause or fault | Finding |"
        yield "| --- | --- | --- | --- |"
        for code, rule in RULES.items():
            if code.startswith(prefix):
                word = rule.cause or rule.fault
                cause = f"`{word}`" if word else ""
                yield f"| [{code}]({code}.md) | {rule.severity.value} | {cause} | {_title(rule)} |"
    yield ""


def _causes() -> Iterator[str]:
    yield "# Causes\n"
    yield MADE
    yield "A cause names what is wrong. `lokeys explain CAUSE` shows its findings.\n"
    yield "| Cause | Meaning | Told by |"
    yield "| --- | --- | --- |"
    for cause, meaning in CAUSES.items():
        told = ", ".join(f"[{rule.code}]({rule.code}.md)" for rule in explain(cause))
        yield f"| `{cause}` | {meaning} | {told or 'no finding'} |"
    yield ""
