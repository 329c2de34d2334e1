# SPDX-License-Identifier: Apache-2.0
"""`lokeys operator`: the controller, in the cluster or from a laptop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import os

import click

from lokeys.cli.operator_environment import from_environment, images_from
from lokeys.cli.options import LokeysCommand, options_of
from lokeys.core.place import is_namespace
from lokeys.exit_codes import ExitCode
from lokeys.kube.kubeconfig import load
from lokeys.kube.kubeconfig_fields import is_host
from lokeys.operator.main import Settings, run
from lokeys.operator.stacks.operator import Choice
from lokeys.operator.stacks.reconciler import StackSettings

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the pod
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _OperatorCommand(LokeysCommand):
    """Its output is a log: there is no data in another form."""

    formats = ("people",)


def _host(ctx: click.Context, param: click.Parameter, value: str) -> str:
    # An invalid address would be looked up as a name.
    numeric = value.replace(".", "").isdigit()
    if not is_host(value) or (numeric and not _is_address(value)):
        raise click.BadParameter("neither an IP address nor a host's name", ctx, param)
    return value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _seconds(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value) or value < 1:
        raise click.BadParameter("not a number of seconds, 1 or more", ctx, param)
    return value


def _namespace(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not is_namespace(value):
        raise click.BadParameter("not a namespace's name", ctx, param)
    return value


@click.command(name="operator", cls=_OperatorCommand)
@click.option(
    "--system-namespace",
    default="lokeys-system",
    show_default=True,
    envvar="POD_NAMESPACE",
    callback=_namespace,
    help="Where the operator's own Lease and fingerprint key are.",
)
@click.option(
    "--port",
    default=8080,
    type=click.IntRange(0, 65535),
    show_default=True,
    help="Of /healthz, /readyz, /metrics.",
)
@click.option(
    "--host",
    default=lambda: _EVERYWHERE if "KUBERNETES_SERVICE_HOST" in os.environ else "127.0.0.1",
    callback=_host,
    show_default=f"{_EVERYWHERE} in a pod, else 127.0.0.1",
    help="Where those pages listen.",
)
@click.option(
    "--lokistacks",
    default="labelled",
    show_default=True,
    type=click.Choice(["all", "labelled", "none"]),
    help='Which LokiStacks to operate; labelled: those with lokeys.dev/managed: "true".',
)
@click.option(
    "--openshift", is_flag=True, help="The cluster is OpenShift, with the variables of its cloud."
)
@click.option(
    "--verify-every",
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    callback=_seconds,
    help="How often the credentials of LokiStacks are tried.",
)
@click.option(
    "--verify-tokens",
    is_flag=True,
    help="Ask for the tokens of LokiStacks' accounts and try them; a Role must allow it, too.",
)
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    *,
    system_namespace: str,
    port: int,
    host: str,
    lokistacks: str,
    openshift: bool,
    verify_every: float,
    verify_tokens: bool,
) -> int:
    """Look after every StorageCredential, and LokiStacks, until asked to stop.

    With -n only those of one namespace. Two or more replicas share a Lease; one of them acts.
    """
    options = options_of(ctx)
    logging.basicConfig(format=FORMAT, level=logging.INFO if options.verbose < 2 else logging.DEBUG)
    for chatty in ("httpx2", "httpcore2", "h2", "hpack"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    config = load(kubeconfig=options.kubeconfig, context=options.context)
    settings = Settings(
        config=config,
        namespace=options.namespace,
        system_namespace=system_namespace,
        host=host,
        port=port,
        lokistacks=Choice(lokistacks),
        verify_tokens=verify_tokens,
        stacks=StackSettings(
            environment=from_environment(os.environ, openshift=openshift),
            images=images_from(os.environ),
            verify_every_s=verify_every,
            operators_namespace=system_namespace,
        ),
    )
    asyncio.run(run(settings))
    return ExitCode.NOTHING_TO_REPORT
