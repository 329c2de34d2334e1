# SPDX-License-Identifier: Apache-2.0
"""What SARIF 2.1.0 and JUnit's XML allow, of all that `validate` writes, written down from them.

SARIF: the OASIS standard's clauses for each object, names of all its properties included. JUnit:
what the readers of Jenkins' xUnit plugin (junit-10) and of Ant's reports agree on. The published
schemas are asked, too (unit/core/validation/test_published_schema.py for SARIF's,
integration/validation/test_junit_schema.py for Jenkins'): here stands what they do not say, that
URIs are URIs and counts are numbers, and which of their properties we write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object of SARIF: the properties that we write, and those that it must have."""

    properties: dict[str, Any]
    required: tuple[str, ...] = ()


MESSAGE = Shape(properties={"text": str, "id": str}, required=("text",))
MULTIFORMAT = Shape(properties={"text": str, "markdown": str}, required=("text",))
ARTIFACT = Shape(properties={"uri": "uri-reference", "index": "index"})
REGION = Shape(properties=dict.fromkeys(("startLine", "startColumn", "endLine"), "one"))
PHYSICAL = Shape(
    properties={"artifactLocation": ARTIFACT, "region": REGION}, required=("artifactLocation",)
)
LOGICAL = Shape(
    properties={"name": str, "fullyQualifiedName": str, "kind": str, "parentIndex": "index"}
)
LOCATION = Shape(properties={"physicalLocation": PHYSICAL, "logicalLocations": [LOGICAL]})
LEVEL = ("none", "note", "warning", "error")
RULE = Shape(
    properties={
        "id": str,
        "name": str,
        "shortDescription": MULTIFORMAT,
        "fullDescription": MULTIFORMAT,
        "help": MULTIFORMAT,
        "helpUri": "uri",
        "defaultConfiguration": Shape(properties={"level": LEVEL, "enabled": bool}),
    },
    required=("id",),
)
DRIVER = Shape(
    properties={"name": str, "version": str, "informationUri": "uri", "rules": [RULE]},
    required=("name",),
)
RESULT = Shape(
    properties={
        "ruleId": str,
        "ruleIndex": "index",
        "level": LEVEL,
        "message": MESSAGE,
        "locations": [LOCATION],
        "partialFingerprints": {str: str},
    },
    required=("message",),
)
RUN = Shape(
    properties={
        "tool": Shape(properties={"driver": DRIVER}, required=("driver",)),
        "columnKind": ("utf16CodeUnits", "unicodeCodePoints"),
        "results": [RESULT],
    },
    required=("tool",),
)
LOG = Shape(
    properties={"$schema": "uri", "version": ("2.1.0",), "runs": [RUN]},
    required=("version", "runs"),
)


def against_sarif(value: Any, shape: Any = LOG, path: str = "") -> Iterator[str]:
    """Yield where a value is not what the standard allows."""
    match shape:
        case Shape() if isinstance(value, dict):
            yield from _against_shape(value, shape, path)
        case [inner] if isinstance(shape, list) and isinstance(value, list):
            for place, item in enumerate(value):
                yield from against_sarif(item, inner, f"{path}[{place}]")
        case Shape() | list():
            yield f"{path}: neither object nor list, as it should be"
        case dict():
            if not all(isinstance(part, str) for entry in value.items() for part in entry):
                yield f"{path}: no texts by name"
        case _:
            if not _is_scalar(value, shape):
                yield f"{path}: {value!r} is no {shape}"


def _against_shape(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}: missing" for name in shape.required if name not in value)
    for name, item in value.items():
        if name not in shape.properties:
            yield f"{path}.{name}: unknown"
        else:
            yield from against_sarif(item, shape.properties[name], f"{path}.{name}")


def _is_scalar(value: Any, shape: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    match shape:
        case "uri":
            return isinstance(value, str) and bool(urlsplit(value).scheme) and value.isascii()
        case "uri-reference":
            return (
                isinstance(value, str) and value.isascii() and not set(' "<>\\^`{|}') & set(value)
            )
        case "index":
            return whole and value >= -1
        case "one":
            return whole and value >= 1
        case tuple():
            return value in shape
    return isinstance(value, shape)


_SUITE = frozenset({"name", "tests", "failures", "errors", "skipped", "time", "timestamp"})
ATTRIBUTES = {
    "testsuites": _SUITE,
    "testsuite": _SUITE | {"hostname", "id", "package"},
    "testcase": frozenset({"name", "classname", "time"}),
    "failure": frozenset({"message", "type"}),
    "system-out": frozenset(),
}
REQUIRED = {"testsuite": ("name", "tests", "failures", "errors"), "testcase": ("name",)}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "system-out"},
}
NUMBERS = ("tests", "failures", "errors", "skipped", "time")


def against_junit(element: Element) -> Iterator[str]:
    """Yield where an element is not what readers of JUnit's XML take."""
    if element.tag not in ATTRIBUTES:
        yield f"{element.tag}: unknown"
        return
    unknown = set(element.attrib) - ATTRIBUTES[element.tag]
    missing = set(REQUIRED.get(element.tag, ())) - set(element.attrib)
    yield from (f"{element.tag}: {name}" for name in sorted(unknown | missing))
    numbers = {name: element.attrib[name] for name in NUMBERS if name in element.attrib}
    yield from (f"{element.tag}: {n}={v}" for n, v in numbers.items() if not v.isdecimal())
    for child in element:
        if child.tag not in CHILDREN.get(element.tag, ()):
            yield f"{child.tag} in {element.tag}"
        yield from against_junit(child)
