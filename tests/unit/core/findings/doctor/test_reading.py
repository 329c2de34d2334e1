# SPDX-License-Identifier: Apache-2.0
"""A log is read whatever wraps its lines, whatever its size, and whatever else stands in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.findings.doctor.kinds import Kind
from lokeys.core.findings.doctor.layouts import MAX_LINE, unwrapped
from lokeys.core.findings.doctor.programs import Program
from lokeys.core.findings.doctor.reading import PIECE_BYTES, is_quiet, read
from lokeys.core.findings.doctor.tally import Tally

TIME = "2026-11-22T02:56:05.537305929Z"
ERR = (
    "failed to flush chunks: store put chunk: upload s3 object: The AWS Access Key Id you "
    "provided does not exist in our records."
)
FLUSH = f'level=error ts={TIME} caller=flush.go:356 component=ingester msg="failed to flush"'
ERROR = f'{FLUSH} err="{ERR}"'
INFO = f'level=info ts={TIME} caller=flush.go:300 component=ingester msg="flushing stream"'
AS_JSON = json.dumps(
    {"caller": "flush.go:356", "err": ERR, "level": "error", "msg": "x", "ts": TIME}
)
INFO_AS_JSON = '{"caller":"flush.go:300","level":"info","msg":"flushing","ts":"' + TIME + '"}'
CAUSE = "access_key_unknown"


def tally_of(text: str | bytes, *, piece: int = 1 << 20) -> Tally:
    raw = text if isinstance(text, bytes) else text.encode()
    return read("loki.log", [raw[at : at + piece] for at in range(0, len(raw), piece)])


def docker(text: str, *, whole: bool = True) -> str:
    end = "\n" if whole else ""
    return json.dumps({"log": text + end, "stream": "stderr", "time": TIME}, separators=(",", ":"))


LAYOUTS = {
    "as it is": "{}",
    "CRI": TIME + " stderr F {}",
    "kubectl logs --prefix": "[pod/loki-0/loki] {}",
    "kubectl logs --timestamps": TIME + " {}",
    "kubectl logs --prefix --timestamps": "[pod/loki-0/loki] " + TIME + " {}",
    "stern": "loki-0 loki {}",
    "stern of today": "loki-0 \u203a loki \u2502 {}",
    "compose": "loki-1  | {}",
    "journalctl": "Nov 22 02:56:05 node-1 loki[1234]: {}",
    "journalctl with times": "2026-11-22T02:56:05+0000 node-1 loki[1234]: {}",
    "journald's export": "__REALTIME_TIMESTAMP=1\n_PID=7\nMESSAGE={}\n",
    "a terminal's colours": "\x1b[31m{}\x1b[0m",
    "Windows line ends": "{}\r",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("line", [ERROR, AS_JSON], ids=["logfmt", "JSON"])
def test_each_layout_is_read(layout: str, line: str) -> None:
    """The cause, its time and how often are the same whatever wraps the line."""
    found = tally_of(f"{layout.replace('{}', line)}\n" * 3)
    row, count = found.complaints[CAUSE]
    assert (row.cause, count.count) == (CAUSE, 3)
    assert count.first_at is not None
    assert found.program is Program.LOKI


@pytest.mark.parametrize("line", [ERROR, AS_JSON], ids=["logfmt", "JSON"])
@pytest.mark.parametrize(
    "wrap",
    [
        docker,
        lambda text: json.dumps({"MESSAGE": text, "_BOOT_ID": "1", "PRIORITY": "3"}),
        lambda text: json.dumps({"message": text, "podName": "loki-0", "containerName": "loki"}),
    ],
    ids=["docker's files", "journalctl -o json", "stern -o json"],
)
def test_json_around_a_line_is_taken_off(wrap: object, line: str) -> None:
    """A runtime's own JSON is no program's."""
    assert callable(wrap)
    assert CAUSE in tally_of(wrap(line) + "\n").complaints


def test_what_a_runtime_broke_is_joined() -> None:
    """Parts P and F of CRI are one line, and so are parts of Docker's without a newline."""
    head, tail = ERROR[:150], ERROR[150:]
    for text in (
        f"{TIME} stderr P {head}\n{TIME} stderr F {tail}\n",
        f"{TIME} stderr P {head}\n{TIME} stderr P \n{TIME} stderr F {tail}\n",
        f"{TIME} stderr P {head}\n{TIME} stderr P {tail}\n",
        f"{docker(head, whole=False)}\n{docker(tail)}\n",
    ):
        (found,) = tally_of(text).complaints.values()
        assert found[1].count == 1


def test_a_broken_line_of_level_info_stays_quiet() -> None:
    """What is behind the break belongs to a line whose level stands before it."""
    quiet = f'{TIME} stderr P {INFO} query="\n{TIME} stderr F InvalidAccessKeyId"\n'
    assert tally_of(quiet).complaints == {}


def test_a_message_of_several_lines_is_one() -> None:
    """Bodies of answers and chains of causes stand on lines of their own."""
    said = (
        f"level=error ts={TIME} msg=upload err=WebIdentityErr\n"
        "caused by: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity\n"
        "\tstatus code: 403, request id: 1\n"
        f"{INFO}\n"
    )
    found = tally_of(said)
    assert {cause: count.count for cause, (_, count) in found.complaints.items()} == {
        "sts_trust_policy_denied": 1
    }
    body = "error: bucket:\n<Error>\n <Code>NoSuchBucket</Code>\n</Error>\n"
    assert tally_of(body).complaints["bucket_not_found"][1].count == 1


def test_events_that_kubectl_describes_are_lines_of_their_own() -> None:
    """They are indented, and none belongs to the one before."""
    row = "  Warning  Failed  5m  loki  bucket: NoSuchBucket\n"
    assert tally_of("Events:\n" + row * 3).complaints["bucket_not_found"][1].count == 3


QUIET = {
    "logfmt": INFO,
    "logfmt with the time first": f"ts={TIME} caller=flush.go:300 level=info msg=flushing",
    "debug": INFO.replace("info", "debug"),
    "JSON": INFO_AS_JSON,
    "JSON with blanks": '{"level": "info", "msg": "flushing"}',
    "CRI": f"{TIME} stderr F {INFO}",
    "CRI with JSON": f"{TIME} stderr F {INFO_AS_JSON}",
    "kubectl's prefix": f"[pod/loki-0/loki] {INFO}",
    "docker": docker(INFO),
}
LOUD = {
    "an error": ERROR,
    "a level in somebody's words": f'level=error ts={TIME} msg="x level=info "',
    "a level in words before the level": 'msg="x level=info " level=error',
    "a field whose name ends in level": "log_level=info err=NoSuchBucket",
    "a broken line": f"{TIME} stderr P {INFO}",
    "a broken line of JSON": f"{TIME} stderr P {INFO_AS_JSON}",
    "a broken line of docker": docker(INFO, whole=False),
    "JSON of level error": AS_JSON,
    "JSON with two levels": '{"labels":{"level":"info"},"level":"error"}',
    "JSON behind quotes": 'msg="a" {"level":"info"}',
    "no level": "panic: runtime error",
}


@pytest.mark.parametrize("line", QUIET.values(), ids=QUIET)
def test_a_quiet_line_is_passed_over_by_its_bytes(line: str) -> None:
    """Level info and debug, in each common layout."""
    assert is_quiet(line.encode())


@pytest.mark.parametrize("line", LOUD.values(), ids=LOUD)
def test_what_may_matter_is_never_passed_over(line: str) -> None:
    """Words in a message, and what belongs to another line, make no line quiet."""
    assert not is_quiet(line.encode())


def test_lines_are_counted_and_timed() -> None:
    """How many, from when to when, how many warn or worse, which of those were understood."""
    other = f"level=warn ts={TIME} msg=nobody-knows-this"
    ring = 'level=error ts=2026-11-22T04:00:00Z msg="error getting ring" err="empty ring"'
    found = tally_of(f"{INFO}\n{ERROR}\n{ERROR}\n{other}\n{ring}")
    assert (found.lines, found.bad, found.understood, found.share) == (5, 4, 3, 0.75)
    assert str(found.first_at) == "2026-11-22 02:56:05.537305+00:00"
    assert str(found.last_at) == "2026-11-22 04:00:00+00:00"
    assert found.unknown.count == 1
    assert {what: count.count for what, count in found.ignored.items()} == {
        "the ring and memberlist": 1
    }
    assert tally_of(INFO).share is None


@pytest.mark.parametrize("piece", [1, 7, 100, 4096])
def test_how_a_log_is_cut_in_pieces_changes_nothing(piece: int) -> None:
    """A pipe gives what it has."""
    text = f"{INFO}\n{ERROR}\n\n{ERROR}\n{INFO}"
    found = tally_of(text, piece=piece)
    assert (found.lines, found.complaints[CAUSE][1].count) == (5, 2)


def test_a_line_without_end_is_cut_and_counted() -> None:
    """Its beginning is read, the rest is skipped, and what follows is read again."""
    long = "x" * (3 * PIECE_BYTES)
    found = tally_of(f"{ERROR}\n{long}\n{ERROR}\n", piece=PIECE_BYTES)
    assert (found.lines, found.cut, found.complaints[CAUSE][1].count) == (3, 1, 2)
    assert tally_of("y" * (3 * PIECE_BYTES), piece=PIECE_BYTES).lines == 1


def test_a_long_line_is_read_as_far_as_the_bound() -> None:
    """What stands behind it does not count."""
    assert tally_of(f"{ERROR} {'x' * MAX_LINE}\n").complaints
    assert not tally_of(f"{'x' * MAX_LINE} {ERROR}\n").complaints


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", Kind.EMPTY),
        (b" \r\n\n", Kind.EMPTY),
        (bytes(64), Kind.EMPTY),
        (bytes(range(32)) * 9, Kind.BINARY),
        (bytes(range(256)) * 99, Kind.BINARY),
        (b"x".ljust(257, b"\0") + b"ustar".ljust(255, b"\0"), Kind.BUNDLE),
        (b"PK\x03\x04" + bytes(99), Kind.BUNDLE),
        (b"# a comment\n---\nkind: Secret\n", Kind.MANIFEST),
        (b'{\n    "apiVersion": "v1",\n    "items": []\n}\n', Kind.MANIFEST),
        (b"\xef\xbb\xbfauth_enabled: false\ncommon:\n  x: 1\n", Kind.CONFIGURATION),
    ],
    ids=[
        *("nothing", "blank lines", "zeros", "control characters", "any bytes", "a tar", "a zip"),
        *("YAML of Kubernetes", "JSON of kubectl", "a configuration"),
    ],
)
def test_what_is_no_log_is_called_so(raw: bytes, kind: Kind) -> None:
    """And nothing is counted in it."""
    found = tally_of(raw)
    assert (found.kind, found.lines) == (kind, 0)


def test_a_log_that_was_cut_while_it_was_written_is_a_log() -> None:
    """It begins with zeros where its earlier part was."""
    assert CAUSE in tally_of(bytes(4096) + b"\n" + ERROR.encode()).complaints


def test_where_a_cause_was_seen_first_is_told() -> None:
    """The number of the line, from 1, for lines alone, joined and of a message of several."""
    for text, number in (
        (f"{INFO}\n{ERROR}\n{ERROR}", 2),
        (f"{INFO}\n{TIME} stderr P {ERROR[:99]}\n{TIME} stderr F {ERROR[99:]}\n", 2),
        ("x\n\nerror: bucket:\n<Code>NoSuchBucket</Code>\n", 3),
    ):
        ((_, count),) = tally_of(text).complaints.values()
        assert count.number == number


def test_nested_wrappings_have_an_end() -> None:
    """A line that seems to have more than four is somebody's joke."""
    assert unwrapped("[pod/a/b] " * 9 + "level=error").text.startswith("[pod/")


def test_many_different_errors_are_all_counted() -> None:
    """What is remembered of lines is bounded; what is counted is not."""
    words = ["".join(chr(97 + (n // 26**k) % 26) for k in range(4)) for n in range(6000)]
    text = "\n".join(f'level=error msg=x err="NoSuchBucket: {word}"' for word in words)
    assert tally_of(text).complaints["bucket_not_found"][1].count == 6000


@given(st.binary(max_size=4096), st.integers(1, 512))
def test_no_bytes_make_the_reader_fail(raw: bytes, piece: int) -> None:
    """Whatever a file holds."""
    tally_of(b"level=error " + raw, piece=piece)


PARTS = [
    *("level=error ", "level=info ", 'err="', '"', "{", '{"log":"', "\\", "\n", " stderr P "),
    *(TIME, "NoSuchBucket", "\x1b[31m", "<Error>", "caused by: ", "num_chunks: ", "E1201 "),
]


@given(st.lists(st.sampled_from(PARTS), max_size=60), st.integers(1, 64))
def test_pieces_of_real_lines_in_any_order_are_read(parts: list[str], piece: int) -> None:
    """And lines are counted as a newline counts them."""
    text = "".join(parts)
    found = tally_of(text, piece=piece)
    if found.kind is Kind.LOG:
        assert found.lines == text.count("\n") + (not text.endswith("\n"))
