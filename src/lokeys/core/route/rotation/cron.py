# SPDX-License-Identifier: Apache-2.0
"""When a window is open: five cron fields, with the meaning of Vixie's cron.

Times are judged minute by minute in the window's own time zone, so a change of the clocks needs no
special rule: a skipped hour opens nothing, a repeated one opens twice. The schedule has passed the
resource's rules: numbers, lists, ranges and steps within their bounds.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAY, _WEEKDAY = 2, 4
_A_MINUTE = timedelta(minutes=1)


def opens_at(schedule: str, moment: datetime) -> bool:
    """Tell whether the schedule includes this minute; `moment` is in the schedule's time zone."""
    fields = schedule.split()
    weekday = moment.isoweekday() % 7
    now = (moment.minute, moment.hour, moment.day, moment.month, weekday)
    hits = [
        _hits(field, value, bounds)
        for field, value, bounds in zip(fields, now, _BOUNDS, strict=True)
    ]
    if weekday == 0:
        hits[_WEEKDAY] = hits[_WEEKDAY] or _hits(fields[_WEEKDAY], 7, _BOUNDS[_WEEKDAY])
    day, weekday_too = hits[_DAY], hits[_WEEKDAY]
    both = not (fields[_DAY].startswith("*") or fields[_WEEKDAY].startswith("*"))
    days = (day or weekday_too) if both else (day and weekday_too)
    return hits[0] and hits[1] and hits[3] and days


def is_open(schedule: str, duration: timedelta, zone: tzinfo, now: datetime) -> bool:
    """Tell whether a window that opened within `duration` before `now` is still open."""
    minute = now.replace(second=0, microsecond=0)
    opened = minute
    while now - opened < duration:
        if opens_at(schedule, opened.astimezone(zone)):
            return True
        opened -= _A_MINUTE
    return False


def _hits(field: str, value: int, bounds: tuple[int, int]) -> bool:
    return any(_hits_part(part, value, bounds) for part in field.split(","))


def _hits_part(part: str, value: int, bounds: tuple[int, int]) -> bool:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = bounds
    else:
        low = int(first)
        high = int(last) if dash else bounds[1] if step else low
    return low <= value <= high and (value - low) % (int(step) if step else 1) == 0
