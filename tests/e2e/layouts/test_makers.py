# SPDX-License-Identifier: Apache-2.0
"""The Secret that Loki reads is made by somebody else than External Secrets."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.layouts.lake import Lake, lake_of
from e2e.layouts.world import Layout
from parts.process import wait_for
from parts.rgw import Rgw

MADE_BY = {
    "one-password-item": {"kind": "OnePasswordItem", "name": "loki-s3"},
    "sealed-secret": {"kind": "SealedSecret", "name": "loki-s3"},
    "secret-in-git": {"kind": "Kustomization", "name": "logs", "namespace": "flux-system"},
}
REMEDIES = {
    "one-password-item": "in 1Password, put the source's pair into the item `homelab/loki`",
    "sealed-secret": "seal the source's pair anew with kubeseal",
    "secret-in-git": "change it in Git (Kustomization flux-system/logs)",
}


@pytest.fixture
def lake(rgw: Rgw) -> Iterator[Lake]:
    """Make Loki's user and bucket."""
    with lake_of(rgw) as made:
        yield made


@pytest.mark.parametrize("name", MADE_BY)
def test_the_maker_is_named_and_its_own_remedy(layout: Layout, lake: Lake, name: str) -> None:
    """Healthy, nothing is wrong; with a replaced key, what is said to be done would stay."""
    lake.make(layout, "loki-of-the-lake", name)
    layout.show("loki", accepted=9)
    layout.run()
    healthy = layout.doctor()
    assert (healthy.code, healthy.errors) == (0, []), healthy.screen
    found = layout.discover()
    assert found.code == 0, found.screen + found.aside
    assert found.document["spec"]["secret"]["madeBy"] == MADE_BY[name]
    assert "lokeys writes it itself" not in found.screen
    lake.replace_key()
    lake.make(layout, "loki-of-the-lake")
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors[0]) == (3, "LK0512"), stale.screen
    remedy = stale.finding("LK0512")["remedy"]
    assert remedy[0]["text"].startswith(REMEDIES[name])
    assert not any("lokeys heal" in (each["command"] or "") for each in remedy)


def test_a_claims_key_cannot_be_changed_in_place(layout: Layout, lake: Lake) -> None:
    """The claim is the source, and its Secret never written; a dead key is the store's matter."""
    lake.make(layout, "claim")
    layout.show("loki", accepted=9)
    layout.run()
    healthy = layout.doctor()
    assert (healthy.code, healthy.errors) == (0, []), healthy.screen
    found = layout.discover()
    assert found.code == 0, found.screen + found.aside
    assert found.document["spec"]["source"] == {"objectBucketClaim": {"name": "logs-bucket"}}
    lake.replace_key()
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors) == (3, ["LK0301"]), stale.screen
    (remedy,) = stale.finding("LK0301")["remedy"]
    assert "put that key back" in remedy["text"]
    key_id, secret = lake.old
    words = (f"--uid={lake.user}", f"--access-key={key_id}", f"--secret-key={secret}")
    lake.rgw.admin("key", "create", *words)
    layout.show("loki", accepted=9)
    assert layout.doctor().errors == []


def test_an_edited_item_is_asked_for_and_healed(layout: Layout, lake: Lake, tmp_path: Path) -> None:
    """The person edits the item, as the remedy says; heal has its operator read it, and proves."""
    lake.make(layout, "loki-of-the-lake", "one-password-item")
    layout.run()
    lake.replace_key()
    lake.make(layout, "loki-of-the-lake")
    route = tmp_path / "loki.yaml"
    route.write_text(layout.discover().screen)
    namespace = layout.ns("monitoring")
    path = f"/apis/onepassword.com/v1/namespaces/{namespace}/onepassworditems/loki-s3"
    command = layout.command("heal", "-f", str(route), "--accept-loss", "--timeout", "90s")
    layout.show("loki", accepted=9)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as heal:

        def asked() -> bool:
            metadata = layout.kubernetes.api.get(path)["metadata"]
            return "lokeys.dev/read-again" in metadata.get("annotations", {})

        wait_for(asked, "the operator was asked", timeout_s=60)
        # What the 1Password operator does once it is asked and the item has another version.
        pair = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), lake.pair, strict=True))
        data = {key: b64encode(value.encode()).decode() for key, value in pair.items()}
        secret = f"/api/v1/namespaces/{namespace}/secrets/loki-s3"
        layout.kubernetes.api.patch(secret, {"data": data})
        said, _ = heal.communicate(timeout=120)
    text = said.decode()
    assert heal.returncode == 0, text
    assert "proved" in text
    assert str(lake.pair[1]) not in text
    assert layout.doctor().errors == []
