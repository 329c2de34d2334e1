# SPDX-License-Identifier: Apache-2.0
"""`lokeys iam`: what a cloud needs to accept a stack's short-lived tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from lokeys.cli import screens
from lokeys.cli.options import LokeysCommand, Options, options_of
from lokeys.cli.output import Line, Printer
from lokeys.cli.trust_check import Checked, checked
from lokeys.cli.trust_sources import Source, from_cluster, from_files, issuer_of_cluster
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.findings.report import exit_code, heeded, ignore_of
from lokeys.core.trust.answers import SECRET_NAME, Answers, Unfit
from lokeys.core.trust.clouds import doubts, needs_of, prerequisites
from lokeys.core.trust.fetched import DocumentKind
from lokeys.core.trust.printed.report import iam_report, missing_lines, script
from lokeys.core.trust.printed.shell import Prerequisites
from lokeys.errors import BadInput
from lokeys.exit_codes import ExitCode

_FLAG = "--create-provider"
_COMMON = {
    "--name": ("STACK", "The LokiStack, where no cluster and no manifest is to be asked."),
    "--issuer": ("URL", "Who signs the cluster's tokens; else the cluster is asked."),
    "--audience": ("TEXT", "Whom the tokens are for; else the Secret's, else the cloud's default."),
    "--secret-name": ("NAME", "The Secret to make; else one is named after the stack's."),
}
_BY_CLOUD = {
    "aws": {
        "--bucket": ("NAME[,NAME]", "The bucket, or several."),
        "--region": ("REGION", "The bucket's region."),
        "--account-id": ("ID", "The AWS account of the role."),
        "--role-name": ("NAME", "The role; else it is named after the stack."),
        "--partition": ("NAME", "aws, aws-cn, aws-us-gov; else the region's."),
        "--kms-key": ("KEY", "The KMS key that encrypts the bucket: id, ARN or alias."),
        "--endpoint": ("URL", "Of Ceph RGW and its like; or AWS's own of a VPC, FIPS, …"),
        "--sts-endpoint": ("URL", "Of its token exchange, where that is another one."),
    },
    "azure": {
        "--resource-group": ("NAME", "The resource group of the identity."),
        "--identity-name": ("NAME", "The managed identity; else it is named after the stack."),
        "--subscription": ("ID", "The subscription of the storage account."),
        "--storage-account": ("NAME", "The storage account."),
        "--storage-resource-group": ("NAME", "Its resource group, where that is another one."),
        "--container": ("NAME", "The container."),
        "--location": ("NAME", "The identity's location; else the resource group's."),
        "--cloud": ("NAME", "AzureGlobal, AzureChinaCloud, AzureUSGovernment, AzureGermanCloud."),
    },
    "gcp": {
        "--project": ("ID", "The project of service account and pool."),
        "--project-number": ("NUMBER", "That project's number."),
        "--pool": ("ID", "The workload identity pool."),
        "--provider": ("ID", "The pool's provider; one that is made is else called as the pool."),
        "--service-account": ("ID", "The service account; else it is named after the stack."),
        "--bucket": ("NAME", "The bucket."),
    },
}
_FILES = {
    "aws": {
        DocumentKind.TRUST: "Compare the role's trust policy, as `aws iam get-role` prints it.",
        DocumentKind.POLICY: "And what it may do, as `get-role-policy` prints it. Repeatable.",
        DocumentKind.BUCKET: (
            "And the bucket's own policy, as `aws s3api get-bucket-policy` prints it."
        ),
        DocumentKind.PROVIDER: "And the provider, as `get-open-id-connect-provider` prints it.",
    },
    "azure": {
        DocumentKind.CREDENTIALS: "Compare what `az identity federated-credential list` prints.",
        DocumentKind.ROLES: "And what `az role assignment list` prints.",
    },
    "gcp": {
        DocumentKind.PROVIDER: "Compare the provider, as `gcloud … providers describe` prints it.",
        DocumentKind.TRUST: "And what `gcloud iam service-accounts get-iam-policy` prints.",
        DocumentKind.POLICY: "And what `gcloud storage buckets get-iam-policy` prints.",
    },
}
_CHECK = {
    "aws": "Compare instead of printing: the files given, or what IAM itself says.",
    "azure": "Compare the files given, instead of printing.",
    "gcp": "Compare the files given, instead of printing.",
}
_HELP = {
    "aws": "Trust policy, storage policy, commands and Terraform for AWS, Ceph RGW and their like.",
    "azure": "Federated credentials, role assignment, commands and Terraform for Azure.",
    "gcp": "Pool, bindings, commands and Terraform for Google Cloud.",
}


@click.group("iam")
def command() -> None:
    """Print what a cloud must know before a stack's short-lived tokens are worth anything."""


class IamCommand(LokeysCommand):
    """A command whose data is a script, Terraform or a report."""

    formats = ("people", "commands", "terraform", "json")


def _add(cloud: str) -> None:
    """Add the command of one cloud."""

    @click.pass_context
    def run(ctx: click.Context, /, stack: str | None, files: tuple[str, ...], **words: Any) -> int:
        comparing = bool(words.pop("check"))
        handed = {kind: tuple(words.pop(_parameter(kind))) for kind in _FILES[cloud]}
        compared = {kind: paths for kind, paths in handed.items() if paths}
        said = {_option(name): str(value) for name, value in words.items() if value}
        asked = IamOptions(
            cloud=cloud,
            stack=stack,
            files=files,
            said=said,
            compared=compared,
            comparing=comparing or bool(compared),
        )
        return answer(options_of(ctx), asked)

    run.__doc__ = (
        f"{_HELP[cloud]}\n\n"
        "For STACK in the cluster; for the LokiStack in manifests (-f, with its Secret); or with "
        "neither, for --namespace and --name. Nothing is changed and no key is printed."
    )
    comparing = [
        click.option("--check", is_flag=True, help=_CHECK[cloud]),
        *(
            click.option(kind.value, metavar="FILE", multiple=True, help=text)
            for kind, text in _FILES[cloud].items()
        ),
    ]
    options: list[Callable[[Any], Any]] = [
        click.option(option, metavar=metavar, help=text)
        for option, (metavar, text) in (_COMMON | _BY_CLOUD[cloud]).items()
    ]
    if cloud != "azure":
        text = "Also make the identity provider of the cluster's tokens."
        options.append(click.option(_FLAG, is_flag=True, help=text))
    options += [
        *comparing,
        click.option("-f", "--file", "files", multiple=True, metavar="PATH", help="Manifests."),
        click.argument("stack", required=False),
    ]
    decorated: Any = run
    for option in reversed(options):
        decorated = option(decorated)
    command.command(cloud, cls=IamCommand)(decorated)


def _option(parameter: str) -> str:
    return "--" + parameter.replace("_", "-")


def _parameter(kind: DocumentKind) -> str:
    return kind.value.removeprefix("--").replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class IamOptions:
    """The options of the command line."""

    cloud: str
    stack: str | None
    files: tuple[str, ...]
    said: Mapping[str, str]
    compared: Mapping[DocumentKind, tuple[str, ...]]
    comparing: bool


def answer(options: Options, asked: IamOptions) -> int:
    """Print what a stack needs from a cloud, or compare it; return the exit code."""
    printer = Printer(no_color=options.no_color)
    source = _source(options, asked)
    if source.faults:
        return _refused(printer, source.faults)
    if source.unread:
        printer.talk((f"{source.unread}; what it holds is asked for instead", "warning"))
    if source.answers.get("mode") == "token-cco" and not asked.comparing:
        raise BadInput(
            "the stack is in mode token-cco: the Cloud Credential Operator makes its credentials",
            hint="for a role or identity of your own, set credentialMode: token; --check compares",
        )
    given = _asked_cluster(options, printer, {**source.answers, **asked.said})
    answers = Answers(given=given)
    try:
        needs = needs_of(asked.cloud, answers)
    except Unfit as unfit:
        if unfit.option == SECRET_NAME:
            hint = "name one in the LokiStack: a-z, 0-9, - and dots, 253 characters at most"
            raise BadInput(str(unfit), place=source.place or None, hint=hint) from None
        raise BadInput(str(unfit), hint=f"lokeys iam {asked.cloud} --help") from None
    found = prerequisites(needs, answers)
    seen: Checked | None = None
    if asked.comparing:
        seen = checked(asked.cloud, needs, asked.compared, found.missing)
    told = (*doubts(needs), *(seen.findings if seen else ()))
    findings = heeded(told, [ignore_of(word) for word in options.ignore])
    if seen and options.output in ("people", "commands"):
        printer.lines(_compared_lines(seen, findings, width=printer.width))
    else:
        _show(printer, options, found, findings)
    complete = not seen.gaps if seen else not found.missing
    return exit_code(findings, complete=complete, fail_on=Severity(options.fail_on))


def _compared_lines(seen: Checked, findings: Sequence[Finding], *, width: int) -> Iterator[Line]:
    for finding in findings:
        yield from screens.finding_lines(finding, width=width)
        yield screens.BLANK
    for gap in seen.gaps:
        yield ((f"not read: {gap}", "warning"),)
    said = [f"{each.of}" + (f" ({each.file})" if each.file else "") for each in seen.looked_at]
    names = ", ".join(dict.fromkeys(said))
    if findings:
        yield screens.summary_line(findings, complete=not seen.gaps)
    elif not seen.gaps:
        yield ((f"nothing to report: all that was looked at suits the stack: {names}", "good"),)


def _source(options: Options, asked: IamOptions) -> Source:
    stack, files, cloud = asked.stack, asked.files, asked.cloud
    name = asked.said.get("--name")
    if stack and name:
        raise BadInput("STACK and --name are two ways to name it", hint="give one of them")
    if files:
        return from_files(files, stack or name, cloud=cloud, options=options)
    if stack:
        return from_cluster(stack, cloud=cloud, options=options)
    if not name:
        raise BadInput(
            "which LokiStack?",
            hint=f"lokeys iam {cloud} STACK, or -f FILE, or --namespace NS --name STACK",
        )
    return Source(answers={"--namespace": options.namespace} if options.namespace else {})


def _asked_cluster(options: Options, printer: Printer, given: dict[str, str]) -> dict[str, str]:
    """Return the answers with the cluster's issuer, if none was given."""
    if given.get("--issuer"):
        return given
    issuer, problem = issuer_of_cluster(options)
    if problem:
        printer.talk((problem, "warning"))
        return given
    return {**given, "--issuer": issuer}


def _refused(printer: Printer, faults: Sequence[Finding]) -> int:
    for fault in faults:
        for line in screens.finding_lines(fault, width=printer.width):
            printer.talk(*line)
    printer.error("nothing is printed", "lokeys validate says all of it, with its place")
    return ExitCode.FINDINGS


def _show(
    printer: Printer, options: Options, found: Prerequisites, findings: Sequence[Finding]
) -> None:
    match options.output:
        case "json":
            printer.json(iam_report(found, findings))
            return
        case "terraform":
            printer.text(found.terraform.rstrip("\n"))
            _talk_missing(printer, found)
        case _:
            printer.lines(_script_lines(found))
    for finding in findings:
        printer.talk()
        for line in screens.finding_lines(finding, width=printer.width):
            printer.talk(*line)


def _talk_missing(printer: Printer, found: Prerequisites) -> None:
    for missing in found.missing:
        for line in missing_lines(missing):
            printer.talk((line, "warning"))


def _script_lines(found: Prerequisites) -> Iterator[Line]:
    for text, kind in script(found):
        yield ((text, kind),)


for _cloud in _BY_CLOUD:
    _add(_cloud)
