# SPDX-License-Identifier: Apache-2.0
"""`lokeys probe`: test a route's key, a stack's credentials, or given ones, link by link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from lokeys.cli import looking, screens
from lokeys.cli.given_credentials import GivenCredentials, run_given
from lokeys.cli.in_pod import job_for
from lokeys.cli.options import LokeysCommand, options_of, route_arguments
from lokeys.cli.probing import probe_stack
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.link import Link, held
from lokeys.core.findings.report import probe_report
from lokeys.core.findings.store_answers import SILENT, link_of
from lokeys.core.findings.verdict import REFUSED, WORKS, Answer, StoreVerdict
from lokeys.core.place import Hop
from lokeys.core.route.hops import HopView
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.sensitive import PairFacts
from lokeys.core.stack.storage.model import StorageType
from lokeys.core.text.yaml import to_yaml
from lokeys.engine.route.look import Look
from lokeys.exit_codes import ExitCode

CALLS = ("put", "get", "list", "delete")


@click.group("probe")
def command() -> None:
    """Test credentials, link by link."""


@command.command("credential", cls=LokeysCommand)
@route_arguments
@click.option("--in-pod", is_flag=True, help="Try the Secret's key in a Job next to Loki.")
@click.option("--image", metavar="IMAGE", help="--in-pod: the Job's image; it has lokeys in it.")
@click.pass_context
def credential(
    ctx: click.Context, name: str | None, file: str | None, *, in_pod: bool, image: str | None
) -> int:
    """Test a route's keys: each hop is read, each key is tried at the store.

    A try is one object of a fixed name, put, got, listed and deleted.

    With --in-pod a Job with the account and the labels of Loki's pods tries the key that Loki
    reads: it is printed, made, and removed.
    """
    if in_pod != (image is not None):
        raise click.UsageError("--in-pod and --image IMAGE go together", ctx)
    options = options_of(ctx)
    if image is not None:
        return run_session(options, lambda session: probe_in_pod(session, name, file, image=image))
    return run_session(options, lambda session: probe(session, name, file))


@command.command("stack", cls=LokeysCommand)
@click.argument("name", required=False)
@click.option(
    "-f",
    "--file",
    metavar="PATH",
    help="Take the LokiStack and its Secrets from here; `-` is stdin.",
)
@click.pass_context
def stack(ctx: click.Context, name: str | None, file: str | None) -> int:
    """Test a LokiStack's credentials as its pods would use them.

    For each service account: a token of the API server for the provider's audience, the exchange,
    and one object put, got, listed and deleted. A static key is tried at the store.
    """
    if name is None and file is None:
        raise click.UsageError("which LokiStack? give its name, or its manifest with -f", ctx)
    return run_session(options_of(ctx), lambda session: probe_stack(session, name, file))


_SECRETS_ON_ARGV = (
    *("--access-key-id", "--secret-access-key", "--access-key-secret", "--secret-key"),
    *("--session-token", "--account-key", "--key-json", "--password", "--token"),
)


def _refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(
            f"{param.opts[0]} takes no value here: a command line is there for all to read; "
            "hand secrets in by a Secret, the environment or a file",
            ctx,
        )


def _given_options(command: Any) -> Any:
    """Add the options of all kinds of given credentials to a command."""
    options: list[Any] = [
        click.argument("name", required=False, metavar="[SECRET]"),
        click.option(
            "-f", "--file", metavar="PATH", help="A manifest of the Secret; `-` is stdin."
        ),
        *(
            click.option(word, hidden=True, expose_value=False, callback=_refuse)
            for word in _SECRETS_ON_ARGV
        ),
        click.pass_context,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@command.command("s3", cls=LokeysCommand)
@click.option("--bucket", metavar="NAME", help="The bucket.")
@click.option("--endpoint", metavar="URL", help="The store; AWS's own if none is named.")
@click.option("--region", metavar="NAME", help="The region.")
@click.option("--path-style", is_flag=True, help="The bucket in the path, not in the host.")
@click.option("--secret-key-file", metavar="FILE", help="A file with the secret key alone.")
@click.option("--ca-file", metavar="FILE", help="The store's CA, as PEM.")
@_given_options
def s3(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    name: str | None,
    file: str | None,
    *,
    bucket: str | None,
    endpoint: str | None,
    region: str | None,
    path_style: bool,
    secret_key_file: str | None,
    ca_file: str | None,
) -> int:
    """Test an S3 key: one object put, got, listed and deleted.

    The key comes from a Secret (its name, or a manifest with -f), or from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY.
    """
    words = {"bucketnames": bucket, "endpoint": endpoint, "region": region}
    words["forcepathstyle"] = "true" if path_style else None
    secret_files = {"access_key_secret": secret_key_file}
    return _probe_given(ctx, StorageType.S3, name, file, words, secret_files, ca_file)


@command.command("azure", cls=LokeysCommand)
@click.option("--account", metavar="NAME", help="The storage account.")
@click.option("--container", metavar="NAME", help="The container.")
@click.option("--environment", metavar="NAME", help="Azure's cloud. [default: AzureGlobal]")
@click.option("--account-key-file", metavar="FILE", help="A file with the account key alone.")
@_given_options
def azure(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    name: str | None,
    file: str | None,
    *,
    account: str | None,
    container: str | None,
    environment: str | None,
    account_key_file: str | None,
) -> int:
    """Test an Azure storage account's key: one blob put, got, listed and deleted.

    It comes from a Secret (its name, or a manifest with -f), or from AZURE_STORAGE_KEY.
    """
    words = {"account_name": account, "container": container, "environment": environment}
    secret_files = {"account_key": account_key_file}
    return _probe_given(ctx, StorageType.AZURE, name, file, words, secret_files, None)


@command.command("gcs", cls=LokeysCommand)
@click.option("--bucket", metavar="NAME", help="The bucket.")
@click.option("--key-file", metavar="FILE", help="The service account's key.json.")
@_given_options
def gcs(
    ctx: click.Context,
    name: str | None,
    file: str | None,
    *,
    bucket: str | None,
    key_file: str | None,
) -> int:
    """Test a Google service account's key: one object put, got, listed and deleted.

    It comes from a Secret (its name, or a manifest with -f), or from the file that
    GOOGLE_APPLICATION_CREDENTIALS names.
    """
    words, secret_files = {"bucketname": bucket}, {"key.json": key_file}
    return _probe_given(ctx, StorageType.GCS, name, file, words, secret_files, None)


def _probe_given(  # noqa: PLR0913, PLR0917 - all that the command line said
    ctx: click.Context,
    kind: StorageType,
    name: str | None,
    file: str | None,
    words: Mapping[str, str | None],
    secret_files: Mapping[str, str | None],
    ca_file: str | None,
) -> int:
    given = GivenCredentials(
        type=kind,
        name=name,
        file=file,
        words={key: text for key, text in words.items() if text},
        secret_files={key: path for key, path in secret_files.items() if path},
        ca_file=ca_file,
    )
    return run_given(given, options_of(ctx))


async def probe_in_pod(session: Session, name: str | None, file: str | None, *, image: str) -> int:
    """Report each link as a pod beside Loki sees it; return the exit code."""
    chosen = await route(session, name, file)
    job = await job_for(session.objects, chosen, image=image)
    for line in to_yaml(job).rstrip().split("\n"):
        session.printer.talk((line, "faint"))
    return _told(session, chosen.spec.route, await session.run_job(job), complete=True)


async def probe(session: Session, name: str | None, file: str | None) -> int:
    """Report each link of a route; return the exit code."""
    chosen = await route(session, name, file)
    look = (await looking.look_at(session, chosen, probe="write")).look
    bucket = chosen.spec.bucket
    way = await session.way(bucket.endpoint, bucket.ca_bundle)
    links = list(links_of(look, way))
    return _told(session, chosen.spec.route, links, complete=look.diagnosis.complete)


def _told(session: Session, route_name: str, links: Sequence[Link], *, complete: bool) -> int:
    """Print the links; return the exit code."""
    if session.options.output == "json":
        session.printer.json(probe_report(route_name, links))
    else:
        session.printer.lines([((route_name, "strong"),)])
        session.printer.lines(screens.link_lines(links, width=session.printer.width))
        session.printer.lines(screens.first_broken_lines(links, width=session.printer.width))
    if any(link.ok is False for link in links):
        return ExitCode.FINDINGS
    open_links = any(link.untried for link in links)
    whole = not open_links and complete
    return ExitCode.NOTHING_TO_REPORT if whole else ExitCode.INCOMPLETE


def links_of(look: Look, way: Sequence[Link] = ()) -> Iterator[Link]:
    """Yield the links of a route: hops, the path to the store, the calls with each key."""
    snapshot = look.snapshot
    for view in look.diagnosis.hops:
        if view.hop is not Hop.STORE:
            yield _hop_link(view, look)
    yield from (replace(link, name=f"store: {link.name}") for link in way)
    tried: set[str] = set()
    for holder, pair in _holders(snapshot):
        if pair is not None and pair.pair not in tried:
            tried.add(pair.pair)
            yield from _calls(f"store, {holder}'s key", pair, snapshot)


def _holders(snapshot: Snapshot) -> Iterator[tuple[str, PairFacts | None]]:
    yield "Secret", snapshot.secret.pair if snapshot.secret else None
    yield "source", snapshot.source.pair if snapshot.source else None
    yield "vault", snapshot.vault.pair if snapshot.vault else None


def _hop_link(view: HopView, look: Look) -> Link:
    name = view.hop.value if view.hop is not Hop.PODS else view.ref.name
    gap = look.snapshot.missing(view.hop)
    finding = next((f for f in look.diagnosis.findings if f.hop is view.hop and f.is_error), None)
    ok = None if gap else (view.agrees is not False and finding is None)
    detail = view.detail or str(view.ref)
    return Link(name=name, ok=ok, detail=detail, cause=finding.cause if finding else None)


_OF_THE_SIGNATURE = REFUSED | {Answer.CLOCK_SKEW, Answer.WRONG_REGION}


def _signature(label: str, verdict: StoreVerdict | None) -> Link:
    """Return whether the store accepted the key and its signature, whatever it may do then."""
    name = f"{label}: signature"
    if verdict is None or verdict.answer in SILENT:
        return Link(name=name, ok=None)
    if verdict.answer in _OF_THE_SIGNATURE:
        return link_of(name, verdict, verdict.detail or str(verdict.answer))
    return held(name) if verdict.answer in WORKS else Link(name=name, ok=None)


def _calls(label: str, pair: PairFacts, snapshot: Snapshot) -> Iterator[Link]:
    verdict = snapshot.verdict(pair)
    reached = verdict is not None and not verdict.accepted and verdict.action in CALLS
    yield _signature(label, verdict)
    failed_at = CALLS.index(verdict.action) if verdict is not None and reached else len(CALLS)
    for number, call in enumerate(CALLS):
        name = f"{label}: {call}"
        if verdict is None or number > failed_at:
            yield Link(name=name, ok=None)
        elif number < failed_at:
            yield held(name)
        else:
            yield link_of(name, verdict, verdict.detail or str(verdict.answer))
