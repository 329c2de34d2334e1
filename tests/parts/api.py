# SPDX-License-Identifier: Apache-2.0
"""A very small Kubernetes client for the parts themselves: paths in, dictionaries out."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

Json = dict[str, Any]


class ApiError(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Api:
    """One user's way to one API server; may be used from several threads."""

    def __init__(self, server: str, *, ca_file: Path, token: str) -> None:
        self._client = httpx2.Client(
            base_url=server,
            verify=ssl.create_default_context(cafile=str(ca_file)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            trust_env=False,
        )

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        kind: str = "json",
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Do one request; anything but a success raises ApiError."""
        given = {"Content-Type": f"application/{kind}"} if body is not None else {}
        answer = self._client.request(
            method,
            path,
            json=body,
            headers=given | dict(headers or {}),
        )
        if not answer.is_success:
            raise ApiError(answer.status_code, answer.text)
        result: Json = answer.json() if answer.text.startswith("{") else {"text": answer.text}
        return result

    def get(self, path: str) -> Json:
        return self.call("GET", path)

    def find(self, path: str) -> Json | None:
        """Return the object, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Json) -> Json:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Merge `body` into the object."""
        return self.call("PATCH", path, body, kind="merge-patch+json")

    def apply(self, path: str, body: Json, *, manager: str = "parts") -> Json:
        """Server-side apply, over whoever else owns the fields; an unknown field is an error."""
        query = f"?fieldManager={manager}&force=true&fieldValidation=Strict"
        return self.call("PATCH", path + query, body, kind="apply-patch+yaml")

    def delete(self, path: str, body: Json | None = None) -> Json | None:
        """Delete; None where there was nothing."""
        try:
            return self.call("DELETE", path, body)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def close(self) -> None:
        self._client.close()
