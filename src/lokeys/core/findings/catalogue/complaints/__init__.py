# SPDX-License-Identifier: Apache-2.0
"""What a log can complain of, one row for each complaint: the one table.

A row has the words that are printed, the rule that tells them, who said them, and what they say of
the pod's key. Pods of live routes and files of logs are read by it, and which finding comes of a
line and what it means for a pod's key are taken from here.
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
"""In the order in which a line is compared with them: what says more comes first."""

RULE_OF_CAUSE: Mapping[str, Rule] = MappingProxyType({each.cause: each.rule for each in COMPLAINTS})


def printed_by(rule: Rule) -> tuple[str, ...]:
    """Return what logs print, in lowercase, where this rule's finding comes of it."""
    return tuple(
        dict.fromkeys(words for row in COMPLAINTS if row.rule is rule for words in row.phrases)
    )


def causes_that(*says: OfKey) -> frozenset[str]:
    """Return the causes of the complaints that say one of these things of the key."""
    return frozenset(each.cause for each in COMPLAINTS if each.of_key in says)
