# SPDX-License-Identifier: Apache-2.0
"""From a name on the command line to its LokiStack: a resource or a file."""

from __future__ import annotations

from collections.abc import Sequence

from lokeys.adapters.files.manifests import Located, name_of, read
from lokeys.cli.names import named
from lokeys.cli.session import Session
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import KIND, LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.errors import BadInput, NotFound
from lokeys.kube.replies import NoSuchKind


def stack_from_file(path: str, *, name: str | None, namespace: str) -> LokiStack:
    """Return the one LokiStack of a file or folder, or the one of that name. Raises BadInput."""
    return stack_among(read(path), path=path, name=name, namespace=namespace)


def stack_among(
    given: Sequence[Located], *, path: str, name: str | None, namespace: str
) -> LokiStack:
    """Return the one LokiStack in the input, or the one of that name. Raises BadInput."""
    stacks = [item for item in given if item.object.get("kind") == KIND]
    chosen = [item for item in stacks if name in (None, name_of(item))]
    there = [item for item in chosen if namespace == _namespace_of(item)]
    chosen = there if len(there) == 1 else chosen
    if len(chosen) == 1:
        return _parsed(chosen[0].object, chosen[0], namespace=namespace)
    listed = ", ".join(f"{item.title} ({item.place})" for item in stacks)
    if not stacks:
        raise BadInput(f"no {KIND} in here", place=path)
    if not chosen:
        raise BadInput(f"no {KIND} named {name}", place=path, hint=f"there is: {listed}")
    raise BadInput(f"more than one {KIND}", place=path, hint=f"name one of them: {listed}")


def _namespace_of(located: Located) -> object:
    metadata = located.object.get("metadata")
    return metadata.get("namespace") if isinstance(metadata, dict) else None


async def stack_from_cluster(session: Session, name: str) -> LokiStack:
    """Return the LokiStack of that name in the session's namespace. Raises BadInput."""
    ref = Ref(KIND, named(name), session.namespace)
    try:
        found = await session.objects.get(ref)
    except NoSuchKind as exc:
        raise BadInput(
            f"there is no {ref}: this cluster does not know the kind",
            hint="give the manifest with -f, or install the definition: deploy/crd/lokistack",
        ) from exc
    except NotFound as exc:
        hint = "kubectl get lokistack -A"
        raise BadInput(f"there is no {ref}", hint=hint) from exc
    return _parsed(found, None, namespace=session.namespace)


def _parsed(manifest: object, located: Located | None, *, namespace: str) -> LokiStack:
    stack, findings = parse(manifest, namespace=namespace)
    if stack is None:
        faults = [finding.message for finding in findings if finding.is_error]
        raise BadInput(
            f"the {KIND} is not sound: {'; '.join(faults)}",
            place=located.place if located else None,
            hint="lokeys validate says more",
        )
    return stack
