# SPDX-License-Identifier: Apache-2.0
"""Stage 2: update the vault's item, but never over somebody else's working key."""

from __future__ import annotations

from dataclasses import replace

from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.vault import RULE_OF_FAULT, is_foreign
from lokeys.core.route.hops import vault_ref
from lokeys.core.route.model import OnePasswordVault
from lokeys.core.route.plan.draft import Draft, Stop
from lokeys.core.route.plan.source import unseen, waiting
from lokeys.core.route.plan.steps import Action, Step
from lokeys.core.route.snapshot import Snapshot, VaultFault, VaultState, Why
from lokeys.core.sensitive import PairFacts
from lokeys.core.text.shell import command

PASSING = frozenset({VaultFault.UNREACHABLE, VaultFault.NOT_CONNECT, VaultFault.RATE_LIMITED})
"""Faults that may pass by themselves: lokeys waits and looks again."""


def plan_vault(course: Draft) -> Draft | Stop:
    """Return the plan with the write that the vault needs, if any."""
    snapshot, pair = course.snapshot, course.pair
    if snapshot.spec.vault is None:
        return course
    vault = snapshot.vault
    if vault is None or vault.pair is None:
        return _not_to_be_had(course, vault)
    if vault.pair.pair == pair.pair:
        return course
    if vault.fault is not None:
        return _not_to_be_had(course, vault)
    if not (vault.pair.blank or vault.pair.key_id == pair.key_id):
        stop = _guard_working_key(course, vault, vault.pair)
        if stop is not None:
            return stop
    return replace(course.then(_write(vault, vault.pair, pair)), vault_changes=True)


def _write(vault: VaultState, held: PairFacts, pair: PairFacts) -> Step:
    return Step(
        action=Action.WRITE_VAULT,
        hop=Hop.VAULT,
        target=vault.ref,
        why="it does not hold the source's pair",
        changes="both fields in one request, read back; nothing else of the item",
        pair=pair.pair,
        over=held.pair,
    )


def _guard_working_key(course: Draft, vault: VaultState, held: PairFacts) -> Stop | None:
    """Return why the vault's pair may not be overwritten (yet).

    A blank pair cannot work, nor can the id of the source's tested pair with another secret: those
    need no guard.
    """
    snapshot = course.snapshot
    if held.pair in snapshot.memory.source_held or course.policy.overwrite_foreign:
        return None
    verdict = snapshot.verdict(held)
    if verdict is not None and verdict.refused:
        return None
    if is_foreign(snapshot):
        return Stop(
            cause="foreign_key_in_vault",
            reason="the vault's pair works and was never the source's",
        )
    why = "whether its pair is alive is not known; it is not overwritten before"
    return Stop(steps=(waiting(vault.ref, Hop.VAULT, why, look_again_s=15.0),))


def _not_to_be_had(course: Draft, vault: VaultState | None) -> Draft | Stop:
    """Continue without the vault if the Secret is right already; otherwise wait, ask, or stop."""
    snapshot = course.snapshot
    if snapshot.secret is not None and snapshot.secret.pair.pair == course.pair.pair:
        return course
    gap = snapshot.missing(Hop.VAULT)
    if gap is not None and gap.why is Why.URL_NOT_ALLOWED:
        reason = f"the token's owner has not allowed the address of {_ref(snapshot)}"
        return Stop(cause="address_not_allowed", reason=reason)
    if gap is not None and gap.why is Why.NOT_ALLOWED:
        reason = f"{gap.ref} does not allow namespace {snapshot.spec.namespace}"
        return Stop(cause="token_not_allowed", reason=reason)
    if vault is None and gap is not None:
        return Stop(steps=(unseen(gap),))
    ref = vault.ref if vault else _ref(snapshot)
    fault = vault.fault if vault else None
    if fault is VaultFault.NOT_READABLE:
        return Stop(steps=(_by_hand(snapshot, ref),))
    if vault is None or fault is None or fault in PASSING:
        why = f"the vault cannot be read: {fault or 'nothing was said'}"
        return Stop(steps=(waiting(ref, Hop.VAULT, why, look_again_s=15.0),))
    return Stop(cause=RULE_OF_FAULT[fault].cause, reason=f"{ref}: {vault.detail or fault}")


def _ref(snapshot: Snapshot) -> Ref:
    return vault_ref(snapshot.spec) or snapshot.spec.ref


def _by_hand(snapshot: Snapshot, ref: Ref) -> Step:
    spec = snapshot.spec.vault
    fields = (
        f"its fields `{spec.fields.access_key_id}` and `{spec.fields.secret_access_key}`"
        if isinstance(spec, OnePasswordVault)
        else "both halves"
    )
    shows = command("lokeys bucket", snapshot.spec.name, "--reveal")
    return Step(
        action=Action.MANUAL,
        hop=Hop.VAULT,
        target=ref,
        why=f"lokeys cannot write here: copy the source's pair into {fields}; "
        f"`{shows}` shows it. It goes on when the content arrives in the Secret",
        look_again_s=5.0,
    )
