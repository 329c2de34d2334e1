# SPDX-License-Identifier: Apache-2.0
"""What owners allow, as their objects say it, and that nothing is sent where they do not."""

import asyncio
from functools import partial
from typing import Any

import pytest

from builders import a_key_pair, a_pair, a_route
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import ALLOWED_NAMESPACES
from lokeys.adapters.kubernetes.consents import insist_on_token, named_by, secret_consent
from lokeys.adapters.wiring import Access, wire
from lokeys.core.kubernetes.consent import ALLOWED_URLS, Consent, Trying, origins
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.route.model import OnePasswordVault, PairKeys, RgwAdmin, RgwSource, SecretRef
from lokeys.core.route.snapshot import Why
from lokeys.errors import NotAllowed, NotShared
from unit.adapters.kubernetes.cluster_fakes import FakeObjects, Json, cluster, secret

URL = "http://connect.ns:8080"
TOKEN = SecretKeyRef(name="connect", key="token")


def a_store(kind: str = "SecretStore", namespace: str | None = "ns", **changes: Any) -> Json:
    """Return a store that has External Secrets send the token to the URL."""
    token = {"name": "connect", "key": "token"} | changes.pop("token", {})
    provider = {
        "connectHost": changes.pop("host", URL),
        "auth": {"secretRef": {"connectTokenSecretRef": token}},
    }
    metadata = {"name": "store"} | ({"namespace": namespace} if namespace else {})
    spec = {"provider": {"onepassword": provider}} | changes
    return {"kind": kind, "metadata": metadata, "spec": spec}


def everyones(token: Json | None = None, **changes: Any) -> Json:
    """Return a ClusterSecretStore with the token of namespace ns."""
    own = {"namespace": "ns"} | (token or {})
    return a_store("ClusterSecretStore", None, token=own, **changes)


def a_token(allowed: str | None = None) -> Json:
    """Return the token's Secret."""
    made = secret("connect", token="t")
    if allowed is not None:
        made["metadata"]["annotations"] = {ALLOWED_URLS: allowed}
    return made


def goes(*objects: Json, allowed: str | None = None, url: str = URL) -> bool:
    """Tell whether the token may go to the URL."""
    held = a_token(allowed)
    call = insist_on_token(FakeObjects(*objects), held, TOKEN, url=url, namespace="ns")
    try:
        asyncio.run(call)
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("objects", "allowed"),
    [
        pytest.param((), f"http://other,{URL}/v1", id="its owner lists the address"),
        pytest.param((a_store(),), None, id="a SecretStore sends it there already"),
        pytest.param((everyones(),), None, id="a ClusterSecretStore for everyone does"),
        pytest.param(
            (everyones(conditions=[{"namespaces": ["ns"]}]),), None, id="one for this namespace"
        ),
    ],
)
def test_a_token_goes_where_its_owner_lets_it(
    objects: tuple[Json, ...], allowed: str | None
) -> None:
    """Compared by scheme, host and port."""
    assert goes(*objects, allowed=allowed)


@pytest.mark.parametrize(
    ("objects", "allowed"),
    [
        pytest.param((), None, id="nobody said anything"),
        pytest.param((), "http://connect.ns:8081", id="another port"),
        pytest.param((), "https://connect.ns:8080", id="another scheme"),
        pytest.param((), "http://connect.ns:8080.evil.example", id="another host"),
        pytest.param((a_store(token={"name": "other"}),), None, id="a store with another token"),
        pytest.param((a_store(token={"key": "other"}),), None, id="a store with another data key"),
        pytest.param((a_store(host="http://evil"),), None, id="a store with another host"),
        pytest.param((a_store(namespace="evil"),), None, id="a store of another namespace"),
        pytest.param(
            (a_store(namespace="evil", token={"namespace": "ns"}),),
            None,
            id="a store of another namespace that names ours, which External Secrets ignores",
        ),
        pytest.param(
            (everyones({"namespace": "evil"}),), None, id="a namesake of another namespace"
        ),
        pytest.param(
            (everyones(conditions=[{"namespaces": ["other"]}]),), None, id="one for others only"
        ),
        pytest.param(
            (everyones(conditions=[{"namespaceRegexes": [".*"]}]),), None, id="one with a pattern"
        ),
    ],
)
def test_a_token_goes_nowhere_else(objects: tuple[Json, ...], allowed: str | None) -> None:
    """Each is somebody else's word, or about something else."""
    assert not goes(*objects, allowed=allowed)


def test_a_token_of_another_namespace_is_used_only_with_its_owners_word() -> None:
    """For a namespace that its Secret names, and sent where a store for that namespace sends it."""
    held = a_token()
    objects = FakeObjects(everyones())
    call = partial(insist_on_token, objects, held, TOKEN, url=URL, namespace="monitoring")
    with pytest.raises(NotShared):
        asyncio.run(call())
    held["metadata"]["annotations"] = {ALLOWED_NAMESPACES: "logging,monitoring"}
    asyncio.run(call())


def test_a_store_of_the_route_does_not_send_anothers_token() -> None:
    """A SecretStore's token is in its own namespace, whatever namespace it writes beside it."""
    held = a_token()
    held["metadata"]["annotations"] = {ALLOWED_NAMESPACES: "monitoring"}
    objects = FakeObjects(a_store(namespace="monitoring", token={"namespace": "ns"}))
    with pytest.raises(NotAllowed):
        asyncio.run(insist_on_token(objects, held, TOKEN, url=URL, namespace="monitoring"))


def test_stores_that_cannot_be_seen_allow_nothing() -> None:
    """A right that is missing opens nothing."""
    objects = FakeObjects(a_store())
    objects.forbid("SecretStore")
    objects.forbid("ClusterSecretStore")
    with pytest.raises(NotAllowed):
        asyncio.run(insist_on_token(objects, a_token(), TOKEN, url=URL, namespace="ns"))


def test_an_object_store_names_its_addresses() -> None:
    """Those of its status, and of its hosting at the gateway's ports."""
    store = {
        "spec": {
            "gateway": {"port": 80, "securePort": 443},
            "hosting": {
                "dnsNames": ["s3.example.com"],
                "advertiseEndpoint": {"dnsName": "ad.example.com", "port": 8443, "useTls": True},
            },
        },
        "status": {
            "endpoints": {"insecure": ["http://a:8080"], "secure": ["https://a:8443"]},
            "info": {"endpoint": "http://b", "secureEndpoint": "https://b"},
        },
    }
    assert named_by(store) == origins(
        [
            "http://a:8080",
            "https://a:8443",
            "http://b",
            "https://b",
            "http://s3.example.com",
            "https://s3.example.com",
            "https://ad.example.com:8443",
        ]
    )
    plain = {"spec": {"hosting": {"advertiseEndpoint": {"dnsName": "ad", "port": 80}}}}
    assert named_by(plain) == origins(["http://ad"])
    assert named_by({"spec": {"hosting": {"dnsNames": ["a", 7]}}, "status": 7}) == frozenset()
    assert named_by(None) == frozenset()


@pytest.mark.parametrize("at_home", [True, False])
def test_a_secret_of_another_namespace_speaks_for_its_own_key_only(at_home: bool) -> None:
    """At home its owner is that of the Secret that Loki reads."""
    found = secret_consent(a_token(URL), at_home=at_home)
    assert found.covers(URL)
    assert found.names(URL) is at_home


VAULT = OnePasswordVault(
    url="http://127.0.0.1:9",
    token=TOKEN,
    vault="v",
    item="i",
    fields=PairKeys(access_key_id="a", secret_access_key="s"),
)
ADMIN = RgwAdmin(
    endpoint="http://127.0.0.1:9",
    secret=SecretRef(name="connect", keys=PairKeys(access_key_id="a", secret_access_key="s")),
)


def test_the_operator_sends_nothing_without_the_owners_word() -> None:
    """Neither the token nor a request that the admin's pair signs: no socket is opened here."""

    async def read() -> None:
        where, _ = cluster(a_token())
        spec = a_route(namespace="ns", vault=VAULT, source=RgwSource(uid="loki", admin=ADMIN))
        async with HttpClients() as clients:
            ports = wire(spec, Access(cluster=where, clients=clients))
            assert ports.trying is Trying.CONSENT
            assert ports.vault is not None
            for reading in (await ports.vault.read(), await ports.source.read()):
                assert [gap.why for gap in reading.gaps] == [Why.URL_NOT_ALLOWED]
            with pytest.raises(NotAllowed):
                await ports.vault.write(a_key_pair(), over=a_pair().pair)
            own = wire(spec, Access(cluster=where, clients=clients, callers_rights=True))
            assert own.trying is Trying.CALLER

    asyncio.run(read())


def test_nothing_is_allowed_by_default() -> None:
    """An empty consent covers nothing."""
    assert not Consent().covers(URL)
