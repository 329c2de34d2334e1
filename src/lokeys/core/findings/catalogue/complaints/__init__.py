# SPDX-License-Identifier: Apache-2.0
"""The one table of storage complaints in logs, one row per complaint.

A row has the text that is logged, the rule that reports it, who logged it, and what it says about
the pod's key. Logs of live routes and log files are read with this table. It decides which finding
a line leads to and what the line means for a pod's key.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lokeys.core.findings.catalogue.complaints import (
    answers,
    around,
    azure,
    configuration,
    google,
    keys,
    permission,
    reaching,
    sts,
)
from lokeys.core.findings.complaint import Complaint, OfKey
from lokeys.core.findings.finding import Rule

COMPLAINTS: tuple[Complaint, ...] = (
    *configuration.FIRST,
    *around.FIRST,
    *keys.FIRST,
    *permission.FIRST,
    *answers.CLOCK,
    *sts.FIRST,
    *azure.FIRST,
    *google.FIRST,
    *reaching.FIRST,
    *answers.ROWS,
    *google.LAST,
    *reaching.LAST,
    *configuration.LAST,
    *sts.LAST,
)
"""Lines are compared in this order: the most specific complaint comes first."""

RULE_OF_CAUSE: Mapping[str, Rule] = MappingProxyType({each.cause: each.rule for each in COMPLAINTS})


def printed_by(rule: Rule) -> tuple[str, ...]:
    """Return the texts, in lowercase, whose log lines lead to a finding of this rule."""
    return tuple(
        dict.fromkeys(words for row in COMPLAINTS if row.rule is rule for words in row.phrases)
    )


def causes_that(*says: OfKey) -> frozenset[str]:
    """Return the causes of the complaints that say one of these things about the key."""
    return frozenset(each.cause for each in COMPLAINTS if each.of_key in says)
