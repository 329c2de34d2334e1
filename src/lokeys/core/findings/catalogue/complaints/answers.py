# SPDX-License-Identifier: Apache-2.0
"""What stores and their clients say in a log, where a try of lokeys has a rule for the same."""

from __future__ import annotations

from lokeys.core.findings.catalogue import store as rules
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.complaint import Complaint, OfKey, Voice

ROWS: tuple[Complaint, ...] = (
    Complaint(
        rule=rules.TOKEN_EXCHANGE_DENIED,
        phrases=(
            "not authorized to perform sts:assumerole",
            "not authorized to perform: sts:assumerole",
        ),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.NO_CREDENTIALS,
        phrases=("nocredentialproviders", "no valid providers in chain", "no ec2 imds role found"),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.ACCESS_KEY_UNKNOWN,
        phrases=("invalidaccesskeyid", "access key id you provided does not exist"),
        of_key=OfKey.REFUSED,
    ),
    Complaint(
        rule=rules.SECRET_KEY_MISMATCH,
        phrases=("signaturedoesnotmatch", "request signature we calculated does not"),
        of_key=OfKey.REFUSED,
    ),
    Complaint(rule=USER_SUSPENDED, phrases=("usersuspended",), of_key=OfKey.REFUSED),
    Complaint(
        rule=rules.CLOCK_SKEW,
        phrases=("requesttimetooskewed", "difference between the request time and the"),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.SESSION_TOKEN_EXPIRED,
        phrases=(
            "expiredtoken",
            "provided token has expired",
            "token included in the request is expired",
        ),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.BUCKET_NOT_FOUND,
        phrases=("nosuchbucket", "specified bucket does not exist"),
    ),
    Complaint(
        rule=rules.WRONG_REGION,
        phrases=(
            "authorizationheadermalformed",
            "permanentredirect",
            "must be addressed using the specified endpoint",
            "' is wrong; expecting '",
        ),
    ),
    Complaint(
        rule=rules.OBJECT_STORE_FULL,
        phrases=("quotaexceeded", "storagefull", "insufficientstorage"),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(rule=rules.ACCESS_DENIED, phrases=("accessdenied",), of_key=OfKey.MAYBE),
    Complaint(
        rule=rules.ACCESS_DENIED,
        phrases=("access denied",),
        said_by=Voice.NETWORK,
        of_key=OfKey.MAYBE,
    ),
    Complaint(
        rule=rules.TLS_SCHEME_MISMATCH,
        phrases=(
            "first record does not look like a tls handshake",
            "http response to https client",
            "http request to an https server",
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.TLS_UNKNOWN_AUTHORITY,
        phrases=("signed by unknown authority",),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.TLS_NAME_MISMATCH,
        phrases=(
            "certificate is valid for",
            "certificate is not valid for",
            "cannot validate certificate for",
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.NOT_S3_API,
        phrases=("> but have <html>",),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.ENDPOINT_UNREACHABLE,
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
