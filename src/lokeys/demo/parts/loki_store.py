# SPDX-License-Identifier: Apache-2.0
"""The Loki stand-in's way to its object store: real signed S3 requests, counted as Loki does."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import unescape

import httpx2

from lokeys.adapters.aws.sign import SignedCall, Unsendable, signed
from lokeys.clock import utc_now
from lokeys.core.sensitive import KeyPair

# What Loki's current client says where the store sends a code without a message, as RGW does.
_WORDS = {
    "InvalidAccessKeyId": "The access key ID you provided does not exist in our records.",
    "SignatureDoesNotMatch": (
        "The request signature we calculated does not match the signature you provided."
    ),
    "AccessDenied": "Access Denied.",
    "NoSuchBucket": "The specified bucket does not exist",
    "NoSuchKey": "The specified key does not exist.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where the chunks go."""

    endpoint: str
    bucket: str
    region: str = "us-east-1"


class StoreError(Exception):
    """The store refused, or did not answer (status None)."""

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ChunkStore:
    """Reads and writes objects with the one key it was started with."""

    def __init__(self, settings: StorageSettings, pair: KeyPair, *, older: bool) -> None:
        self._settings = settings
        self._pair = pair
        self._older = older
        self._client = httpx2.AsyncClient(timeout=5, trust_env=False)
        self.requests: Counter[tuple[str, int]] = Counter()

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def put(self, key: str, body: bytes) -> None:
        """Write one object."""
        await self._call("PUT", f"/{quote(key)}", body=body)

    async def get(self, key: str) -> bytes:
        """Read one object."""
        return await self._call("GET", f"/{quote(key)}")

    async def keys(self, prefix: str) -> list[str]:
        """Return the names of the objects under a prefix, as many as one answer holds."""
        path = f"?list-type=2&prefix={quote(prefix, safe='')}"
        listing = (await self._call("GET", path)).decode()
        return [unescape(found) for found in re.findall(r"<Key>([^<]*)</Key>", listing)]

    async def _call(self, method: str, path: str, *, body: bytes = b"") -> bytes:
        url = f"{self._settings.endpoint.rstrip('/')}/{self._settings.bucket}{path}"
        call = SignedCall(method=method, url=url, body=body)
        try:
            request = signed(call, self._pair, region=self._settings.region, now=utc_now())
            answer = await self._client.send(request)
        except Unsendable as error:
            raise StoreError(f"upload s3 object: {method.capitalize()} {error}") from error
        except httpx2.TransportError as error:
            raise StoreError(self._no_answer(method, url, error)) from error
        self.requests[method, answer.status_code] += 1
        if answer.is_success:
            return answer.content
        raise self._refusal(answer)

    def _refusal(self, answer: httpx2.Response) -> StoreError:
        code, message = _tag("Code", answer.text), _tag("Message", answer.text)
        if self._older:
            request_id = answer.headers.get("x-amz-request-id", "")
            text = f"{code}: {message}\n\tstatus code: {answer.status_code}, "
            text += f"request id: {request_id}, host id: "
        else:
            text = f"upload s3 object: {message or _WORDS.get(code, code)}"
        return StoreError(text, status=answer.status_code, code=code)

    def _no_answer(self, method: str, url: str, error: Exception) -> str:
        host = urlsplit(url).netloc
        why = "connect: connection refused" if isinstance(error, httpx2.ConnectError) else "EOF"
        prefix = (
            "RequestError: send request failed\ncaused by" if self._older else "upload s3 object"
        )
        return f'{prefix}: {method.capitalize()} "{url}": dial tcp {host}: {why}'


def _tag(name: str, text: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text[:10_000])
    return unescape(found[1]) if found else ""
