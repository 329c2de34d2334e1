# SPDX-License-Identifier: Apache-2.0
"""The shipped alerts, judged by Prometheus' own tool."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.operator.metric_names import METRICS

ROOT = Path(__file__).parents[3]
CASES = Path(__file__).with_name("alerts.yaml")


@pytest.fixture
def shipped() -> dict[str, Any]:
    manifest = yaml.safe_load(
        (ROOT / "deploy/chart/files/monitoring/prometheusrule.yaml").read_text()
    )
    spec: dict[str, Any] = manifest["spec"]
    return spec


def rules(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in spec["groups"] for rule in group["rules"]]


def run(promtool: Path, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_and_stays_silent_as_it_should(
    promtool: Path, shipped: dict[str, Any], tmp_path: Path
) -> None:
    """Prometheus' tool plays the cases of alerts.yaml against the rules as shipped."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(shipped))
    shutil.copy(CASES, tmp_path)
    run(promtool, "check", "rules", "rules.yaml", folder=tmp_path)
    run(promtool, "test", "rules", CASES.name, folder=tmp_path)


def test_every_alert_has_a_case_for_and_one_against(shipped: dict[str, Any]) -> None:
    """No alert ships unproved: each one fires in a case, and is silent in one."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    fires = {check["alertname"] for check in checks if check["exp_alerts"]}
    others = {"LokiStorageRequestsRefused"}  # silent on its harmless neighbours in the same check
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]} | others
    assert {rule["alert"] for rule in rules(shipped)} == fires == silent


def test_alerts_rest_on_metrics_that_exist(shipped: dict[str, Any]) -> None:
    """Each name of ours in an expression is one that the operator serves."""
    used = {name for rule in rules(shipped) for name in re.findall(r"\blokeys_\w+", rule["expr"])}
    assert used <= {metric.name for metric in METRICS}


def test_no_alert_rests_on_readiness_alone(shipped: dict[str, Any]) -> None:
    """Refused requests are critical by their own count, whatever the pods say of themselves."""
    critical = [rule for rule in rules(shipped) if rule["labels"]["severity"] == "critical"]
    assert critical
    assert not [rule["alert"] for rule in critical if "ready" in rule["expr"].lower()]
