# SPDX-License-Identifier: Apache-2.0
"""Which names stand for secrets, and which values are plain enough to stay in a bundle."""

from __future__ import annotations

import re
from itertools import pairwise

_PLAIN = re.compile(r"[^a-z0-9]")
_SECRET_ENDS = (
    *("password", "passwd", "passphrase", "pwd", "secretkey", "secretaccesskey"),
    *("accesskeysecret", "accesskey", "accesskeyid", "token", "accountkey", "storagekey"),
    *("apikey", "privatekey", "privatekeyid", "clientsecret", "connectionstring"),
    *("authorization", "credential", "credentials", "sharedkey", "encryptionkey", "htpasswd"),
    *("keyjson", "sessiontoken", "bearertoken", "sastoken", "username", "cookie", "signature"),
)
_SECRET_NAMES = frozenset({"secret", "pass", "accesssecret", "appsecret", "usersecret", "auth"})
_PLAIN_WORDS = (
    *("bucket", "endpoint", "region", "host", "container", "environment", "accountname"),
    *("audience", "rolearn", "pathstyle", "ssetype", "insecure", "clientid", "tenantid"),
    *("subscriptionid", "port", "authurl", "domainname", "domainid", "projectname"),
    *("projectid", "suffix", "url", "backend", "storagetype"),
)
_ADDRESS = re.compile(r"(?:https?://)?[A-Za-z0-9][A-Za-z0-9._-]{0,252}(?::[0-9]{1,5})?/?", re.ASCII)
_ROLE = re.compile(r"arn:[a-z-]{1,20}:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,200}", re.ASCII)
_WORDS = re.compile(r"[a-z0-9][a-z0-9.,-]{2,500}", re.ASCII)
_RANDOM_HEX = re.compile(r"[0-9a-fA-F]{24,}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RANDOM = re.compile(r"[A-Za-z0-9+/=_-]{20,512}")
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}")
_FILLED_IN_LATER = ("${", "$(", "{{")


def plain_name(name: str) -> str:
    """Return a name's letters and digits in lowercase, as spellings differ only in the rest."""
    return _PLAIN.sub("", name.lower())


def is_secret_name(name: str) -> bool:
    """Tell whether the value with this name is a secret."""
    plain = plain_name(name)
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS)


def is_filled_in(value: str) -> bool:
    """Tell whether a value names where the secret comes from, and is not one itself."""
    return value.startswith(_FILLED_IN_LATER) or _VARIABLE_NAME.fullmatch(value) is not None


def is_plain(name: str, value: str) -> bool:
    """Tell whether a Secret's value only says where things are, as its name promises."""
    plain = plain_name(name)
    if is_secret_name(name) or not any(word in plain for word in _PLAIN_WORDS):
        return False
    body = value.strip()
    if _GUID.fullmatch(body):
        return True
    if looks_random(body) or _RANDOM_HEX.search(body):
        return False
    plain_forms = (_ADDRESS.fullmatch(body), _ROLE.fullmatch(body), _WORDS.fullmatch(body))
    return not body or any(plain_forms)


def looks_random(value: str) -> bool:
    """Tell whether a text is probably a secret: long, with uppercase, lowercase and digits."""
    if _RANDOM.fullmatch(value) is None or is_filled_in(value):
        return False
    kinds = (
        any(map(str.isupper, value)),
        any(map(str.islower, value)),
        any(map(str.isdigit, value)),
    )
    return all(kinds) and _changes(value) >= len(value) // 3


def _changes(value: str) -> int:
    """Return how often letter case and digits alternate: words have long runs of one."""
    kinds = [
        "digit" if each.isdigit() else "capital" if each.isupper() else "small" for each in value
    ]
    return sum(one != other for one, other in pairwise(kinds))
