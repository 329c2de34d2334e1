# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor FILE…`: what logs alone say, and how a person and a program read it."""

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lokeys.cli.main import lokeys
from lokeys.errors import BadInput

TIME = "2026-11-22T02:56:05.537305929Z"
ERROR = (
    f'level=error ts={TIME} caller=flush.go:356 component=ingester msg="failed to flush" '
    'err="failed to flush chunks: store put chunk: InvalidAccessKeyId: , num_chunks: 1, '
    'labels: {app=\\"x\\"}"\n'
)
INFO = f'level=info ts={TIME} caller=loki.go:501 msg="Starting Loki"\n'
RING = f'level=error ts={TIME} caller=ratestore.go:115 msg=x err="empty ring"\n'
OTHER = f'logger=context level=error t={TIME} msg="x509: certificate signed by unknown authority"\n'
ODD = f"level=error ts={TIME} caller=loki.go:1 msg=nobody-knows-this\n"


def doctor(*words: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(lokeys, ["doctor", *words], input=given, standalone_mode=False)


def told(*words: str, given: str = "") -> tuple[int, str]:
    done = doctor(*words, given=given)
    assert done.exception is None, done.exception
    return done.return_value, done.stdout


def test_a_log_with_a_complaint_gets_its_cause() -> None:
    """Cause, the line that shows it, how often and when."""
    code, said = told("-", given=INFO + ERROR * 2)
    assert code == 3
    assert "LK0801 error likely" in said
    assert "stdin: 3 lines of Loki, 2026-11-22 02:56:05 UTC; 2 warn or worse, 100%" in said
    assert "2 lines, 2026-11-22 02:56:05 UTC" in " ".join(said.split())
    assert "labels" not in said


def test_a_healthy_log_gets_one_line() -> None:
    """What was ignored is counted in it."""
    code, said = told("-", given=INFO + RING)
    assert code == 0
    assert said.count("\n") == 1
    assert said.startswith("nothing to report: stdin: 2 lines of Loki")
    assert "1 ignored" in said
    assert told("-", given=INFO)[1].endswith("none is a warning or worse\n")


def test_with_v_what_was_ignored_is_listed() -> None:
    """And one line of what was not understood."""
    _, said = told("-v", "-", given=RING + ODD)
    assert "ignored 1: the ring and memberlist, such as" in said
    assert "not understood 1, such as" in said
    assert "nobody-knows-this" in said


def test_an_empty_log_is_no_all_clear() -> None:
    """It is said to be empty, and nothing is said to be fine."""
    code, said = told("-", given="\n\n")
    assert code == 5
    assert "stdin is empty: it says nothing" in said
    assert "nothing to report" not in said


def test_a_log_of_another_program_is_called_so() -> None:
    """Its complaints are its own."""
    code, said = told("-", given=OTHER * 3)
    assert code == 0
    assert "a log of another program" in said
    assert "LK" not in said


def test_a_log_of_nobody_known_is_no_all_clear() -> None:
    """What was not understood is shown, and nothing is said to be fine."""
    code, said = told("-", given="error: it broke\n")
    assert code == 0
    assert "a program that is not known" in said
    assert "not understood 1, such as error: it broke" in said
    assert "nothing to report" not in said


def test_several_logs_are_told_apart(tmp_path: Path) -> None:
    """One that can be read is read, and the gap is named."""
    (one := tmp_path / "one.log").write_text(ERROR)
    (two := tmp_path / "two.log").write_bytes(bytes(range(32)))
    code, said = told(str(one), "--logs", str(two))
    assert code == 3
    assert "two.log is binary data, and no log" in said
    assert "incomplete" in said


def test_binary_data_alone_is_bad_input() -> None:
    """Nothing could be said."""
    done = doctor("-", given=bytes(range(32)))
    assert isinstance(done.exception, BadInput)


def test_the_report_for_programs_says_what_was_read() -> None:
    """DiagnosisReport, with what was read of each log."""
    code, said = told("-o", "json", "-", given=INFO + ERROR + RING)
    report = json.loads(said)
    assert code == 3
    assert (report["kind"], report["complete"], report["routes"]) == ("DiagnosisReport", True, [])
    assert report["logs"] == [
        {
            "name": "stdin",
            "kind": "a log",
            "program": "Loki",
            "lines": 3,
            "linesCut": 0,
            "firstSeen": "2026-11-22T02:56:05Z",
            "lastSeen": "2026-11-22T02:56:05Z",
            "warnings": 2,
            "understood": 1.0,
            "ignored": [{"what": "the ring and memberlist", "count": 1}],
        }
    ]
    (finding,) = report["findings"]
    assert finding["cause"] == "access_key_unknown"
    assert finding["symptoms"][0]["count"] == 1


def test_a_line_that_was_cut_is_said_to_be(tmp_path: Path) -> None:
    """So that nobody takes it for read."""
    (file := tmp_path / "long.log").write_text(ERROR + "x" * (4 << 20))
    assert "1 too long to be read to the end" in told(str(file))[1]


def test_no_secret_of_a_line_is_shown() -> None:
    """URLs, headers and tokens in a line may hold one."""
    secret = "wJalrXUtnFEMIcanary"
    given = ERROR.replace("InvalidAccessKeyId: ", f"InvalidAccessKeyId: s3://AKIA:{secret}@host/b")
    for words in (("-",), ("-o", "json", "-"), ("-v", "-")):
        assert secret not in told(*words, given=given)[1]


@pytest.mark.parametrize("word", ["LK0801", "LK0801=Log//stdin"])
def test_findings_can_be_left_out(word: str) -> None:
    """As everywhere."""
    code, said = told("--ignore", word, "-", given=ERROR)
    assert code == 0
    assert "1 finding ignored" in said


CONFIG = """\
common:
  storage:
    s3: {endpoint: s3.example.net, bucketnames: loki, access_key_id: "${ID}", secret_access_key: x}
schema_config:
  configs: [{from: "2024-01-01", store: tsdb, object_store: s3, schema: v13}]
"""


def test_a_configuration_among_files_is_told_by_its_content(tmp_path: Path) -> None:
    """As with --config: beside a log, whatever its name is and wherever it stands."""
    (log := tmp_path / "a.yaml").write_text(ERROR)
    (config := tmp_path / "b.log").write_text(CONFIG)
    by_content = told(str(log), str(config))
    assert by_content == told(str(log), "--config", str(config))
    assert "object_store s3" in by_content[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("apiVersion: v1\nkind: Secret\n", "a manifest of Kubernetes", id="a manifest"),
        pytest.param("\0\1\2" * 99, "binary data", id="binary"),
        pytest.param(CONFIG, "Loki's configuration", id="a configuration on stdin"),
        pytest.param("PK\3\4" + "x" * 99, "an archive", id="a zip"),
    ],
)
def test_what_is_no_log_on_stdin_is_an_error_with_what_to_do(given: str, words: str) -> None:
    """Exit 2, and where it belongs."""
    done = doctor("-", given=given)
    assert isinstance(done.exception, BadInput)
    assert words in str(done.exception)
    assert done.exception.hint


def test_a_bundle_among_files_is_told_by_its_content(tmp_path: Path) -> None:
    """A folder or an archive, as with --bundle."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "y"}}
    (folder := tmp_path / "dump").mkdir()
    (folder / "pods.json").write_text(json.dumps(pod))
    code, said = told(str(folder), "-o", "json")
    assert (code, said) == (5, told("--bundle", str(folder), "-o", "json")[1])
    assert "StorageCredential" in "".join(json.loads(said)["notRead"])
    with tarfile.open(tmp_path / "dump.log", "w:gz") as tar:
        tar.add(folder, "dump")
    archive = str(tmp_path / "dump.log")
    assert told(archive, "-o", "json") == told("--bundle", archive, "-o", "json")
