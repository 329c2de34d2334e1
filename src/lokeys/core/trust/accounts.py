# SPDX-License-Identifier: Apache-2.0
"""Who must be trusted: a stack's two service accounts, by the tokens that their cluster issues.

token: iss  https://issuer        the cluster
       sub  system:serviceaccount:NAMESPACE:STACK            all of Loki except the ruler
            system:serviceaccount:NAMESPACE:STACK-ruler      the ruler
       aud  what the store's cloud requires
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lokeys.core.place import Ref

INSIDE = (".svc", ".svc.cluster.local", ".local", ".internal", "localhost")
"""Endings of host names that a cloud cannot resolve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClaims:
    """What a service account's token says about itself."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]


class NoToken(ValueError):
    """A text that is not a token; the message shows nothing of it."""


def claims_of(token: str) -> AccountClaims:
    """Return what a token says; nothing is verified. Raises NoToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise NoToken("no token: it has not three parts")
    try:
        body = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (Base64Error, ValueError):
        raise NoToken("no token: its middle part is no JSON") from None
    match body:
        case {"iss": str(issuer), "sub": str(subject), "aud": str(audience)}:
            return AccountClaims(issuer=issuer, subject=subject, audiences=(audience,))
        case {"iss": str(issuer), "sub": str(subject), "aud": list(audiences)}:
            return AccountClaims(
                issuer=issuer, subject=subject, audiences=tuple(map(str, audiences))
            )
    raise NoToken("no token of a service account: iss, sub or aud is missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack, as its cluster's tokens name it.

    `secret` is the storage Secret to create; `replaces` the one with static keys that the stack
    still names; `present` tells whether a Secret of that name exists; `rules` whether a ruler runs,
    or may: a stack without rules has none, and nothing uses its account.
    """

    namespace: str
    name: str
    issuer: str
    audience: str
    secret: str
    replaces: str = ""
    present: bool = False
    rules: bool = True

    @property
    def ref(self) -> Ref:
        """Return the LokiStack."""
        return Ref("LokiStack", self.name, self.namespace)

    @property
    def route(self) -> str:
        """Return `namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def subjects(self) -> tuple[str, str]:
        """Return both subjects: the stack's and its ruler's."""
        return (self.subject(self.name), self.subject(f"{self.name}-ruler"))

    def is_idle(self, subjects: Iterable[str]) -> bool:
        """Tell whether these are accounts that nothing uses, as long as the stack has no rules."""
        return not self.rules and set(subjects) == {self.subjects[1]}

    @property
    def default_subject(self) -> str:
        """Return the default account's subject; under the Loki Operator, often the ruler's."""
        return self.subject("default")

    def subject(self, account: str) -> str:
        """Return the subject of an account in the stack's namespace."""
        return f"system:serviceaccount:{self.namespace}:{account}"

    def claims(self, subject: str) -> AccountClaims:
        """Return the claims of a token of `subject` for this stack's store."""
        return AccountClaims(issuer=self.issuer, subject=subject, audiences=(self.audience,))

    @property
    def strangers(self) -> Mapping[str, str]:
        """Return subjects that no document for this stack may admit, and what each stands for."""
        begin = "accounts whose names begin as the stack's"
        alike = "accounts in namespaces whose names begin as the stack's"
        return {
            self.subject("lokeys-stranger"): "any account of the namespace",
            self.subject(f"{self.name}x"): begin,
            self.subject(f"{self.name}-lokeys-stranger"): begin,
            self.subject(f"{self.name}-rulerx"): begin,
            f"system:serviceaccount:lokeys-stranger:{self.name}": "accounts in any namespace",
            f"system:serviceaccount:{self.namespace}x:{self.name}": alike,
            f"system:serviceaccount:{self.namespace}-lokeys-stranger:{self.name}-ruler": alike,
        }

    def let_in(self, passes: Callable[[AccountClaims], bool]) -> str:
        """Return, in words, which of these subjects pass; empty if none does."""
        found = [words for each, words in self.strangers.items() if passes(self.claims(each))]
        return " and ".join(dict.fromkeys(found))


def without_scheme(issuer: str) -> str:
    """Return an issuer as AWS and Ceph name it: host, port and path."""
    return issuer.partition("://")[2] or issuer


def only_inside(issuer: str) -> bool:
    """Tell whether only the cluster itself can resolve the issuer's host."""
    host = without_scheme(issuer).partition("/")[0].partition(":")[0]
    return any(host.endswith(ending) for ending in INSIDE) or "." not in host
