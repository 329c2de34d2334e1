# SPDX-License-Identifier: Apache-2.0
"""`heal --bridge`: what a person is shown and asked before a replaced key is valid again."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from lokeys.adapters.kubernetes import disclosure
from lokeys.cli.routes import NamedRoute
from lokeys.cli.session import Session
from lokeys.core.route.bridging import Chance, Leave, NoBridge, chance, why_impossible
from lokeys.core.route.model import source_ref
from lokeys.core.text.words import printable
from lokeys.engine.route.look import Look, Lookout
from lokeys.errors import BadInput, NeedsHuman


def insist_on_record(session: Session, chosen: NamedRoute) -> None:
    """Refuse a bridge whose end nothing would record: the record is in the resource's status."""
    if chosen.remembers:
        return
    if not session.kept:
        raise BadInput(
            "a bridge needs fingerprints that outlive this run",
            hint="whoever may read the Secret lokeys-fingerprint can build one",
        )
    raise BadInput(
        "a bridge's end is kept in the StorageCredential's status, and this one is a file",
        hint="kubectl apply it, then name it",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The question, for one route. `yes`: it is answered already; `ask`: it must be asked."""

    session: Session
    chosen: NamedRoute
    yes: bool
    ask: bool


def leave_for(asking: Asking, look: Look, lookout: Lookout) -> Leave:
    """Return what a person allows the bridge to do, once they know which key it is.

    Raises NeedsHuman if no bridge is possible, and why; BadInput if nobody can be asked.
    """
    session, chosen = asking.session, asking.chosen
    leave = Leave(asked=True, keeps=True)
    found = chance(look.snapshot, leave)
    if found is None:
        _say_why_none(session, look)
        return leave
    if found.refusal is NoBridge.NOT_RECORDED:
        said = _question(chosen, found, lookout)
        if asking.yes or (asking.ask and _confirmed(said)):
            return Leave(asked=True, keeps=True, unrecorded=True)
        session.printer.talk((said, "warning"))
        return leave
    if found.refusal is not None:
        raise NeedsHuman(f"no bridge: {found.reason}")
    return leave


def _say_why_none(session: Session, look: Look) -> None:
    snapshot = look.snapshot
    if snapshot.memory.bridge is not None:
        return
    if any(snapshot.key(pod).dead for pod in snapshot.pods):
        raise NeedsHuman(why_impossible(snapshot) or "no bridge is possible")
    session.printer.talk(
        ("no bridge is needed: no running pod holds a key that the store has lost", "")
    )


def _question(chosen: NamedRoute, found: Chance, lookout: Lookout) -> str:
    pair = lookout.pairs.get(found.pair.pair)
    key_id = printable(disclosure.access_key_id(pair)) if pair is not None else "unknown"
    return (
        f"nothing records that {source_ref(chosen.spec)} ever had the key {key_id}, which the pods "
        "hold; a key may have been removed because it leaked"
    )


def _confirmed(said: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInput(said, hint="add --yes if this key may be valid again")
    if not click.confirm(f"{said}. Make it valid again?", err=True):
        raise NeedsHuman("not confirmed; nothing was changed")
    return True
