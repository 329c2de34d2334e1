# SPDX-License-Identifier: Apache-2.0
"""An API server stand-in over real HTTP: enough of Kubernetes for lokeys and `kubectl get`.

    async with KubernetesApi() as api:
        api.add(manifest, ...)        # seed objects
        api.write_kubeconfig(path)    # for clients; api.url for others
        api.faults.add(Fault(...)); api.drop_watches(); await api.restart()
        api.seen                      # every request, for tests that count

Writes made through `api.store` are those of controllers in the same process: they are not counted
and meet no faults. There is no authorisation but the 403s that faults play.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from lokeys.clock import utc_now
from lokeys.demo.parts import kube_budget, kube_fields, kube_views
from lokeys.demo.parts.kube_events import as_core, as_events_v1, is_events_v1
from lokeys.demo.parts.kube_faults import Faults, FaultTarget, SeenRequest
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import KINDS, Json, Refusal, ServedKind, expired, not_found
from lokeys.demo.parts.kube_store import Store, rfc3339
from lokeys.demo.parts.kube_watch import LONGEST_S, Selection, WatchOptions, watch
from lokeys.demo.parts.loki_log import LogRow
from lokeys.http_server import Hangup, HttpRequest, HttpServer, Listen, Response, json, text

LogSource = Callable[[Json, str, bool], list[LogRow] | None]
"""Given a pod, a container and whether the run before is meant, returns its output."""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class KubernetesApi:
    """One cluster. `token`: the only one it takes; None takes everybody."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        token: str | None = None,
        bookmark_every_s: float = 10,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.store = store or Store(clock=clock)
        self.store.hooks.append(kube_budget.DisruptionController(self.store))
        self.faults = Faults()
        self.seen: list[SeenRequest] = []
        self.logs: LogSource = lambda _pod, _container, _previous: None
        self.token = token
        self._bookmark_every_s = bookmark_every_s
        self._clock = clock
        self._drops = 0
        self._server = HttpServer(self.handle, Listen())
        for name in ("default", "kube-system"):
            self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._server.stop()

    @property
    def url(self) -> str:
        """Return the server's URL."""
        return self._server.url

    def add(self, *manifests: Json, manager: str = "person") -> None:
        """Create objects, and the namespaces they are in."""
        for manifest in manifests:
            namespace = manifest["metadata"].get("namespace")
            if namespace and not self.store.find("Namespace", namespace):
                self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            self.store.create(manifest, author=Author(manager=manager))

    def write_kubeconfig(self, path: Path, *, namespace: str = "default") -> Path:
        """Write a kubeconfig for this server, and return its path."""
        entry = {"cluster": "stand-in", "user": "stand-in", "namespace": namespace}
        user = {"token": self.token or "anybody"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": self.url}}],
            "users": [{"name": "stand-in", "user": user}],
            "contexts": [{"name": "stand-in", "context": entry}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def drop_watches(self) -> None:
        """Break every watch off, as a proxy or a dying server does."""
        self._drops += 1
        self.store.wake()

    async def restart(self, *, down_s: float = 0, forget: bool = False) -> None:
        """Stop, and start again on the same port; `forget`: old resourceVersions expire."""
        await self._server.stop()
        await asyncio.sleep(down_s)
        if forget:
            self.store.forget_history()
        await self._server.start()

    # --- one request ----------------------------------------------------------------------------

    async def handle(self, request: HttpRequest) -> Response:
        """Answer one request."""
        try:
            return await self._answer(request)
        except Refusal as refusal:
            answer = json(refusal.body, status=refusal.code)
            after_s = refusal.details.get("retryAfterSeconds")
            if after_s is None:
                return answer
            headers = {**answer.headers, "retry-after": str(after_s)}
            return Response(status=refusal.code, headers=headers, body=answer.body)

    async def _answer(self, request: HttpRequest) -> Response:
        seen = self._note(request)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "Unauthorized", "Unauthorized")
        fault = self.faults.take(seen)
        if fault is None:
            return await self._serve(request, seen)
        await asyncio.sleep(fault.delay_s)
        if fault.code:
            raise fault.refusal(seen)
        answer = await self._serve(request, seen)
        if fault.lose_answer:
            raise Hangup
        return answer

    def _note(self, request: HttpRequest) -> SeenRequest:
        target = parse(request.path)
        query = request.query
        verb = _VERBS.get(request.method, request.method.lower())
        if request.method == "GET" and target and not target.name:
            verb = "watch" if query.get("watch") in {"1", "true"} else "list"
        if request.method == "DELETE" and target and not target.name:
            verb = "deletecollection"
        agent = request.headers.get("user-agent", "")
        seen = SeenRequest(
            verb=verb, path=request.path, query=query, agent=agent, at=self._clock(), target=target
        )
        self.seen.append(seen)
        return seen

    async def _serve(self, request: HttpRequest, seen: SeenRequest) -> Response:
        if seen.target is not None:
            return self._resource(request, seen, seen.target)
        if request.path in {"/healthz", "/livez", "/readyz"}:
            return text("ok")
        if request.path.endswith("/selfsubjectaccessreviews"):
            return json(self._access_review(_body(request)), status=201)
        document = kube_views.discovery(request.path.rstrip("/"))
        if document is None:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        return json(document)

    def _resource(self, request: HttpRequest, seen: SeenRequest, target: FaultTarget) -> Response:
        if target.subresource == "log":
            return self._log(target, seen.query)
        form = kube_views.wanted_form(request.headers.get("accept", ""))
        show = partial(_show, form, target.kind, self._clock)
        if seen.verb in {"list", "watch"}:
            return self._many(seen, target, form, show)
        if seen.verb == "get":
            return json(show(self._get(target)))
        return self._write(request, seen, target, show)

    def _write(
        self,
        request: HttpRequest,
        seen: SeenRequest,
        target: FaultTarget,
        show: Callable[[Json], Json],
    ) -> Response:
        if "dryRun" in seen.query:
            raise Refusal(400, "BadRequest", "the stand-in knows no dry run")
        if target.subresource == "eviction":
            return self._evict(_body(request), target)
        if seen.verb == "create":
            return json(show(self._create(request, seen, target)), status=201)
        if seen.verb in {"delete", "deletecollection"}:
            return json(self._delete(request, seen, target))
        return json(show(self._change(request, seen, target)))

    def _get(self, target: FaultTarget) -> Json:
        if target.subresource not in {"", "status"}:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        return self.store.get(target.kind, target.name, target.namespace)

    def _many(
        self, seen: SeenRequest, target: FaultTarget, form: str, show: Callable[[Json], Json]
    ) -> Response:
        query = seen.query
        fields = query.get("fieldSelector", "").replace("regarding.", "involvedObject.")
        selection = Selection(
            kind=target.kind,
            namespace=target.namespace,
            labels=query.get("labelSelector", ""),
            fields=fields,
            show=show,
        )
        if seen.verb == "list":
            return json(self._list(selection, form, query))
        drops = self._drops
        stream = watch(
            self.store,
            selection,
            _watch_options(query, self._bookmark_every_s),
            dropped=lambda: self._drops != drops,
        )
        return Response(headers={"content-type": "application/json"}, body=stream)

    def _list(self, selection: Selection, form: str, query: dict[str, str]) -> Json:
        items, revision = selection.of(self.store), self.store.revision
        if token := query.get("continue"):
            revision, after = jsonlib.loads(urlsafe_b64decode(token))
            if revision < self.store.compacted:
                raise expired("The provided continue parameter is too old")
            items = [item for item in items if _place(item) > after]
        limit = int(query.get("limit") or 0)
        meta: Json = {"resourceVersion": str(revision)}
        if limit and len(items) > limit:
            next_page = jsonlib.dumps([revision, _place(items[limit - 1])]).encode()
            meta["continue"] = urlsafe_b64encode(next_page).decode()
            meta["remainingItemCount"] = len(items) - limit
            items = items[:limit]
        if is_events_v1(selection.kind):
            items = [as_events_v1(item) for item in items]
        found = kube_views.list_of(form, selection.kind, items, now=self._clock())
        return found | {"metadata": meta}

    def _create(self, request: HttpRequest, seen: SeenRequest, target: FaultTarget) -> Json:
        body = _body(request)
        if target.name:
            raise Refusal(405, "MethodNotAllowed", "the server does not allow this method here")
        body = _addressed(body, target)
        if target.namespace and not self.store.find("Namespace", target.namespace):
            raise not_found(_NAMESPACE, target.namespace)
        return self.store.create(body, author=_author(seen, target))

    def _change(self, request: HttpRequest, seen: SeenRequest, target: FaultTarget) -> Json:
        author = _author(seen, target)
        if target.subresource not in {"", "status"} or (
            target.subresource == "status" and not target.kind.status
        ):
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        form = request.headers.get("content-type", "").partition(";")[0]
        if seen.verb == "update":
            return self.store.replace(_addressed(_body(request), target), author=author)
        if form == "application/apply-patch+yaml":
            body = _addressed(_body(request), target)
            force = seen.query.get("force") == "true"
            author = Author(
                manager=author.manager, subresource=target.subresource, operation="Apply"
            )
            return self.store.apply(body, author=author, force=force)
        present = self._get(target)
        if form == "application/json-patch+json":
            operations = jsonlib.loads(request.body)
            change = partial(kube_fields.json_patch, operations=operations)
        else:
            patch = as_core(_body(request)) if is_events_v1(target.kind) else _body(request)
            change = partial(kube_fields.merge_patch, patch=patch)
        return self.store.patch(present, change, author=author)

    def _delete(self, request: HttpRequest, seen: SeenRequest, target: FaultTarget) -> Json:
        options = _body(request) if request.body else {}
        if "gracePeriodSeconds" in seen.query:
            options["gracePeriodSeconds"] = int(seen.query["gracePeriodSeconds"])
        options.setdefault("propagationPolicy", seen.query.get("propagationPolicy"))
        if target.name:
            deleted = self.store.delete(self._get(target), options=options)
            left = self.store.find(target.kind, target.name, target.namespace)
            if left is not None:
                return left
            details = {"name": target.name, "uid": deleted["metadata"]["uid"]}
            details["kind"] = target.kind.plural
            return _SUCCESS | {"details": details}
        for item in self.store.select(target.kind, target.namespace):
            labels, name = item["metadata"].get("labels", {}), item["metadata"]["name"]
            if kube_views.labels_match(seen.query.get("labelSelector", ""), labels):
                found = self.store.find(target.kind, name, item["metadata"].get("namespace", ""))
                if found:
                    self.store.delete(found, options=options)
        return dict(_SUCCESS)

    def _evict(self, eviction: Json, target: FaultTarget) -> Response:
        pod = self.store.get("Pod", target.name, target.namespace)
        kube_budget.evict(self.store, pod, eviction)
        return json(_SUCCESS, status=201)

    def _log(self, target: FaultTarget, query: dict[str, str]) -> Response:
        pod = self.store.get("Pod", target.name, target.namespace)
        containers = [container["name"] for container in pod["spec"]["containers"]]
        container = query.get("container") or containers[0]
        if container not in containers:
            message = f"container {container} is not valid for pod {target.name}"
            raise Refusal(400, "BadRequest", message)
        previous = query.get("previous") == "true"
        rows = self.logs(pod, container, previous)
        if rows is None:
            what = "previous terminated container" if previous else "container"
            message = f'{what} "{container}" in pod "{target.name}" not found'
            raise Refusal(400, "BadRequest", message)
        since = query.get("sinceTime") or rfc3339(
            self._clock() - timedelta(seconds=float(query.get("sinceSeconds") or 10**9))
        )
        rows = [row for row in rows if row.at >= datetime.fromisoformat(since)]
        rows = rows[-int(query["tailLines"]) :] if query.get("tailLines", "0") != "0" else rows
        stamped = query.get("timestamps") == "true"
        lines = [
            f"{row.at:%Y-%m-%dT%H:%M:%S.%fZ} {row.line}" if stamped else row.line for row in rows
        ]
        content = "".join(f"{line}\n" for line in lines)
        return text(content[: int(query.get("limitBytes") or len(content))])

    def _access_review(self, review: Json) -> Json:
        asked = review["spec"].get("resourceAttributes") or {}
        kind = next(
            (
                kind
                for kind in KINDS
                if (kind.group, kind.plural) == (asked.get("group", ""), asked.get("resource"))
            ),
            None,
        )
        names = {name: asked.get(name, "") for name in ("namespace", "name", "subresource")}
        target = FaultTarget(kind=kind, **names) if kind else None
        seen = SeenRequest(verb=asked.get("verb", ""), path="", at=self._clock(), target=target)
        return review | {"status": {"allowed": not self.faults.forbids(seen)}}


_NAMESPACE = next(kind for kind in KINDS if kind.kind == "Namespace")
_SUCCESS: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def parse(path: str) -> FaultTarget | None:
    """Return what a path is about, or None where it names no object or collection."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    for kind in KINDS:
        if (kind.group, kind.version, kind.plural) == (group, version, rest[0]):
            name, subresource = [*rest[1:3], "", ""][:2]
            return FaultTarget(kind=kind, namespace=namespace, name=name, subresource=subresource)
    return None


def _show(form: str, kind: ServedKind, clock: Callable[[], datetime], item: Json) -> Json:
    shape = as_events_v1(item) if is_events_v1(kind) else item
    return kube_views.shown(form, kind, shape, now=clock())


def _body(request: HttpRequest) -> Json:
    if "protobuf" in request.headers.get("content-type", ""):
        message = "the body of the request was in an unknown format - accepted: JSON, YAML"
        raise Refusal(415, "UnsupportedMediaType", message)
    try:
        is_json = request.body[:1] == b"{"
        body = jsonlib.loads(request.body) if is_json else yaml.safe_load(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise Refusal(400, "BadRequest", "the body is no JSON and no YAML") from error
    if not isinstance(body, dict):
        raise Refusal(400, "BadRequest", "the body is no object")
    return body


def _addressed(body: Json, target: FaultTarget) -> Json:
    """Return the body with what the path says filled in; Refusal 400 where they differ."""
    body = as_core(body) if is_events_v1(target.kind) else body
    kind = "v1" if is_events_v1(target.kind) else target.kind.api_version
    filled: Json = {"apiVersion": kind, "kind": target.kind.kind} | body
    if (filled["apiVersion"], filled["kind"]) != (kind, target.kind.kind):
        message = f"{filled['apiVersion']} {filled['kind']} does not belong under this path"
        raise Refusal(400, "BadRequest", message)
    meta = dict(filled.get("metadata") or {})
    for field, value in (("namespace", target.namespace), ("name", target.name)):
        if value and meta.setdefault(field, value) != value:
            raise Refusal(400, "BadRequest", f"the {field} of the object does not match the path")
    return filled | {"metadata": meta}


def _author(seen: SeenRequest, target: FaultTarget) -> Author:
    manager = seen.query.get("fieldManager") or seen.agent.partition("/")[0] or "unknown"
    return Author(manager=manager, subresource=target.subresource)


def _place(item: Json) -> list[str]:
    return [item["metadata"].get("namespace", ""), item["metadata"]["name"]]


def _watch_options(query: dict[str, str], bookmark_every_s: float) -> WatchOptions:
    revision = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents") == "true"
    return WatchOptions(
        revision=None if revision in {"", "0"} or initial else int(revision),
        timeout_s=float(query.get("timeoutSeconds") or LONGEST_S),
        bookmarks=query.get("allowWatchBookmarks") in {"1", "true"},
        initial_end=initial,
        bookmark_every_s=bookmark_every_s,
    )
