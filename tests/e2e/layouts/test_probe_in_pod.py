# SPDX-License-Identifier: Apache-2.0
"""A probe in a pod next to Loki, on a real API server: with the printed rights, nothing left."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from e2e.layouts.lokis import ENDPOINT, NAMES, Json, common, component, config, placed, secret
from e2e.layouts.world import Layout
from parts.process import wait_for
from parts.rgw import Rgw

pytestmark = pytest.mark.stand_in("a real node of the tests does not have lokeys' own image")

KEY_ID, KEY = "AKLAKE00000000000017", "a-secret-of-the-probe-0123456789-abcdefg"
GONE = "AKGONE00000000000017"
IMAGE = "registry.example/lokeys:1"
LABEL = "pod-security.kubernetes.io/enforce=restricted"


def route() -> Json:
    """Return a StorageCredential of the Secret that Loki reads."""
    keys = dict(zip(("accessKeyId", "secretAccessKey"), NAMES, strict=True))
    spec = {
        "source": {"secret": {"name": "source", "keys": keys}},
        "secret": {"name": "loki-s3", "keys": keys},
        "bucket": {
            "name": "probed",
            "endpoint": ENDPOINT,
            "region": "us-east-1",
            "pathStyle": True,
        },
        "workloads": [{"kind": "StatefulSet", "name": "loki"}],
    }
    return placed("lokeys.dev/v1alpha1", "StorageCredential", "loki", spec=spec)


@pytest.fixture(scope="module")
def store(rgw: Rgw) -> Rgw:
    """Make Loki's user and bucket."""
    rgw.create_user("probed", f"--access-key={KEY_ID}", f"--secret-key={KEY}")
    assert rgw.request((KEY_ID, KEY), "PUT", "/probed").is_success
    return rgw


@pytest.fixture
def probed(layout: Layout, store: Rgw) -> Layout:
    """Return a layout with a Loki whose namespace takes restricted pods alone from now on."""
    layout.secrets.add(KEY)
    layout.lead("rook-ceph-rgw-lake", "rook-ceph", 80, to=store.port)
    pair = dict(zip(NAMES, (KEY_ID, KEY), strict=True))
    layout.put(secret("loki-s3", **pair), secret("source", **pair), config(common()))
    layout.put(component("loki", automountServiceAccountToken=False), route())
    layout.show("loki", accepted=1)
    layout.run()
    layout.kubernetes.kubectl("label", "namespace", layout.ns("monitoring"), LABEL)
    return layout


def prober(layout: Layout) -> Path:
    """Return the kubeconfig of somebody who has the printed rights alone."""
    person = layout.person("prober", monitoring=[])
    words = ("--service-account", f"{layout.ns('people')}/prober", "-o", "json")
    printed = layout.lokeys("rbac", "probe", "-n", layout.ns("monitoring"), *words)
    layout.kubernetes.apply(*json.loads(printed.stdout)["items"])
    return person


def left(layout: Layout) -> list[str]:
    """Return the names of what a probe has left: Jobs, and pods that are not Loki's."""
    place = layout.ns("monitoring")
    jobs = layout.kubernetes.api.get(f"/apis/batch/v1/namespaces/{place}/jobs")["items"]
    pods = layout.pods()
    names = [each["metadata"]["name"] for each in (*jobs, *pods)]
    return [name for name in names if name.startswith("lokeys-probe-")]


def words_of(layout: Layout) -> tuple[str, ...]:
    """Return the command, without a namespace of its own."""
    place = ("-n", layout.ns("monitoring"))
    return ("probe", "credential", "loki", *place, "--in-pod", "--image", IMAGE)


def test_a_pod_next_to_loki_tries_the_key_with_the_printed_rights(probed: Layout) -> None:
    """Each link holds; then the key is gone, and that link breaks.

    The Job is printed before, its pod passes Pod Security's level restricted, and all of it is
    removed.
    """
    person = prober(probed)
    seen = probed.lokeys(*words_of(probed), person=person)
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "kind: Job" in seen.stderr
    for link in ("dns", "tcp", "clock", "secret", "store"):
        assert link in seen.stdout
    assert left(probed) == []
    probed.put(secret("loki-s3", **dict(zip(NAMES, (GONE, KEY), strict=True))))
    seen = probed.lokeys(*words_of(probed), "-o", "json", person=person)
    assert seen.returncode == 3, seen.stdout + seen.stderr
    broken = [link for link in json.loads(seen.stdout)["links"] if link["ok"] is False]
    assert broken[0]["cause"] == "access_key_unknown"
    assert left(probed) == []


def test_an_interrupted_probe_leaves_nothing(probed: Layout) -> None:
    """Ctrl-C while its pod waits for an image that there is not: exit 130, no Job, no pod."""
    command = probed.command(*words_of(probed)[:-1], "registry.example/no-such-image:1")
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: len(left(probed)) == 2, "the Job has its pod", timeout_s=60)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert left(probed) == []
