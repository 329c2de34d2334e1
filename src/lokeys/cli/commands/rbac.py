# SPDX-License-Identifier: Apache-2.0
"""`lokeys rbac`: the Roles that the operator needs for one route or stack, and nothing more."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from lokeys.adapters.kubernetes.consents import named_by
from lokeys.cli.options import ManifestCommand, Options, options_of
from lokeys.cli.output import Printer
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.cli.stacks import stack_from_cluster, stack_from_file
from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.consent import origin_of
from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.place import Ref
from lokeys.core.rbac import (
    Account,
    RouteFacts,
    StackWish,
    all_stacks_roles,
    collect_roles,
    probe_roles,
    route_roles,
    stack_roles,
    unnamed,
)
from lokeys.core.route.bridging import allowed_bridge
from lokeys.core.route.model import RookSource, RouteSpec, bridging_ref
from lokeys.core.route.standing import owes_an_end
from lokeys.core.text.yaml import commented
from lokeys.errors import Forbidden, LokeysError
from lokeys.exit_codes import ExitCode

STACK, COLLECT, PROBE = "stack", "collect", "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRightsOptions:
    """The options of `lokeys rbac stack`."""

    name: str | None
    file: str | None
    every: bool
    wish: StackWish


@click.command("rbac", cls=ManifestCommand)
@click.argument("names", nargs=-1, metavar="[stack] [NAME] | collect | probe")
@click.option("-f", "--file", metavar="FILE", help="Take the resource from a file; `-` is stdin.")
@click.option(
    "--service-account", default="lokeys-system/lokeys", show_default=True, metavar="NS/NAME"
)
@click.option("--all", "every", is_flag=True, help="stack, collect: for the whole cluster.")
@click.option("--secret", "named", multiple=True, metavar="NAME", help="collect: these alone.")
@click.option("--secrets", is_flag=True, help="stack --all: any Secret may be read, too.")
@click.option("--tokens", is_flag=True, help="stack: the operator may try its tokens itself.")
@click.option("--openshift", is_flag=True, help="stack: the cluster is OpenShift.")
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    names: tuple[str, ...],
    file: str | None,
    service_account: str,
    *,
    every: bool,
    named: tuple[str, ...],
    secrets: bool,
    tokens: bool,
    openshift: bool,
) -> int:
    """Print the Roles and RoleBindings of one route, ready for `kubectl apply -f -`.

    With `stack` before the name, those of a LokiStack. `collect`: what `lokeys collect` reads.
    `probe`: what `lokeys probe credential --in-pod` takes.
    """
    account, options = _account(ctx, service_account), options_of(ctx)
    if names == (COLLECT,) and file is None:
        place = None if every else options.namespace or "default"
        roles = collect_roles(account, namespace=place, secrets=named)
        show(Printer(no_color=options.no_color), options, roles)
        return ExitCode.NOTHING_TO_REPORT
    if names == (PROBE,) and file is None and not (named or every):
        roles = probe_roles(account, namespace=options.namespace or "default")
        show(Printer(no_color=options.no_color), options, roles)
        return ExitCode.NOTHING_TO_REPORT
    if named:
        raise click.UsageError("--secret is for `lokeys rbac collect`", ctx)
    of_stack = names[:1] == (STACK,) and (len(names) > 1 or file is not None or every)
    if len(names) > (2 if of_stack else 1):
        raise click.UsageError("one name at a time", ctx)
    wish = StackWish(openshift=openshift, tokens=tokens, secrets=secrets)
    if not of_stack:
        if wish != StackWish() or every:
            raise click.UsageError("these options are for `lokeys rbac stack`", ctx)
        name = names[0] if names else None
        return run_session(options, lambda session: grant(session, name, file, account=account))
    name = names[1] if len(names) > 1 else None
    asked = StackRightsOptions(name=name, file=file, every=every, wish=wish)
    _sensible(ctx, asked)
    return _grant_stack(options, asked, account)


def _account(ctx: click.Context, word: str) -> Account:
    namespace, slash, name = word.partition("/")
    if not (namespace and slash and name):
        raise click.UsageError("--service-account is NAMESPACE/NAME", ctx)
    return Account(name=name, namespace=namespace)


def _sensible(ctx: click.Context, asked: StackRightsOptions) -> None:
    """Refuse options that contradict each other, or would grant the tokens of any account."""
    if asked.every and (asked.name or asked.file):
        raise click.UsageError("--all is for every stack: name none", ctx)
    if asked.every and asked.wish.tokens:
        raise click.UsageError("--tokens is granted to one stack at a time, never to all", ctx)
    if asked.wish.secrets and not asked.every:
        raise click.UsageError("--secrets goes with --all: one stack's Secrets are named", ctx)


def _grant_stack(options: Options, asked: StackRightsOptions, account: Account) -> int:
    """Print the permissions of one stack, or of all; reads only a stack in the cluster."""
    if not asked.every and asked.file is None:

        async def named(session: Session) -> int:
            stack = await stack_from_cluster(session, asked.name or "")
            roles = stack_roles(stack, wish=asked.wish, account=account)
            show(session.printer, session.options, roles)
            return ExitCode.NOTHING_TO_REPORT

        return run_session(options, named)
    if asked.file is None:
        roles = all_stacks_roles(wish=asked.wish, account=account)
    else:
        stack = stack_from_file(
            asked.file, name=asked.name, namespace=options.namespace or "default"
        )
        roles = stack_roles(stack, wish=asked.wish, account=account)
    show(Printer(no_color=options.no_color), options, roles)
    return ExitCode.NOTHING_TO_REPORT


async def grant(session: Session, name: str | None, file: str | None, *, account: Account) -> int:
    """Print the permissions of one route; return the exit code."""
    chosen = await route(session, name, file)
    known = await _known(session, chosen.spec)
    roles = route_roles(chosen.spec, account=account, known=known)
    show(session.printer, session.options, roles)
    for missing in unnamed(chosen.spec, known=known):
        session.printer.talk((f"left out: {missing}", "warning"))
    return ExitCode.NOTHING_TO_REPORT


def show(printer: Printer, options: Options, roles: list[dict[str, Any]]) -> None:
    """Print the objects as one List, or as YAML documents."""
    if options.output == "json":
        printer.json({"apiVersion": "v1", "kind": "List", "items": roles})
    else:
        printer.text("---\n".join(map(commented, roles)).rstrip("\n"))


async def _known(session: Session, spec: RouteSpec) -> RouteFacts:
    """Return the names that only the cluster has, as far as it shows them."""
    keys: tuple[str, ...] = ()
    generated = unnamed_endpoint = False
    behind: Ref | None = None
    if isinstance(spec.source, RookSource):
        with suppress(LokeysError):
            ref = Ref("CephObjectStoreUser", spec.source.user, spec.source.namespace)
            user = await session.objects.get(ref)
            named = rook.key_secrets(user)
            generated = not named.entries
            keys = named.named or await _generated(session, user, named.generated)
            store = await session.objects.get(
                Ref("CephObjectStore", named.store, spec.source.namespace)
            )
            unnamed_endpoint = origin_of(spec.bucket.endpoint) not in named_by(store)
    if spec.external_secret:
        with suppress(LokeysError):
            ref = Ref("ExternalSecret", spec.external_secret.name, spec.namespace)
            stores = read(await session.objects.get(ref)).stores
            behind = next(iter(stores), None)
    return RouteFacts(
        key_secrets=keys,
        generated=generated,
        secret_store=behind,
        endpoint_unnamed=unnamed_endpoint,
        bridge=await _allows_bridge(session, spec),
        stands=await _owes_an_end(session, spec),
    )


async def _allows_bridge(session: Session, spec: RouteSpec) -> bool:
    """Tell whether the source's owner lets a replaced key be valid again, if that is visible."""
    owner = bridging_ref(spec)
    with suppress(LokeysError):
        if owner is not None:
            return allowed_bridge(await session.objects.get(owner)) is not None
    return False


async def _owes_an_end(session: Session, spec: RouteSpec) -> bool:
    """Tell whether a bridge exists and must be ended, whatever is allowed by now."""
    with suppress(LokeysError):
        return owes_an_end(await session.objects.get(spec.ref))
    return False


async def _generated(session: Session, user: Json, ref: Ref) -> tuple[str, ...]:
    """Return the Secret that Rook made for the user; empty if another object has its name."""
    try:
        secret = await session.objects.get(ref)
    except Forbidden:
        return (ref.name,)  # the caller need not read it; the operator checks its owner
    return (ref.name,) if rook.is_generated_for(secret, user) else ()
