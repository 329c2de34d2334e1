# SPDX-License-Identifier: Apache-2.0
"""Which API server to speak to, and as whom.

    an explicit path  >  the files of KUBECONFIG  >  ~/.kube/config  >  in-cluster

Files are merged as kubectl does: the first that names a thing wins. lightkube supplies the models
and reads in-cluster accounts; what it lacks (lists, proxy-url, tls-server-name, exec plugins of
version v1) is carried beside its models.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from lokeys.clock import utc_now
from lokeys.errors import BadInput
from lokeys.kube.certificate import certificate_end

MAX_FILE_BYTES = 8 * 1024 * 1024

_SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}
_PATH_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One chosen context: lightkube's part, and what lightkube does not carry."""

    single: SingleConfig = field(repr=False)
    origin: str
    """Where it was read, for people: files, or `in-cluster`."""
    namespace: str = "default"
    proxy_url: str | None = None
    tls_server_name: str | None = None
    exec_plugin: Mapping[str, Any] | None = field(default=None, repr=False)
    cluster_entry: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The cluster as the file has it, for exec plugins that ask for it."""
    impersonation: tuple[tuple[str, str], ...] = ()
    """The headers that make the server treat us as somebody else, where the file says so."""

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return self.single.cluster.server

    @property
    def context_name(self) -> str:
        """Return the name of the chosen context."""
        return self.single.context_name


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
    return replace(chosen, namespace=namespace) if namespace else chosen


def _paths(kubeconfig: str | None, around: Surroundings) -> list[Path]:
    """Return the files to merge; none at all means in-cluster."""
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise BadInput("kubeconfig not found", place=str(path), hint="check --kubeconfig")
        return [path]
    named = around.environ.get("KUBECONFIG", "").split(os.pathsep)
    listed = [Path(part).expanduser() for part in named if part]
    present = [path for path in listed if path.is_file()]
    if present:
        return present
    if listed:
        names = ", ".join(str(path) for path in listed)
        raise BadInput(f"no file of KUBECONFIG exists: {names}", hint="check KUBECONFIG")
    default = Path(around.environ.get("HOME", "/")) / ".kube" / "config"
    if default.is_file():
        return [default]
    if "KUBERNETES_SERVICE_HOST" not in around.environ:
        raise BadInput(
            f"no kubeconfig: KUBECONFIG is not set, {default} does not exist, and this is no pod",
            hint="name one with --kubeconfig",
        )
    return []


def _merge(paths: Iterable[Path]) -> dict[str, Any]:
    """Return one configuration; the first file that names a thing wins."""
    merged: dict[str, Any] = {section: {} for section in _SECTIONS}
    for path in paths:
        content = _read(path)
        for section, inner in _SECTIONS.items():
            for name, entry in _entries(content, section, inner, path=path):
                merged[section].setdefault(name, _absolute(entry, path.absolute().parent))
        if not merged.get("current-context"):
            merged["current-context"] = content.get("current-context")
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
    except RecursionError:
        raise BadInput("kubeconfig is nested too deeply", place=place) from None
    if not isinstance(content, dict):
        raise BadInput("kubeconfig is not a mapping", place=place)
    return content


def _entries(
    content: dict[str, Any], section: str, inner: str, *, path: Path
) -> Iterable[tuple[str, dict[str, Any]]]:
    entries = content.get(section) or []
    if not isinstance(entries, list):
        raise BadInput(f"`{section}` is not a list", place=str(path))
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise BadInput(f"`{section}[{index}]` has no name", place=str(path))
        body = entry.get(inner)
        if body is not None and not isinstance(body, dict):
            raise BadInput(f"`{section}[{index}].{inner}` is not a mapping", place=str(path))
        yield entry["name"], body or {}


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the entry with its files, and its plugin, found from the file that names them."""
    found = dict(entry)
    for name in _PATH_FIELDS:
        if isinstance(entry.get(name), str) and entry[name]:
            found[name] = str(folder / entry[name])
    plugin = entry.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


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
            f"context `{name}` does not exist; contexts: {_names(merged['contexts'])}",
            place=origin,
            hint="name one with --context",
        )
    chosen = merged["contexts"][name]
    cluster = _referred(merged, chosen, "cluster", context=name, origin=origin)
    user = _referred(merged, chosen, "user", context=name, origin=origin)
    return ClusterConfig(
        single=_single(name, merged, origin=origin),
        origin=origin,
        namespace=chosen.get("namespace") or "default",
        proxy_url=cluster.get("proxy-url") or None,
        tls_server_name=cluster.get("tls-server-name") or None,
        exec_plugin=user.get("exec"),
        cluster_entry=cluster,
        impersonation=_impersonation(user),
    )


def _referred(
    merged: dict[str, Any], chosen: dict[str, Any], what: str, *, context: str, origin: str
) -> dict[str, Any]:
    """Return the cluster or user that the context names; only a user may be left out."""
    name, known = chosen.get(what), merged[f"{what}s"]
    if not name and what == "user":
        return {}
    if name not in known:
        said = f"names the {what} `{name}`, which does not exist" if name else f"names no {what}"
        raise BadInput(f"context `{context}` {said}; {what}s: {_names(known)}", place=origin)
    entry: dict[str, Any] = known[name]
    if what == "cluster" and not entry.get("server"):
        raise BadInput(f"cluster `{name}` has no server", place=origin)
    return entry


def _single(name: str, merged: dict[str, Any], *, origin: str) -> SingleConfig:
    """Hand the chosen context, and only it, to lightkube's models."""
    context = merged["contexts"][name]
    user = dict(merged["users"].get(context.get("user")) or {})
    user.pop("exec", None)  # ours: lightkube knows no plugin of version v1
    document = {
        "current-context": name,
        "contexts": [{"name": name, "context": {**context, "user": "user"}}],
        "clusters": [
            {"name": context["cluster"], "cluster": merged["clusters"][context["cluster"]]}
        ],
        "users": [{"name": "user", "user": user}],
    }
    try:
        single = KubeConfig.from_dict(document).get(name)
    except msgspec.ValidationError as exc:
        raise BadInput(f"context `{name}` has a malformed field: {exc}", place=origin) from None
    if single is None:  # pragma: no cover - the context was put in above
        raise BadInput(f"context `{name}` cannot be used", place=origin)
    return single


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    return tuple(headers)


def _in_cluster(around: Surroundings) -> ClusterConfig:
    try:
        single = KubeConfig.from_service_account(around.service_account).get()
    except (ConfigError, KeyError, OSError) as exc:
        raise BadInput(
            f"this looks like a pod, but its service account cannot be read: {exc}",
            place=around.service_account,
            hint="set automountServiceAccountToken, or name a file with --kubeconfig",
        ) from None
    if single is None:  # pragma: no cover - from_service_account always sets a context
        raise BadInput("no in-cluster configuration", place=around.service_account)
    return ClusterConfig(single=single, origin="in-cluster", namespace=single.namespace)


def _refuse_expired(config: ClusterConfig, *, now: datetime) -> None:
    user = config.single.user
    if user is None or not (user.client_cert_data or user.client_cert):
        return
    try:
        if user.client_cert_data:
            pem = b64decode(user.client_cert_data, validate=True)
        else:
            pem = Path(user.client_cert or "").read_bytes()
    except ValueError:
        raise BadInput("client-certificate-data is not base64", place=config.origin) from None
    except OSError as exc:
        message = f"client certificate cannot be read: {exc.strerror}"
        raise BadInput(message, place=str(user.client_cert)) from exc
    end = certificate_end(pem)
    if end is not None and end <= now:
        raise BadInput(
            f"the client certificate of context `{config.context_name}` expired on "
            f"{end:%Y-%m-%d %H:%M} UTC",
            place=config.origin,
            hint="get a fresh kubeconfig for this cluster",
        )


def _names(known: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(known)) or "none"
