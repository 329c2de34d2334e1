# SPDX-License-Identifier: Apache-2.0
"""Whatever is handed to validate and render: an exit code, a sentence, no traceback, no secret."""

import base64
import json
import sys
import traceback
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.cli import main
from manifests.lokistack import CANARY, Choice

STACK, SECRET = Choice().manifest, Choice().secret
BOTH = yaml.dump(STACK) + "---\n" + yaml.dump(SECRET)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _with(**spec: Any) -> str:
    return yaml.dump({**STACK, "spec": {**STACK["spec"], **spec}}) + "---\n" + yaml.dump(SECRET)


def _schemas(count: int) -> str:
    first = date(1990, 1, 1)
    listed = [
        {"version": "v13", "effectiveDate": (first + timedelta(days=number)).isoformat()}
        for number in range(count)
    ]
    return _with(storage={**STACK["spec"]["storage"], "schemas": listed})


def _listed(*objects: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


MERGED = BOTH.replace("spec:\n", "spec:\n  <<: &more {replicationFactor: 1}\n", 1)
NOT_TEXT = {**SECRET, "stringData": {}, "data": {}}
NOT_TEXT["data"] = {
    key: base64.b64encode(value.encode()).decode() for key, value in SECRET["stringData"].items()
}
NOT_TEXT["data"]["access_key_secret"] = base64.b64encode(CANARY.encode() + b"\xff\xfe").decode()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        pytest.param(BOTH, 0, "", id="a sound input"),
        pytest.param(BOTH.replace("\n", "\r\n"), 0, "", id="CRLF"),
        pytest.param("\ufeff" + BOTH, 0, "", id="a byte order mark"),
        pytest.param(_listed(STACK, SECRET), 0, "", id="a JSON List"),
        pytest.param(_listed(json.loads(_listed(STACK)), SECRET), 0, "", id="a List in a List"),
        pytest.param(MERGED, 0, "", id="anchors and merge keys"),
        pytest.param(_schemas(4_000), 0, "", id="four thousand schemas"),
        pytest.param(_schemas(10_000), 3, "LK0215", id="ten thousand schemas"),
        pytest.param(BOTH.replace("loki.grafana.com/v1", "loki.grafana.com/v1beta1"), 3,
                     "apiVersion", id="another apiVersion"),
        pytest.param(_with(size="2x.huge"), 3, "LK0203", id="an unknown size"),
        pytest.param(yaml.dump(STACK) + "---\n" + yaml.dump(NOT_TEXT), 3, "not UTF-8",
                     id="a Secret that is no text"),
        pytest.param(yaml.dump({**STACK, "spec": [1]}), 3, "spec", id="a spec that is a list"),
        pytest.param(BOMB, 2, "aliases", id="a YAML bomb"),
        pytest.param(BOTH.replace("  size", "\tsize"), 2, "tabs", id="tabs"),
        pytest.param(BOTH + "#" * 11_000_000, 2, "larger than", id="eleven megabytes"),
        pytest.param("", 2, "empty", id="nothing"),
        pytest.param("\x00\x01", 2, "", id="no text"),
        pytest.param(BOTH + f"  {CANARY}: [\n", 2, "YAML", id="YAML that breaks off at a secret"),
        pytest.param("[1, 2]", 2, "not a Kubernetes object", id="a list of numbers"),
        pytest.param(yaml.dump(SECRET), 2, "no LokiStack", id="a Secret alone"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["validate", "render"])
def test_an_input_ends_in_a_sentence(
    *,
    command: str,
    content: str,
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The code and the words are there; the Secret's value is not, and no traceback."""
    file = tmp_path / "input.yaml"
    file.write_bytes(content.encode("utf-8"))
    found, out, err = ran(capsys, command, "-f", str(file))
    assert found == code, err
    assert words in out + err
    assert CANARY not in out + err
    assert "Traceback" not in err
    if command == "render" and code:
        assert out == ""


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int | str | None, str, str]:
    """Run the command line to its exit."""
    with pytest.raises(SystemExit) as ended:
        main.run(list(words))
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_an_asked_for_traceback_shows_no_secret(tmp_path: Path) -> None:
    """With -vv the error itself is raised; what it was raised over is not in it."""
    file = tmp_path / "input.yaml"
    file.write_text(BOTH + f"  {CANARY}: [\n")
    with pytest.raises(Exception, match="no YAML") as raised:
        main.run(["validate", "-vv", "-f", str(file)])
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_a_stack_given_twice_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In folders below folders, too; hidden ones are passed over."""
    for place in ("a/b/c", "d", ".git"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "stack.yml").write_text(BOTH)
    code, out, _ = ran(capsys, "validate", "-f", str(tmp_path), "--fail-on", "warning")
    assert (code, out.count("LK0212")) == (3, 2)


def test_documents_from_stdin(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`-` reads many documents, empty ones among them."""
    file = tmp_path / "in"
    file.write_text("---\n---\n" + BOTH + "---\n# the end\n")
    with file.open(encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert ran(capsys, "validate", "-f", "-")[0] == 0


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda objects: yaml.dump_all(objects[::-1]), id="the other way round"),
        pytest.param(lambda objects: json.dumps({"kind": "List", "items": objects}), id="JSON"),
        pytest.param(lambda objects: yaml.dump_all(objects, default_flow_style=True), id="flow"),
        pytest.param(lambda objects: yaml.dump_all(objects, indent=8, width=20), id="wide"),
    ],
)
def test_rendering_does_not_depend_on_how_it_is_written(
    form: Callable[[list[Any]], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same objects, to the byte."""
    (tmp_path / "usual.yaml").write_text(BOTH)
    (tmp_path / "other.yaml").write_text(form([STACK, SECRET]))
    usual = ran(capsys, "render", "-f", str(tmp_path / "usual.yaml"))
    assert usual[0] == 0
    assert ran(capsys, "render", "-f", str(tmp_path / "other.yaml")) == usual
