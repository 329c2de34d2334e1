# SPDX-License-Identifier: Apache-2.0
"""A stack's buckets tried with one key: the four calls of `adapters.s3`, told as a link."""

from __future__ import annotations

from collections.abc import Mapping

from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.s3 import S3Store, probe_of
from lokeys.core.model import Bucket
from lokeys.core.sensitive import KeyPair
from lokeys.core.snapshot import Answer, StoreVerdict
from lokeys.core.trust.identity import S3Place, encryption_headers
from lokeys.core.trust.verification import Link, LinkName, broken, held, untried
from lokeys.ports import Clock

CAUSES: Mapping[Answer, str] = {
    Answer.UNKNOWN_KEY: "access_key_unknown",
    Answer.NOT_VALID: "access_key_unknown",
    Answer.WRONG_SECRET: "secret_key_mismatch",
    Answer.SUSPENDED: "user_suspended",
    Answer.DENIED: "s3_access_denied_policy",
    Answer.FULL: "object_store_full",
    Answer.CLOCK_SKEW: "clock_skew",
    Answer.WRONG_REGION: "wrong_region",
    Answer.NOT_S3: "endpoint_not_s3_api",
    Answer.TLS_UNKNOWN_AUTHORITY: "tls_unknown_authority",
    Answer.TLS_NAME_MISMATCH: "tls_name_mismatch",
    Answer.TLS_SCHEME_MISMATCH: "tls_scheme_mismatch",
    Answer.NO_BUCKET: "bucket_not_found",
}
_SILENT = frozenset({Answer.UNREACHABLE, Answer.UNSPECIFIC})
_KEY_REFUSED = frozenset({Answer.UNKNOWN_KEY, Answer.NOT_VALID, Answer.WRONG_SECRET})


async def try_s3(
    place: S3Place, pair: KeyPair, *, owner: str, clients: HttpClients, clock: Clock
) -> Link:
    """Try each bucket; the first that does not work is the word on all."""
    for bucket in place.buckets:
        store = S3Store(
            bucket,
            clients.trusting(bucket.ca_bundle),
            clock,
            probe=probe_of(owner.encode()) if pair.session_token else None,
            put_headers=encryption_headers(place.sse),
        )
        verdict = await store.try_fully(pair)
        if not verdict.accepted:
            return _link(verdict, bucket, temporary=pair.session_token is not None)
    names = ", ".join(bucket.name for bucket in place.buckets)
    return held(LinkName.STORE, f"put, get, list and delete work on {names}")


def _link(verdict: StoreVerdict, bucket: Bucket, *, temporary: bool) -> Link:
    where = f"{verdict.action} on {bucket.name}" if verdict.action else bucket.name
    detail = f"{where}: {verdict.answer}" + (f" ({verdict.detail})" if verdict.detail else "")
    if verdict.answer in _SILENT:
        cause = "endpoint_unreachable" if verdict.answer is Answer.UNREACHABLE else None
        return untried(LinkName.STORE, detail, cause=cause)
    cause = verdict.cause or CAUSES[verdict.answer]
    if temporary and not verdict.cause and verdict.answer in _KEY_REFUSED:
        return broken(
            LinkName.STORE,
            "temporary_credentials_refused",
            f"{where}: the store refuses the temporary key ({verdict.detail})",
            evidence=("at RGW: `rgw s3 auth use sts = true`, and one `rgw sts key` for all",),
        )
    return broken(LinkName.STORE, cause, detail)
