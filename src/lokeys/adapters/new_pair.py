# SPDX-License-Identifier: Apache-2.0
"""New key pairs, for stores that let us choose both halves.

In the form that S3's own keys have, so that no hop on the way minds it: an id of 20 capital letters
and digits, a secret of 40 letters and digits (200 bits and more; none that a YAML file, a shell or
a URL would read as something else).
"""

from __future__ import annotations

import secrets
import string

from lokeys.core.sensitive import KeyPair, Sensitive

_ID_SIGNS = string.ascii_uppercase + string.digits
_SECRET_SIGNS = string.ascii_letters + string.digits


def new_pair() -> KeyPair:
    """Return a pair that nobody has heard of. An id begins with a letter: no YAML number."""
    first = secrets.choice(string.ascii_uppercase)
    return KeyPair(
        access_key_id=Sensitive(first + "".join(secrets.choice(_ID_SIGNS) for _ in range(19))),
        secret_access_key=Sensitive("".join(secrets.choice(_SECRET_SIGNS) for _ in range(40))),
    )
