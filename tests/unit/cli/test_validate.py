# SPDX-License-Identifier: Apache-2.0
"""`lokeys validate` as it is called: forms, thresholds, exit codes, the operator's environment."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lokeys.cli.main import lokeys
from lokeys.errors import BadInput
from unit.core.stack.storage.secrets import KEY_SECRET, SOUND
from unit.core.validation.manifests import Object, as_list, as_yaml, secret, stack

PAGE = Path(__file__).parents[3] / "docs/reference/validate.md"
BAD = {**SOUND["s3 static"], "forcepathstyle": "x", "access_key_secret": f"{KEY_SECRET}\n"}


def run(*args: str) -> tuple[int, str]:
    """Return the exit code and stdout."""
    done = CliRunner().invoke(lokeys, ["validate", *args], standalone_mode=False)
    if done.exception:
        raise done.exception
    return int(done.return_value), done.stdout


def file(folder: Path, *objects: Object, name: str = "a.yaml") -> str:
    path = folder / name
    path.write_text(as_yaml(objects))
    return str(path)


def test_a_sound_input_is_exit_0(tmp_path: Path) -> None:
    """And one line a stack."""
    code, out = run("-f", file(tmp_path, stack(), secret()))
    assert code == 0
    assert "LokiStack logging/my-stack  s3, static  nothing to report" in out


def test_faults_are_exit_3_in_every_form(tmp_path: Path) -> None:
    """Each form tells the same faults, and none the key."""
    path = file(tmp_path, stack(), secret(BAD))
    for form in ("people", "json", "sarif", "junit"):
        code, out = run("-f", path, "-o", form)
        assert code == 3
        assert "LK0109" in out
        assert "LK0121" in out
        assert KEY_SECRET not in out


def test_the_threshold_decides(tmp_path: Path) -> None:
    """--fail-on warning fails where only warnings are."""
    several = secret({**SOUND["s3 static"], "bucketnames": "one,two"})
    path = file(tmp_path, stack(), several)
    assert run("-f", path)[0] == 0
    assert run("-f", path, "--fail-on", "warning")[0] == 3
    assert run("-f", path, "--fail-on", "warning", "--ignore", "LK0124")[0] == 0


def test_secrets_may_be_elsewhere(tmp_path: Path) -> None:
    """--secrets optional."""
    path = file(tmp_path, stack())
    assert run("-f", path)[0] == 3
    assert run("-f", path, "--secrets", "optional")[0] == 0


def test_the_report_has_the_contracts_fields(tmp_path: Path) -> None:
    """Type, mode, name, what it comes to, and findings with their lines."""
    path = file(tmp_path, stack(), secret(BAD))
    report = json.loads(run("-f", path, "-o", "json")[1])
    assert (report["apiVersion"], report["kind"]) == ("lokeys.dev/v1", "ValidationReport")
    (view,) = report["stacks"]
    assert view["storage"] == {
        "type": "s3",
        "credentialMode": "static",
        "secretName": "loki-storage",
        "resolved": None,
    }
    lines = Path(path).read_text().splitlines()
    for finding in view["findings"]:
        place = finding["location"]
        assert place["file"] == path
        assert lines[place["line"] - 1].strip().startswith(f"{finding['field']}:")


def test_the_operators_environment_is_told(tmp_path: Path) -> None:
    """On OpenShift with the cloud's credentials, and nowhere else."""
    objects = (
        stack(),
        secret(SOUND["s3 token-cco"]),
        secret({"credentials": "x"}, name="my-stack-managed-credentials"),
    )
    path = file(tmp_path, *objects)
    variables = tmp_path / "operator.env"
    variables.write_text("# the operator's\n\nexport ROLEARN='arn:aws:iam::1:role/x'\nHOME=/\n")

    def mode(*args: str) -> Any:
        report = json.loads(run("-f", path, "-o", "json", *args)[1])
        return report["stacks"][0]["storage"]["credentialMode"]

    assert mode() == "static"
    assert mode("--openshift") == "static"
    assert mode("--token-cco") == "token-cco"
    assert mode("--operator-env", str(variables)) == "static"
    assert mode("--openshift", "--operator-env", str(variables)) == "token-cco"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"ROLEARN", "not NAME=VALUE"),
        (b"HOME=/\nROLEARN=oops\n", "operator.env:2: ROLEARN is no ARN of a role"),
        (b"\xff", "not UTF-8"),
        (b"#" * 70_000, "too large"),
    ],
)
def test_a_bad_list_of_variables_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """With its line, where it has one."""
    variables = tmp_path / "operator.env"
    variables.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        run("-f", file(tmp_path, stack()), "--operator-env", str(variables))
    with pytest.raises(BadInput, match="cannot read it"):
        run("-f", file(tmp_path, stack()), "--operator-env", str(tmp_path))


def test_nothing_to_judge_is_bad_input(tmp_path: Path) -> None:
    """A Secret alone could be anybody's."""
    with pytest.raises(BadInput, match="no LokiStack"):
        run("-f", file(tmp_path, secret()))
    template = {"kind": "Template", "objects": [stack()]}
    with pytest.raises(BadInput) as told:
        run("-f", file(tmp_path, template))
    assert "oc process" in str(told.value.hint)


def test_several_paths_are_one_input(tmp_path: Path) -> None:
    """Stack and Secret in two files; a file that is named twice counts once."""
    one = file(tmp_path, stack(), name="one.yaml")
    two = file(tmp_path, secret(), name="two.yaml")
    assert run("-f", one, two)[0] == 0
    assert run("-f", one, "-f", two, "-f", two)[1].count("nothing to report") == 2


def _findings(*args: str) -> list[tuple[str, str]]:
    report = json.loads(run("-o", "json", *args)[1])
    return [(f["id"], f["message"]) for view in report["stacks"] for f in view["findings"]]


def test_the_formatting_changes_nothing(tmp_path: Path) -> None:
    """YAML, JSON, a List, CRLF, a byte order mark, another order: the same findings."""
    objects = [stack(), secret(BAD)]
    usual = _findings("-f", file(tmp_path, *objects))
    assert usual
    texts = {
        "list.json": as_list(objects).encode(),
        "crlf.yaml": as_yaml(objects).replace("\n", "\r\n").encode(),
        "bom.yaml": b"\xef\xbb\xbf" + as_yaml(objects).encode(),
        "flow.yaml": "---\n".join(
            yaml.safe_dump(o, default_flow_style=True) for o in objects
        ).encode(),
        "turned.yaml": as_yaml(objects[::-1]).encode(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
        assert _findings("-f", str(tmp_path / name)) == usual, name


def test_the_pages_example_is_sound(tmp_path: Path) -> None:
    """What the reference page shows can be copied."""
    found = re.search("```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    (tmp_path / "a.yaml").write_text(found[1])
    assert run("-f", str(tmp_path / "a.yaml"), "--fail-on", "info")[0] == 0


@pytest.mark.timeout(60)
def test_a_thousand_stacks_in_one_run(tmp_path: Path) -> None:
    """A folder of files, each with a stack and its Secret."""
    for number in range(1000):
        own = {"name": f"s{number}", "type": "s3"}
        text = as_list([stack(f"stack-{number}", secret=own), secret(name=f"s{number}")])
        (tmp_path / f"{number}.json").write_text(text)
    code, out = run("-f", str(tmp_path), "-o", "json")
    assert code == 0
    assert len(json.loads(out)["stacks"]) == 1000


def test_the_heading_of_a_stack_cannot_be_forged(tmp_path: Path) -> None:
    """Neither by its type nor by its name: nothing there ends the line or colours it."""
    forged = stack(secret={"name": "s", "type": "s3\x1b[31mEVIL\nLokiStack x/y  nothing to report"})
    forged["metadata"]["name"] = "a\nLokiStack x/z\x1b[2J"
    _, out = run("-f", file(tmp_path, forged))
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line.startswith(("LokiStack x/", "EVIL"))]
