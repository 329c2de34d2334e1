# SPDX-License-Identifier: Apache-2.0
"""What `discover`, `rbac` and `probe` print is harmless, whatever stands in the cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.ports import FakeObjects, World
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.commands.discover import discover
from lokeys.cli.commands.probe import probe
from lokeys.cli.commands.rbac import grant
from lokeys.cli.owners import MissingConsent
from lokeys.cli.session import Session
from lokeys.core.findings.link import broken
from lokeys.core.place import Ref
from lokeys.core.rbac import Account
from lokeys.core.text.shell import NoCommand
from lokeys.errors import LokeysError
from pasting import MARK, PAYLOADS, RUNS, hostile, paste
from unit.cli.test_probing import STACK, TOKEN, run, secret, way
from unit.engine.discover.test_discover import cluster, config, rook_user

Command = Callable[[Session], Coroutine[Any, Any, int]]
ACCOUNT = Account(name="lokeys", namespace="lokeys-system")
ROUTE_OBJECTS = [STORAGE_CREDENTIAL, *rook_user("loki", "AKONE")]


def of_discover(session: Session) -> Coroutine[Any, Any, int]:
    """Run `lokeys discover`."""
    return discover(session, None)


def of_rbac(session: Session) -> Coroutine[Any, Any, int]:
    """Run `lokeys rbac loki`."""
    return grant(session, "loki", None, account=ACCOUNT)


def of_probe(session: Session) -> Coroutine[Any, Any, int]:
    """Run `lokeys probe credential`."""
    return probe(session, "loki", None)


def texts_of(tree: Any) -> set[str]:
    """Return every text of a JSON value that is no field's name."""
    if isinstance(tree, str):
        return {tree}
    values = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return {text for each in values for text in texts_of(each)}


def replaced(tree: Any, text: str, other: str) -> Any:
    """Return a JSON value with one text replaced wherever it stands, so that references hold."""
    if isinstance(tree, Mapping):
        return {key: replaced(each, text, other) for key, each in tree.items()}
    if isinstance(tree, list):
        return [replaced(each, text, other) for each in tree]
    return other if tree == text else tree


def renamed(objects: list[Any]) -> Iterator[list[Any]]:
    """Yield the objects with each text replaced by hostile ones, one text at a time."""
    for at, text in enumerate(sorted(texts_of(objects))):
        for number in range(at % 19, 3 * len(PAYLOADS), 19):
            yield replaced(objects, text, hostile(text, number))


def configured() -> Iterator[list[Any]]:
    """Yield clusters in which Loki's configuration, or the user of its key, is hostile."""
    *others, _, _ = cluster().items
    for number in range(3 * len(PAYLOADS)):
        url = hostile("http://store:80", number)
        yield cluster(config(bucketnames=hostile("loki", number))).items
        yield cluster(config(endpoint=url), *rook_user("loki", "AKONE", endpoint=url)).items
        yield [*others, *rook_user(hostile("loki", number), "AKONE")]


def told(command: Command, objects: list[Any], world: World, **options: Any) -> Desk | None:
    """Return what a command said, in printable lines; None where it refused in words."""
    desk = Desk(world, objects=FakeObjects(*objects))
    try:
        asyncio.run(command(desk.session(**options)))
    except LokeysError:
        assert desk.printed == ""
        return None
    for line in (desk.printed + desk.said).split("\n"):
        assert line.isprintable(), line
    assert not [line for line in desk.said.split("\n") if line.lstrip().startswith(RUNS)]
    return desk


def both(command: Command, objects: list[Any], world: World) -> Iterator[tuple[str, list[Any]]]:
    """Yield the YAML that a command printed, and the objects that it meant: its JSON."""
    desk = told(command, objects, world)
    if desk is None or not desk.printed:
        return
    programs = told(command, objects, world, output="json")
    assert programs is not None
    meant = json.loads(programs.printed)
    yield desk.printed, meant["items"] if meant["kind"] == "List" else [meant]


def commands_of(desk: Desk) -> list[str]:
    """Return the lines that are there to be pasted."""
    return [line for line in desk.said.split("\n") if line.startswith("  kubectl ")]


def test_what_discover_prints_is_the_resource_that_was_meant() -> None:
    """No note, and no name, becomes a field; a comment ends with its line."""
    read = 0
    for objects in (*renamed(cluster().items), *configured()):
        for text, meant in both(of_discover, objects, World()):
            assert list(yaml.safe_load_all(text)) == meant
            assert {each["kind"] for each in meant} == {"StorageCredential"}
            read += 1
    assert read > 300


def test_the_commands_that_discover_prints_run_nothing_foreign(tmp_path: Path) -> None:
    """Who owns a credential is told how to allow it: by names and addresses of others."""
    commands: dict[str, None] = {}
    for objects in (*renamed(cluster().items), *configured()):
        desk = told(of_discover, objects, World(consents=False))
        commands |= dict.fromkeys(commands_of(desk) if desk else ())
    assert sum(MARK in command for command in commands) > 20
    assert paste(list(commands), tmp_path) == ""


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_owners_command_is_one_line_of_its_own_words_or_none(
    payload: str, tmp_path: Path
) -> None:
    """Any part of it may be anybody's."""
    commands = []
    for place, value in (
        (Ref("CephObjectStoreUser", payload, "ns"), "ns"),
        (Ref("Secret", "loki", payload), "ns"),
        (Ref("Secret", "loki", "ns"), payload),
    ):
        missing = MissingConsent(place=place, annotation="lokeys.dev/allowed-urls", value=value)
        try:
            commands.append(str(missing.command))
        except NoCommand:
            continue
    assert all(command.isprintable() for command in commands)
    assert paste(commands, tmp_path) == ""


def test_what_rbac_prints_of_a_route_is_what_was_meant() -> None:
    """Refused, or YAML in which no name has become anything but a name."""
    read = 0
    for objects in renamed(ROUTE_OBJECTS):
        for text, meant in both(of_rbac, objects, World()):
            assert list(yaml.safe_load_all(text)) == meant
            assert {each["kind"] for each in meant} <= {"Role", "RoleBinding"}
            read += 1
    assert read > 20


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_probe_says_of_a_route_is_printable(payload: str) -> None:
    """What External Secrets wrote into its event, and every name of the resource."""
    world = World(eso_fails_with=f"refused {payload}")
    world.rotate_source()
    desk = told(of_probe, ROUTE_OBJECTS, world)
    assert desk is not None
    assert not [line for line in desk.printed.split("\n") if line.lstrip().startswith(RUNS)]


def test_the_links_of_a_hostile_route_are_printable() -> None:
    """Refused, or links in printable lines."""
    held = [told(of_probe, objects, World()) for objects in renamed(ROUTE_OBJECTS)]
    assert sum(desk is not None for desk in held) > 5


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_links_of_a_stack_are_printable_and_their_commands_its_own(
    payload: str, tmp_path: Path
) -> None:
    """What a provider answers reaches a link; no line of it is a command."""
    link = broken("role", None, f"said {payload}", evidence=[f"seen {payload}"])
    tried = {"logs": way("logs", link), "logs-ruler": way("logs-ruler", link)}
    _, desk = run(STACK, secret(**TOKEN), tried=tried)
    lines = desk.printed.split("\n")
    assert all(line.isprintable() for line in lines), lines
    assert not [line for line in lines if line.lstrip().startswith(RUNS)]
    commands = [line for line in lines if line.strip().startswith(("kubectl ", "lokeys "))]
    assert paste(commands, tmp_path) == ""
