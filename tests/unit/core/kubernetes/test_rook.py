# SPDX-License-Identifier: Apache-2.0
"""Which Secrets hold the keys of a CephObjectStoreUser, whatever anybody has written into it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.rook import (
    is_generated_for,
    is_slot_of,
    key_secrets,
    slot_entry,
    slot_metadata,
    slot_names,
)
from lokeys.core.place import Ref

Json = dict[str, Any]
WORD = st.text("ab-", min_size=1, max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "keys", "uid", "ownerReferences", "accessKeyRef"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def user(store: str, name: str, uid: str, **spec: Any) -> Json:
    """Return a user of a store."""
    metadata = {"name": name, "namespace": "storage", "uid": uid}
    return {"metadata": metadata, "spec": {"store": store, **spec}}


def made_for(owner: Json) -> Json:
    """Return the Secret that Rook makes for a user."""
    reference = {
        "apiVersion": "ceph.rook.io/v1",
        "kind": "CephObjectStoreUser",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {"metadata": {"ownerReferences": [reference]}}


def test_two_users_can_share_the_name_of_a_secret() -> None:
    """Which of them it is for says the controller's uid, not the name."""
    one, other = user("objects", "prod-loki", "u1"), user("objects-prod", "loki", "u2")
    assert key_secrets(one).generated == key_secrets(other).generated
    assert is_generated_for(made_for(one), one)
    assert not is_generated_for(made_for(one), other)


@given(WORD, WORD, WORD, WORD)
def test_a_secret_is_of_one_user_at_most(store: str, name: str, store2: str, name2: str) -> None:
    """Whatever stores and users are called."""
    one, other = user(store, name, "u1"), user(store2, name2, "u2")
    assert not (is_generated_for(made_for(one), one) and is_generated_for(made_for(one), other))


def test_spec_keys_name_their_secrets() -> None:
    """Each by its reference; an entry without one names none."""
    keys = [
        {"accessKeyRef": {"name": "b", "key": "id"}, "secretKeyRef": {"name": "a", "key": "key"}},
        {},
        "nonsense",
    ]
    found = key_secrets(user("objects", "loki", "u1", keys=keys))
    assert found.named == ("a", "b")
    assert found.entries == ((("b", "id"), ("a", "key")), (("", ""), ("", "")))
    assert found.generated == Ref("Secret", "rook-ceph-object-user-objects-loki", "storage")


def test_without_a_uid_nobody_is_the_owner() -> None:
    """A file's user has no uid: two empty ones are not the same."""
    nobody = user("objects", "loki", "")
    assert not is_generated_for(made_for(nobody), nobody)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), JSON), JSON)
def test_no_shape_of_an_object_breaks_it(obj: Json, owners: object) -> None:
    """Whoever may write the object may write anything."""
    key_secrets(obj)
    assert not is_generated_for({"metadata": {"ownerReferences": owners}}, obj)


def test_the_secrets_of_a_user_are_its_own() -> None:
    """What lokeys makes for a user is known by a mark and by the user's uid."""
    user = {
        "apiVersion": "ceph.rook.io/v1",
        "metadata": {"name": "loki", "namespace": "storage", "uid": "u-1"},
    }
    first, second = slot_names("loki")
    assert first != second
    made = {"metadata": slot_metadata(first, user)}
    assert made["metadata"]["namespace"] == "storage"
    assert is_slot_of(made, user)
    assert not is_slot_of(made, {"metadata": {"uid": "u-2"}})
    assert not is_slot_of(made, {"metadata": {}})
    assert not is_slot_of({"metadata": {**made["metadata"], "labels": {}}}, user)
    assert slot_entry(second)["secretKeyRef"]["name"] == second
