# SPDX-License-Identifier: Apache-2.0
"""An object store that behaves as Ceph's RGW does: S3 with true authentication, and its admin API.

What it answers was measured on the real one, and the contract suite asks both. Objects live in
memory. Faults are switched on while it runs: `store.fault = Fault.HANG`.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from xml.sax.saxutils import escape

from lokeys.clock import utc_now
from lokeys.demo.parts import rgw_admin, sigv4
from lokeys.demo.parts.sigv4 import SignatureRefused
from lokeys.demo.parts.store_accounts import Accounts, StoredBucket, StoredObject, User
from lokeys.http_server import Hangup, HttpRequest, Response, text

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HANG_S = 300.0
_MAX_LISTED = 1000


class StoreFault(StrEnum):
    """What the store can be made to suffer from."""

    HANG = "hang"  # takes the request and never answers
    ERROR_500 = "500"
    ERROR_503 = "503"  # SlowDown
    SLOW = "slow"  # answers after `slow_s`
    FULL = "full"  # refuses puts for lack of room
    CLOSE = "close"  # closes the connection instead of an answer
    HTML = "html"  # a web page stands where the store was
    MISROUTED = "misrouted"  # reads the admin path as a bucket (rgw_dns_name does not match)


@dataclass(frozen=True, slots=True)
class StoreServed:
    """One request that was answered, for counting calls; no query, for it can hold a key id."""

    method: str
    path: str
    status: int


class ObjectStore(Accounts):
    """Users, buckets and objects, and the handler that serves them."""

    def __init__(self, *, sts_first: bool = False, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__()
        self.sts_first = sts_first  # RGW's default order: every bad key is an AccessDenied
        self.fault: StoreFault | None = None
        self.slow_s = 2.0
        self.served: deque[StoreServed] = deque(maxlen=10_000)
        self.now = clock
        self._numbers = itertools.count(1)

    # --- HTTP -----------------------------------------------------------------------------------

    async def handle(self, request: HttpRequest) -> Response:
        """Answer one request, S3 or admin."""
        response = await self._suffer(request) or self._answer(request)
        self.served.append(StoreServed(request.method, request.path, response.status))
        number = f"tx{next(self._numbers):021x}-0000000000-0000-default"
        return replace(response, headers={**response.headers, "x-amz-request-id": number})

    async def _suffer(self, request: HttpRequest) -> Response | None:
        match self.fault:
            case StoreFault.HANG:
                await asyncio.sleep(_HANG_S)
                raise Hangup
            case StoreFault.CLOSE:
                raise Hangup
            case StoreFault.SLOW:
                await asyncio.sleep(self.slow_s)
            case StoreFault.ERROR_500:
                return error("InternalError", 500)
            case StoreFault.ERROR_503:
                return error("SlowDown", 503)
            case StoreFault.HTML:
                return text("<html><body>It works!</body></html>\n", kind="text/html")
            case StoreFault.FULL if request.method == "PUT":
                return error("QuotaExceeded", 403)
        return None

    def _answer(self, request: HttpRequest) -> Response:
        admin = request.path.startswith("/admin/") and self.fault is not StoreFault.MISROUTED
        try:
            key_id = self._authenticate(request)
            user = self._active_owner_of(key_id)
            if admin:
                return rgw_admin.answer(self, request, user)
            return self._answer_s3(request, user, key_id)
        except SignatureRefused as refused:
            shape = rgw_admin.error if admin else error
            return shape(refused.code, refused.status)

    def _authenticate(self, request: HttpRequest) -> str:
        """Return the id of the key that signed the request, "" for an anonymous one."""

        def secret_of(key_id: str) -> str | None:
            owner = self.owner_of(key_id)
            return owner.keys[key_id] if owner else None

        try:
            return sigv4.signer_of(request, secret_of=secret_of, now=self.now()) or ""
        except SignatureRefused as refused:
            if self.sts_first and refused.code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
                raise SignatureRefused("AccessDenied") from None
            raise

    def _active_owner_of(self, key_id: str) -> User | None:
        user = self.owner_of(key_id)
        if user is not None and user.suspended:
            raise SignatureRefused("UserSuspended")
        return user

    def _answer_s3(self, request: HttpRequest, user: User | None, key_id: str) -> Response:
        name, _, key = request.path.lstrip("/").partition("/")
        if not name:
            return self._list_buckets(user)
        if not key and request.method == "PUT":
            return self._create_bucket(request, name, user)
        bucket = self.buckets.get(name)
        if bucket is None:
            return error("NoSuchBucket", 404, bucket=name)
        if user is None or user.uid != bucket.owner:
            return error("AccessDenied", 403, bucket=name)
        routes: dict[str, Callable[[], Response]] = {
            "GET": lambda: _get(bucket, name, key) if key else _list(bucket, name, request),
            "HEAD": lambda: _get(bucket, name, key) if key else Response(),
            "PUT": lambda: self._put(request, bucket, key, key_id),
            "DELETE": lambda: self._delete(bucket, name, key),
        }
        route = routes.get(request.method)
        return route() if route else error("MethodNotAllowed", 405, bucket=name)

    def _list_buckets(self, user: User | None) -> Response:
        owner = user.uid if user else "anonymous"
        mine = "".join(
            f"<Bucket><Name>{escape(name)}</Name><CreationDate>{_stamp(bucket.created_at)}"
            "</CreationDate></Bucket>"
            for name, bucket in sorted(self.buckets.items())
            if bucket.owner == owner
        )
        who = f"<Owner><ID>{escape(owner)}</ID></Owner>"
        return _document("ListAllMyBucketsResult", f"{who}<Buckets>{mine}</Buckets>")

    def _create_bucket(self, request: HttpRequest, name: str, user: User | None) -> Response:
        if user is None:
            return error("AccessDenied", 403, bucket=name)
        if len(name) < 3:
            return error("InvalidBucketName", 400, bucket=name)
        place = request.body.partition(b"<LocationConstraint>")[2].partition(b"<")[0]
        if place not in {b"", b"default"}:
            return error("InvalidLocationConstraint", 400, bucket=name)
        there = self.buckets.setdefault(name, StoredBucket(owner=user.uid, created_at=self.now()))
        return Response() if there.owner == user.uid else error("BucketAlreadyExists", 409)

    def _put(self, request: HttpRequest, bucket: StoredBucket, key: str, key_id: str) -> Response:
        body = sigv4.payload_of(request)
        digest = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        if request.headers.get("content-md5", digest) != digest:
            return error("BadDigest", 400)
        limit = self.users[bucket.owner].max_objects
        held = sum(len(b.objects) for b in self.buckets.values() if b.owner == bucket.owner)
        if limit is not None and held >= limit:
            return error("QuotaExceeded", 403)
        bucket.objects[key] = StoredObject(body=body, modified_at=self.now(), signer=key_id)
        return Response(headers={"etag": bucket.objects[key].etag})

    def _delete(self, bucket: StoredBucket, name: str, key: str) -> Response:
        if key:
            bucket.objects.pop(key, None)
        elif bucket.objects:
            return error("BucketNotEmpty", 409, bucket=name)
        else:
            del self.buckets[name]
        return Response(status=204)


def _get(bucket: StoredBucket, name: str, key: str) -> Response:
    found = bucket.objects.get(key)
    if found is None:
        return error("NoSuchKey", 404, bucket=name)
    headers = {"etag": found.etag, "content-type": "binary/octet-stream"}
    return Response(headers=headers, body=found.body)


def _list(bucket: StoredBucket, name: str, request: HttpRequest) -> Response:
    query = request.query
    v2 = query.get("list-type") == "2"
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker", "")
    try:
        limit = min(int(query.get("max-keys", _MAX_LISTED)), _MAX_LISTED)
    except ValueError:
        return error("InvalidArgument", 400, bucket=name)
    prefix = query.get("prefix", "")
    found = [key for key in sorted(bucket.objects) if key.startswith(prefix) and key > after]
    page = found[:limit]
    more = len(found) > limit
    parts = [
        f"<Name>{escape(name)}</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>{limit}</MaxKeys>",
        f"<IsTruncated>{str(more).lower()}</IsTruncated>",
        *_contents(bucket, page),
        f"<KeyCount>{len(page)}</KeyCount>" if v2 else "<Marker></Marker>",
    ]
    if more and page:
        tag = "NextContinuationToken" if v2 else "NextMarker"
        parts.append(f"<{tag}>{escape(page[-1])}</{tag}>")
    return _document("ListBucketResult", "".join(parts))


def _contents(bucket: StoredBucket, keys: list[str]) -> Iterator[str]:
    for key in keys:
        found = bucket.objects[key]
        yield (
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_stamp(found.modified_at)}"
            f"</LastModified><ETag>{escape(found.etag)}</ETag><Size>{len(found.body)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )


def _document(root: str, inside: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{_NAMESPACE}">{inside}</{root}>'
    return text(body, kind="application/xml")


def error(code: str, status: int, *, bucket: str = "") -> Response:
    """Return an S3 error as RGW words it: no message, and the bucket where one was named."""
    named = f"<BucketName>{escape(bucket)}</BucketName>" if bucket else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message></Message>{named}"
        "<RequestId>tx000000000000000000000-0000000000-0000-default</RequestId>"
        "<HostId>0000-default-default</HostId></Error>"
    )
    return text(body, status=status, kind="application/xml")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
