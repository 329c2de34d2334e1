# SPDX-License-Identifier: Apache-2.0
"""What the counts of a log come to: causes ranked, their effects folded in, other programs left."""

import json

import pytest

from lokeys.core.findings.catalogue.complaints import COMPLAINTS, printed_by
from lokeys.core.findings.doctor.lines import moment, read_line, time_of
from lokeys.core.findings.doctor.programs import Guess, Program
from lokeys.core.findings.doctor.reading import read
from lokeys.core.findings.doctor.summary import log_sentences
from lokeys.core.findings.doctor.unrelated import UNRELATED
from lokeys.core.findings.doctor.verdict import causes_in_order, shown_line, span, verdict
from lokeys.core.findings.doctor.word_index import WordIndex, anchor, words_of
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.report import explanation

HEAD = "level=error ts=2026-11-22T0{}:00:00Z caller=flush.go:356 component=ingester"
STS = "WebIdentityErr: x caused by: AccessDenied: Not authorized to perform sts:AssumeRole"


def line(hour: int, err: str) -> str:
    return f'{HEAD.format(hour)} msg="failed to flush" err={json.dumps(err)}\n'


def test_effects_are_folded_into_their_cause() -> None:
    """With counts, first and last times; they are no findings of their own."""
    log = line(1, STS) + line(2, "AccessDenied: Access Denied") * 2 + line(3, STS)
    (finding,) = verdict([read("a.log", [log.encode()])])
    assert finding.cause == "sts_trust_policy_denied"
    folded = [(each.code, each.count) for each in finding.symptoms]
    assert folded == [("LK0818", 2), ("LK0803", 2)]
    first, last = finding.symptoms[0].first_seen, finding.symptoms[0].last_seen
    assert first is not None
    assert last is not None
    assert (first.hour, last.hour) == (1, 3)


def test_causes_that_do_not_explain_each_other_both_stand() -> None:
    """Best explanation first, whatever came first in the log."""
    log = line(1, "AccessDenied") + line(2, "NoSuchBucket") + line(3, "InvalidAccessKeyId: x")
    found = causes_in_order([read("a.log", [log.encode()])])
    assert found[:2] == ["bucket_not_found", "access_key_unknown"]


def test_what_a_program_that_is_not_known_says_is_only_possible() -> None:
    """A line that somebody pasted has no mark of a program."""
    (finding,) = verdict([read("a.log", [b"err: NoSuchBucket: the bucket\n"])])
    assert finding.confidence is Confidence.POSSIBLE


def test_what_another_program_says_is_its_own_trouble() -> None:
    """Whatever the words."""
    log = b'logger=context level=error msg="x" err="AccessDenied: Access Denied"\n'
    tally = read("grafana.log", [log])
    assert tally.program is Program.OTHER
    assert verdict([tally]) == ()


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ('E1122 02:56:05.5  1 x.go:1] "Unhandled Error" err="a b" x="1"', "error", "a b"),
        ("W1122 02:56:05.5  1 x.go:1] plain words", "warn", "plain words"),
        ("2026-11-22 02:56:05.521701 E | op-x: no", "error", "op-x: no"),
        ("2026/11/22 02:56:05 ERROR it broke", "error", "2026/11/22 02:56:05 ERROR it broke"),
        ('{"severity": "WARN", "message": "no", "n": 1, "deep": {}}', "warn", "no"),
        ('level=error msg="a\\tb\\u003cc" err=nil', "error", "a\tb<c"),
        ("", "", ""),
    ],
)
def test_each_form_of_a_line_is_read(text: str, level: str, said: str) -> None:
    """Klog with and without fields, Rook's, plain, JSON, escapes."""
    found = read_line(text)
    assert (found.level, found.said) == (level, said)


def test_times_are_taken_from_wherever_they_stand() -> None:
    """The program's own, else the wrapping's; seconds since 1970, too."""
    assert moment("1763780165.123") is not None
    assert moment("99999999999999") is None
    assert time_of(b"2026-11-22T02:56:05Z stderr F plain") == "2026-11-22T02:56:05Z"
    assert span(None, moment("2026-11-22T02:56:05Z")) == ""
    two_days = span(moment("2026-11-22T02:56:05Z"), moment("2026-11-23T02:56:05Z"))
    assert two_days == ", 2026-11-22 02:56:05 to 2026-11-23 02:56:05 UTC"


def test_evidence_is_short_and_says_nothing_twice() -> None:
    """A line of 16 kB is evidence, too, but not all of it is shown."""
    assert len(shown_line("level=error msg=" + "x" * 9000)) < 500
    assert shown_line('level=error msg="a: b" err=b') == "b"


def test_json_that_only_looks_wrapped_is_left_as_it_is() -> None:
    """A field of a runtime's name makes no runtime's line."""
    odd = '{"stream": 1, "level": "error", "err": "NoSuchBucket"}\n'
    assert "bucket_not_found" in read("a.log", [odd.encode()]).complaints
    half = '{"stream": "stderr", "log": "NoSuchBucket\n'
    assert read("a.log", [half.encode()]).lines == 1


def test_a_line_is_compared_with_the_rows_that_may_fit_alone() -> None:
    """What the index finds is what a look at every row would find."""
    index = WordIndex(COMPLAINTS)
    for row in COMPLAINTS:
        for phrase in row.phrases:
            assert row in index.candidates(words_of(f"x {phrase} y"))
    for other in UNRELATED:
        assert all(anchor(phrase) for phrase in other.phrases)


def test_nothing_that_was_seen_is_no_program() -> None:
    """And of two with as many signs the first of the table is taken."""
    assert Guess().program is Program.UNKNOWN
    guess = Guess()
    guess.add("thanos loki.go")
    assert guess.program is Program.THANOS


def test_each_cause_of_a_log_can_be_explained_with_what_shows_it() -> None:
    """`lokeys explain CAUSE` lists the words that logs print."""
    for row in COMPLAINTS:
        (found,) = explanation((row.rule,), printed_by=printed_by)["rules"]
        assert set(row.phrases) <= set(found["printed"])
    assert explanation((row.rule,))["rules"][0]["printed"] == []


def test_with_v_only_what_was_there_is_listed() -> None:
    """A log whose every line is understood has no line of what was not."""
    tally = read("a.log", [b'level=error caller=ratestore.go:1 msg=x err="empty ring"\n'])
    said = list(log_sentences(tally, verbose=True))
    assert [each[:9] for each in said[1:]] == ["ignored 1"]
