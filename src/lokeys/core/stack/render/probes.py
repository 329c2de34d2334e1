# SPDX-License-Identifier: Apache-2.0
"""How the kubelet checks whether containers are alive and ready."""

from __future__ import annotations

from typing import Any

from lokeys.core.stack.render import names

Manifest = dict[str, Any]


def probe(  # noqa: PLR0913 - where it looks, and how often
    path: str,
    *,
    period_s: int,
    timeout_s: int,
    tries: int,
    port: int = names.HTTP_PORT,
    scheme: str = "HTTP",
) -> Manifest:
    """Return an HTTP probe."""
    return {
        "failureThreshold": tries,
        "httpGet": {"path": path, "port": port, "scheme": scheme},
        "periodSeconds": period_s,
        "timeoutSeconds": timeout_s,
    }


def status_probes(port: int, *, secure: bool) -> Manifest:
    """Return the probes of a gateway's container, which use its status port."""
    scheme = "HTTPS" if secure else "HTTP"
    return {
        "livenessProbe": probe(
            "/live", period_s=30, timeout_s=2, tries=10, port=port, scheme=scheme
        ),
        "readinessProbe": probe(
            "/ready", period_s=5, timeout_s=1, tries=12, port=port, scheme=scheme
        ),
    }
