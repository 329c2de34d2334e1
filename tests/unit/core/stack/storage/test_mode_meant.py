# SPDX-License-Identifier: Apache-2.0
"""A slip in the very key by which a Secret's mode is known: the mode that was meant is judged."""

import json

import pytest

from lokeys.core.stack.storage.model import CredentialMode
from lokeys.core.stack.storage.read import read_storage
from unit.core.stack.storage.secrets import (
    ACCOUNT,
    EXTERNAL,
    SECRET,
    SOUND,
    STACK,
    data_of,
    from_external_secret,
)

TOKEN = CredentialMode.TOKEN


def slipped(what: str, key: str, slip: str) -> dict[str, str]:
    """Return a sound Secret in which one key is spelt otherwise."""
    return {slip if name == key else name: text for name, text in SOUND[what].items()}


@pytest.mark.parametrize(
    ("what", "key", "slip"),
    [
        ("s3 token", "role_arn", "role-arn"),
        ("s3 token", "role_arn", "roleArn"),
        ("s3 token", "role_arn", "AWS_ROLE_ARN"),
        ("azure token", "client_id", "client-id"),
        ("azure token", "client_id", "clientId"),
        ("gcs token", "key.json", "key_json"),
        ("gcs static", "key.json", "keyjson"),
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["no mode is named", "the mode is named"])
def test_the_slip_is_told_and_no_other_mode_is_blamed(
    what: str, key: str, slip: str, named: bool
) -> None:
    """One key is missed, and what stands there instead is named; static keys are not asked for."""
    kind, mode = what.split()
    word = mode if named else None
    reading = read_storage(STACK, kind, word, secret=data_of(slipped(what, key, slip)))
    errors = [each for each in reading.findings if each.is_error]

    assert reading.mode == mode
    assert [(each.fault, each.field) for each in errors] == [("missing_field", key)]
    assert f"`{slip}`" in errors[0].message
    assert read_storage(STACK, kind, word, secret=data_of(SOUND[what])).findings == ()


def test_it_is_said_which_mode_the_key_makes() -> None:
    """Where it is the key that decides."""
    secret = data_of(slipped("s3 token", "role_arn", "role-arn"))
    missed = next(each for each in read_storage(STACK, "s3", None, secret=secret).findings)

    assert missed.message.endswith("`role-arn` looks like `role_arn`, with which the mode is token")


@pytest.mark.parametrize(
    ("what", "key", "slip"),
    [
        ("s3 token", "role_arn", "role_arn"),
        ("s3 token", "role_arn", "role-arn"),
        ("azure token", "client_id", "clientId"),
    ],
)
def test_a_stack_that_says_static_of_a_secret_for_tokens(what: str, key: str, slip: str) -> None:
    """The contradiction is told, and nobody is asked for an access key."""
    kind, _ = what.split()
    reading = read_storage(STACK, kind, "static", secret=data_of(slipped(what, key, slip)))
    told = {each.fault: each.field for each in reading.findings if each.is_error}

    assert reading.mode == "static"
    assert told["field_not_allowed"] == slip
    assert set(told.values()) == {slip, key}
    assert "credentialMode: token" in next(
        each.remedy[0].text for each in reading.findings if each.fault == "field_not_allowed"
    )


@pytest.mark.parametrize(
    ("what", "stray"),
    [("s3 static", "role-arn"), ("azure static", "clientId"), ("s3 token-cco", "roleArn")],
)
def test_a_stray_key_beside_whole_credentials_changes_no_mode(what: str, stray: str) -> None:
    """It is a warning that names the mode in which its like is read."""
    kind, mode = what.split()
    secret = data_of({**SOUND[what], stray: "x"})
    reading = read_storage(STACK, kind, mode, secret=secret)

    warnings = [each for each in reading.findings if each.fault == "unknown_field"]
    assert reading.mode == mode
    assert "which is read in mode token" in warnings[0].message


def test_half_of_a_static_pair_says_static() -> None:
    """A role beside it may be left over."""
    half = {"bucketnames": "loki", "access-key-id": "a", "role-arn": "b"}
    reading = read_storage(STACK, "s3", None, secret=data_of(half))

    assert reading.mode == "static"


def test_what_a_store_may_yet_bring_is_waited_for() -> None:
    """An item may have the very key; then the mode is not known."""
    open_ended = from_external_secret({"data": [{"secretKey": "role-arn"}], "dataFrom": [{}]})

    assert read_storage(STACK, "s3", None, secret=open_ended).mode is None


def test_a_file_that_may_yet_come_makes_no_mode() -> None:
    """Google's file says which mode it is; until it is there nobody knows."""
    template = {"data": {"bucketname": "loki"}, "mergePolicy": "Merge"}
    open_ended = from_external_secret({"target": {"template": template}, "dataFrom": [{}]})

    assert read_storage(STACK, "gcs", None, secret=open_ended).mode is None
    assert open_ended.ref == SECRET


def test_both_kinds_of_files_are_told_apart_under_another_name() -> None:
    """A service account's key stays static."""
    for file, mode in ((ACCOUNT, "static"), (EXTERNAL, "token")):
        secret = data_of({"bucketname": "loki", "audience": "a", "key_json": json.dumps(file)})
        assert read_storage(STACK, "gcs", None, secret=secret).mode == mode
