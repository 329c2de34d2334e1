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

import yaml
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from lokeys.clock import utc_now
from lokeys.core.place import is_namespace
from lokeys.core.storage.telling import shown
from lokeys.errors import BadInput
from lokeys.kube.certificate import certificate_end
from lokeys.kube.kubeconfig_fields import Entry, Place, check_cluster

MAX_FILE_BYTES = 8 * 1024 * 1024

_SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}


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
    if namespace and not is_namespace(namespace):
        raise BadInput(
            f"`{shown(namespace)}` cannot be a namespace",
            hint="a namespace's name is of a-z, 0-9 and -, and has 63 characters at most",
        )
    return replace(chosen, namespace=namespace) if namespace else chosen


def _paths(kubeconfig: str | None, around: Surroundings) -> list[Path]:
    """Return the files to merge; none at all means in-cluster."""
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
    """Return one configuration; the first file that names a thing wins."""
    merged: dict[str, Any] = {section: {} for section in _SECTIONS}
    for path in paths:
        content = _read(path)
        for section, inner in _SECTIONS.items():
            for name, entry, place in _entries(content, section, inner, path=path):
                merged[section].setdefault(name, Entry(entry, place, path.absolute().parent))
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
    except (ValueError, OverflowError):  # a date of no calendar, a number of 5,000 digits
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
        single=_single(name, chosen, cluster, user, origin=origin),
        origin=origin,
        namespace=chosen.get("namespace") or "default",
        proxy_url=cluster.get("proxy-url"),
        tls_server_name=cluster.get("tls-server-name"),
        exec_plugin=user.get("exec"),
        cluster_entry=cluster,
        impersonation=_impersonation(user),
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
) -> Entry:
    known: dict[str, Entry] = merged[f"{what}s"]
    if name is None or name not in known:
        dangling = f"names the {what} `{shown(name)}`, which does not exist"
        said = dangling if name else f"names no {what}"
        raise BadInput(f"context `{shown(context)}` {said}; {what}s: {_names(known)}", place=origin)
    return known[name]


def _single(
    name: str,
    context: Mapping[str, Any],
    cluster: Mapping[str, Any],
    user: Mapping[str, Any],
    *,
    origin: str,
) -> SingleConfig:
    """Hand the chosen context, and only it, to lightkube's models."""
    # The plugin is ours: lightkube knows none of version v1.
    known = {key: value for key, value in user.items() if key not in ("exec", "auth-provider")}
    document = {
        "current-context": name,
        "contexts": [{"name": name, "context": {**context, "user": "user"}}],
        "clusters": [{"name": context["cluster"], "cluster": cluster}],
        "users": [{"name": "user", "user": known}],
    }
    single = KubeConfig.from_dict(document).get(name)
    if single is None:  # pragma: no cover - the context was put in above
        raise BadInput(f"context `{shown(name)}` cannot be used", place=origin)
    return single


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", user["as"])] if "as" in user else []
    headers += [("Impersonate-Group", group) for group in user.get("as-groups", ())]
    return tuple(headers)


def _in_cluster(around: Surroundings) -> ClusterConfig:
    try:
        single = KubeConfig.from_service_account(around.service_account).get()
    except (ConfigError, KeyError, OSError, ValueError) as exc:
        said = exc.__cause__ if isinstance(exc, ConfigError) else exc
        missing = f"{exc.args[0]} is not set" if isinstance(exc, KeyError) else "unreadable"
        raise BadInput(
            "this looks like a pod, but its service account cannot be read: "
            f"{getattr(said, 'strerror', None) or missing}",
            place=around.service_account,
            hint="set automountServiceAccountToken, or name a file with --kubeconfig",
        ) from None
    if single is None:  # pragma: no cover - from_service_account always sets a context
        raise BadInput("no in-cluster configuration", place=around.service_account)
    check_cluster({"server": single.cluster.server}, place=Place(file="in-cluster", path="env"))
    return ClusterConfig(single=single, origin="in-cluster", namespace=single.namespace.strip())


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
            f"the client certificate of context `{shown(config.context_name)}` expired on "
            f"{end:%Y-%m-%d %H:%M} UTC",
            place=config.origin,
            hint="get a fresh kubeconfig for this cluster",
        )


def _names(known: Iterable[str]) -> str:
    return ", ".join(f"`{shown(name)}`" for name in sorted(known)) or "none"
