# SPDX-License-Identifier: Apache-2.0
"""RGW's own IAM and STS: which issuer it trusts, and which accounts may play which role."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts.process import PartError
from parts.rgw import Rgw

# Ceph does not compare it: trust rests on whoever serves the issuer's URL.
THUMBPRINT = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What STS gives for a token, or why it gives nothing."""

    status: int
    code: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)

    @property
    def given(self) -> bool:
        return bool(self.access_key_id)


class Iam:
    """An administrator of one RGW, or of one of its tenants: what AWS calls accounts."""

    def __init__(self, rgw: Rgw, *, tenant: str = "", pair: tuple[str, str] | None = None) -> None:
        self._rgw = rgw
        self._tenant = tenant
        self._pair = pair

    def trust(self, issuer: str, *audiences: str) -> None:
        """Take tokens of this issuer for these audiences; again, with others, replaces them."""
        provider = {"OpenIDConnectProviderArn": provider_arn(issuer, self._tenant)}
        self._call("DeleteOpenIDConnectProvider", provider, may_miss=True)
        clients = {f"ClientIDList.member.{n}": name for n, name in enumerate(audiences, 1)}
        thumbprints = {"ThumbprintList.member.1": THUMBPRINT}
        self._call("CreateOpenIDConnectProvider", {"Url": issuer, **clients, **thumbprints})

    def make_role(
        self,
        name: str,
        *,
        issuer: str,
        audience: str,
        subjects: Sequence[str],
        buckets: Sequence[str],
    ) -> str:
        """Make a role that these accounts may play, with the buckets' objects; return its ARN."""
        provider = provider_arn(issuer, self._tenant)
        claim = provider.partition("/")[2]
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": [provider]},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {
                "StringEquals": {f"{claim}:sub": list(subjects), f"{claim}:aud": audience}
            },
        }
        made = self._call(
            "CreateRole",
            {"RoleName": name, "Path": "/", "AssumeRolePolicyDocument": _document([statement])},
        )
        found = re.search(r"<Arn>(.*?)</Arn>", made)
        assert found, made
        self.allow(name, buckets=buckets)
        return found[1]

    def allow(self, role: str, *, buckets: Sequence[str]) -> None:
        """Let the role list these buckets, and read, write and delete their objects; no others."""
        statements = [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3::{self._tenant}:{bucket}" for bucket in buckets],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": [f"arn:aws:s3::{self._tenant}:{bucket}/*" for bucket in buckets],
            },
        ]
        policy = {"PolicyName": "storage", "PolicyDocument": _document(statements)}
        self._call("PutRolePolicy", {"RoleName": role, **policy})

    def remove_role(self, name: str) -> None:
        """Remove a role; its sessions end with it."""
        policy = {"RoleName": name, "PolicyName": "storage"}
        self._call("DeleteRolePolicy", policy, may_miss=True)
        self._call("DeleteRole", {"RoleName": name}, may_miss=True)

    def assume(self, role_arn: str, token: str, *, duration_s: int = 900) -> Session:
        """Exchange a token, as a pod would: nobody signs this request."""
        parameters = {
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": role_arn,
            "RoleSessionName": "test",
            "WebIdentityToken": token,
            "DurationSeconds": str(duration_s),
            "Version": "2011-06-15",
        }
        answer = httpx2.post(self._rgw.endpoint, data=parameters, trust_env=False, timeout=10)
        return Session(
            status=answer.status_code,
            code=_element(answer.text, "Code"),
            access_key_id=_element(answer.text, "AccessKeyId"),
            secret_access_key=_element(answer.text, "SecretAccessKey"),
            session_token=_element(answer.text, "SessionToken"),
        )

    def request(
        self, session: Session, method: str, path: str, body: bytes = b""
    ) -> httpx2.Response:
        """Do one S3 request with what STS gave."""
        url = self._rgw.endpoint + path
        request = AWSRequest(method=method, url=url, data=body)
        keys = Credentials(session.access_key_id, session.secret_access_key, session.session_token)
        S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        return httpx2.request(method, url, content=body, headers=headers, trust_env=False)

    def _call(self, action: str, parameters: dict[str, str], *, may_miss: bool = False) -> str:
        url = f"{self._rgw.endpoint}/"
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest(method="POST", url=url, data=body, headers=kind)
        pair = self._pair or (self._rgw.admin_access_key, self._rgw.admin_secret_key)
        S3SigV4Auth(Credentials(*pair), "iam", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        answer = httpx2.post(url, content=body, headers=headers, trust_env=False, timeout=10)
        if not answer.is_success and not (may_miss and answer.status_code == 404):
            raise PartError(f"RGW's {action}: {answer.status_code} {answer.text}")
        return answer.text


def provider_arn(issuer: str, tenant: str = "") -> str:
    """Return the ARN by which RGW knows an issuer."""
    return f"arn:aws:iam::{tenant}:oidc-provider/{issuer.partition('://')[2]}"


def _document(statements: list[dict[str, Any]]) -> str:
    """Return a policy; RGW does not decode the `+` that stands for a blank in a form."""
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":"))


def _element(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found[1] if found else ""
