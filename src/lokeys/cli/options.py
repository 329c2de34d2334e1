# SPDX-License-Identifier: Apache-2.0
"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import click

from lokeys.core.place import is_namespace

OUTPUTS = ("people", "json", "yaml", "sarif", "junit", "markdown", "commands", "terraform")
REACHES = ("auto", "direct", "forward")
PROBES = ("off", "read", "write")
"""How keys are tested at the store: not at all, by a list, or also by one object."""
SEVERITIES = ("error", "warning", "info")
_IGNORE = re.compile(r"LK[0-9]{4}(=[A-Za-z]+/[^/\s]*/[^/\s]+)?")
_META = "lokeys.cli.options"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options, whatever the command."""

    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    output: str = "people"
    no_color: bool = False
    verbose: int = 0
    ignore: tuple[str, ...] = ()
    reach: str = "auto"
    fail_on: str = "error"


@dataclass(slots=True)
class _Given:
    """The options so far; later ones override earlier ones."""

    words: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: Any) -> None:
        before = self.words.get(name)
        adds_up = name in ("ignore", "verbose") and before is not None
        self.words[name] = before + value if adds_up else value


def options_of(ctx: click.Context) -> Options:
    """Return the final options of the command line."""
    return Options(**_given(ctx).words)


def common_options(*, hidden: bool) -> list[click.Parameter]:
    """Return the common options; hidden ones are not repeated in a command's own help."""

    def option(*names: str, **words: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_keep, hidden=hidden, **words)

    return [
        option("--context", metavar="NAME", help="Context of the kubeconfig."),
        option("--kubeconfig", metavar="FILE", help="Instead of KUBECONFIG or ~/.kube/config."),
        option("-n", "--namespace", metavar="NS", help="Namespace; else the context's."),
        option("-o", "--output", type=click.Choice(OUTPUTS), help="For people, or for programs."),
        option("--no-color", is_flag=True, help="No colour. NO_COLOR in the environment wins."),
        option("-v", "--verbose", count=True, help="Say more; -vv shows where an error was raised"),
        option(
            "--ignore",
            multiple=True,
            metavar="CODE[=KIND/NS/NAME]",
            help="Leave a finding out, everywhere or at one object. Repeatable.",
        ),
        option(
            "--reach",
            type=click.Choice(REACHES),
            help="How Services and pods are reached: auto port-forwards where needed.",
        ),
        option(
            "--fail-on",
            type=click.Choice(SEVERITIES),
            help="Exit 3 for findings of this severity or higher. [default: error]",
        ),
    ]


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    name = str(param.name)
    if ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
        return
    if name == "namespace" and value and not is_namespace(value):
        raise click.BadParameter(
            "a namespace's name is of a-z, 0-9 and -, and has 63 characters at most",
            ctx=ctx,
            param=param,
        )
    if name == "ignore":
        for word in value:
            if not _IGNORE.fullmatch(word):
                raise click.BadParameter(
                    f"`{word}` is not CODE or CODE=KIND/NAMESPACE/NAME, such as LK0415",
                    ctx=ctx,
                    param=param,
                )
    _given(ctx).add(name, value)


def _given(ctx: click.Context) -> _Given:
    given: _Given = ctx.meta.setdefault(_META, _Given())
    return given


class LokeysCommand(click.Command):
    """A command that also takes the common options. `formats` are its outputs."""

    formats: tuple[str, ...] = ("people", "json")

    def __init__(self, *args: Any, **words: Any) -> None:
        words["params"] = [*words.get("params", ()), *common_options(hidden=True)]
        words.setdefault("epilog", "Common options, such as --context and -o: lokeys --help")
        super().__init__(*args, **words)

    def invoke(self, ctx: click.Context) -> Any:
        """Refuse an output that the command does not have, then run it."""
        output = options_of(ctx).output
        if output not in self.formats:
            raise click.UsageError(
                f"this command has no output `{output}`: it knows {', '.join(self.formats)}", ctx
            )
        return super().invoke(ctx)


class ManifestCommand(LokeysCommand):
    """A command whose data is a manifest."""

    formats = ("people", "json", "yaml")


def route_arguments(command: Any) -> Any:
    """Add NAME and -f FILE to a command, as for every command about one route."""
    file = click.option(
        "-f", "--file", metavar="FILE", help="Take the StorageCredential from a file; `-` is stdin."
    )
    return click.argument("name", required=False)(file(command))


def manifest_arguments(command: Any) -> Any:
    """Add -f PATH to a command, with more PATHs after it, as a shell expands `-f *.yaml`."""
    words = "A file, a folder, or `-` for stdin. Repeatable."
    files = click.option(
        "-f", "--file", "files", multiple=True, required=True, metavar="PATH", help=words
    )
    return files(click.argument("more", nargs=-1, metavar="[PATH]...")(command))
