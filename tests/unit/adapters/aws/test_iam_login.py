# SPDX-License-Identifier: Apache-2.0
"""Whose credentials IAM is asked with, and where they may go."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from lokeys.adapters.aws.iam_keys import IamUser
from lokeys.adapters.aws.iam_login import IamDoor, iam_address
from lokeys.core.place import Ref
from lokeys.core.route.model import AwsIamSource, Bucket, PairKeys, SecretRef
from lokeys.errors import LokeysError, NeedsHuman, NotAllowed
from unit.adapters.kubernetes.cluster_fakes import cluster, secret

ADMIN = SecretRef(name="iam-admin", keys=PairKeys(access_key_id="id", secret_access_key="key"))
AWS = Bucket(name="loki", endpoint="https://s3.eu-west-1.amazonaws.com", region="eu-west-1")
OTHER = Bucket(name="loki", endpoint="https://s3.example.com")


@pytest.mark.parametrize(
    ("endpoint", "region", "address"),
    [
        (None, "eu-west-1", ("https://iam.amazonaws.com", "us-east-1")),
        (None, "cn-north-1", ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1")),
        (
            "https://iam.us-gov.amazonaws.com",
            "us-east-1",
            ("https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
        ),
        ("https://iam.example.com", "eu-west-1", ("https://iam.example.com", "us-east-1")),
    ],
    ids=["AWS", "AWS in China", "GovCloud, named", "a store of one's own"],
)
def test_where_iam_is(endpoint: str | None, region: str, address: tuple[str, str]) -> None:
    """The partition of the bucket's region, or what the resource names."""
    source = AwsIamSource(user_name="loki", endpoint=endpoint)
    assert iam_address(source, replace(AWS, region=region)) == address


def door(
    *, endpoint: str | None = None, bucket: Bucket = AWS, urls: str = "", **changes: Any
) -> IamDoor:
    """Return the way to the user `loki`, with an admin's Secret that allows `urls`."""
    held = secret("iam-admin", namespace="ns", id="ADMINID", key="adminsecret")
    if urls:
        held["metadata"]["annotations"] = {"lokeys.dev/allowed-urls": urls}
    where, _ = cluster(held)
    whole: dict[str, Any] = {
        "cluster": where,
        "source": AwsIamSource(user_name="loki", admin=ADMIN, endpoint=endpoint),
        "bucket": bucket,
        "namespace": "ns",
        "callers_rights": False,
        "client": httpx2.AsyncClient(),
    }
    return IamDoor(**{**whole, **changes})


def login(found: IamDoor) -> IamUser:
    return asyncio.run(found.login())


def test_an_admins_pair_goes_to_awss_own_iam() -> None:
    """Without anybody's further word; and AWS's own keys to AWS's own S3."""
    user = login(door())
    assert user.iam.endpoint == "https://iam.amazonaws.com"
    assert user.consent.covers(AWS.endpoint)
    assert not login(door(bucket=OTHER)).consent.covers(OTHER.endpoint)
    clear = replace(AWS, endpoint="http://s3.eu-west-1.amazonaws.com")
    assert not login(door(bucket=clear)).consent.covers(clear.endpoint)


def test_another_address_needs_its_owners_word() -> None:
    """The admin's Secret names it, or the caller's own rights decide."""
    elsewhere = "https://iam.example.com"
    with pytest.raises(NotAllowed, match="iam-admin"):
        login(door(endpoint=elsewhere))
    assert login(door(endpoint=elsewhere, urls=elsewhere)).iam.endpoint == elsewhere
    assert login(door(endpoint=elsewhere, callers_rights=True)).iam.endpoint == elsewhere
    assert not login(door(endpoint=elsewhere, urls=elsewhere)).consent.covers(AWS.endpoint)


def test_the_operators_own_identity_gives_no_keys() -> None:
    """Any editor of a resource could name any user that this identity may change."""
    own = AwsIamSource(user_name="loki")
    with pytest.raises(NeedsHuman, match="adminSecretRef"):
        asyncio.run(door(source=own).login_to_give())
    assert door(source=own).place == Ref("IAMUser", "loki")
    assert asyncio.run(door().login_to_give()).name == "loki"


def test_half_a_pair_is_refused() -> None:
    """An admin's Secret without its secret key asks nothing."""
    where, _ = cluster(secret("iam-admin", namespace="ns", id="ADMINID"))
    with pytest.raises(LokeysError):
        login(door(cluster=where))


def test_nothing_of_the_admins_pair_is_shown() -> None:
    """Neither the way nor the user prints a key."""
    found = door()
    said = repr(found) + repr(login(found))
    assert "adminsecret" not in said
    assert "ADMINID" not in said
