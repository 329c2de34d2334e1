# SPDX-License-Identifier: Apache-2.0
"""LK0240 to LK0259: taking over a stack that another operator has made."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

RULERS_ACCOUNT_CHANGES = Rule(
    code="LK0240",
    severity=Severity.WARNING,
    title="the ruler gets another service account",
    message="{place}: the ruler has run as `{former}` so far and will run as `{account}`; its "
    "tokens are then for system:serviceaccount:{namespace}:{account}",
    meaning="Outside two tenancy modes of OpenShift the operator before lokeys gives the ruler no "
    "account of its own. lokeys always does, so that rights to the storage need not be given to a "
    "whole namespace.",
    why="A cloud that trusts only the former account refuses the ruler's tokens: rules then read "
    "nothing.",
    remedy=(
        Remedy(
            text="let the cloud trust both accounts of the stack, before it is the ruler's turn",
            command=command("lokeys iam {cloud} -n {namespace} {stack}"),
        ),
        Remedy(text="once the ruler is rolled, take the trust of the former account back"),
    ),
    rank=60,
)
WOULD_BE_LOST = Rule(
    code="LK0241",
    fault="would_be_lost",
    title="a takeover would lose something",
    message="{place}: {what}",
    meaning="The stack has something from the operator before lokeys that lokeys does not act on.",
    why="After the takeover nobody would keep it right, and nothing would say so.",
    remedy=(
        Remedy(text="leave the stack with its present operator until lokeys acts on it"),
        Remedy(
            text="or accept this loss by its name",
            command=command("lokeys takeover -n {namespace} {stack} --accept-loss={loss}"),
            destructive=True,
        ),
    ),
    rank=10,
)
