# SPDX-License-Identifier: Apache-2.0
"""`lokeys validate`: manifests in, every fault of the storage credentials out. No cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from lokeys import __version__
from lokeys.adapters.files.manifests import Located, hand_in
from lokeys.cli import screens
from lokeys.cli.operator_environment import cloud_environment, environment_options
from lokeys.cli.options import LokeysCommand, Options, manifest_arguments, options_of
from lokeys.cli.output import Line, Printer
from lokeys.clock import utc_now
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.findings.report import exit_code, ignore_of
from lokeys.core.text.words import object_name, shown
from lokeys.core.validation.passed_over import PassedOver
from lokeys.core.validation.validate import Validation, validate
from lokeys.errors import BadInput

_MAKERS = {
    "Template": "oc process --local -o yaml -f FILE",
    "Kustomization": "kubectl kustomize FOLDER",
    "HelmRelease": "helm template CHART",
}
"""Input that is not a manifest yet, and the command that makes manifests from it."""


class ValidateCommand(LokeysCommand):
    """A command that also has the formats of CI."""

    formats = ("people", "json", "sarif", "junit")


@click.command("validate", cls=ValidateCommand)
@manifest_arguments
@click.option(
    "--secrets",
    type=click.Choice(("required", "optional")),
    default="required",
    show_default=True,
    help="Whether a Secret that is not among the manifests is an error or a warning.",
)
@environment_options
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    files: tuple[str, ...],
    more: tuple[str, ...],
    *,
    secrets: str,
    openshift: bool,
    token_cco: bool,
    operator_env: str | None,
) -> int:
    """Find every fault of the storage credentials in manifests.

    Takes LokiStacks with all that they name (Secrets, or what makes them; CAs),
    and StorageCredentials; everything else is ignored. Does not contact a cluster or a store.
    """
    options = options_of(ctx)
    environment = cloud_environment(
        openshift=openshift, token_cco=token_cco, operator_env=operator_env
    )
    handed = [hand_in(path) for path in dict.fromkeys((*files, *more))]
    placed = [located for each in handed for located in each.objects]
    validation = validate(
        placed,
        now=utc_now(),
        namespace=options.namespace or "default",
        environment=environment,
        secrets_optional=secrets == "optional",
        ignored=[ignore_of(word) for word in options.ignore],
        passed_over=[left for each in handed for left in each.passed_over],
    )
    if not (validation.stacks or validation.credentials):
        raise BadInput(
            "no LokiStack and no StorageCredential in here",
            place=", ".join((*files, *more)),
            hint=_instead(placed, validation.passed_over),
        )
    show(Printer(no_color=options.no_color), options, validation)
    fail_on = Severity(options.fail_on)
    return exit_code(validation.all_findings, complete=True, fail_on=fail_on)


def _instead(placed: Sequence[Located], passed_over: Sequence[PassedOver]) -> str:
    """Return what to provide if there is nothing to judge."""
    built = next((str(each.command) for each in passed_over if each.command), None)
    if built:
        return f"what lies there is built first: {built}"
    kinds = {str(each.object.get("kind")) for each in placed}
    made = next((how for kind, how in _MAKERS.items() if kind in kinds), None)
    if made:
        return f"manifests are made of it first: {made} | lokeys validate -f -"
    return "a Secret is checked together with the LokiStack that names it: pass both"


def show(printer: Printer, options: Options, validation: Validation) -> None:
    """Print the report in the chosen form."""
    match options.output:
        case "json":
            from lokeys.core.validation.report import validation_report  # noqa: PLC0415

            printer.json(validation_report(validation))
        case "sarif":
            from lokeys.core.validation.sarif import sarif  # noqa: PLC0415

            printer.json(sarif(validation.all_findings, version=__version__))
        case "junit":
            from lokeys.core.validation.junit import junit  # noqa: PLC0415

            printer.text(junit(validation, fail_on=Severity(options.fail_on)))
        case _:
            printer.lines(people_lines(validation, width=printer.width))


def people_lines(validation: Validation, *, width: int) -> Iterator[Line]:
    """Yield the lines for a person: each stack with its faults, and a summary at the end."""
    for stack in validation.stacks:
        mode = stack.mode.value if stack.mode else "mode not known"
        storage = f"{shown(stack.storage_type or 'storage not known')}, {mode}"
        yield from _group(str(stack.ref), storage, stack.findings, width=width)
    for credential in validation.credentials:
        yield from _group(str(credential.ref), "", credential.findings, width=width)
    if validation.findings:
        yield from _group("shared objects", "", validation.findings, width=width)
    for each in validation.passed_over:
        yield from _not_judged(each)
    findings = validation.all_findings
    if findings:
        yield screens.summary_line(findings, complete=True)
    else:
        what = "judged" if validation.passed_over else "handed in"
        yield ((f"nothing to report: no fault in what was {what}", "good"),)


def _not_judged(each: PassedOver) -> Iterator[Line]:
    yield (("not judged: ", "strong"), (f"{each.what}: {each.why}", ""))
    yield ((f"  {each.file}:{each.line}", "faint"),)
    if each.command:
        yield ((f"  {each.command}", ""),)
    yield screens.BLANK


def _group(title: str, detail: str, findings: Sequence[Finding], *, width: int) -> Iterator[Line]:
    good = "" if findings else "  nothing to report"
    yield (
        (object_name(title), "strong"),
        (f"  {detail}" if detail else "", "faint"),
        (good, "good"),
    )
    for finding in findings:
        yield screens.BLANK
        yield from screens.finding_lines(finding, width=width)
    yield screens.BLANK
