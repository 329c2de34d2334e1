# SPDX-License-Identifier: Apache-2.0
"""One service account's way to the bucket, tried link by link, and what that means for a stack.

    secret ─▶ token ─▶ issuer ─▶ audience ─▶ subject ─▶ trust ─▶ identity ─▶ store
    is there  the API  what the token says, against     the      who one     put, get, list
    and whole server   what the trust asks (worked out) exchange is then     and delete

A try ends at the first link that breaks; those behind it were not tried. What could not be tried,
for lack of a right or of an answer, is no failure of the link. A static key has no token: its way
is secret ─▶ store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, Untried


class LinkName(StrEnum):
    """The links of the way, in its order."""

    SECRET = "secret"
    TOKEN = "token"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    SUBJECT = "subject"
    TRUST = "trust"
    IDENTITY = "identity"
    STORE = "store"


def in_order(links: Sequence[Link], *, expected: Sequence[LinkName]) -> tuple[Link, ...]:
    """Return the links of a way in its order, those not reached as not tried.

    The last word about a link counts: a provider that refuses a token for its audience breaks
    that link, whatever was worked out before; and nothing behind a break holds.
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
    """What became of one try with one service account (`account` is its name alone)."""

    account: str
    links: tuple[Link, ...]

    @property
    def reported(self) -> tuple[Link, ...]:
        """Return the links, each with the account whose token it was."""
        return tuple(replace(link, account=self.account) for link in self.links)

    @property
    def verified(self) -> bool | None:
        """Tell whether the way is whole to its end; None where that could not be tried."""
        if self.first_broken is not None:
            return False
        store = [link for link in self.links if link.name is LinkName.STORE]
        return True if store and all(link.ok is True for link in store) else None

    @property
    def first_broken(self) -> Link | None:
        """Return the link that breaks the way, if one does."""
        return next((link for link in self.links if link.ok is False), None)

    @property
    def first_untried(self) -> Link | None:
        """Return the first link that was meant to be tried and could not be."""
        return next((link for link in self.links if link.untried is not None), None)

    @property
    def left_open(self) -> bool:
        """Tell whether a link was not tried though it may be: another try may tell."""
        link = self.first_untried
        return link is not None and link.untried is Untried.NOT_TRIED

    @property
    def refused(self) -> bool:
        """Tell whether the provider or the store itself said no. Its silence is not a no."""
        first = self.first_broken
        return first is not None and first.name not in _OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionWords:
    """What the condition CredentialsVerified says; equal words are no change."""

    status: str  # True, False or Unknown
    reason: str
    message: str = ""


def condition_words(
    verifications: Sequence[Verification], *, previous: ConditionWords | None = None
) -> ConditionWords:
    """Return what CredentialsVerified says after a try with each account.

    Without any try, as after a restart, what was said before still stands. A broken account wins
    over one that could not be tried, and that over one that is verified.
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
    """Return the cause in CamelCase, as conditions spell it, or the link's name."""
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
