# SPDX-License-Identifier: Apache-2.0
"""Asks AWS's IAM, or Ceph RGW's, what a role trusts and what it may do. Nothing is changed.

Import this module late: it loads botocore's session, which finds a person's credentials.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from lokeys.adapters.aws.s3_answers import Elements, read_xml
from lokeys.adapters.aws.sign import sign_at
from lokeys.adapters.http import Bounds, Reply, bounded_request
from lokeys.core.place import Ref
from lokeys.core.trust.fetched import DocumentKind, Fetched
from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    NotReadable,
    Throttled,
)
from lokeys.ports import Clock

CREDENTIALS_S = 20.0
MAX_PAGES = 20
_BOUNDS = Bounds(total_s=15.0, max_bytes=1 << 20)
_VERSION = "2010-05-08"
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_REFUSED = frozenset(
    {"InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken"}
)
_SLOWER = frozenset({"Throttling", "ThrottlingException"})
_BUSY = frozenset({"LimitExceeded", "LimitExceededException", "EntityTemporarilyUnmodifiable"})
_NOT_HERE = frozenset({"MethodNotAllowed", "NotImplemented", "InvalidAction", "InvalidRequest"})


async def ambient_credentials(profile: str | None = None) -> Any:
    """Return the credentials that AWS's own tools would use here. Raises BadInput, NotReadable."""
    from botocore.session import Session  # noqa: PLC0415 - reads files and the environment

    def find() -> Any:
        found = Session(profile=profile).get_credentials()
        return found.get_frozen_credentials() if found else None

    try:
        async with asyncio.timeout(CREDENTIALS_S):
            found = await asyncio.to_thread(find)
    except TimeoutError:
        raise NotReadable("the AWS credentials of this machine: no answer in time") from None
    except BotoCoreError as problem:
        raise BadInput(f"the AWS credentials of this machine: {type(problem).__name__}") from None
    if found is None:
        raise BadInput(
            "no AWS credentials here to ask IAM with",
            hint="log in as for `aws`, or hand in documents: --trust-policy FILE --policy FILE",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Iam:
    """IAM at one address, as one caller. Answers hold no secrets; requests are bounded."""

    client: httpx2.AsyncClient
    credentials: Any = field(repr=False)
    endpoint: str
    region: str
    clock: Clock

    async def documents(self, role: str, provider_arn: str) -> AsyncIterator[Fetched]:
        """Yield a role's trust policy, all its policies and the identity provider.

        What does not exist has no content; what the caller may not read raises Forbidden.
        """
        of = Ref("Role", role)
        try:
            said = await self.call("GetRole", RoleName=role)
        except NotFound:
            yield Fetched(kind=DocumentKind.TRUST, of=of, content=None)
        else:
            trust = _document(_text(said, "AssumeRolePolicyDocument"))
            yield Fetched(kind=DocumentKind.TRUST, of=of, content=trust)
            async for policy in self._policies(role):
                yield Fetched(kind=DocumentKind.POLICY, of=of, content=policy)
        yield await self._provider(provider_arn)

    async def _policies(self, role: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield all policies of a role; one that grants nothing if it has none."""
        none = True
        async for name in self._names("ListRolePolicies", "PolicyNames/member", RoleName=role):
            said = await self.call("GetRolePolicy", RoleName=role, PolicyName=name)
            none = False
            yield _document(_text(said, "PolicyDocument"))
        async for arn in self._names("ListAttachedRolePolicies", "member/PolicyArn", RoleName=role):
            said = await self.call("GetPolicy", PolicyArn=arn)
            version = _text(said, "DefaultVersionId")
            said = await self.call("GetPolicyVersion", PolicyArn=arn, VersionId=version)
            none = False
            yield _document(_text(said, "PolicyVersion/Document"))
        if none:
            yield {"Statement": []}

    async def _provider(self, arn: str) -> Fetched:
        of = Ref("OIDCProvider", arn)
        try:
            said = await self.call("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
        except NotFound:
            return Fetched(kind=DocumentKind.PROVIDER, of=of, content=None)
        content = {
            "Url": _text(said, "Url"),
            "ClientIDList": [text for at, text in said if at.endswith("ClientIDList/member")],
        }
        return Fetched(kind=DocumentKind.PROVIDER, of=of, content=content)

    async def _names(self, action: str, end: str, **words: str) -> AsyncIterator[str]:
        marker: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            try:
                said = await self.call(action, **words, **marker)
            except _NotHere:
                return  # Ceph has no managed policies
            for at, text in said:
                if at.endswith(end):
                    yield text
            if _text(said, "IsTruncated") != "true":
                return
            marker = {"Marker": _text(said, "Marker")}
        raise NotReadable(f"IAM: {action} has more than {MAX_PAGES} pages")

    async def call(self, action: str, *, about: str = "", **words: str) -> Elements:
        """Return IAM's answer; `about` is named in errors, by default the first parameter.

        Raises NotFound, Forbidden, Throttled, Conflict if a quota is used up, NotReadable.
        """
        body = urlencode({"Action": action, "Version": _VERSION, **words}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        unsigned = AWSRequest(method="POST", url=f"{self.endpoint}/", data=body, headers=headers)
        signer = SigV4Auth(self.credentials, "iam", self.region)
        sign_at(signer, unsigned, now=self.clock())
        request = httpx2.Request(
            "POST", f"{self.endpoint}/", headers=dict(unsigned.headers.items()), content=body
        )
        reply = await bounded_request(self.client, request, bounds=_BOUNDS)
        said = read_xml(reply.body)
        if reply.status == 200 and said:
            return said
        raise _error(action, reply, said, about or next(iter(words.values()), ""))


class _NotHere(NotReadable):
    """A call that this store does not support."""


def _error(action: str, reply: Reply, said: Elements, name: str) -> Exception:
    code = _text(said, "Code")
    what = f"IAM's {action} of {name}"
    if code in ("NoSuchEntity", "NoSuchEntityException") or reply.status == 404:
        return NotFound(name)
    if code in _DENIED | _REFUSED:
        refused = f"the credentials it was asked with are refused ({code})"
        grant = f"AccessDenied; grant iam:{action} to whoever asks"
        return Forbidden(f"{what}: {grant if code in _DENIED else refused}")
    if code in _NOT_HERE or reply.status in (405, 501):
        return _NotHere(f"{what}: {code or reply.status}")
    if code in _BUSY:
        return Conflict(f"{what}: {code}")
    if code in _SLOWER or reply.status == 429:
        return Throttled(f"{what}: asked to slow down")
    return NotReadable(f"{what}: {code if code.isalnum() else ''} HTTP {reply.status}")


def elements_at(elements: Elements, end: str) -> list[str]:
    """Return the texts of all elements whose path ends with `end`, in order."""
    return [text for at, text in elements if f"/{at}".endswith(f"/{end}")]


def _text(elements: Elements, end: str) -> str:
    return next((text for at, text in elements if f"/{at}".endswith(f"/{end}")), "")


def _document(text: str) -> Mapping[str, Any]:
    """Return a policy; AWS encodes it as in a URL, Ceph does not."""
    for form in (text, unquote(text)):
        try:
            found = json.loads(form)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise NotReadable("IAM: a policy that is no JSON")
