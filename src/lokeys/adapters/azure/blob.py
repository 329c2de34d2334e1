# SPDX-License-Identifier: Apache-2.0
"""Tests a blob container with a bearer token or the account's key: put, get, list, delete."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import quote

import httpx2

from lokeys.adapters.aws.s3 import PROBE_BODY, PROBE_PREFIX, probe_of
from lokeys.adapters.azure import answers as azure_answers
from lokeys.adapters.azure.sign import authorization
from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import reply_or_link
from lokeys.core.findings.link import Link, broken, held
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.identity import AccountKey, BlobPlace
from lokeys.core.trust.tries.verification import LinkName
from lokeys.errors import NeedsHuman
from lokeys.ports import Clock

VERSION = "2021-08-06"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobContainer:
    """One container, and the credential for it."""

    place: BlobPlace
    credential: Sensitive | AccountKey
    client: httpx2.AsyncClient
    clock: Clock

    async def try_fully(self, *, owner: str) -> Link:
        """Make the four calls; the first failure is the result. What was put is deleted."""
        container = f"{self.place.url}/{quote(self.place.container, safe='$-_.~')}"
        blob = f"{container}/{probe_of(owner.encode())}"
        put = await self._call("PUT", blob, action="put", body=PROBE_BODY)
        if isinstance(put, Link) and put.ok is False:
            return put  # certainly refused: there is nothing to delete
        read = put if isinstance(put, Link) else await self._read(container, blob)
        deleted = await self._call("DELETE", blob, action="delete")
        if read is not None:
            return read
        if isinstance(deleted, Link):
            return deleted
        return held(LinkName.STORE, f"put, get, list and delete work on {self.place.container}")

    async def _read(self, container: str, blob: str) -> Link | None:
        got = await self._call("GET", blob, action="get")
        if isinstance(got, Link):
            return got
        if got.body != PROBE_BODY:
            return broken(LinkName.STORE, None, "get: what was put is not what came back")
        prefix = quote(PROBE_PREFIX, safe="")
        query = f"restype=container&comp=list&maxresults=1&prefix={prefix}"
        listed = await self._call("GET", f"{container}?{query}", action="list")
        return listed if isinstance(listed, Link) else None

    async def _call(self, method: str, url: str, *, action: str, body: bytes = b"") -> Reply | Link:
        headers = {
            "x-ms-date": format_datetime(self.clock(), usegmt=True),
            "x-ms-version": VERSION,
        }
        if method == "PUT":
            headers |= {"x-ms-blob-type": "BlockBlob", "Content-Type": "text/plain"}
            headers["Content-Length"] = str(len(body))
        try:
            headers["Authorization"] = self._authorization(method, url, headers)
        except NeedsHuman as error:
            return broken(LinkName.STORE, "azure_account_key_invalid", str(error))
        request = httpx2.Request(method, url, headers=headers, content=body)
        reply = await reply_or_link(
            self.client, request, name=LinkName.STORE, cause="endpoint_unreachable"
        )
        if isinstance(reply, Link) or 200 <= reply.status < 300:
            return reply
        if action == "delete" and reply.status == 404:
            return reply  # another test of the same object was faster
        bearer = isinstance(self.credential, Sensitive)
        return azure_answers.judge_blob(reply, action=action, bearer=bearer)

    def _authorization(self, method: str, url: str, headers: dict[str, str]) -> str:
        if isinstance(self.credential, Sensitive):
            return f"Bearer {self.credential.reveal_text()}"
        return authorization(method, url, headers, self.credential)
