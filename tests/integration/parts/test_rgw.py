# SPDX-License-Identifier: Apache-2.0
"""The Ceph RGW that tests run on."""

import pytest

from parts.process import PartError
from parts.rgw import Rgw


def test_each_wrong_half_has_its_own_code(rgw: Rgw) -> None:
    """A wrong id and a wrong secret are told apart, and the right pair is let in."""
    key, secret = rgw.create_user("codes")
    assert rgw.request((key, secret), "PUT", "/codes").status_code == 200
    assert "InvalidAccessKeyId" in rgw.request(("NOBODY", secret), "GET", "/codes").text
    assert "SignatureDoesNotMatch" in rgw.request((key, "wrong"), "GET", "/codes").text


def test_sts_first_answers_access_denied_for_both(rgw_sts_first: Rgw) -> None:
    """In RGW's default order a wrong id and a wrong secret look alike."""
    key, secret = rgw_sts_first.create_user("alike")
    assert rgw_sts_first.request((key, secret), "PUT", "/alike").status_code == 200
    assert "AccessDenied" in rgw_sts_first.request(("NOBODY", secret), "GET", "/alike").text
    assert "AccessDenied" in rgw_sts_first.request((key, "wrong"), "GET", "/alike").text


def test_objects_survive_a_restart_of_rgw(rgw: Rgw) -> None:
    """Only RGW restarts; the store keeps what it has."""
    pair = rgw.create_user("keeper")
    rgw.request(pair, "PUT", "/keeper")
    rgw.request(pair, "PUT", "/keeper/line", b"kept")
    rgw.restart_rgw()
    assert rgw.request(pair, "GET", "/keeper/line").content == b"kept"


def test_a_refused_admin_command_shows_no_argument(rgw: Rgw) -> None:
    """The error of radosgw-admin does not repeat the secret it was given."""
    with pytest.raises(PartError) as refused:
        rgw.admin("key", "create", "--uid=ghost", "--access-key=A", "--secret-key=canary-secret")
    assert "canary-secret" not in str(refused.value)
