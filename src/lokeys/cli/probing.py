# SPDX-License-Identifier: Apache-2.0
"""A LokiStack's credentials tested from here, and the report of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lokeys.adapters.files.manifests import Located, name_of, read
from lokeys.cli import screens
from lokeys.cli.operator_environment import cloud_environment
from lokeys.cli.output import Line
from lokeys.cli.session import Session
from lokeys.cli.stacks import stack_among, stack_from_cluster
from lokeys.core.findings.finding import Finding
from lokeys.core.findings.link import Link
from lokeys.core.findings.report import exit_code, probe_report
from lokeys.core.place import Ref
from lokeys.core.stack.render.store import mode_of
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import Storage
from lokeys.core.stack.storage.read import StorageReading
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.trust.tries.findings import findings_of
from lokeys.core.trust.tries.identity import accounts_to_try
from lokeys.core.trust.tries.verification import LinkName, Verification
from lokeys.engine.stack.gather import storage_of
from lokeys.errors import BadInput, NotFound
from lokeys.exit_codes import ExitCode
from lokeys.ports import Objects


@dataclass(frozen=True, slots=True)
class FilesFirst:
    """An `Objects` that searches manifests before it asks the cluster."""

    given: Sequence[Located]
    cluster: Objects

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; a manifest without a namespace matches any."""
        for item in self.given:
            namespace = (item.object.get("metadata") or {}).get("namespace")
            named = (item.object.get("kind"), name_of(item)) == (ref.kind, ref.name)
            if named and namespace in (None, ref.namespace):
                return item.object
        return await self.cluster.get(ref)

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the cluster's objects of a kind."""
        return await self.cluster.list(kind, namespace=namespace, labels=labels)

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the cluster's events about an object."""
        return await self.cluster.events(about, reason=reason)

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a log in the cluster."""
        return await self.cluster.log(pod, container=container, lines=lines, max_bytes=max_bytes)


async def probe_stack(session: Session, name: str | None, file: str | None) -> int:
    """Test each account of a stack; return the exit code."""
    given = read(file) if file is not None else ()
    stack = (
        stack_among(given, path=file, name=name, namespace=session.namespace)
        if file is not None
        else await stack_from_cluster(session, name or "")
    )
    objects = FilesFirst(given, session.objects)
    secret, reading = await _storage(stack, objects)
    if reading.storage is None:
        return _unsound(session, reading.findings)
    verifier = session.verifier(objects)
    tried = [
        await verifier.verify(stack, reading.storage, secret, account=account)
        for account in accounts_to_try(stack, reading.storage)
    ]
    return show(session, stack, reading.storage, tried)


async def _storage(stack: LokiStack, objects: FilesFirst) -> tuple[SecretData, StorageReading]:
    """Read the stack's Secret. Raises BadInput if there is none."""
    managed = cloud_environment(openshift=True, token_cco=True, operator_env=None)
    try:
        return await storage_of(stack, objects, managed=managed)
    except NotFound as exc:
        hint = "the stack names it in spec.storage.secret; with -f it can be among the manifests"
        raise BadInput(f"there is no {stack.secret_ref}", hint=hint) from exc


def _unsound(session: Session, findings: Sequence[Finding]) -> int:
    """Report what is wrong with the Secret: nothing can be tested with it."""
    heeded = session.heeded(tuple(findings))
    links = [Link(name=LinkName.SECRET, ok=False, detail="; ".join(f.title for f in heeded))]
    if session.options.output == "json":
        session.printer.json(probe_report(None, links, heeded))
    else:
        session.printer.lines(screens.findings_lines(heeded, width=session.printer.width))
    return ExitCode.FINDINGS


def show(
    session: Session, stack: LokiStack, storage: Storage, tried: Sequence[Verification]
) -> int:
    """Print each account's links and what to do; return the exit code."""
    findings = session.heeded(findings_of(stack, tried))
    if session.options.output == "json":
        links = [link for each in tried for link in each.reported]
        session.printer.json(probe_report(stack.route, links, findings))
    else:
        session.printer.lines(_people(stack, storage, tried, findings, width=session.printer.width))
    complete = all(each.verified is not None for each in tried)
    return exit_code(findings, complete=complete, fail_on=session.fail_on)


def _people(
    stack: LokiStack,
    storage: Storage,
    tried: Sequence[Verification],
    findings: Sequence[Finding],
    *,
    width: int,
) -> Iterator[Line]:
    yield (
        (stack.route, "strong"),
        (f"  {stack.storage_type}, mode {mode_of(storage).value}", "faint"),
    )
    for each in tried:
        yield ((f"ServiceAccount {each.account}", "strong"),)
        yield from screens.link_lines(each.reported, width=width)
    yield from screens.findings_lines(findings, width=width)
