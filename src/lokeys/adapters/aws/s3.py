# SPDX-License-Identifier: Apache-2.0
"""Asks the object store, with a given key, whether the key works, and if not, why.

A key is judged by the store's answers to requests like Loki's own: objects are put, got, listed and
deleted. No permission on the bucket itself is needed, and no HEAD is sent (its answers have no
body, so no reason).
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

import httpx2

from lokeys.adapters.aws import s3_answers
from lokeys.adapters.aws.endpoint_addresses import EndpointAddresses
from lokeys.adapters.aws.s3_answers import Judgement
from lokeys.adapters.http import Bounds, NoAnswer, Reply, TooLong, bounded_request
from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair
from lokeys.errors import Forbidden, NeedsHuman, NotReadable, Transient, Unreachable
from lokeys.ports import Clock

PROBE_PREFIX = "lokeys-probe/"
PROBE_BODY = b"lokeys tests this key. The object may be deleted at any time.\n"
# The same for every tester, so that two concurrent tests do not reject each other's content.
PROBE_MD5 = b64encode(hashlib.md5(PROBE_BODY, usedforsecurity=False).digest()).decode()
# After any other answer to the put there is nothing to delete.
_PUT_MAY_HAVE_HAPPENED = frozenset({Answer.UNREACHABLE, Answer.UNSPECIFIC, Answer.NOT_S3})
_MISROUTED = "the store takes the host name for the bucket (rgw_dns_name does not match)"
_BOUNDS = Bounds(total_s=10.0, max_bytes=s3_answers.MAX_REPLY_BYTES)
_REGIONS_WITHOUT_CONSTRAINT = frozenset({"", "us-east-1", "default"})
WITHIN_S = 8.0
"""For all four calls at one address: less than a step may take."""
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3Store:
    """A `StorePort` on one bucket. Verdicts never hold the key id, the secret or a reply's body.

    `probe` names the test object if the key is temporary: its id is a new one each time.
    `put_headers` are what Loki sends with each object, as a bucket's policy may require them.
    """

    def __init__(  # noqa: PLR0913 - what a caller may choose has a default
        self,
        bucket: Bucket,
        client: httpx2.AsyncClient,
        clock: Clock,
        *,
        probe: str | None = None,
        put_headers: tuple[tuple[str, str], ...] = (),
        addresses: EndpointAddresses | None = None,
    ) -> None:
        self._address = _Address(bucket)
        self._probe = probe
        self._put_headers = put_headers
        self._bucket = bucket
        self._client = client
        self._clock = clock
        self._addresses = addresses

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        """Ask for a list of at most one key. Never raises for an answer."""
        return self._verdict(await self._list(pair), Depth.LIST, "list")

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        """Put, get, list and delete one object of a fixed name; the first failure is the verdict.

        The delete is always tried, unless the put was certainly refused.
        """
        name = self._probe or probe_name(pair)
        verdict = await self._put_get_list(pair, name)
        if verdict.action == "put" and verdict.answer not in _PUT_MAY_HAVE_HAPPENED:
            return verdict
        deleted = await self._delete(pair, name)
        if deleted is not None and verdict.accepted:
            verdict = self._verdict(deleted, Depth.FULL, "delete")
        return verdict

    async def try_everywhere(self, pair: KeyPair) -> Mapping[str, StoreVerdict]:
        """Test a pair fully at each address of the endpoint, all at once; by address.

        A single verdict without address if it cannot be chosen, or the name does not resolve.
        """
        ways = await self._addresses.each(self._address.bucket) if self._addresses else {}
        if not ways:
            return {"": await self.try_fully(pair)}
        owner = pair.access_key_id.reveal()
        stores = [
            # With its own object: a test at one address must not delete that of another one.
            S3Store(
                self._bucket,
                client,
                self._clock,
                probe=probe_of(owner + address.encode()),
                put_headers=self._put_headers,
            )
            for address, client in ways.items()
        ]
        verdicts = await asyncio.gather(*(store.try_within(pair, WITHIN_S) for store in stores))
        return dict(zip(ways, verdicts, strict=True))

    async def try_within(self, pair: KeyPair, seconds: float) -> StoreVerdict:
        """Test a pair fully; a store that takes longer gives no answer."""
        try:
            async with asyncio.timeout(seconds):
                return await self.try_fully(pair)
        except TimeoutError:
            late = Judgement(answer=Answer.UNREACHABLE, detail=f"no answer in {seconds:.0f} s")
            return self._verdict(late, Depth.FULL, "put")

    async def bucket_exists(self, pair: KeyPair) -> bool:
        """Tell whether the bucket exists, as seen with `pair` (another user's counts)."""
        failure = await self._list(pair)
        if failure is None or failure.answer is Answer.DENIED:
            return True
        if failure.answer is Answer.NO_BUCKET:
            return False
        raise _error_of(failure, f"cannot tell whether bucket {self._bucket.name} exists")

    async def create_bucket(self, pair: KeyPair) -> None:
        """Create the bucket, owned by the pair's user; fine if it exists and is ours."""
        failure = await self._create(pair, constrained=True)
        if failure is not None and failure.code == "InvalidLocationConstraint":
            # Ceph accepts any region in a signature but names its zone groups differently.
            failure = await self._create(pair, constrained=False)
        if failure is None or failure.code == "BucketAlreadyOwnedByYou":
            return
        if failure.code in {"BucketAlreadyExists", "OperationAborted"}:
            raise NeedsHuman(
                f"bucket {self._bucket.name} belongs to another user: {failure.detail}"
            )
        raise _error_of(failure, f"cannot create bucket {self._bucket.name}")

    # --- the calls: None is a success, a Judgement says why not ---------------------------------

    async def _put_get_list(self, pair: KeyPair, name: str) -> StoreVerdict:
        steps: tuple[tuple[str, Callable[[], Awaitable[Judgement | None]]], ...] = (
            ("put", lambda: self._put(pair, name)),
            ("get", lambda: self._get(pair, name)),
            ("list", lambda: self._list(pair)),
        )
        for action, step in steps:
            failure = await step()
            if failure is not None:
                return self._verdict(failure, Depth.FULL, action)
        return self._verdict(None, Depth.FULL, "")

    async def _put(self, pair: KeyPair, name: str) -> Judgement | None:
        own = (("Content-MD5", PROBE_MD5), ("Content-Type", "text/plain"))
        headers = (*own, *self._put_headers)
        request = _Request("PUT", self._address.of(name), PROBE_BODY, headers)
        return await self._expect(pair, request, lambda reply: reply.status == 200)

    async def _get(self, pair: KeyPair, name: str) -> Judgement | None:
        reply = await self._send(pair, _Request("GET", self._address.of(name)))
        if isinstance(reply, Judgement):
            return reply
        if reply.status != 200:
            return await self._explain(pair, reply)
        if reply.body != PROBE_BODY:
            return Judgement(answer=Answer.NOT_S3, detail="what was put is not what came back")
        return None

    async def _list(self, pair: KeyPair) -> Judgement | None:
        query = f"list-type=2&max-keys=1&prefix={quote(PROBE_PREFIX, safe='')}"
        request = _Request("GET", f"{self._address.bucket}?{query}")
        return await self._expect(pair, request, _is_listing)

    async def _delete(self, pair: KeyPair, name: str) -> Judgement | None:
        request = _Request("DELETE", self._address.of(name))
        return await self._expect(pair, request, lambda reply: reply.status in {200, 204})

    async def _create(self, pair: KeyPair, *, constrained: bool) -> Judgement | None:
        body = b""
        if constrained and self._bucket.region not in _REGIONS_WITHOUT_CONSTRAINT:
            body = (
                f'<CreateBucketConfiguration xmlns="{_NAMESPACE}"><LocationConstraint>'
                f"{self._bucket.region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        request = _Request("PUT", self._address.bucket, body)
        return await self._expect(pair, request, lambda reply: reply.status == 200)

    async def _expect(
        self, pair: KeyPair, request: _Request, good: Callable[[Reply], bool]
    ) -> Judgement | None:
        reply = await self._send(pair, request)
        if isinstance(reply, Judgement):
            return reply
        return None if good(reply) else await self._explain(pair, reply)

    async def _explain(self, pair: KeyPair, reply: Reply) -> Judgement:
        """Judge an error reply; if RGW's AccessDenied can mean two things, make another request."""
        failure = s3_answers.judge(reply)
        # A new temporary key is certainly known; and a role need not list buckets.
        if failure.code == "AccessDenied" and failure.from_rgw and not pair.session_token:
            return await self._look_again(pair, failure)
        if failure.code in {"InvalidArgument", "InvalidRequest"} and _id_breaks_header(pair):
            return replace(failure, answer=Answer.UNKNOWN_KEY)
        if failure.answer is Answer.NO_BUCKET and failure.looked_for == self._address.host:
            return replace(failure, detail=f"{failure.detail}: {_MISROUTED}")
        return failure

    async def _look_again(self, pair: KeyPair, denied: Judgement) -> Judgement:
        """Distinguish a key without permission from one that is not valid.

        If it asks STS first, RGW also answers AccessDenied for unknown ids and wrong secrets. A
        known key may always list its user's buckets.
        """
        reply = await self._send(pair, _Request("GET", self._address.root))
        if isinstance(reply, Judgement):
            return replace(reply, detail=f"{denied.detail}; then {reply.detail}")
        if reply.status == 200:
            return denied
        second = s3_answers.judge(reply)
        if second.code == "AccessDenied":
            return replace(denied, answer=Answer.NOT_VALID)
        return replace(second, detail=f"{denied.detail}; then {second.detail}")

    async def _send(self, pair: KeyPair, request: _Request) -> Reply | Judgement:
        from lokeys.adapters.aws import sign as aws_sign  # noqa: PLC0415 - botocore is heavy

        call = aws_sign.SignedCall(
            method=request.method, url=request.url, body=request.body, headers=dict(request.headers)
        )
        try:
            signed = aws_sign.signed(call, pair, region=self._bucket.region, now=self._clock())
            return await bounded_request(self._client, signed, bounds=_BOUNDS)
        except aws_sign.Unsendable as error:
            answer = Answer.WRONG_SECRET if error.secret else Answer.UNKNOWN_KEY
            return Judgement(answer=answer, detail=f"not sent: {error}")
        except NoAnswer as error:
            return s3_answers.judge_silence(error)
        except TooLong as error:
            return Judgement(answer=Answer.NOT_S3, detail=str(error))

    def _verdict(self, failure: Judgement | None, depth: Depth, action: str) -> StoreVerdict:
        if failure is None:
            return StoreVerdict(answer=Answer.ACCEPTED, depth=depth, at=self._clock())
        return StoreVerdict(
            answer=failure.answer,
            depth=depth,
            at=self._clock(),
            detail=failure.detail,
            action=action,
            cause=failure.cause,
        )


def probe_name(pair: KeyPair) -> str:
    """Return the object that tests this key: always the same one, so that leftovers never grow."""
    return probe_of(pair.access_key_id.reveal())


def probe_of(owner: bytes) -> str:
    """Return the object that tests what belongs to `owner`."""
    return PROBE_PREFIX + hashlib.sha256(owner).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class _Address:
    """The URLs of a bucket, in path style or virtual-host style."""

    def __init__(self, bucket: Bucket) -> None:
        parts = urlsplit(bucket.endpoint)
        self.host = parts.hostname or ""
        prefix = quote(parts.path.rstrip("/"), safe="/%-_.~")
        name = quote(bucket.name, safe="-_.~")
        self.root = f"{parts.scheme}://{parts.netloc}{prefix}/"
        self.bucket = f"{self.root}{name}"
        if not bucket.path_style:
            self.bucket = f"{parts.scheme}://{name}.{parts.netloc}{prefix}/"

    def of(self, key: str) -> str:
        """Return the URL of an object."""
        return f"{self.bucket.rstrip('/')}/{quote(key, safe='/-_.~')}"


def _is_listing(reply: Reply) -> bool:
    return reply.status == 200 and s3_answers.is_document(reply.body, "ListBucketResult")


def _id_breaks_header(pair: KeyPair) -> bool:
    """Tell whether the id contains a separator of the Authorization header."""
    return any(mark in pair.access_key_id.reveal() for mark in (b"/", b",", b"="))


def _error_of(failure: Judgement, what: str) -> Exception:
    message = f"{what}: {failure.answer} ({failure.detail})"
    match failure.answer:
        case Answer.UNREACHABLE:
            return Unreachable(message)
        case Answer.UNSPECIFIC:
            return Transient(message)
        case Answer.NOT_S3 | Answer.NO_BUCKET:
            return NotReadable(message)
        case Answer.DENIED:
            return NeedsHuman(f"{message}; allow the key's user to do it, or do it by hand")
    return Forbidden(message)
