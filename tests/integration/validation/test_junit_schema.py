# SPDX-License-Identifier: Apache-2.0
"""What `validate` writes as JUnit's XML is held to the schema that Jenkins published.

JUnit itself has none. Ant's asks for the host and the hour of a run, which a judgement of files
does not have; Jenkins' is what readers of CI agree on. What its attributes hold (it calls all of
them text), and that their sums are right, `golden.published` and the unit tests say.
"""

import hashlib
import re
from pathlib import Path

import pytest
import xmlschema

from builders import NOW
from golden.cases import HERE, INPUT
from lokeys.adapters.files.manifests import read
from lokeys.core.findings.finding import Severity
from lokeys.core.findings.rules import RULES
from lokeys.core.place import Ref
from lokeys.core.validation.junit import junit
from lokeys.core.validation.validate import Validation, validate

SHA256 = "b74f22f7b3e328e08356c268e18fb979ae95e3bcc746f93ae399260310ad0d6f"
INPUTS = sorted(folder / INPUT for folder in HERE.glob("LK*") if (folder / INPUT).exists())


@pytest.fixture(scope="module")
def schema(junit_schema: Path) -> xmlschema.XMLSchema10:
    """Return the schema, and no other than was looked at when this was written."""
    assert hashlib.sha256(junit_schema.read_bytes()).hexdigest() == SHA256
    return xmlschema.XMLSchema10(str(junit_schema))


def problems(schema: xmlschema.XMLSchema10, text: str) -> list[str]:
    return [str(error.reason) for error in schema.iter_errors(text)]


def test_every_golden_case_fits_the_schema(schema: xmlschema.XMLSchema10) -> None:
    """Faults of all kinds, at every threshold: failed cases, passed ones, shared objects."""
    assert len(INPUTS) > 60
    found = {
        (file.parent.name, severity): told
        for file in INPUTS
        for severity in Severity
        if (told := problems(schema, junit(validate(read(str(file)), now=NOW), fail_on=severity)))
    }
    assert found == {}


def test_nothing_and_the_strangest_texts_fit_it(schema: xmlschema.XMLSchema10) -> None:
    """No suite at all; names of control characters, quotes and markup."""
    none = Validation(stacks=(), credentials=(), findings=())
    assert problems(schema, junit(none, fail_on=Severity.INFO)) == []
    strange = RULES["LK1005"].at(Ref("a<b", "\x00\"'&", "]]>\ufffe"), detail="<!--\x1b[31m\r\n")
    told = Validation(stacks=(), credentials=(), findings=(strange,))
    for severity in Severity:
        assert problems(schema, junit(told, fail_on=severity)) == []


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        pytest.param(r" name=", " named=", id="a suite without a name"),
        pytest.param(r" tests=", " test=", id="an attribute that there is not"),
        pytest.param(r"<(/?)testsuites", r"<\1suites", id="another root"),
        pytest.param(r"<(/?)failure", r"<\1fault", id="an element that there is not"),
        pytest.param(r"<failure", "<system-out>x</system-out><failure", id="another order"),
    ],
)
def test_a_report_that_is_none_is_told(
    schema: xmlschema.XMLSchema10, pattern: str, instead: str
) -> None:
    """The check itself can fail."""
    sound = junit(validate(read(str(INPUTS[0])), now=NOW), fail_on=Severity.INFO)
    broken = re.sub(pattern, instead, sound)
    assert problems(schema, sound) == []
    assert problems(schema, broken)
