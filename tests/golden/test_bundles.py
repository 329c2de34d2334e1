# SPDX-License-Identifier: Apache-2.0
"""Bundles that were kept as files: the doctor says of each what it said of the cluster then.

`make bundles` made them, and those whose name has no `--` come of tests on real parts.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lokeys.cli.main import lokeys

KEPT = Path(__file__).parents[1] / "bundles"


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.tar.gz")), ids=lambda path: path.name[:-7])
def test_a_kept_bundle_says_what_its_cluster_said(path: Path) -> None:
    """Each finding's id, severity and cause, the exit code, and what could not be read."""
    words = ["doctor", "--bundle", str(path), "-o", "json"]
    done = CliRunner().invoke(lokeys, words, standalone_mode=False)
    assert done.exception is None, done.exception
    report = json.loads(done.stdout)
    found = [[each["id"], each["severity"], each["cause"] or ""] for each in report["findings"]]
    expected = json.loads(path.with_name(f"{path.name[:-7]}.json").read_text())
    assert (done.return_value, found) == (expected["code"], expected["findings"])


def test_what_is_new_since_an_older_bundle_is_all_that_is_told() -> None:
    """The key was replaced: the findings are new; seen from then, they are gone."""
    before, after = (
        str(KEPT / f"static--{name}.tar.gz") for name in ("healthy", "source-replaced")
    )

    def told(bundle: str, since: str) -> tuple[int, list[str], list[str]]:
        words = ["doctor", "--bundle", bundle, "--since-bundle", since, "-o", "json"]
        done = CliRunner().invoke(lokeys, words, standalone_mode=False)
        report = json.loads(done.stdout)
        gone = [each["cause"] for each in report["sinceBundle"]["gone"]]
        return done.return_value, [each["cause"] for each in report["findings"]], gone

    new = told(after, before)
    assert new[0] == 3
    assert "vault_behind_source" in new[1]
    assert new[2] == []
    old = told(before, after)
    assert (old[0], old[1], old[2]) == (0, [], new[1])
    assert told(after, after)[:2] == (0, [])
