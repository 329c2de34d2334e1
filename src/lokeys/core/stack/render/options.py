# SPDX-License-Identifier: Apache-2.0
"""What rendering needs to know in addition to the stack and its storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lokeys.core.stack.storage.model import CloudEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The container images; the operator takes them from its environment (RELATED_IMAGE_…).

    The tags of `gateway` and `opa` are those that the Tempo Operator's main branch named at version
    0.22.0. For the passthrough gateway only `latest` is known, and no digest was verified.
    """

    loki: str = "docker.io/grafana/loki:3.7.3"
    gateway: str = "quay.io/observatorium/api:main-2026-08-13-db2b289"
    opa: str = "quay.io/observatorium/opa-openshift:main-2026-07-01-dbb77e0"
    passthrough: str = "quay.io/openshift-logging/passthrough-gateway:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """`now` decides which schema is in force. The hashes are keyed, and empty if not known."""

    now: datetime
    images: Images = Images()
    environment: CloudEnvironment = field(default_factory=CloudEnvironment)
    operators_namespace: str = "lokeys-system"
    """Namespace of the operator, which reads how the store answers Loki."""
    store_hash: str = ""
    managed_hash: str = ""
    tenants_hash: str = ""
    gateway_host: str = ""
    """The host of the stack's Route, which the cluster has chosen; empty if it is not known."""
