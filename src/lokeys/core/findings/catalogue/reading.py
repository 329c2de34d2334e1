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
    meaning="The account that asks lacks a right.",
    why="What cannot be read cannot be compared: the report is incomplete here.",
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
    title="something the route names does not exist",
    message="{place} does not exist{detail}",
    meaning="A name in the route, or in what it leads to, points at nothing.",
    why="What is not there cannot be compared.",
    remedy=(Remedy(text="create it, or correct the name"),),
    rank=59,
)
UNREACHABLE_FROM_HERE = Rule(
    code="LK1003",
    severity=Severity.WARNING,
    title="no answer from here",
    message="{place} could not be reached from where lokeys runs: {detail}",
    meaning="That says nothing about whether Loki reaches it: names and networks differ.",
    why="The report is incomplete here.",
    remedy=(
        Remedy(text="go through the API server: --reach forward"),
        Remedy(text="or run lokeys in the cluster"),
    ),
    rank=61,
)
CANNOT_BE_READ = Rule(
    code="LK1004",
    severity=Severity.INFO,
    title="this cannot be read from here",
    message="{place}: {detail}",
    meaning="Some things have no API that lokeys may use.",
    why="Neighbouring hops are compared instead.",
    rank=62,
)
GARBLED = Rule(
    code="LK1005",
    severity=Severity.WARNING,
    title="the answer makes no sense",
    message="{place}: {detail}",
    meaning="What came back is not what this API returns: cut off, too large, another service.",
    why="Nothing is decided on it; the report is incomplete here.",
    remedy=(Remedy(text="see what answers there; a proxy or a wrong address is the usual cause"),),
    rank=61,
)
