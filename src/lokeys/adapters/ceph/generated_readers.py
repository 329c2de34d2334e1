# SPDX-License-Identifier: Apache-2.0
"""Who reads the Secret that Rook generates: `spec.keys` blanks it, so they must be moved first.

It checks pods and what makes pods in the Secret's namespace, PushSecrets there, ExternalSecrets of
all namespaces that ask any store for a key of its name, and StorageCredentials that have it as
their source or read it. Tools that copy Secrets by annotations are not found.
"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.adapters.kubernetes.pods import reads
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Ref
from lokeys.kube.replies import NoSuchKind
from lokeys.ports import Objects

_POD_MAKERS = ("StatefulSet", "Deployment", "DaemonSet", "CronJob")
EVERYWHERE = ("ExternalSecret", "StorageCredential")
"""Kinds that may read it from any namespace."""


async def readers_of(secret: Ref, objects: Objects) -> tuple[Ref, ...]:
    """Return what reads a Secret. Raises Forbidden if one of the kinds may not be listed."""
    found: set[Ref] = set()
    for kind in ("Pod", *_POD_MAKERS, "PushSecret", *EVERYWHERE):
        namespace = None if kind in EVERYWHERE else secret.namespace
        try:
            listed = await objects.list(kind, namespace=namespace)
        except NoSuchKind:
            continue
        for obj in listed:
            metadata = at(obj, "metadata")
            if any(_names_of(kind, obj, secret)):
                found.add(Ref(kind, text_at(metadata, "name"), text_at(metadata, "namespace")))
    return tuple(sorted(found, key=str))


def _names_of(kind: str, obj: Json, secret: Ref) -> Iterator[bool]:
    """Yield, for each way in which an object of a kind can name the Secret, whether it does."""
    if kind == "Pod":
        yield reads(at(obj, "spec") or {}, secret)
    elif kind == "CronJob":
        yield reads(at(obj, "spec", "jobTemplate", "spec", "template", "spec") or {}, secret)
    elif kind in _POD_MAKERS:
        yield reads(at(obj, "spec", "template", "spec") or {}, secret)
    elif kind == "PushSecret":
        yield text_at(obj, "spec", "selector", "secret", "name") == secret.name
    elif kind == "ExternalSecret":
        for row in mappings_at(obj, "spec", "data"):
            yield text_at(row, "remoteRef", "key") == secret.name
        for row in mappings_at(obj, "spec", "dataFrom"):
            yield text_at(row, "extract", "key") == secret.name
    else:
        yield from _route(obj, secret)


def _route(credential: Json, secret: Ref) -> Iterator[bool]:
    home = text_at(credential, "metadata", "namespace")
    source = at(credential, "spec", "source", "secret")
    there = text_at(source, "namespace") or home
    yield (text_at(source, "name"), there) == (secret.name, secret.namespace)
    yield (text_at(credential, "spec", "secret", "name"), home) == (secret.name, secret.namespace)
