# SPDX-License-Identifier: Apache-2.0
"""A pod template of another operator that is kept, so that its pods need not be replaced.

The annotation on a workload names our template for which it stands. Once ours changes, for whatever
reason, ours is written and the pods are replaced as usual.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lokeys.core.kubernetes.json_fields import at, text_at
from lokeys.core.operate.intents import MARKS, MAX_KEPT_BYTES, Intent, digest, intent_of

KEPT_TEMPLATE = "lokeys.dev/kept-template"
SAME_CONFIG = "lokeys.dev/same-config"
"""On the ConfigMap: what the previous one meant, as of when it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTemplate:
    """A live workload's template, as far as its former operator owns it; `text` is its JSON.

    `stands_for` is the digest of ours for which it was kept; None if another operator still has the
    workload, which it last changed at `since`.
    """

    text: str
    stands_for: str | None = None
    since: datetime | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    """The hashes that its pods would have, had we made them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConfig:
    """The meaning of Loki's configuration that pods have read, and since when it existed."""

    means: str
    since: datetime


def kept_in(workload: Mapping[str, Any]) -> KeptTemplate | None:
    """Return the kept template of a workload, given what we own of it; None if it is ours."""
    said = _annotated(workload, KEPT_TEMPLATE)
    template = at(workload, "spec", "template")
    if said is None or template is None or said.get("is") != digest(template):
        return None
    marks = said.get("marks")
    found = marks if isinstance(marks, Mapping) else {}
    return KeptTemplate(
        text=json.dumps(template, separators=(",", ":")),
        stands_for=text_at(said, "standsFor"),
        marks={name: found[name] for name in MARKS if isinstance(found.get(name), str)},
    )


def read_config_in(config: Mapping[str, Any]) -> ReadConfig | None:
    """Return what our ConfigMap records about the previous one, given what we own of it."""
    said = _annotated(config, SAME_CONFIG)
    try:
        since = datetime.fromisoformat(text_at(said, "since"))
    except ValueError:
        return None
    return ReadConfig(means=text_at(said, "means"), since=since) if since.tzinfo else None


def _annotated(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    text = text_at(manifest, "metadata", "annotations", name)
    if not text or len(text) > MAX_KEPT_BYTES:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def with_kept_template(intent: Intent, template: Mapping[str, Any]) -> Intent:
    """Return a workload with a template that stands for its own."""
    said = {"is": digest(template), "marks": dict(intent.marks), "standsFor": intent.template}
    spec = intent.manifest["spec"] | {"template": template}
    return _saying(intent, KEPT_TEMPLATE, said, spec=spec)


def with_read_config(intent: Intent, read: ReadConfig) -> Intent:
    """Return our ConfigMap with a record that it means the same as the previous one."""
    said = {"means": read.means, "since": read.since.isoformat()}
    return _saying(intent, SAME_CONFIG, said)


def _saying(intent: Intent, name: str, said: Mapping[str, Any], **changed: Any) -> Intent:
    metadata = intent.manifest["metadata"]
    annotations = metadata.get("annotations", {}) | {name: json.dumps(said, sort_keys=True)}
    return intent_of(
        intent.manifest | {"metadata": metadata | {"annotations": annotations}} | changed
    )
