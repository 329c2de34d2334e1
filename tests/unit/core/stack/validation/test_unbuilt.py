# SPDX-License-Identifier: Apache-2.0
"""Objects that are built or filled in before they are applied: no fault of theirs is an error."""

from dataclasses import dataclass
from typing import Any

import pytest

from lokeys.core.findings.finding import Finding
from lokeys.core.stack.validation.unbuilt import Unbuilt, builder_of, is_changed
from lokeys.core.text.shell import command
from lokeys.core.text.variables import is_filled_in
from lokeys.core.validation.validate import validate
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Given, Object, secret, stack

BUILD = command("kubectl kustomize prod").pipe("lokeys validate -f -")


CHANGED = Unbuilt(BUILD, is_changed=True)


@dataclass(frozen=True)
class Built:
    """An object of which something is made."""

    object: Object
    unbuilt: Unbuilt | None = CHANGED
    file: str = "base/logs.yaml"
    line: int = 1

    def position_of(self, path: Any) -> tuple[int, int]:
        return 1 + len(path), 1


def told(*given: Built | Given) -> list[Finding]:
    return list(validate(list(given), now=NOW).all_findings)


def of_size(size: str) -> Object:
    sized = stack()
    sized["spec"]["size"] = size
    return sized


def test_a_fault_of_what_is_patched_is_a_warning_with_the_way() -> None:
    """The patch may mend it; what is not patched stays an error."""
    patched, plain = (
        told(Built(of_size("big")), Given(secret())),
        told(Given(of_size("big")), Given(secret())),
    )

    assert [each.severity for each in patched] == ["warning"]
    assert patched[0].remedy[0].command == BUILD
    assert [each.severity for each in plain] == ["error"]


def test_a_secret_that_is_patched_is_one_too() -> None:
    """Each object by itself: the stack beside it is whole."""
    broken = secret({**SOUND["s3 static"], "endpoint": "nowhere"})

    assert [each.severity for each in told(Given(stack()), Built(broken))] == ["warning"]
    assert [each.severity for each in told(Built(stack()), Given(broken))] == ["error"]


def test_what_is_missed_may_be_generated() -> None:
    """Where more may stand around a stack than lies there; else it is missed."""
    around = Unbuilt(BUILD, is_changed=False)
    trusting = stack(tls={"caName": "ca"})

    assert {each.severity for each in told(Built(trusting, around))} == {"warning"}
    assert {each.severity for each in told(Built(of_size("big"), around))} == {"error", "warning"}
    assert {each.severity for each in told(Built(trusting, None))} == {"error"}


@pytest.mark.parametrize(
    "changed",
    [
        of_size("${LOKI_SIZE}"),
        stack(secret={"name": "${NAME}-s3", "type": "s3"}),
        stack(secret={"name": "loki-storage", "type": "${TYPE:=s3}"}),
        stack(schemas=[{"version": "v13", "effectiveDate": "${DATE}"}]),
    ],
    ids=["its size", "its Secret", "its type", "a date in a list"],
)
def test_a_variable_is_filled_in_before_it_is_judged(changed: Object) -> None:
    """Flux does so; it is info that it is not judged."""
    assert {each.severity for each in told(Given(changed), Given(secret()))} == {"info"}


def test_a_fault_beside_a_variable_stays_one() -> None:
    """The field that is wrong holds none, or there is no such field."""
    changed = of_size("big")
    changed["spec"]["storageClassName"] = "${CLASS}"
    changed["spec"]["rules"] = {"enabled": 7}
    severities = sorted(each.severity.value for each in told(Given(changed), Given(secret())))

    assert severities == ["error", "error", "info"]


@pytest.mark.parametrize(
    "value",
    ["${S3_ENDPOINT}", "https://{{ .Values.host }}", "<path:secret/data/logs#endpoint>"],
    ids=["Flux", "a template", "Argo CD's vault plugin"],
)
def test_a_value_that_is_filled_in_is_there_and_not_judged(value: str) -> None:
    """That is said; one that only looks like it is judged."""
    filled = secret({**SOUND["s3 static"], "endpoint": value})

    assert is_filled_in(value)
    (said,) = told(Given(stack()), Given(filled))
    assert (said.code, said.severity) == ("LK0139", "info")
    assert "`endpoint`" in said.message
    assert value not in said.message
    wrong = secret({**SOUND["s3 static"], "endpoint": "$S3_ENDPOINT"})
    assert [each.fault for each in told(Given(stack()), Given(wrong))] == ["bad_endpoint"]


def test_a_placeholder_of_argo_cds_vault_plugin_is_told_by_its_annotation() -> None:
    """Without it the same text is a value, and a wrong one."""
    filled = secret({**SOUND["s3 static"], "endpoint": "<endpoint>"})

    assert [each.fault for each in told(Given(stack()), Given(filled))] == ["bad_endpoint"]
    filled["metadata"]["annotations"] = {"avp.kubernetes.io/path": "kv/data/logs"}
    assert [each.code for each in told(Given(stack()), Given(filled))] == ["LK0139"]


def test_a_file_of_google_that_is_filled_in_makes_no_mode() -> None:
    """What it will say is not known."""
    gcs = stack(secret={"name": "loki-storage", "type": "gcs"})
    filled = secret({"bucketname": "loki", "key.json": "${GCS_KEY}"})

    assert [each.code for each in told(Given(gcs), Given(filled))] == ["LK0139"]


def test_of_many_values_that_are_filled_in_some_are_named() -> None:
    """A Secret can hold any number of keys."""
    many = {f"key-{number:02}": "${VALUE}" for number in range(12)}
    said = told(Given(stack()), Given(secret({**SOUND["s3 static"], **many})))
    (filled,) = (each for each in said if each.code == "LK0139")
    assert "`key-07` and 4 more are not in the manifest" in filled.message


def test_what_builds_an_object_can_be_typed() -> None:
    """Without what reads it; where its folder cannot be printed the tool is named alone."""
    assert is_changed(Built(stack()))
    assert not is_changed(Given(stack()))
    assert builder_of(Built(stack())) == "kubectl kustomize prod"
    assert builder_of(Built(stack(), Unbuilt(None, is_changed=True))) == "kustomize build"
