# SPDX-License-Identifier: Apache-2.0
"""What is handed in and not judged is said, in each form, and changes no exit code."""

from lokeys.core.validation.passed_over import PassedOver, build_command, of_kinds
from lokeys.core.validation.report import validation_report
from lokeys.core.validation.validate import validate
from unit.core.validation.manifests import NOW, Given, Object, secret, stack


def of(kind: object, name: str = "a") -> Object:
    return {"apiVersion": "loki.grafana.com/v1", "kind": kind, "metadata": {"name": name}}


def test_rules_are_said_to_be_not_judged() -> None:
    """Once a kind, with how many there are; kinds of others are not named."""
    kinds = ("AlertingRule", "RecordingRule", "AlertingRule", "RulerConfig", "Deployment", 7)
    given = [Given(stack()), Given(secret()), *(Given(of(kind)) for kind in kinds)]
    validation = validate(given, now=NOW)

    assert validation.ok
    assert [each.what for each in validation.passed_over] == [
        "2 AlertingRules",
        "1 RecordingRule",
        "1 RulerConfig",
    ]


def test_a_reports_reader_sees_them_too() -> None:
    """With their place and their command, where they have one."""
    left = PassedOver(
        what="1 patch", why="it is built", file="prod", command=build_command("x y", "prod")
    )
    report = validation_report(validate([Given(of("RulerConfig"))], now=NOW, passed_over=[left]))

    first, second = report["notJudged"]
    assert first["command"] == "x y prod | lokeys validate -f -"
    assert first["location"] == {"file": "prod", "line": 1, "column": 1}
    assert (second["what"], second["command"]) == ("1 RulerConfig", None)
    assert list(of_kinds([])) == []


def test_a_strange_folder_makes_no_command() -> None:
    """Nothing that cannot be seen is pasted; a dash at its begin makes no option."""
    assert build_command("kubectl kustomize", "a\x1b[2J") is None
    assert str(build_command("helm template", "-a b")).startswith("helm template './-a b' | ")
