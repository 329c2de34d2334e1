# SPDX-License-Identifier: Apache-2.0
"""The store port: what it says of a key, on the stand-in and on the real RGW, in both orders."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import httpx2
import pytest

from contract.stores import StandInStore, Store, fresh, pair_of
from lokeys.adapters.aws import sign as aws_sign
from lokeys.adapters.aws.s3 import S3Store, probe_name
from lokeys.adapters.http import Bounds, Dial, bounded_request
from lokeys.adapters.http_clients import HttpClients
from lokeys.clock import utc_now
from lokeys.core.findings.verdict import REFUSED, Answer, Depth, StoreVerdict
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair
from lokeys.demo.parts.object_store import StoreFault
from lokeys.errors import Forbidden, NeedsHuman, Transient, Unreachable
from lokeys.ports import Clock

Result = TypeVar("Result")


def ask(
    bucket: Bucket,
    action: Callable[[S3Store], Awaitable[Result]],
    *,
    clock: Clock = utc_now,
    dial: Dial | None = None,
) -> Result:
    """Do one thing with a store port of its own."""

    async def run() -> Result:
        async with HttpClients(dial=dial) as clients:
            return await action(S3Store(bucket, clients.trusting(None), clock))

    return asyncio.run(run())


def verdicts(bucket: Bucket, pair: KeyPair, *, clock: Clock = utc_now) -> list[StoreVerdict]:
    """Return the verdicts of both depths."""
    return [
        ask(bucket, lambda store: store.try_list(pair), clock=clock),
        ask(bucket, lambda store: store.try_fully(pair), clock=clock),
    ]


class Home:
    """A user with a bucket of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.uid = fresh("user")
        self.pair = store.create_user(self.uid)
        self.bucket = Bucket(name=fresh("bucket"), endpoint=store.endpoint)
        ask(self.bucket, lambda port: port.create_bucket(self.pair))


@pytest.fixture
def home(store: Store) -> Home:
    return Home(store)


def expected(store: Store, answer: Answer) -> Answer:
    """With STS asked first, RGW does not say what is wrong with a key."""
    return Answer.NOT_VALID if store.sts_first else answer


def test_a_good_key_is_accepted_at_both_depths(home: Home) -> None:
    """A key that works is accepted, and only the four calls make it trusted."""
    by_list, by_all = verdicts(home.bucket, home.pair)
    assert (by_list.answer, by_list.depth, by_list.trusted) == (
        Answer.ACCEPTED,
        Depth.LIST,
        False,
    )
    assert by_all.trusted


def test_a_full_test_leaves_nothing_behind(home: Home) -> None:
    """After the four calls the bucket is as empty as before."""
    assert ask(home.bucket, lambda store: store.try_fully(home.pair)).accepted

    assert listed(home) == b"<KeyCount>0</KeyCount>"


def listed(home: Home) -> bytes:
    """Return what the store itself says of the number of objects."""

    async def run() -> bytes:
        url = f"{home.bucket.endpoint}/{home.bucket.name}?list-type=2"
        call = aws_sign.SignedCall(method="GET", url=url)
        request = aws_sign.signed(call, home.pair, region="us-east-1", now=utc_now())
        async with HttpClients() as clients:
            reply = await bounded_request(clients.trusting(None), request, bounds=Bounds())
        return reply.body[reply.body.index(b"<KeyCount>") : -len(b"</ListBucketResult>")]

    return asyncio.run(run())


def test_an_unknown_key_id_is_refused(home: Home) -> None:
    """A key id that the store never had is named so, where the store tells."""
    for verdict in verdicts(home.bucket, pair_of("NOSUCHKEY", "x" * 40)):
        assert verdict.answer is expected(home.store, Answer.UNKNOWN_KEY)
        assert verdict.refused


def test_a_wrong_secret_is_refused(home: Home) -> None:
    """A secret of another key is named so, where the store tells."""
    torn = replace(home.pair, secret_access_key=pair_of("", "x" * 40).secret_access_key)
    for verdict in verdicts(home.bucket, torn):
        assert verdict.answer is expected(home.store, Answer.WRONG_SECRET)
        assert verdict.refused


def test_a_trailing_newline_is_part_of_a_secret(home: Home) -> None:
    """A newline spoils a secret, unless the store itself keeps the secret with it."""
    key_id, secret = fresh("KEY"), "s3cret" * 6
    home.store.add_key(home.uid, key_id, secret + "\n")
    with_newline, without = pair_of(key_id, secret + "\n"), pair_of(key_id, secret)

    assert ask(home.bucket, lambda store: store.try_fully(with_newline)).trusted
    for verdict in verdicts(home.bucket, without):
        assert verdict.answer is expected(home.store, Answer.WRONG_SECRET)


@pytest.mark.parametrize(
    "key_id",
    ["{}\n", "\n{}", "{}\x00", "{}\u00e9", "", "{}/x", "{},x"],
    ids=[
        "newline at its end",
        "newline before it",
        "binary",
        "not ASCII",
        "empty",
        "slash",
        "comma",
    ],
)
def test_an_id_that_no_header_can_carry_is_unknown(home: Home, key_id: str) -> None:
    """An id that cannot be sent is refused with a reason, never a crash."""
    spoiled = key_id.format(home.pair.access_key_id.reveal_text())
    for verdict in verdicts(home.bucket, pair_of(spoiled, home.pair.secret_access_key.reveal())):
        assert verdict.answer is Answer.UNKNOWN_KEY
        assert verdict.detail


@pytest.mark.parametrize("secret", [b"", b"\xff\xfe"], ids=["empty", "binary"])
def test_a_secret_that_cannot_sign_is_wrong(home: Home, secret: bytes) -> None:
    """A secret that nothing can sign with is refused with a reason, never a crash."""
    for verdict in verdicts(home.bucket, pair_of(home.pair.access_key_id.reveal(), secret)):
        assert verdict.answer is Answer.WRONG_SECRET


def test_a_removed_key_is_refused_at_once(home: Home) -> None:
    """A key taken from its user is refused by the next request, another key of it is not."""
    second = home.store.add_key(home.uid, fresh("KEY"), "y" * 40)
    home.store.remove_key(home.uid, home.pair.access_key_id.reveal_text())

    assert ask(home.bucket, lambda store: store.try_list(home.pair)).refused
    assert ask(home.bucket, lambda store: store.try_fully(second)).trusted


def test_a_suspended_user_is_told_from_a_bad_key(home: Home) -> None:
    """A suspended user's key is refused, and the reason is the suspension."""
    home.store.suspend(home.uid)
    for verdict in verdicts(home.bucket, home.pair):
        assert verdict.answer is Answer.SUSPENDED


def test_a_good_key_on_another_users_bucket_is_denied_not_refused(home: Home) -> None:
    """The second look tells a key without the right from a key that is not valid."""
    stranger = home.store.create_user(fresh("user"))
    for verdict in verdicts(home.bucket, stranger):
        assert verdict.answer is Answer.DENIED
        assert not verdict.refused


def test_a_missing_bucket_is_told_only_to_a_good_key(home: Home) -> None:
    """NoSuchBucket proves the key; a bad key on a missing bucket is still a bad key."""
    missing = replace(home.bucket, name=fresh("missing"))
    for verdict in verdicts(missing, home.pair):
        assert verdict.answer is Answer.NO_BUCKET
    for verdict in verdicts(missing, pair_of("NOSUCHKEY", "x")):
        assert verdict.answer in REFUSED


def test_a_store_that_ignores_the_host_name_needs_path_style(home: Home) -> None:
    """A gateway without a DNS name of its own takes `bucket.host` for itself, and says 200."""
    gateway = httpx2.URL(home.bucket.endpoint)

    async def dial(host: str, _: int) -> tuple[str, int]:
        assert host == f"{home.bucket.name}.store.example"
        return gateway.host, gateway.port or 80

    by_host = replace(home.bucket, endpoint="http://store.example", path_style=False)
    verdict = ask(by_host, lambda store: store.try_list(home.pair), dial=dial)
    assert verdict.answer is Answer.NO_BUCKET
    assert "path style" in verdict.detail
    verdict = ask(by_host, lambda store: store.try_fully(home.pair), dial=dial)
    assert verdict.answer is Answer.NO_BUCKET


def test_a_full_store_is_told_from_a_bad_key(home: Home) -> None:
    """Over quota only the put fails, and the key is not to blame."""
    home.store.forbid_objects(home.uid)
    by_list, by_all = verdicts(home.bucket, home.pair)
    assert by_list.accepted
    assert (by_all.answer, by_all.action) == (Answer.FULL, "put")


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_a_clock_that_is_off_is_told_from_a_bad_key(home: Home, hours: int) -> None:
    """A request signed an hour off says that clocks differ."""
    clock = lambda: utc_now() + timedelta(hours=hours)  # noqa: E731 - it is the port's argument
    for verdict in verdicts(home.bucket, home.pair, clock=clock):
        assert verdict.answer is Answer.CLOCK_SKEW


def test_a_bucket_is_created_once_and_only_for_its_owner(store: Store) -> None:
    """Creating is idempotent for the owner, and a name taken by another needs a person."""
    pair, stranger = store.create_user(fresh("user")), store.create_user(fresh("user"))
    bucket = Bucket(name=fresh("bucket"), endpoint=store.endpoint, region="eu-central-1")

    assert not ask(bucket, lambda port: port.bucket_exists(pair))
    ask(bucket, lambda port: port.create_bucket(pair))
    ask(bucket, lambda port: port.create_bucket(pair))
    assert ask(bucket, lambda port: port.bucket_exists(pair))
    assert ask(bucket, lambda port: port.bucket_exists(stranger))
    with pytest.raises(NeedsHuman, match="belongs to another user"):
        ask(bucket, lambda port: port.create_bucket(stranger))


def test_a_bad_key_cannot_ask_for_buckets(home: Home) -> None:
    """Whether a bucket exists is not answered on the strength of a refused key."""
    with pytest.raises(Forbidden):
        ask(home.bucket, lambda port: port.bucket_exists(pair_of("NOSUCHKEY", "x")))
    with pytest.raises(Forbidden):
        ask(home.bucket, lambda port: port.create_bucket(pair_of("NOSUCHKEY", "x")))


# --- faults, which only the stand-in has on demand ----------------------------------------------


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (StoreFault.ERROR_500, Answer.UNSPECIFIC),
        (StoreFault.ERROR_503, Answer.UNSPECIFIC),
        (StoreFault.CLOSE, Answer.UNREACHABLE),
        (StoreFault.HTML, Answer.NOT_S3),
    ],
)
def test_a_store_in_trouble_says_nothing_about_the_key(
    stand_in_store: StandInStore, fault: StoreFault, answer: Answer
) -> None:
    """Trouble of the store's own is never held against a key."""
    home = Home(stand_in_store)
    stand_in_store.store.fault = fault
    for verdict in verdicts(home.bucket, home.pair):
        assert verdict.answer is answer
        assert not verdict.refused


@pytest.mark.parametrize(
    ("fault", "error"), [(StoreFault.ERROR_503, Transient), (StoreFault.CLOSE, Unreachable)]
)
def test_a_store_in_trouble_is_asked_again_for_its_bucket(
    stand_in_store: StandInStore, fault: StoreFault, error: type[Exception]
) -> None:
    """A question that got no answer is an error that a retry may mend."""
    home = Home(stand_in_store)
    stand_in_store.store.fault = fault
    with pytest.raises(error):
        ask(home.bucket, lambda port: port.bucket_exists(home.pair))


def test_the_probes_object_always_has_the_same_name(stand_in_store: StandInStore) -> None:
    """A store that loses the delete keeps one object, however often it is asked."""
    home = Home(stand_in_store)
    objects = stand_in_store.store.buckets[home.bucket.name].objects
    for _ in range(3):
        assert ask(home.bucket, lambda store: store.try_fully(home.pair)).accepted
    methods = [each.method for each in stand_in_store.store.served if "probe" in each.path]
    names = {each.path for each in stand_in_store.store.served if "probe" in each.path}
    assert not objects
    assert names == {f"/{home.bucket.name}/{probe_name(home.pair)}"}
    assert methods == ["PUT", "GET", "DELETE"] * 3


def test_no_verdict_or_error_holds_a_key(home: Home) -> None:
    """Neither half of a pair is in a verdict or an error, whatever became of the request."""
    canaries = ("CANARYID", "canary/secret+value")
    for verdict in verdicts(home.bucket, pair_of(*canaries)):
        assert not any(canary in repr(verdict) for canary in canaries)
    with pytest.raises(Forbidden) as caught:
        ask(home.bucket, lambda port: port.bucket_exists(pair_of(*canaries)))
    assert not any(canary in f"{caught.value!r} {caught.value}" for canary in canaries)
