# SPDX-License-Identifier: Apache-2.0
"""Stage 3: bring the vault's pair into the Secret, in the way that works for its policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lokeys.core.findings.verdict import WORKS
from lokeys.core.kubernetes.makers import Maker
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.delivery import why_it_cannot_refresh
from lokeys.core.route.checks.wording import is_torn
from lokeys.core.route.made import RELEASE, kept_elsewhere, maker_of_secret, remedies, unread_vault
from lokeys.core.route.plan.draft import Draft, Stop
from lokeys.core.route.plan.source import unseen, waiting
from lokeys.core.route.plan.steps import Action, Step
from lokeys.core.route.snapshot import DeliveryState, SecretState, Snapshot, StoreState, Why
from lokeys.core.sensitive import PairFacts

FORCED_SYNCS_AT_MOST = 3
SYNC_TAKES = timedelta(seconds=10)
"""External Secrets does a forced sync in 0.1 s, or 3.3 s under 30 at once (measured)."""
RELEASE_TAKES = timedelta(minutes=5)
"""Flux's own time limit for an upgrade, which may wait for the pods."""
ASKED_AT_MOST = 3
ASKED_AGAIN_AFTER = timedelta(minutes=1)
"""Each time costs one request of the vault's quota; the maker also reads by itself."""
TORN_AGAIN_AFTER = timedelta(seconds=1)
STORE_LOOKS_AGAIN_AFTER = timedelta(minutes=1)


def plan_secret(course: Draft) -> Draft | Stop:
    """Return the plan with the refresh that the Secret needs, if any."""
    snapshot, pair = course.snapshot, course.pair
    secret = snapshot.secret
    if secret is not None and secret.pair.pair == pair.pair:
        return course
    gap = snapshot.missing(Hop.SECRET)
    if secret is None and (gap is None or gap.why is not Why.NOT_FOUND):
        if gap is not None:
            return Stop(steps=(unseen(gap),))
        ref, why = snapshot.spec.secret_ref, "it was not read"
        return Stop(steps=(waiting(ref, Hop.SECRET, why, look_again_s=15.0),))
    outcome: Step | Stop
    if snapshot.spec.values is not None:
        outcome = _render(course, pair)
    elif snapshot.spec.external_secret is None:
        outcome = _write(course, secret, pair)
    else:
        outcome = _refresh(course, secret, pair)
    if isinstance(outcome, Stop):
        return outcome
    return replace(course.then(outcome), secret_changes=True)


def _write(course: Draft, secret: SecretState | None, pair: PairFacts) -> Step | Stop:
    snapshot = course.snapshot
    maker = maker_of_secret(snapshot)
    if maker is not None:
        return _through(maker, snapshot, pair)
    if snapshot.spec.secret.inside is not None:
        return Stop(steps=(_by_hand(snapshot.spec.secret_ref, kept_elsewhere(snapshot.spec).text),))
    if secret is not None and (secret.managed_by_eso or secret.owner is not None):
        # It would be changed back, and the pods restarted each time.
        writer = secret.owner or "External Secrets"
        reason = f"{writer} writes {secret.ref}; the route names no ExternalSecret that delivers it"
        return Stop(cause="two_writers", reason=reason)
    if secret is not None and secret.immutable:
        return Stop(cause="secret_cannot_refresh", reason=f"{secret.ref} is immutable")
    if secret is not None:
        stop = _guard_working_key(course, secret)
        if stop is not None:
            return stop
    return Step(
        action=Action.WRITE_SECRET,
        hop=Hop.SECRET,
        target=snapshot.spec.secret_ref,
        why="it does not hold the source's pair, and no ExternalSecret delivers it",
        changes="both data keys in one apply",
        pair=pair.pair,
        over=secret.pair.pair if secret else None,
    )


def _render(course: Draft, pair: PairFacts) -> Step | Stop:
    """Bring the pair into the values, and have them rendered."""
    snapshot, values = course.snapshot, course.snapshot.values
    if values is None:
        gap = snapshot.missing(Hop.VALUES)
        why = "what the HelmRelease takes the pair from was not read"
        return Stop(steps=(unseen(gap) if gap else waiting(snapshot.spec.ref, Hop.VALUES, why),))
    maker = maker_of_secret(snapshot)
    if values.pair.pair == pair.pair and maker is not None:
        return _through(maker, snapshot, pair)
    if snapshot.spec.external_secret is None or snapshot.delivery is None:
        text = f"put the source's pair into {values.ref}, where it is kept"
        if values.maker is not None:
            text = next(iter(remedies(snapshot, values.maker))).text
        return Stop(steps=(_by_hand(values.ref, text),))
    stuck = why_it_cannot_refresh(snapshot.delivery, values)
    if stuck is not None:
        return Stop(cause="secret_cannot_refresh", reason=stuck)
    return _refresh(course, values, pair)


def _by_hand(ref: Ref, text: str) -> Step:
    return Step(
        action=Action.MANUAL,
        hop=Hop.DELIVERY,
        target=ref,
        why=f"{text}. It goes on when the content arrives",
        look_again_s=5.0,
    )


def _through(maker: Maker, snapshot: Snapshot, pair: PairFacts) -> Step | Stop:
    """Ask the Secret's maker to recreate it, a few times; after that a person is needed."""
    memory, ref = snapshot.memory, maker.ref or snapshot.spec.secret_ref
    asked = memory.asked_count if memory.asked_for == pair.pair else 0
    since = snapshot.at - memory.asked_at if asked and memory.asked_at else None
    rendering = ref.kind == RELEASE
    if since is not None and since < (RELEASE_TAKES if rendering else SYNC_TAKES):
        why = "it was asked to make the Secret anew"
        return Stop(steps=(waiting(ref, Hop.DELIVERY, why, look_again_s=1.0),))
    state = snapshot.maker
    asks = state is not None and not state.suspended and asked < ASKED_AT_MOST
    asks = asks and (not rendering or snapshot.spec.values is not None)
    if asks and (since is None or since >= ASKED_AGAIN_AFTER):
        return Step(
            action=Action.ASK_MAKER,
            hop=Hop.DELIVERY,
            target=ref,
            why="the Secret does not hold the source's pair; what it is made of may have changed",
            changes="one annotation",
            pair=pair.pair,
        )
    change = next(iter(remedies(snapshot, maker)))
    return Stop(steps=(_by_hand(ref, change.text),))


def _guard_working_key(course: Draft, secret: SecretState) -> Stop | None:
    """Return why the Secret's pair may not be overwritten (yet): a person may have set it."""
    held, snapshot = secret.pair, course.snapshot
    known = held.pair in snapshot.memory.source_held or held.key_id == course.pair.key_id
    if held.blank or known or course.policy.overwrite_foreign:
        return None
    verdict = snapshot.verdict(held)
    if verdict is not None and verdict.refused:
        return None
    if verdict is not None and verdict.answer in WORKS:
        reason = f"the pair in {secret.ref} works and was never the source's"
        return Stop(cause="two_writers", reason=reason)
    why = "whether its pair is alive is not known; it is not overwritten before"
    return Stop(steps=(waiting(secret.ref, Hop.SECRET, why, look_again_s=15.0),))


def _refresh(course: Draft, secret: SecretState | None, pair: PairFacts) -> Step | Stop:
    """Choose how to make External Secrets read: first what blocks it, then what works."""
    snapshot = course.snapshot
    delivery = snapshot.delivery
    if delivery is None:
        gap = snapshot.missing(Hop.DELIVERY)
        if gap is not None and gap.why is not Why.NOT_FOUND:
            return Stop(steps=(unseen(gap),))
        return Stop(cause="externalsecret_missing", reason="nothing delivers the Secret")
    blocked = _blocked(delivery)
    if blocked is not None:
        return blocked
    if delivery.immutable or (secret is not None and secret.immutable):
        return _recreate(course, delivery, secret, pair)
    if delivery.store is not None and (delivery.store.ready is False or not delivery.store.exists):
        return _revalidate(snapshot, delivery.store)
    pause = None if course.vault_changes else _pause(snapshot, delivery, secret, pair)
    return pause or _force(snapshot, delivery, secret, pair)


def _blocked(delivery: DeliveryState) -> Stop | None:
    if delivery.refresh_interval is None or delivery.stopped_by:
        culprit = delivery.stopped_by[0] if delivery.stopped_by else delivery.ref
        return Stop(cause="eso_stopped_by_bad_interval", reason=f"the refreshInterval of {culprit}")
    if delivery.target_owner is not None:
        return Stop(
            cause="eso_target_owned_by_other", reason=f"{delivery.target_owner} owns the Secret"
        )
    return None


def _recreate(
    course: Draft, delivery: DeliveryState, secret: SecretState | None, pair: PairFacts
) -> Step | Stop:
    """Delete an immutable Secret only if its key is dead and its successor is certain."""
    snapshot = course.snapshot
    if secret is None:
        return waiting(snapshot.spec.secret_ref, Hop.SECRET, "External Secrets is making it")
    stuck = Stop(cause="secret_cannot_refresh", reason=f"{secret.ref} is immutable")
    allowed = snapshot.spec.external_secret is not None and snapshot.spec.external_secret.recreate
    if not allowed or delivery.creation_policy != "Owner":
        return stuck
    refused = snapshot.verdict(secret.pair)
    if refused is None or not refused.refused:
        return replace(stuck, reason=f"{secret.ref} is immutable, and its pair is not refused")
    if delivery.store is None or delivery.store.ready is not True:
        return replace(stuck, reason=f"{secret.ref} is immutable, and the store is not ready")
    vault = snapshot.vault.pair if snapshot.vault else None
    if not course.vault_changes and (vault is None or vault.pair != pair.pair):
        return replace(stuck, reason=f"{secret.ref} is immutable, and what comes next is not known")
    return Step(
        action=Action.RECREATE_SECRET,
        hop=Hop.SECRET,
        target=secret.ref,
        why="it is immutable, the store refuses its pair, the vault's works, and `recreate` allows",
        changes="it is deleted (uid and resourceVersion must match); a new one is delivered",
        destructive=True,
        pair=pair.pair,
        over=secret.pair.pair,
    )


def _revalidate(snapshot: Snapshot, store: StoreState) -> Stop:
    """Make External Secrets check its store again: it does not notice a repaired token."""
    if not store.exists:
        return Stop(cause="eso_store_not_ready", reason=f"{store.ref} does not exist")
    asked = snapshot.memory.revalidated_at
    since = snapshot.at - asked if asked is not None else STORE_LOOKS_AGAIN_AFTER
    if since < STORE_LOOKS_AGAIN_AFTER:
        again = waiting(store.ref, Hop.DELIVERY, "the store is being looked at again")
        if since < SYNC_TAKES:
            return Stop(steps=(again,))
        return Stop(
            steps=(again,), cause="eso_store_not_ready", reason=f"{store.ref}: {store.message}"
        )
    step = Step(
        action=Action.REVALIDATE_STORE,
        hop=Hop.DELIVERY,
        target=store.ref,
        why="it says that it is not ready, and a mended token is noticed only when it is touched",
        changes="one annotation",
    )
    return Stop(steps=(step,))


def _pause(
    snapshot: Snapshot, delivery: DeliveryState, secret: SecretState | None, pair: PairFacts
) -> Stop | None:
    """Wait for a sync that was forced already; give up after three."""
    memory = snapshot.memory
    if memory.forced_for != pair.pair or memory.forced_at is None:
        return None
    torn = secret is not None and is_torn(snapshot, secret.pair, pair)
    since = snapshot.at - memory.forced_at
    if since < (TORN_AGAIN_AFTER if torn else SYNC_TAKES):
        return Stop(
            steps=(
                waiting(delivery.ref, Hop.DELIVERY, "the content is on its way", look_again_s=0.2),
            )
        )
    if memory.forced_count >= FORCED_SYNCS_AT_MOST:
        known = snapshot.vault is not None and snapshot.vault.pair is not None
        behind = "secret_behind_vault" if known else "secret_behind_source"
        said = delivery.last_event or delivery.message or unread_vault(snapshot)
        return Stop(
            cause="secret_pair_torn" if torn else behind,
            reason=f"{FORCED_SYNCS_AT_MOST} forced syncs did not bring the key"
            + (f": {said}" if said else ""),
        )
    return None


def _force(
    snapshot: Snapshot, delivery: DeliveryState, secret: SecretState | None, pair: PairFacts
) -> Step | Stop:
    over = secret.pair.pair if secret else None
    stuck = why_it_cannot_refresh(delivery, secret)
    if stuck is None or secret is None:
        return Step(
            action=Action.FORCE_SYNC,
            hop=Hop.DELIVERY,
            target=delivery.ref,
            why="the Secret does not hold the vault's pair",
            changes="one annotation; then both keys are awaited as one pair",
            pair=pair.pair,
            over=over,
        )
    if delivery.creation_policy == "Orphan":
        return Stop(
            cause="secret_cannot_refresh", reason=f"{stuck}, and an Orphan is never read again"
        )
    return Step(
        action=Action.SPOIL_DATA_HASH,
        hop=Hop.SECRET,
        target=snapshot.spec.secret_ref,
        why=f"a forced sync does nothing here ({stuck}); a wrong data-hash makes it read afresh",
        changes="one annotation of the Secret, which External Secrets corrects; no data",
        pair=pair.pair,
        over=over,
    )
