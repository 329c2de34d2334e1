# SPDX-License-Identifier: Apache-2.0
"""Addresses: what is one, and what may be printed of it."""

import pytest

from lokeys.core.text.urls import NoUrl, as_printed, url


def test_a_url_needs_no_scheme_where_one_is_given() -> None:
    """Alibaba's endpoints are written as bare hosts."""
    found = url("OSS-cn-hangzhou.aliyuncs.com", scheme="https")
    assert str(found) == "https://oss-cn-hangzhou.aliyuncs.com"


def test_a_path_is_kept_where_it_may_be() -> None:
    """Keystone's URL has its version behind it."""
    assert str(url("HTTP://keystone:5000/v3/", with_path=True)) == "http://keystone:5000/v3"


@pytest.mark.parametrize(
    "text", ["https://a..b", "https://a b", "https://[::1", "https://ä", "https://", "ftp://a"]
)
def test_a_host_that_is_none_is_refused(text: str) -> None:
    """Without showing it: it may be a secret in the wrong place."""
    with pytest.raises(NoUrl) as refused:
        url(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["http://connect:8080", "https://a.example/api/v1", "https://[fd00::1]:9443"]
)
def test_an_address_is_printed_as_it_is(text: str) -> None:
    """Scheme, host, port and path."""
    assert as_printed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://user:canary@connect:8080",
        "http://canary@connect",
        "https://host/?sig=canary",
        "https://host/path?canary",
        "https://host/#canary",
        "https://host/can;ary",
        "https://host/can\x1bary",
        "https://host/" + "x" * 300,
        "https://ca nary/",
        "http://[canary",
        "canary",
        "s3://canary@host",
    ],
)
def test_an_address_that_holds_more_is_not_printed(text: str) -> None:
    """It may be a credential, or what a terminal or a shell obeys."""
    assert as_printed(text) == ""
