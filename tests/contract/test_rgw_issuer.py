# SPDX-License-Identifier: Apache-2.0
"""RGW as an issuer of keys, on the stand-in and on the real one: nobody else's key is touched."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import httpx2
import pytest

from contract.stores import Store, fresh, pair_of
from lokeys.adapters.aws.s3 import S3Store
from lokeys.adapters.ceph.rgw import AdminApi
from lokeys.adapters.ceph.rgw_issuer import RgwIssuer
from lokeys.adapters.http_clients import HttpClients
from lokeys.clock import utc_now
from lokeys.core.kubernetes.consent import Consent, origins
from lokeys.core.place import Ref
from lokeys.core.route.model import Bucket, PairKeys, RgwAdmin, RgwSource, SecretRef
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.errors import (
    BadInput,
    Forbidden,
    LokeysError,
    NeedsHuman,
    NotAllowed,
    NotFound,
    Transient,
)
from lokeys.kube.replies import NoSuchKind
from lokeys.ports import KeyIntent, Objects

Result = TypeVar("Result")
FINGERPRINTER = Fingerprinter(Sensitive(b"test"), kept=False)
INTENT = KeyIntent(since=utc_now())


@dataclass
class Cluster:
    """A cluster of which only the users of Rook are asked for."""

    users: list[str] = field(default_factory=list)
    refuses: LokeysError | None = None

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        assert (kind, namespace, labels) == ("CephObjectStoreUser", None, None)
        if self.refuses is not None:
            raise self.refuses
        return [{"metadata": {"name": name, "namespace": "storage"}} for name in self.users]

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        raise NotFound(str(ref))

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        raise NotFound(str(about))

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        raise NotFound(str(pod))


@dataclass
class Stumbles:
    """A way to a store that answers 500 to one method, after it was `done` or without."""

    method: str
    done: bool

    async def __aenter__(self) -> Self:
        self.inner = httpx2.AsyncHTTPTransport()
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.inner.aclose()

    def trusting(self, _: str | None) -> httpx2.AsyncClient:
        return self.client

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != self.method:
            return await self.inner.handle_async_request(request)
        if self.done:
            await (await self.inner.handle_async_request(request)).aread()
        body = b'{"Code":"UnknownError","Message":""}'
        return httpx2.Response(500, stream=httpx2.ByteStream(body))


def ask(
    store: Store,
    uid: str,
    action: Callable[[RgwIssuer], Awaitable[Result]],
    *,
    cluster: Cluster | None = None,
    consent: Consent | None = None,
    stumbles: Stumbles | None = None,
) -> Result:
    """Do one thing as the issuer of a user's keys."""

    async def run() -> Result:
        async with stumbles or HttpClients() as clients:
            client, objects = clients.trusting(None), cluster or Cluster()
            made = rgw_issuer(store, uid, client=client, objects=objects, consent=consent)
            return await action(made)

    return asyncio.run(run())


def rgw_issuer(
    store: Store,
    uid: str,
    *,
    client: httpx2.AsyncClient,
    objects: Objects,
    consent: Consent | None = None,
) -> RgwIssuer:
    """Return the issuer of a user's keys; the admin's owner allows the store, if not told else."""
    keys = PairKeys(access_key_id="accessKey", secret_access_key="secretKey")
    spec = RgwAdmin(endpoint=store.endpoint, secret=SecretRef(name="admin", keys=keys))
    allowed = Consent(named=origins([store.endpoint])) if consent is None else consent

    async def admin() -> AdminApi:
        return AdminApi(store.endpoint, store.admin_pair, client, utc_now, consent=allowed)

    return RgwIssuer(
        source=RgwSource(uid=uid, admin=spec),
        secret=Ref("Secret", "admin", "ns"),
        callers_rights=False,
        admin=admin,
        objects=objects,
        fingerprinter=FINGERPRINTER,
    )


def create(store: Store, uid: str, pair: KeyPair | None, **scene: Any) -> KeyPair:
    return ask(store, uid, lambda issuer: issuer.create(pair, intent=INTENT), **scene)


def retire(store: Store, uid: str, pair: KeyPair, **scene: Any) -> None:
    ask(store, uid, lambda issuer: issuer.retire(id_of(pair)), **scene)


def ids(store: Store, uid: str) -> set[Fingerprint]:
    return {slot.key_id for slot in ask(store, uid, lambda issuer: issuer.list())}


def id_of(pair: KeyPair) -> Fingerprint:
    return FINGERPRINTER.describe(pair).key_id


def a_draft(store: Store, uid: str) -> KeyPair:
    async def draft(issuer: RgwIssuer) -> KeyPair | None:
        return issuer.draft()

    made = ask(store, uid, draft)
    assert made is not None
    return made


def works(store: Store, pair: KeyPair) -> bool:
    """Tell whether the store takes a pair, whatever it says of the bucket."""

    async def run() -> bool:
        async with HttpClients() as clients:
            bucket = Bucket(name="contract-none", endpoint=store.endpoint)
            verdict = await S3Store(bucket, clients.trusting(None), utc_now).try_list(pair)
            return not verdict.refused

    return asyncio.run(run())


def test_a_key_is_created_beside_the_present_one_and_retired(store: Store) -> None:
    """Two keys work at once; after `retire` only the new one does."""
    uid = fresh("user")
    old, new = store.create_user(uid), a_draft(store, uid)
    assert create(store, uid, new) == new
    assert ids(store, uid) == {id_of(old), id_of(new)}
    assert works(store, old)
    assert works(store, new)
    retire(store, uid, old)
    assert ids(store, uid) == {id_of(new)}
    assert not works(store, old)
    assert works(store, new)


def test_each_call_may_be_repeated(store: Store) -> None:
    """A second `create` of a pair and a second `retire` of an id change nothing."""
    uid = fresh("user")
    old, new = store.create_user(uid), a_draft(store, uid)
    for _ in range(2):
        assert create(store, uid, new) == new
        assert ids(store, uid) == {id_of(old), id_of(new)}
    for _ in range(2):
        retire(store, uid, old)
        assert ids(store, uid) == {id_of(new)}


def test_an_old_pair_comes_back_as_it_was(store: Store) -> None:
    """A pair that was removed is added again: whoever still holds it is right again."""
    uid = fresh("user")
    old = store.create_user(uid)
    create(store, uid, a_draft(store, uid))
    store.remove_key(uid, old.access_key_id.reveal_text())
    assert not works(store, old)
    assert create(store, uid, old) == old
    assert works(store, old)


def test_another_users_key_is_neither_rewritten_nor_removed(store: Store) -> None:
    """An id that belongs to somebody else is refused, and goes on working."""
    uid, other = fresh("user"), fresh("other")
    store.create_user(uid)
    theirs = store.create_user(other)
    with pytest.raises(NeedsHuman, match="another user's"):
        create(store, uid, pair_of(theirs.access_key_id.reveal(), "s" * 40))
    create(store, uid, a_draft(store, uid))
    retire(store, uid, theirs)
    assert works(store, theirs)


def test_a_secret_is_never_replaced_under_its_id(store: Store) -> None:
    """The user's own id with another secret is refused; the first secret stays."""
    uid = fresh("user")
    own = store.create_user(uid)
    with pytest.raises(NeedsHuman, match="another secret"):
        create(store, uid, pair_of(own.access_key_id.reveal(), "s" * 40))
    assert works(store, own)


def test_a_user_that_is_not_there_changes_nobodys_keys(store: Store) -> None:
    """RGW ignores a uid that it does not know and would take the key's owner: lokeys asks first."""
    other = fresh("other")
    theirs = store.create_user(other)
    for change in (
        lambda: create(store, "nobody-of-that-name", theirs),
        lambda: retire(store, "nobody-of-that-name", theirs),
    ):
        with pytest.raises(NotFound):
            change()
    assert works(store, theirs)


def test_the_only_key_stays(store: Store) -> None:
    """The last key of a user is not retired."""
    uid = fresh("user")
    own = store.create_user(uid)
    with pytest.raises(NeedsHuman, match="only key"):
        retire(store, uid, own)
    assert works(store, own)


@pytest.mark.parametrize(
    ("cluster", "error"),
    [
        pytest.param(lambda uid: Cluster(users=[uid]), NeedsHuman, id="Rook has a user of this id"),
        pytest.param(
            lambda _: Cluster(refuses=Forbidden("list")), Forbidden, id="it may not be looked for"
        ),
    ],
)
def test_a_user_that_rook_may_manage_is_left_alone(
    store: Store, cluster: Callable[[str], Cluster], error: type[LokeysError]
) -> None:
    """Nothing is changed where Rook would undo it, or where that cannot be seen."""
    uid = fresh("user")
    own, new = store.create_user(uid), a_draft(store, uid)
    with pytest.raises(error):
        create(store, uid, new, cluster=cluster(uid))
    assert ids(store, uid) == {id_of(own)}
    create(store, uid, new, cluster=Cluster(users=["somebody-else"]))
    with pytest.raises(error):
        retire(store, uid, new, cluster=cluster(uid))
    retire(store, uid, new, cluster=Cluster(refuses=NoSuchKind("no Rook here")))
    assert ids(store, uid) == {id_of(own)}


def test_nothing_is_sent_where_the_admins_owner_does_not_allow_it(store: Store) -> None:
    """No consent, no request."""
    uid = fresh("user")
    store.create_user(uid)
    with pytest.raises(NotAllowed):
        create(store, uid, a_draft(store, uid), consent=Consent())
    assert len(ids(store, uid)) == 1


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(None, id="none"),
        pytest.param(pair_of("", "s" * 40), id="no id"),
        pytest.param(pair_of("NEWID", ""), id="no secret, which RGW would invent"),
        pytest.param(pair_of("NEWID\n", "s" * 40), id="a newline in the id"),
        pytest.param(pair_of("NEWID", "s" * 40 + "\n"), id="a newline in the secret"),
    ],
)
def test_a_pair_that_is_not_whole_is_refused(store: Store, pair: KeyPair | None) -> None:
    """RGW would take some of these, as something else than what was meant."""
    uid = fresh("user")
    store.create_user(uid)
    with pytest.raises(BadInput):
        create(store, uid, pair)
    assert len(ids(store, uid)) == 1


@pytest.mark.parametrize("done", [True, False], ids=["it was done", "it was not done"])
@pytest.mark.parametrize("change", ["create", "retire"])
def test_a_500_is_looked_at_and_not_believed(store: Store, change: str, done: bool) -> None:
    """Of parallel changes some answer 500: what counts is what RGW lists afterwards."""
    uid = fresh("user")
    old, new = store.create_user(uid), a_draft(store, uid)
    store.add_key(uid, fresh("KEY"), "k" * 40)
    stumbles = Stumbles({"create": "PUT", "retire": "DELETE"}[change], done)

    def act() -> None:
        if change == "create":
            create(store, uid, new, stumbles=stumbles)
        else:
            retire(store, uid, old, stumbles=stumbles)

    if done:
        act()
    else:
        with pytest.raises(Transient):
            act()
    there = ids(store, uid)
    assert (id_of(new) in there) is (done and change == "create")
    assert (id_of(old) in there) is not (done and change == "retire")


def test_no_error_holds_a_key(store: Store) -> None:
    """What is refused is named by its owner, never by its id or secret."""
    uid = fresh("user")
    theirs = store.create_user(fresh("other"))
    store.create_user(uid)
    wanted = pair_of(theirs.access_key_id.reveal(), "canary-secret-of-the-caller" * 2)
    with pytest.raises(NeedsHuman) as caught:
        create(store, uid, wanted)
    said = repr(caught.value) + repr(caught.value.__context__)
    assert theirs.access_key_id.reveal_text() not in said
    assert "canary" not in said
