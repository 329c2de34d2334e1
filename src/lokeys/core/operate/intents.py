# SPDX-License-Identifier: Apache-2.0
"""What a stack's objects should be: what `render` prints, with an owner and a digest for each.

A digest covers what the API server records as ours. So a live object needs no write if the digest
of the part that we own is the intent's, whatever others have added to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lokeys.core.kubernetes.json_fields import mappings_at, text_at
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.pods import Manifest
from lokeys.core.stack.render.render import render
from lokeys.core.stack.resource.model import API_VERSION, KIND, Component, LokiStack
from lokeys.core.stack.storage.model import Storage

MANAGER = "lokeys"
"""The field manager with which all objects of stacks are applied."""
OWNER_UID = "lokeys.dev/owner-uid"
OWNER = "lokeys.dev/owner"
"""Objects without a namespace cannot reference an owner in one: they name it in this annotation."""
KEPT_IMAGES = "lokeys.dev/kept-images"
"""On a workload that was taken over: which images stay, by container. Without it, none stays."""
MARKS = (names.CONFIG_HASH, names.STORE_HASH, names.MANAGED_HASH)
MAX_KEPT_BYTES = 4096
_FIXED = {
    "Deployment": ("selector",),
    "StatefulSet": ("podManagementPolicy", "selector", "serviceName", "volumeClaimTemplates"),
}
_COMPONENTS = {component.value: component for component in Component} | {
    "lokistack-gateway": Component.GATEWAY
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One object as it should be."""

    ref: Ref
    manifest: Manifest
    digest: str
    component: Component | None = None
    """The component whose workload it is; None for everything but workloads."""
    template: str | None = None

    @property
    def marks(self) -> Mapping[str, str]:
        """Return the hashes that its pods must have."""
        return marks_of(self.manifest)

    @property
    def fixed(self) -> Mapping[str, Any]:
        """Return the fields that cannot be changed once it exists."""
        return fixed_of(self.manifest)

    def with_marks(self, marks: Mapping[str, str]) -> Intent:
        """Return the same intent whose pods have these hashes, and no other."""
        spec = self.manifest["spec"]
        metadata = spec["template"]["metadata"]
        others = {k: v for k, v in metadata["annotations"].items() if k not in MARKS}
        template = spec["template"] | {"metadata": metadata | {"annotations": {**others, **marks}}}
        return intent_of(self.manifest | {"spec": spec | {"template": template}})

    def with_images(self, kept: Mapping[str, str]) -> Intent:
        """Return the same intent with other images for its containers, recorded as kept."""
        metadata, spec = self.manifest["metadata"], self.manifest["spec"]
        pod = spec["template"]["spec"]
        wanted = {each["name"]: each["image"] for each in pod["containers"]}
        others = {n: kept[n] for n in sorted(wanted) if kept.get(n, wanted[n]) != wanted[n]}
        if not others:
            return self
        images = {wanted[name]: image for name, image in others.items()}
        containers = {
            part: [each | {"image": images.get(each["image"], each["image"])} for each in pod[part]]
            for part in ("initContainers", "containers")
            if part in pod
        }
        annotations = metadata.get("annotations", {}) | {KEPT_IMAGES: json.dumps(others)}
        template = spec["template"] | {"spec": pod | containers}
        return intent_of(
            self.manifest
            | {
                "metadata": metadata | {"annotations": annotations},
                "spec": spec | {"template": template},
            }
        )

    def with_fixed(self, fixed: Mapping[str, Any]) -> Intent:
        """Return the same intent with the immutable fields as they are.

        Pods get the labels that the workload selects, whoever has chosen them.
        """
        if self.component is None or fixed == self.fixed:
            return self
        spec = {k: v for k, v in self.manifest["spec"].items() if k not in self.fixed} | dict(fixed)
        metadata = spec["template"]["metadata"]
        selected = spec.get("selector", {}).get("matchLabels") or {}
        labels = {**metadata["labels"], **selected}
        template = spec["template"] | {"metadata": metadata | {"labels": labels}}
        return intent_of(self.manifest | {"spec": spec | {"template": template}})


def intents_of(stack: LokiStack, storage: Storage, *, options: RenderOptions) -> tuple[Intent, ...]:
    """Return all objects of a stack, each with its owner."""
    return tuple(intent_of(_owned(each, stack)) for each in render(stack, storage, options=options))


def intent_of(manifest: Manifest) -> Intent:
    """Return a manifest as an intent."""
    metadata = manifest["metadata"]
    intent = Intent(
        ref=Ref(manifest["kind"], metadata["name"], metadata.get("namespace")),
        manifest=manifest,
        digest=digest(_kept(manifest)),
    )
    if manifest["kind"] not in _FIXED:
        return intent
    word = metadata["labels"][names.COMPONENT_LABEL]
    template = digest(manifest["spec"]["template"])
    return replace(intent, component=_COMPONENTS[word], template=template)


def digest(content: object) -> str:
    """Return a digest of plain data that does not depend on the order of names."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def kept_images(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the images that a workload records as kept, without those that cannot be read."""
    text = (manifest["metadata"].get("annotations") or {}).get(KEPT_IMAGES)
    if not isinstance(text, str) or len(text) > MAX_KEPT_BYTES:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: image for name, image in pairs if isinstance(image, str)}


def images_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the images of a workload's containers."""
    found = mappings_at(manifest, "spec", "template", "spec", "containers")
    return {text_at(each, "name"): text_at(each, "image") for each in found}


def marks_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of a workload's pods."""
    template = (manifest.get("spec") or {}).get("template") or {}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return {name: annotations[name] for name in MARKS if name in annotations}


def fixed_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a workload that are immutable in the API server."""
    spec = manifest.get("spec") or {}
    return {name: spec[name] for name in _FIXED.get(manifest["kind"], ()) if spec.get(name)}


def _owned(manifest: Manifest, stack: LokiStack) -> Manifest:
    metadata = manifest["metadata"]
    if "namespace" not in metadata:
        annotations = {OWNER: stack.route, OWNER_UID: stack.uid}
        return manifest | {"metadata": metadata | {"annotations": annotations}}
    owner = {
        "apiVersion": API_VERSION,
        "controller": True,
        "kind": KIND,
        "name": stack.name,
        "uid": stack.uid,
    }
    return manifest | {"metadata": metadata | {"ownerReferences": [owner]}}


def _kept(manifest: Manifest) -> Manifest:
    """Return what `managedFields` covers: an object's identity is in nobody's field."""
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in ("name", "namespace")}
    kept = {k: v for k, v in manifest.items() if k not in ("apiVersion", "kind", "metadata")}
    return kept | {"metadata": metadata}
