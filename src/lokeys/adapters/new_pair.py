# SPDX-License-Identifier: Apache-2.0
"""New key pairs, for stores that let us choose both halves.

In the form of S3's own keys, so that every hop accepts it: an id of 20 uppercase letters and
digits, a secret of 40 letters and digits (200 bits or more; never read as something else by a YAML
file, a shell or a URL).
"""

from __future__ import annotations

import secrets
import string

from lokeys.core.sensitive import KeyPair, Sensitive

_ID_SIGNS = string.ascii_uppercase + string.digits
_SECRET_SIGNS = string.ascii_letters + string.digits


def new_pair() -> KeyPair:
    """Return a new pair that exists only here. An id starts with a letter: not a YAML number."""
    first = secrets.choice(string.ascii_uppercase)
    return KeyPair(
        access_key_id=Sensitive(first + "".join(secrets.choice(_ID_SIGNS) for _ in range(19))),
        secret_access_key=Sensitive("".join(secrets.choice(_SECRET_SIGNS) for _ in range(40))),
    )
