# SPDX-License-Identifier: Apache-2.0
"""The Rook stand-in does what facts about the real one say, and the source port reads it.

On the stand-ins, and on a real API server with a real RGW.
"""

import pytest

from contract.clusters import until
from contract.rook_scenes import Play, Scene, adopt, refs
from contract.stores import fresh, pair_of
from lokeys.adapters.aws.s3 import S3Store
from lokeys.clock import utc_now
from lokeys.core.route.model import Bucket
from lokeys.demo.parts.rook import CEPH_CLUSTER, FINALIZER, Rook
from lokeys.kube.client import Object
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER as USER
from lokeys.kube.resources import EVENT, SECRET


def test_a_new_user_gets_a_key_and_a_secret(play: Play) -> None:
    """The Secret has RGW's key, and the port reads it as the source's pair."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        values = await scene.home.values(scene.generated)
        assert {values["AccessKey"]: values["SecretKey"]} == await scene.live()
        assert values["Endpoint"] == scene.store.endpoint
        user = await scene.found()
        assert user["metadata"]["finalizers"] == [FINALIZER]
        assert user["status"]["info"] == {"secretName": scene.generated}
        assert "keys" not in user["status"]
        reading = await scene.read()
        assert reading.pair == pair_of(values["AccessKey"], values["SecretKey"])
        assert reading.state is not None
        assert reading.state.rook is not None
        assert reading.state.rook.applied
        shown = repr(reading)
        assert values["SecretKey"] not in shown
        assert values["AccessKey"] not in shown

    play(story)


def test_it_never_looks_at_rgw_by_itself_and_then_deletes_all_but_the_smallest(play: Play) -> None:
    """A key added behind it lives until a CephCluster is edited; the smallest id stays."""

    async def story(scene: Scene) -> None:
        await scene.home.create(CEPH_CLUSTER, "ceph", spec={"n": 1})
        await scene.add_user()
        old = await scene.generated_id()
        await scene.rgw.add_key(scene.user, "00SMALLEST", "secret-of-the-smallest")
        passes = await scene.settled()
        assert await scene.live_ids() == ["00SMALLEST", old]
        await scene.home.patch(CEPH_CLUSTER, "ceph", spec={"n": 2})

        async def renewed() -> bool:
            return await scene.generated_id() == "00SMALLEST"

        await until(renewed, "the smallest id in the Secret")
        assert await scene.live_ids() == ["00SMALLEST"]
        assert await scene.passes() > passes

    play(story)


def test_a_restart_purges_extra_keys(play: Play) -> None:
    """Rook's restart is such an unrelated moment."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        old = await scene.generated_id()
        await scene.rgw.add_key(scene.user, "zz-largest", "secret-of-the-largest")
        async with Rook(scene.home.api, scene.rgw):

            async def purged() -> bool:
                return await scene.live_ids() == [old]

            await until(purged, "only the old key")

    play(story)


def test_what_others_do_to_the_secret(play: Play) -> None:
    """Edited: overwritten. Deleted: back with the same key. Labels: lost, and no reason to look."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        values = await scene.home.values(scene.generated)
        passes = await scene.settled()
        await scene.home.patch(SECRET, scene.generated, metadata={"labels": {"theirs": "yes"}})
        assert await scene.settled() == passes
        await scene.home.put_secret(scene.generated, AccessKey="edited")

        async def as_before() -> bool:
            return await scene.home.values(scene.generated) == values

        await until(as_before, "the old values")
        found = await scene.home.get(SECRET, scene.generated)
        assert found is not None
        assert "theirs" not in found["metadata"]["labels"]
        await scene.home.api.delete(SECRET, scene.generated, namespace=scene.home.namespace)
        await until(as_before, "the old values once more")

    play(story)


def test_refresh_makes_it_read_rgw_again(play: Play) -> None:
    """A key swapped at RGW behind Rook arrives in the Secret after the port's refresh."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        old = await scene.generated_id()
        assert old is not None
        await scene.rgw.add_key(scene.user, "SWAPPED", "secret-swapped-in")
        await scene.rgw.remove_key(scene.user, old)
        await scene.settled()
        assert await scene.generated_id() == old
        await scene.port().refresh()

        async def swapped() -> bool:
            return await scene.home.values(scene.generated) == {
                "AccessKey": "SWAPPED",
                "SecretKey": "secret-swapped-in",
                "Endpoint": scene.store.endpoint,
            }

        await until(swapped, "the new key, and nothing of ours")

    play(story)


def test_without_any_key_it_panics_and_stays_ready(play: Play) -> None:
    """The Secret keeps the dead key; only observedGeneration tells."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        old = await scene.generated_id()
        assert old is not None
        await scene.rgw.remove_key(scene.user, old)
        passes = await scene.settled()
        await scene.edit_spec()

        async def looked() -> bool:
            return await scene.passes() > passes

        await until(looked, "one more pass")
        assert await scene.settled() == passes + 1
        reading = await scene.read()
        assert reading.state is not None
        assert reading.state.rook is not None
        assert (reading.state.rook.phase, reading.state.rook.applied) == ("Ready", False)
        assert await scene.generated_id() == old

    play(story)


def test_spec_keys_blank_the_generated_secret(play: Play) -> None:
    """The adopted key lives, the referenced Secret is the source, status.keys proves it."""

    async def story(scene: Scene) -> None:
        old = await adopt(scene)
        assert await scene.live() == old
        assert await scene.generated_id() == ""
        reading = await scene.read()
        assert reading.state is not None
        assert reading.state.rook is not None
        assert reading.state.ref.name == "a"
        assert reading.state.rook.uses_spec_keys
        assert reading.state.rook.applied
        assert reading.pair == pair_of(*next(iter(old.items())))

    play(story)


def test_adding_then_removing_rotates_without_a_gap(play: Play) -> None:
    """[a] to [a, b] to [b]; of two that a person lists both are slots, and neither is offered."""

    async def story(scene: Scene) -> None:
        old = await adopt(scene)
        await scene.home.put_secret("b", id="BBB", key="secret-of-b")
        await scene.set_keys("a", "b")
        assert await scene.live() == old | {"BBB": "secret-of-b"}
        both = await scene.read()
        assert both.pair is None
        assert both.state is not None
        assert {slot.declared_by for slot in both.state.slots or ()} == {"a", "b"}
        await scene.set_keys("b")
        assert await scene.live() == {"BBB": "secret-of-b"}
        assert (await scene.read()).pair == pair_of("BBB", "secret-of-b")

    play(story)


def test_a_key_secret_that_changes_is_applied(play: Play) -> None:
    """Any new version of a referenced Secret makes Rook look; until then it is not applied."""

    async def story(scene: Scene) -> None:
        await adopt(scene)
        await scene.home.put_secret("a", id="CCC", key="secret-of-c")

        async def applied() -> bool:
            return await scene.live() == {"CCC": "secret-of-c"}

        await until(applied, "the new key at RGW")

        async def said() -> bool:
            state = (await scene.read()).state
            return bool(state and state.rook and state.rook.applied)

        await until(said, "the new version in status.keys")

    play(story)


def test_pointing_spec_keys_at_the_generated_secret_destroys_all_keys(play: Play) -> None:
    """And the phase is Ready."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        entry = {
            "accessKeyRef": {"name": scene.generated, "key": "AccessKey"},
            "secretKeyRef": {"name": scene.generated, "key": "SecretKey"},
        }
        await scene.home.patch(USER, scene.user, spec={"keys": [entry]})

        async def gone() -> bool:
            return not await scene.live()

        await until(gone, "no key")
        await until(scene.is_ready, "Ready all the same")
        reading = await scene.read()
        assert reading.state is not None
        assert reading.state.rook is not None
        assert reading.state.rook.reads_generated_secret
        assert reading.pair is None

    play(story)


def test_a_missing_key_secret_fails_loudly_and_heals(play: Play) -> None:
    """Keys at RGW stay as they were, the message names the Secret."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        before = await scene.live()
        await scene.home.patch(USER, scene.user, spec={"keys": refs("later")})

        async def failed() -> bool:
            state = (await scene.read()).state
            rook = state.rook if state else None
            return bool(rook and rook.phase == "ReconcileFailed" and '"later"' in rook.message)

        await until(failed, "ReconcileFailed")
        assert await scene.live() == before
        await scene.home.put_secret("later", id="LATER", key="secret-of-later")
        await until(scene.is_ready, "Ready")
        assert await scene.live() == {"LATER": "secret-of-later"}

    play(story)


def test_deletion_waits_while_the_user_owns_a_bucket(play: Play) -> None:
    """The key keeps working; without a bucket the user, its key and its Secret go."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        pair = (await scene.read()).pair
        assert pair is not None
        bucket = Bucket(name=fresh("bucket"), endpoint=scene.store.endpoint)
        s3 = S3Store(bucket, scene.home.client, utc_now)
        await s3.create_bucket(pair)
        await scene.home.api.delete(USER, scene.user, namespace=scene.home.namespace)

        async def stuck() -> bool:
            state = (await scene.read()).state
            rook = state.rook if state else None
            return bool(rook and rook.deleting and "BucketAlreadyExists" in rook.message)

        await until(stuck, "a deletion that is refused")
        assert (await s3.try_list(pair)).accepted

        other = Scene(scene.home, scene.rgw, scene.store, scene.rook)
        await other.add_user()
        await scene.home.api.delete(USER, other.user, namespace=scene.home.namespace)

        async def gone() -> bool:
            return await scene.home.get(USER, other.user) is None

        await until(gone, "the user without a bucket is gone")
        assert await scene.rgw.keys(other.user) is None
        assert await scene.home.get(SECRET, other.generated) is None

    play(story)


def test_no_secret_key_reaches_an_event(play: Play) -> None:
    """What the stand-in says in the cluster names no value."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        values = await scene.home.values(scene.generated)
        listing = await scene.home.api.list(EVENT, namespace=scene.home.namespace)
        assert listing.items
        assert values["SecretKey"] not in repr(listing.items)

    play(story)


async def declare(scene: Scene, *entries: Object) -> None:
    """Write spec.keys, and wait until Rook says Ready of it."""
    await scene.home.patch(USER, scene.user, spec={"keys": list(entries)})
    await until(scene.is_ready, "Ready")


@pytest.mark.parametrize(
    ("key_id", "secret", "live"),
    [
        pytest.param("", "s" * 40, {}, id="an empty id: all keys are deleted"),
        pytest.param("NLAFTER", "s" * 39 + "\n", {"NLAFTER": "s" * 39 + "\n"}, id="a newline"),
    ],
)
def test_values_of_key_secrets_are_not_validated(
    play: Play, key_id: str, secret: str, live: dict[str, str]
) -> None:
    """Whatever stands there is what RGW gets, and the phase is Ready."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        await scene.home.put_secret("v", id=key_id, key=secret)
        await declare(scene, *refs("v"))
        assert await scene.live() == live

    play(story)


def test_for_an_empty_secret_rgw_invents_one(play: Play) -> None:
    """Nobody knows it then; the phase is Ready."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        await scene.home.put_secret("v", id="INVENTED", key="")
        await declare(scene, *refs("v"))
        live = await scene.live()
        assert list(live) == ["INVENTED"]
        assert live["INVENTED"]

    play(story)


def test_of_one_id_listed_twice_the_last_secret_wins(play: Play) -> None:
    """And the phase is Ready."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        await scene.home.put_secret("one", id="TWICE", key="1" * 40)
        await scene.home.put_secret("two", id="TWICE", key="2" * 40)
        await declare(scene, *refs("one", "two"))
        assert await scene.live() == {"TWICE": "2" * 40}

    play(story)


def test_the_id_of_another_user_leaves_the_user_without_a_key(play: Play) -> None:
    """Rook removes before it creates, and RGW refuses the id: KeyExists, for ever."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        theirs = scene.store.create_user(fresh("other"))
        await scene.home.put_secret("t", id=theirs.access_key_id.reveal_text(), key="t" * 40)
        await scene.home.patch(USER, scene.user, spec={"keys": refs("t")})

        async def refused() -> bool:
            state = (await scene.read()).state
            return bool(state and state.rook and "KeyExists" in state.rook.message)

        await until(refused, "KeyExists")
        assert await scene.live() == {}

    play(story)


def test_an_entry_without_names_is_passed_over_in_silence(play: Play) -> None:
    """Rook panics: the phase stays Ready, observedGeneration stays behind, keys stay."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        before, passes = await scene.live(), await scene.settled()
        await scene.home.patch(USER, scene.user, spec={"keys": [{}]})

        async def looked() -> bool:
            return await scene.passes() > passes

        await until(looked, "one more pass")
        await scene.settled()
        user = await scene.found()
        assert user["status"]["phase"] == "Ready"
        assert user["status"]["observedGeneration"] < user["metadata"]["generation"]
        assert await scene.live() == before

    play(story)


def test_without_adopting_the_generated_key_dies_and_back_again_the_smallest_lives(
    play: Play,
) -> None:
    """From none to [a, b]: the generated key is deleted; back to none the smallest id stays."""

    async def story(scene: Scene) -> None:
        await scene.add_user()
        for name, key_id in (("a", "ZZLARGEST"), ("b", "00LEAST")):
            await scene.home.put_secret(name, id=key_id, key=name * 40)
        await scene.set_keys("a", "b")
        assert await scene.live_ids() == ["00LEAST", "ZZLARGEST"]
        await scene.home.api.delete(SECRET, scene.generated, namespace=scene.home.namespace)

        async def blank_again() -> bool:
            return (await scene.home.values(scene.generated)).get("AccessKey") == ""

        await until(blank_again, "the blank Secret is back")
        await scene.set_keys()
        assert await scene.live() == {"00LEAST": "b" * 40}
        assert await scene.generated_id() == "00LEAST"
        assert not ((await scene.found())["status"]).get("keys")

    play(story)
