# SPDX-License-Identifier: Apache-2.0
"""What CI reads of every golden case of manifests is SARIF 2.1.0, and JUnit's XML."""

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from builders import NOW
from golden.cases import HERE, INPUT
from golden.published import against_junit, against_sarif
from lokeys.adapters.files.manifests import read
from lokeys.core.findings.finding import Severity
from lokeys.core.validation.junit import junit
from lokeys.core.validation.sarif import sarif
from lokeys.core.validation.validate import Validation, validate

INPUTS = sorted(folder / INPUT for folder in HERE.glob("LK*") if (folder / INPUT).exists())


def judged(file: Path) -> Validation:
    return validate(read(str(file)), now=NOW)


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: file.parent.name)
def test_it_is_what_the_published_formats_allow(file: Path) -> None:
    """No property too many, none missing, each of its type; at every threshold."""
    validation = judged(file)
    assert not list(against_sarif(sarif(validation.all_findings, version="1.2.3")))
    for severity in Severity:
        assert not list(against_junit(ET.fromstring(junit(validation, fail_on=severity))))


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """Return a sound document with one thing in it that is not."""
    document: Any = sarif(judged(INPUTS[0]).all_findings, version="0")
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document


RESULT = ("runs", 0, "results", 0)
PHYSICAL = (*RESULT, "locations", 0, "physicalLocation")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0.0"),
        (("runs",), None),
        (("runs",), {}),
        (("extra",), 1),
        (("runs", 0), []),
        (("runs", 0, "tool", "driver", "name"), None),
        ((*RESULT, "message"), {"markdown": "x"}),
        ((*RESULT, "level"), "fatal"),
        ((*RESULT, "ruleIndex"), True),
        ((*RESULT, "partialFingerprints"), {"a": 1}),
        ((*PHYSICAL, "region", "startLine"), 0),
        ((*PHYSICAL, "artifactLocation", "uri"), "a b"),
        (("runs", 0, "tool", "driver", "informationUri"), "lokeys"),
    ],
)
def test_a_document_that_is_none_is_told(path: tuple[Any, ...], value: Any) -> None:
    """The check itself can fail."""
    assert list(against_sarif(changed(path, value)))


@pytest.mark.parametrize(
    "text",
    [
        "<x/>",
        '<testsuites tests="many"/>',
        '<testsuites><testsuite name="a" tests="1" failures="0"/></testsuites>',
        "<testsuites><testcase name='a'/></testsuites>",
        '<testsuite name="a" tests="1" failures="0" errors="0" colour="red"/>',
    ],
)
def test_a_report_that_is_none_is_told(text: str) -> None:
    """As for SARIF."""
    assert list(against_junit(ET.fromstring(text)))
