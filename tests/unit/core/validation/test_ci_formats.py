# SPDX-License-Identifier: Apache-2.0
"""The forms that CI reads: SARIF and JUnit."""

from xml.etree import ElementTree as ET

from lokeys.core.findings.finding import Location, Severity
from lokeys.core.findings.rules import RULES
from lokeys.core.validation.junit import junit
from lokeys.core.validation.sarif import sarif
from lokeys.core.validation.validate import Validation, validate
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Given, Object, secret, stack


def judge(*objects: Object) -> Validation:
    return validate([Given(each, "a folder/ä.yaml") for each in objects], now=NOW)


def test_sarif_tells_each_finding_once() -> None:
    """A Secret's fault is one result, though two stacks share the Secret; its rule stands above."""
    bad = secret({**SOUND["s3 static"], "forcepathstyle": "x", "bucketnames": "first,second"})
    document = sarif(judge(stack("a"), stack("b"), bad).all_findings, version="1.2.3")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert (document["version"], driver["version"]) == ("2.1.0", "1.2.3")
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    for result in run["results"]:
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["shortDescription"]["text"] == RULES[result["ruleId"]].title
        (place,) = result["locations"]
        physical = place["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "a%20folder/%C3%A4.yaml"
        assert physical["region"]["startLine"] > 0
        assert place["logicalLocations"][0]["fullyQualifiedName"] == "Secret logging/loki-storage"


def test_sarif_of_what_has_no_place() -> None:
    """A finding that stands nowhere is a result all the same; so is none at all."""
    finding = RULES["LK1005"].at(None, detail="x")
    file = RULES["LK1005"].at(None, detail="y", location=Location(file="x"))
    (run,) = sarif([finding, file], version="0")["runs"]
    assert "locations" not in run["results"][0]
    assert run["results"][1]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "x"}}}
    ]
    assert sarif([], version="0")["runs"][0]["results"] == []


def test_junit_counts_what_fails() -> None:
    """A suite a stack; below the threshold a finding is a case that passes."""
    bad = secret({**SOUND["s3 static"], "forcepathstyle": "x", "bucketnames": "first,second"})
    twin = secret()
    good = stack("b", secret={"name": "other", "type": "s3"})
    validation = judge(stack("a"), good, bad, twin, secret(name="other"))
    for threshold, failures in ((Severity.ERROR, 1), (Severity.WARNING, 3)):
        root = ET.fromstring(junit(validation, fail_on=threshold))
        assert root.tag == "testsuites"
        assert int(root.attrib["failures"]) == failures
        suites = {suite.attrib["name"]: suite for suite in root}
        assert set(suites) == {
            *("LokiStack logging/a", "LokiStack logging/b"),
            "shared objects",
        }
        for suite in root:
            cases = suite.findall("testcase")
            assert int(suite.attrib["tests"]) == len(cases)
            assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        (passed,) = suites["LokiStack logging/b"]
        assert passed.attrib["name"] == "nothing to report"


def test_junit_is_xml_whatever_was_given() -> None:
    """Angle brackets, quotes and control characters of names stand in it as XML may have them."""
    strange = stack("a<b>\"'&\x00\ufffe")
    root = ET.fromstring(junit(judge(strange), fail_on=Severity.ERROR))
    assert "a<b>\"'&??" in root[0].attrib["name"]


def test_junit_of_a_finding_without_a_place() -> None:
    """Its text is what it says."""
    finding = RULES["LK1005"].at(None, detail="x")
    validation = Validation(stacks=(), credentials=(), findings=(finding,))
    root = ET.fromstring(junit(validation, fail_on=Severity.INFO))
    assert "x" in (root.findtext("testsuite/testcase/failure") or "")
