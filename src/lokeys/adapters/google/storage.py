# SPDX-License-Identifier: Apache-2.0
"""Tests a bucket of Google Cloud Storage with a bearer token: put, get, list, delete."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from lokeys.adapters.aws.s3 import PROBE_BODY, PROBE_PREFIX, probe_of
from lokeys.adapters.google import answers as google_answers
from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import reply_or_link
from lokeys.core.findings.link import Link, broken, held
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.identity import GcsPlace
from lokeys.core.trust.tries.verification import LinkName


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsBucket:
    """One bucket, and the token for it."""

    place: GcsPlace
    token: Sensitive
    client: httpx2.AsyncClient

    async def try_fully(self, *, owner: str) -> Link:
        """Make the four calls; the first failure is the result. What was put is deleted."""
        name = quote(probe_of(owner.encode()), safe="")
        bucket = f"b/{quote(self.place.bucket, safe='')}/o"
        objects = f"{self.place.url}/storage/v1/{bucket}"
        upload = f"{self.place.url}/upload/storage/v1/{bucket}?uploadType=media&name={name}"
        put = await self._call("POST", upload, action="put", body=PROBE_BODY)
        if isinstance(put, Link) and put.ok is False:
            return put  # certainly refused: there is nothing to delete
        read = put if isinstance(put, Link) else await self._read(objects, name)
        deleted = await self._call("DELETE", f"{objects}/{name}", action="delete")
        if read is not None:
            return read
        if isinstance(deleted, Link):
            return deleted
        return held(LinkName.STORE, f"put, get, list and delete work on {self.place.bucket}")

    async def _read(self, objects: str, name: str) -> Link | None:
        got = await self._call("GET", f"{objects}/{name}?alt=media", action="get")
        if isinstance(got, Link):
            return got
        if got.body != PROBE_BODY:
            return broken(LinkName.STORE, None, "get: what was put is not what came back")
        query = f"maxResults=1&prefix={quote(PROBE_PREFIX, safe='')}"
        listed = await self._call("GET", f"{objects}?{query}", action="list")
        return listed if isinstance(listed, Link) else None

    async def _call(self, method: str, url: str, *, action: str, body: bytes = b"") -> Reply | Link:
        headers = {"Authorization": f"Bearer {self.token.reveal_text()}"}
        if body:
            headers["Content-Type"] = "text/plain"
        request = httpx2.Request(method, url, headers=headers, content=body)
        reply = await reply_or_link(
            self.client, request, name=LinkName.STORE, cause="endpoint_unreachable"
        )
        if isinstance(reply, Link) or 200 <= reply.status < 300:
            return reply
        if action == "delete" and reply.status == 404:
            return reply  # another test of the same object was faster
        return google_answers.judge_bucket(reply, action=action, bucket=self.place.bucket)
