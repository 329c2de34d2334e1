# SPDX-License-Identifier: Apache-2.0
"""The storage schemas of a stack: how the applied ones may change.

    applied ─────────┬──────────┬───────────────▶ time
      in force: kept │ future: may change or go │ new: two hours' notice before its midnight

A schema whose midnight (UTC) is less than the notice away counts as in force, for additions,
changes and removals alike, so that no list is refused for two contradictory reasons.

What counts is the version in force at each moment: a schema with its predecessor's version changes
nothing, and the Loki Operator leaves it out of the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import Schema, SchemaVersion

NOTICE = timedelta(hours=2)
_FIELD = "spec.storage.schemas"


def schema_findings(
    stack: Ref, schemas: Sequence[Schema], *, applied: Sequence[Schema], now: datetime
) -> Iterator[Finding]:
    """Yield what is wrong with a stack's schemas at this moment."""
    if not schemas:
        yield _at(lokistacks.NO_SCHEMAS, stack, _FIELD)
        return
    yield from _repeated(stack, schemas)
    first = min(schema.effective_date for schema in schemas)
    if _midnight(first) > now:
        yield _at(lokistacks.MISSING_VALID_START_DATE, stack, _FIELD, date=first)
    if applied:
        yield from _history(stack, schemas, applied, now)


def in_order(schemas: Iterable[Schema]) -> tuple[Schema, ...]:
    """Return schemas by date, as Loki requires."""
    return tuple(sorted(schemas, key=lambda schema: schema.effective_date))


def _repeated(stack: Ref, schemas: Sequence[Schema]) -> Iterator[Finding]:
    seen: set[date] = set()
    for place, schema in enumerate(schemas):
        if schema.effective_date in seen:
            path = f"{_FIELD}[{place}].effectiveDate"
            yield _at(lokistacks.DATES_NOT_UNIQUE, stack, path, date=schema.effective_date)
        seen.add(schema.effective_date)


def _history(
    stack: Ref, schemas: Sequence[Schema], applied: Sequence[Schema], now: datetime
) -> Iterator[Finding]:
    wanted = _by_date(schemas)
    before = _by_date(applied)
    for day, version in sorted(before.items()):
        if not _in_force(day, now):
            continue
        if _at_day(wanted, day) is version:
            continue
        if day not in wanted:
            yield _at(
                lokistacks.RETROACTIVELY_REMOVED, stack, _FIELD, date=day, version=version.value
            )
        else:
            words = {"date": day, "version": wanted[day].value, "applied": version.value}
            yield _at(lokistacks.RETROACTIVELY_CHANGED, stack, _FIELD, **words)
    earliest = (now + NOTICE).date()
    if _in_force(earliest, now):
        earliest += timedelta(days=1)
    for day, version in sorted(wanted.items()):
        added = day not in before and _at_day(before, day) is not version
        if added and _in_force(day, now):
            words = {"date": day, "version": version.value, "earliest": earliest}
            yield _at(lokistacks.RETROACTIVELY_ADDED, stack, _FIELD, **words)


def _by_date(schemas: Iterable[Schema]) -> Mapping[date, SchemaVersion]:
    return {schema.effective_date: schema.version for schema in schemas}


def _at_day(versions: Mapping[date, SchemaVersion], day: date) -> SchemaVersion | None:
    """Return the version that is in force on a day."""
    begun = [each for each in versions if each <= day]
    return versions[max(begun)] if begun else None


def _in_force(day: date, now: datetime) -> bool:
    """Tell whether a schema has begun, or will before the notice is over."""
    return _midnight(day) - now < NOTICE


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _at(rule: Rule, stack: Ref, path: str, **words: Any) -> Finding:
    route = f"{stack.namespace}/{stack.name}"
    return rule.at(
        stack, route=route, field=path, name=stack.name, namespace=stack.namespace, **words
    )
