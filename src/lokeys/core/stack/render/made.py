# SPDX-License-Identifier: Apache-2.0
"""The names of a stack's objects, whatever its storage is."""

from __future__ import annotations

from datetime import UTC, datetime

from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import render
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import S3, CloudEnvironment, CredentialMode

_ANY_OPTIONS = RenderOptions(
    now=datetime(2000, 1, 1, tzinfo=UTC),
    environment=CloudEnvironment(openshift=True, aws_role_arn="any"),
)


def made_of(
    stack: LokiStack, mode: CredentialMode = CredentialMode.STATIC
) -> frozenset[tuple[str, str]]:
    """Return kind and name of every object that rendering makes for a stack."""
    storage = S3(mode=mode, buckets=("any",), endpoint_host="any")
    found = render(stack, storage, options=_ANY_OPTIONS)
    return frozenset((each["kind"], each["metadata"]["name"]) for each in found)
