# SPDX-License-Identifier: Apache-2.0
"""A pair in a Secret or ConfigMap: under two data keys, or inside of a text."""

from base64 import b64encode
from typing import Any

import pytest

from lokeys.adapters.kubernetes.pairs import pair_in
from lokeys.core.route.model import PairKeys, SecretRef

PATHS = PairKeys(access_key_id="common.s3.id", secret_access_key="common.s3.key")


def text(kind: str, content: str) -> dict[str, Any]:
    """Return an object with a text under `config.yaml`."""
    value = b64encode(content.encode()).decode() if kind == "Secret" else content
    return {"metadata": {"namespace": "ns"}, "data": {"config.yaml": value}}


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("common: {s3: {id: AK, key: word}}", (b"AK", b"word"), id="two texts"),
        pytest.param("common: {s3: {id: 7, key: 'a\\n'}}", (b"7", b"a\\n"), id="a number, quotes"),
        pytest.param("common: {s3: {id: true, key: [a]}}", (b"", b""), id="neither is a text"),
        pytest.param("common: {s3: AK}", (b"", b""), id="no such path"),
        pytest.param("common: [", (b"", b""), id="no YAML"),
        pytest.param("", (b"", b""), id="nothing"),
        pytest.param(
            "common: {s3: {id: AK, key: word}}\n" + "#" * (1 << 20), (b"", b""), id="too large"
        ),
    ],
)
def test_a_pair_inside_of_a_text(kind: str, content: str, found: tuple[bytes, bytes]) -> None:
    """As YAML reads it, and so Loki; what is no text is empty."""
    place = SecretRef(kind=kind, name="c", inside="config.yaml", keys=PATHS)
    pair = pair_in(text(kind, content), place)
    assert (pair.access_key_id.reveal(), pair.secret_access_key.reveal()) == found
    assert "word" not in repr(pair)


def test_a_text_that_is_not_there() -> None:
    """Neither half is known."""
    place = SecretRef(name="c", inside="config.yaml", keys=PATHS)
    assert not pair_in({"metadata": {}, "data": {"other": "AK"}}, place).access_key_id
