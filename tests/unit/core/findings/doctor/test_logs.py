# SPDX-License-Identifier: Apache-2.0
"""Logs with a known cause give it first, and keep giving it when all else about them changes.

Logs of a real Loki (`tests/logs/made/`, by `make faults`), cases in the shapes of public threads
(`tests/logs/cases/`), and troubles that are somebody else's (`tests/logs/negatives.yaml`).
"""

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from logs.accuracy import PAGE, SILENT, UNTOLD, page_table, ranked_causes, table
from logs.shapes import HERE, LISTS, LogCase, cases, labelled, listed, made
from lokeys.adapters.files.logs import pieces
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.doctor.reading import read
from lokeys.core.findings.doctor.verdict import verdict
from lokeys.core.findings.finding import Confidence

HEALTHY = sorted((HERE / "made").glob("healthy*.log*"))
NEGATIVES: dict[str, str] = yaml.safe_load((HERE / "negatives.yaml").read_text())
LOGS = {case.title: case.log() for case in labelled()}
AIM = 0.95


def test_the_two_lists_hold_every_case_by_the_hash_of_its_name() -> None:
    """Nobody chooses what is held out."""
    for name, path in LISTS.items():
        titles = [case.title for case in labelled() if case.held_out == (name == "held out")]
        assert path.read_text().splitlines() == titles
    assert {case.cause for case in cases()} <= CAUSES.keys()


def test_the_first_cause_is_right_on_what_is_held_out() -> None:
    """At least 95 %, and what a log can tell at all is told rightly or not at all."""
    _, total, right = table(listed("held out"))
    assert right / total >= AIM
    for case in listed("held out"):
        found = ranked_causes(case.log())
        assert case.title in UNTOLD or found[:1] in ([], [case.cause]), case.title


@pytest.mark.parametrize("case", made(), ids=lambda case: case.title)
def test_a_real_lokis_log_with_a_fault_gives_its_cause(case: LogCase) -> None:
    """First, or where the log cannot tell, another that is not called certain, or nothing."""
    found = verdict([read("loki.log", [case.log().encode()])])
    if case.title in SILENT:
        assert found == ()
        return
    first = found[0]
    if case.title in UNTOLD:
        assert first.confidence is not Confidence.CERTAIN
    else:
        assert first.cause == case.cause


def test_the_docs_have_the_table_of_today() -> None:
    """`python -m logs.accuracy --page` writes it."""
    assert page_table("held out") in PAGE.read_text()


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_healthy_lokis_log_gives_nothing(path: Path) -> None:
    """At level debug, through its start and its flushes."""
    tally = read(path.name, pieces(str(path)))
    assert verdict([tally]) == ()
    assert tally.lines > 50
    assert tally.understood == tally.bad, tally.unknown.line


@pytest.mark.parametrize("text", NEGATIVES.values(), ids=NEGATIVES)
def test_what_is_somebody_elses_trouble_gives_nothing(text: str) -> None:
    """No finding; what Loki itself says of it is understood."""
    tally = read("a.log", [text.encode()])
    assert verdict([tally]) == ()
    if tally.program.value == "Loki":
        assert tally.understood == tally.bad, tally.unknown.line


def test_all_of_it_in_one_log_gives_nothing() -> None:
    """As a busy cluster's day has it."""
    ours = [text for text in NEGATIVES.values() if "logger=" not in text and " - - " not in text]
    assert verdict([read("day.log", ["\n".join(ours).encode()])]) == ()


# --- mutations ------------------------------------------------------------------------------------


def _other_values(text: str, chance: random.Random) -> str:
    """Change addresses, ids, names of tenants and numbers."""
    text = re.sub(r"\b10\.\d+\.\d+\.\d+", lambda _: f"172.16.{chance.randrange(250)}.9", text)
    text = text.replace("org_id=fake", "org_id=acme").replace("request id: 9F3B", "request id: QQ")
    return text.replace('app="demo"', 'app="shop"').replace("loop=9", "loop=3")


def _other_order(text: str, chance: random.Random) -> str:
    lines = text.splitlines()
    if any("caused by" in line[:12] or line.startswith((" ", "\t", "-")) for line in lines):
        return text  # lines of one message stay together
    chance.shuffle(lines)
    return "\n".join(lines)


def _other_times(text: str, chance: random.Random) -> str:
    year = chance.randrange(2021, 2031)
    return re.sub(r"20\d\d-(\d\d)-(\d\d)T", rf"{year}-\1-\2T", text)


NOISE = [line for text in list(NEGATIVES.values())[:12] for line in text.splitlines()]


def _noise(text: str, chance: random.Random) -> str:
    first, *rest = text.splitlines()
    kept = [first]
    for line in rest:
        if re.match(r"level=|\{|E1122|\d{4}-", line) and re.match(
            r"level=|\{|E1122|\d{4}-", kept[-1]
        ):
            kept += [each for each in chance.sample(NOISE, 3) if each.startswith("level=")]
        kept.append(line)
    return "\n".join(kept)


def _truncated(text: str, chance: random.Random) -> str:
    """Cut in the middle of the last line, as a log is that is still being written."""
    if text.count("\n") < 3 or text.startswith("Events:"):
        return text  # it says it once
    return text[: -chance.randrange(2, 40)]


def _in_a_runtime(text: str, _: random.Random) -> str:
    return "\n".join(f"2026-11-22T02:56:05.1Z stderr F {line}" for line in text.splitlines())


def _in_docker(text: str, _: random.Random) -> str:
    lines = text.splitlines()
    return "\n".join(json.dumps({"log": f"{each}\n", "stream": "stderr"}) for each in lines)


MUTATIONS: list[Callable[[str, random.Random], str]] = [
    *(_other_values, _other_order, _other_times, _noise, _truncated, _in_a_runtime, _in_docker),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.__name__.strip("_"))
def test_a_changed_log_gives_the_same_first_cause(
    mutation: Callable[[str, random.Random], str],
) -> None:
    """Values, order, times, noise, truncation and layout do not matter."""
    for name, text in LOGS.items():
        chance = random.Random(hashlib.sha256(name.encode()).digest())
        changed = mutation(text, chance)
        assert ranked_causes(changed)[:1] == ranked_causes(text)[:1], name


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.title)
def test_a_query_for_the_same_words_gives_nothing(case: LogCase) -> None:
    """What people look for is no complaint."""
    query = json.dumps(case.said, ensure_ascii=False)
    head = "level=info ts=2026-11-22T02:56:05Z caller=metrics.go:237 component=querier latency=fast"
    slow = head.replace("info", "warn") + ' msg="slow query"'
    log = f"{head} query={query} status=200\n{slow} query={query}\n"
    assert ranked_causes(log) == []
