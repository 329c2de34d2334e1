# SPDX-License-Identifier: Apache-2.0
"""How External Secrets reads 1Password Connect: its calls, and its words when they fail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from lokeys.demo.parts.kube_kinds import Json

_ID = re.compile(r"^[\da-z]{26}$")
_SPURIOUS_RETRIES = 3
_SPURIOUS_PAUSE_S = 0.1


class ProviderProblem(Exception):
    """The vault cannot be read; the message is what ESO writes into its event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectProvider:
    """One SecretStore's way to Connect. The real client has no timeout, and so has this one."""

    http: httpx2.AsyncClient
    host: str
    token: str
    vaults: dict[str, int]

    async def validate(self) -> None:
        """Look at every vault of the store; raises ProviderProblem."""
        for vault in self.vaults:
            await self._vault(vault)

    async def value(self, item: str, label: str) -> str:
        """Return one field's value, by four calls."""
        found = [field for field in (await self._item(item))["fields"] if _label(field) == label]
        if len(found) != 1:
            why = f"expected one 1Password ItemField matching: '{label}' in '{item}', "
            raise ProviderProblem(f"{why}got {len(found)}")
        return str(found[0].get("value", ""))

    async def values(self, item: str) -> dict[str, str]:
        """Return all fields of an item, by four calls."""
        fields = (await self._item(item))["fields"]
        return {_label(field): str(field.get("value", "")) for field in fields}

    async def _item(self, title: str) -> Json:
        for vault in sorted(self.vaults, key=lambda name: self.vaults[name]):
            vault_id = await self._vault(vault)
            root = f"/v1/vaults/{vault_id}/items"
            what = "error finding 1Password Item"
            if _ID.match(title):
                found = [{"id": title}]
            else:
                found = await self._call(f"{root}?filter=title eq {_quoted(title)}", what)
            if len(found) > 1:
                why = f"expected one 1Password Item matching: '{title}', got {len(found)}"
                raise ProviderProblem(why)
            if found:
                await self._call(f"{root}/{found[0]['id']}", what)
                item: Json = await self._call(f"{root}/{found[0]['id']}", what)
                return item
        listed = " ".join(f"{name}:{order}" for name, order in sorted(self.vaults.items()))
        raise ProviderProblem(f"key not found in 1Password Vaults: {title} in: map[{listed}]")

    async def _vault(self, name: str) -> str:
        what = "error finding 1Password Vault"
        if _ID.match(name):
            return str((await self._call(f"/v1/vaults/{name}", what))["id"])
        found = await self._call(f"/v1/vaults?filter=name eq {_quoted(name)}", what)
        if len(found) != 1:
            raise ProviderProblem(f"{what}: expected one vault matching '{name}', got {len(found)}")
        return str(found[0]["id"])

    async def _call(self, path: str, what: str) -> Any:
        for attempt in range(_SPURIOUS_RETRIES + 1):
            answer = await self._ask(path, what)
            if answer.is_success:
                return answer.json()
            message = _message(answer)
            if answer.status_code != 403 or "Authorization" not in message:
                break
            if attempt < _SPURIOUS_RETRIES:
                await asyncio.sleep(_SPURIOUS_PAUSE_S)
        raise ProviderProblem(f"{what}: status {answer.status_code}: {message}")

    async def _ask(self, path: str, what: str) -> httpx2.Response:
        url = httpx2.URL(self.host.rstrip("/") + path.replace(" ", "%20").replace('"', "%22"))
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            return await self.http.get(url, headers=headers, timeout=None)
        except httpx2.ConnectError as error:
            why = f"dial tcp {url.host}:{url.port}: connect: connection refused"
            raise ProviderProblem(f'{what}: Get "{url}": {why}') from error
        except httpx2.TransportError as error:
            raise ProviderProblem(f'{what}: Get "{url}": EOF') from error


Gap = Callable[[], Awaitable[None]]
"""What happens between the reads of two keys: where a torn pair comes from."""


async def read_all(connect: ConnectProvider, spec: Json, *, gap: Gap) -> dict[str, str]:
    """Return all that an ExternalSecret asks for, a key at a time; raises ProviderProblem."""
    found: dict[str, str] = {}
    for index, source in enumerate(spec.get("dataFrom") or []):
        key = source["extract"]["key"]
        with _named(f"error processing spec.dataFrom[{index}].extract, err: "):
            found |= await connect.values(key)
    for index, entry in enumerate(spec.get("data") or []):
        if index:
            await gap()
        reference = entry["remoteRef"]
        label = reference.get("property", "password").removeprefix("field/")
        with _named(f"error processing spec.data[{index}] (key: {reference['key']}), err: "):
            found[entry["secretKey"]] = await connect.value(reference["key"], label)
    return found


class _named:  # noqa: N801 - used as a statement
    """Puts the place before a problem's text."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProviderProblem):
            raise ProviderProblem(f"{self._place}{error}") from error


def _label(field: Json) -> str:
    return str(field.get("label") or field["id"])


def _quoted(text: str) -> str:
    return f'"{text}"'


def _message(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(body.get("message", "")) if isinstance(body, dict) else ""
