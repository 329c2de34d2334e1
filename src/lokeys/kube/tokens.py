# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens: from the kubeconfig, or from a file that is renewed.

A token that no header can hold is refused here, by its place: an HTTP library would quote it.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import httpx2

from lokeys.errors import BadInput
from lokeys.kube.kubeconfig_fields import carryable

MAX_TOKEN_BYTES = 64 * 1024


def bearer(token: str, *, place: str) -> str:
    """Return the header's value. Raises BadInput, which never shows the token."""
    if not carryable(token):
        raise BadInput(
            "the token holds what no HTTP header can carry, such as a line break",
            place=place,
            hint="write the token on one line, with nothing around it",
        )
    return f"Bearer {token}"


class BearerAuth(httpx2.Auth):
    """Sends one token with every call."""

    def __init__(self, token: str, *, place: str) -> None:
        self._bearer = bearer(token, place=place)

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send with the token."""
        request.headers["Authorization"] = self._bearer
        yield request


class TokenFileAuth(httpx2.Auth):
    """Sends the token in a file; reads the file again if the token is refused."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._bearer: str | None = None

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send with the last token; on 401 once more with the file's current one."""
        self._bearer = self._bearer or self._read()
        request.headers["Authorization"] = self._bearer
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._bearer = self._read()
            request.headers["Authorization"] = self._bearer
            yield request

    def _read(self) -> str:
        try:
            with Path(self._file).open("rb") as file:
                content = file.read(MAX_TOKEN_BYTES + 1)
        except OSError as exc:
            raise BadInput(
                f"the token file cannot be read: {exc.strerror}", place=self._file
            ) from exc
        token = content.decode("utf-8", "replace").strip()  # as client-go reads it
        if not token:
            raise BadInput("the token file is empty", place=self._file)
        if len(content) > MAX_TOKEN_BYTES:
            problem = f"the token file is larger than {MAX_TOKEN_BYTES} bytes"
            raise BadInput(problem, place=self._file)
        return bearer(token, place=self._file)
