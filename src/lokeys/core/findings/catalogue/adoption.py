# SPDX-License-Identifier: Apache-2.0
"""LK0240 to LK0259: taking over a stack that another operator has made."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

RULERS_ACCOUNT_CHANGES = Rule(
    code="LK0240",
    severity=Severity.WARNING,
    title="the ruler gets a different service account",
    message="{place}: the ruler has run as `{former}` and will run as `{account}`; the subject of "
    "its tokens becomes system:serviceaccount:{namespace}:{account}",
    meaning="Except in two of OpenShift's tenancy modes, the previous operator does not give the "
    "ruler its own service account. lokeys always does, so that permissions on the storage need "
    "not be granted to a whole namespace.",
    why="A cloud that trusts only the former account refuses the ruler's tokens, and the ruler "
    "cannot read its rules.",
    remedy=(
        Remedy(
            text="before the ruler is restarted, let the cloud trust both accounts of the stack",
            command=command("lokeys iam {cloud} -n {namespace} {stack}"),
        ),
        Remedy(text="after the ruler's rollout, remove the trust of the former account"),
    ),
    rank=60,
)
WOULD_BE_LOST = Rule(
    code="LK0241",
    fault="would_be_lost",
    title="a takeover would lose something",
    message="{place}: {what}",
    meaning="The previous operator provides something for the stack that lokeys does not.",
    why="After the takeover nothing would look after it, and nothing would report that.",
    remedy=(
        Remedy(text="leave the stack with its current operator until lokeys supports this"),
        Remedy(
            text="or accept this loss by name",
            command=command("lokeys takeover -n {namespace} {stack} --accept-loss={loss}"),
            destructive=True,
        ),
    ),
    rank=10,
)
