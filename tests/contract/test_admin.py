# SPDX-License-Identifier: Apache-2.0
"""RGW's admin API and the source port on it, on the stand-in and on the real RGW."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from contract.stores import StandInStore, Store, fresh, pair_of
from lokeys.adapters.ceph.rgw import AdminApi, Misrouted, RgwSourcePort, slots_of
from lokeys.adapters.http_clients import HttpClients
from lokeys.clock import utc_now
from lokeys.core.place import Ref
from lokeys.core.route.model import PairKeys, RgwAdmin, RgwSource, SecretRef
from lokeys.core.route.snapshot import SourceState, Why
from lokeys.core.sensitive import Fingerprinter, KeyPair, Sensitive
from lokeys.demo.parts.object_store import StoreFault
from lokeys.errors import Forbidden, NotFound, NotReadable, Transient, Unreachable
from lokeys.ports import Reading

Result = TypeVar("Result")
FINGERPRINTER = Fingerprinter(Sensitive(b"test"), kept=False)


def ask(
    store: Store, action: Callable[[AdminApi], Awaitable[Result]], *, pair: KeyPair | None = None
) -> Result:
    """Do one thing with an admin client of its own."""

    async def run() -> Result:
        async with HttpClients() as clients:
            client = clients.trusting(None)
            return await action(AdminApi(store.endpoint, pair or store.admin_pair, client, utc_now))

    return asyncio.run(run())


def port(admin: AdminApi, uid: str) -> RgwSourcePort:
    """Return the source port of a user."""
    keys = PairKeys(access_key_id="accessKey", secret_access_key="secretKey")
    spec = RgwAdmin(endpoint="unused", secret=SecretRef(name="unused", keys=keys))

    async def current() -> AdminApi:
        return admin

    return RgwSourcePort(
        RgwSource(uid=uid, admin=spec),
        secret=Ref("Secret", "admin", "ns"),
        callers_rights=True,
        admin=current,
        fingerprinter=FINGERPRINTER,
    )


def read(store: Store, uid: str, *, pair: KeyPair | None = None) -> Reading[SourceState]:
    """Read a user through the source port."""
    return ask(store, lambda admin: port(admin, uid).read(), pair=pair)


def test_a_user_is_described_with_its_keys_in_order(store: Store) -> None:
    """Keys come smallest id first, which is the one that Rook would keep."""
    uid = fresh("user")
    made = store.create_user(uid)
    first, last = store.add_key(uid, f"0{uid}", "a" * 40), store.add_key(uid, f"z{uid}", "b" * 40)

    user = ask(store, lambda admin: admin.user(uid))

    assert user.uid == uid
    assert not user.suspended
    # What the store makes up may sort before or after ours.
    in_order = sorted([first, made, last], key=lambda pair: pair.access_key_id.reveal())
    assert list(user.keys) == in_order
    assert [key.order for key in slots_of(user, FINGERPRINTER)] == [0, 1, 2]
    assert slots_of(user, FINGERPRINTER)[1].pair == FINGERPRINTER.describe(in_order[1]).pair


def test_a_user_that_is_not_there_is_not_found(store: Store) -> None:
    """No user is NotFound, and false as a question."""
    with pytest.raises(NotFound):
        ask(store, lambda admin: admin.user("nobody-of-that-name"))
    assert not ask(store, lambda admin: admin.user_exists("nobody-of-that-name"))


def test_a_suspended_user_says_so(store: Store) -> None:
    """Suspension shows in the user and in the source's state."""
    uid = fresh("user")
    store.create_user(uid)
    store.suspend(uid)
    assert ask(store, lambda admin: admin.user(uid)).suspended
    state = read(store, uid).state
    assert state is not None
    assert state.suspended


def test_the_owner_of_a_key_is_found_by_its_id(store: Store) -> None:
    """A key leads to its user; an unknown key to nobody, though RGW says AccessDenied."""
    uid = fresh("user")
    pair = store.create_user(uid)
    assert ask(store, lambda admin: admin.owner_of(pair.access_key_id)) == uid
    assert ask(store, lambda admin: admin.owner_of(Sensitive("NOSUCHKEY"))) is None


def test_odd_characters_in_a_key_id_survive_the_question(store: Store) -> None:
    """An id with spaces, quotes and signs of the query's own is asked for as it is."""
    uid = fresh("user")
    store.create_user(uid)
    odd = f"{uid} &=+%/'\"#?"
    store.add_key(uid, odd, "c" * 40)
    assert ask(store, lambda admin: admin.owner_of(Sensitive(odd))) == uid


@pytest.mark.parametrize("who", ["no capability", "unknown id", "wrong secret"])
def test_who_may_not_look_is_forbidden(store: Store, who: str) -> None:
    """Whatever is wrong with the admin pair, it is Forbidden and never `not there`."""
    uid = fresh("user")
    pair = store.create_user(uid)
    asking = {
        "no capability": pair,
        "unknown id": pair_of("NOSUCHKEY", "x"),
        "wrong secret": pair_of(store.admin_pair.access_key_id.reveal(), "x"),
    }[who]
    for question in (
        lambda admin: admin.user(uid),
        lambda admin: admin.user_exists(uid),
        lambda admin: admin.owner_of(pair.access_key_id),
    ):
        with pytest.raises(Forbidden):
            ask(store, question, pair=asking)
    gap = read(store, uid, pair=asking).gaps[0]
    assert gap.why is Why.FORBIDDEN


def test_a_user_is_made_once(store: Store) -> None:
    """The first call makes the user with one key, the second leaves it alone."""
    uid = fresh("user")
    assert ask(store, lambda admin: port(admin, uid).ensure_user())
    before = ask(store, lambda admin: admin.user(uid))
    assert len(before.keys) == 1
    assert not ask(store, lambda admin: port(admin, uid).ensure_user())
    assert not ask(store, lambda admin: admin.create_user(uid, display_name=uid))
    assert ask(store, lambda admin: admin.user(uid)).keys == before.keys


def test_a_source_with_one_key_offers_its_pair(store: Store) -> None:
    """One live key is the pair."""
    uid = fresh("user")
    made = store.create_user(uid)
    reading = read(store, uid)
    assert reading.pair == made
    assert reading.state is not None
    assert reading.state.pair == FINGERPRINTER.describe(made)


def test_a_source_with_several_keys_or_none_offers_no_pair(store: Store) -> None:
    """Which of several keys is meant cannot be told; all of them are shown."""
    uid = fresh("user")
    made = store.create_user(uid)
    store.add_key(uid, fresh("KEY"), "d" * 40)
    reading = read(store, uid)
    assert reading.pair is None
    assert reading.state is not None
    assert reading.state.pair is None
    assert len(reading.state.slots or ()) == 2

    for key in ask(store, lambda admin: admin.user(uid)).keys:
        store.remove_key(uid, key.access_key_id.reveal_text())
    reading = read(store, uid)
    assert reading.pair is None
    assert reading.state is not None
    assert reading.state.slots == ()
    assert made is not None


def test_a_source_that_is_not_there_is_a_gap(store: Store) -> None:
    """A missing user is data for the report."""
    reading = read(store, "nobody-of-that-name")
    assert reading.state is None
    assert reading.gaps[0].why is Why.NOT_FOUND


# --- faults, which only the stand-in has on demand ----------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "why"),
    [
        (StoreFault.MISROUTED, Misrouted, Why.MISROUTED),
        (StoreFault.HTML, NotReadable, Why.GARBLED),
        (StoreFault.ERROR_500, Transient, Why.UNREACHABLE),
        (StoreFault.CLOSE, Unreachable, Why.UNREACHABLE),
    ],
)
def test_an_admin_api_in_trouble_is_told_from_a_missing_user(
    stand_in_store: StandInStore, fault: StoreFault, error: type[Exception], why: Why
) -> None:
    """Each trouble has its error; a gateway that takes the path for a bucket is named."""
    uid = fresh("user")
    stand_in_store.create_user(uid)
    stand_in_store.store.fault = fault
    with pytest.raises(error):
        ask(stand_in_store, lambda admin: admin.user_exists(uid))
    gap = read(stand_in_store, uid).gaps[0]
    assert gap.why is why
    assert ("rgw_dns_name_misroute" in gap.detail) is (fault is StoreFault.MISROUTED)


def test_no_error_or_state_holds_a_key(store: Store) -> None:
    """Neither the admin pair nor a user's keys are in what is raised or returned."""
    uid = fresh("user")
    canaries = ("CANARYID", "canary/secret+value")
    store.create_user(uid)
    store.add_key(uid, *canaries)
    user = ask(store, lambda admin: admin.user(uid))
    said = [repr(user), repr(read(store, uid)), repr(slots_of(user, FINGERPRINTER))]
    with pytest.raises(Forbidden) as caught:
        ask(store, lambda admin: admin.user(uid), pair=pair_of(*canaries))
    said += [repr(caught.value), str(caught.value)]
    assert not any(canary in text for canary in canaries for text in said)
    store.remove_key(uid, canaries[0])
