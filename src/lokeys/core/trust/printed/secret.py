# SPDX-License-Identifier: Apache-2.0
"""The last commands of each list: the Secret that a stack reads, and the stack that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lokeys.core.text.shell import Command, Joint, Json, Var, Word
from lokeys.core.trust.accounts import Stack
from lokeys.core.trust.printed.shell import PrintedStep


def secret_commands(
    stack: Stack, values: Mapping[str, Word], *, files: tuple[str, ...] = ()
) -> Iterator[PrintedStep]:
    """Yield the commands that switch to the new Secret. It holds nothing secret."""
    literals = (
        _literal(key, value) for key, value in values.items() if isinstance(value, Var) or value
    )
    kubectl = ("kubectl", "-n", stack.namespace)
    create = (
        *(*kubectl, "create", "secret", "generic", stack.secret),
        *literals,
        *(f"--from-file={file}" for file in files),
    )
    if stack.present:
        yield PrintedStep(
            why=f"make Secret {stack.secret} anew, without the keys that it had besides",
            command=Command((*create, "--dry-run=client", "--output=yaml")).followed(
                Joint.PIPE, *kubectl, "replace", "--filename=-"
            ),
        )
    else:
        yield PrintedStep(
            why="make the Secret: it holds no key, only names", command=Command(create)
        )
    if stack.replaces:
        change = {"name": stack.secret, "credentialMode": "token"}
        patch = Json.of({"spec": {"storage": {"secret": change}}}, "--patch=")
        yield PrintedStep(
            why=f"let the stack read it; to go back, name {stack.replaces} and static again",
            command=Command((*kubectl, "patch", "lokistack", stack.name, "--type=merge", patch)),
        )


def _literal(key: str, value: Word) -> Word:
    before = f"--from-literal={key}="
    return Var(value.name, before) if isinstance(value, Var) else f"{before}{value}"
