# SPDX-License-Identifier: Apache-2.0
"""Where the ruler's rules come from: one ConfigMap, one file per tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lokeys.core.stack.render.names import OPENSHIFT_TENANTS
from lokeys.core.stack.resource.model import LokiStack

_KEY = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,240}")


def rules_name(stack: LokiStack) -> str:
    """Return the name of the ConfigMap with the rules."""
    return f"{stack.name}-rules-0"


def rules_volume(stack: LokiStack) -> dict[str, Any]:
    """Return the volume in which each tenant in the spec has a folder with its rules.

    Loki's ruler treats a folder as a tenant and ignores files beside it. In the ConfigMap a
    tenant's rules are under TENANT.yaml; the key may be missing.
    """
    source: dict[str, Any] = {"name": rules_name(stack), "optional": True}
    items = [
        {"key": f"{tenant}.yaml", "path": f"{tenant}/rules.yaml"}
        for tenant in sorted(set(_tenants(stack)))
        if _KEY.fullmatch(tenant)
    ]
    if items:
        source = {"items": items, **source}
    return {
        "name": "rules",
        "projected": {"defaultMode": 0o644, "sources": [{"configMap": source}]},
    }


def _tenants(stack: LokiStack) -> Iterator[str]:
    """Yield all tenants that the spec names."""
    yield from stack.tenant_limits
    if stack.tenants is not None:
        yield from OPENSHIFT_TENANTS.get(stack.tenants.mode, ())
        for tenant in stack.tenants.authentication:
            yield tenant.id
