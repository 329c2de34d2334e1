# SPDX-License-Identifier: Apache-2.0
"""Which addresses lead to the gateways of a CephObjectStore: its Services, and Ingresses to them.

Only objects in the object store's own namespace count: whoever may write there controls the store
anyway. Rook labels each gateway pod with `app: rook-ceph-rgw` and the store's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lokeys.core.kubernetes.consent import Origin, origins
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, number_at, text_at

MOST_OBJECTS = 500
"""Limit per kind and namespace. Objects beyond it are ignored."""
_SCHEMES = ("http", "https")


def leading_to(
    object_store: Json, services: Iterable[Json], ingresses: Iterable[Json]
) -> frozenset[Origin]:
    """Return the addresses at which the object store's gateways answer, as the cluster shows it.

    Services and Ingresses are those of the object store's namespace. A name with a wildcard is not
    an address.
    """
    store = text_at(object_store, "metadata", "name")
    ours = [service for service in services if store and _selects(service, store)]
    names = {text_at(service, "metadata", "name") for service in ours}
    found = [url for service in ours for url in _service_urls(service)]
    found += [url for ingress in ingresses for url in _ingress_urls(ingress, names)]
    return origins(found)


def _selects(service: Json, store: str) -> bool:
    """Tell whether a Service leads to gateways of this store, and to nothing else."""
    selector = at(service, "spec", "selector")
    return (
        text_at(service, "spec", "type") != "ExternalName"
        and text_at(selector, "app") == "rook-ceph-rgw"
        and text_at(selector, "rook_object_store") == store
    )


def _service_urls(service: Json) -> Iterator[str]:
    name, namespace = (
        text_at(service, "metadata", "name"),
        text_at(service, "metadata", "namespace"),
    )
    hosts = [f"{name}.{namespace}.svc", f"{name}.{namespace}"]
    for entry in mappings_at(service, "status", "loadBalancer", "ingress"):
        ip = text_at(entry, "ip")
        hosts += [text_at(entry, "hostname"), f"[{ip}]" if ":" in ip else ip]
    for port in mappings_at(service, "spec", "ports"):
        for host in filter(None, hosts):
            for scheme in _SCHEMES:
                yield f"{scheme}://{host}:{number_at(port, 'port')}"


def _ingress_urls(ingress: Json, services: set[str]) -> Iterator[str]:
    for rule in mappings_at(ingress, "spec", "rules"):
        host = text_at(rule, "host")
        backends = {
            text_at(path, "backend", "service", "name")
            for path in mappings_at(rule, "http", "paths")
        }
        if host and "*" not in host and backends and backends <= services:
            for scheme in _SCHEMES:
                yield f"{scheme}://{host}"
