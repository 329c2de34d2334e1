# SPDX-License-Identifier: Apache-2.0
"""Which container of a pod runs Loki, and which version."""

from __future__ import annotations

import re

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, number_at, text_at

_NOT_LOKI = ("canary", "gateway", "nginx", "promtail", "memcached", "sidecar", "operator", "helm")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?![\w.])")


def template_of(workload: Json) -> Json:
    """Return the template of a workload's pods; a pod is its own template."""
    found = at(workload, "spec", "template")
    return found if isinstance(found, dict) else workload


def loki_container(template: Json) -> Json | None:
    """Return the container that runs Loki, by its image or by its name."""
    containers = mappings_at(template, "spec", "containers")
    by_image = (each for each in containers if _is_loki_image(text_at(each, "image")))
    by_name = (each for each in containers if text_at(each, "name") == "loki")
    return next(by_image, None) or next(by_name, None)


def version_of(container: Json) -> tuple[int, ...] | None:
    """Return the version in the image's tag; None if the tag is not a version."""
    tag = text_at(container, "image").partition("@")[0].rpartition("/")[2].partition(":")[2]
    match = _VERSION.match(tag)
    return tuple(int(part) for part in match.groups() if part) if match else None


def port_of(container: Json) -> int:
    """Return the port of Loki's metrics: the one named http…, otherwise the default one."""
    ports = mappings_at(container, "ports")
    named = (p for p in ports if text_at(p, "name").startswith("http"))
    return number_at(next(named, {}), "containerPort", default=3100)


def _is_loki_image(image: str) -> bool:
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0].lower()
    return "loki" in name and not any(word in name for word in _NOT_LOKI)
