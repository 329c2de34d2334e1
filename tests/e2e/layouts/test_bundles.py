# SPDX-License-Identifier: Apache-2.0
"""Bundles of a real API server: findings as on the cluster, and no more rights than are printed."""

import json
from base64 import b64encode
from pathlib import Path

from e2e.layouts.lokis import NAMES, common, component, config, secret
from e2e.layouts.world import Layout

KEY_ID, KEY = "AKLAKE00000000000009", "a-secret-of-nobody-0123456789/abcdefgh+1"


def test_a_bundle_of_a_cluster_says_what_the_cluster_says(layout: Layout, tmp_path: Path) -> None:
    """A Loki that is refused: same findings, same words, same exit code; no secret in any file."""
    layout.secrets.add(KEY)
    layout.put(secret("loki-s3", **dict(zip(NAMES, (KEY_ID, KEY), strict=True))))
    layout.put(config(common(endpoint="http://127.0.0.1:9")), component("loki"))
    layout.show("loki", accepted=1, refused=7)
    layout.run()
    live = layout.doctor()
    made = layout.lokeys("collect", "-n", layout.ns("monitoring"), "-o", str(tmp_path / "b"))
    assert made.returncode in (0, 5), made.stderr
    seen = layout.lokeys("doctor", "--bundle", str(tmp_path / "b"), "-o", "json")
    told = json.loads(seen.stdout)
    assert (seen.returncode, told["findings"]) == (live.code, live.findings)
    assert told["notRead"] == live.document["notRead"]
    files = b"".join(each.read_bytes() for each in (tmp_path / "b").rglob("*") if each.is_file())
    for form in (KEY.encode(), b64encode(KEY.encode()), b64encode(f"{KEY}\n".encode())):
        assert form not in files


def test_the_printed_rights_are_enough_to_collect(layout: Layout, tmp_path: Path) -> None:
    """Somebody with these Roles alone reads all but what the Roles say that they do not grant."""
    layout.secrets.add(KEY)
    layout.put(secret("loki-s3", **dict(zip(NAMES, (KEY_ID, KEY), strict=True))))
    layout.put(config(common(endpoint="http://127.0.0.1:9")), component("loki"))
    layout.show("loki", accepted=1)
    layout.run()
    place = layout.ns("monitoring")
    person = layout.person("collector", monitoring=[])
    account = f"{layout.ns('people')}/collector"
    printed = layout.lokeys(
        "rbac", "collect", "-n", place, "--service-account", account, "-o", "json"
    )
    layout.kubernetes.apply(*json.loads(printed.stdout)["items"])
    made = layout.lokeys("collect", "-n", place, "-o", str(tmp_path / "b"), person=person)
    manifest = json.loads((tmp_path / "b/manifest.json").read_text())
    refused = [words for words in manifest["not_read"] if "forbidden" in words.lower()]
    assert all("portforward" in words for words in refused), (refused, made.stderr)
