# SPDX-License-Identifier: Apache-2.0
"""A provider behind the HTTP client's own seam: answers in order, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx2

from lokeys.adapters.http import make_client

Answer = httpx2.Response | Exception


class Script:
    """Gives its answers one after the other, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.client = make_client(transport=httpx2.MockTransport(self._answer))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        stream = httpx2.ByteStream(answer.content)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=stream)

    def form(self, number: int = 0) -> Mapping[str, str]:
        """Return the form of a request."""
        fields = parse_qs(self.asked[number].content.decode(), strict_parsing=True)
        return {name: values[0] for name, values in fields.items()}


def says(status: int, document: Any, **headers: str) -> httpx2.Response:
    """Return an answer in JSON."""
    body = json.dumps(document).encode()
    return httpx2.Response(status, headers=headers, content=body)


def xml(status: int, text: str, **headers: str) -> httpx2.Response:
    """Return an answer in XML."""
    return httpx2.Response(status, headers=headers, content=text.encode())
