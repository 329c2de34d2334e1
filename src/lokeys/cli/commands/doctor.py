# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor`: why can Loki not reach its storage?"""

from __future__ import annotations

import click

from lokeys.cli.doctor_output import DoctorCommand
from lokeys.cli.options import PROBES, Options, options_of


@click.command("doctor", cls=DoctorCommand)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--logs",
    multiple=True,
    metavar="FILE",
    help="A log to read, of any size, packed or not; `-` is stdin. Repeatable.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="Loki's own configuration, alone or beside a log: each place where a store is configured.",
)
@click.option(
    "--expand-env/--no-expand-env",
    "expands",
    default=None,
    help="--config: whether Loki runs with -config.expand-env=true.",
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
@click.option(
    "--since-bundle",
    metavar="DIR|TAR",
    help="Report only what is new since this older bundle, and what is gone.",
)
@click.option(
    "--watch", is_flag=True, help="Look every 30 s, and say what is new and what is gone."
)
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    files: tuple[str, ...],
    *,
    logs: tuple[str, ...],
    config: str | None,
    expands: bool | None,
    all_namespaces: bool,
    probe: str,
    bundle: str | None,
    since_bundle: str | None,
    watch: bool,
) -> int:
    """Find out why Loki cannot reach its storage.

    With logs it asks no cluster: kubectl logs loki-0 | lokeys doctor -

    What a FILE is, is told by its content: a log, Loki's own configuration, or a bundle.

    Without, it looks at every StorageCredential of the namespace, and at every Loki that none of
    them covers.
    """
    options = options_of(ctx)
    if (files or logs or config) and (bundle or since_bundle or watch):
        raise click.UsageError("a file is looked at alone, without --bundle and --watch", ctx)
    if expands is not None and config is None:
        raise click.UsageError("--expand-env is for --config", ctx)
    if watch and (bundle or options.output not in ("people", "json")):
        raise click.UsageError("--watch looks at a cluster, for people or with -o json", ctx)
    if files or logs or config is not None:
        from lokeys.cli import given_logs  # noqa: PLC0415 - a log needs no cluster's client

        if len(files) == 1 and not logs and config is None and given_logs.is_bundle(files[0]):
            return _of_bundle(options, files[0], probe=probe)
        return given_logs.examine(options, (*files, *logs), config=config, expands=expands)
    from lokeys.cli import live_doctor  # noqa: PLC0415

    asked = live_doctor.Asked(everywhere=all_namespaces, probe=probe, since=since_bundle)
    if bundle is not None:
        return live_doctor.run_on_bundle(options, bundle, asked)
    return live_doctor.run(options, asked, watching=watch)


def _of_bundle(options: Options, path: str, *, probe: str) -> int:
    from lokeys.cli import live_doctor  # noqa: PLC0415 - a log needs no cluster's client

    return live_doctor.run_on_bundle(options, path, live_doctor.Asked(probe=probe))
