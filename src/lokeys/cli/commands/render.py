# SPDX-License-Identifier: Apache-2.0
"""`lokeys render`: the objects that the operator would apply for a LokiStack. No cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lokeys.adapters.files.manifests import Located, read
from lokeys.cli.operator_environment import cloud_environment, environment_options
from lokeys.cli.options import ManifestCommand, Options, manifest_arguments, options_of
from lokeys.cli.output import Printer, escaped_json
from lokeys.clock import utc_now
from lokeys.core.findings.catalogue.storage_objects import MISSING_MANAGED_SECRET
from lokeys.core.findings.finding import Finding
from lokeys.core.findings.report import ignore_of
from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.place import Ref, is_name
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import Group, only, render
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.named import hashes_of, names_of
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.stacks import StackView
from lokeys.core.stack.validation.unbuilt import builder_of, is_changed
from lokeys.core.text.yaml import documents
from lokeys.core.validation.validate import Validation, validate
from lokeys.errors import BadInput
from lokeys.exit_codes import ExitCode

KEY_BYTES = 32
MAX_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInput:
    """The input, and what it is rendered against."""

    validation: Validation
    objects: PlacedObjects
    environment: CloudEnvironment
    now: datetime
    fingerprinter: Fingerprinter | None = None
    hosts: Mapping[Ref, str] = field(default_factory=dict)
    """The hosts of Routes."""


@click.command("render", cls=ManifestCommand)
@manifest_arguments
@click.option(
    "--only",
    "groups",
    multiple=True,
    type=click.Choice([group.value for group in Group]),
    help="Print only these objects. Repeatable.",
)
@click.option(
    "--fingerprint-key",
    metavar="FILE",
    help="The key of the Secret lokeys-fingerprint: adds the annotations that roll the pods.",
)
@click.option(
    "--diff",
    "against",
    metavar="FILE|cluster",
    help="Print what would change in a file's objects, or the cluster's; exit 3 if anything would.",
)
@environment_options
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    files: tuple[str, ...],
    more: tuple[str, ...],
    *,
    groups: tuple[str, ...],
    fingerprint_key: str | None,
    against: str | None,
    openshift: bool,
    token_cco: bool,
    operator_env: str | None,
) -> int:
    """Print the Kubernetes objects of each LokiStack, with Loki's configuration among them.

    Takes LokiStacks with their Secrets and CA ConfigMaps. Prints YAML documents, or with `-o json`
    one List; nothing if anything is wrong with the input. Nothing secret is printed.
    """
    options = options_of(ctx)
    paths = dict.fromkeys((*files, *more))
    located = [item for path in paths for item in read(path)]
    environment = cloud_environment(
        openshift=openshift, token_cco=token_cco, operator_env=operator_env
    )
    given = _given(located, options, environment, fingerprint_key)
    if not given.validation.stacks:
        raise BadInput("no LokiStack in here", place=", ".join(paths))
    printer = Printer(no_color=options.no_color)
    faults = (*in_the_way(given.validation), *_ambiguous(given), *_unbuilt(given))
    if faults:
        _refuse(printer, faults)
        return ExitCode.FINDINGS
    given = replace(given, hosts=_hosts(given, options, against))
    wanted = [Group(group) for group in groups]
    stacks = (only(found, wanted) for found in _rendered(given, printer))
    if against is not None:
        return _differs(printer, options, stacks, against=against, groups=groups)
    show(printer, options, stacks)
    return ExitCode.NOTHING_TO_REPORT


def _differs(
    printer: Printer,
    options: Options,
    stacks: Iterable[tuple[dict[str, Any], ...]],
    *,
    against: str,
    groups: Sequence[str],
) -> int:
    from lokeys.cli.stack_diff import diff  # noqa: PLC0415 - not needed if all is printed

    if options.output == "json":
        raise BadInput("a diff is text: leave out -o json")
    rendered = [each for found in stacks for each in found]
    lines = diff(rendered, against, options=options, groups=groups)
    for line in lines:
        printer.text(line)
    return ExitCode.FINDINGS if lines else ExitCode.NOTHING_TO_REPORT


def _given(
    located: Sequence[Located],
    options: Options,
    environment: CloudEnvironment,
    key_file: str | None,
) -> RenderInput:
    namespace, now = options.namespace or "default", utc_now()
    return RenderInput(
        validation=validate(
            located,
            now=now,
            namespace=namespace,
            environment=environment,
            ignored=[ignore_of(word) for word in options.ignore],
        ),
        objects=PlacedObjects(located, namespace=namespace),
        environment=environment,
        now=now,
        fingerprinter=_fingerprinter(key_file) if key_file else None,
    )


def in_the_way(validation: Validation) -> Iterator[Finding | str]:
    """Yield why nothing can be rendered.

    Credentials that the cluster's cloud has not issued yet do not count: what requests them is
    rendered here.
    """
    views = validation.stacks
    for finding in (*validation.findings, *(each for view in views for each in view.findings)):
        if finding.is_error and finding.code != MISSING_MANAGED_SECRET.code:
            yield finding
    for view in views:
        if view.ok and view.storage is None:
            yield (
                f"{view.ref}: the values of its Secret are needed, and the manifests have none: "
                "hand in the Secret as the cluster has it"
            )


def _ambiguous(given: RenderInput) -> Iterator[str]:
    """Yield what exists twice with different contents: the order of files does not decide."""
    for ref in dict.fromkeys(ref for view in given.validation.stacks for ref in _named_by(view)):
        if given.objects.differ(ref):
            count = given.objects.count(ref)
            yield f"{ref} is in the input {count} times, with different contents: keep one"


def _unbuilt(given: RenderInput) -> Iterator[str]:
    """Yield what is patched or filled in before it is applied: the file is not what runs."""
    for view in given.validation.stacks:
        named = (given.objects.get(ref) for ref in _named_by(view))
        changed = next((each for each in named if each and is_changed(each)), None)
        if changed is not None or (view.ok and view.stack is None):
            way = f"what `{builder_of(changed)}` prints" if changed else "what is applied"
            yield f"{view.ref} is not whole as it lies there: hand in {way}"


def _named_by(view: StackView) -> tuple[Ref, ...]:
    """Return a stack and the objects around it that are rendered."""
    return (view.ref, *names_of(view.ref, view.placed.object).all)


def _refuse(printer: Printer, faults: Sequence[Finding | str]) -> None:
    from lokeys.cli import screens  # noqa: PLC0415 - not needed without faults

    for fault in faults:
        if isinstance(fault, str):
            printer.error(fault)
            continue
        for line in screens.finding_lines(fault, width=printer.width):
            printer.talk(*line)
    judged = any(isinstance(fault, Finding) for fault in faults)
    hint = "lokeys validate says all of it, with its place" if judged else None
    printer.error("nothing is rendered", hint)


def _rendered(given: RenderInput, printer: Printer) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield each stack's objects."""
    done: set[Ref] = set()
    for view in given.validation.stacks:
        if view.stack is None or view.storage is None or view.ref in done:
            continue
        done.add(view.ref)
        if not view.stack.managed:
            printer.talk((f"{view.ref} is Unmanaged: nothing is rendered for it", "warning"))
            continue
        yield render(view.stack, view.storage, options=_options(view, given))


def _options(view: StackView, given: RenderInput) -> RenderOptions:
    host = given.hosts.get(_route_of(view), "")
    if given.fingerprinter is None:
        return RenderOptions(now=given.now, environment=given.environment, gateway_host=host)
    placed = {ref: given.objects.get(ref) for ref in _named_by(view)}
    found = {ref: each.object for ref, each in placed.items() if each is not None}
    hashes = hashes_of(view, found, given.fingerprinter)
    return RenderOptions(
        now=given.now,
        environment=given.environment,
        store_hash=hashes.store,
        managed_hash=hashes.managed,
        tenants_hash=hashes.tenants,
        gateway_host=host,
    )


def _route_of(view: StackView) -> Ref:
    return Ref("Route", view.ref.name, view.ref.namespace)


def _has_login(stack: LokiStack | None) -> bool:
    return bool(stack and stack.tenants and stack.tenants.mode.on_openshift)


def _hosts(given: RenderInput, options: Options, against: str | None) -> dict[Ref, str]:
    """Return the hosts of the stacks' Routes, from the input or the cluster that is compared."""
    wanted = [_route_of(each) for each in given.validation.stacks if _has_login(each.stack)]
    placed = {ref: given.objects.get(ref) for ref in wanted}
    routes = {ref: each.object for ref, each in placed.items() if each is not None}
    if wanted and against is not None:
        from lokeys.cli.stack_diff import CLUSTER, of_cluster  # noqa: PLC0415 - not needed without

        routes = (of_cluster(wanted, options) if against == CLUSTER else {}) | routes
    hosts = {ref: text_at(route, "spec", "host") for ref, route in routes.items()}
    return {ref: host for ref, host in hosts.items() if is_name(host)}


def _fingerprinter(path: str) -> Fingerprinter:
    try:
        with Path(path).open("rb") as file:
            key = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadInput(f"cannot read it: {reason}", place=path) from error
    if not KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise BadInput(
            f"no key of {KEY_BYTES} bytes or more",
            place=path,
            hint="kubectl get secret lokeys-fingerprint -n lokeys-system "
            "-o jsonpath='{.data.key}' | base64 -d > FILE",
        )
    return Fingerprinter(key=Sensitive(key), kept=True)


def show(printer: Printer, options: Options, stacks: Iterable[tuple[dict[str, Any], ...]]) -> None:
    """Print the objects by stack: YAML documents, or one List with one object per line."""
    if options.output != "json":
        for found in filter(None, stacks):
            printer.text(documents(found).rstrip("\n"))
        return
    import msgspec  # noqa: PLC0415 - not needed for YAML

    encode = msgspec.json.Encoder().encode
    printer.text('{"apiVersion": "v1", "kind": "List", "items": [')
    before = ""
    for found in filter(None, stacks):
        lines = ",\n".join(encode(each).decode() for each in found)
        printer.text(escaped_json(f"{before}{lines}"))
        before = ","
    printer.text("]}")
