# SPDX-License-Identifier: Apache-2.0
"""What must be true in the end, asked of the parts themselves and not of lokeys."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.homelab import NOTE, Homelab


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that must be true. `text` says what was found, `missing` what was not."""

    name: str
    title: str
    holds: bool
    text: str
    missing: str


def name_of(pair: KeyPair) -> str:
    """Return what may be shown of a pair: how its id begins."""
    return f"{pair.access_key_id.reveal_text()[:4]}…"


async def claims(home: Homelab, *, lines: list[str], shown: Iterable[str]) -> tuple[Claim, ...]:
    """Return the claims; `lines` are those that Loki has taken, `shown` is all that was said."""
    return (
        _writes(home),
        _reads(lines, await home.lines()),
        _hops_agree(home),
        _refusals(await home.refusals()),
        _note(home),
        _secrets(home, [*shown, _left_in_cluster(home)]),
    )


def _writes(home: Homelab) -> Claim:
    key, chunk = home.key, home.newest_chunk
    signer = chunk.signer if chunk else ""
    return Claim(
        name="loki_writes",
        title="Loki writes",
        holds=signer == key.access_key_id.reveal_text(),
        text=f"the store's newest chunk is signed with {name_of(key)}",
        missing="Loki does not write with the new key: the store has no chunk signed with it",
    )


def _reads(taken: list[str], found: set[str]) -> Claim:
    lost = set(taken) - found
    return Claim(
        name="no_line_lost",
        title="no line lost",
        holds=bool(taken) and not lost,
        text=f"all {len(taken)} are readable, the outage's among them",
        missing=f"{len(lost)} of {len(taken)} log lines cannot be read",
    )


def _hops_agree(home: Homelab) -> Claim:
    key = home.key
    held = {
        "Rook's Secret": home.source_pair,
        "the 1Password item": home.vault_pair,
        "the delivered Secret": home.delivered_pair,
        "the running Loki": home.running_pair,
    }
    others = ", ".join(name for name, pair in held.items() if pair != key)
    return Claim(
        name="hops_agree",
        title="one pair",
        holds=not others,
        text="RGW, Rook, 1Password, Secret and Loki hold the same",
        missing=f"another pair than RGW's is in {others}",
    )


def _refusals(count: int) -> Claim:
    return Claim(
        name="nothing_refused",
        title="no refusal",
        holds=count == 0,
        text="of the new pod's requests the store refused none",
        missing=f"{count} storage requests of the new pod were refused",
    )


def _note(home: Homelab) -> Claim:
    return Claim(
        name="nothing_else_touched",
        title="nothing else",
        holds=home.note == NOTE,
        text="the item's other field is as it was",
        missing="the item's other field was changed",
    )


def _secrets(home: Homelab, shown: list[str]) -> Claim:
    everything, secrets = "\n".join(shown), home.secrets
    seen = sum(_appears(secret, everything) for secret in secrets)
    return Claim(
        name="no_secret_shown",
        title="no secret",
        holds=not seen,
        text=f"{len(secrets)} in use: none here, in the log, status or events",
        missing=f"{seen} secrets were shown",
    )


def _appears(secret: Sensitive, everything: str) -> bool:
    return secret.reveal_text() in everything or b64encode(secret.reveal()).decode() in everything


def _left_in_cluster(home: Homelab) -> str:
    """Return what anybody may read there: events and the route with its status."""
    store = home.api.store
    return json.dumps([*store.select("Event"), *store.select("StorageCredential")])
