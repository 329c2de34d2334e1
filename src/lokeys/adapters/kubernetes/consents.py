# SPDX-License-Identifier: Apache-2.0
"""What the owners of credentials allow, according to their objects in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from lokeys.adapters.kubernetes.cluster import allows
from lokeys.core.kubernetes.consent import (
    Consent,
    Origin,
    allowed_urls,
    origin_of,
    origins,
)
from lokeys.core.kubernetes.external_secrets.onepassword import connect_of
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, number_at, text_at
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.route.bridging import allowed_bridge
from lokeys.errors import LokeysError, NotAllowed, NotShared
from lokeys.ports import Objects


def named_by(object_store: Json | None) -> frozenset[Origin]:
    """Return the addresses that a CephObjectStore names."""
    if object_store is None:
        return frozenset()
    status = at(object_store, "status")
    told = (
        *_texts(at(status, "endpoints", "insecure")),
        *_texts(at(status, "endpoints", "secure")),
        text_at(status, "info", "endpoint"),
        text_at(status, "info", "secureEndpoint"),
    )
    return origins(chain(told, _hosted(object_store)))


def _hosted(object_store: Json) -> Iterator[str]:
    """Yield the addresses in `spec.hosting`, with the ports that the gateway serves."""
    hosting, gateway = at(object_store, "spec", "hosting"), at(object_store, "spec", "gateway")
    plain, secure = number_at(gateway, "port"), number_at(gateway, "securePort")
    for name in _texts(at(hosting, "dnsNames")):
        if plain:
            yield f"http://{name}:{plain}"
        if secure:
            yield f"https://{name}:{secure}"
    advertised = at(hosting, "advertiseEndpoint")
    if text_at(advertised, "dnsName"):
        scheme = "https" if at(advertised, "useTls") is True else "http"
        yield f"{scheme}://{text_at(advertised, 'dnsName')}:{number_at(advertised, 'port')}"


def _texts(found: object) -> Iterable[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def secret_consent(secret: Json, *, at_home: bool) -> Consent:
    """Return what a Secret's owner allows.

    `at_home`: it is in the route's own namespace, so that its owner is also that of Loki's Secret.
    """
    allowed, bridge = allowed_urls(secret), allowed_bridge(secret)
    return Consent(
        named=allowed if at_home else frozenset(),
        listed=frozenset() if at_home else allowed,
        bridge=bridge,
    )


async def insist_on_token(
    objects: Objects, secret: Json, token: SecretKeyRef, *, url: str, namespace: str
) -> None:
    """Refuse a use of a Connect token that its owner has not allowed, for a route of `namespace`.

    If a store names the token, External Secrets already sends it to the store's host. Raises
    NotShared if the token belongs to another namespace, NotAllowed for the address.
    """
    there = text_at(secret, "metadata", "namespace")
    if not allows(secret, namespace):
        raise NotShared(f"Secret {there}/{token.name} does not allow namespace {namespace}")
    if not await names_address(objects, secret, token, url=url, namespace=namespace):
        raise NotAllowed(f"Secret {there}/{token.name} does not allow its token to go to {url}")


async def names_address(
    objects: Objects, secret: Json, token: SecretKeyRef, *, url: str, namespace: str
) -> bool:
    """Tell whether a Connect token's owner, or a store that names it, allows it to go to `url`."""
    there = text_at(secret, "metadata", "namespace")
    wanted = origin_of(url)
    if wanted is not None and wanted in allowed_urls(secret):
        return True
    for kind, place in (("SecretStore", namespace), ("ClusterSecretStore", None)):
        try:
            stores = await objects.list(kind, namespace=place)
        except LokeysError:
            continue  # what cannot be read allows nothing
        if wanted is not None and any(
            _sends(store, token, there=there, namespace=namespace)
            and origin_of(text_at(store, *_HOST)) == wanted
            for store in stores
        ):
            return True
    return False


_HOST = ("spec", "provider", "onepassword", "connectHost")


def _sends(store: Json, token: SecretKeyRef, *, there: str, namespace: str) -> bool:
    """Tell whether a store reads the token of namespace `there`, for those of `namespace`."""
    found = connect_of(store)
    if found is None or found.token != token or found.token_namespace != there:
        return False
    if text_at(store, "kind") == "SecretStore":
        return text_at(store, "metadata", "namespace") == namespace
    return _admits(store, namespace)


def _admits(store: Json, namespace: str) -> bool:
    """Tell whether a ClusterSecretStore's conditions name the namespace.

    Selectors and patterns are not evaluated: only named namespaces are allowed here.
    """
    if not at(store, "spec", "conditions"):
        return True
    return any(
        namespace in _texts(at(condition, "namespaces"))
        for condition in mappings_at(store, "spec", "conditions")
    )
