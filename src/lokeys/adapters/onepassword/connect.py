# SPDX-License-Identifier: Apache-2.0
"""A small client for 1Password Connect: only the requests that lokeys needs.

The SDK can neither PATCH nor retry, and crashes on a reply that is not JSON. Every failure here is
a `ConnectError` with its `VaultFault`; its text never contains a reply's body, because an item's
body consists of secrets.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from lokeys.adapters.http import Bounds, NoAnswer, Reason, Reply, TooLong, bounded_request
from lokeys.core.route.snapshot import VaultFault
from lokeys.core.sensitive import Sensitive
from lokeys.errors import LokeysError
from lokeys.ports import Sleep

_BOUNDS = Bounds(total_s=10.0, max_bytes=1 << 20)
# Connect sometimes answers 403 "Authorization" for no reason; three more attempts, as in ESO.
_SPURIOUS_RETRIES = 3
_SPURIOUS_PAUSE_S = 0.1
_MAX_RETRY_AFTER_S = 3600.0
_ID = re.compile(r"[a-z0-9]{26}")
_Decoded = TypeVar("_Decoded")

Token = Callable[[], Awaitable[Sensitive]]
"""Returns the current Connect token, so that a repaired Secret is used at once."""


class ConnectError(LokeysError):
    """Connect did not do what was requested. `status` 0: there was no (complete) answer.

    `reason` says why there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        fault: VaultFault,
        status: int = 0,
        retry_after_s: float = 1.0,
        reason: Reason | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.fault = fault
        self.status = status
        self.retry_after_s = retry_after_s


class Vault(msgspec.Struct, frozen=True):
    """A vault's summary."""

    id: str
    name: str = ""


class ItemSummary(msgspec.Struct, frozen=True):
    """An item in a list: without its fields."""

    id: str
    title: str = ""
    state: str | None = None

    @property
    def current(self) -> bool:
        """Tell whether the item is neither archived nor deleted."""
        return self.state not in {"ARCHIVED", "DELETED"}


class VaultField(msgspec.Struct, frozen=True):
    """One field; sections are not part of its name."""

    id: str
    label: str = ""
    value: str | None = None

    def __repr__(self) -> str:
        return f"Field(label={self.label!r})"


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """A whole item."""

    id: str
    title: str = ""
    version: int = 0
    updated_at: str | None = None
    fields: tuple[VaultField, ...] = ()


class ItemChange(msgspec.Struct, frozen=True):
    """One operation of a PATCH (RFC 6902)."""

    op: str
    path: str
    value: str

    def __repr__(self) -> str:
        return f"Change({self.op} {self.path})"


def is_id(text: str) -> bool:
    """Tell whether `text` has the form of Connect's own ids (a title can have it too)."""
    return _ID.fullmatch(text) is not None


class Connect:
    """One Connect server, used with one token."""

    def __init__(self, url: str, *, token: Token, client: httpx2.AsyncClient, sleep: Sleep) -> None:
        self._base = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._token = token
        self._client = client
        self._sleep = sleep

    async def vault(self, vault_id: str) -> Vault:
        """Return a vault by its id."""
        return _decoded(await self._get(f"/vaults/{quote(vault_id, safe='')}"), Vault)

    async def vaults(self, name: str) -> list[Vault]:
        """Return the vaults with exactly this name that the token may see."""
        reply = await self._get(f"/vaults{_filter('name', name)}")
        return [vault for vault in _decoded(reply, list[Vault]) if vault.name == name]

    async def items(self, vault_id: str, title: str) -> list[ItemSummary]:
        """Return the current items with exactly this title."""
        reply = await self._get(
            f"/vaults/{quote(vault_id, safe='')}/items{_filter('title', title)}"
        )
        found = _decoded(reply, list[ItemSummary])
        return [item for item in found if item.title == title and item.current]

    async def item(self, vault_id: str, item_id: str) -> Item:
        """Return a whole item by its id."""
        return _decoded(await self._get(_item_path(vault_id, item_id)), Item)

    async def patch(self, vault_id: str, item_id: str, changes: Sequence[ItemChange]) -> Item:
        """Make all `changes` in one request, and so in one new version."""
        body = msgspec.json.encode(changes)
        return _decoded(await self._ask("PATCH", _item_path(vault_id, item_id), body), Item)

    async def _get(self, path: str) -> Reply:
        return await self._ask("GET", path)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        for _ in range(_SPURIOUS_RETRIES):
            reply = await self._send(method, path, body)
            if not _is_spurious(reply):
                break
            await self._sleep(_SPURIOUS_PAUSE_S)
        else:
            reply = await self._send(method, path, body)
        if reply.status != 200:
            raise _error_of(reply)
        return reply

    async def _send(self, method: str, path: str, body: bytes) -> Reply:
        token = (await self._token()).reveal()
        if not token or not all(0x21 <= byte <= 0x7E for byte in token):
            raise ConnectError(
                "the token is empty, or holds a newline or another character that cannot be sent",
                fault=VaultFault.TOKEN_REFUSED,
            )
        headers = {"authorization": f"Bearer {token.decode()}", "accept": "application/json"}
        if body:
            headers["content-type"] = "application/json"
        request = httpx2.Request(method, f"{self._base}{path}", headers=headers, content=body)
        try:
            return await bounded_request(self._client, request, bounds=_BOUNDS)
        except NoAnswer as error:
            failure = ConnectError(str(error), fault=VaultFault.UNREACHABLE, reason=error.reason)
        except TooLong as error:
            failure = ConnectError(str(error), fault=VaultFault.NOT_CONNECT)
        raise failure


def _item_path(vault_id: str, item_id: str) -> str:
    return f"/vaults/{quote(vault_id, safe='')}/items/{quote(item_id, safe='')}"


def _filter(field: str, value: str) -> str:
    """Return the query that narrows a list; none for values that its grammar cannot express.

    Connect answers 400 to a lone quote. The caller compares exactly anyway, so a whole list works.
    """
    if any(mark in value for mark in "\"'\\"):
        return ""
    return "?filter=" + quote(f'{field} eq "{value}"', safe="")


# --- replies ------------------------------------------------------------------------------------


class _Error(msgspec.Struct):
    status: int = 0
    message: str = ""


_FAULTS = {
    400: VaultFault.NOT_CONNECT,
    401: VaultFault.TOKEN_REFUSED,
    403: VaultFault.VAULT_FORBIDDEN,
    404: VaultFault.ITEM_NOT_FOUND,
    429: VaultFault.RATE_LIMITED,
}


def _is_spurious(reply: Reply) -> bool:
    return reply.status == 403 and "Authorization" in _message_of(reply)


def _message_of(reply: Reply) -> str:
    try:
        return msgspec.json.decode(reply.body, type=_Error).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _error_of(reply: Reply) -> ConnectError:
    fault = _FAULTS.get(reply.status, VaultFault.NOT_CONNECT)
    if reply.status >= 500:
        fault = VaultFault.UNREACHABLE
    elif fault is not VaultFault.RATE_LIMITED and not _is_connects(reply):
        fault = VaultFault.NOT_CONNECT
    retry_after_s = _retry_after_s(reply)
    message = f"Connect answered {reply.status}"
    if fault is VaultFault.RATE_LIMITED:
        message = f"{message}: ask again in {retry_after_s:.0f} s"
    if not _is_connects(reply):
        message = f"the server answered {reply.status}, but not as Connect does"
    return ConnectError(message, fault=fault, status=reply.status, retry_after_s=retry_after_s)


def _is_connects(reply: Reply) -> bool:
    """Distinguish Connect's own error from a proxy's page or another service's."""
    return "1password-connect-version" in reply.headers or bool(_message_of(reply))


def _retry_after_s(reply: Reply) -> float:
    """Return the requested seconds, at most an hour; one if there are none (or a date)."""
    text = reply.headers.get("retry-after", "")
    return min(float(text), _MAX_RETRY_AFTER_S) if text.isdecimal() else 1.0


def _decoded(reply: Reply, kind: type[_Decoded]) -> _Decoded:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Neither chained nor quoted: the body holds secret values.
        pass
    raise ConnectError(
        "the server's answer is not Connect's JSON", fault=VaultFault.NOT_CONNECT, status=200
    )
