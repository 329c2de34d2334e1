# SPDX-License-Identifier: Apache-2.0
"""Every fault of a manifest, as the API server would find it, without an API server.

No fault shows a value: a value in the wrong field may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lokeys.core.kubernetes.size import MAX_ROUTE_BYTES, in_kib, is_within
from lokeys.core.route.resource.schema import API_VERSION, KIND, NAMESPACE, OBJECT_NAME, ROOT
from lokeys.core.schema.check import Checker, Fault, FaultKind
from lokeys.core.schema.language import with_defaults
from lokeys.core.text.words import form

TOO_LARGE = "too large"
MAX_UNKNOWN = 20
"""How many unknown fields of one object are named before the rest is only counted."""


def faults(manifest: object) -> tuple[Fault, ...]:
    """Return all faults of a StorageCredential's manifest; its status is not judged."""
    if not isinstance(manifest, Mapping):
        return (Fault(path="", problem="not an object", found=form(manifest)),)
    if not is_within({**manifest, "status": None}, MAX_ROUTE_BYTES):
        return (Fault(path="", problem=TOO_LARGE, expected=f"at most {in_kib(MAX_ROUTE_BYTES)}"),)
    checker = Checker(describe=form, most_unknown=MAX_UNKNOWN)
    checker.identify(manifest, API_VERSION, KIND)
    metadata = manifest.get("metadata")
    _names(metadata if isinstance(metadata, Mapping) else {}, checker)
    _body(manifest, checker)
    return tuple(checker.faults)


def _names(metadata: Mapping[Any, Any], checker: Checker) -> None:
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name in (None, ""):
        expected = "the resource's name"
        checker.note("metadata.name", FaultKind.MISSING, found=form(name), expected=expected)
    else:
        checker.checked(name, OBJECT_NAME, "metadata.name")
    if namespace not in (None, ""):
        checker.checked(namespace, NAMESPACE, "metadata.namespace")


def _body(manifest: Mapping[Any, Any], checker: Checker) -> None:
    rest = {name: item for name, item in manifest.items() if name not in {"metadata", "status"}}
    checker.checked(with_defaults(rest, ROOT), replace(ROOT, rules=()), "")
    metadata, spec = manifest.get("metadata"), manifest.get("spec")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str):
        checker.judge({"metadata": metadata}, ROOT.rules, "metadata.name")
        if _same_secret(metadata, spec):
            problem = "the source and the Secret that Loki reads are the same Secret"
            checker.note("spec.source.secret", problem=problem)


def _same_secret(metadata: Mapping[str, Any], spec: object) -> bool:
    """Tell whether there is a loop that the API server cannot see: its rules have no namespace."""
    match spec:
        case {
            "source": {"secret": {"name": source, "namespace": namespace}},
            "secret": {"name": target},
        }:
            return bool(source == target and namespace == metadata.get("namespace"))
    return False
