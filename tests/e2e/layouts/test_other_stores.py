# SPDX-License-Identifier: Apache-2.0
"""Loki writes to one store, and Rook runs another: nobody's key goes where it is not for."""

from collections.abc import Iterator

import pytest

from e2e.layouts.strangers import Stranger, stranger
from e2e.layouts.world import Layout
from lokeys.core.route.discovery.model import UNKNOWN
from parts.rgw import Rgw

KEY_ID, SECRET = "AKARCHIVE0000000000A", "a-secret-of-the-archive-0123456789-abcdef"
UNKNOWN_KEY = (
    "level=error ts=2026-11-22T02:56:05.537305929Z caller=flush.go:356 component=ingester "
    'msg="failed to flush" retries=0 err="failed to flush chunks: store put chunk: upload s3 '
    'object: The AWS Access Key Id you provided does not exist in our records., num_chunks: 1"'
)
LAYOUTS = ("endpoint-in-the-secret", "only-user-of-another-store")


@pytest.fixture(scope="module")
def archive(rgw: Rgw) -> dict[str, str]:
    """Make Loki's bucket in the store that it writes to; return what a layout says of it."""
    rgw.create_user("archive", f"--access-key={KEY_ID}", f"--secret-key={SECRET}")
    assert rgw.request((KEY_ID, SECRET), "PUT", "/archive-logs").is_success
    place = {"endpoint": rgw.endpoint, "bucket": "archive-logs"}
    return place | {"key_id": KEY_ID, "secret": SECRET}


@pytest.fixture(scope="module")
def lake() -> Iterator[Stranger]:
    """Run what answers as Rook's RGW, which knows nothing of Loki's key."""
    with stranger() as store:
        yield store


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_loki_that_writes_elsewhere_is_healthy(
    layout: Layout, archive: dict[str, str], lake: Stranger, name: str
) -> None:
    """Nothing is wrong, and neither Loki's key nor the database's is used at Rook's store."""
    layout.apply(name, **archive)
    layout.lead("rook-ceph-rgw-lake", "rook-ceph", 80, to=lake.port)
    layout.show("loki", accepted=12)
    layout.run()
    told = layout.doctor()
    assert told.errors == []
    assert lake.keys == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_user_of_another_store_is_not_the_source(
    layout: Layout, archive: dict[str, str], name: str
) -> None:
    """Discover names neither the database's user nor Rook's endpoint, and leaves it open."""
    layout.apply(name, **archive)
    told = layout.discover()
    assert told.code == 5
    assert "rook-ceph-rgw-lake" not in told.screen
    assert "pg-backups" not in told.screen + told.aside
    assert told.document["spec"]["bucket"]["endpoint"] == archive["endpoint"]
    assert told.document["spec"]["source"]["secret"]["name"] == UNKNOWN


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dead_key_of_a_store_without_users_of_rook(
    layout: Layout, archive: dict[str, str], name: str
) -> None:
    """Its own store refuses it: that is certain; no Secret is called its source."""
    layout.apply(name, **archive | {"key_id": "AKGONE00000000000000"})
    layout.show("loki", refused=9, log=[UNKNOWN_KEY])
    layout.run()
    told = layout.doctor()
    assert told.codes == ["LK0801"]
    assert told.findings[0]["confidence"] == "certain"
    assert {each["code"] for each in told.findings[0]["symptoms"]} == {"LK0614", "LK0801"}
    assert "pg-backups" not in told.screen
