# SPDX-License-Identifier: Apache-2.0
"""The hashes that roll pods: they move when a content moves, and tell nothing of it."""

from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.render.hashes import secret_hash, store_hash
from lokeys.core.stack.storage.secret_data import SecretData

REF = Ref("Secret", "store", "logging")
KEEPER = Fingerprinter(key=Sensitive(b"k" * 32), kept=True)


def hashed(values: dict[str, str], keeper: Fingerprinter = KEEPER) -> str:
    read = {key: Sensitive(value) for key, value in values.items()}
    return secret_hash(SecretData(ref=REF, values=read, keys=frozenset(read)), keeper)


def test_a_hash_follows_the_content_alone() -> None:
    """Neither the order of the keys nor anything else than names and values counts."""
    assert hashed({"a": "1", "b": "2"}) == hashed({"b": "2", "a": "1"})
    contents = [{"a": "1", "b": "2"}, {"a": "12", "b": ""}, {"a1": "", "b": "2"}, {"a": "1"}]
    assert len({hashed(each) for each in contents}) == len(contents)
    assert hashed({"a": "1"}).startswith("k:")


def test_another_key_another_hash() -> None:
    """Who lacks the key cannot guess a content from its hash."""
    other = Fingerprinter(key=Sensitive(b"o" * 32), kept=True)
    assert hashed({"a": "1"}) != hashed({"a": "1"}, other)


def test_the_ca_counts() -> None:
    """Pods roll when it changes, too."""
    data = SecretData(ref=REF, values={"a": Sensitive("1")}, keys=frozenset({"a"}))
    plain = store_hash(data, None, KEEPER)
    with_ca = store_hash(data, {"data": {"ca.crt": "a"}}, KEEPER)
    assert with_ca.startswith(f"{plain};k:")
    assert store_hash(data, {"data": {"ca.crt": "b"}}, KEEPER) != with_ca
    assert store_hash(data, {"data": None}, KEEPER) == store_hash(data, {}, KEEPER)
