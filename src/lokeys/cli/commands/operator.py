# SPDX-License-Identifier: Apache-2.0
"""`lokeys operator`: the controller, in the cluster or from a laptop."""

from __future__ import annotations

import asyncio
import logging
import os

import click

from lokeys.cli.operator_environment import from_environment, images_from
from lokeys.cli.options import common_options, options_of
from lokeys.kube.kubeconfig import load
from lokeys.operator.main import Settings, run
from lokeys.operator.stack_operator import Choice
from lokeys.operator.stacks import Settings as StackSettings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command(name="operator", params=common_options(hidden=True))
@click.option(
    "--system-namespace",
    default="lokeys-system",
    show_default=True,
    envvar="POD_NAMESPACE",
    help="Where the operator's own Lease and fingerprint key are.",
)
@click.option("--port", default=8080, show_default=True, help="Of /healthz, /readyz, /metrics.")
@click.option("--host", default="0.0.0.0", show_default=True, help="Where those pages listen.")  # noqa: S104 - probes come from outside the pod
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
    help="How often the credentials of LokiStacks are tried.",
)
@click.option(
    "--verify-tokens",
    is_flag=True,
    help="Ask for the tokens of LokiStacks' accounts and try them; a Role must allow it, too.",
)
@click.pass_context
def command(  # noqa: PLR0913 - click hands over one argument an option
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
    """Look after every StorageCredential, and LokiStacks, until told to stop.

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
        ),
    )
    asyncio.run(run(settings))
    return 0
