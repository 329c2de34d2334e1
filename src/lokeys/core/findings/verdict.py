# SPDX-License-Identifier: Apache-2.0
"""What a store made of a key: its answer, how the key was tried, and whether it may be spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Answer(StrEnum):
    """What the store made of a key. Only ACCEPTED lets a key travel."""

    ACCEPTED = "accepted"
    UNKNOWN_KEY = "the key id is unknown"
    WRONG_SECRET = "the secret does not belong to the key id"
    SUSPENDED = "the user is suspended"
    NOT_VALID = "refused without saying why"  # RGW with STS first: unknown id or wrong secret
    DENIED = "the key is known, the action is not allowed"
    NO_BUCKET = "the bucket does not exist"
    FULL = "the store has no room"
    CLOCK_SKEW = "the clocks differ too much"
    WRONG_REGION = "the region is not the bucket's"
    NOT_S3 = "the answer is not S3's"
    UNREACHABLE = "no answer"
    TLS_UNKNOWN_AUTHORITY = "the certificate's authority is not trusted"
    TLS_NAME_MISMATCH = "the certificate is for another name"
    TLS_SCHEME_MISMATCH = "http spoken to a TLS port, or https to a plain one"
    UNSPECIFIC = "an error that says nothing about the key"


REFUSED = frozenset({Answer.UNKNOWN_KEY, Answer.WRONG_SECRET, Answer.NOT_VALID, Answer.SUSPENDED})
"""The key itself does not work: a pod that has it cannot write."""


WORKS = frozenset({Answer.ACCEPTED, Answer.NO_BUCKET, Answer.DENIED, Answer.FULL})
"""The key is one that the store knows, whatever else is wrong."""


class Depth(StrEnum):
    """How a key was tried: one signed list, or put, get, list and delete of one object."""

    LIST = "list"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreVerdict:
    """The store's answer to one key."""

    answer: Answer
    depth: Depth
    at: datetime
    detail: str = ""
    action: str = ""  # the call that was refused: put, get, list or delete
    cause: str = ""  # where the store's words name it more closely than `answer` does

    @property
    def accepted(self) -> bool:
        """Tell whether the key did all that was tried."""
        return self.answer is Answer.ACCEPTED

    @property
    def refused(self) -> bool:
        """Tell whether the store refused the key itself."""
        return self.answer in REFUSED

    @property
    def trusted(self) -> bool:
        """Tell whether the key may be spread: all four calls passed."""
        return self.accepted and self.depth is Depth.FULL


def of_all(verdicts: Mapping[str, StoreVerdict]) -> StoreVerdict:
    """Return the first verdict that lets no key travel, with its address; else any of them."""
    bad = next(((a, v) for a, v in sorted(verdicts.items()) if not v.trusted), None)
    if bad is None:
        return next(iter(verdicts.values()))
    address, verdict = bad
    return replace(verdict, detail=f"at {address}: {verdict.detail}") if address else verdict
