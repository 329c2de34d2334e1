# SPDX-License-Identifier: Apache-2.0
"""The list of what a release is made of."""

import json
from pathlib import Path

from release import sbom
from release.debian_base import Package

ROOT = Path(__file__).parents[3]


def test_each_component_says_where_it_is_from() -> None:
    """Debian's packages and Python's have a purl each, by which weaknesses are looked up."""
    components = [
        *sbom.of_debian([Package(name="libc6", version="2.36-9+deb12u14", architecture="amd64")]),
        *sbom.of_lock("PyYAML==6.0.3 \\\n    --hash=sha256:" + "a" * 64 + "\n"),
    ]
    made = sbom.document("lokeys", "1.2.3", components, time=0)
    assert [each["purl"] for each in made["components"]] == [
        "pkg:deb/debian/libc6@2.36-9+deb12u14?arch=amd64",
        "pkg:pypi/pyyaml@6.0.3",
    ]
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert made["metadata"]["timestamp"] == "1970-01-01T00:00:00+00:00"


def test_the_lock_is_taken_whole() -> None:
    """Every package that is pinned is in the list, with the hashes of its files."""
    text = (ROOT / "locks/runtime.txt").read_text()
    components = list(sbom.of_lock(text))
    assert len(components) == text.count("==") > 20
    hashes = [h for c in components for r in c["externalReferences"] for h in r["hashes"]]
    assert len(hashes) == text.count("--hash=")


def test_an_environment_is_read_from_what_is_installed(tmp_path: Path) -> None:
    """Name, version and licence come from each package's own metadata."""
    note = tmp_path / "a_b-1.0.dist-info" / "METADATA"
    note.parent.mkdir()
    note.write_text("Metadata-Version: 2.4\nName: A_B\nVersion: 1.0\nLicense-Expression: MIT\n")
    (only,) = sbom.of_environment(tmp_path)
    assert (only["purl"], only["licenses"]) == ("pkg:pypi/a-b@1.0", [{"expression": "MIT"}])


def test_the_same_input_makes_the_same_document() -> None:
    """Whatever the order in which components were found."""
    packages = [Package(name=n, version="1", architecture="all") for n in ("b", "a")]
    first, second = (
        json.dumps(sbom.document("lokeys", "1", sbom.of_debian(each), time=5))
        for each in (packages, packages[::-1])
    )
    assert first == second
