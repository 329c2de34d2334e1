# SPDX-License-Identifier: Apache-2.0
"""A container's variables, as the kubelet sets them."""

from typing import Any

import pytest

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.environment import environment_of
from lokeys.core.place import Ref
from unit.core.kubernetes.loki.pods import SECRET, common, loki, secret

HELD = {SECRET: secret(ID="AKID", HOST="rgw")}


def values(*env: Any, **more: Any) -> dict[str, str | None]:
    """Return the variables of a container with these entries."""
    container = {"env": list(env), **more}
    found = environment_of(container, namespace="logging", held=HELD)
    return {name: setting.value for name, setting in found.settings.items()}


def of_secret(name: str, key: str, **ref: Any) -> Any:
    """Return a variable that is a key of the Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "loki-s3", "key": key, **ref}}}


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ([of_secret("A", "HOST"), {"name": "B", "value": "http://$(A):80"}], "http://rgw:80"),
        ([{"name": "B", "value": "$(A)"}, of_secret("A", "HOST")], "$(A)"),
        ([{"name": "B", "value": "$$(A) $5"}], "$(A) $5"),
        ([of_secret("A", "GONE"), {"name": "B", "value": "x$(A)"}], None),
        ([{"name": "A", "value": "a" * 5000}, {"name": "B", "value": "$(A)$(A)"}], None),
        ([{"name": "B", "value": "b" * 9000}], None),
        ([{"name": "B"}], ""),
        ([{"name": "B", "value": 5}], ""),
        ([{"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}], None),
    ],
    ids=[
        "made of another",
        "of one that comes later",
        "escaped",
        "of one that cannot be read",
        "too long together",
        "too long",
        "of nothing",
        "of no text",
        "of the pod's own",
    ],
)
def test_a_value_is_filled_in_from_those_before_it(env: list[Any], found: str | None) -> None:
    """What cannot be told is set all the same."""
    assert values(*env)["B"] == found


def test_a_key_that_may_be_missing_is_not_set() -> None:
    """One that must be there keeps the container from starting: no word of it here."""
    assert values(of_secret("A", "GONE", optional=True), of_secret("B", "GONE")) == {"B": None}


def test_a_later_source_wins_and_one_without_a_name_is_none() -> None:
    """As the API documents it."""
    sources = [{"secretRef": {}}, {"secretRef": {"name": "loki-s3"}}, {"prefix": "X"}]
    assert values({"name": "ID", "value": "own"}, envFrom=sources) == {"ID": "own", "HOST": "rgw"}


def test_a_default_for_a_secret_that_cannot_be_read_is_not_believed() -> None:
    """The variable may be set; where it is, is told."""
    found = loki(
        common(bucketnames="${BUCKET:-logs}", access_key_id="${ID:-}"),
        env_from=[{"secretRef": {"name": "gone"}}],
    )

    assert found.storage.bucket == ""
    assert found.pair is not None
    assert found.pair.key_id == DataKey(Ref("Secret", "gone", "logging"), "ID")
