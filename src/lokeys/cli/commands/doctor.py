# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor`: why can Loki not reach its storage?"""

from __future__ import annotations

import click

from lokeys.cli.options import PROBES, LokeysCommand, options_of


@click.command("doctor", cls=LokeysCommand)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--logs",
    multiple=True,
    metavar="FILE",
    help="A log to read, of any size, packed or not; `-` is stdin. Repeatable.",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Look everywhere.")
@click.option(
    "--probe",
    type=click.Choice(PROBES),
    default="read",
    show_default=True,
    help="How keys are tried at the store: not at all, by a list, or also by one object.",
)
@click.option(
    "--bundle",
    metavar="DIR|TAR",
    help="What `lokeys collect` wrote, a must-gather, or dumped objects.",
)
@click.pass_context
def command(  # noqa: PLR0913 - click hands over one argument an option
    ctx: click.Context,
    files: tuple[str, ...],
    *,
    logs: tuple[str, ...],
    all_namespaces: bool,
    probe: str,
    bundle: str | None,
) -> int:
    """Find out why Loki cannot reach its storage.

    With logs it asks no cluster: kubectl logs loki-0 | lokeys doctor -

    Without, it looks at every StorageCredential of the namespace, and at every Loki that none of
    them covers.
    """
    options = options_of(ctx)
    if bundle is not None and (files or logs):
        raise click.UsageError("--bundle has logs of its own: look at one at a time", ctx)
    if files or logs:
        from lokeys.cli import given_logs  # noqa: PLC0415 - a log needs no cluster's client

        return given_logs.examine(options, (*files, *logs))
    from lokeys.cli import live_doctor  # noqa: PLC0415

    if bundle is not None:
        return live_doctor.run_on_bundle(options, bundle, everywhere=all_namespaces)
    return live_doctor.run(options, everywhere=all_namespaces, probe=probe)
