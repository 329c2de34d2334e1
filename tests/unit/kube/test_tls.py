# SPDX-License-Identifier: Apache-2.0
"""TLS as a kubeconfig asks for it."""

import ssl
from base64 import b64encode
from pathlib import Path

import pytest

from lokeys.kube.tls import context_for, material


def test_inline_data_wins_over_a_file(tmp_path: Path) -> None:
    """As kubectl reads it; a field that is not there has no material."""
    (tmp_path / "ca").write_text("from the file")
    entry = {"ca": str(tmp_path / "ca"), "ca-data": b64encode(b"inline").decode()}
    assert material(entry, "ca") == b"inline"
    assert material({"ca": str(tmp_path / "ca")}, "ca") == b"from the file"
    assert material({}, "ca") is None


@pytest.mark.parametrize("text", ["", "\n", "no certificate", "é"])
def test_an_authority_without_a_certificate_is_refused(tmp_path: Path, text: str) -> None:
    """It never means that the system's own authorities are trusted in its place."""
    (tmp_path / "ca").write_text(text)
    with pytest.raises(ssl.SSLError):
        context_for({"certificate-authority": str(tmp_path / "ca")}, {})


@pytest.mark.parametrize(
    ("cluster", "mode"),
    [
        pytest.param({}, ssl.CERT_REQUIRED, id="the system's authorities by default"),
        pytest.param(
            {"insecure-skip-tls-verify": True}, ssl.CERT_NONE, id="no check where the file says so"
        ),
    ],
)
def test_the_server_is_checked_unless_the_file_says_not(
    cluster: dict[str, bool], mode: ssl.VerifyMode
) -> None:
    """Only `insecure-skip-tls-verify` switches the check off."""
    assert context_for(cluster, {}).verify_mode is mode
