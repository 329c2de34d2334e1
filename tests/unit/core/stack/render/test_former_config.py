# SPDX-License-Identifier: Apache-2.0
"""Loki's configuration equals the Loki Operator's, but for what render.md lists with a reason."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lokeys.core.stack.render.config import loki_config
from manifests.former_config import DELIBERATE, FORMER, RULER, SHIPPERS, SIZES
from manifests.lokistack import NOW, SCHEMAS, TENANCIES, Choice, pairwise

DOCS = Path(__file__).parents[5] / "docs" / "reference" / "render.md"
UNITS = {"s": 1, "m": 60, "h": 3600, "MB": 1024 * 1024}
SAID = ("limits_config.", "querier.max_concurrent", "server.http_server_")
"""What a spec may say itself: limits, and times that follow from them."""
OPENSHIFT = ("openshift-logging", "openshift-network")


def plain(value: Any) -> Any:
    """Return durations in seconds and sizes in bytes."""
    found = re.fullmatch(r"(\d+)(s|m|h|MB)", value) if isinstance(value, str) else None
    return int(found[1]) * UNITS[found[2]] if found else value


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each path with its value."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else key)
    else:
        yield path, plain(value)


def ours(choice: Choice) -> dict[str, Any]:
    """Return what we write, by path."""
    stack, storage = choice.read()
    return dict(flat(loki_config(stack, storage, now=NOW)))


def theirs(choice: Choice) -> dict[str, Any]:
    """Return what the Loki Operator writes for all stacks, and for those with rules."""
    rules = RULER if choice.manifest["spec"].get("rules", {}).get("enabled") else {}
    found = {**FORMER, **rules}
    return {
        path: value[choice.size] if isinstance(value, Mapping) else value
        for path, value in found.items()
    }


@pytest.mark.parametrize("choice", pairwise(), ids=str)
def test_every_key_is_as_the_former_operator_writes_it(choice: Choice) -> None:
    """Nothing differs, is missing or is added, but what is listed."""
    written, expected = ours(choice), theirs(choice)
    said = choice.extra == "everything"
    for path, value in expected.items():
        if path in DELIBERATE or (said and path.startswith(SAID)):
            continue
        assert written.get(path) == value, path


@pytest.mark.parametrize("size", SIZES)
def test_no_key_is_added_without_a_reason(size: str) -> None:
    """Of a stack that says nothing: the rest is its schemas, its store and its query timeout."""
    choice = Choice(size=size)
    rest = set(ours(choice)) - set(theirs(choice)) - set(DELIBERATE)
    assert {path for path in rest if not path.startswith("storage_config.")} == {
        "common.replication_factor",
        "limits_config.allow_structured_metadata",
        "limits_config.discover_log_levels",
        "limits_config.query_timeout",
        "schema_config.configs",
        "server.http_server_read_timeout",
        "server.http_server_write_timeout",
    }


def test_each_deliberate_difference_has_its_row_in_the_reference() -> None:
    """With a reason that holds for whoever takes a stack over."""
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    for row in DELIBERATE.values():
        assert any(line.startswith(f"| {row} |") for line in rows), row


@pytest.mark.parametrize("tenancy", TENANCIES)
def test_levels_are_not_guessed_where_openshift_says_them(tenancy: str | None) -> None:
    """Its collector writes the level of each line; Loki would add a second one."""
    guessed = ours(Choice(tenancy=tenancy))["limits_config.discover_log_levels"]
    assert guessed == (tenancy not in OPENSHIFT)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_index_lies_where_it_lay(schema: str) -> None:
    """What has not been shipped yet is found again by the pods that come after."""
    stores = {"boltdb_shipper" if v != "v13" else "tsdb_shipper" for v, _ in SCHEMAS[schema]}
    written = ours(Choice(schema=schema))
    for shipper, folders in SHIPPERS.items():
        found = {name: written.get(f"storage_config.{shipper}.{name}") for name in folders}
        assert found == (folders if shipper in stores else dict.fromkeys(folders))
