# SPDX-License-Identifier: Apache-2.0
"""`lokeys rbac`: the Roles that the operator needs for one route, and nothing more."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from lokeys.adapters.cluster import at, mappings_at, text_at
from lokeys.adapters.external_secrets import store_ref_of
from lokeys.cli.options import ManifestCommand, Options, options_of, route_arguments
from lokeys.cli.output import Printer
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.core.commented import commented_yaml
from lokeys.core.model import Ref, RookSource, RouteSpec
from lokeys.core.rbac import Account, Known, route_roles, unnamed
from lokeys.errors import LokeysError


@click.command("rbac", cls=ManifestCommand)
@route_arguments
@click.option(
    "--service-account", default="lokeys-system/lokeys", show_default=True, metavar="NS/NAME"
)
@click.pass_context
def command(ctx: click.Context, name: str | None, file: str | None, service_account: str) -> int:
    """Print the Roles and RoleBindings of one route, ready for `kubectl apply -f -`."""
    namespace, slash, account_name = service_account.partition("/")
    if not (namespace and slash and account_name):
        raise click.UsageError("--service-account is NAMESPACE/NAME", ctx)
    account = Account(name=account_name, namespace=namespace)
    options = options_of(ctx)
    return run_session(options, lambda session: grant(session, name, file, account=account))


async def grant(session: Session, name: str | None, file: str | None, *, account: Account) -> int:
    """Print the rights of one route; return the exit code."""
    chosen = await route(session, name, file)
    known = await _known(session, chosen.spec)
    roles = route_roles(chosen.spec, account=account, known=known)
    show(session.printer, session.options, roles)
    for missing in unnamed(chosen.spec, known=known):
        session.printer.talk((f"left out: {missing}", "warning"))
    return 0


def show(printer: Printer, options: Options, roles: list[dict[str, Any]]) -> None:
    """Print the objects as one List, or as YAML documents."""
    if options.output == "json":
        printer.json({"apiVersion": "v1", "kind": "List", "items": roles})
    else:
        printer.text("---\n".join(map(commented_yaml, roles)).rstrip("\n"))


async def _known(session: Session, spec: RouteSpec) -> Known:
    """Return the names that only the cluster can tell, as far as it does."""
    store: str | None = None
    keys: tuple[str, ...] = ()
    behind: Ref | None = None
    if isinstance(spec.source, RookSource):
        with suppress(LokeysError):
            ref = Ref("CephObjectStoreUser", spec.source.user, spec.source.namespace)
            user = await session.objects.get(ref)
            store = text_at(user, "spec", "store") or None
            names = (
                text_at(at(entry, half), "name")
                for entry in mappings_at(user, "spec", "keys")
                for half in ("accessKeyRef", "secretKeyRef")
            )
            keys = tuple(sorted({name for name in names if name}))
    if spec.external_secret:
        with suppress(LokeysError):
            ref = Ref("ExternalSecret", spec.external_secret.name, spec.namespace)
            behind = store_ref_of(await session.objects.get(ref))
    return Known(rook_store=store, key_secrets=keys, secret_store=behind)
