# SPDX-License-Identifier: Apache-2.0
"""`lokeys bucket`: where Loki writes and as whom; creates user and bucket on request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from lokeys.adapters.kubernetes import disclosure
from lokeys.cli.options import LokeysCommand, options_of, route_arguments
from lokeys.cli.output import Line
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.report import report
from lokeys.core.route.model import RouteSpec, source_ref
from lokeys.core.route.slots import slot_to_json
from lokeys.core.route.snapshot import SourceState
from lokeys.core.sensitive import KeyPair, short
from lokeys.engine.route.holding import read_source
from lokeys.errors import BadInput, NeedsHuman, Unreachable
from lokeys.exit_codes import ExitCode
from lokeys.ports import RoutePorts

NEW_KEY_TAKES_S = 30


@click.command("bucket", cls=LokeysCommand)
@route_arguments
@click.option("--create", is_flag=True, help="Make the user and the bucket where they are missing.")
@click.option("--reveal", is_flag=True, help="Show the secret key, too: only to a terminal.")
@click.pass_context
def command(
    ctx: click.Context, name: str | None, file: str | None, create: bool, reveal: bool
) -> int:
    """Show endpoint, bucket, user, the source's current key id and all keys of the user.

    The secret key is shown with --reveal only, and to a terminal only.
    """
    options = options_of(ctx)
    if reveal and options.output != "people":
        raise click.UsageError("--reveal shows the secret key to people only", ctx)
    return run_session(
        options, lambda session: show(session, name, file, create=create, reveal=reveal)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What exists, and what this run created."""

    source: SourceState
    pair: KeyPair
    exists: bool
    made_user: bool = False
    made_bucket: bool = False


async def show(
    session: Session, name: str | None, file: str | None, *, create: bool, reveal: bool
) -> int:
    """Report the bucket and its user; return the exit code."""
    if reveal and not session.printer.interactive:
        raise BadInput("the secret key is only shown to a terminal", hint="leave --reveal out")
    chosen = await route(session, name, file)
    ports = session.wire(chosen.spec)
    if create:
        async with session.hold(chosen.spec):
            found = await _ensure(session, chosen.spec, ports)
    else:
        source, pair = await _source(chosen.spec, ports)
        exists = await ports.store.bucket_exists(pair)
        found = _Found(source=source, pair=pair, exists=exists)
    _show(session, chosen.spec, found, reveal=reveal)
    return ExitCode.NOTHING_TO_REPORT if found.exists else ExitCode.FINDINGS


async def _ensure(session: Session, spec: RouteSpec, ports: RoutePorts) -> _Found:
    """Make sure that user and bucket exist."""
    made_user = await ports.source.ensure_user()
    source, pair = await _source(spec, ports, wait=session if made_user else None)
    there = await ports.store.bucket_exists(pair)
    if not there:
        await ports.store.create_bucket(pair)
    return _Found(source=source, pair=pair, exists=True, made_user=made_user, made_bucket=not there)


async def _source(
    spec: RouteSpec, ports: RoutePorts, *, wait: Session | None = None
) -> tuple[SourceState, KeyPair]:
    """Return the source and its current pair; for a new user, once it has one."""
    for _ in range(NEW_KEY_TAKES_S if wait else 1):
        reading = await read_source(ports)
        state = reading.state
        whole = state is not None and state.pair is not None and not state.pair.blank
        if state is not None and reading.pair is not None and whole:
            return state, reading.pair
        if wait:
            await wait.sleep(1.0)
    gap = next(iter(reading.gaps), None)
    if gap is None:
        raise NeedsHuman(f"{source_ref(spec)} offers no whole key pair")
    said = f"{gap.ref}: {gap.why}" + (f": {gap.detail}" if gap.detail else "")
    raise Unreachable(f"the source's key cannot be read: {said}")


def _show(session: Session, spec: RouteSpec, found: _Found, *, reveal: bool) -> None:
    user, key_id = source_ref(spec), disclosure.access_key_id(found.pair)
    if session.options.output == "json":
        document = report(
            "BucketReport",
            endpoint=spec.bucket.endpoint,
            bucket=spec.bucket.name,
            user=user.name,
            accessKeyId=key_id,
            exists=found.exists,
            slots=_slots(found.source),
        )
        session.printer.json(document)
        return
    made_user = "  made just now" if found.made_user else ""
    state = "" if found.exists else "  does not exist: make it with --create"
    made_bucket = "  made just now" if found.made_bucket else state
    rows = (
        ("endpoint", spec.bucket.endpoint, ""),
        ("bucket", spec.bucket.name, made_bucket),
        ("user", str(user), made_user),
        ("key id", key_id, ""),
    )
    session.printer.lines(_row(*row) for row in rows)
    session.printer.lines(_slot_rows(found.source))
    if reveal:
        disclosure.show_secret(found.pair, label=f"  {'secret':<10}", to=session.printer.terminal)


def _slots(source: SourceState) -> list[dict[str, Any]] | None:
    if source.slots is None:
        return None
    return [slot_to_json(slot, present=source.pair) for slot in source.slots]


def _slot_rows(source: SourceState) -> Iterator[Line]:
    """Yield one line per key of the user, with what is known about it."""
    for slot in source.slots or ():
        own = source.pair is not None and slot.key_id == source.pair.key_id
        said = (
            "present" if own else "",
            "offered by the source's Secret" if slot.offered else "",
            f"declared by Secret {slot.declared_by}" if slot.declared_by else "",
            f"since {slot.since:%Y-%m-%dT%H:%M:%SZ}" if slot.since else "",
        )
        amiss = (
            "" if slot.active else "switched off",
            "not at the store" if slot.listed is False else "",
        )
        yield (
            (f"  {'key':<10}", "faint"),
            (f"{slot.hint}…  {short(slot.key_id)}", "strong"),
            ("".join(f"  {word}" for word in said if word), ""),
            ("".join(f"  {word}" for word in amiss if word), "warning"),
        )


def _row(label: str, value: str, note: str) -> Line:
    return ((f"  {label:<10}", "faint"), (value, "strong"), (note, "warning"))
