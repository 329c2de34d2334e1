# SPDX-License-Identifier: Apache-2.0
"""What changes, and should be known first, when a stack of another operator is taken over."""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.findings.catalogue import adoption
from lokeys.core.findings.finding import Finding
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.resource.model import Component
from lokeys.core.stack.storage.model import CredentialMode
from lokeys.core.stack.storage.wording import tell

DEFAULT_ACCOUNT = "default"
_CLOUDS = {"s3": "aws", "azure": "azure", "gcs": "gcp"}


def rulers_account_changes(snapshot: StackSnapshot) -> Iterator[Finding]:
    """Yield that the ruler's tokens are for another account until the ruler is rolled."""
    stack, mode = snapshot.view.stack, snapshot.view.mode
    if stack is None or mode in (None, CredentialMode.STATIC):
        return
    ref = Ref("StatefulSet", names.name(stack, Component.RULER), stack.namespace)
    live = snapshot.objects.get(ref)
    account = names.service_account(stack, Component.RULER)
    if live is None or live.workload is None or live.content is not None:
        return
    former = live.workload.account or DEFAULT_ACCOUNT
    if former != account:
        cloud = _CLOUDS.get(stack.storage_type, "aws")
        words = {"former": former, "account": account, "cloud": cloud}
        yield tell(adoption.RULERS_ACCOUNT_CHANGES, ref, stack=stack.ref, words=words)
