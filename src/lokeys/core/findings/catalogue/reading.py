# SPDX-License-Identifier: Apache-2.0
"""LK10xx: what could not be read, so that the report may be incomplete."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

NOT_ALLOWED_TO_READ = Rule(
    code="LK1001",
    severity=Severity.WARNING,
    title="reading is forbidden",
    message="{place} could not be read: {detail}",
    meaning="The account that lokeys uses lacks a permission.",
    why="What cannot be read cannot be compared, so the report may be incomplete.",
    remedy=(
        Remedy(
            text="grant exactly what this route needs",
            command=command("lokeys rbac -n {namespace} {name}").pipe("kubectl apply -f -"),
        ),
    ),
    rank=60,
)
NOT_FOUND = Rule(
    code="LK1002",
    severity=Severity.WARNING,
    title="something that the route names does not exist",
    message="{place} does not exist{detail}",
    meaning="A name in the route, or in an object that it leads to, does not exist.",
    why="What does not exist cannot be compared.",
    remedy=(Remedy(text="create it, or correct the name"),),
    rank=59,
)
UNREACHABLE_FROM_HERE = Rule(
    code="LK1003",
    severity=Severity.WARNING,
    title="no answer from here",
    message="{place} could not be reached from where lokeys runs: {detail}",
    meaning="This does not show whether Loki can reach it: names and networks differ.",
    why="The report may be incomplete.",
    remedy=(
        Remedy(text="connect through the API server: --reach forward"),
        Remedy(text="or run lokeys in the cluster"),
    ),
    rank=61,
)
CANNOT_BE_READ = Rule(
    code="LK1004",
    severity=Severity.INFO,
    title="this cannot be read from here",
    message="{place}: {detail}",
    meaning="Some things have no API that lokeys can use.",
    why="lokeys compares the neighboring hops instead.",
    rank=62,
)
GARBLED = Rule(
    code="LK1005",
    severity=Severity.WARNING,
    title="the answer is not valid",
    message="{place}: {detail}",
    meaning="The answer is not what this API returns: it is cut off, too large, or from another "
    "service.",
    why="lokeys decides nothing from it, so the report may be incomplete.",
    remedy=(Remedy(text="see what answers there; usually it is a proxy, or the address is wrong"),),
    rank=61,
)
