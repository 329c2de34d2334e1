# SPDX-License-Identifier: Apache-2.0
"""A stack is read with what it names, and judged as its manifests would be."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fakes.ports import FakeObjects
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode
from lokeys.engine.stack.gather import gather, judge, storage_of
from lokeys.errors import Forbidden, NotFound, Unreachable
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Object, secret, stack

STACK = Ref("LokiStack", "my-stack", "logging")
STORAGE, OTHER = Ref("Secret", "loki-storage", "logging"), Ref("Secret", "other", "logging")
MANAGED = CloudEnvironment(openshift=True, aws_role_arn="arn:aws:iam::123456789012:role/loki")


class Failing(FakeObjects):
    """Objects of which one cannot be read."""

    def __init__(self, *objects: Mapping[str, Any], name: str, error: Exception) -> None:
        super().__init__(*objects)
        self.name, self.error = name, error

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        if ref.name == self.name:
            raise self.error
        return await super().get(ref)


def test_what_is_not_there_is_left_out() -> None:
    """It is for the judge to miss it."""
    found = asyncio.run(gather(FakeObjects(secret()), STACK, [STORAGE, OTHER]))
    assert (list(found.found), dict(found.refused)) == ([STORAGE], {})


def test_what_may_not_be_read_is_told_beside_the_rest() -> None:
    """One refusal hides nothing else."""
    refusal = Forbidden("not allowed")
    objects = Failing(secret(), name="other", error=refusal)
    found = asyncio.run(gather(objects, STACK, [OTHER, STORAGE]))
    assert (list(found.found), dict(found.refused)) == ([STORAGE], {OTHER: refusal})


def test_no_answer_at_all_is_raised() -> None:
    """Nothing is decided on half of it."""
    objects = Failing(name="other", error=Unreachable("no route"))
    with pytest.raises(Unreachable):
        asyncio.run(gather(objects, STACK, [OTHER]))


def test_a_stack_is_judged_with_what_was_found() -> None:
    """Faults as in `validate`, in the words of a cluster; hashes where there is something."""
    key = Fingerprinter(key=Sensitive(b"k" * 32), kept=True)

    def judged(found: Mapping[Ref, Object]) -> tuple[list[str | None], bool]:
        what = judge(
            STACK, stack(), found, now=NOW, environment=CloudEnvironment(), fingerprinter=key
        )
        return [each.fault for each in what.view.findings], bool(what.hashes.store)

    assert judged({STORAGE: secret()}) == ([], True)
    assert judged({}) == (["missing_storage_secret"], False)


def parsed(**words: str) -> LokiStack:
    """Return the stack, with words about its Secret."""
    found, _ = parse(
        stack(secret={"name": "loki-storage", "type": "s3", **words}), namespace="logging"
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("words", "values", "there", "mode"),
    [
        ({}, "s3 static", False, CredentialMode.STATIC),
        ({}, "s3 token-cco", True, CredentialMode.TOKEN_CCO),
        ({"credentialMode": "token-cco"}, "s3 token-cco", False, CredentialMode.TOKEN_CCO),
        ({"credentialMode": "static"}, "s3 static", True, CredentialMode.STATIC),
    ],
)
def test_managed_credentials_are_asked_for_or_are_there(
    words: dict[str, str], values: str, there: bool, mode: CredentialMode
) -> None:
    """Their Secret tells that this is a cluster which hands them out."""
    objects = [secret(SOUND[values])]
    objects += [secret({"a": "b"}, name="my-stack-managed-credentials")] if there else []
    _, reading = asyncio.run(storage_of(parsed(**words), FakeObjects(*objects), managed=MANAGED))
    assert reading.mode is mode


def test_a_managed_secret_that_cannot_be_looked_for_is_none() -> None:
    """A stack in files is tried without a cluster, too."""
    objects = Failing(
        secret(), name="my-stack-managed-credentials", error=Unreachable("no cluster")
    )
    _, reading = asyncio.run(storage_of(parsed(), objects, managed=MANAGED))
    assert reading.mode is CredentialMode.STATIC


def test_a_stack_without_its_secret_stores_nowhere() -> None:
    """That is for the caller to tell."""
    with pytest.raises(NotFound):
        asyncio.run(storage_of(parsed(), FakeObjects(), managed=MANAGED))
