# SPDX-License-Identifier: Apache-2.0
"""What a person and a program see of each report, kept whole."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
import yaml

from fakes.ports import FakeObjects, World, pair
from fakes.sessions import STORAGE_CREDENTIAL, Desk, Terminal
from lokeys.cli import live_doctor, screens
from lokeys.cli.commands import bucket, heal, probe, rbac, status, trace
from lokeys.cli.main import run
from lokeys.cli.output import Printer, flowing
from lokeys.cli.session import Session
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.reasons import REASONS
from lokeys.core.findings.rules import RULES
from lokeys.core.rbac import Account, RouteFacts, route_roles
from lokeys.core.route.plan import Policy
from lokeys.core.route.resource.parse import parse
from lokeys.errors import BadInput
from unit.cli.golden import assert_golden

WISH = heal.Wish(policy=Policy(), timeout=timedelta(minutes=15))
DRY = dataclasses.replace(WISH, dry_run=True)

COMMANDS: dict[str, Callable[[Session], Coroutine[Any, Any, int]]] = {
    "doctor": lambda session: live_doctor.examine(session, live_doctor.Asked()),
    "trace": lambda session: trace.walk(session, "loki", None),
    "plan": lambda session: heal.heal_route(session, "loki", None, wish=DRY),
    "heal": lambda session: heal.heal_route(session, "loki", None, wish=WISH),
    "probe": lambda session: probe.probe(session, "loki", None),
    "bucket": lambda session: bucket.show(session, "loki", None, create=False, reveal=False),
    "status": lambda session: status.listing(session, everywhere=True),
}


def stale() -> World:
    """Return the world of the story: the source's key changed, nobody else heard of it."""
    world = World()
    world.rotate_source()
    return world


@pytest.mark.parametrize("output", ["people", "json"])
def test_a_user_with_two_keys_shows_both(output: str) -> None:
    """`bucket` lists the keys of the user, and says which one the route uses."""
    world = World(alive=[pair("one"), pair("two")], shows_keys=True)
    desk = Desk(world)
    assert asyncio.run(COMMANDS["bucket"](desk.session(output=output))) == 0
    assert_golden(f"bucket-slots.{'json' if output == 'json' else 'txt'}", desk.printed)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("output", ["people", "json"])
def test_the_story_is_told_as_kept(command: str, output: str) -> None:
    """Each command says of a stale vault exactly what was reviewed."""
    desk = Desk(stale())
    code = asyncio.run(COMMANDS[command](desk.session(output=output)))
    suffix = "json" if output == "json" else "txt"
    talk = f"--- stderr\n{desk.said}" if desk.said and output == "people" else ""
    ending = f"--- exit {code}\n" if output == "people" else ""
    assert_golden(f"{command}.{suffix}", desk.printed + talk + ending)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_secret_is_printed(command: str) -> None:
    """Whatever is asked, no secret value stands on either stream."""
    for output in ("people", "json"):
        desk = Desk(stale())
        asyncio.run(COMMANDS[command](desk.session(output=output)))
        assert "canary" not in desk.printed + desk.said


STATES = {
    "fine": [("Ready", "True", "ProvedByLoki")],
    "late": [("Ready", "False", "VaultBehindSource")],
    "stuck": [("Ready", "False", "X"), ("Stalled", "True", "WalNotPersistent")],
    "odd": [("Ready", "Unknown", "NotReadable")],
}
NEXT = {"late": "write-vault OnePasswordItem/loki: it does not hold the source's pair"}
ROUTES = [
    {
        **STORAGE_CREDENTIAL,
        "metadata": {"name": name, "namespace": "monitoring"},
        "status": {
            "conditions": [{"type": t, "status": s, "reason": r} for t, s, r in conditions],
            "nextStep": NEXT.get(name, ""),
        },
    }
    for name, conditions in STATES.items()
]


def on_a_terminal(command: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that a command shows on a terminal so wide, talk and all."""
    monkeypatch.setenv("COLUMNS", str(columns))
    desk = Desk(stale(), environ={"NO_COLOR": "1"}, out=Terminal(), err=Terminal())
    if command == "status":
        desk.objects = FakeObjects(*ROUTES)
    asyncio.run(COMMANDS[command](desk.session()))
    return (desk.printed + desk.said).splitlines()


def is_left_whole(line: str) -> bool:
    """Tell whether a line is one name, or a command."""
    return line.startswith("    lokeys ") or " " not in line.strip()


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_of_any_width_is_readable(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than it is wide, but for names and commands; and not a word is lost."""
    lines = on_a_terminal(command, columns, monkeypatch)
    assert [line for line in lines if len(line) > columns and not is_left_whole(line)] == []
    words = " ".join(lines).split()
    assert words == " ".join(on_a_terminal(command, 120, monkeypatch)).split()


def test_in_a_pipe_a_line_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the terminal around it: what follows may read line by line."""
    monkeypatch.setenv("COLUMNS", "30")
    desk = Desk(stale(), objects=FakeObjects(*ROUTES))
    asyncio.run(COMMANDS["status"](desk.session()))
    assert len(desk.printed.splitlines()) == len(ROUTES)


@pytest.mark.parametrize("kind", ["command", "comment"])
def test_what_is_there_to_be_pasted_is_never_broken(kind: str) -> None:
    """A script's comment neither: its second line would be run."""
    line = (("# " + "word " * 20, kind),)
    assert list(flowing(line, width=30)) == [line]


@pytest.mark.parametrize("command", [COMMANDS["doctor"], COMMANDS["trace"]])
def test_an_ignored_finding_is_counted(command: Any) -> None:
    """--ignore leaves a finding out; it does not make hops agree that do not."""
    desk = Desk(stale())
    asyncio.run(command(desk.session(output="json")))
    document = json.loads(desk.printed)
    routes = document.get("routes", [document])
    codes = {
        finding["code"] for each in [document, *routes] for finding in each.get("findings", ())
    }
    desk = Desk(stale())
    code = asyncio.run(command(desk.session(ignore=tuple(codes))))
    assert code == 0
    assert "≠" in desk.printed
    assert "ignored, as --ignore says" in desk.printed
    assert "nothing to report" not in desk.printed


def test_the_last_line_never_says_more_than_was_seen() -> None:
    """Ignored findings are counted; without any, a hop that disagrees is not called agreed."""

    def said(**words: Any) -> str:
        return screens.summary_line((), **words)[0][0]

    assert said(complete=True, ignored=2).startswith("2 findings ignored")
    assert said(complete=False, ignored=1).startswith("incomplete, see above; 1 finding ignored")
    assert "a hop disagrees" in said(complete=True, agreed=False)


def test_nothing_that_a_terminal_obeys_is_printed_raw(capsys: pytest.CaptureFixture[str]) -> None:
    """Names are anybody's: ESC, NUL and C1 come out as `?`, in JSON escaped."""
    printer = Printer(environ={})
    printer.lines([(("a\x1b[31m\x00\x9b", ""),)])
    printer.json({"a": "\x1b\x9b"})
    printer.error("\x1bx\nalso", "\x07y\nz")
    with printer.progress() as progress:
        progress.now("\x1bnow")
        progress.line(("\rdone", ""))
    out, err = capsys.readouterr()
    assert out == 'a?[31m??\n{\n  "a": "\\u001b\\u009b"\n}\n'
    assert err == "error: ?x\nalso\nhint: ?y?z\n  … ?now\n?done\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_versioned(command: str) -> None:
    """Every document for programs says what it is, in the contract's words."""
    desk = Desk(stale())
    asyncio.run(COMMANDS[command](desk.session(output="json")))
    document = json.loads(desk.printed)
    assert document["apiVersion"] == "lokeys.dev/v1"
    assert document["kind"].endswith(("Report", "List", "Plan"))


@pytest.mark.parametrize(
    ("world", "code", "words"),
    [
        (World(), 0, "nothing to report"),
        (World(store_reachable=False), 5, "incomplete"),
        (World(bucket_exists=False), 3, "the bucket does not exist"),
    ],
    ids=["all is well", "the store is not reached from here", "the bucket is gone"],
)
def test_doctor_ends_as_the_contract_says(world: World, code: int, words: str) -> None:
    """0 for nothing, 5 for a gap, 3 for a finding; and the words fit."""
    desk = Desk(world)
    assert asyncio.run(COMMANDS["doctor"](desk.session())) == code
    assert words in desk.printed


def test_a_doctor_with_nothing_to_look_at_everywhere_ends_well() -> None:
    """All was seen and there is no Loki: exit 0 and a word about it; in one namespace exit 2."""
    desk = Desk(World(), objects=FakeObjects())
    asked = live_doctor.Asked(everywhere=True)
    assert asyncio.run(live_doctor.examine(desk.session(), asked)) == 0
    assert "no StorageCredential and no Loki in any namespace" in desk.said
    with pytest.raises(BadInput, match="no Loki in namespace monitoring"):
        asyncio.run(COMMANDS["doctor"](desk.session()))


def test_what_is_not_reached_from_here_is_not_called_unreachable() -> None:
    """A store that this machine cannot reach is LK1003, never Loki's endpoint_unreachable."""
    desk = Desk(World(store_reachable=False))
    asyncio.run(COMMANDS["doctor"](desk.session(output="json")))
    codes = {finding["code"] for finding in json.loads(desk.printed)["findings"]}
    assert "LK1003" in codes
    assert "LK0812" not in codes


def test_an_ignored_finding_is_not_said() -> None:
    """--ignore leaves a finding out of the report and of the exit code."""
    desk = Desk(stale())
    session = desk.session(ignore=("LK0401",), output="json")
    assert asyncio.run(COMMANDS["doctor"](session)) == 0
    assert json.loads(desk.printed)["findings"] == []


@pytest.mark.parametrize("output", ["people", "yaml", "json"])
def test_rbac_prints_what_kubectl_takes(output: str) -> None:
    """The Roles are YAML documents or one List, the same objects in each."""
    desk = Desk(World())
    assert (
        asyncio.run(rbac.grant(desk.session(output=output), "loki", None, account=Account())) == 0
    )
    documents = list(yaml.safe_load_all(desk.printed))
    items = documents[0]["items"] if output == "json" else documents
    spec = parse(STORAGE_CREDENTIAL)
    assert items == route_roles(spec, account=Account(), known=RouteFacts())
    assert "left out" in desk.said


def test_colour_is_for_terminals_alone() -> None:
    """A terminal gets colour; NO_COLOR, --no-color, TERM=dumb and a pipe get none; words stay."""
    plain = Desk(stale())
    asyncio.run(COMMANDS["trace"](plain.session()))
    for desk, options in (
        (Desk(stale(), out=Terminal(), environ={"NO_COLOR": "1"}), {}),
        (Desk(stale(), out=Terminal(), environ={"TERM": "dumb"}), {}),
        (Desk(stale(), out=Terminal()), {"no_color": True}),
    ):
        asyncio.run(COMMANDS["trace"](desk.session(**options)))
        assert "\x1b[" not in desk.printed
        assert desk.printed == plain.printed


def test_no_line_but_a_command_is_wider_than_the_terminal() -> None:
    """At 80 columns text is wrapped; commands are not, for they are there to be pasted."""
    desk = Desk(stale())
    for name in ("doctor", "trace", "plan", "probe"):
        asyncio.run(COMMANDS[name](desk.session()))
    long = [line for line in desk.printed.splitlines() if len(line) > 80]
    assert all("http://" in line or "lokeys " in line for line in long), long


def test_status_tells_each_state_in_words() -> None:
    """ready, not ready, needs a person and never looked at are different words."""
    desk = Desk(World(), objects=FakeObjects(*ROUTES))
    assert asyncio.run(status.listing(desk.session(), everywhere=True)) == 0
    assert_golden("status-states.txt", desk.printed)


HELD: dict[str, Any] = {"finalizers": ["lokeys.dev/bridge"]}
HEAL = "lokeys heal -n monitoring loki"
BRIDGED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "it stands": (HELD, {"until": "2999-01-01T00:00:00Z"}, "bridged until 2999-01-01T00:00:00Z"),
    "its time is over": (
        HELD,
        {"until": "2020-01-01T00:00:00Z"},
        f"bridge overdue since 2020-01-01T00:00:00Z: {HEAL}",
    ),
    "the status was lost, and the finalizer is there": (
        HELD,
        {},
        f"bridge overdue: its end was lost: {HEAL}",
    ),
    "its end is no time": ({}, {"until": "soon"}, f"bridge overdue: its end was lost: {HEAL}"),
    "there is none": ({"finalizers": ["another"]}, {}, ""),
}


@pytest.mark.parametrize(("metadata", "bridge", "said"), BRIDGED.values(), ids=BRIDGED)
def test_status_tells_anybody_of_a_bridge(
    metadata: dict[str, Any], bridge: dict[str, Any], said: str
) -> None:
    """Whether or not an operator lives: until when, or which command ends it."""
    status_of = {"memory": {"bridge": bridge}} if bridge else {}
    place = {"name": "loki", "namespace": "monitoring", **metadata}
    desk = Desk(
        World(),
        objects=FakeObjects({**STORAGE_CREDENTIAL, "metadata": place, "status": status_of}),
    )
    assert asyncio.run(status.listing(desk.session(), everywhere=True)) == 0
    assert said in desk.printed
    assert ("bridge" in desk.printed) is bool(said)


@pytest.mark.parametrize("output", ["people", "json"])
@pytest.mark.parametrize("reason", REASONS)
def test_a_conditions_reason_is_explained_by_its_name(
    reason: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands in the status, also where it is no finding's cause."""
    with pytest.raises(SystemExit) as ended:
        run(["explain", reason, "-o", output])
    assert not ended.value.code
    assert REASONS[reason].split()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        pytest.param("CredentialsRefused", "LK0221 error", id="one of one fault: the fault"),
        pytest.param("InvalidLimits", "spec.limits has faults", id="one of a place: the place"),
        pytest.param(
            "InvalidObjectStorageSecret", "the storage Secret has faults", id="the Secret"
        ),
    ],
)
def test_a_degraded_stacks_reason_is_explained(
    reason: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the fault that alone has it, else by where its faults are."""
    with pytest.raises(SystemExit) as ended:
        run(["explain", reason])
    assert not ended.value.code
    assert said in capsys.readouterr().out


def explained(word: str, capsys: pytest.CaptureFixture[str], *, output: str = "people") -> str:
    """Return what `explain` prints of a word."""
    with pytest.raises(SystemExit) as ended:
        run(["explain", word, "-o", output])
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_explained_with_all_findings_that_tell_it(
    cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name and as a condition's reason: its sentence, then each finding, or that none is."""
    codes = [code for code, rule in RULES.items() if cause in rule.causes]
    as_reason = "".join(part.capitalize() for part in cause.split("_"))
    read = json.loads(explained(cause, capsys, output="json"))
    assert (read["cause"], read["meaning"]) == (cause, CAUSES[cause])
    assert [rule["code"] for rule in read["rules"]] == codes
    assert all(cause in (rule["cause"], *rule["otherCauses"]) for rule in read["rules"])
    for word in (cause, as_reason):
        words = " ".join(explained(word, capsys).split())
        told = ", ".join(codes) or "no finding of lokeys tells this cause"
        assert words.startswith(f"{cause} means {CAUSES[cause]} told by {told}")
        assert all(f"{code} {RULES[code].severity.value}" in words for code in codes)


@pytest.mark.parametrize("code", RULES)
def test_every_rule_explains_itself_without_braces(code: str) -> None:
    """`explain` shows each rule with its placeholders written as words."""
    rule = RULES[code]
    lines = screens.rule_lines(rule, width=80)
    said = "\n".join("".join(text for text, _ in line) for line in lines)
    assert rule.code in said
    assert "{name}" not in said
    assert "{namespace}" not in said
