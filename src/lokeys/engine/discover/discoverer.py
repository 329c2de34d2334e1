# SPDX-License-Identifier: Apache-2.0
"""Following a running Loki's key back to where it is minted, and saying how sure each step is.

    workload ─▶ container's environment ─▶ Secret ─▶ ExternalSecret ─▶ store ─▶ item
                                             ╰──────── same key id ────────▶ CephObjectStoreUser

Only names are taken, and from Loki's configuration only where it writes: a key id is compared in
the encoding in which Kubernetes hands it out, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.external_secrets.onepassword import (
    ConnectStore,
    ItemField,
    connect_of,
    item_field,
    provider_of,
)
from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret, Field, read
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref
from lokeys.core.route.model import (
    Bucket,
    ExternalSecretRef,
    MetricsEndpoint,
    Mode,
    OnePasswordVault,
    PairKeys,
    RookSource,
    RouteSpec,
    SecretRef,
    SecretSource,
    Source,
    Vault,
    Workload,
)
from lokeys.core.stack.storage.addresses import as_printed
from lokeys.engine.discover import loki_config
from lokeys.engine.discover.loki_config import Environment, Storage
from lokeys.engine.discover.loki_workload import (
    controller_of,
    loki_container,
    pair_of,
    port_of,
    template_of,
    volume_sources,
)
from lokeys.errors import LokeysError, NotFound, NotReadable
from lokeys.ports import Objects

UNKNOWN = "CHANGE-ME"
"""Stands where something must be filled in; no object can have this name."""

WORKLOAD_KINDS = ("StatefulSet", "Deployment", "DaemonSet")
CANDIDATES = 50
"""More users than this are not tried at the store."""
ROOK_KEYS = PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")

_COMPARED = "source and Secret are compared, and what lies between stays with you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A route as far as it can be told. `notes` stand by the field's path in the manifest.

    `sure` is False where the source is a guess: its key must prove itself at the bucket first.
    """

    spec: RouteSpec
    notes: Mapping[str, str] = field(default_factory=dict)
    sure: bool = True
    candidates: tuple[RookSource, ...] = ()
    """Users whose key this may be, where the key id itself does not tell."""

    @property
    def blanks(self) -> tuple[str, ...]:
        """Return the paths that a person has to fill in."""
        return tuple(path for path, note in self.notes.items() if UNKNOWN in note)

    @property
    def lookable(self) -> bool:
        """Tell whether a look at the route makes sense: bucket and endpoint are known."""
        return UNKNOWN not in (self.spec.bucket.name, self.spec.bucket.endpoint)

    def without_source(self) -> Discovered:
        """Return the route with Loki's own Secret taken for the source: nothing is compared."""
        source = SecretSource(secret=self.spec.secret, namespace=self.spec.namespace)
        spec = replace(self.spec, source=source, vault=None, external_secret=None)
        return replace(self, spec=spec, sure=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiWorkload:
    """A workload that runs Loki: its object, its container and the pair's place in its Secret."""

    ref: Ref
    container: str
    secret: SecretRef | None
    storage: Storage
    port: int = 3100

    @property
    def as_workload(self) -> Workload:
        """Return it as a route lists it."""
        metrics = MetricsEndpoint(port=self.port)
        return Workload(
            kind=self.ref.kind, name=self.ref.name, container=self.container, metrics=metrics
        )


Opens = Callable[[RouteSpec], Awaitable[bool]]
"""Tells whether the key of a route's source may use the route's bucket."""


async def settled(found: Discovered, opens: Opens) -> Discovered:
    """Return the route with its source settled at the store, where exactly one candidate fits.

    A key that changed at its source is no longer the one that Loki reads, but it still opens the
    bucket that Loki writes to, and a stranger's key does not.
    """
    if found.sure or not found.lookable:
        return found
    specs = [replace(found.spec, source=source) for source in found.candidates[:CANDIDATES]]
    fitting = [spec for spec in specs if await opens(spec)]
    if len(fitting) != 1:
        return found
    notes = {path: note for path, note in found.notes.items() if not path.startswith("spec.source")}
    notes["spec.source.rook.user"] = (
        "its key opens Loki's bucket, and no other user's does; the key that Loki reads is another"
    )
    return replace(found, spec=fitting[0], notes=notes, sure=True)


@dataclass(slots=True)
class Discoverer:
    """Reads a cluster once; what cannot be read becomes a note, never an error."""

    objects: Objects
    gaps: list[str] = field(default_factory=list)
    _users: list[_Candidate] | None = None

    async def workloads(self, namespace: str | None) -> list[LokiWorkload]:
        """Return the workloads that look like Loki; `namespace` None means all."""
        return [
            await self._loki(kind, item)
            for kind in WORKLOAD_KINDS
            for item in await self._list(kind, namespace=namespace)
            if loki_container(item) is not None
        ]

    async def workload(self, ref: Ref) -> LokiWorkload:
        """Return one workload, or the one that owns a pod. Raises NotFound, NotReadable."""
        item = await self.objects.get(ref)
        if ref.kind in ("Pod", "ReplicaSet"):
            owner = controller_of(item)
            if owner is None:
                raise NotReadable(f"{ref} belongs to no workload")
            return await self.workload(Ref(owner["kind"], owner["name"], ref.namespace))
        if loki_container(item) is None:
            raise NotReadable(f"{ref} runs no Loki: none of its containers is one")
        return await self._loki(ref.kind, item)

    async def routes(self, workloads: Sequence[LokiWorkload]) -> list[Discovered]:
        """Return one route for each Secret that some of the workloads read."""
        groups: dict[tuple[str | None, str], list[LokiWorkload]] = {}
        for workload in workloads:
            if workload.secret is not None:
                groups.setdefault((workload.ref.namespace, workload.secret.name), []).append(
                    workload
                )
        return [await self.route(group) for group in groups.values()]

    async def route(self, group: Sequence[LokiWorkload]) -> Discovered:
        """Return the route of workloads that read the same Secret."""
        first = group[0]
        namespace, secret = first.ref.namespace or "default", first.secret
        if secret is None:
            raise NotReadable(f"{first.ref} takes no key pair from a Secret")
        storage = next((w.storage for w in group if w.storage.bucket), first.storage)
        notes: dict[str, str] = {}
        held = await self._get(Ref("Secret", secret.name, namespace))
        delivery, vault = await self._delivery(secret, held, namespace, notes)
        source, sure, endpoint = await self._source(secret, held, first, storage, notes)
        bucket = _bucket(storage, endpoint, notes)
        spec = RouteSpec(
            name=_route_name(first.ref.name),
            namespace=namespace,
            mode=Mode.OBSERVE,
            source=source,
            vault=vault,
            secret=secret,
            external_secret=delivery,
            bucket=bucket,
            workloads=tuple(w.as_workload for w in group),
        )
        notes["spec.mode"] = "Observe changes nothing; Heal mends by itself"
        known = () if sure else tuple(c.source for c in await self._candidates())
        return Discovered(spec=spec, notes=notes, sure=sure, candidates=known)

    # --- Loki ------------------------------------------------------------------------------------

    async def _loki(self, kind: str, item: Json) -> LokiWorkload:
        metadata = item["metadata"]
        namespace = metadata.get("namespace")
        container = loki_container(item) or {}
        template = template_of(item)
        environment = await self._environment(container, namespace)
        texts = await self._configuration(template, container, namespace)
        storage = loki_config.storage_of(texts, environment)
        return LokiWorkload(
            ref=Ref(kind, metadata["name"], namespace),
            container=str(container.get("name")),
            secret=pair_of(environment, storage),
            storage=storage,
            port=port_of(container),
        )

    async def _environment(self, container: Json, namespace: str | None) -> Environment:
        """Return the container's variables: their values, or which Secret's key they come from."""
        values: dict[str, str] = {}
        secrets: dict[str, tuple[str, str]] = {}
        for source in container.get("envFrom") or ():
            prefix = source.get("prefix") or ""
            for kind, field_name in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                name: str | None = (source.get(field_name) or {}).get("name")
                held = await self._get(Ref(kind, name, namespace)) if name else None
                for key, value in ((held or {}).get("data") or {}).items():
                    if kind == "Secret" and name:
                        secrets[prefix + key] = (name, key)
                    else:
                        values[prefix + key] = value
        for variable in container.get("env") or ():
            origin = variable.get("valueFrom") or {}
            if ref := origin.get("secretKeyRef"):
                secrets[variable["name"]] = (ref["name"], ref["key"])
            elif ref := origin.get("configMapKeyRef"):
                held = await self._get(Ref("ConfigMap", ref["name"], namespace))
                values[variable["name"]] = ((held or {}).get("data") or {}).get(ref["key"], "")
            elif "value" in variable:
                values[variable["name"]] = variable["value"]
        return Environment(values=values, secrets=secrets)

    async def _configuration(
        self, template: Json, container: Json, namespace: str | None
    ) -> list[str]:
        """Return the texts of the YAML files that the container has mounted."""
        mounted = {mount.get("name") for mount in container.get("volumeMounts") or ()}
        texts = []
        for volume in template.get("volumes") or ():
            if volume.get("name") not in mounted:
                continue
            for ref in volume_sources(volume, namespace):
                held = await self._get(ref)
                texts += loki_config.texts_of(held or {})
        return texts

    # --- delivery and vault ----------------------------------------------------------------------

    async def _delivery(
        self, secret: SecretRef, held: Json | None, namespace: str, notes: dict[str, str]
    ) -> tuple[ExternalSecretRef | None, Vault | None]:
        found = [
            item
            for item in await self._list("ExternalSecret", namespace=namespace)
            if read(item).target == secret.name
        ]
        if not found:
            notes["spec.secret"] = (
                "no ExternalSecret makes it: in modes Heal and Rotate lokeys writes it itself"
            )
            return None, None
        owner = controller_of(held or {})
        chosen = next((e for e in found if owner and e["metadata"]["name"] == owner["name"]), None)
        external = chosen or found[0]
        if len(found) > 1:
            names = ", ".join(sorted(e["metadata"]["name"] for e in found))
            notes["spec.secret.externalSecret"] = f"several claim this Secret: {names}"
        vault = await self._vault(external, secret, namespace, notes)
        return ExternalSecretRef(name=external["metadata"]["name"]), vault

    async def _vault(
        self, external: Json, secret: SecretRef, namespace: str, notes: dict[str, str]
    ) -> Vault | None:
        said = read(external, namespace=namespace)
        fields = _fields_of(said, secret.keys)
        stores = {each.remote.store for each in fields if isinstance(each, Field)}
        store_ref = next(iter(sorted(stores - {None}, key=str)), next(iter(said.stores), None))
        store = await self._get(store_ref) if store_ref else None
        if store is None:
            notes["spec.source"] = f"the store {store_ref} could not be read: is there a vault?"
            return None
        connect = connect_of(store)
        if connect is None:
            notes["spec.secret.externalSecret"] = (
                f"its provider `{provider_of(store) or 'unknown'}` is one that lokeys cannot read: "
                f"{_COMPARED}"
            )
            return None
        labelled = [each if isinstance(each, NotFollowed) else item_field(each) for each in fields]
        if len(stores) > 1:
            labelled.append(NotFollowed("the two keys come from different stores"))
        for each in labelled:
            if isinstance(each, NotFollowed):
                notes["spec.secret.externalSecret"] = (
                    f"the vault's fields are not followed: {each.why}; {_COMPARED}"
                )
                return None
        found = [each for each in labelled if isinstance(each, ItemField)]
        return _onepassword(connect, found, namespace, notes)

    # --- source ----------------------------------------------------------------------------------

    async def _source(
        self,
        secret: SecretRef,
        held: Json | None,
        workload: LokiWorkload,
        storage: Storage,
        notes: dict[str, str],
    ) -> tuple[Source, bool, str]:
        """Return the source, whether it is sure, and the endpoint that Rook names."""
        users = await self._candidates()
        key_id = ((held or {}).get("data") or {}).get(secret.keys.access_key_id)
        same = [c for c in users if key_id and c.key_id == key_id]
        if same:
            notes["spec.source.rook.user"] = "its Secret holds the key id that Loki reads"
            return same[0].source, True, same[0].endpoint
        guess, why = _likeliest(users, workload, storage)
        if guess is not None:
            notes["spec.source.rook.user"] = (
                f"{why}; its present key id is not the one that Loki reads, which is what a "
                "changed key looks like. Check that this is Loki's user"
            )
            return guess.source, False, guess.endpoint
        listed = ", ".join(f"{c.source.namespace}/{c.source.user}" for c in users)
        notes["spec.source"] = (
            f"{UNKNOWN}: whose key this is cannot be told; candidates: {listed}"
            if users
            else f"{UNKNOWN}: no CephObjectStoreUser can be seen; where is this key minted?"
        )
        blank = SecretRef(name=UNKNOWN, keys=secret.keys)
        namespace = workload.ref.namespace or "default"
        return SecretSource(secret=blank, namespace=namespace), False, ""

    async def _candidates(self) -> list[_Candidate]:
        """Return every user of Rook that can be seen; read once."""
        if self._users is None:
            found = await self._list("CephObjectStoreUser", namespace=None)
            self._users = [await self._candidate(user) for user in found]
        return self._users

    async def _candidate(self, user: Json) -> _Candidate:
        keys = rook.key_secrets(user)
        metadata = user["metadata"]
        held = None if keys.entries else await self._get(keys.generated)
        if held is not None and not rook.is_generated_for(held, user):
            held = None
        data = (held or {}).get("data") or {}
        return _Candidate(
            source=RookSource(
                user=metadata["name"], namespace=metadata.get("namespace", "default")
            ),
            key_id=data.get(ROOK_KEYS.access_key_id) or None,
            endpoint=as_printed(loki_config.decoded(data.get("Endpoint"))),
        )

    async def _get(self, ref: Ref) -> Json | None:
        try:
            return await self.objects.get(ref)
        except NotFound:
            return None
        except LokeysError as exc:
            self.gaps.append(str(exc))
            return None

    async def _list(self, kind: str, *, namespace: str | None) -> list[Json]:
        try:
            return await self.objects.list(kind, namespace=namespace)
        except NotFound:
            return []  # the kind is not installed
        except LokeysError as exc:
            self.gaps.append(str(exc))
            return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    source: RookSource
    key_id: str | None = field(repr=False)
    endpoint: str


def _likeliest(
    users: Sequence[_Candidate], workload: LokiWorkload, storage: Storage
) -> tuple[_Candidate | None, str]:
    """Return the one user that fits where Loki writes, or the one named as Loki is."""
    host = urlsplit(storage.endpoint).hostname if storage.endpoint else None
    there = [c for c in users if host and urlsplit(c.endpoint).hostname == host]
    if len(there) == 1:
        return there[0], "the only user of the store that Loki writes to"
    if len(users) == 1:
        return users[0], "the only user there is"
    pool = there or users
    words = {workload.ref.name, storage.bucket, "loki"}
    named = [c for c in pool if c.source.user in words] or [
        c for c in pool if "loki" in c.source.user
    ]
    if len(named) == 1:
        others = ", ".join(sorted(f"{c.source.namespace}/{c.source.user}" for c in pool))
        return named[0], f"guessed by its name among {others}"
    return None, ""


def _bucket(storage: Storage, endpoint: str, notes: dict[str, str]) -> Bucket:
    ours = as_printed(storage.endpoint)
    if not storage.bucket:
        notes["spec.bucket.name"] = f"{UNKNOWN}: Loki's configuration does not tell"
    if not ours and endpoint:
        notes["spec.bucket.endpoint"] = "as Rook's Secret names it; Loki's configuration does not"
    elif not ours:
        notes["spec.bucket.endpoint"] = f"{UNKNOWN}: neither Loki's configuration nor Rook tells"
    return Bucket(
        name=storage.bucket or UNKNOWN,
        endpoint=ours or endpoint or UNKNOWN,
        region=storage.region or "us-east-1",
        path_style=storage.path_style,
    )


def _fields_of(said: ExternalSecret, keys: PairKeys) -> list[Field | NotFollowed]:
    return [said.field_of(key) for key in (keys.access_key_id, keys.secret_access_key)]


def _onepassword(
    connect: ConnectStore, pair: Sequence[ItemField], namespace: str, notes: dict[str, str]
) -> OnePasswordVault:
    """Return the vault whose item holds the pair, with what is to be said about it in `notes`."""
    items = sorted({each.item for each in pair})
    if len(items) > 1:
        notes["spec.vault"] = (
            f"{UNKNOWN}: the two keys come from different items ({', '.join(items)}), "
            "and a pair is written as one"
        )
    if not all(each.certain for each in pair):
        notes["spec.vault.onePassword.fields"] = (
            "as External Secrets names them; the item's labels may have another character where "
            "these have `_`"
        )
    address = as_printed(connect.url)
    if not address:
        notes["spec.vault.onePassword.connect.url"] = (
            f"{UNKNOWN}: `connectHost` is not an address alone: scheme, host, port and path"
        )
    _note_vault(connect, namespace, notes)
    labels = [each.label for each in pair]
    return OnePasswordVault(
        url=address or UNKNOWN,
        token=SecretKeyRef(name=connect.token.name or UNKNOWN, key=connect.token.key or "token"),
        vault=next(iter(connect.vaults), UNKNOWN),
        item=items[0] or UNKNOWN,
        fields=PairKeys(access_key_id=labels[0], secret_access_key=labels[1]),
    )


def _note_vault(connect: ConnectStore, namespace: str, notes: dict[str, str]) -> None:
    there = connect.token_namespace
    if there and there != namespace:
        notes["spec.vault.onePassword.connect.tokenSecretRef"] = (
            f"{UNKNOWN}: the token is in namespace {there}; lokeys reads one from {namespace}, "
            "with the right to write the item"
        )
    else:
        notes["spec.vault.onePassword.connect.tokenSecretRef"] = (
            "as External Secrets has it; lokeys needs one that may also write the item"
        )
    if len(connect.vaults) > 1:
        others = ", ".join(connect.vaults)
        notes["spec.vault.onePassword.vault"] = f"the first of several that are searched: {others}"


def _route_name(workload: str) -> str:
    """Return a short name for the route: `loki` for loki-write, loki-read and loki-backend."""
    return "loki" if workload.startswith("loki") else workload[:63]
