# SPDX-License-Identifier: Apache-2.0
"""What findings print for `radosgw-admin`, run by the real one at a real RGW."""

import os
import subprocess

from lokeys.core.findings.catalogue.sources import ROOK_DELETION_BLOCKED, USER_SUSPENDED
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from parts.rgw import Rgw

OK = 200


def run(rgw: Rgw, line: str) -> None:
    """Run a line as whoever administers this Ceph."""
    where = os.environ | {"CEPH_CONF": str(rgw.folder / "ceph.conf")}
    words = ["bash", "-euc", line]
    done = subprocess.run(words, env=where, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def printed(finding: Finding) -> list[str]:
    """Return the commands of a finding."""
    return [str(each.command) for each in finding.remedy if each.command]


def test_a_suspended_user_is_enabled(rgw: Rgw) -> None:
    """LK0303: what every key of it was refused for is over, and its key is the same."""
    pair = rgw.create_user("suspended-one")
    rgw.admin("user", "suspend", "--uid=suspended-one")
    assert rgw.request(pair, "GET", "/").status_code == 403
    found = USER_SUSPENDED.at(Ref("CephObjectStoreUser", "x", "rook-ceph"), user="suspended-one")
    (line,) = printed(found)
    run(rgw, line)
    assert rgw.request(pair, "GET", "/").status_code == OK


def test_a_bucket_outlives_the_user_that_is_deleted(rgw: Rgw) -> None:
    """LK0309: once it is another user's, the first one can go; that other reads the lines."""
    first, other = rgw.create_user("leaving-one"), rgw.create_user("staying-one")
    assert rgw.request(first, "PUT", "/logs-to-keep").status_code == OK
    assert rgw.request(first, "PUT", "/logs-to-keep/line", b"a").status_code == OK
    place = Ref("CephObjectStoreUser", "x", "rook-ceph")
    for line in printed(ROOK_DELETION_BLOCKED.at(place, bucket="logs-to-keep")):
        run(rgw, line.replace("OTHER_USER", "staying-one"))
    rgw.admin("user", "rm", "--uid=leaving-one")
    assert rgw.request(other, "GET", "/logs-to-keep").status_code == OK
    assert rgw.request(other, "GET", "/logs-to-keep/line").status_code == OK
