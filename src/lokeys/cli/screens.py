# SPDX-License-Identifier: Apache-2.0
"""What a person sees of routes, findings and plans: lines, made from the core's data.

Nothing is shown by colour alone. Commands are never wrapped: they are there to be pasted. If a
column of labels leaves too little room, the text starts right after each label; the printer wraps
what is wider than the terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lokeys.cli.output import Line, Span
from lokeys.core.findings.finding import Finding, Rule, Severity, Symptom, readable, readable_remedy
from lokeys.core.place import Hop, Ref
from lokeys.core.sensitive import short
from lokeys.core.text.shell import Command

if TYPE_CHECKING:  # checks of manifests alone start without routes and plans
    from lokeys.core.findings.link import Link
    from lokeys.core.route.hops import HopView
    from lokeys.core.route.plan import Plan, Step
    from lokeys.core.route.report import RouteView

BLANK: Line = ()
_LABEL = 10
_NAME_AT = 29
"""The column of a hop's object; what is compared is before it, aligned."""
_COLUMN = 30
"""The least room beside labels that is worth a column."""
_ROOM_FOR_NAMES = 45
"""The least room that is worth a column of hops' objects."""
_INDENT = 4
"""The indent if there is no such room."""
_MARKS = {True: ("=", "good"), False: ("≠", "error"), None: ("?", "faint")}
_DISAGREES = {
    Hop.VAULT: "the vault does not hold the source's key: here it goes stale",
    Hop.SECRET: "it does not hold what is before it: here the key goes stale",
    Hop.PODS: "this pod runs with another key than the Secret's: here it goes stale",
    Hop.STORE: "the store does not accept the Secret's key",
}


# --- routes -------------------------------------------------------------------------------------


def route_lines(route: RouteView, *, at: datetime, width: int) -> Iterator[Line]:
    """Yield one route, one line per hop, the first difference marked in words."""
    from lokeys.core.route.hops import first_disagreement  # noqa: PLC0415

    hops = route.diagnosis.hops
    yield ((str(route.owner), "strong"),)
    wrong = first_disagreement(hops)
    for view in hops:
        yield from _hop_lines(view, home=route.owner.namespace, at=at, width=width)
        if view is wrong:
            said = _DISAGREES.get(view.hop, "it disagrees")
            at_column = " " * (12 if _has_columns(width) else _INDENT)
            yield ((f"{at_column}╰ {said}", "error"),)


def _hop_lines(view: HopView, *, home: str | None, at: datetime, width: int) -> Iterator[Line]:
    compared = view.hop not in (Hop.SOURCE, Hop.DELIVERY)
    mark: Span = _MARKS[view.agrees] if compared else (" ", "")
    shown = short(view.fingerprint) if view.fingerprint else ""
    age = age_of(view.since, at) if view.since else ""
    name = _name(view.ref, home)
    line: Line = (
        (f"  {view.hop.value:<10}", "faint"),
        mark,
        (f" {shown:<8}", "strong"),
        (f" {age:>4}  ", "faint"),
    )
    if not _has_columns(width):
        yield line
        yield from (((" " * _INDENT + text, ""),) for text in (name, view.detail) if text)
        return
    line = (*line, (name, ""))
    if len(view.detail) + len(name) + _NAME_AT + 2 <= width:
        yield (*line, (f"  {view.detail}", "faint"))
        return
    yield line
    for part in wrapped(view.detail, width - _NAME_AT):
        yield ((f"{'':{_NAME_AT}}{part}", "faint"),)


def _has_columns(width: int) -> bool:
    """Tell whether hops are shown in columns, or their content below their names."""
    return width >= _NAME_AT + _ROOM_FOR_NAMES


def _name(ref: Ref, home: str | None) -> str:
    if ref.kind == "Bucket":
        return f"Bucket {ref.name.rpartition('://')[2]}"  # so that a Service's name fits the line
    return f"{ref.kind} {ref.name}" if ref.namespace in (home, None) else str(ref)


def age_of(moment: datetime, now: datetime) -> str:
    """Return an age in its common form: `12d`, `3h`, `40m`, `5s`."""
    return span_of(now - moment)


def span_of(span: timedelta) -> str:
    """Return a duration in its largest unit that is not zero."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length or (unit == "m" and seconds >= 100):
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def wrapped(text: str, width: int, *, after: str = "") -> list[str]:
    """Return prose in lines; a word that is longer than a line stays whole.

    The first line has only the room that is left `after` the text before it.
    """
    lead = " " * max(len(after) - _INDENT - 2, 0)
    lines = textwrap.wrap(
        text, width, initial_indent=lead, break_long_words=False, break_on_hyphens=False
    )
    return [lines[0][len(lead) :], *lines[1:]] if lines else []


# --- findings -----------------------------------------------------------------------------------


def findings_lines(findings: Iterable[Finding], *, width: int) -> Iterator[Line]:
    """Yield findings, the best explanation first, each with what to do."""
    for finding in findings:
        yield BLANK
        yield from finding_lines(finding, width=width)


def finding_lines(finding: Finding, *, width: int) -> Iterator[Line]:
    """Yield one finding: what, where, its evidence, what it explains, how to fix it."""
    severity = finding.severity.value
    yield (
        (finding.code, "strong"),
        (f" {severity}", severity),
        (f" {finding.confidence.value}", "faint"),
        (f"  {finding.title}", "strong"),
    )
    yield from _labelled("where", _places(finding), width=width)
    yield from _labelled("what", [finding.message], width=width)
    yield from _labelled("evidence", finding.evidence, width=width)
    # Its message says how often it was seen itself.
    effects = [each for each in finding.symptoms if each.code != finding.code]
    yield from _labelled("explains", map(_symptom, effects), width=width)
    for number, remedy in enumerate(finding.remedy):
        label = "fix" if number == 0 else "or"
        warning = " (loses something if misused)" if remedy.destructive else ""
        text = remedy.text.removeprefix("or ").removeprefix("else ") if number else remedy.text
        yield from _labelled(label, [text + warning], width=width)
        if remedy.command:
            yield _command(remedy.command, width=width)


def _command(command: Command, *, width: int) -> Line:
    """Return a command with the indent of its explanation."""
    indent = _LABEL + 2 if width >= _LABEL + 2 + _COLUMN else _INDENT
    return ((" " * indent, ""), (str(command), "command"))


def _places(finding: Finding) -> Iterator[str]:
    """Yield where it is, if the message does not say so itself."""
    if finding.location:
        yield f"{finding.location.file}:{finding.location.line or 1}"
    named = str(finding.object or "")
    if named not in finding.message:
        yield named
    if finding.field and finding.field not in finding.message:
        yield finding.field


def headline(finding: Finding) -> Line:
    """Return a finding on one line: its code, severity and title."""
    severity = finding.severity.value
    return ((finding.code, "strong"), (f" {severity}", severity), (f"  {finding.title}", ""))


def _symptom(symptom: Symptom) -> str:
    # Checks of manifests see no symptoms, and start without the rules of all findings.
    from lokeys.core.findings.rules import RULES  # noqa: PLC0415

    rule = RULES.get(symptom.code)
    times = ""
    if symptom.first_seen and symptom.last_seen:
        times = f", {symptom.first_seen:%H:%M:%S} to {symptom.last_seen:%H:%M:%S} UTC"
    times_seen = f"{symptom.count} ×"  # noqa: RUF001 - as people write it
    return f"{times_seen} {symptom.code} {rule.title if rule else ''}{times}"


def _labelled(label: str, texts: Iterable[str], *, width: int) -> Iterator[Line]:
    for text in texts:
        yield from _beside(f"  {label:<{_LABEL}}", text, width=width)
        label = ""


def _beside(label: str, text: str, *, width: int) -> Iterator[Line]:
    """Yield prose beside its label, in a column if there is room for one."""
    room = width - len(label)
    if room >= _COLUMN:
        for part in wrapped(text, room):
            yield ((label, "faint"), (part, ""))
            label = " " * len(label)
        return
    head = f"  {label.strip()} ".ljust(_INDENT)
    for part in wrapped(text, width - _INDENT - 2, after=head):
        yield ((head, "faint"), (part, ""))
        head = " " * (_INDENT + 2)


def summary_line(
    findings: Sequence[Finding], *, complete: bool, ignored: int = 0, agreed: bool = True
) -> Line:
    """Return the last line of a report. `agreed`: no hop was seen that differs."""
    unheard = f"{ignored} finding{'s' if ignored > 1 else ''} ignored, as --ignore says"
    counts = [
        (sum(f.severity is severity for f in findings), severity.value) for severity in Severity
    ]
    words = ", ".join(
        f"{count} {name}{'s' if count > 1 and name != 'info' else ''}"
        for count, name in counts
        if count
    )
    if words:
        said = words + (f"; {unheard}" if ignored else "")
        return ((said + ("" if complete else "; incomplete, see above"), "strong"),)
    if ignored:
        return (((unheard if complete else f"incomplete, see above; {unheard}"), "warning"),)
    if not complete:
        return (("incomplete: something could not be read, and nothing wrong was seen", "warning"),)
    if not agreed:
        return (("no finding, but a hop disagrees with the one before it, see above", "warning"),)
    return (("nothing to report: every hop agrees and the store accepts the key", "good"),)


def unread_lines(unread: Sequence[str], *, width: int) -> Iterator[Line]:
    """Yield what could not be read."""
    if unread:
        yield BLANK
        yield from _labelled("not read", unread, width=width)


# --- plans and steps ----------------------------------------------------------------------------


def plan_lines(route: str, plan: Plan, *, width: int) -> Iterator[Line]:
    """Yield what `heal` would do."""
    count = len(plan.steps)
    if not count and plan.stalled is None:
        yield ((f"{route}: nothing to do, everything is proved", "good"),)
        return
    if plan.caution:
        yield ((f"{plan.caution}.", "warning"),)
    yield ((f"{route}: {count} step{'s' if count != 1 else ''}", "strong"),)
    for number, step in enumerate(plan.steps, 1):
        yield BLANK
        yield from _step_lines(number, step, width=width)
    if plan.stalled:
        yield BLANK
        said = f"stops there: {plan.reason or plan.stalled} ({plan.stalled})"
        yield from _labelled("", [said], width=width)
        yield from _labelled("", [f"more: lokeys explain {plan.stalled}"], width=width)


def _step_lines(number: int, step: Step, *, width: int) -> Iterator[Line]:
    yield (
        (f"{number:>3}  ", "faint"),
        (step.action.value, "strong"),
        (f"  {step.target}", ""),
        ("  destructive" if step.destructive else "", "error"),
    )
    for label, text in (("why", step.why), ("changes", step.changes)):
        yield from _beside(f"     {label:<9}", text, width=width)


def step_words(step: Step) -> str:
    """Return a step in a few words, for progress."""
    return f"{step.action.value} {step.target.path}"


# --- links and explanations ---------------------------------------------------------------------


def link_lines(links: Sequence[Link], *, width: int) -> Iterator[Line]:
    """Yield the links of a probe."""
    room = max((len(link.name) for link in links), default=0)
    words = {True: ("ok  ", "good"), False: ("FAIL", "error"), None: ("-   ", "faint")}
    for link in links:
        cause = f" ({link.blamed})" if link.blamed else ""
        head: Line = ((f"  {link.name:<{room}}  ", ""), words[link.ok])
        if width - room - 10 < _COLUMN:
            yield ((f"  {link.name}  ", ""), words[link.ok])
            yield from _beside(" " * (room + 10), f"{link.said}{cause}", width=width)
            continue
        first, *rest = wrapped(link.said + cause, width - room - 10) or [""]
        yield (*head, (f"  {first}", "faint"))
        for part in rest:
            yield ((" " * (room + 10) + part, "faint"),)


def first_broken_lines(links: Sequence[Link], *, width: int) -> Iterator[Line]:
    """Yield what the first broken link means, and where to read more."""
    first = next((link for link in links if link.ok is False and link.cause), None)
    if first is None or first.cause is None:
        return
    from lokeys.core.findings.causes import CAUSES  # noqa: PLC0415 - if one is broken

    yield BLANK
    yield ((f"the first broken link is {first.name}: ", "strong"), (CAUSES[first.cause], ""))
    yield from (
        ((line, "faint"),) for line in wrapped(f"more: lokeys explain {first.cause}", width)
    )


def reason_lines(reason: str, meaning: str, *, width: int) -> Iterator[Line]:
    """Yield the meaning of a condition's reason that is not a finding's cause."""
    yield ((reason, "strong"),)
    yield from _labelled("means", [meaning], width=width)


def cause_lines(cause: str, meaning: str, rules: Sequence[Rule], *, width: int) -> Iterator[Line]:
    """Yield the meaning of a cause, and the findings that report it."""
    yield from reason_lines(cause, meaning, width=width)
    told = ", ".join(rule.code for rule in rules) or "no finding of lokeys tells this cause"
    yield from _labelled("told by", [told], width=width)


def rule_lines(rule: Rule, *, width: int, printed: Sequence[str] = ()) -> Iterator[Line]:
    """Yield a finding's meaning, why it matters, what logs print for it, and how to fix it."""
    cause = f"  {rule.cause}" if rule.cause else ""
    title = readable(rule.title)
    severity = rule.severity.value
    yield ((rule.code, "strong"), (f" {severity}", severity), (cause, "faint"))
    yield (("  ", ""), (title, "strong"))
    yield BLANK
    yield from _labelled("means", [rule.meaning], width=width)
    yield from _labelled("matters", [rule.why], width=width)
    yield from _labelled("printed", printed, width=width)
    for number, remedy in enumerate(map(readable_remedy, rule.remedy)):
        yield from _labelled("fix" if not number else "or", [remedy.text], width=width)
        if remedy.command:
            yield _command(remedy.command, width=width)
