# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's attributes as a spec names them, and what it says twice of one.

OpenShift's list is that of its data model (rhobs/observability-data-model, `cluster-logging.md`):
what it calls a required stream label. Its console, and the rights of its users, hang on them.
"""

from __future__ import annotations

from lokeys.core.stack.resource.model import TenancyMode

_REQUIRED = (
    "k8s.namespace.name",
    "kubernetes.namespace_name",
    "log_source",
    "log_type",
    "openshift.cluster.uid",
    "openshift.log.source",
    "openshift.log.type",
)


def required_labels(mode: TenancyMode | None) -> tuple[str, ...]:
    """Return the attributes of resources that are labels in a tenancy, whatever the spec says."""
    return _REQUIRED if mode is TenancyMode.OPENSHIFT_LOGGING else ()
