# SPDX-License-Identifier: Apache-2.0
"""From a name on the command line to its route: a resource, a file, or a running Loki."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lokeys.adapters.files.manifests import Located
from lokeys.adapters.files.routes import route_spec, storage_credential
from lokeys.adapters.kubernetes.cluster import allows
from lokeys.cli.names import named
from lokeys.cli.session import Session, opens_bucket
from lokeys.core.place import Ref
from lokeys.core.route.claims import RouteClaims
from lokeys.core.route.discovery.model import Discovered, LokiWorkload
from lokeys.core.route.discovery.unfollowed import why
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec, consenting_ref
from lokeys.core.route.resource.parse import Refused, parse
from lokeys.core.route.resource.status import memory_from_status
from lokeys.core.text.shell import Command, Joint, command
from lokeys.core.text.words import shown
from lokeys.engine.discover.route import Discoverer, settled
from lokeys.errors import BadInput, LokeysError, NotFound, NotReadable
from lokeys.kube.replies import NoSuchKind

KIND = "StorageCredential"
_KINDS = {
    "storagecredential": KIND,
    "storagecredentials": KIND,
    "scred": KIND,
    "statefulset": "StatefulSet",
    "statefulsets": "StatefulSet",
    "sts": "StatefulSet",
    "deployment": "Deployment",
    "deployments": "Deployment",
    "deploy": "Deployment",
    "daemonset": "DaemonSet",
    "daemonsets": "DaemonSet",
    "ds": "DaemonSet",
    "pod": "Pod",
    "pods": "Pod",
    "po": "Pod",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRoute:
    """One route, what describes it, and what lokeys remembers about it."""

    spec: RouteSpec
    owner: Ref
    memory: Memory = field(default_factory=Memory)
    remembers: bool = False
    """Whether the resource's status in the cluster keeps the memory."""
    rivals: bool = False
    """Whether an older resource claims the same."""
    doubt: str = ""
    """What is not known about a route without a resource."""
    file: str | None = None

    @property
    def written_down(self) -> bool:
        """Tell whether a resource describes the route, so that lokeys may act on it."""
        return self.owner.kind == KIND

    @property
    def address(self) -> tuple[str, ...]:
        """Return the words that name the route, now or once it has a resource."""
        namespace = ("-n", self.spec.namespace)
        if self.file is not None:
            return (*namespace, "-f", _path(self.file))
        if self.written_down:
            return (*namespace, self.spec.name)
        return ("-f", _path(f"{self.spec.name}.yaml"))


def _path(file: str) -> str:
    """Return a path that no program takes for an option; a single dash is standard input."""
    return f"./{file}" if file.startswith("-") and file != "-" else file


def ref_of(word: str, namespace: str) -> Ref:
    """Return the reference for `KIND/NAME` or a resource's bare name. Raises BadInput."""
    kind, slash, name = word.partition("/")
    if not slash:
        return Ref(KIND, named(word), namespace)
    known = _KINDS.get(kind.lower())
    if known is None or not name:
        kinds = ", ".join(sorted({value.lower() for value in _KINDS.values()}))
        raise BadInput(f"`{shown(word)}` names no object", hint=f"KIND/NAME, with one of: {kinds}")
    return Ref(known, named(name), namespace)


async def route(session: Session, word: str | None, file: str | None) -> NamedRoute:
    """Return the one route that is meant. Raises BadInput listing the existing ones."""
    if file is not None:
        return from_file(session, word, file)
    if word is None:
        raise BadInput("no name given", hint="name a StorageCredential, or give a file with -f")
    ref = ref_of(word, session.namespace)
    if ref.kind == KIND:
        return await from_cluster(session, ref)
    return (await from_workload(session, ref))[0]


def from_file(session: Session, word: str | None, file: str) -> NamedRoute:
    """Return the route that a file describes."""
    name = None if word is None else named(word.rpartition("/")[2])
    located = storage_credential(file, name=name)
    spec = route_spec(located, namespace=session.namespace)
    return NamedRoute(spec=spec, owner=spec.ref, file=file)


async def from_cluster(session: Session, ref: Ref) -> NamedRoute:
    """Return the route that a resource in the cluster describes."""
    try:
        found = await session.objects.get(ref)
    except NoSuchKind as exc:
        raise BadInput(
            f"there is no {ref}: this cluster does not know the kind",
            hint=f"{_discover(ref)}, then use -f route.yaml",
        ) from exc
    except NotFound as exc:
        raise BadInput(f"there is no {ref}", hint=await what_exists(session, ref)) from exc
    return await of_resource(session, found, await _everywhere(session, [found]))


async def of_resource(
    session: Session, found: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> NamedRoute:
    """Return the route of a resource as the API server has it."""
    metadata = found["metadata"]
    place = f"{KIND} {metadata.get('namespace')}/{metadata['name']}"
    spec = route_spec(Located(object=found, file=place, line=1), namespace=session.namespace)
    return NamedRoute(
        spec=spec,
        owner=spec.ref,
        memory=memory_from_status(found.get("status"), key=session.fingerprint_key),
        remembers=session.kept,
        rivals=await _has_rival(session, spec, others),
    )


async def from_workload(session: Session, ref: Ref) -> list[NamedRoute]:
    """Return the route of a running Loki: of its resource, otherwise what is known."""
    discoverer = Discoverer(session.objects)
    try:
        workload = await discoverer.workload(ref)
    except NotFound as exc:
        raise BadInput(f"there is no {ref}", hint=await what_exists(session, ref)) from exc
    except NotReadable as exc:
        raise BadInput(str(exc)) from exc
    covering = [r for r in await resources(session, ref.namespace) if covers(r.spec, workload)]
    if covering:
        return covering
    if workload.secret is None:
        raise BadInput(
            f"{workload.ref}: {why(workload.loki)}",
            hint="lokeys follows a key pair that one Secret holds",
        )
    found = await settled(await discoverer.route([workload]), partial(opens_bucket, session))
    if not found.lookable:
        raise BadInput(
            f"where {workload.ref} writes cannot be told from its configuration",
            hint=f"{_discover(ref)}, fill in what is marked, then use -f route.yaml",
        )
    return [of_discovered(found)]


def _discover(ref: Ref) -> Command:
    discover = command("lokeys discover -n", ref.namespace or "default")
    return discover.followed(Joint.INTO, "route.yaml")


def of_discovered(found: Discovered) -> NamedRoute:
    """Return the route that was found from a running Loki, as far as it is proved."""
    workload = found.spec.workloads[0]
    owner = Ref(workload.kind, workload.name, found.spec.namespace)
    return NamedRoute(spec=found.proved, owner=owner, doubt=found.doubt)


async def resources(
    session: Session, namespace: str | None, *, unusable: list[str] | None = None
) -> list[NamedRoute]:
    """Return the routes of all resources; none if the kind is not installed.

    Faults of a resource are added to `unusable`, if given, and raised otherwise.
    """
    try:
        found = await session.objects.list(KIND, namespace=namespace)
    except NoSuchKind:
        return []
    everywhere = found if namespace is None else await _everywhere(session, found)
    routes = []
    for item in found:
        try:
            routes.append(await of_resource(session, item, everywhere))
        except BadInput as exc:
            if unusable is None:
                raise
            unusable.append(str(exc))
    return routes


def covers(spec: RouteSpec, workload: LokiWorkload) -> bool:
    """Tell whether a route covers this workload, by name or by the Secret that it reads."""
    if spec.namespace != workload.ref.namespace:
        return False
    own = {(workload.ref.kind, workload.ref.name), ("LokiStack", workload.stack)}
    named = any((w.kind, w.name) in own for w in spec.workloads)
    return named or (workload.secret is not None and workload.secret.name == spec.secret.name)


async def _everywhere(
    session: Session, found: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """Return all visible resources, to find two that claim the same."""
    try:
        return await session.objects.list(KIND, namespace=None)
    except LokeysError:
        return found


async def _has_rival(
    session: Session, spec: RouteSpec, others: Sequence[Mapping[str, Any]]
) -> bool:
    """Tell whether an older resource claims the same target, item or user, and may do so."""
    known, specs = RouteClaims(), {}
    for other in others:
        metadata = other["metadata"]
        with suppress(Refused):
            key = (metadata["namespace"], metadata["name"])
            specs[key] = parse(other)
            known.put(key, specs[key], other)
    me = (spec.namespace, spec.name)
    elders = known.elders(me) if me in specs else []
    return any([await _may_claim(session, specs[elder]) for elder in elders])


async def _may_claim(session: Session, spec: RouteSpec) -> bool:
    """Tell whether the source's owner allows a route; if that is not visible, True."""
    ref = consenting_ref(spec)
    if ref is None:
        return True
    try:
        return allows(await session.objects.get(ref), spec.namespace)
    except NotFound:
        return False
    except LokeysError:
        return True


async def what_exists(session: Session, ref: Ref) -> str:
    """Return a hint that names what exists, here or elsewhere."""
    try:
        found = await session.objects.list(ref.kind, namespace=None)
    except LokeysError:
        found = []
    here = sorted(o["metadata"]["name"] for o in found if _namespace(o) == ref.namespace)
    if here:
        return f"in {ref.namespace} there is: {', '.join(here)}"
    elsewhere = sorted(
        f"{_namespace(o)}/{o['metadata']['name']}"
        for o in found
        if o["metadata"]["name"] == ref.name
    )
    if elsewhere:
        return f"there is {', '.join(elsewhere)}: choose its namespace with -n"
    if ref.kind == KIND:
        made = command("lokeys discover -n", ref.namespace or "default")
        return f"{made} prints one for a running Loki"
    return f"there is no {ref.kind} in {ref.namespace}"


def _namespace(found: Mapping[str, Any]) -> str | None:
    namespace: str | None = found["metadata"].get("namespace")
    return namespace
