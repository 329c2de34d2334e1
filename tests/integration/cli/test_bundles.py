# SPDX-License-Identifier: Apache-2.0
"""A bundle of an outage: the doctor says of it what it says of the cluster, and no key is in it."""

import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from integration.cli.story import Story, story
from integration.demo.world import on_loop

Found = list[tuple[str, str, str]]


def told(text: str) -> Found:
    """Return what a report says: each finding by its id, and its words."""
    return [(f["id"], f["severity"], f["message"]) for f in json.loads(text)["findings"]]


def assert_no_secret(folder: Path, secrets: list[str]) -> None:
    """Fail where a secret stands in any file, however it is written."""
    seen = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for secret in secrets:
        plain = secret.encode()
        forms = {plain, b64encode(plain), b64encode(plain + b"\n"), quote(secret, safe="").encode()}
        forms |= {plain.hex().encode(), plain[::-1]}
        assert not any(form in seen for form in forms), "a secret stands in the bundle"


async def compare(live: Story, place: Path) -> None:
    """Fail where a bundle of this moment does not say what the cluster says."""
    seen = await live.lokeys("doctor", "-n", "monitoring", "-o", "json")
    made = await live.lokeys("collect", "-n", "monitoring", "-o", str(place))
    assert made.code == 0, made.err
    again = await live.lokeys("doctor", "--bundle", str(place), "-o", "json")
    assert told(again.out) == told(seen.out)
    assert again.code == seen.code
    one, other = json.loads(seen.out), json.loads(again.out)
    assert (one["complete"], one["notRead"]) == (other["complete"], other["notRead"])


@on_loop
async def test_a_bundle_says_what_the_cluster_says(tmp_path: Path) -> None:
    """Before and in the outage, with a resource: same findings, same words, no secret value."""
    async with story(tmp_path) as live:
        await compare(live, tmp_path / "healthy")
        await live.outage()
        await compare(live, tmp_path / "outage")
        assert_no_secret(tmp_path / "outage", live.secrets)


@on_loop
async def test_a_bundle_of_a_route_that_nobody_described(tmp_path: Path) -> None:
    """Without a StorageCredential, in an archive."""
    async with story(tmp_path, resource=False) as live:
        await live.outage()
        await compare(live, tmp_path / "outage.tar.gz")
