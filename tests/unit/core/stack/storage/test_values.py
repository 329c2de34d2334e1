# SPDX-License-Identifier: Apache-2.0
"""What nobody sees in a value, and what was encoded once too often."""

import random
import string
from base64 import b64encode

import pytest

from lokeys.core.stack.storage import values


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"plain", None),
        (b"two words", None),
        (b" \n", None),
        (b"x\n", "ends in a newline"),
        (b"x\r\n", "ends in a newline"),
        (b"x \n", "ends in blanks"),
        (b" x\n", "begins or ends with white space"),
        ("x\u00a0\n".encode(), "begins or ends with white space"),
        (b"x ", "ends in blanks"),
        (b" x", "begins or ends with white space"),
        (b"\xff", "is not UTF-8 text"),
        ("\ufeffx".encode(), "begins with a byte order mark"),
        ("a\u200bb".encode(), "holds a zero width space"),
        ("a\u00a0b".encode(), "holds a no-break space"),
        (b"a\x00b", "holds a control character"),
    ],
)
def test_what_nobody_sees_is_named(value: bytes, said: str | None) -> None:
    """Newlines, marks, odd spaces and control characters, by their names."""
    assert values.unseen(value) == said


def test_a_blank_inside_is_named_where_none_may_be() -> None:
    """A key has no blanks in it; a project's name may."""
    assert values.unseen(b"a b", spaces=False) == "holds white space"


def twice(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("endpoint", "https://s3.example.com"),
        ("region", "eu-west-1"),
        ("forcepathstyle", "true"),
        ("bucketnames", "my-bucket"),
        ("client_id", "11111111-2222-3333-4444-555555555555"),
        ("access_key_id", "AKIAIOSFODNN7EXAMPLE"),
        ("access_key_secret", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("password", "correct horse battery staple"),
    ],
)
def test_base64_of_what_belongs_there_is_seen(key: str, plain: str) -> None:
    """Encoded it is seen, with a newline in it, too; plain it is not."""
    assert values.encoded_twice(key, twice(plain)) is not None
    assert values.encoded_twice(key, twice(f"{plain}\n")) is not None
    assert values.encoded_twice(key, plain) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bucketnames", "lokilogs"),
        ("bucketnames", "aidbaidb"),
        ("password", "shortpwd"),
        ("access_key_secret", twice("x")),
        ("access_key_id", twice("two words in it, longer")),
        ("account_key", b64encode(bytes(range(64))).decode()),
        ("region", b64encode(b"\xff\xfe\xfd").decode()),
        ("region", "not base64!!"),
        ("region", ""),
    ],
)
def test_what_only_looks_like_base64_is_left_alone(key: str, value: str) -> None:
    """Names in small letters, short words, random bytes."""
    assert values.encoded_twice(key, value) is None


def test_base64_of_nothing_is_none() -> None:
    """An empty value is missing, not sound."""
    assert not values.is_base64("")
    assert not values.is_base64("ä")


CAPITALS = string.ascii_uppercase + string.digits
ALPHABETS = {
    "AWS": ("AKIA", string.ascii_uppercase + "234567", 16, string.ascii_letters + "0123456789+/"),
    "Ceph RGW": ("", CAPITALS, 20, string.ascii_letters + string.digits),
    "MinIO": ("", CAPITALS, 20, string.ascii_letters + "0123456789+/"),
}


@pytest.mark.parametrize("store", ALPHABETS)
def test_no_ordinary_key_is_called_base64(store: str) -> None:
    """Nor swapped, of as many keys as a store makes in years."""
    start, letters, count, of_secret = ALPHABETS[store]
    chance = random.Random(store)  # the same keys in every run
    for _ in range(20_000):
        key_id = start + "".join(chance.choices(letters, k=count))
        secret = "".join(chance.choices(of_secret, k=40))
        assert values.encoded_twice("access_key_id", key_id) is None
        assert values.encoded_twice("access_key_secret", secret) is None
        assert not values.both_encoded_twice(key_id, secret)
        assert not values.swapped(key_id, secret)
        assert values.swapped(secret, key_id)


def test_what_people_see_keeps_its_lines() -> None:
    """A file of several lines stays one; what nobody sees goes."""
    assert values.seen("\ufeff[default]\r\n\ta\u200b = b\u00a0\n") == "[default]\r\n\ta = b"
