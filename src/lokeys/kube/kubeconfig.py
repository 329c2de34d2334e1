# SPDX-License-Identifier: Apache-2.0
"""Which API server to use, and as which user.

    an explicit path  >  the files of KUBECONFIG  >  ~/.kube/config  >  in-cluster

Files are merged as kubectl does: the first file with an entry wins. Entries are checked when they
are chosen, and stay mappings in the file's own field names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lokeys.clock import utc_now
from lokeys.core.place import is_namespace
from lokeys.core.text.certificates import end_of_first
from lokeys.core.text.words import shown
from lokeys.errors import BadInput
from lokeys.kube.kubeconfig_fields import KubeconfigEntry, Place, check_cluster
from lokeys.kube.tls import material

MAX_FILE_BYTES = 8 * 1024 * 1024
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a kubelet mounts the account of a pod."""

_SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One chosen context: where the API server is, and the user for it."""

    context_name: str
    origin: str
    """Where it was read, for people: files, or `in-cluster`."""
    cluster: Mapping[str, Any] = field(repr=False)
    """The cluster's checked entry, with a kubeconfig's fields; file paths are absolute."""
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The user's checked entry, likewise."""
    namespace: str = "default"

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return str(self.cluster["server"])

    @property
    def impersonation(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that make the server treat us as another user."""
        headers = [("Impersonate-User", self.user["as"])] if "as" in self.user else []
        headers += [("Impersonate-Group", group) for group in self.user.get("as-groups", ())]
        return tuple(headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What `load` looks at besides its arguments."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    service_account: str = SERVICE_ACCOUNT
    clock: Callable[[], datetime] = utc_now


def load(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    surroundings: Surroundings | None = None,
) -> ClusterConfig:
    """Return the chosen context. Raises `BadInput` naming the file and what exists in it."""
    around = surroundings or Surroundings()
    paths = _paths(kubeconfig, around)
    if not paths:
        chosen = _in_cluster(around)
    else:
        origin = os.pathsep.join(str(path) for path in paths)
        chosen = _choose(_merge(paths), context, origin=origin)
        _refuse_expired(chosen, now=around.clock())
    if namespace and not is_namespace(namespace):
        raise BadInput(
            f"`{shown(namespace)}` cannot be a namespace",
            hint="a namespace's name is of a-z, 0-9 and -, and has 63 characters at most",
        )
    return replace(chosen, namespace=namespace) if namespace else chosen


def _paths(kubeconfig: str | None, around: Surroundings) -> list[Path]:
    """Return the files to merge; an empty list means in-cluster."""
    if kubeconfig:
        path = _expanded(kubeconfig, hint="check --kubeconfig")
        if not _is_file(path):
            raise BadInput("kubeconfig not found", place=str(path), hint="check --kubeconfig")
        return [path]
    named = around.environ.get("KUBECONFIG", "").split(os.pathsep)
    listed = [_expanded(part, hint="check KUBECONFIG") for part in named if part]
    present = [path for path in listed if _is_file(path)]
    if present:
        return present
    if listed:
        names = ", ".join(str(path) for path in listed)
        raise BadInput(f"no file of KUBECONFIG exists: {names}", hint="check KUBECONFIG")
    default = Path(around.environ.get("HOME", "/")) / ".kube" / "config"
    if _is_file(default):
        return [default]
    if "KUBERNETES_SERVICE_HOST" not in around.environ:
        raise BadInput(
            f"no kubeconfig: KUBECONFIG is not set, {default} does not exist, and this is no pod",
            hint="name one with --kubeconfig",
        )
    return []


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - Path's own raises where a folder is closed


def _expanded(path: str, *, hint: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = path.partition(os.sep)[0]
        raise BadInput(f"there is no home of `{shown(user)}`", place=path, hint=hint) from None


def _merge(paths: Iterable[Path]) -> dict[str, Any]:
    """Return one configuration; the first file with an entry wins."""
    merged: dict[str, Any] = {section: {} for section in _SECTIONS}
    for path in paths:
        content = _read(path)
        for section, inner in _SECTIONS.items():
            for name, entry, place in _entries(content, section, inner, path=path):
                merged[section].setdefault(
                    name, KubeconfigEntry(entry, place, path.absolute().parent)
                )
        if not merged.get("current-context"):
            current = content.get("current-context")
            if current is not None and not isinstance(current, str):
                raise BadInput("`current-context` is not text", place=str(path))
            merged["current-context"] = current
    return merged


def _read(path: Path) -> dict[str, Any]:
    """Return the file as a mapping. Messages quote no content: it may be a token."""
    place = str(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise BadInput(f"kubeconfig cannot be read: {exc.strerror}", place=place) from exc
    if len(text) > MAX_FILE_BYTES:
        raise BadInput(f"kubeconfig is larger than {MAX_FILE_BYTES} bytes", place=place)
    if not text.strip():
        raise BadInput("kubeconfig is empty", place=place)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f"{place}:{mark.line + 1}" if mark else place
        raise BadInput("kubeconfig is not YAML", place=line) from None
    except (ValueError, OverflowError):  # an invalid date, a number of 5,000 digits
        raise BadInput("a value in the kubeconfig makes no sense", place=place) from None
    except RecursionError:
        raise BadInput("kubeconfig is nested too deeply", place=place) from None
    if not isinstance(content, dict):
        raise BadInput("kubeconfig is not a mapping", place=place)
    return content


def _entries(
    content: dict[str, Any], section: str, inner: str, *, path: Path
) -> Iterable[tuple[str, dict[str, Any], Place]]:
    entries = content.get(section) or []
    if not isinstance(entries, list):
        raise BadInput(f"`{section}` is not a list", place=str(path))
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise BadInput(f"`{section}[{index}]` has no name", place=str(path))
        body = entry.get(inner)
        if body is not None and not isinstance(body, dict):
            raise BadInput(f"`{section}[{index}].{inner}` is not a mapping", place=str(path))
        place = Place(file=str(path), path=f"{section}[{index}].{inner}")
        yield entry["name"], body or {}, place


def _choose(merged: dict[str, Any], context: str | None, *, origin: str) -> ClusterConfig:
    name = context or merged.get("current-context")
    if not name:
        raise BadInput(
            f"no current context is set; contexts: {_names(merged['contexts'])}",
            place=origin,
            hint="name one with --context",
        )
    if name not in merged["contexts"]:
        raise BadInput(
            f"context `{shown(name)}` does not exist; contexts: {_names(merged['contexts'])}",
            place=origin,
            hint="name one with --context",
        )
    chosen = merged["contexts"][name].context()
    cluster = _cluster(merged, chosen.get("cluster"), context=name, origin=origin)
    user = _user(merged, chosen.get("user"), context=name, origin=origin)
    return ClusterConfig(
        context_name=name,
        origin=origin,
        cluster=cluster,
        user=user,
        namespace=chosen.get("namespace") or "default",
    )


def _cluster(
    merged: dict[str, Any], name: str | None, *, context: str, origin: str
) -> dict[str, Any]:
    cluster: dict[str, Any] = _referred(merged, "cluster", name, context, origin).cluster()
    if "server" not in cluster:
        raise BadInput(f"cluster `{shown(name)}` has no server", place=origin)
    return cluster


def _user(merged: dict[str, Any], name: str | None, *, context: str, origin: str) -> dict[str, Any]:
    """Return the context's user; it may be left out."""
    return _referred(merged, "user", name, context, origin).user() if name else {}


def _referred(
    merged: dict[str, Any], what: str, name: str | None, context: str, origin: str
) -> KubeconfigEntry:
    known: dict[str, KubeconfigEntry] = merged[f"{what}s"]
    if name is None or name not in known:
        dangling = f"names the {what} `{shown(name)}`, which does not exist"
        said = dangling if name else f"names no {what}"
        raise BadInput(f"context `{shown(context)}` {said}; {what}s: {_names(known)}", place=origin)
    return known[name]


def _in_cluster(around: Surroundings) -> ClusterConfig:
    """Return the configuration that the kubelet gives every pod: environment, token, CA."""
    folder = Path(around.service_account)
    try:
        host, port = (around.environ[f"KUBERNETES_SERVICE_{part}"] for part in ("HOST", "PORT"))
        (folder / "token").read_bytes()
        namespace = (folder / "namespace").read_text().strip()
    except (KeyError, OSError, ValueError) as exc:
        missing = f"{exc.args[0]} is not set" if isinstance(exc, KeyError) else "unreadable"
        raise BadInput(
            "this looks like a pod, but its service account cannot be read: "
            f"{getattr(exc, 'strerror', None) or missing}",
            place=around.service_account,
            hint="set automountServiceAccountToken, or name a file with --kubeconfig",
        ) from None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    cluster = {"server": server, "certificate-authority": str(folder / "ca.crt")}
    return ClusterConfig(
        context_name="in-cluster",
        origin="in-cluster",
        cluster=check_cluster(cluster, place=Place(file="in-cluster", path="env")),
        user={"tokenFile": str(folder / "token")},
        namespace=namespace,
    )


def _refuse_expired(config: ClusterConfig, *, now: datetime) -> None:
    try:
        pem = material(config.user, "client-certificate")
    except ValueError:
        raise BadInput("client-certificate-data is not base64", place=config.origin) from None
    except OSError as exc:
        message = f"client certificate cannot be read: {exc.strerror}"
        raise BadInput(message, place=str(config.user["client-certificate"])) from exc
    if pem is None:
        return
    end = end_of_first(pem.decode("latin-1"))
    if end is not None and end <= now:
        raise BadInput(
            f"the client certificate of context `{shown(config.context_name)}` expired on "
            f"{end:%Y-%m-%d %H:%M} UTC",
            place=config.origin,
            hint="get a fresh kubeconfig for this cluster",
        )


def _names(known: Iterable[str]) -> str:
    return ", ".join(f"`{shown(name)}`" for name in sorted(known)) or "none"
