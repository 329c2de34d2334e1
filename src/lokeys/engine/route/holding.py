# SPDX-License-Identifier: Apache-2.0
"""Which pairs the hops of a look hold, and which of them is the source's current one.

A source with several keys does not say which is in use: the route does, and during a rotation its
phase. The readings contain the pairs themselves, so none of this is in the core.
"""

from __future__ import annotations

from dataclasses import replace

from lokeys.core.place import Ref
from lokeys.core.route.rotation.model import Rotation
from lokeys.core.route.slots import present
from lokeys.core.route.snapshot import KeptPair, SecretState, SourceState, VaultState
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.ports import Reading, RoutePorts


def held_pair(
    reading: Reading[SourceState] | Reading[VaultState] | Reading[SecretState],
) -> Fingerprint | None:
    """Return the pair that a hop holds, None if it holds none or that is not known."""
    return reading.state.pair.pair if reading.state and reading.state.pair else None


async def read_source(ports: RoutePorts) -> Reading[SourceState]:
    """Return what the source offers; other hops are read only if they must identify its pair."""
    source = await ports.source.read()
    state = source.state
    if state is None or state.pair is not None or state.names_itself:
        return source
    vault: Reading[VaultState] = await ports.vault.read() if ports.vault else Reading()
    held = await ports.secret.read()
    named = naming_present(source, vault.state, held.state)
    facts = named.state.pair if named.state else None
    hops = ((vault.state, vault.pair), (held.state, held.pair))
    shown = next((pair for hop, pair in hops if hop is not None and hop.pair == facts), None)
    return replace(named, pair=named.pair or shown)


def naming_present(
    source: Reading[SourceState],
    vault: VaultState | None,
    secret: SecretState | None,
    *,
    bridged: Fingerprint | None = None,
) -> Reading[SourceState]:
    """Return the source's state; if it does not say which key is current, with the route's.

    `bridged`: the id of a key that is valid again for a limited time. It is never the current one,
    even if the hops after the source still hold it.
    """
    state = source.state
    if state is None or state.pair is not None or state.names_itself:
        return source
    carried = (hop.pair if hop is not None else None for hop in (vault, secret))
    slots = tuple(slot for slot in state.slots or () if slot.key_id != bridged)
    facts = present(slots, tuple(carried))
    if facts is None:
        return source
    return replace(source, state=replace(state, pair=facts), pair=source.pairs.get(facts.pair))


def naming_wanted(
    source: Reading[SourceState], kept: Reading[KeptPair], rotation: Rotation | None
) -> Reading[SourceState]:
    """Return the source's state with the pair that a rotation wants everywhere in its phase.

    Both pairs are the user's own; the rotation decides which of them the hops must hold.
    """
    state, wanted = source.state, rotation.wanted if rotation is not None else None
    if state is None or wanted is None:
        return source
    slots = (slot.facts for slot in state.slots or () if slot.listed is not False)
    facts = next((each for each in slots if each is not None and each.pair == wanted), None)
    if facts is None:
        return source
    pair = source.pairs.get(wanted)
    if pair is None and kept.state is not None and kept.state.pair.pair == wanted:
        pair = kept.pair
    return replace(source, state=replace(state, pair=facts), pair=pair)


def declared_in(source: SourceState | None) -> frozenset[Ref]:
    """Return the Secrets in which the source itself keeps its keys: its issuer manages them."""
    if source is None:
        return frozenset()
    names = {slot.declared_by for slot in source.slots or () if slot.declared_by}
    home = source.owner.namespace
    return frozenset({source.ref, *(Ref("Secret", name, home) for name in names)})


def of_rotation(
    source: Reading[SourceState], rotation: Rotation | None
) -> dict[Fingerprint, KeyPair]:
    """Return the pairs of a rotation that the source itself can show."""
    return {
        name: pair
        for name, pair in source.pairs.items()
        if rotation is not None and rotation.owns(name)
    }


def vault_may_hold(
    reading: Reading[SourceState], bridged: Fingerprint | None
) -> frozenset[Fingerprint]:
    """Return what the vault may hold without being stale: pairs, or ids of keys."""
    own, slots = held_pair(reading), (reading.state.slots if reading.state else None) or ()
    several = [slot.pair or slot.key_id for slot in slots if slot.key_id != bridged]
    return frozenset(several if own is None else [own])


def worth_asking(
    readings: tuple[
        Reading[SourceState],
        Reading[VaultState],
        Reading[SecretState],
        Reading[SecretState],
        Reading[KeptPair],
    ],
) -> dict[Fingerprint, KeyPair]:
    """Return the pairs to test at the store: complete ones, each once."""
    held: dict[Fingerprint, KeyPair] = {}
    for reading in readings:
        facts = reading.state.pair if reading.state else None
        if facts is not None and reading.pair is not None and not facts.blank:
            held[facts.pair] = reading.pair
    return held
