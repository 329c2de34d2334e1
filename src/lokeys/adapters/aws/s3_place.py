# SPDX-License-Identifier: Apache-2.0
"""Tests a stack's buckets with one key: the four calls of `adapters.s3`, as a link."""

from __future__ import annotations

from lokeys.adapters.aws.s3 import S3Store, probe_of
from lokeys.adapters.http_clients import HttpClients
from lokeys.core.findings.link import Link, broken, held
from lokeys.core.findings.store_answers import link_of
from lokeys.core.findings.verdict import Answer, StoreVerdict
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair
from lokeys.core.trust.tries.identity import S3Place, encryption_headers
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Clock

_KEY_REFUSED = frozenset({Answer.UNKNOWN_KEY, Answer.NOT_VALID, Answer.WRONG_SECRET})


async def try_s3(
    place: S3Place, pair: KeyPair, *, owner: str, clients: HttpClients, clock: Clock
) -> Link:
    """Test each bucket; the first that does not work decides for all."""
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
    if temporary and not verdict.cause and verdict.answer in _KEY_REFUSED:
        return broken(
            LinkName.STORE,
            "temporary_credentials_refused",
            f"{where}: the store refuses the temporary key ({verdict.detail})",
            evidence=("at RGW: `rgw s3 auth use sts = true`, and one `rgw sts key` for all",),
        )
    return link_of(LinkName.STORE, verdict, detail)
