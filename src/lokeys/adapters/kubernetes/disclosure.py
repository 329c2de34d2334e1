# SPDX-License-Identifier: Apache-2.0
"""The two parts of a key pair that a person may see: its id and, on a terminal, its secret."""

from __future__ import annotations

from typing import TextIO

from lokeys.core.sensitive import KeyPair
from lokeys.errors import BadInput


def access_key_id(pair: KeyPair) -> str:
    """Return the key id as text: it identifies the key, and alone gives no access."""
    return pair.access_key_id.reveal_text().encode(errors="replace").decode()


def show_secret(pair: KeyPair, *, label: str, to: TextIO) -> None:
    """Write the secret key to a terminal, and to nothing else. Raises BadInput."""
    if not to.isatty():
        raise BadInput("the secret key is only shown to a terminal", hint="leave --reveal out")
    secret = pair.secret_access_key.reveal_text().encode(errors="replace").decode()
    to.write(f"{label}{secret}\n")
    to.flush()
