# SPDX-License-Identifier: Apache-2.0
"""Storage complaints in a Loki's log. The lines with hosts and stamps are a real Loki's."""

import json
from datetime import UTC, datetime

import pytest

from logs.shapes import cases
from lokeys.core.findings.catalogue.complaints import COMPLAINTS
from lokeys.core.findings.doctor.layouts import MAX_LINE
from lokeys.core.route.loki_log import complaints
from lokeys.core.route.snapshot import LogLine

CURRENT = "failed to flush chunks: store put chunk: upload s3 object: {}"
OLDER = "failed to flush chunks: store put chunk: {}"
OLDER_NOW = "failed to flush chunks: store put chunk: operation error S3: PutObject, api error {}"
STREAM = ', num_chunks: 1, labels: {app=\\"demo\\"}'


def cause_of_line(line: str) -> str | None:
    """Return the cause that one line alone complains of."""
    found = complaints([line])
    return found[0].cause if found else None


def logfmt(err: str, *, level: str = "error", msg: str = "failed to flush") -> str:
    head = f"level={level} ts=2026-11-22T02:56:05.537305929Z caller=flush.go:356"
    quoted = err.replace('"', '\\"')
    return f'{head} component=ingester msg="{msg}" retries=0 err="{quoted}{STREAM}"'


def as_json(err: str) -> str:
    fields = {"level": "error", "ts": "2026-11-22T02:56:05Z", "msg": "failed to flush", "err": err}
    return json.dumps(fields)


NOT_IN_RECORDS = "does not exist in our records."
SAID = {
    "access_key_unknown": (
        f"The AWS Access Key Id you provided {NOT_IN_RECORDS}",
        f"The access key ID you provided {NOT_IN_RECORDS}",
        f"InvalidAccessKeyId: The AWS Access Key Id you provided {NOT_IN_RECORDS}\n\tstatus: 403",
        "InvalidAccessKeyId: \n\tstatus code: 403, request id: tx01, host id: default",
    ),
    "secret_key_mismatch": (
        "The request signature we calculated does not match the signature you provided.",
        "SignatureDoesNotMatch: \n\tstatus code: 403",
    ),
    "s3_access_denied_policy": (
        "Access Denied.",
        "AccessDenied: Access Denied\n\tstatus code: 403",
    ),
    "bucket_not_found": (
        "The specified bucket does not exist",
        "NoSuchBucket: \n\tstatus code: 404",
    ),
    "user_suspended": ("UserSuspended: \n\tstatus code: 403",),
    "clock_skew": (
        "RequestTimeTooSkewed: ",
        "The difference between the request time and the current time is too large.",
    ),
    "endpoint_unreachable": (
        'Put "http://10.0.0.1:80/l/f": dial tcp 10.0.0.1:80: connect: connection refused',
        'Put "http://s3.storage/l/f": dial tcp: lookup s3.storage: no such host',
        'Put "http://s3.storage/l/f": context deadline exceeded',
    ),
    "tls_scheme_mismatch": (
        'Put "https://s3/l/f": tls: first record does not look like a TLS handshake',
        'Put "https://s3/l/f": http: server gave HTTP response to HTTPS client',
    ),
    "tls_unknown_authority": (
        'Put "https://s3/l/f": x509: certificate signed by unknown authority',
    ),
    "tls_name_mismatch": ('Put "https://s3/l/f": x509: certificate is valid for a, not s3',),
    "object_store_full": ("QuotaExceeded: \n\tstatus code: 403",),
    "no_credentials_in_chain": (
        "NoCredentialProviders: no valid providers in chain",
        "get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
    ),
    "session_token_expired": (
        "ExpiredToken: The provided token has expired.\n\tstatus code: 400",
        "The security token included in the request is expired",
    ),
    "wrong_region": (
        "AuthorizationHeaderMalformed: the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        "PermanentRedirect: The bucket must be addressed using the specified endpoint.",
    ),
    "endpoint_not_s3_api": ("expected element type <Error> but have <html>",),
    "sts_trust_policy_denied": (
        "WebIdentityErr: x\n\tcaused by: AccessDenied: Not authorized to perform sts:AssumeRole",
    ),
}


def test_every_complaint_has_lines_here() -> None:
    """A row of the table without a line of a Loki is a guess."""
    told = {case.cause for case in cases()}
    assert SAID.keys() | told >= {each.cause for each in COMPLAINTS}
    assert told <= {each.cause for each in COMPLAINTS}


@pytest.mark.parametrize(
    ("said", "cause"), [(said, cause) for cause, lines in SAID.items() for said in lines]
)
@pytest.mark.parametrize(
    "around",
    [CURRENT, OLDER, OLDER_NOW],
    ids=["current client", "older client", "older client of today"],
)
@pytest.mark.parametrize("spell", [logfmt, as_json], ids=["logfmt", "JSON"])
def test_each_complaint_has_its_cause(spell: object, around: str, said: str, cause: str) -> None:
    """With and without the code, from both clients, in both formats."""
    assert callable(spell)
    assert cause_of_line(spell(around.format(said))) == cause


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            'level=info ts=2026-11-22T02:55:11Z caller=reporter.go:205 msg="failed to read cluster '
            'seed file" err="The specified key does not exist."',
            id="no cluster seed yet",
        ),
        pytest.param(
            "level=error ts=2026-11-22T02:57:13Z caller=scheduler_processor.go:111 "
            'component=querier msg="error processing requests from scheduler" '
            'err="rpc error: code = Canceled desc = context canceled" addr=127.0.0.1:9199',
            id="a start's cancelled request",
        ),
        pytest.param(
            'level=error caller=ring.go:1 msg="error getting ring" err="empty ring"',
            id="an empty ring",
        ),
        pytest.param(
            'level=info msg="RulerStorage is nil.  Not starting the ruler."', id="no ruler storage"
        ),
        pytest.param(
            'level=warn msg="failed to upload a query" err="rpc error: code = Unavailable desc = '
            'connection error: dial tcp 10.0.0.2:9095: connect: connection refused"',
            id="trouble between Lokis",
        ),
        pytest.param(
            'level=warn msg="memberlist join" err="dial tcp 10.0.0.2:7946: connection refused"',
            id="trouble with memberlist",
        ),
        pytest.param(
            'level=info component=engine msg="executing query" '
            'query="{app=\\"x\\"} |= \\"InvalidAccessKeyId\\""',
            id="somebody looks for the very error",
        ),
        pytest.param(
            "level=info ts=2026-11-22T02:57:13Z caller=metrics.go:237 org_id=fake "
            'latency=fast query="{app=\\"x\\"} |= \\"InvalidAccessKeyId\\"" query_hash=7',
            id="the statistics of a query for the very error",
        ),
        pytest.param(
            'level=error msg="query failed" query="SignatureDoesNotMatch" err="parse error"',
            id="a query that fails for another reason",
        ),
        pytest.param(
            'level=error msg="failed to flush" err="failed to flush chunks: out of order, '
            'num_chunks: 1, labels: {error=\\"AccessDenied\\"}"',
            id="a stream whose label reads like an error",
        ),
        pytest.param("", id="nothing"),
        pytest.param('{"level": "error", "err": "Invalid', id="half a line of JSON"),
        pytest.param("[" * 20_000, id="a line without end"),
        pytest.param('{"err": 5, "msg": null}', id="JSON of other types"),
    ],
)
def test_what_is_no_complaint(line: str) -> None:
    """Starts, neighbours and people's own words are not about storage."""
    assert cause_of_line(line) is None


def test_a_line_that_is_no_record_is_judged_whole() -> None:
    """What a Loki prints before it has a logger counts too."""
    said = 'init: bucket: Get "https://s3/b": x509: certificate signed by unknown authority'
    assert cause_of_line(said) == "tls_unknown_authority"


HOSTILE = {
    "one word without end": "a" * MAX_LINE,
    "names of fields without end": "a." * MAX_LINE,
    "quotes that never end": 'a="' * MAX_LINE,
    "escapes without end": 'err="' + "\\" * MAX_LINE,
    "brackets without end": "{" + "[" * MAX_LINE,
    "a number without end": '{"err": ' + "9" * MAX_LINE,
    "almost a region": "the region '" * MAX_LINE,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(30)
def test_a_hostile_line_costs_no_time(line: str) -> None:
    """As many such lines as are ever read at once (a megabyte) are read in moments."""
    assert complaints([line] * 64) == ()


def test_what_stands_behind_the_bound_does_not_count() -> None:
    """A line is cut before it is compared with anything."""
    assert cause_of_line("x" * MAX_LINE + " InvalidAccessKeyId") is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_a_time_outside_of_all_calendars_is_no_time(moment: str) -> None:
    """The complaint counts, whatever its line says of the time."""
    (found,) = complaints([f"ts={moment} level=error err=InvalidAccessKeyId"])
    assert (found.count, found.first_at) == (1, None)


def test_complaints_are_counted_with_their_times() -> None:
    """Of each cause: how often, from when to when; the most frequent first."""
    lines = [
        'ts=2026-11-22T00:00:00Z level=info msg="flushing stream"',
        'ts=2026-11-22T01:00:00Z level=error msg=x err="NoSuchBucket"',
        'ts=2026-11-22T02:00:00.123456789Z level=error msg=x err="InvalidAccessKeyId"',
        'ts=2026-11-22T03:00:00+01:00 level=error msg=x err="InvalidAccessKeyId"',
        'ts=never level=error msg=x err="InvalidAccessKeyId"',
        'ts=2026-11-22T04:00:00 level=error msg=x err="NoSuchBucket: local time"',
    ]
    assert complaints(lines) == (
        LogLine(
            cause="access_key_unknown",
            count=3,
            first_at=datetime(2026, 11, 22, 2, 0, 0, 123456, tzinfo=UTC),
            last_at=datetime(2026, 11, 22, 2, tzinfo=UTC),
        ),
        LogLine(
            cause="bucket_not_found",
            count=2,
            first_at=datetime(2026, 11, 22, 1, tzinfo=UTC),
            last_at=datetime(2026, 11, 22, 1, tzinfo=UTC),
        ),
    )
