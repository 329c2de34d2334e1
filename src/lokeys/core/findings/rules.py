# SPDX-License-Identifier: Apache-2.0
"""Every finding there is, by its code. Codes are never reused; each has a page and a golden case.

LK01xx storage Secrets · LK02xx LokiStacks and schemas · LK03xx sources · LK04xx vaults
LK05xx External Secrets and the Secret · LK06xx pods and rollout · LK07xx trust in tokens
LK08xx the store's answers · LK09xx Loki's own configuration · LK10xx what could not be read
"""

from __future__ import annotations

from lokeys.core.findings.catalogue import (
    adoption,
    bridges,
    configuration,
    configuration_alone,
    delivery,
    lokistacks,
    operation,
    pods,
    reading,
    sources,
    storage_objects,
    storage_secrets,
    store,
    tenants,
    tokens,
    trust,
    vaults,
)
from lokeys.core.findings.catalogue.complaints import COMPLAINTS
from lokeys.core.findings.finding import Rule


def _rules() -> dict[str, Rule]:
    modules = (
        *(storage_secrets, storage_objects, lokistacks, operation, adoption, tenants),
        *(sources, vaults, delivery, pods, bridges, trust, tokens, store, configuration),
        *(configuration_alone, reading),
    )
    rules = [
        value for module in modules for value in vars(module).values() if isinstance(value, Rule)
    ]
    rules += [complaint.rule for complaint in COMPLAINTS]
    return {rule.code: rule for rule in sorted(rules, key=lambda rule: rule.code)}


RULES: dict[str, Rule] = _rules()
"""The catalogue by code."""


def explain(word: str) -> tuple[Rule, ...]:
    """Return the rules that a code or a cause names; empty if there is none."""
    rule = RULES.get(word.upper())
    if rule:
        return (rule,)
    return tuple(rule for rule in RULES.values() if word.lower() in rule.causes)
