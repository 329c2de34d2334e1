# SPDX-License-Identifier: Apache-2.0
"""One link of a chain that is tried: it holds, it breaks the way, or it could not be tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lokeys.core.findings.finding import Confidence


class Untried(StrEnum):
    """Why a link was not tried, spelled as a condition's reason."""

    NOT_PERMITTED = "NotPermitted"
    NOT_TRIED = "NotTried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: of a token's way (`LinkName`), or a hop or a call of a route that is probed.

    `ok` None: not tried, or nothing can be said of it; `untried` tells why. `account` is whose
    token it was, where several are reported.

    `cause` is one of `lokeys.core.findings.causes`, and `confidence` says how sure it is: a store
    that hides its reason leaves several, and `evidence` then lists what would tell them apart. None
    of the texts holds a secret.
    """

    name: str
    ok: bool | None
    detail: str = ""
    cause: str | None = None
    confidence: Confidence = Confidence.CERTAIN
    evidence: tuple[str, ...] = ()
    untried: Untried | None = None
    account: str = ""

    @property
    def said(self) -> str:
        """Return the words for a report."""
        return self.detail or ("" if self.ok else "not tried")

    @property
    def blamed(self) -> str | None:
        """Return the cause for a report; None if the link could not be tried from here."""
        return None if self.untried else self.cause


def held(name: str, detail: str = "") -> Link:
    """Return a link that was tried and holds."""
    return Link(name=name, ok=True, detail=detail)


def broken(
    name: str,
    cause: str | None,
    detail: str,
    *,
    confidence: Confidence = Confidence.CERTAIN,
    evidence: Sequence[str] = (),
) -> Link:
    """Return a link that was tried and breaks the way."""
    return Link(
        name=name,
        ok=False,
        detail=detail,
        cause=cause,
        confidence=confidence,
        evidence=tuple(evidence),
    )


def untried(
    name: str,
    detail: str,
    *,
    cause: str | None = None,
    why: Untried = Untried.NOT_TRIED,
    evidence: Sequence[str] = (),
) -> Link:
    """Return a link that was meant to be tried and could not be; a cause is only possible."""
    return Link(
        name=name,
        ok=None,
        detail=detail,
        cause=cause,
        confidence=Confidence.POSSIBLE if cause else Confidence.CERTAIN,
        evidence=tuple(evidence),
        untried=why,
    )
