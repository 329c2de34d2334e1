# SPDX-License-Identifier: Apache-2.0
"""The store that a ruler has for itself: beside the one of chunks and index, with its own pair."""

from typing import Any

import pytest

from unit.core.kubernetes.loki.pods import PAIR, common, loki

NAMES = ("ID", "KEY")
ITS_OWN = {"access_key_id": "AKRULER", "secret_access_key": "canary"}
SAME = {"access_key_id": f"${{{NAMES[0]}}}", "secret_access_key": f"${{{NAMES[1]}}}"}


def with_ruler(s3: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a configuration whose ruler has a store of its own."""
    fields = {"endpoint": "http://rgw:7480", "bucketnames": "rules", **s3}
    return {**common(), "ruler": {"storage": {"type": "s3", "s3": fields}}, **more}


@pytest.mark.parametrize(
    ("s3", "same"),
    [
        pytest.param(SAME, True, id="the same variables"),
        pytest.param(
            {"access_key_id": PAIR[NAMES[0]], "secret_access_key": PAIR[NAMES[1]]},
            True,
            id="the same pair, in clear",
        ),
        pytest.param(ITS_OWN, False, id="another pair"),
        pytest.param({}, None, id="none: what AWS's client looks for"),
        pytest.param(
            {"access_key_id": "${GONE_ID}", "secret_access_key": "${GONE_KEY}"},
            None,
            id="variables of a Secret that cannot be read",
        ),
    ],
)
def test_a_rulers_pair_is_compared(s3: dict[str, Any], same: bool | None) -> None:
    """By its value where both are known, else by its place."""
    unread = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "unread", "key": name}}}
        for name in ("GONE_ID", "GONE_KEY")
    ]
    found = loki(with_ruler(s3), env=unread).ruler

    assert found is not None
    assert found.same_pair is same
    assert (found.storage.bucket, found.storage.endpoint) == ("rules", "http://rgw:7480")
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(common(), id="none of its own"),
        pytest.param({**common(), "ruler": {"storage": {"type": "local"}}}, id="files"),
        pytest.param(with_ruler(ITS_OWN, target="write"), id="no ruler in this component"),
    ],
)
def test_a_ruler_may_have_no_store_of_its_own(document: dict[str, Any]) -> None:
    """Then it takes `common.storage`, or none."""
    assert loki(document).ruler is None


def test_the_newer_clients_ruler_has_a_section_of_its_own() -> None:
    """`ruler_storage` counts with `use_thanos_objstore` alone; its flags are `-ruler-storage.…`."""
    newer = {
        **common(),
        "storage_config": {"use_thanos_objstore": True},
        "ruler_storage": {"backend": "s3", "s3": {"bucket_name": "rules", **ITS_OWN}},
    }
    found = loki(newer).ruler
    assert found is not None
    assert found.storage.bucket == "rules"
    own = ("-ruler.storage.s3.buckets=flagged", "-ruler.storage.s3.access-key-id=AK")
    found = loki(common(), "-config.expand-env=true", "-ruler.storage.type=s3", *own).ruler
    assert found is not None
    assert (found.storage.bucket, found.same_pair) == ("flagged", None)
