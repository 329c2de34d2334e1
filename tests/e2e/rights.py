# SPDX-License-Identifier: Apache-2.0
"""What an account may do, by its roles, and what it did, by the API server's audit log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from e2e.sight import Json
from parts.kubernetes import Kubernetes

MADE = 201
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource; without a namespace everywhere, without a name on any."""

    namespace: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{named} in {self.namespace or 'the cluster'}"

    def covers(self, use: "Right") -> bool:
        """Tell whether this right allowed a use."""
        return (
            (self.resource, self.verb) == (use.resource, use.verb)
            and self.namespace in ("", use.namespace)
            and self.name in ("", use.name)
        )

    def said(self, word: str) -> "Right":
        """Return the same as if the homelab's name `word` were not in it."""
        tail = f"-{word}"
        return replace(
            self, namespace=self.namespace.replace(tail, ""), name=self.name.replace(tail, "")
        )


def granted(kubernetes: Kubernetes, account: Json, namespaces: Iterable[str]) -> set[Right]:
    """Return all that roles grant to an account, in the cluster and in some namespaces."""
    found: set[Right] = set()
    for kind, place in (("clusterrole", ""), *(("role", each) for each in namespaces)):
        root = f"{RBAC}/namespaces/{place}" if place else RBAC
        for binding in kubernetes.api.get(f"{root}/{kind}bindings")["items"]:
            if account in binding.get("subjects", ()):
                role = kubernetes.api.get(f"{root}/{kind}s/{binding['roleRef']['name']}")
                found.update(right for rule in role["rules"] for right in _of_rule(rule, place))
    return found


def written(roles: Iterable[Json]) -> set[Right]:
    """Return all that roles grant which are not applied yet."""
    return {
        right
        for role in roles
        for rule in role.get("rules", ())
        for right in _of_rule(rule, role["metadata"].get("namespace", ""))
    }


def _of_rule(rule: Json, namespace: str) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or [""]:
                    full = f"{resource}.{group}" if group else resource
                    yield Right(namespace=namespace, resource=full, verb=verb, name=name)


def used(events: Iterable[Json]) -> set[Right]:
    """Return what the requests that were answered made use of.

    A patch that made the object, as server-side apply can, made use of the right to create it too.
    """
    answered = [event for event in events if "objectRef" in event and not refused(event)]
    made = [e for e in answered if e["verb"] == "patch" and e["responseStatus"].get("code") == MADE]
    return {_of_event(event) for event in answered} | {
        replace(_of_event(event), verb="create") for event in made
    }


def forbidden(events: Iterable[Json]) -> set[Right]:
    """Return what was asked for and not allowed."""
    return {_of_event(event) for event in events if "objectRef" in event and refused(event)}


def refused(event: Json) -> bool:
    """Tell whether the API server refused a request."""
    return bool(event.get("responseStatus", {}).get("code") == 403)


def _of_event(event: Json) -> Right:
    about = event["objectRef"]
    parts = [about["resource"], about.get("subresource")]
    resource = "/".join(part for part in parts if part)
    group = about.get("apiGroup")
    return Right(
        namespace=about.get("namespace", ""),
        resource=f"{resource}.{group}" if group else resource,
        verb=event["verb"],
        name=about.get("name", ""),
    )
