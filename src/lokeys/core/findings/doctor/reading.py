# SPDX-License-Identifier: Apache-2.0
"""Reads a log of any size from pieces of bytes, in constant memory.

Almost all lines of a log are quiet (level info or debug), and nothing in them counts: they are
recognized by their bytes, and only the others are decoded. A line without end is kept up to a
bound, and the rest of it is skipped. What a runtime broke in pieces is joined, and so is a message
of several lines. Errors repeat: a line that differs from one before only in its digits is judged
once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lokeys.core.findings.complaint import Complaint
from lokeys.core.findings.doctor.judging import judged
from lokeys.core.findings.doctor.kinds import HEAD_BYTES, Kind, kind_of
from lokeys.core.findings.doctor.layouts import MAX_LINE, unwrapped
from lokeys.core.findings.doctor.lines import Line, moment, read_line, time_of
from lokeys.core.findings.doctor.programs import Guess
from lokeys.core.findings.doctor.tally import Count, Tally
from lokeys.core.findings.doctor.unrelated import Unrelated

PIECE_BYTES = 1 << 20
"""The size of a piece that is best read at once."""
_HEAD = 256
"""How far into a line its level stands at most, behind what others put before it."""
_QUIET_STARTS = (b"level=info ", b"level=debug ")
_QUIET = (b"info", b"debug")
_QUIET_VALUES = (b'"info"', b'"debug"', b' "info"', b' "debug"')
_QUIET_DOCKER = (b'{"log":"level=info ', b'{"log":"level=debug ')
_DOCKER_END = b'\\n","stream"'
_BROKEN = (b" stderr P ", b" stdout P ")
_CRI_HEAD = 64
_DIGITS = b"0123456789"
_REMEMBERED = 4096
_SAMPLED = 200
_LONG = 2048
"""Longer lines are not remembered: what is remembered has a bound."""
_JOINED = 64
_GOES_ON = re.compile(
    r"(?!\s+(?:Warning|Normal)\s\s)"
    r"(?:\s|<|[}\])\"]|[-=]{3}"
    r"|(?i:caused by|status code|description=|response |error code|goroutine ))"
)
_JOURNAL_FIELD = re.compile(r"_{0,2}[A-Z][A-Z0-9_]{1,63}=")


def read(name: str, pieces: Iterable[bytes]) -> Tally:
    """Return what stands in a log, given in pieces of any size."""
    pieces = iter(pieces)
    head, given = b"", []
    for piece in pieces:
        given.append(piece)
        head = b"".join(given)
        if len(head) >= HEAD_BYTES:
            break
    tally = Tally(name=name, kind=kind_of(head[:HEAD_BYTES]))
    if tally.kind is not Kind.LOG:
        return tally
    reader = _Reader(tally)
    for lines in _lines(_again(head, pieces), tally):
        reader.take(lines)
    reader.close()
    return tally


def _again(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _lines(pieces: Iterable[bytes], tally: Tally) -> Iterator[list[bytes]]:
    """Yield the lines of each piece; one that is too long is cut, and counted."""
    rest, skipping = b"", False
    for piece in pieces:
        begun, end = rest, piece.find(b"\n") if skipping else 0
        if end < 0:
            continue
        skipping = False
        lines = (begun + piece[end:] if begun or end else piece).split(b"\n")
        rest = lines.pop()
        tally.lines += len(lines)
        if lines:
            yield lines
        if len(rest) > PIECE_BYTES:
            rest, skipping = rest[:MAX_LINE], True
            tally.cut += 1
    if rest:
        tally.lines += 1
        yield [rest]


def is_quiet(line: bytes) -> bool:
    """Tell whether a line's own level is info or debug. Words in its message do not count."""
    at = line.find(b"level=", 0, _HEAD)
    if at >= 0:
        if not line.startswith(_QUIET, at + 6):
            return False
        before = line[:at]
        if b'"' not in before:
            return before[-1:] in (b"", b" ", b"\t") and not _is_broken(line)
        return line.startswith(_QUIET_DOCKER) and _DOCKER_END in line
    return _is_quiet_json(line)


def _is_quiet_json(line: bytes) -> bool:
    begins = line.find(b'{"', 0, _HEAD)
    if begins < 0 or b'"' in line[:begins]:
        return False
    at = line.find(b'"level":', begins)
    return (
        at >= 0
        and line.startswith(_QUIET_VALUES, at + 8)
        and line.find(b'"level":', at + 8) < 0
        and not (begins and _is_broken(line))
    )


def _is_broken(line: bytes) -> bool:
    """Tell whether a runtime may have broken the line: what it belongs to is then read first."""
    head = line[:_CRI_HEAD]
    return any(mark in head for mark in _BROKEN)


@dataclass(slots=True)
class _Record:
    """One message. `raw` is its first line as it came, `text` is what the program wrote."""

    number: int
    raw: bytes
    text: str = ""
    lines: int = 1

    @property
    def written(self) -> str:
        """Return what the program wrote."""
        return self.text or unwrapped(_decoded(self.raw)).text


@dataclass(frozen=True, slots=True)
class _Meaning:
    bad: bool
    count: Count | None
    known: bool


class _Reader:
    """Turns loud lines into counts."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._guess = Guess()
        self._at = 0
        self._pending: _Record | None = None
        self._broken: _Record | None = None
        self._meanings: dict[bytes, _Meaning] = {}
        self._ends: list[bytes] = []

    def take(self, lines: list[bytes]) -> None:
        """Read some whole lines."""
        for line in lines[: max(_SAMPLED - self._at, 1)]:
            self._guess.add(_decoded(line))
            self._tally.first = self._tally.first or _valid_time(line)
        start, self._at = self._at, self._at + len(lines)
        self._ends = lines[-_SAMPLED:]
        loud = [
            (number, line)
            for number, line in enumerate(lines, start)
            if not (line.startswith(_QUIET_STARTS) or is_quiet(line))
        ]
        for number, line in loud:
            if line.startswith(b"level=") and self._broken is None:
                self._flush()
                self._pending = _Record(number, line[:MAX_LINE])
            else:
                self._line(number, line[:MAX_LINE])

    def close(self) -> None:
        """Count what is left, and say of the whole what its lines say."""
        if self._broken is not None:
            self._begin(self._broken)
        self._flush()
        times = (_valid_time(line) for line in reversed(self._ends))
        self._tally.last = next(filter(None, times), self._tally.first)
        self._tally.program = self._guess.program

    def _line(self, number: int, raw: bytes) -> None:
        found = unwrapped(_decoded(raw))
        if _JOURNAL_FIELD.match(found.text):
            return
        record = _Record(number, raw, found.text)
        if self._broken is not None:
            before, self._broken = self._broken, None
            record = _Record(number, before.raw, (before.text + found.text)[:MAX_LINE], lines=2)
        if found.goes_on:
            self._broken = record
            return
        self._begin(record)

    def _begin(self, record: _Record) -> None:
        before = self._pending
        if before is not None and _belongs(before, record):
            before.text = f"{before.written}\n{record.text}"[:MAX_LINE]
            before.lines, before.number = before.lines + 1, record.number
            return
        self._flush()
        self._pending = record

    def _flush(self) -> None:
        record, self._pending = self._pending, None
        if record is None or not record.raw:
            return
        meaning = self._meaning(record)
        self._tally.bad += meaning.bad
        self._tally.understood += meaning.bad and meaning.known
        if meaning.count is not None:
            meaning.count.add(record.raw, record.number - record.lines + 2)

    def _meaning(self, record: _Record) -> _Meaning:
        if record.lines > 1 or len(record.raw) > _LONG:
            return self._judged(record)
        key = record.raw.translate(None, _DIGITS)
        meaning = self._meanings.get(key)
        if meaning is None:
            meaning = self._judged(record)
            if len(self._meanings) < _REMEMBERED:
                self._meanings[key] = meaning
        return meaning

    def _judged(self, record: _Record) -> _Meaning:
        line = read_line(record.written)
        what = judged(line)
        if line.bad or what is not None:
            self._guess.add(record.written)
        return _Meaning(
            bad=line.bad, count=self._count_of(what, line, record), known=what is not None
        )

    def _count_of(
        self, what: Complaint | Unrelated | None, line: Line, record: _Record
    ) -> Count | None:
        tally = self._tally
        if isinstance(what, Complaint):
            _, count = tally.complaints.setdefault(what.cause, (what, Count()))
        elif isinstance(what, Unrelated):
            count = tally.ignored.setdefault(what.what, Count())
        elif line.bad:
            count = tally.unknown
        else:
            return None
        count.line = count.line or record.written
        return count


def _belongs(before: _Record, record: _Record) -> bool:
    near = record.number == before.number + 1 and before.lines < _JOINED
    return near and _GOES_ON.match(record.text) is not None


def _decoded(raw: bytes) -> str:
    return raw[:MAX_LINE].decode(errors="replace")


def _valid_time(raw: bytes) -> str:
    time = time_of(raw)
    return time if moment(time) else ""
