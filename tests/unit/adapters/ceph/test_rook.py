# SPDX-License-Identifier: Apache-2.0
"""Rook's users and plain Secrets as sources."""

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from lokeys.adapters.ceph.rgw import AdminApi
from lokeys.adapters.ceph.rook import MAX_PAIRS, RookSourcePort, admin_look
from lokeys.adapters.kubernetes.secret_source import SecretSourcePort, SourceReader
from lokeys.core.kubernetes.consent import Consent, origins
from lokeys.core.kubernetes.rook import slot_metadata
from lokeys.core.place import Ref
from lokeys.core.route import model
from lokeys.core.route.model import PairKeys, RookSource, SecretRef, SecretSource
from lokeys.core.route.snapshot import RookUser, SourceState, Why
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.errors import Forbidden, NeedsHuman, Unreachable
from lokeys.ports import Reading
from unit.adapters.kubernetes.cluster_fakes import (
    CANARY_ID,
    CANARY_SECRET,
    Json,
    Server,
    cluster,
    event,
    secret,
)

SOURCE = RookSource(user="loki", namespace="storage")
USER = Ref("CephObjectStoreUser", "loki", "storage")
GENERATED = "rook-ceph-object-user-main-loki"
PAIR = KeyPair(access_key_id=Sensitive(CANARY_ID), secret_access_key=Sensitive(CANARY_SECRET))
AT_HOME = SourceReader(namespace="storage")


def user(*keys: Json, allowed: str | None = None, **status: Any) -> Json:
    annotations = {} if allowed is None else {"lokeys.dev/allowed-namespaces": allowed}
    spec: Json = {"store": "main"} | ({"keys": list(keys)} if keys else {})
    return {
        "kind": "CephObjectStoreUser",
        "metadata": {
            "name": "loki",
            "namespace": "storage",
            "uid": "uid-of-the-user",
            "generation": 2,
            "annotations": annotations,
        },
        "spec": spec,
        "status": {"phase": "Ready", "observedGeneration": 2} | status,
    }


def generated(
    key_id: str = CANARY_ID, key: str = CANARY_SECRET, *, name: str = GENERATED, **owner: Any
) -> Json:
    made = secret(name, namespace="storage", AccessKey=key_id, SecretKey=key)
    controller = {
        "apiVersion": "ceph.rook.io/v1",
        "kind": "CephObjectStoreUser",
        "name": "loki",
        "uid": "uid-of-the-user",
        "controller": True,
    }
    made["metadata"]["ownerReferences"] = [controller | owner]
    return made | {"type": "kubernetes.io/rook"}


def entry(name: str) -> Json:
    return {
        "accessKeyRef": {"name": name, "key": "id"},
        "secretKeyRef": {"name": name, "key": "key"},
    }


def kept(name: str, key_id: str = CANARY_ID, version: str = "7") -> Json:
    return secret(name, namespace="storage", version=version, id=key_id, key=CANARY_SECRET)


def read(
    *objects: Json, reader: SourceReader = AT_HOME, server: Server | None = None
) -> Reading[SourceState]:
    where, _ = cluster(*objects, server=server)
    return asyncio.run(RookSourcePort(where, SOURCE, reader=reader).read())


def rook_of(reading: Reading[SourceState]) -> RookUser:
    assert reading.state is not None
    assert reading.state.rook is not None
    return reading.state.rook


def test_the_generated_secret_is_the_source_without_spec_keys() -> None:
    """Its pair, its version and its owner are told."""
    reading = read(user(), generated())
    assert reading.pair == PAIR
    assert reading.state is not None
    assert reading.state.ref == Ref("Secret", GENERATED, "storage")
    assert (reading.state.owner, reading.state.resource_version) == (USER, "7")
    assert rook_of(reading).applied


def test_with_spec_keys_the_generated_secret_is_never_read() -> None:
    """The referenced Secret is the source, and the blank one is not even asked for."""
    where, objects = cluster(user(entry("mine"), keys=[]), generated("", ""), kept("mine"))
    reading = asyncio.run(RookSourcePort(where, SOURCE, reader=AT_HOME).read())
    assert reading.pair == PAIR
    assert not [each for each in objects.read if GENERATED in each]
    assert rook_of(reading).uses_spec_keys


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        pytest.param([{"name": "mine", "resourceVersion": "7"}], True, id="this version"),
        pytest.param([{"name": "mine", "resourceVersion": "6"}], False, id="an older version"),
        pytest.param([], False, id="nothing yet"),
    ],
)
def test_applied_means_this_version_of_each_key_secret(applied: list[Json], expected: bool) -> None:
    """Phase Ready alone proves nothing: status.keys must show the present versions."""
    rook = rook_of(read(user(entry("mine"), keys=applied), kept("mine")))
    assert rook.key_secrets_applied is expected
    assert rook.applied is expected


def test_of_several_pairs_that_a_person_lists_none_is_offered() -> None:
    """Each is a slot with its Secret, the smallest id first; which is present the route says."""
    reading = read(user(entry("a"), entry("b")), kept("a", key_id="ZID"), kept("b", key_id="BID"))
    assert reading.pair is None
    assert reading.state is not None
    assert reading.state.pair is None
    slots = reading.state.slots or ()
    assert [(slot.hint, slot.declared_by, slot.offered) for slot in slots] == [
        ("BID", "b", False),
        ("ZID", "a", False),
    ]
    assert {slot.pair for slot in slots} == set(reading.pairs)
    assert reading.state.live is None
    assert reading.gaps == ()


def test_the_first_of_a_list_that_lokeys_wrote_is_offered() -> None:
    """Where lokeys made the first entry's Secret for this very user, the order means something."""
    ours = kept("a", key_id="ZID")
    ours["metadata"] |= slot_metadata("a", user())
    reading = read(user(entry("a"), entry("b")), ours, kept("b", key_id="BID"))
    assert reading.state is not None
    assert [slot.offered for slot in reading.state.slots or ()] == [False, True]
    assert reading.pair == KeyPair(
        access_key_id=Sensitive("ZID"), secret_access_key=Sensitive(CANARY_SECRET)
    )
    ours["metadata"]["ownerReferences"][0]["uid"] = "another-user"
    assert read(user(entry("a"), entry("b")), ours, kept("b", key_id="BID")).pair is None


def test_the_same_pair_twice_is_one_pair() -> None:
    """Two entries that hold the same pair leave no doubt."""
    assert read(user(entry("a"), entry("b")), kept("a"), kept("b")).pair == PAIR


def test_spec_keys_that_point_at_the_generated_secret_are_told() -> None:
    """That destroys all keys; nothing of it is read."""
    reading = read(user(entry(GENERATED)), generated())
    assert rook_of(reading).reads_generated_secret
    assert reading.pair is None


def test_a_missing_key_secret_is_a_gap() -> None:
    """The Secret is named, and the user is still described."""
    reading = read(user(entry("mine")))
    assert [(gap.ref.name, gap.why) for gap in reading.gaps] == [("mine", Why.NOT_FOUND)]
    assert not rook_of(reading).key_secrets_applied


@pytest.mark.parametrize(
    ("allowed", "namespace", "readable"),
    [
        pytest.param(None, "monitoring", False, id="no annotation"),
        pytest.param("logs, monitoring", "monitoring", True, id="listed"),
        pytest.param("monitoring-2,xmonitoring", "monitoring", False, id="only similar names"),
        pytest.param("", "storage", True, id="its own namespace needs none"),
    ],
)
def test_another_namespace_needs_its_owners_word(
    allowed: str | None, namespace: str, readable: bool
) -> None:
    """Without the annotation nothing but the user itself is read."""
    where, objects = cluster(user(allowed=allowed), generated())
    port = RookSourcePort(where, SOURCE, reader=SourceReader(namespace=namespace))
    reading = asyncio.run(port.read())
    assert (reading.state is not None) is readable
    if not readable:
        assert [gap.why for gap in reading.gaps] == [Why.NOT_ALLOWED]
        assert objects.read == [str(USER)]


OBJECT_STORE: Json = {
    "kind": "CephObjectStore",
    "metadata": {"name": "main", "namespace": "storage"},
    "status": {"info": {"endpoint": "http://rook-ceph-rgw-main.storage.svc:80"}},
}
GATEWAYS: Json = {
    "kind": "Service",
    "metadata": {"name": "s3", "namespace": "storage"},
    "spec": {
        "selector": {"app": "rook-ceph-rgw", "rook_object_store": "main"},
        "ports": [{"port": 80}],
    },
}


@pytest.mark.parametrize(
    ("endpoint", "others", "allowed"),
    [
        pytest.param("http://s3.storage.svc", [GATEWAYS], True, id="its Service"),
        pytest.param("http://s3.storage.svc", [], False, id="no such Service"),
        pytest.param("http://evil.storage.svc", [GATEWAYS], False, id="another address"),
    ],
)
def test_an_address_that_leads_to_the_object_store_is_allowed(
    endpoint: str, others: list[Json], allowed: bool
) -> None:
    """As a Service or Ingress beside it shows, though the object store does not name it."""
    reader = SourceReader(namespace="storage", endpoint=endpoint)
    state = read(user(), generated(), OBJECT_STORE, *others, reader=reader).state
    assert state is not None
    assert state.consent.names(endpoint) is allowed


def test_services_are_read_only_where_nothing_else_allows_the_address() -> None:
    """Not for an address that the object store names, and not for a person."""
    named = "http://rook-ceph-rgw-main.storage.svc"
    for reader in (
        SourceReader(namespace="storage", endpoint=named),
        SourceReader(namespace="storage", endpoint="http://s3.storage.svc", callers_rights=True),
    ):
        where, objects = cluster(user(), generated(), OBJECT_STORE, GATEWAYS)
        asyncio.run(RookSourcePort(where, SOURCE, reader=reader).read())
        assert not [read for read in objects.read if "Service" in read or "Ingress" in read]


def test_a_person_needs_no_annotation() -> None:
    """On the command line the caller's own rights decide."""
    reader = SourceReader(namespace="monitoring", callers_rights=True)
    assert read(user(), generated(), reader=reader).pair == PAIR


def test_a_user_that_lags_is_described_with_rooks_own_words() -> None:
    """The last ReconcileFailed is quoted without the query, in which Rook puts secret keys."""
    server = Server()
    message = f'Put "http://rgw/admin/user?access-key=A&secret-key={CANARY_SECRET}": EOF'
    server.events = [
        event(USER, "ReconcileFailed", "older", lastTimestamp="2026-11-23T01:00:00Z"),
        event(USER, "ReconcileFailed", message, lastTimestamp="2026-11-23T02:00:00Z"),
    ]
    reading = read(user(observedGeneration=1), generated(), server=server)
    rook = rook_of(reading)
    assert not rook.applied
    assert rook.message == 'Put "http://rgw/admin/user?…": EOF'
    assert CANARY_SECRET not in repr(reading)


@pytest.mark.parametrize(
    ("stores", "expected"),
    [
        pytest.param([], None, id="no store to be seen"),
        pytest.param([{"phase": "Ready"}], True, id="ready"),
        pytest.param([{"phase": "Progressing"}], False, id="not yet"),
        pytest.param([{}], None, id="says nothing"),
    ],
)
def test_the_stores_readiness(stores: list[Json], expected: bool | None) -> None:
    """A store that cannot be seen is unknown, not unready."""
    objects = [
        {
            "kind": "CephObjectStore",
            "metadata": {"name": "main", "namespace": "storage"},
            "status": status,
        }
        for status in stores
    ]
    assert rook_of(read(user(), generated(), *objects)).store_ready is expected


def test_a_missing_user_is_a_gap() -> None:
    """There is no state without a user."""
    reading = read()
    assert reading.state is None
    assert [(gap.ref, gap.why, gap.detail) for gap in reading.gaps] == [(USER, Why.NOT_FOUND, "")]


def admin_answering(*keys: tuple[str, str], code: str = "") -> httpx2.AsyncClient:
    async def answer(_: httpx2.Request) -> httpx2.Response:
        rows = [{"user": "loki", "access_key": one, "secret_key": two} for one, two in keys]
        user = {"user_id": "loki", "suspended": 0, "keys": rows}
        body = json.dumps({"Code": code} if code else user).encode()
        return httpx2.Response(404 if code else 200, stream=httpx2.ByteStream(body))

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


ADMIN = model.RgwAdmin(
    endpoint="http://rgw",
    secret=SecretRef(name="admin", keys=PairKeys(access_key_id="id", secret_access_key="key")),
)


def read_with_admin(client: httpx2.AsyncClient) -> Reading[SourceState]:
    objects = (user(), generated(), secret("admin", id="ADMINID", key="adminsecret"))
    where, _ = cluster(*objects)
    look = admin_look(where, ADMIN, namespace="ns", client=client)
    source, reader = replace(SOURCE, admin=ADMIN), replace(AT_HOME, callers_rights=True)
    return asyncio.run(RookSourcePort(where, source, reader=reader, look=look).read())


def test_rgws_own_list_of_keys_is_added() -> None:
    """With an admin's pair RGW's keys are known, smallest id first."""
    reading = read_with_admin(admin_answering(("ZZZ", "s2"), (CANARY_ID, CANARY_SECRET)))
    assert reading.state is not None
    assert reading.state.slots is not None
    assert [key.hint for key in reading.state.slots] == ["CANA", "ZZZ"]
    assert reading.state.pair is not None
    assert reading.state.slots[0].pair == reading.state.pair.pair


def test_a_list_of_keys_that_nobody_vouches_for_is_not_asked_for() -> None:
    """A lying one could have Rook delete keys: the source's owner must name or allow the address.

    The Secret with the admin's pair is the tenant's own, so its annotation does not count.
    """
    asked: list[httpx2.Request] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(500)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    admin = secret("admin", namespace="monitoring", id="ADMINID", key="adminsecret")
    admin["metadata"]["annotations"] = {"lokeys.dev/allowed-urls": "http://rgw"}
    where, _ = cluster(user(allowed="monitoring"), generated(), admin)
    look = admin_look(where, ADMIN, namespace="monitoring", client=client)
    source, reader = replace(SOURCE, admin=ADMIN), SourceReader(namespace="monitoring")
    reading = asyncio.run(RookSourcePort(where, source, reader=reader, look=look).read())
    assert [(gap.ref, gap.why, gap.detail) for gap in reading.gaps] == [
        (USER, Why.URL_NOT_ALLOWED, "http://rgw")
    ]
    assert reading.state is not None
    assert reading.state.slots is None
    assert not asked


STORE = {
    "kind": "CephObjectStore",
    "metadata": {"name": "main", "namespace": "storage"},
    "status": {"info": {"endpoint": "http://rgw"}},
}


@pytest.mark.parametrize(
    ("of_user", "of_admin", "store", "gaps"),
    [
        pytest.param(
            {"lokeys.dev/allowed-urls": "http://rgw"},
            {},
            None,
            [Ref("Secret", "admin", "monitoring")],
            id="the user's owner alone",
        ),
        pytest.param(
            {"lokeys.dev/allowed-urls": "http://rgw"},
            {"lokeys.dev/allowed-urls": "http://rgw"},
            None,
            [],
            id="the user's owner, and the admin's",
        ),
        pytest.param({}, {}, STORE, [], id="Rook's object store names it"),
    ],
)
def test_an_admins_signature_goes_where_the_admins_owner_lets_it(
    of_user: dict[str, str], of_admin: dict[str, str], store: Json | None, gaps: list[Ref]
) -> None:
    """Whoever gets a request that the admin has signed can have RGW answer it.

    So a tenant with a user of its own, which is called as another's, does not get one.
    """
    asked: list[httpx2.URL] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url)
        body = json.dumps({"user_id": "loki", "keys": []}).encode()
        return httpx2.Response(200, stream=httpx2.ByteStream(body))

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    admin = secret("admin", namespace="monitoring", id="ADMINID", key="adminsecret")
    admin["metadata"]["annotations"] = of_admin
    owner = user(allowed="monitoring")
    owner["metadata"]["annotations"].update(of_user)
    where, _ = cluster(owner, generated(), admin, *([store] if store else []))
    look = admin_look(where, ADMIN, namespace="monitoring", client=client)
    source, reader = replace(SOURCE, admin=ADMIN), SourceReader(namespace="monitoring")
    reading = asyncio.run(RookSourcePort(where, source, reader=reader, look=look).read())
    assert [(gap.ref, gap.why) for gap in reading.gaps] == [
        (ref, Why.URL_NOT_ALLOWED) for ref in gaps
    ]
    assert bool(asked) is not bool(gaps)


def test_the_addresses_of_the_users_store_are_named() -> None:
    """Only the CephObjectStore speaks for every key of a route.

    Whoever owns the user can write its annotation, and Rook's Secret beside it.
    """
    owner = user()
    owner["metadata"]["annotations"] = {"lokeys.dev/allowed-urls": "https://s3.example.com"}
    held = generated()
    held["data"]["Endpoint"] = b64encode(b"http://rook").decode()
    state = read(owner, held, STORE).state
    assert state is not None
    assert state.consent == Consent(
        named=origins(["http://rgw"]), listed=origins(["http://rook", "https://s3.example.com"])
    )


def test_a_user_that_rgw_does_not_know_is_told() -> None:
    """The user was removed behind Rook: the gap names RGW's user."""
    reading = read_with_admin(admin_answering(code="NoSuchUser"))
    assert [(gap.ref.kind, gap.why) for gap in reading.gaps] == [("RGWUser", Why.NOT_FOUND)]
    assert reading.pair == PAIR


def test_an_admin_secret_that_is_gone_leaves_the_rest() -> None:
    """The look at RGW fails alone."""

    async def look() -> AdminApi:
        raise Unreachable("no answer")

    where, _ = cluster(user(), generated())
    source, reader = replace(SOURCE, admin=ADMIN), replace(AT_HOME, callers_rights=True)
    reading = asyncio.run(RookSourcePort(where, source, reader=reader, look=look).read())
    assert reading.pair == PAIR
    assert [gap.why for gap in reading.gaps] == [Why.UNREACHABLE]


def test_refresh_adds_a_data_key_to_the_generated_secret() -> None:
    """Rook overwrites it at once; nothing is deleted, nothing else is touched."""
    server = Server()
    where, _ = cluster(user(), generated(), server=server)
    asyncio.run(RookSourcePort(where, SOURCE, reader=AT_HOME).refresh())
    ((method, path, body),) = server.calls
    assert (method, path) == ("PATCH", f"/api/v1/namespaces/storage/secrets/{GENERATED}")
    assert list(body["data"]) == ["lokeys-refresh"]
    assert body["metadata"] == {"uid": f"uid-{GENERATED}"}


@pytest.mark.parametrize(
    ("obj", "error"),
    [
        pytest.param(user(entry("mine"), allowed="ns"), NeedsHuman, id="spec.keys are the truth"),
        pytest.param(user(), Forbidden, id="its owner has not allowed us"),
    ],
)
def test_refresh_is_refused_where(obj: Json, error: type[Exception]) -> None:
    """Nothing is written where Rook would not read RGW, or where nobody asked us."""
    server = Server()
    where, _ = cluster(obj, generated(), server=server)
    with pytest.raises(error):
        asyncio.run(RookSourcePort(where, SOURCE, reader=SourceReader(namespace="ns")).refresh())
    assert not server.calls


def test_the_store_of_the_resource_never_chooses_the_secret() -> None:
    """User `loki` of `main`, and `prod-loki` of it: `store: main-prod` would name the other's."""
    other = generated(name="rook-ceph-object-user-main-prod-loki", uid="uid-of-prod-loki")
    where, objects = cluster(user(), other, generated("OWNID", "own"))
    port = RookSourcePort(where, replace(SOURCE, store="main-prod"), reader=AT_HOME)
    reading = asyncio.run(port.read())
    assert reading.pair is not None
    assert reading.pair.access_key_id.reveal_text() == "OWNID"
    assert rook_of(reading).store == "main"
    assert not [each for each in objects.read if "prod" in each]


ANOTHERS = [
    pytest.param({"uid": "uid-of-prod-loki"}, id="another user's"),
    pytest.param({"controller": False}, id="an owner that is no controller"),
    pytest.param({"kind": "ConfigMap"}, id="another kind"),
    pytest.param({"apiVersion": "evil.example/v1"}, id="another group"),
]


@pytest.mark.parametrize("owner", ANOTHERS)
def test_a_generated_secret_counts_only_if_the_user_controls_it(owner: Json) -> None:
    """Whoever owns it else: no pair is read, and what is wrong is named."""
    reading = read(user(), generated(**owner))
    assert reading.pair is None
    assert [(gap.ref.name, gap.why) for gap in reading.gaps] == [(GENERATED, Why.ANOTHERS)]


@pytest.mark.parametrize("owner", ANOTHERS)
def test_anothers_secret_is_not_refreshed(owner: Json) -> None:
    """Nothing is written into a Secret that is not the user's."""
    server = Server()
    where, _ = cluster(user(), generated(**owner), server=server)
    with pytest.raises(Forbidden):
        asyncio.run(RookSourcePort(where, SOURCE, reader=AT_HOME).refresh())
    assert not server.calls


def test_a_user_of_another_store_is_not_taken_for_the_one_to_make() -> None:
    """`lokeys bucket --create` names both stores and does nothing."""
    where, _ = cluster(user())
    port = RookSourcePort(where, replace(SOURCE, store="prod"), reader=AT_HOME)
    with pytest.raises(NeedsHuman, match="store main, not of prod"):
        asyncio.run(port.ensure_user())


def test_a_user_is_made_once() -> None:
    """Who is there is not made again."""
    server = Server()
    source = replace(SOURCE, store="main")
    for objects, made in ((), True), ((user(),), False):
        where, _ = cluster(*objects, server=server)
        assert asyncio.run(RookSourcePort(where, source, reader=AT_HOME).ensure_user()) is made
    ((method, _, body),) = server.calls
    assert (method, body["spec"]["store"]) == ("POST", "main")


@pytest.mark.parametrize(
    ("source", "reader"),
    [
        pytest.param(SOURCE, AT_HOME, id="the store is not known"),
        pytest.param(
            replace(SOURCE, store="main"),
            SourceReader(namespace="ns"),
            id="the namespace is another's",
        ),
    ],
)
def test_a_user_is_not_made_where(source: RookSource, reader: SourceReader) -> None:
    """A person is told what is missing."""
    where, _ = cluster()
    with pytest.raises(NeedsHuman):
        asyncio.run(RookSourcePort(where, source, reader=reader).ensure_user())


PLAIN = SecretSource(
    secret=SecretRef(name="given", keys=PairKeys(access_key_id="id", secret_access_key="key")),
    namespace="storage",
)


def test_any_secret_can_be_the_source() -> None:
    """Its pair is taken as the truth."""
    where, _ = cluster(kept("given"))
    reading = asyncio.run(SecretSourcePort(where, PLAIN, reader=AT_HOME).read())
    assert reading.pair == PAIR
    assert CANARY_SECRET not in repr(reading)


def test_anothers_secret_needs_its_owners_word() -> None:
    """Of a Secret that does not allow us nothing is told."""
    where, _ = cluster(kept("given"))
    reading = asyncio.run(
        SecretSourcePort(where, PLAIN, reader=SourceReader(namespace="ns")).read()
    )
    assert reading.pair is None
    assert [gap.why for gap in reading.gaps] == [Why.NOT_ALLOWED]


def test_rooks_blank_secret_is_known_for_what_it_is() -> None:
    """Who reads the generated Secret while spec.keys is set gets nothing."""
    keys = PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")
    source = SecretSource(secret=SecretRef(name=GENERATED, keys=keys), namespace="storage")
    where, _ = cluster(generated("", ""))
    reading = asyncio.run(SecretSourcePort(where, source, reader=AT_HOME).read())
    assert reading.state is not None
    assert reading.state.generated_blank


def test_of_very_many_pairs_no_secret_is_read() -> None:
    """Each look would read all of them."""
    names = [f"n{each}" for each in range(MAX_PAIRS + 1)]
    reading = read(user(*map(entry, names)))
    assert reading.pair is None
    (gap,) = reading.gaps
    assert (gap.ref, gap.why) == (USER, Why.NOT_SUPPORTED)
    assert "lists 17 pairs" in gap.detail
