# SPDX-License-Identifier: Apache-2.0
"""The Ceph RGW that tests run on."""

import httpx2
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts.process import PartError
from parts.rgw import Rgw


def s3(
    rgw: Rgw, pair: tuple[str, str], method: str, path: str, body: bytes = b""
) -> httpx2.Response:
    """Do one signed request."""
    request = AWSRequest(method=method, url=rgw.endpoint + path, data=body)
    S3SigV4Auth(Credentials(*pair), "s3", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    return httpx2.request(
        method, rgw.endpoint + path, content=body, headers=headers, trust_env=False
    )


def test_each_wrong_half_has_its_own_code(rgw: Rgw) -> None:
    """A wrong id and a wrong secret are told apart, and the right pair is let in."""
    key, secret = rgw.create_user("codes")
    assert s3(rgw, (key, secret), "PUT", "/codes").status_code == 200
    assert "InvalidAccessKeyId" in s3(rgw, ("NOBODY", secret), "GET", "/codes").text
    assert "SignatureDoesNotMatch" in s3(rgw, (key, "wrong"), "GET", "/codes").text


def test_sts_first_answers_access_denied_for_both(rgw_sts_first: Rgw) -> None:
    """In RGW's default order a wrong id and a wrong secret look alike."""
    key, secret = rgw_sts_first.create_user("alike")
    assert s3(rgw_sts_first, (key, secret), "PUT", "/alike").status_code == 200
    assert "AccessDenied" in s3(rgw_sts_first, ("NOBODY", secret), "GET", "/alike").text
    assert "AccessDenied" in s3(rgw_sts_first, (key, "wrong"), "GET", "/alike").text


def test_objects_survive_a_restart_of_rgw(rgw: Rgw) -> None:
    """Only RGW restarts; the store keeps what it has."""
    pair = rgw.create_user("keeper")
    s3(rgw, pair, "PUT", "/keeper")
    s3(rgw, pair, "PUT", "/keeper/line", b"kept")
    rgw.restart_rgw()
    assert s3(rgw, pair, "GET", "/keeper/line").content == b"kept"


def test_a_refused_admin_command_shows_no_argument(rgw: Rgw) -> None:
    """The error of radosgw-admin does not repeat the secret it was given."""
    with pytest.raises(PartError) as refused:
        rgw.admin("key", "create", "--uid=ghost", "--access-key=A", "--secret-key=canary-secret")
    assert "canary-secret" not in str(refused.value)
