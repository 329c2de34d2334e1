# SPDX-License-Identifier: Apache-2.0
"""What is printed as YAML is to kubectl (sigs.k8s.io/yaml) the object that was meant."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.text.yaml import commented, documents
from parts.build import program
from parts.plugin import need, not_built

_TRICKY = (
    *("yes", "No", "null", "~", "1e3", "0x1f", "0o17", "1_000", "12:30", "2024-10-01", "=", "<<"),
    *("a:b:", "a:", "- a", "a #b", "---", "...", "%a", "!a", "&a", "*a", "? a", "k" * 1100),
    *(
        "a\u2028b: c",
        "a\u2029b: c",
        "a\x85b: c",
        "\x1b[2J",
        "\u202ea",
        "\ufeff",
        "\x00",
        "\x85" * 200,
    ),
    *("a\nb", "a\n", "a\n\n", "\na", " a\nb", "a\r\nb", "a\tb\nc", "# c\nd: e", "a \nb\u2028c"),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(_TRICKY)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(["a", "b", "c"])
SPECS = st.lists(
    st.tuples(st.dictionaries(NAMES, VALUES, min_size=1), TEXTS), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def kubectl(pytestconfig: pytest.Config) -> Path:
    need(pytestconfig, "kubernetes", not_built("kubernetes", "kubectl"))
    found = program("kubernetes", "kubectl")
    assert found
    return found


def read_by(kubectl: Path, text: str) -> list[Any]:
    """Return the objects that kubectl takes out of YAML, without asking any cluster."""
    said = subprocess.run(
        [kubectl, "label", "--local", "-f", "-", "read=yes", "-o", "json"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not said.returncode, (said.stderr, text)
    decoder, rest, found = json.JSONDecoder(), said.stdout.strip(), []
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].strip()
    return found


def manifest(spec: Any) -> dict[str, Any]:
    """Return an object of a kind that nobody knows."""
    metadata = {"name": "a"}
    return {"apiVersion": "example.dev/v1", "kind": "Any", "metadata": metadata, "spec": spec}


@settings(max_examples=20, deadline=None)
@given(SPECS)
def test_kubectl_reads_what_was_meant(kubectl: Path, specs: list[tuple[Any, str]]) -> None:
    """As programs and as people are given it, with any text in a comment."""
    meant = [spec for spec, _ in specs]
    assert [one["spec"] for one in read_by(kubectl, documents(map(manifest, meant)))] == meant
    texts = [
        commented(manifest(spec), dict.fromkeys(("spec", "spec.a", "metadata.name"), note))
        for spec, note in specs
    ]
    assert [one["spec"] for one in read_by(kubectl, "---\n".join(texts))] == meant
