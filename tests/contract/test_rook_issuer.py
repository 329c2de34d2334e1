# SPDX-License-Identifier: Apache-2.0
"""Rook's users get and lose keys by `spec.keys`: no moment without a valid key, nobody surprised.

On the stand-ins, and on a real API server with a real RGW.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from contract.clusters import FINGERPRINTER, until
from contract.rook_scenes import Play, Scene, refs
from contract.stores import fresh, pair_of
from lokeys.adapters.aws.s3 import S3Store
from lokeys.adapters.ceph.rook_issuer import RookIssuer
from lokeys.adapters.kubernetes.secret_source import SourceReader
from lokeys.clock import utc_now
from lokeys.core.kubernetes.rook import slot_names
from lokeys.core.place import Ref
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.errors import BadInput, Conflict, Forbidden, NeedsHuman, NotAllowed, Waiting
from lokeys.kube.client import Object
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER as USER
from lokeys.kube.resources import EXTERNAL_SECRET, POD, SECRET, STORAGE_CREDENTIAL
from lokeys.ports import KeyIntent
from manifests.storagecredential import MINIMAL

INTENT = KeyIntent(since=utc_now())


def issuer(scene: Scene, **changes: Any) -> RookIssuer:
    """Return the issuer of the scene's user, by its owner's own rights."""
    endpoint = scene.store.endpoint
    bucket = Bucket(name="contract-none", endpoint=endpoint)
    reader = SourceReader(namespace=scene.home.namespace, callers_rights=True)
    made = RookIssuer(
        cluster=scene.home.cluster,
        ref=Ref(USER.kind, scene.user, scene.home.namespace),
        reader=reader,
        source=scene.port(),
        store=S3Store(bucket, scene.home.client, utc_now),
        endpoint=endpoint,
        sleep=asyncio.sleep,
    )
    return replace(made, **changes)


async def create(scene: Scene, pair: KeyPair, **changes: Any) -> KeyPair:
    return await issuer(scene, **changes).create(pair, intent=INTENT)


def id_of(pair: KeyPair) -> Fingerprint:
    return FINGERPRINTER.describe(pair).key_id


def a_pair() -> KeyPair:
    return pair_of(fresh("KEY").upper().replace("-", ""), "s" * 40)


async def present(scene: Scene) -> KeyPair:
    """Add the user, and return the key that Rook made for it."""
    await scene.add_user()
    reading = await scene.read()
    assert reading.pair is not None
    return reading.pair


async def at_store(scene: Scene) -> list[KeyPair]:
    return [pair_of(*row) for row in (await scene.live()).items()]


async def declared(scene: Scene) -> list[str]:
    entries = (await scene.found())["spec"].get("keys") or []
    return [entry["accessKeyRef"]["name"] for entry in entries]


@asynccontextmanager
async def watched(scene: Scene) -> AsyncIterator[set[bool]]:
    """Ask RGW for a key's owner again and again meanwhile; give whether it was always there."""
    first = (await scene.live_ids())[0]
    seen: set[bool] = set()

    async def look() -> None:
        while True:
            seen.add(first in await scene.live_ids())

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_key_is_added_offered_and_the_old_one_retired_without_a_gap(play: Play) -> None:
    """none, [A], [A, B], [B, A], [B]: the present key is valid throughout, and never made anew."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        first, second = slot_names(scene.user)
        async with watched(scene) as seen:
            assert await create(scene, new) == new
            assert await declared(scene) == [first, second]
            assert (await scene.read()).pair == old
            await issuer(scene).offer(id_of(new))
            assert await declared(scene) == [second, first]
            assert (await scene.read()).pair == new
            assert seen == {True}
        assert {*map(id_of, await at_store(scene))} == {id_of(old), id_of(new)}
        await issuer(scene).retire(id_of(old))
        assert await declared(scene) == [second]
        assert await at_store(scene) == [new]
        assert await scene.home.get(SECRET, first) is None
        assert await scene.home.get(SECRET, second) is not None

    play(story)


def test_each_call_may_be_repeated(play: Play) -> None:
    """A second call finds its work done, and edits nothing."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        for act in (
            lambda: create(scene, new),
            lambda: issuer(scene).offer(id_of(new)),
            lambda: issuer(scene).retire(id_of(old)),
        ):
            await act()
            before = (await scene.found())["metadata"]["generation"]
            await act()
            assert (await scene.found())["metadata"]["generation"] == before

    play(story)


def test_the_next_rotation_uses_the_other_secret(play: Play) -> None:
    """A second turn goes back to the first name; a third key is refused while two are there."""

    async def story(scene: Scene) -> None:
        old, new, newer = await present(scene), a_pair(), a_pair()
        first, second = slot_names(scene.user)
        await create(scene, new)
        with pytest.raises(NeedsHuman, match="two keys"):
            await create(scene, newer)
        await issuer(scene).retire(id_of(old))
        await create(scene, newer)
        assert await declared(scene) == [second, first]
        assert {*map(id_of, await at_store(scene))} == {id_of(new), id_of(newer)}

    play(story)


def test_slots_say_which_secret_declares_a_key_and_which_is_offered(play: Play) -> None:
    """`list` shows the generated key at first, then each key with its Secret."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        assert [(s.key_id, s.offered, s.declared_by) for s in await issuer(scene).list()] == [
            (id_of(old), True, None)
        ]
        await create(scene, new)
        slots = {s.key_id: (s.offered, s.declared_by) for s in await issuer(scene).list()}
        first, second = slot_names(scene.user)
        assert slots == {id_of(old): (True, first), id_of(new): (False, second)}

    play(story)


def test_the_last_key_stays(play: Play) -> None:
    """Neither the generated key nor the only declared one is retired."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        with pytest.raises(NeedsHuman, match="only key"):
            await issuer(scene).retire(id_of(old))
        await create(scene, new)
        await issuer(scene).retire(id_of(old))
        with pytest.raises(NeedsHuman, match="only key"):
            await issuer(scene).retire(id_of(new))
        assert await at_store(scene) == [new]

    play(story)


async def a_pod(scene: Scene) -> str:
    source = {"secretRef": {"name": scene.generated}}
    container = {"name": "c", "image": "i", "envFrom": [source]}
    await scene.home.create(POD, "reader", spec={"containers": [container]})
    return "Pod"


async def a_route(scene: Scene) -> str:
    keys = {"accessKeyId": "AccessKey", "secretAccessKey": "SecretKey"}
    spec = MINIMAL["spec"] | {"source": {"secret": {"name": scene.generated, "keys": keys}}}
    await scene.home.create(STORAGE_CREDENTIAL, "reader", spec=spec)
    return "StorageCredential"


async def an_external_secret(scene: Scene) -> str:
    row = {"secretKey": "k", "remoteRef": {"key": scene.generated, "property": "AccessKey"}}
    await scene.home.create(EXTERNAL_SECRET, "reader", spec={"data": [row]})
    return "ExternalSecret"


@pytest.fixture
def readers_play(play: Play, request: pytest.FixtureRequest) -> Play:
    """Give what plays a story; a real API server serves the kinds that may read a Secret."""
    if request.node.callspec.params["play"] != "stand-ins":
        request.getfixturevalue("serving_readers")
    return play


@pytest.mark.parametrize("reader", [a_pod, a_route, an_external_secret])
def test_nobody_is_left_with_a_blank_secret(readers_play: Play, reader: Any) -> None:
    """While somebody reads the generated Secret nothing is begun, and who it is is said."""

    async def story(scene: Scene) -> None:
        old = await present(scene)
        kind = await reader(scene)
        with pytest.raises(NeedsHuman, match=f"{kind}.*reader"):
            await create(scene, a_pair())
        assert await declared(scene) == []
        assert await at_store(scene) == [old]

    readers_play(story)


@pytest.mark.parametrize(
    ("mark", "keeper"),
    [
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "apps:x"}}, "Argo CD"),
    ],
)
def test_what_git_keeps_is_committed_and_not_edited(play: Play, mark: Object, keeper: str) -> None:
    """The Secrets are made, the manifest is named; once it is applied the same call goes on."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        await scene.home.patch(USER, scene.user, metadata=mark)
        first, second = slot_names(scene.user)
        with pytest.raises(NeedsHuman, match=keeper) as caught:
            await create(scene, new)
        assert await declared(scene) == []
        assert first in str(caught.value)
        assert second in str(caught.value)
        assert new.secret_access_key.reveal_text() not in str(caught.value)
        entries = [entry_for(first), entry_for(second)]
        await scene.home.patch(USER, scene.user, spec={"keys": entries})
        await until(scene.is_ready, "Ready")
        assert await create(scene, new) == new
        assert {*map(id_of, await at_store(scene))} == {id_of(old), id_of(new)}

    play(story)


def entry_for(name: str) -> Object:
    return {
        "accessKeyRef": {"name": name, "key": "AccessKey"},
        "secretKeyRef": {"name": name, "key": "SecretKey"},
    }


def test_a_key_that_the_store_refuses_is_not_adopted(play: Play) -> None:
    """Rook would make a removed key anew: it may have been removed because it leaked."""

    async def story(scene: Scene) -> None:
        old = await present(scene)
        await scene.rgw.add_key(scene.user, "SWAPPEDIN", "t" * 40)
        await scene.rgw.remove_key(scene.user, old.access_key_id.reveal_text())
        await scene.settled()
        with pytest.raises(NeedsHuman, match="not adopted"):
            await create(scene, a_pair())
        assert await scene.live_ids() == ["SWAPPEDIN"]

    play(story)


def test_an_id_that_somebody_has_is_not_declared(play: Play) -> None:
    """Rook would delete or fail for ever: the id of another user's key is refused first."""

    async def story(scene: Scene) -> None:
        await present(scene)
        theirs = scene.store.create_user(fresh("other"))
        with pytest.raises(NeedsHuman, match="another secret"):
            await create(scene, pair_of(theirs.access_key_id.reveal(), "s" * 40))
        assert await declared(scene) == []

    play(story)


def test_a_secret_of_somebody_else_is_not_overwritten(play: Play) -> None:
    """A Secret that has our name and not our mark stops the call."""

    async def story(scene: Scene) -> None:
        await present(scene)
        await scene.home.put_secret(slot_names(scene.user)[0], AccessKey="theirs", SecretKey="x")
        with pytest.raises(NeedsHuman, match="not of lokeys' making"):
            await create(scene, a_pair())
        assert await declared(scene) == []

    play(story)


def test_what_rook_cannot_apply_is_waited_for_and_can_be_taken_back(play: Play) -> None:
    """While an edit is not applied there is no second one, but for the one that undoes it."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        await create(scene, new)
        user = await scene.found()
        keys = [*user["spec"]["keys"], *refs("missing")]
        await scene.home.patch(USER, scene.user, spec={"keys": keys})

        async def failed() -> bool:
            phase = (await scene.found())["status"]["phase"]
            return bool(phase == "ReconcileFailed")

        await until(failed, "ReconcileFailed")
        await scene.home.patch(USER, scene.user, spec={"keys": user["spec"]["keys"]})
        await until(scene.is_ready, "Ready")
        await issuer(scene).retire(id_of(new))
        assert await at_store(scene) == [old]

    play(story)


def test_two_at_a_time_do_not_both_edit(play: Play) -> None:
    """An edit rests on the user as it was read: a second writer gets Conflict."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        await create(scene, new)
        made = issuer(scene)
        now = await made._look()
        await scene.edit_spec()
        with pytest.raises(Conflict):
            await made._edit(now.user, now.entries[:1])
        assert {*map(id_of, await at_store(scene))} == {id_of(old), id_of(new)}

    play(story)


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair_of("", "s" * 40), id="no id: Rook would delete all keys"),
        pytest.param(pair_of("NEWID", ""), id="no secret: RGW would invent one"),
        pytest.param(pair_of("NEWID", "s" * 40 + "\n"), id="a newline would become part of it"),
    ],
)
def test_a_value_that_rook_would_misread_is_refused(play: Play, pair: KeyPair) -> None:
    """Rook validates nothing and says Ready: what is not whole never gets there."""

    async def story(scene: Scene) -> None:
        old = await present(scene)
        with pytest.raises(BadInput):
            await create(scene, pair)
        assert await at_store(scene) == [old]

    play(story)


def test_nothing_is_done_without_the_owners_word(play: Play) -> None:
    """Another namespace needs the annotation, and its keys go to no address that is not named."""

    async def story(scene: Scene) -> None:
        old = await present(scene)
        elsewhere = SourceReader(namespace="elsewhere")
        with pytest.raises(Forbidden):
            await create(scene, a_pair(), reader=elsewhere)
        at_home = SourceReader(namespace=scene.home.namespace)
        with pytest.raises(NotAllowed):
            await create(scene, a_pair(), reader=at_home, endpoint="http://elsewhere.example")
        assert await declared(scene) == []
        assert await at_store(scene) == [old]

    play(story)


def test_rook_that_is_away_is_waited_for(play: Play) -> None:
    """An edit that is not applied in time is Waiting; the same call goes on when Rook is back."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        await scene.rook.__aexit__(None, None, None)
        with pytest.raises(Waiting):
            await create(scene, new)
        await scene.rook.__aenter__()
        await until(scene.is_ready, "Ready")
        assert await create(scene, new) == new
        assert {*map(id_of, await at_store(scene))} == {id_of(old), id_of(new)}

    play(story)


def test_no_error_or_event_holds_a_secret(play: Play) -> None:
    """What is made of a key in the user's own object are names of Secrets."""

    async def story(scene: Scene) -> None:
        old, new = await present(scene), a_pair()
        await create(scene, new)
        shown = repr(await scene.found())
        for pair in (old, new):
            for half in (pair.access_key_id, pair.secret_access_key):
                assert half.reveal_text() not in shown
                assert b64encode(half.reveal()).decode() not in shown

    play(story)
