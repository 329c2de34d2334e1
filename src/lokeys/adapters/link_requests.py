# SPDX-License-Identifier: Apache-2.0
"""One request that decides a link of a token's path: its answer, or what no answer means."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import httpx2
import msgspec

from lokeys.adapters.aws.s3_answers import judge_silence
from lokeys.adapters.http import Bounds, NoAnswer, Reason, Reply, TooLong, bounded_request
from lokeys.core.findings.link import Link, broken, untried
from lokeys.core.findings.store_answers import RULE_OF_ANSWER
from lokeys.core.trust.tries.verification import LinkName

BOUNDS = Bounds(total_s=10.0, max_bytes=64 << 10)


async def reply_or_link(
    client: httpx2.AsyncClient, request: httpx2.Request, *, name: LinkName, cause: str | None = None
) -> Reply | Link:
    """Return the answer, or the link: broken by TLS, or not tested without one (may be `cause`)."""
    try:
        return await bounded_request(client, request, bounds=BOUNDS)
    except NoAnswer as error:
        answer = judge_silence(error).answer
        if answer in RULE_OF_ANSWER:
            return broken(name, RULE_OF_ANSWER[answer].cause, str(error))
        evidence: tuple[str, ...] = ()
        if error.reason is Reason.DNS:
            evidence = (f"{request.url.host} has no address: a name that nobody has, or no DNS",)
        return untried(name, str(error), cause=cause, evidence=evidence)
    except TooLong as error:
        return untried(name, str(error))


def form_request(url: str, form: Mapping[str, str], *, accept: str = "json") -> httpx2.Request:
    """Return a POST of a form, as token endpoints expect it."""
    kind = "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Accept": f"application/{accept}"}
    return httpx2.Request("POST", url, headers=headers, content=urlencode(form).encode())


def json_of(reply: Reply) -> Mapping[str, object]:
    """Return the JSON object of an answer; an empty one if it is not valid."""
    try:
        found = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def stumbles(reply: Reply) -> bool:
    """Tell whether the other side failed by itself, or asks to slow down."""
    return reply.status >= 500 or reply.status == 429
