# SPDX-License-Identifier: Apache-2.0
"""Taking over a stack: the ruler's new account is named until the ruler is rolled."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.stacks import StackWorld
from lokeys.core.operate.adoption import rulers_account_changes
from lokeys.core.operate.live import Live
from lokeys.core.place import Ref

RULER = Ref("StatefulSet", "my-stack-ruler", "logging")
TOKENS = {
    "bucketnames": "logs",
    "region": "eu-central-1",
    "role_arn": "arn:aws:iam::123456789012:role/loki",
}


def world(*, account: str | None, ours: bool = False, **secret: str) -> StackWorld:
    """Return a running stack with rules, made by another operator; no ruler without an account."""
    made = StackWorld()
    made.spec["rules"] = {"enabled": True}
    del made.spec["storage"]["secret"]["credentialMode"]
    assert made.secret
    made.secret["stringData"] = secret or TOKENS
    made.run()
    live = made.objects[RULER]
    assert live.workload
    if account is None:
        del made.objects[RULER]
    elif not ours:
        workload = replace(live.workload, account=account)
        made.objects[RULER] = replace(live, content=None, workload=workload)
    return made


@pytest.mark.parametrize("former", ["", "default", "my-stack"])
def test_another_account_is_named_with_what_to_do(former: str) -> None:
    """Whichever it was; the account to trust is named as tokens will name it."""
    (finding,) = rulers_account_changes(world(account=former).snapshot())
    assert finding.code == "LK0240"
    assert f"`{former or 'default'}`" in finding.message
    assert "system:serviceaccount:logging:my-stack-ruler" in finding.message
    assert str(finding.remedy[0].command) == "lokeys iam aws -n logging my-stack"


STATIC: dict[str, Any] = {
    "bucketnames": "logs",
    "endpoint": "http://rgw:80",
    "access_key_id": "AKIAQ4KLMN5OPQR6STUV",
    "access_key_secret": "x" * 40,
}


@pytest.mark.parametrize(
    "made",
    [
        lambda: world(account="my-stack-ruler"),
        lambda: world(account="", ours=True),
        lambda: world(account=None),
        lambda: world(account="", **STATIC),
    ],
    ids=["the same account", "already ours", "no ruler", "static keys"],
)
def test_nothing_is_said_where_no_token_changes(made: Any) -> None:
    """The account is of no matter where it stays, where it is ours, and where no token is used."""
    assert list(rulers_account_changes(made().snapshot())) == []


def test_nothing_is_said_of_a_stack_that_cannot_be_read() -> None:
    """Its other faults are told; the mode is not known."""
    broken = world(account="")
    broken.spec["size"] = "huge"
    assert list(rulers_account_changes(broken.snapshot())) == []


def former(live: Live) -> Live:
    """Return an object of which we have applied nothing."""
    workload = replace(live.workload, template=None) if live.workload else None
    return replace(live, content=None, workload=workload)


def test_the_status_warns_until_the_ruler_is_rolled() -> None:
    """The warning stands while others are rolled, and goes with the ruler's turn."""
    taken = world(account="")
    taken.objects = {ref: former(live) for ref, live in taken.objects.items()}
    taken.step()
    taken.tell()
    assert "LK0240" in taken.condition("Warning")["message"]
    taken.run()
    taken.tell()
    assert "LK0240" not in taken.condition("Warning")["message"]
