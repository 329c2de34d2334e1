# SPDX-License-Identifier: Apache-2.0
"""The calls that Rook makes to RGW's Admin Ops API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import msgspec

from lokeys.adapters.http import Bounds, NoAnswer, bounded_request
from lokeys.core.sensitive import KeyPair

# Rook's own client has no time limit at all.
_BOUNDS = Bounds(total_s=600.0, max_bytes=1 << 20)


class RgwError(Exception):
    """RGW refused, or did not answer; `code` is what it said."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RookRgw:
    """RGW's users and keys, changed with an admin's pair."""

    def __init__(
        self,
        endpoint: str,
        pair: KeyPair,
        client: httpx2.AsyncClient,
        clock: Callable[[], datetime],
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._pair = pair
        self._client = client
        self._clock = clock

    async def keys(self, uid: str) -> dict[str, str] | None:
        """Return the user's keys by id, in order of their ids; None if there is no such user."""
        try:
            user = await self._call("GET", {"uid": uid})
        except RgwError as error:
            if error.code == "NoSuchUser":
                return None
            raise
        return {key["access_key"]: key["secret_key"] for key in _by_id(user["keys"])}

    async def create_user(self, uid: str, *, display_name: str, generate_key: bool) -> None:
        """Make the user, with a key of RGW's own making or without any."""
        query = {"uid": uid, "display-name": display_name}
        await self._call("PUT", query | {"generate-key": str(generate_key).lower()})

    async def remove_user(self, uid: str) -> None:
        """Remove the user; fine if there is none, refused while it owns buckets."""
        try:
            await self._call("DELETE", {"uid": uid})
        except RgwError as error:
            if error.code != "NoSuchUser":
                raise

    async def add_key(self, uid: str, key_id: str, secret: str) -> None:
        """Give the user this key; for an empty secret RGW invents one."""
        query = {"uid": uid, "access-key": key_id} | ({"secret-key": secret} if secret else {})
        await self._call("PUT", query, key=True)

    async def remove_key(self, uid: str, key_id: str) -> None:
        """Take a key from the user."""
        await self._call("DELETE", {"uid": uid, "access-key": key_id}, key=True)

    async def _call(self, method: str, query: Mapping[str, str], *, key: bool = False) -> Any:
        from lokeys.adapters.aws import sign as aws_sign  # noqa: PLC0415 - botocore is heavy

        flag = "key&" if key else ""
        text = flag + urlencode({**query, "format": "json"}, quote_via=quote)
        call = aws_sign.SignedCall(method=method, url=f"{self.endpoint}/admin/user?{text}")
        request = aws_sign.signed(call, self._pair, region="us-east-1", now=self._clock())
        try:
            reply = await bounded_request(self._client, request, bounds=_BOUNDS)
        except NoAnswer as error:
            raise RgwError(str(error)) from error
        if reply.status >= 300:
            raise RgwError(_code_of(reply.body) or f"status {reply.status}")
        return msgspec.json.decode(reply.body) if reply.body.strip() else None


def _by_id(keys: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(keys, key=lambda key: key["access_key"])


def _code_of(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["Code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
