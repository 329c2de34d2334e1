# SPDX-License-Identifier: Apache-2.0
"""`lokeys discover`: follow a running Loki's key back, and print the resource for it."""

from __future__ import annotations

from functools import partial

import click

from lokeys.cli.names import named
from lokeys.cli.options import ManifestCommand, options_of
from lokeys.cli.owners import missing_consents
from lokeys.cli.routes import ref_of, what_exists
from lokeys.cli.session import Session, opens_bucket, run_session
from lokeys.core.route.discovery.model import Discovered, LokiWorkload
from lokeys.core.route.discovery.unfollowed import unfollowed
from lokeys.core.route.resource.render import render
from lokeys.core.text.shell import NoCommand
from lokeys.core.text.yaml import commented
from lokeys.engine.discover.route import Discoverer, settled
from lokeys.errors import BadInput, NotFound, NotReadable
from lokeys.exit_codes import ExitCode


@click.command("discover", cls=ManifestCommand)
@click.argument("workload", required=False, metavar="[KIND/NAME]")
@click.pass_context
def command(ctx: click.Context, workload: str | None) -> int:
    """Follow a running Loki's key back to its source, and print the StorageCredential for it.

    Without KIND/NAME: every Loki of the namespace. What could not be found out is marked CHANGE-ME.
    Nothing secret is printed.
    """
    return run_session(options_of(ctx), lambda session: discover(session, workload))


async def discover(session: Session, word: str | None) -> int:
    """Print what is known; return the exit code."""
    discoverer = Discoverer(session.objects)
    workloads = await _workloads(session, discoverer, word)
    opens = partial(opens_bucket, session)
    found = [await settled(each, opens) for each in await discoverer.routes(workloads)]
    show(session, found)
    for sentence in unfollowed(workloads):
        session.printer.talk((sentence, "warning"))
    for gap in dict.fromkeys(discoverer.gaps):
        session.printer.talk((f"not read: {gap}", "warning"))
    for each in found:
        for path in each.blanks:
            session.printer.talk((f"fill in {path}: {each.notes[path]}", "warning"))
    for each in found:
        await _ask_owners(session, each)
    told = bool(found) and not discoverer.gaps and not any(each.blanks for each in found)
    return ExitCode.NOTHING_TO_REPORT if told else ExitCode.INCOMPLETE


async def _ask_owners(session: Session, found: Discovered) -> None:
    """Show what the operator may not use yet, and the command with which its owner allows it."""
    if not found.sure or found.blanks or not found.lookable:
        return
    async for missing in missing_consents(session, found.spec):
        session.printer.talk((f"for the operator, the owner of {missing.place} allows it:", ""))
        try:
            session.printer.talk(("  ", ""), (str(missing.command), "command"))
        except NoCommand as reason:
            session.printer.talk((f"  no command is shown, as {reason}", "warning"))


def show(session: Session, found: list[Discovered]) -> None:
    """Print the manifests, with notes beside each field."""
    manifests = [(render(each.spec), each.notes) for each in found]
    if session.options.output == "json":
        items = [manifest for manifest, _ in manifests]
        single = len(items) == 1
        session.printer.json(
            items[0] if single else {"apiVersion": "v1", "kind": "List", "items": items}
        )
        return
    texts = [commented(manifest, notes) for manifest, notes in manifests]
    if texts:
        session.printer.text("---\n".join(texts).rstrip("\n"))


async def _workloads(
    session: Session, discoverer: Discoverer, word: str | None
) -> list[LokiWorkload]:
    if word is None:
        found = await discoverer.workloads(session.namespace)
        if not found:
            raise BadInput(
                f"no Loki in namespace {session.namespace}",
                hint="choose a namespace with -n, or name the workload: KIND/NAME",
            )
        return found
    if "/" not in word:
        name = named(word)
        raise BadInput(f"`{name}` names no object", hint=f"KIND/NAME, such as statefulset/{name}")
    ref = ref_of(word, session.namespace)
    try:
        return [await discoverer.workload(ref)]
    except NotFound as exc:
        hint = await what_exists(session, ref)
        raise BadInput(f"there is no {ref}", hint=hint) from exc
    except NotReadable as exc:
        raise BadInput(str(exc)) from exc
