# SPDX-License-Identifier: Apache-2.0
"""Where `iam` takes its answers from: a stack's manifests, the cluster, the options."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lokeys.adapters.files.manifests import Located, read
from lokeys.cli.names import named
from lokeys.cli.options import Options
from lokeys.clock import utc_now
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import KIND
from lokeys.core.stack.validation.stacks import StackView
from lokeys.core.trust.answers import answers_of, used_keys
from lokeys.core.trust.clouds import STORES
from lokeys.core.validation.validate import validate
from lokeys.errors import BadInput, Forbidden, NotReadable, Unreachable

DISCOVERY = "/.well-known/openid-configuration"
CALL_S = 15.0
_TOLERATED = frozenset({"missing_field", "missing_storage_secret"})
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known about a stack without options; `faults` prevent trust in it.

    `unread` says which Secret could not be read, and why: then its values are asked for.
    """

    answers: Mapping[str, str]
    faults: tuple[Finding, ...] = ()
    unread: str = ""
    place: str = ""
    """Where the stack was read."""


def from_files(paths: Sequence[str], name: str | None, *, cloud: str, options: Options) -> Source:
    """Return what manifests say about a stack. Raises BadInput."""
    located = [item for path in dict.fromkeys(paths) for item in read(path)]
    return _judged(located, name, cloud=cloud, options=options, place=", ".join(paths))


def from_cluster(name: str, *, cloud: str, options: Options) -> Source:
    """Return what the cluster has of a stack. Raises LokeysError."""
    named(name)

    async def body(api: Any, namespace: str) -> tuple[list[Located], str]:
        # Only with a cluster: manifests alone are read without it.
        from lokeys.adapters.kubernetes.objects import LiveObjects  # noqa: PLC0415
        from lokeys.core.stack.validation.named import names_of  # noqa: PLC0415
        from lokeys.engine.stack.gather import gather  # noqa: PLC0415

        objects = LiveObjects(api)
        stack_ref = Ref(KIND, name, namespace)
        stack = await objects.get(stack_ref)
        found = [Located(object=stack, file=f"{KIND}/{name}", line=1)]
        secret = names_of(stack_ref, stack).storage
        gathered = await gather(objects, stack_ref, [secret] if secret else [])
        for ref, kept in gathered.found.items():
            found.append(Located(object=kept, file=f"Secret/{ref.name}", line=1))
        for problem in gathered.refused.values():
            if not isinstance(problem, Forbidden):
                raise problem
            return found, str(problem)
        return found, ""

    located, unread = _on_cluster(options, body)
    source = _judged(located, name, cloud=cloud, options=options, place="the cluster")
    if not unread:
        return source
    # It exists, and its content is unknown: a new one is made beside it, whatever its mode.
    return replace(source, answers={**source.answers, "mode": "static"}, unread=unread)


def issuer_of_cluster(options: Options) -> tuple[str, str]:
    """Return the issuer of the cluster's tokens; or an empty text, and why."""

    async def body(api: Any, _namespace: str) -> str:
        try:
            said = json.loads(await api.raw_get(DISCOVERY))
        except ValueError:
            raise NotReadable(f"{DISCOVERY}: no JSON") from None
        issuer = said.get("issuer") if isinstance(said, dict) else None
        if not isinstance(issuer, str):
            raise NotReadable(f"{DISCOVERY}: it names no issuer")
        return issuer

    try:
        return _on_cluster(options, body), ""
    except (BadInput, Unreachable, NotReadable, Forbidden) as problem:
        return "", f"the cluster's issuer cannot be read: {problem}"


def _on_cluster(options: Options, body: Callable[[Any, str], Awaitable[_Answer]]) -> _Answer:
    # Only here: with a given issuer no HTTP client is needed.
    from lokeys.cli.session import cluster_config  # noqa: PLC0415
    from lokeys.kube.calls import CallLimits  # noqa: PLC0415
    from lokeys.kube.client import Api  # noqa: PLC0415

    async def main() -> _Answer:
        config = cluster_config(options)
        async with Api(config, limits=CallLimits(call_s=CALL_S)) as api:
            return await body(api, config.namespace)

    return asyncio.run(main())


def _judged(
    located: Sequence[Located], name: str | None, *, cloud: str, options: Options, place: str
) -> Source:
    namespace = options.namespace or "default"
    found = validate(located, now=utc_now(), namespace=namespace, secrets_optional=True)
    views = {view.ref: view for view in found.stacks if name in (None, view.ref.name)}
    there = {ref: view for ref, view in views.items() if ref.namespace == namespace}
    views = there if len(there) == 1 else views
    if len(views) != 1:
        listed = ", ".join(str(view.ref) for view in found.stacks)
        raise BadInput(
            "more than one LokiStack"
            if views
            else f"no LokiStack{f' named {name}' if name else ''}",
            place=place,
            hint=f"name one of them: {listed}" if listed else "hand in its manifest with -f",
        )
    (view,) = views.values()
    wanted = STORES[cloud].value
    if view.storage_type != wanted:
        known = {store.value: each for each, store in STORES.items()}.get(view.storage_type or "")
        raise BadInput(
            f"{view.ref} stores in {view.storage_type or 'nothing known'}, not in {wanted}",
            place=f"{view.placed.file}:{view.placed.line}",
            hint=f"lokeys iam {known}" if known else "only s3, azure and gcs know tokens",
        )
    place = f"{view.placed.file}:{view.placed.line}"
    return Source(answers=_answers(view), faults=tuple(_in_the_way(view)), place=place)


def _answers(view: StackView) -> dict[str, str]:
    found = {
        "--namespace": view.ref.namespace or "default",
        "--name": view.ref.name,
        "secret": view.secret_name or "",
        "mode": view.mode.value if view.mode else "",
    }
    if view.stack is not None and not view.stack.rules_enabled:
        found["rules"] = "no"
    if view.secret is not None and view.secret.values is not None:
        found |= answers_of(view.storage_type or "", view.secret) | {"present": "yes"}
    return found


def _in_the_way(view: StackView) -> list[Finding]:
    """Return the faults of what is used here. Missing values are asked for instead."""
    used = used_keys(view.storage_type or "")
    return [
        finding
        for finding in view.findings
        if finding.is_error
        and finding.fault not in _TOLERATED
        and finding.object is not None
        and finding.object.kind == "Secret"
        and finding.field in used
    ]
