# SPDX-License-Identifier: Apache-2.0
"""A 1Password Connect server from its API's facts: vaults, items, filters, PATCH, lagging reads.

The real one is closed source. This one is read by the real External Secrets Operator in the tests.
Faults are switched on while it runs: `server.fault = Fault.HANG`.
"""

from __future__ import annotations

import asyncio
import copy
import re
import secrets
import string
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from lokeys.clock import utc_now
from lokeys.http_server import Hangup, HttpRequest, Response, json, text

VERSION = "1.7.1"
_LETTERS = string.ascii_lowercase + string.digits
_FILTER = re.compile(r'(?:name|title) eq "([^"\'\\]*)"')
_HANG_S = 300.0

Json = dict[str, Any]


class ConnectFault(StrEnum):
    """What the server can be made to suffer from."""

    HANG = "hang"
    SLOW = "slow"  # answers after `slow_s`
    CLOSE = "close"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    RATE_LIMITED = "429"
    ERROR_500 = "500"
    ERROR_503 = "503"
    HTML = "html"
    HUGE = "huge"
    TRUNCATED = "truncated"


_STATUS_OF = {
    ConnectFault.UNAUTHORIZED: (401, "Invalid token signature"),
    ConnectFault.FORBIDDEN: (403, "vault is not in scope"),
    ConnectFault.NOT_FOUND: (404, "item not found"),
    ConnectFault.RATE_LIMITED: (429, "too many requests"),
    ConnectFault.ERROR_500: (500, "internal server error"),
    ConnectFault.ERROR_503: (503, "sync is not ready"),
}


@dataclass(slots=True, kw_only=True)
class StoredItem:
    """An item, and the copy that reads still show."""

    now: Json = field(repr=False)
    shown: Json = field(repr=False)
    stale_reads: int = 0
    stale_until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class StoredVault:
    """A vault with its items by id."""

    id: str
    name: str
    items: dict[str, StoredItem] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Token:
    """What a token may do. `vaults` None: all of them."""

    vaults: frozenset[str] | None = None
    writes: bool = True


@dataclass(frozen=True, slots=True)
class ConnectServed:
    """One request that was answered, for counting calls."""

    method: str
    path: str
    status: int


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ConnectServer:
    """Vaults, items, tokens and the handler that serves them."""

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.vaults: dict[str, StoredVault] = {}
        self.tokens: dict[str, Token] = {}
        self.fault: ConnectFault | None = None
        self.slow_s = 2.0
        self.retry_after_s = 7
        self.spurious_403s = 0  # so many next answers are a 403 without a reason
        self.lag_reads = 0  # so many reads of an item after each change still show the old one
        self.lag = timedelta(0)  # the same, by time
        self.served: deque[ConnectServed] = deque(maxlen=10_000)
        self._clock = clock

    # --- what people do in their 1Password app --------------------------------------------------

    def add_token(self, *, vaults: frozenset[str] | None = None, writes: bool = True) -> str:
        """Make a token."""
        token = "".join(secrets.choice(_LETTERS) for _ in range(40))
        self.tokens[token] = Token(vaults=vaults, writes=writes)
        return token

    def add_vault(self, name: str) -> str:
        """Make a vault; return its id."""
        vault = StoredVault(id=new_id(), name=name)
        self.vaults[vault.id] = vault
        return vault.id

    def add_item(self, vault_id: str, title: str, fields: list[tuple[str, str]]) -> str:
        """Make an item with fields of these labels and values; return its id."""
        made = [
            {"id": new_id(), "type": "CONCEALED", "label": label, "value": value}
            for label, value in fields
        ]
        return self._create(vault_id, {"title": title, "category": "SERVER", "fields": made})

    def values(self, vault_id: str, item_id: str) -> dict[str, str]:
        """Return the present values by label."""
        fields = self.vaults[vault_id].items[item_id].now["fields"]
        return {each["label"]: each.get("value", "") for each in fields}

    def edit(self, vault_id: str, item_id: str, **values: str) -> None:
        """Change fields by label, as one new version."""
        new = copy.deepcopy(self.vaults[vault_id].items[item_id].now)
        for each in new["fields"]:
            if each["label"] in values:
                each["value"] = values[each["label"]]
        self._store(vault_id, item_id, new)

    # --- HTTP -----------------------------------------------------------------------------------

    async def handle(self, request: HttpRequest) -> Response:
        """Answer one request."""
        response = await self._suffer(request) or self._answer(request)
        self.served.append(ConnectServed(request.method, request.path, response.status))
        headers = {**response.headers, "1password-connect-version": VERSION}
        return response if self.fault is ConnectFault.HTML else replace(response, headers=headers)

    async def _suffer(self, request: HttpRequest) -> Response | None:
        if self.spurious_403s > 0:
            self.spurious_403s -= 1
            return _error(403, "Authorization: token is not yet known")
        match self.fault:
            case ConnectFault.HANG:
                await asyncio.sleep(_HANG_S)
                raise Hangup
            case ConnectFault.CLOSE:
                raise Hangup
            case ConnectFault.SLOW:
                await asyncio.sleep(self.slow_s)
        return self._spoiled(request)

    def _spoiled(self, request: HttpRequest) -> Response | None:
        """Return the answer of a server that is not well."""
        if self.fault in _STATUS_OF:
            response = _error(*_STATUS_OF[self.fault])
            if self.fault is ConnectFault.RATE_LIMITED:
                headers = {**response.headers, "retry-after": str(self.retry_after_s)}
                response = replace(response, headers=headers)
            return response
        match self.fault:
            case ConnectFault.HTML:
                return text("<html><body>Welcome to nginx!</body></html>\n", kind="text/html")
            case ConnectFault.HUGE:
                return Response(body=_endless())
            case ConnectFault.TRUNCATED:
                return self._truncated(request)
        return None

    def _truncated(self, request: HttpRequest) -> Response:
        whole = self._answer(request)
        assert isinstance(whole.body, bytes)  # noqa: S101 - _answer() streams nothing
        headers = {**whole.headers, "content-length": str(len(whole.body))}
        return replace(whole, headers=headers, body=_once(whole.body[: len(whole.body) // 2]))

    def _answer(self, request: HttpRequest) -> Response:
        if request.path == "/heartbeat":
            return text(".")
        if request.path == "/health":
            return json({"name": "1Password Connect API", "version": VERSION, "dependencies": []})
        try:
            return self._answer_v1(request, self._token_of(request))
        except _Refused as refused:
            return _error(refused.status, refused.message)

    def _token_of(self, request: HttpRequest) -> Token:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise _Refused(401, "Invalid token signature")
        return self.tokens[token]

    def _answer_v1(self, request: HttpRequest, token: Token) -> Response:
        match request.path.strip("/").split("/"):
            case ["v1", "vaults"]:
                return json(self._list_vaults(request, token))
            case ["v1", "vaults", vault_id]:
                return json(_vault_json(self._vault(vault_id, token)))
            case ["v1", "vaults", vault_id, "items"]:
                return self._items(request, self._vault(vault_id, token), token)
            case ["v1", "vaults", vault_id, "items", item_id]:
                return self._item(request, self._vault(vault_id, token), item_id, token)
        raise _Refused(404, "not found")

    def _list_vaults(self, request: HttpRequest, token: Token) -> list[Json]:
        wanted = _filtered(request)
        return [
            _vault_json(vault)
            for vault in self.vaults.values()
            if (token.vaults is None or vault.id in token.vaults)
            and (wanted is None or vault.name == wanted)
        ]

    def _vault(self, vault_id: str, token: Token) -> StoredVault:
        if vault_id not in self.vaults:
            raise _Refused(404, "vault not found")
        if token.vaults is not None and vault_id not in token.vaults:
            raise _Refused(403, f"vault {vault_id} is not in scope")
        return self.vaults[vault_id]

    def _items(self, request: HttpRequest, vault: StoredVault, token: Token) -> Response:
        if request.method == "POST":
            _must_write(token)
            item_id = self._create(vault.id, _json_of(request))
            return json(vault.items[item_id].now)
        wanted = _filtered(request)
        summaries = [
            {name: value for name, value in item.now.items() if name not in {"fields", "sections"}}
            for item in vault.items.values()
            if wanted is None or item.now["title"] == wanted
        ]
        return json(summaries)

    def _item(
        self, request: HttpRequest, vault: StoredVault, item_id: str, token: Token
    ) -> Response:
        item = vault.items.get(item_id)
        if item is None:
            raise _Refused(404, f"item {item_id} not found")
        if request.method == "GET":
            return json(self._shown(item))
        _must_write(token)
        match request.method:
            case "PATCH":
                new = _patched(item.now, _json_of(request))
            case "PUT":
                new = {**_json_of(request), "id": item_id, "vault": {"id": vault.id}}
            case "DELETE":
                del vault.items[item_id]
                return Response(status=204)
            case _:
                raise _Refused(405, "method not allowed")
        if new is not item.now:
            self._store(vault.id, item_id, new)
        return json(item.now)

    # --- versions and lag -----------------------------------------------------------------------

    def _create(self, vault_id: str, content: Json) -> str:
        item_id = new_id()
        stamp = _stamp(self._clock())
        item = {
            **content,
            "id": item_id,
            "vault": {"id": vault_id},
            "version": 1,
            "createdAt": stamp,
            "updatedAt": stamp,
        }
        for each in item.setdefault("fields", []):
            each.setdefault("id", new_id())
        self.vaults[vault_id].items[item_id] = StoredItem(now=item, shown=item)
        return item_id

    def _store(self, vault_id: str, item_id: str, new: Json) -> None:
        item = self.vaults[vault_id].items[item_id]
        version = {"version": item.now["version"] + 1, "updatedAt": _stamp(self._clock())}
        item.shown = self._shown(item, counted=False)
        item.now = {**new, **version}
        item.stale_reads = self.lag_reads
        item.stale_until = self._clock() + self.lag

    def _shown(self, item: StoredItem, *, counted: bool = True) -> Json:
        if item.stale_reads > 0:
            item.stale_reads -= int(counted)
            return item.shown
        if item.stale_until is not None and self._clock() < item.stale_until:
            return item.shown
        return item.now


def new_id() -> str:
    """Return an id as 1Password makes them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(26))


def _vault_json(vault: StoredVault) -> Json:
    return {"id": vault.id, "name": vault.name, "items": len(vault.items), "type": "USER_CREATED"}


def _filtered(request: HttpRequest) -> str | None:
    """Return the name that the filter wants; raises for what its grammar cannot carry."""
    expression = request.query.get("filter")
    if not expression:
        return None
    match = _FILTER.fullmatch(expression)
    if match is None:
        raise _Refused(400, "Invalid filter")
    return match[1]


def _must_write(token: Token) -> None:
    if not token.writes:
        raise _Refused(403, "token does not have write permission")


def _json_of(request: HttpRequest) -> Any:
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _Refused(400, "Unable to parse the body") from None


def _patched(old: Json, operations: list[Json]) -> Json:
    """Apply a JSON patch of Connect's kind: fields are named by their id, not their place."""
    if not operations:
        return old
    new = copy.deepcopy(old)
    for each in operations:
        path = str(each.get("path", "")).strip("/").split("/")
        _apply(new, path, op=str(each.get("op")), value=each.get("value"))
    return new


def _apply(item: Json, path: list[str], *, op: str, value: Any) -> None:
    match op, path:
        case "add" | "replace", ["title"]:
            item["title"] = value
        case "add", ["fields"]:
            item["fields"].append({"id": new_id(), **value})
        case "remove", ["fields", field_id]:
            item["fields"].remove(_field(item, field_id))
        case "replace", ["fields", field_id]:
            _field(item, field_id).update(value)
        case "add" | "replace", ["fields", field_id, "value" | "label" as name]:
            _field(item, field_id)[name] = value
        case _:
            raise _Refused(400, f"Unsupported operation {op}")


def _field(item: Json, field_id: str) -> Json:
    for each in item["fields"]:
        if each["id"] == field_id:
            found: Json = each
            return found
    raise _Refused(400, "no such field")


def _error(status: int, message: str) -> Response:
    return json({"status": status, "message": message}, status=status)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def _once(part: bytes) -> AsyncIterator[bytes]:
    yield part


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"id": "'
    while True:
        yield b"x" * 65_536
