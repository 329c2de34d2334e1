# SPDX-License-Identifier: Apache-2.0
"""Sends a web identity to an STS: AssumeRoleWithWebIdentity, as Loki's own client does.

The call is not signed: the token is the credential. It goes to the regional STS of the role's
partition, or to another store's own STS.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import httpx2

from lokeys.adapters.aws import sts_answers
from lokeys.adapters.aws.sts_answers import Assumed
from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import form_request, reply_or_link
from lokeys.core.findings.link import Link, broken, held
from lokeys.core.kubernetes import aws_addresses
from lokeys.core.trust.tries.identity import Role
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Exchanged, IssuedToken

SESSION = "lokeys-verification"
LIFETIME_S = 900
"""The shortest lifetime that STS accepts."""
_FIRST_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}


class Sts:
    """An STS, reached with `client`."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def exchange(self, role: Role, issued: IssuedToken) -> Exchanged:
        """Return temporary credentials of `role`, or the link that is refused."""
        answer = await self._assume(role, issued)
        if isinstance(answer, Link) and answer.cause == "sts_oidc_provider_missing":
            answer = await self._asked_elsewhere(answer, role, issued)
        if isinstance(answer, Link):
            return Exchanged(links=(answer,))
        trust = held(LinkName.TRUST, f"{urlsplit(role.sts_url).netloc} takes the token")
        identity = held(LinkName.IDENTITY, answer.identity or role.arn)
        return Exchanged(links=(trust, identity), credential=answer.pair)

    async def _asked_elsewhere(self, refusal: Link, role: Role, issued: IssuedToken) -> Link:
        """Distinguish a region that is not activated from a missing provider.

        AWS has one text for both; its first region is always active.
        """
        first = _FIRST_REGIONS.get(aws_addresses.partition_of(role.region))
        if not role.is_aws or first is None or first == role.region:
            return refusal
        url = f"https://sts.{first}.{aws_addresses.domain_of(first)}"
        second = await self._assume(replace(role, sts_url=url), issued)
        if isinstance(second, Assumed):
            words = f"STS of {first} takes the token, that of {role.region} does not"
            return broken(LinkName.TRUST, "sts_region_inactive", words, evidence=refusal.evidence)
        return refusal

    async def _assume(self, role: Role, issued: IssuedToken) -> Assumed | Link:
        reply = await self._ask(role, issued)
        if isinstance(reply, Link):
            return reply
        given = sts_answers.assumed(reply)
        return given or sts_answers.judge(reply, role=role, claims=issued.claims)

    async def _ask(self, role: Role, issued: IssuedToken) -> Reply | Link:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role.arn,
            "RoleSessionName": SESSION,
            "DurationSeconds": str(LIFETIME_S),
            "WebIdentityToken": issued.token.reveal_text(),
        }
        request = form_request(f"{role.sts_url.rstrip('/')}/", form, accept="xml")
        return await reply_or_link(
            self._client, request, name=LinkName.TRUST, cause="sts_unreachable"
        )
