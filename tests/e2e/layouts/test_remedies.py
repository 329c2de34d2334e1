# SPDX-License-Identifier: Apache-2.0
"""What `doctor` prints to paste is pasted, and works: each in the layout that it is printed for."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.layouts.lake import Lake, lake_of
from e2e.layouts.lokis import common, component, config, secret, user
from e2e.layouts.world import Layout
from lokeys.core.route.discovery.model import UNKNOWN
from parts.rgw import Rgw

COMPONENTS = (
    ("loki-write", "StatefulSet"),
    ("loki-backend", "StatefulSet"),
    ("loki-read", "Deployment"),
)
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def lake(rgw: Rgw) -> Iterator[Lake]:
    """Make Loki's user and its bucket."""
    with lake_of(rgw) as made:
        yield made


def scalable(layout: Layout, lake: Lake, *, with_user: bool = True) -> None:
    """Make a simple scalable Loki with the old key, in a Secret that somebody made by hand."""
    layout.ns("rook-ceph")  # the configuration names it
    lake.replace_key()
    (key_id, key), old = lake.pair, dict(zip(NAMES, map(str, lake.old), strict=True))
    layout.secrets |= {str(key), str(lake.old[1])}
    if with_user:
        layout.put(*user("loki", key_id, str(key)))
    layout.put(
        secret("loki-s3", **old),
        config(common(bucketnames=lake.bucket)),
        *(component(name, kind=kind) for name, kind in COMPONENTS),
    )
    layout.lead("rook-ceph-rgw-lake", "rook-ceph", 80, to=lake.rgw.port)
    for name, _ in COMPONENTS:
        layout.show(name, refused=3)
    layout.run()


def uids(layout: Layout) -> set[str]:
    """Return which pods there are."""
    return {pod["metadata"]["uid"] for pod in layout.pods()}


def test_all_components_of_a_loki_are_healed(layout: Layout, lake: Lake, tmp_path: Path) -> None:
    """The route that is written down has each of them, whichever one doctor names it by."""
    scalable(layout, lake)
    finding = layout.doctor().findings[0]
    printed = finding["remedy"][0]["command"]
    assert finding["code"] == "LK0512"
    before = uids(layout)
    for name, _ in COMPONENTS:
        layout.show(name, accepted=5)
    done = layout.shell(f"{printed} --accept-loss", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    path = f"/api/v1/namespaces/{layout.ns('monitoring')}/secrets/loki-s3"
    held = layout.kubernetes.api.get(path)["data"]
    assert b64decode(held[NAMES[0]]).decode() == lake.pair[0]
    assert not before & uids(layout)
    assert layout.doctor().errors == []


def test_a_route_without_a_known_source_is_filled_in_by_hand(
    layout: Layout, lake: Lake, tmp_path: Path
) -> None:
    """The store's refusal alone is told; what is printed stops where a person must go on."""
    scalable(layout, lake, with_user=False)
    told = layout.doctor()
    assert told.codes == ["LK0801"]
    written = layout.discover()
    assert (written.code, written.document["spec"]["source"]["secret"]["name"]) == (5, UNKNOWN)
    route = tmp_path / "loki.yaml"
    route.write_text(written.screen)
    refused = layout.shell(f"lokeys heal -f {route}", tmp_path)
    assert refused.returncode != 0
    layout.put(secret("new-key", **dict(zip(NAMES, map(str, lake.pair), strict=True))))
    route.write_text(written.screen.replace(UNKNOWN, "new-key"))
    for name, _ in COMPONENTS:
        layout.show(name, accepted=5)
    done = layout.shell("lokeys heal -f loki.yaml --accept-loss", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_eight_pods_are_one_finding(layout: Layout, lake: Lake) -> None:
    """Readers and writers with 403s of their own: one cause, which explains all of them.

    What a restart would lose is said beside it, once for all of them: the lines are on no volume.
    """
    scalable(layout, lake)
    layout.put(
        component("loki-backend") | {"spec": component("loki-backend")["spec"] | {"replicas": 6}}
    )
    layout.run()
    told = layout.doctor()
    assert told.errors == ["LK0512", "LK0604"]
    assert told.findings[0]["symptoms"] == [
        {"code": "LK0614", "count": 24, "firstSeen": None, "lastSeen": None}
    ]
