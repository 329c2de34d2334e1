# SPDX-License-Identifier: Apache-2.0
"""The commands that look, in the middle of an outage on the real parts; none changes anything."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from e2e.reports import (
    FAILED_FLUSHES,
    REFUSED,
    UNKNOWN_KEY,
    Json,
    assert_told_to_people,
    first_finding,
    hop,
    symptoms,
)
from e2e.terminal import assert_silent, on_terminal, run
from e2e.world import Homelab
from parts.build import program


@pytest.fixture
def route(outage: Homelab, tmp_path: Path) -> str:
    """Return a file with the StorageCredential of the broken homelab."""
    return str(outage.file(tmp_path, outage.route()))


def test_a_changed_key_does_not_hide_where_it_comes_from(outage: Homelab) -> None:
    """Discover finds the user when no key id fits any more, by the bucket, and says so."""
    said = run(outage, "discover", "statefulset/loki")
    manifest = yaml.safe_load(said.out)
    assert said.code == 0, said.err
    assert manifest["spec"]["source"]["rook"]["user"] == outage.user
    assert "the key that Loki reads is another" in " ".join(said.out.replace("#", "").split())
    assert manifest["spec"]["vault"]["onePassword"]["item"] == "loki-s3-config"
    assert run(outage, "discover", "-o", "json").json() == manifest
    assert run(outage, "discover", "pod/loki-0", "-o", "json").json() == manifest


def test_a_pod_that_is_ready_is_no_proof(outage: Homelab) -> None:
    """With 1/1 ready Loki's 403s and failed flushes are symptoms of the same first finding."""
    said = run(outage, "doctor", "-o", "json")
    finding = first_finding(said.json())
    assert (said.code, finding["cause"]) == (3, "vault_behind_source")
    assert symptoms(finding) == {FAILED_FLUSHES, REFUSED, UNKNOWN_KEY}
    assert_told_to_people(run(outage, "doctor").out, pod="1/1 ready")


def test_trace_marks_the_first_disagreement(outage: Homelab, route: str) -> None:
    """A line a hop: keyed fingerprints, ages, and the one place where the key goes stale."""
    said = run(outage, "trace", "-f", route)
    lines = said.out.splitlines()
    assert said.code == 3
    hops = [line.split()[0] for line in lines if line.startswith("  ") and line[2] in "svdp"]
    assert hops == ["source", "vault", "delivery", "secret", "pods", "store"]
    assert sum("here it goes stale" in line for line in lines) == 1
    vault = next(number for number, line in enumerate(lines) if line.startswith("  vault"))
    stale = next(number for number, line in enumerate(lines) if "goes stale" in line)
    assert vault < stale < next(n for n, line in enumerate(lines) if line.startswith("  delivery"))
    seen = run(outage, "trace", "-f", route, "-o", "json").json()["route"]
    assert [hop(seen, name)["agrees"] for name in ("vault", "secret", "store")] == [
        False,
        True,
        False,
    ]
    source, vaulted, held = (
        hop(seen, name)["fingerprint"] for name in ("source", "vault", "secret")
    )
    assert source != vaulted == held
    assert source.startswith("r:")
    assert hop(seen, "vault")["since"] is not None


def test_bucket_tells_the_key_id_and_keeps_the_secret(outage: Homelab, route: str) -> None:
    """The secret is shown on a terminal that asks for it, and to no pipe, however it is asked."""
    key_id, secret = outage.source_pair()
    told = run(outage, "bucket", "-f", route, "-o", "json").json()
    assert told == {
        "apiVersion": "lokeys.dev/v1",
        "kind": "BucketReport",
        "endpoint": outage.endpoint,
        "bucket": outage.bucket,
        "user": outage.user,
        "accessKeyId": key_id,
        "exists": True,
        "slots": None,  # without `admin` nobody sees RGW's own list of keys
    }
    piped = run(outage, "bucket", "-f", route, "--reveal")
    assert (piped.code, piped.out) == (2, "")
    assert "only shown to a terminal" in piped.err
    assert run(outage, "bucket", "-f", route, "--reveal", "-o", "json").code == 2
    code, seen = on_terminal(outage, "bucket", "-f", route)
    assert_silent(outage, seen)
    assert (code, key_id in seen) == (0, True)
    code, seen = on_terminal(outage, "bucket", "-f", route, "--reveal")
    assert code == 0
    assert secret in seen


def test_bucket_makes_user_and_bucket_where_they_are_missing(
    outage: Homelab, tmp_path: Path
) -> None:
    """`--create` makes the CephObjectStoreUser and its bucket once; without it nothing is made."""
    word = secrets.token_hex(3)
    user, bucket = f"new-{word}", f"new-bucket-{word}"
    source = {"user": user, "namespace": outage.storage, "store": outage.store}
    place = {"name": bucket, "endpoint": outage.endpoint, "pathStyle": True}
    file = str(outage.file(tmp_path, outage.route(source={"rook": source}, bucket=place)))
    missing = run(outage, "bucket", "-f", file)
    assert missing.code == 5
    assert user in missing.err
    users = f"/apis/ceph.rook.io/v1/namespaces/{outage.storage}/cephobjectstoreusers"
    assert outage.kubernetes.api.find(f"{users}/{user}") is None
    made = run(outage, "bucket", "-f", file, "--create")
    assert made.code == 0, made.err
    assert made.out.count("made just now") == 2
    again = run(outage, "bucket", "-f", file, "--create")
    assert (again.code, again.out.count("made just now")) == (0, 0)
    assert run(outage, "bucket", "-f", file, "-o", "json").json()["exists"] is True
    generated = f"rook-ceph-object-user-{outage.store}-{user}"
    pair = outage.pair_in(generated, outage.storage)
    assert pair is not None
    outage.secrets.add(pair[1])
    assert outage.rgw.request(pair, "GET", f"/{bucket}").is_success


def test_a_dry_run_changes_nothing(outage: Homelab, route: str) -> None:
    """The plan is printed; each object, the vault and the store are what they were before."""
    before = everything(outage)
    said = run(outage, "heal", "-f", route, "--dry-run")
    plan = run(outage, "heal", "-f", route, "--dry-run", "-o", "json")
    assert everything(outage) == before
    assert (said.code, plan.code) == (3, 3)
    steps = plan.json()["steps"]
    actions = ["test-key", "write-vault", "force-sync", "replace-pod", "flush", "prove"]
    assert [step["action"] for step in steps] == actions
    assert not any(step["destructive"] for step in steps)
    assert "short grace" in said.out
    assert "its WAL is on a volume" in " ".join(said.out.split())


def everything(home: Homelab) -> Json:
    """Return every object of the cluster by version, the vault, and what the store holds."""
    kinds = home.kubernetes.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    noise = {"componentstatuses", "events.events.k8s.io", "events"}
    wanted = ",".join(kind for kind in kinds if kind not in noise)
    seen = json.loads(home.kubernetes.kubectl("get", wanted, "-A", "-o", "json"))["items"]
    ours = (home.monitoring, home.storage, None)
    objects = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): each
        for each in seen
        if each["metadata"].get("namespace") in ours
    }
    return {
        "objects": objects,
        "item": home.connect.vaults[home.vault_id].items[home.item_id].now,
        "keys": home.rgw.admin("user", "info", f"--uid={home.user}")["keys"],
        "store": sorted(
            each["name"] for each in home.rgw.admin("bucket", "list", f"--bucket={home.bucket}")
        ),
    }


def test_a_probe_tries_each_key_link_by_link(outage: Homelab, route: str) -> None:
    """The Secret's key fails at the first call, the source's passes all four."""
    said = run(outage, "probe", "credential", "-f", route, "-o", "json")
    links = {link["name"]: link for link in said.json()["links"]}
    assert said.code == 3
    assert links["store, Secret's key: put"]["cause"] == "access_key_unknown"
    calls = ("put", "get", "list", "delete")
    assert [links[f"store, Secret's key: {call}"]["ok"] for call in calls[1:]] == [None] * 3
    assert all(links[f"store, source's key: {call}"]["ok"] for call in calls)
    assert "FAIL" in run(outage, "probe", "credential", "-f", route).out


def test_rbac_prints_what_can_be_applied(outage: Homelab, route: str) -> None:
    """The Roles name this route's Secrets and no other, and the API server takes them."""
    said = run(outage, "rbac", "-f", route)
    assert said.code == 0
    outage.kubernetes.kubectl("apply", "--dry-run=server", "-f", "-", stdin=said.out)
    named = {
        name
        for role in yaml.safe_load_all(said.out)
        for rule in role.get("rules", ())
        if "secrets" in rule["resources"]
        for name in rule["resourceNames"]
    }
    assert named == {"loki-s3-credentials", "onepassword-token", outage.generated}


def test_a_resource_in_the_cluster_serves_as_a_file_does(outage: Homelab, route: str) -> None:
    """By name, by kind and name, by its Loki, or from a file: the same route and finding."""
    manifest = outage.route(mode="Observe")
    outage.kubernetes.apply(manifest)
    try:
        asked = (("loki",), ("storagecredential/loki",), ("scred/loki",), ("sts/loki",))
        seen = [run(outage, "trace", *words, "-o", "json").json() for words in asked]
        listed = run(outage, "status", "-o", "json").json()["routes"]
        doctor = run(outage, "doctor", "-o", "json").json()
        status = run(outage, "status")
    finally:
        kind = "storagecredentials"
        outage.kubernetes.kubectl("delete", kind, "loki", "-n", outage.monitoring)
    seen.append(run(outage, "trace", "-f", route, "-o", "json").json())
    assert {first_finding(report)["id"] for report in seen} == {first_finding(doctor)["id"]}
    assert [each["owner"]["kind"] for each in doctor["routes"]] == ["StorageCredential"]
    assert [each["owner"]["namespace"] for each in listed] == [outage.monitoring]
    assert "never looked at" in status.out
    assert status.code == 0


def test_explain_knows_what_was_found(outage: Homelab) -> None:
    """By code, by cause, and by the condition's reason, which is the cause in other letters."""
    words = ("LK0401", "vault_behind_source", "VaultBehindSource")
    code, cause, reason = (run(outage, "explain", word).out for word in words)
    assert cause == reason
    assert code in cause
    assert "lokeys heal" in code


def test_the_same_words_serve_kubectl(outage: Homelab, route: str) -> None:
    """`kubectl lokeys trace` is `lokeys trace`, and calls itself so."""
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    folder = Path(sys.executable).parent
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(outage.kubernetes.folder)}
    environ |= {"KUBECONFIG": str(outage.kubernetes.kubeconfig)}

    def asked(*words: str) -> str:
        done = subprocess.run(
            [kubectl, "lokeys", *words], capture_output=True, text=True, check=False, env=environ
        )
        return done.stdout + done.stderr

    assert "here it goes stale" in asked("-n", outage.monitoring, "trace", "-f", route)
    assert "kubectl lokeys" in asked("--help")
