# SPDX-License-Identifier: Apache-2.0
"""An IAM user's keys as a source and as an issuer, on moto, which checks signatures and rights."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from botocore.credentials import Credentials

from contract.stores import fresh, pair_of
from lokeys.adapters.aws.iam import Iam
from lokeys.adapters.aws.iam_keys import IamIssuer, IamSourcePort, IamUser
from lokeys.adapters.aws.s3 import S3Store
from lokeys.adapters.http_clients import HttpClients
from lokeys.clock import utc_now
from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.kubernetes.consent import NO_CONSENT
from lokeys.core.place import Ref
from lokeys.core.route.model import Bucket
from lokeys.core.route.slots import present
from lokeys.core.route.snapshot import Why
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.engine.route.holding import naming_present
from lokeys.errors import Forbidden, NeedsHuman, NotAllowed, NotFound, Waiting
from lokeys.ports import KeyIntent
from parts.moto_iam import EVERYTHING, MotoIam

Result = TypeVar("Result")
FINGERPRINTER = Fingerprinter(Sensitive(b"test"), kept=False)


@dataclass
class Scene:
    """One IAM user, and levers behind lokeys' back."""

    moto: MotoIam
    name: str

    def make_user(self) -> KeyPair:
        return as_pair(self.moto.make_user(self.name, EVERYTHING))

    def add_key(self) -> KeyPair:
        key = self.moto.client().create_access_key(UserName=self.name)["AccessKey"]
        return pair_of(key["AccessKeyId"], key["SecretAccessKey"])

    def switch_off(self, pair: KeyPair) -> None:
        key_id = pair.access_key_id.reveal_text()
        self.moto.client().update_access_key(
            UserName=self.name, AccessKeyId=key_id, Status="Inactive"
        )

    def ask(
        self,
        action: Callable[[IamIssuer], Awaitable[Result]],
        *,
        asked_by: KeyPair | None = None,
        store: Any = None,
        now: Callable[[], datetime] = utc_now,
    ) -> Result:
        """Do one thing as the issuer of the user's keys."""
        admin = asked_by or as_pair(self.moto.administrator)

        async def run() -> Result:
            async with HttpClients() as clients:
                client = clients.trusting(None)
                user = self.user(client, admin)

                async def login() -> IamUser:
                    return user

                bucket = Bucket(name="contract-none", endpoint=self.moto.endpoint)
                tried = store or S3Store(bucket, client, utc_now)
                issuer = IamIssuer(login=login, store=tried, clock=now, fingerprinter=FINGERPRINTER)
                return await action(issuer)

        return asyncio.run(run())

    def user(self, client: Any, admin: KeyPair) -> IamUser:
        credentials = Credentials(
            admin.access_key_id.reveal_text(), admin.secret_access_key.reveal_text()
        )
        iam = Iam(
            client=client,
            credentials=credentials,
            endpoint=self.moto.endpoint,
            region="us-east-1",
            clock=utc_now,
        )
        return IamUser(iam=iam, name=self.name, consent=NO_CONSENT)

    def create(self, pair: KeyPair | None = None, *, intent: KeyIntent, **more: Any) -> KeyPair:
        return self.ask(lambda issuer: issuer.create(pair, intent=intent), **more)

    def retire(self, pair: KeyPair) -> None:
        self.ask(lambda issuer: issuer.retire(id_of(pair)))

    def ids(self) -> frozenset[Fingerprint]:
        return frozenset(slot.key_id for slot in self.ask(lambda issuer: issuer.list()))

    def intent(self) -> KeyIntent:
        """Record what the user has, as a caller does before it asks for a key."""
        return KeyIntent(since=utc_now(), known=self.ids())


def as_pair(variables: Any) -> KeyPair:
    return pair_of(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


def id_of(pair: KeyPair) -> Fingerprint:
    return FINGERPRINTER.describe(pair).key_id


@dataclass
class StubStore:
    """A store that answers one thing to every key."""

    answer: Answer

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        del pair
        return StoreVerdict(answer=self.answer, depth=Depth.LIST, at=utc_now())


@pytest.fixture
def scene(moto_iam: MotoIam) -> Scene:
    """Give a user of a name that no other test has."""
    return Scene(moto_iam, fresh("user"))


def test_a_key_is_made_beside_the_present_one_and_the_old_one_retired(scene: Scene) -> None:
    """IAM chooses the pair; S3 takes both, and after `retire` the new one alone is left."""
    old = scene.make_user()
    intent = scene.intent()
    new = scene.create(intent=intent)
    assert scene.ids() == {id_of(old), id_of(new)}
    assert scene.create(new, intent=intent) == new
    for _ in range(2):
        scene.retire(old)
        assert scene.ids() == {id_of(new)}


def test_a_lost_answer_leaves_no_third_key(scene: Scene) -> None:
    """A key that came after the intent and was never used is removed before the next is made."""
    old = scene.make_user()
    intent = scene.intent()
    lost = scene.create(intent=intent)
    new = scene.create(intent=intent)
    assert new.access_key_id != lost.access_key_id
    assert scene.ids() == {id_of(old), id_of(new)}


def test_a_strangers_key_stops_the_run(scene: Scene) -> None:
    """One from before the intent that nobody told of, and a full user: neither is touched."""
    old, theirs = scene.make_user(), scene.add_key()
    later = KeyIntent(since=utc_now() + timedelta(minutes=1), known=frozenset({id_of(old)}))
    with pytest.raises(NeedsHuman, match="not made by lokeys"):
        scene.create(intent=later)
    with pytest.raises(NeedsHuman, match="2 keys"):
        scene.create(intent=scene.intent())
    assert scene.ids() == {id_of(old), id_of(theirs)}


def test_a_key_that_was_used_is_no_leftover(scene: Scene) -> None:
    """Nobody has seen a lost key's secret, so one that was used is somebody's."""
    old = scene.make_user()
    intent = scene.intent()
    theirs = scene.add_key()
    scene.moto.client(
        {
            "AWS_ACCESS_KEY_ID": theirs.access_key_id.reveal_text(),
            "AWS_SECRET_ACCESS_KEY": theirs.secret_access_key.reveal_text(),
        }
    ).list_users()
    with pytest.raises(NeedsHuman, match="not made by lokeys"):
        scene.create(intent=intent)
    assert scene.ids() == {id_of(old), id_of(theirs)}


def test_a_new_key_that_s3_does_not_know_yet_is_waited_for(scene: Scene) -> None:
    """For a minute after it was made; then a person must look."""
    scene.make_user()
    intent = scene.intent()
    new = scene.create(intent=intent)
    unknown = StubStore(Answer.UNKNOWN_KEY)
    with pytest.raises(Waiting):
        scene.create(new, intent=intent, store=unknown)
    with pytest.raises(NeedsHuman):
        scene.create(
            new, intent=intent, store=unknown, now=lambda: utc_now() + timedelta(seconds=61)
        )
    with pytest.raises(Waiting):
        scene.create(new, intent=intent, store=StubStore(Answer.UNREACHABLE))


def test_the_last_active_key_stays(scene: Scene) -> None:
    """A key that is switched off does not count as another one."""
    old = scene.make_user()
    with pytest.raises(NeedsHuman, match="only active key"):
        scene.retire(old)
    other = scene.add_key()
    scene.switch_off(other)
    with pytest.raises(NeedsHuman, match="only active key"):
        scene.retire(old)
    scene.retire(other)
    assert scene.ids() == {id_of(old)}


def test_an_old_pair_does_not_come_back(scene: Scene) -> None:
    """IAM never takes a pair: what was removed, or switched off, is not given again."""
    old = scene.make_user()
    intent = scene.intent()
    new = scene.create(intent=intent)
    scene.retire(old)
    with pytest.raises(NeedsHuman, match="never returns"):
        scene.create(old, intent=intent)
    scene.switch_off(new)
    with pytest.raises(NeedsHuman, match="switched off"):
        scene.create(new, intent=intent)


def test_who_may_not_look_is_forbidden_and_a_missing_user_is_not_found(scene: Scene) -> None:
    """Wrong credentials and missing rights are told from a user that is not there."""
    pair = as_pair(scene.moto.make_user(scene.name))
    for asked_by in (pair, replace(pair, secret_access_key=Sensitive("wrong"))):
        with pytest.raises(Forbidden):
            scene.ask(lambda issuer: issuer.list(), asked_by=asked_by)
    with pytest.raises(NotFound):
        Scene(scene.moto, "nobody-of-that-name").ids()


def read(scene: Scene, *, allowed: bool = True) -> Any:
    """Read the user as a source."""

    async def run() -> Any:
        async with HttpClients() as clients:
            user = scene.user(clients.trusting(None), as_pair(scene.moto.administrator))

            async def login() -> IamUser:
                if not allowed:
                    raise NotAllowed("not there")
                return user

            port = IamSourcePort(
                scene.name,
                endpoint=scene.moto.endpoint,
                place=Ref("Secret", "admin", "ns"),
                login=login,
                fingerprinter=FINGERPRINTER,
            )
            return await port.read()

    return asyncio.run(run())


def test_the_present_key_is_the_one_that_the_route_carries(scene: Scene) -> None:
    """IAM shows no secret: each key is a slot with its age, and a hop of the route has the pair."""
    old, new = scene.make_user(), scene.add_key()
    scene.switch_off(new)
    reading = read(scene)
    assert reading.pair is None
    slots = {slot.key_id: slot for slot in reading.state.slots}
    assert slots.keys() == {id_of(old), id_of(new)}
    assert (slots[id_of(old)].active, slots[id_of(new)].active) == (True, False)
    for slot in slots.values():
        assert slot.pair is None
        assert slot.since is not None
        assert abs(slot.since - utc_now()) < timedelta(minutes=5)
    facts = FINGERPRINTER.describe(old)
    assert present(reading.state.slots, (None, facts)) == facts
    named = naming_present(reading, None, None).state
    assert named is not None
    assert named.pair is None


def test_an_iam_that_cannot_be_asked_is_a_gap(scene: Scene) -> None:
    """A missing user, and an address that the Secret's owner does not allow, are data."""
    assert read(scene).gaps[0].why is Why.NOT_FOUND
    gap = read(scene, allowed=False).gaps[0]
    assert (gap.why, gap.ref) == (Why.URL_NOT_ALLOWED, Ref("Secret", "admin", "ns"))


def test_no_answer_or_error_shows_a_secret(scene: Scene) -> None:
    """Neither what is returned nor what is raised holds half of a key."""
    old = scene.make_user()
    intent = scene.intent()
    new = scene.create(intent=intent)
    with pytest.raises(NeedsHuman) as caught:
        scene.create(intent=scene.intent())
    said = repr(new) + repr(read(scene)) + repr(caught.value)
    for pair in (old, new):
        assert pair.secret_access_key.reveal_text() not in said
        assert pair.access_key_id.reveal_text() not in said
