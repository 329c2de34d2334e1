# SPDX-License-Identifier: Apache-2.0
"""What one complaint of a log is: the words, who said them, and what they say of the key.

The rows themselves are in `catalogue/complaints/`, a module for each family of causes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lokeys.core.findings.finding import Confidence, Remedy, Rule


class Voice(StrEnum):
    """Who said it, as the program repeats it."""

    STORE = "store"  # or the S3 client: nobody else has these words
    PROVIDER = "provider"  # who hands out credentials: the client's own chain, or an STS
    NETWORK = "network"  # anything that dials: counts only beside words of storage


class OfKey(StrEnum):
    """What a complaint says of the key that the pod runs with."""

    REFUSED = "refused"
    MAYBE = "may be refused"  # a missing right; an RGW that asks STS first says it of dead keys too
    NOT_USED = "not at fault, and requests are refused all the same"  # they count as 403 too
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One row. Texts are in lowercase.

    One of `phrases` must be in what was said; of `beside`, if there are any, one more in the whole
    line; of `never_beside`, none; `shape`, if there is one, is found in what was said.
    `alternatives` are other causes that have the same words, `apart` is what tells them apart.
    Complaints of the causes in `explains` are only effects of this one.
    """

    rule: Rule
    phrases: tuple[str, ...]
    said_by: Voice = Voice.STORE
    of_key: OfKey = OfKey.NOTHING
    beside: tuple[str, ...] = ()
    never_beside: tuple[str, ...] = ()
    shape: re.Pattern[str] | None = None
    confidence: Confidence = Confidence.LIKELY
    alternatives: tuple[str, ...] = ()
    apart: tuple[Remedy, ...] = ()
    explains: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """Return the cause that the complaint stands for."""
        return str(self.rule.cause)

    def is_in(self, said: str, around: str) -> bool:
        """Tell whether a line complains of this: `said` is its error, `around` all of its words."""
        return (
            any(phrase in said for phrase in self.phrases)
            and (not self.beside or any(word in around for word in self.beside))
            and not any(word in around for word in self.never_beside)
            and (self.shape is None or self.shape.search(said) is not None)
        )
