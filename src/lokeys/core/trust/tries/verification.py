# SPDX-License-Identifier: Apache-2.0
"""One service account's path to the bucket, tested link by link, and what that means for a stack.

    secret ─▶ token ─▶ issuer ─▶ audience ─▶ subject ─▶ trust ─▶ identity ─▶ store
    complete  the API  what the token says, compared     the     the         put, get, list
              server   with what the trust requires   exchange   result      and delete

A test ends at the first broken link; later links are not tested. What could not be tested, because
a permission or an answer was missing, is not a failure of the link. A static key has no token: its
path is secret ─▶ store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, Untried


class LinkName(StrEnum):
    """The links, in order."""

    SECRET = "secret"
    TOKEN = "token"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    SUBJECT = "subject"
    TRUST = "trust"
    IDENTITY = "identity"
    STORE = "store"


def in_order(links: Sequence[Link], *, expected: Sequence[LinkName]) -> tuple[Link, ...]:
    """Return the links in order, those that were not reached as not tested.

    The last result for a link counts: a provider that refuses a token for its audience breaks that
    link, whatever was derived before. No link after a break is verified.
    """
    known = {link.name: link for link in links}
    ordered: list[Link] = []
    for name in expected:
        over = any(link.ok is False or link.untried is not None for link in ordered)
        link = known.get(name)
        ordered.append(Link(name=name, ok=None) if over or link is None else link)
    return tuple(ordered)


_OWN = frozenset({LinkName.SECRET, LinkName.TOKEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of one test with one service account (`account` is its name alone)."""

    account: str
    links: tuple[Link, ...]

    @property
    def reported(self) -> tuple[Link, ...]:
        """Return the links, each with the account whose token was used."""
        return tuple(replace(link, account=self.account) for link in self.links)

    @property
    def verified(self) -> bool | None:
        """Tell whether every link works; None if that could not be tested."""
        if self.first_broken is not None:
            return False
        store = [link for link in self.links if link.name is LinkName.STORE]
        return True if store and all(link.ok is True for link in store) else None

    @property
    def first_broken(self) -> Link | None:
        """Return the broken link, if there is one."""
        return next((link for link in self.links if link.ok is False), None)

    @property
    def first_untried(self) -> Link | None:
        """Return the first link that should have been tested and could not be."""
        return next((link for link in self.links if link.untried is not None), None)

    @property
    def left_open(self) -> bool:
        """Tell whether a link was not tested but may be: another test may give a result."""
        link = self.first_untried
        return link is not None and link.untried is Untried.NOT_TRIED

    @property
    def refused(self) -> bool:
        """Tell whether the provider or the store itself refused. No answer is not a refusal."""
        first = self.first_broken
        return first is not None and first.name not in _OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionWords:
    """The text of the condition CredentialsVerified; equal texts are not a change."""

    status: str  # True, False or Unknown
    reason: str
    message: str = ""


def condition_words(
    verifications: Sequence[Verification], *, previous: ConditionWords | None = None
) -> ConditionWords:
    """Return the text of CredentialsVerified after a test with each account.

    Without any test, as after a restart, the previous text stays. A broken account takes precedence
    over one that could not be tested, and that one over a verified one.
    """
    if not verifications:
        return previous or ConditionWords(status="Unknown", reason=Untried.NOT_TRIED.value)
    for verification in verifications:
        first = verification.first_broken
        if first is not None:
            return ConditionWords(
                status="False", reason=_reason(first), message=_message(verification, first)
            )
    for verification in verifications:
        if verification.verified is None:
            return _untried(verification)
    accounts = ", ".join(verification.account for verification in verifications)
    return ConditionWords(status="True", reason="Verified", message=f"verified for {accounts}")


def _reason(link: Link) -> str:
    """Return the cause in CamelCase, as in conditions, or the link's name."""
    words = link.cause.split("_") if link.cause else [link.name, "broken"]
    return "".join(word.capitalize() for word in words)


def _untried(verification: Verification) -> ConditionWords:
    link = verification.first_untried
    if link is None or link.untried is None:
        message = f"{verification.account}: not tried to its end"
        return ConditionWords(status="Unknown", reason=Untried.NOT_TRIED.value, message=message)
    return ConditionWords(
        status="Unknown", reason=link.untried.value, message=_message(verification, link)
    )


def _message(verification: Verification, link: Link) -> str:
    doubt = "" if link.confidence is Confidence.CERTAIN else f" ({link.confidence.value})"
    what = link.detail or link.cause or "broken"
    return f"{verification.account}: {link.name}: {what}{doubt}"
