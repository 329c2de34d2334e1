# SPDX-License-Identifier: Apache-2.0
"""`lokeys` as a person calls it: a process on a kubeconfig. The runbook is e2e/test_story_cli."""

import copy
import json
from base64 import b64encode
from pathlib import Path

from integration.cli.story import Story, story
from integration.demo.world import on_loop
from lokeys.demo.parts.kube_faults import ApiFault, SeenRequest


def everything(told: Story, *, but: str = "") -> object:
    """Return all objects of the cluster (`but` those of a kind) and all items of the vault."""
    store, vaults = told.world.api.store, told.world.connect.vaults
    kinds = ("Secret", "ConfigMap", "ExternalSecret", "StatefulSet", "StorageCredential", "Lease")
    objects = {kind: store.select(kind) for kind in kinds if kind != but}
    uids = [pod["metadata"]["uid"] for pod in store.select("Pod")]
    items = {id_: [item.now for item in vault.items.values()] for id_, vault in vaults.items()}
    return copy.deepcopy((objects, uids, items))


@on_loop
async def test_nothing_needs_to_be_installed(tmp_path: Path) -> None:
    """Doctor without any resource; its own remedy, typed as it stands, mends the route."""
    async with story(tmp_path, resource=False) as told:
        await told.outage()
        found = await told.lokeys("doctor", "-n", "monitoring", "-o", "json")
        first = json.loads(found.out)["findings"][0]
        assert first["cause"] == "vault_behind_source"
        discover, _, heal = first["remedy"][0]["command"].partition(" && ")
        assert discover == "lokeys discover -n monitoring statefulset/loki > loki.yaml"
        assert heal == "lokeys heal -f loki.yaml"

        shown = await told.lokeys("discover", "-n", "monitoring", "statefulset/loki")
        assert shown.code == 0
        file = tmp_path / "loki.yaml"
        file.write_text(shown.out)
        assert (await told.lokeys("heal", "-f", str(file))).code == 0
        from_stdin = await told.lokeys("trace", "-f", "-", stdin=shown.out)
        assert from_stdin.code == 0, from_stdin.err


@on_loop
async def test_the_bucket_and_the_key_id_are_shown(tmp_path: Path) -> None:
    """The runbook's script: where, who, which key id; the secret key not into a pipe."""
    async with story(tmp_path) as told:
        shown = await told.lokeys("bucket", "loki", "-o", "json")
        document = json.loads(shown.out)
        assert document["kind"] == "BucketReport"
        assert document["accessKeyId"] == told.world.key_id
        assert document["exists"] is True
        refused = await told.lokeys("bucket", "loki", "--reveal")
        assert refused.code == 2
        assert "only shown to a terminal" in refused.err

        told.world.s3.buckets.clear()
        assert (await told.lokeys("bucket", "loki")).code == 3
        made = await told.lokeys("bucket", "loki", "--create")
        assert made.code == 0
        assert "made just now" in made.out
        assert "loki" in told.world.s3.buckets


@on_loop
async def test_a_key_is_tested_link_by_link(tmp_path: Path) -> None:
    """Four calls with each key; with a dead one the first of them fails, by name."""
    async with story(tmp_path) as told:
        fine = await told.lokeys("probe", "credential", "loki", "-o", "json")
        assert fine.code == 0
        assert all(link["ok"] for link in json.loads(fine.out)["links"])
        told.rotate()
        dead = await told.lokeys("probe", "credential", "loki", "-o", "json")
        assert dead.code == 3
        links = {link["name"]: link for link in json.loads(dead.out)["links"]}
        assert links["store, Secret's key: put"]["cause"] == "access_key_unknown"
        assert links["store, source's key: delete"]["ok"] is True


@on_loop
async def test_a_heal_that_may_not_see_the_workload_changes_nothing(tmp_path: Path) -> None:
    """A 403 on the StatefulSet: exit 5 at once, with the right that is missing, and no write."""

    def about_workloads(seen: SeenRequest) -> bool:
        return seen.resource == "statefulsets"

    async with story(tmp_path) as told:
        told.rotate()
        told.world.api.faults.add(ApiFault(when=about_workloads, code=403, times=None))
        before = everything(told)
        for words in (("--dry-run",), ()):
            refused = await told.lokeys("heal", "loki", *words)
            assert refused.code == 5, refused.out + refused.err
        assert everything(told) == before
        assert (
            "StatefulSet monitoring/loki cannot be read, so waiting would not help" in refused.err
        )
        assert 'cannot get resource "statefulsets" in API group "apps"' in refused.err
        told.world.api.faults.clear()
        assert (await told.lokeys("heal", "loki")).code == 0


@on_loop
async def test_a_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    """`lokeys doctor | head -1` ends quietly."""
    async with story(tmp_path) as told:
        process = await told.start("rbac", "loki")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        err = (await process.stderr.read()).decode()
        await process.wait()
        assert "Traceback" not in err
        assert "BrokenPipe" not in err
        assert process.returncode == 0


@on_loop
async def test_the_memory_is_kept_only_under_a_kept_key(tmp_path: Path) -> None:
    """Fingerprints of one run mean nothing later: they are not written into the status."""
    async with story(tmp_path) as told:
        await told.outage()
        assert (await told.lokeys("heal", "loki")).code == 0
        assert "memory" not in (told.world.get("StorageCredential", "loki").get("status") or {})

        key = {"key": b64encode(b"k" * 32).decode()}
        place = {"name": "lokeys-fingerprint", "namespace": "lokeys-system"}
        told.world.api.add({"apiVersion": "v1", "kind": "Secret", "metadata": place, "data": key})
        await told.outage()
        assert (await told.lokeys("heal", "loki")).code == 0
        memory = told.world.get("StorageCredential", "loki")["status"]["memory"]
        assert memory["content"]["pair"].startswith("k:")
        assert "k:" in (await told.lokeys("trace", "loki")).out
