# SPDX-License-Identifier: Apache-2.0
"""What a Loki can complain of in its log, one row for each complaint.

A row has the words that Loki prints, the rule that tells them, who said them, and what they say of
the pod's key. What reads the log, what it means for a pod's key and which finding comes of it are
all taken from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from lokeys.core.findings.catalogue import store
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.finding import Rule


class Voice(StrEnum):
    """Who said it, as Loki repeats it."""

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
    """One row. `phrases` are in small letters; one that is found is enough."""

    rule: Rule
    phrases: tuple[str, ...]
    said_by: Voice = Voice.STORE
    of_key: OfKey = OfKey.NOTHING

    @property
    def cause(self) -> str:
        """Return the cause that the complaint stands for."""
        return str(self.rule.cause)


COMPLAINTS: tuple[Complaint, ...] = (
    Complaint(
        rule=store.TOKEN_EXCHANGE_DENIED,
        phrases=(
            "not authorized to perform sts:assumerole",
            "not authorized to perform: sts:assumerole",
        ),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=store.NO_CREDENTIALS,
        phrases=("nocredentialproviders", "no valid providers in chain", "no ec2 imds role found"),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=store.ACCESS_KEY_UNKNOWN,
        phrases=("invalidaccesskeyid", "access key id you provided does not exist"),
        of_key=OfKey.REFUSED,
    ),
    Complaint(
        rule=store.SECRET_KEY_MISMATCH,
        phrases=("signaturedoesnotmatch", "request signature we calculated does not"),
        of_key=OfKey.REFUSED,
    ),
    Complaint(rule=USER_SUSPENDED, phrases=("usersuspended",), of_key=OfKey.REFUSED),
    Complaint(
        rule=store.CLOCK_SKEW,
        phrases=("requesttimetooskewed", "difference between the request time and the"),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=store.SESSION_TOKEN_EXPIRED,
        phrases=(
            "expiredtoken",
            "provided token has expired",
            "token included in the request is expired",
        ),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=store.BUCKET_NOT_FOUND,
        phrases=("nosuchbucket", "specified bucket does not exist"),
    ),
    Complaint(
        rule=store.WRONG_REGION,
        phrases=(
            "authorizationheadermalformed",
            "permanentredirect",
            "must be addressed using the specified endpoint",
            "' is wrong; expecting '",
        ),
    ),
    Complaint(
        rule=store.OBJECT_STORE_FULL,
        phrases=("quotaexceeded", "storagefull", "insufficientstorage"),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(rule=store.ACCESS_DENIED, phrases=("accessdenied",), of_key=OfKey.MAYBE),
    Complaint(
        rule=store.ACCESS_DENIED,
        phrases=("access denied",),
        said_by=Voice.NETWORK,
        of_key=OfKey.MAYBE,
    ),
    Complaint(
        rule=store.TLS_SCHEME_MISMATCH,
        phrases=(
            "first record does not look like a tls handshake",
            "http response to https client",
            "http request to an https server",
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=store.TLS_UNKNOWN_AUTHORITY,
        phrases=("signed by unknown authority",),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=store.TLS_NAME_MISMATCH,
        phrases=(
            "certificate is valid for",
            "certificate is not valid for",
            "cannot validate certificate for",
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=store.NOT_S3_API,
        phrases=("> but have <html>",),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=store.ENDPOINT_UNREACHABLE,
        phrases=(
            "connection refused",
            "connection reset",
            "no such host",
            "no route to host",
            "network is unreachable",
            "server misbehaving",
            "i/o timeout",
            "tls handshake timeout",
            "context deadline exceeded",
        ),
        said_by=Voice.NETWORK,
    ),
)
"""In the order in which a line is compared with them: what says more comes first."""

RULE_OF_CAUSE: Mapping[str, Rule] = MappingProxyType({each.cause: each.rule for each in COMPLAINTS})


def causes_that(*says: OfKey) -> frozenset[str]:
    """Return the causes of the complaints that say one of these things of the key."""
    return frozenset(each.cause for each in COMPLAINTS if each.of_key in says)
