# SPDX-License-Identifier: Apache-2.0
"""Two configurations of Loki that say the same in other words mean the same, and no others do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.operate.meaning import as_expanded, meaning_of, said_otherwise

AWS = {"storage_config": {"object_store": {"s3": {"endpoint": "s3.eu-west-1.amazonaws.com"}}}}
RGW = {"storage_config": {"object_store": {"s3": {"endpoint": "rgw.store:8080"}}}}


def s3(base: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "storage_config": {
            "object_store": {"s3": base["storage_config"]["object_store"]["s3"] | more}
        }
    }


SAME = {
    "durations in another unit": ({"a": "90s"}, {"a": "1m30s"}),
    "a day": ({"a": "1d"}, {"a": "24h"}),
    "sizes in another unit": ({"a": "3MB"}, {"a": 3 * 2**20}),
    "a size with its i": ({"a": "512KiB"}, {"a": "512 KB"}),
    "text with blanks around it": ({"a": "b"}, {"a": " b\n"}),
    "nothing said": ({"a": {}, "b": None}, {}),
    "the store in another place": (
        {"common": {"storage": {"object_store": {"gcs": {"bucket_name": "b"}}}}},
        {"storage_config": {"object_store": {"gcs": {"bucket_name": "b"}}}},
    ),
    "the replication factor in another place": (
        {"ingester": {"lifecycler": {"ring": {"replication_factor": 2}}}},
        {"common": {"replication_factor": 2}},
    ),
    "Loki's default said": ({"limits_config": {"max_query_length": "721h"}}, {}),
    "all rings have it": ({"ruler": {"ring": {"kvstore": {"store": "memberlist"}}}}, {}),
    "who deletes without retention": ({"limits_config": {"deletion_mode": "disabled"}}, {}),
    "Loki's own way to put a bucket": (s3(RGW, bucket_lookup_type="path"), RGW),
    "the store's CA, which arguments may name": (s3(RGW, http={"tls_ca_path": "/ca"}), RGW),
    "a folder for what no other names": ({"common": {"path_prefix": "/tmp/loki"}}, {}),
    "lists of the same": ({"a": [{"b": "60s"}, 1]}, {"a": ({"b": "1m"}, 1)}),
}
OTHERS = {
    "another time": ({"a": "1m"}, {"a": "1h"}),
    "another size": ({"a": "1MB"}, {"a": "1KB"}),
    "one that is missing": ({"a": 1}, {}),
    "true is not one": ({"a": True}, {"a": 1}),
    "an empty list is said": ({"limits_config": {"discover_service_name": []}}, {}),
    "another default": ({"limits_config": {"max_query_length": "720h"}}, {}),
    "who deletes with retention": (
        {"compactor": {"retention_enabled": True}, "limits_config": {"deletion_mode": "disabled"}},
        {"compactor": {"retention_enabled": True}},
    ),
    "AWS puts the bucket into the host": (s3(AWS, bucket_lookup_type="path"), AWS),
    "another order": ({"a": [1, 2]}, {"a": [2, 1]}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_in_other_words(one: Any, other: Any) -> None:
    """No pod need be replaced for it."""
    assert meaning_of(one) == meaning_of(other)
    assert said_otherwise(one, other) == ()


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_the_same(one: Any, other: Any) -> None:
    """And where it is said otherwise."""
    assert meaning_of(one) != meaning_of(other)
    assert said_otherwise(one, other)


def test_few_places_are_named_and_no_value() -> None:
    """Names are anybody's: bounded, and printable."""
    one = {f"key{number}": "secret" for number in range(9)} | {"\x1b[31m": "secret"}
    found = said_otherwise(one, {})
    assert found[-1] == "7 more"
    assert len(found) == 4
    assert "secret" not in str(found)
    assert "\x1b" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "read"),
    [(r"a\\d+", r"a\d+"), (r"a\/b", "a/b"), ("$$1", "$1"), ("${NAME}", "${NAME}")],
)
def test_what_expand_env_leaves(text: str, read: str) -> None:
    """Two signs for one; a variable stays for whoever compares."""
    assert as_expanded(text) == read


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_whatever_stands_in_it_has_a_meaning(config: dict[str, Any]) -> None:
    """Nobody's configuration makes an error, and each means what it means."""
    assert meaning_of(config) == meaning_of(dict(reversed(config.items())))
    assert said_otherwise(config, config) == ()
