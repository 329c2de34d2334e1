# SPDX-License-Identifier: Apache-2.0
"""What a Loki's pod manifest, configuration and environment alone reveal about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from lokeys.core.kubernetes.aws_addresses import is_aws
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.place import Ref


class Backend(StrEnum):
    """What kind of store Loki writes to."""

    S3 = "s3"
    GCS = "gcs"
    AZURE = "azure"
    SWIFT = "swift"
    DISK = "filesystem"
    OTHER = "another"


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiStorage:
    """Where Loki writes; empty if its configuration does not say it, or cannot be read.

    `newer_client`: `use_thanos_objstore`. `several`: the schema names more than one store.
    """

    backend: Backend = Backend.S3
    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = True
    newer_client: bool = False
    several: bool = False
    told_endpoint: bool = False
    """Whether the configuration has an endpoint; without one, AWS's of the region is used."""

    @property
    def of_aws(self) -> bool:
        """Tell whether the store may be AWS's, where a node may have its own role."""
        host = urlsplit(self.endpoint).hostname or ""
        return self.backend is Backend.S3 and (not host or is_aws(host))


@dataclass(frozen=True, slots=True)
class InFile:
    """A value in the configuration file itself, at a path in its YAML."""

    file: DataKey
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}, at {'.'.join(self.path)}"


@dataclass(frozen=True, slots=True)
class InManifest:
    """A value in the workload's own manifest: of a variable, or in an argument."""

    field: str

    def __str__(self) -> str:
        return self.field


Half = DataKey | InFile | InManifest
"""Where one half of a key pair is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlace:
    """Where the pair is set with which Loki signs. The pair itself is never here.

    Each half is a data key that a variable refers to, or a literal value in the configuration or
    the manifest. `in_url`: both halves are part of one `s3://` URL.
    """

    key_id: Half
    secret: Half
    in_url: bool = False
    blanks_kept: bool = False
    """Whether blanks at a value's ends are signed with: YAML drops those of unquoted values."""

    @property
    def data_keys(self) -> tuple[DataKey, DataKey] | None:
        """Return both halves if they are two data keys of one Secret."""
        one, other = self.key_id, self.secret
        if not (isinstance(one, DataKey) and isinstance(other, DataKey)) or self.in_url:
            return None
        return (one, other) if one.ref == other.ref and one.ref.kind == "Secret" else None

    @property
    def in_clear(self) -> bool:
        """Tell whether the secret half can be read without reading a Secret."""
        place = self.secret.file if isinstance(self.secret, InFile) else self.secret
        return not (isinstance(place, DataKey) and place.ref.kind == "Secret")

    def __str__(self) -> str:
        one, other = self.key_id, self.secret
        if isinstance(one, InFile) and isinstance(other, InFile) and one.file == other.file:
            section = one.path[:-1] if one != other else one.path
            return f"{one.file}, at {'.'.join(section)}"
        return " and ".join(dict.fromkeys((str(one), str(other))))


class IdentityKind(StrEnum):
    """How a pod without a key identifies itself to its cloud."""

    IRSA = "the IAM role"
    POD_IDENTITY = "EKS Pod Identity"
    AZURE = "the Azure client"
    GKE = "the Google service account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An identity without a key: its name, and where it is set."""

    kind: IdentityKind
    name: str
    said_by: Ref

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class Misconfiguration(StrEnum):
    """What is wrong with Loki's configuration, whatever its key is."""

    NOT_EXPANDED = "a variable reaches the client as it is written"
    NOT_SET = "a variable is named and not set"
    NOT_EXPANDABLE = "an expression cannot be read"
    HALF_A_PAIR = "one half of the pair is given"
    ROLE_SHADOWED = "a key is used, and not the role"
    EXCHANGE_MISDIRECTED = "the endpoint gets the token exchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFault:
    """One configuration error. `names` are variables, or the expression."""

    kind: Misconfiguration
    names: tuple[str, ...] = ()
    field: str = ""
    line: int | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RulerStorage:
    """The S3 store that a ruler uses for its rules, if it has its own.

    `same_pair` None: it is not known whether its pair is that of chunks and index.
    """

    storage: LokiStorage
    pair: PairPlace | None
    same_pair: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLoki:
    """One container that runs Loki.

    `file` None: the configuration cannot be read, `unseen` says why. `guessed`: no argument names
    the file. `pair` None: no key pair is configured. `targets`: the components in this process.
    """

    container: str
    port: int = 3100
    version: tuple[int, ...] | None = None
    targets: frozenset[str] = frozenset({"all"})
    file: DataKey | None = None
    guessed: bool = False
    expands: bool = False
    unseen: str = ""
    storage: LokiStorage = LokiStorage()
    pair: PairPlace | None = None
    identity: Identity | None = None
    faults: tuple[ConfigurationFault, ...] = ()
    ruler: RulerStorage | None = None
    variables: tuple[tuple[str, DataKey], ...] = ()
    """The variables that the settings in force name, each with its data key."""

    @property
    def uses_storage(self) -> bool:
        """Tell whether some component of this process uses the object store."""
        return not self.targets <= _WITHOUT_STORAGE

    @property
    def kept_from_storage(self) -> frozenset[Misconfiguration]:
        """Return what certainly prevents access to its storage, whatever its key is."""
        found = (fault for fault in self.faults if fault.certain and self.uses_storage)
        return frozenset(fault.kind for fault in found) - {Misconfiguration.ROLE_SHADOWED}


WITH_RULER = frozenset({"all", "ruler", "backend", "read"})
"""Targets of Loki that run a ruler (`read` in the older simple scalable deployment)."""
_WITHOUT_STORAGE = frozenset(
    {
        *("distributor", "query-frontend", "query-scheduler", "overrides-exporter"),
        *("ingest-limits", "ingest-limits-frontend", "ui", "memberlist-kv"),
    }
)
"""Targets of Loki that do not create an object store client."""
