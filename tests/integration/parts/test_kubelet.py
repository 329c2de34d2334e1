# SPDX-License-Identifier: Apache-2.0
"""What a node does with pods: the stand-in, and with `--real-node` the real one."""

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lokeys.http_server import HttpRequest, Response
from lokeys.http_server import json as reply
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from lokeys.kube.portforward import forward
from parts.api import ApiError
from parts.build import program
from parts.clouds.front import Front
from parts.kubelet.network import Outpost
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import gateway
from parts.process import wait_for
from parts.rgw import Rgw

Json = dict[str, Any]
SLEEP = ["sleep", "1000"]
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}
OUTSIDE = "store.example.org"
ASKS_OUTSIDE = f"""
import ssl, time, urllib.request
trust = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")
while True:
    try:
        print(urllib.request.urlopen("https://{OUTSIDE}/", context=trust).read(), flush=True)
    except OSError as error:
        print(error, flush=True)
    time.sleep(0.5)
"""
DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
POLITE = ["sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"]


class Pods:
    """The pods of one namespace, as a test sees them."""

    def __init__(self, kubernetes: Kubernetes, kubelet: Kubelet, namespace: str) -> None:
        self.kubernetes = kubernetes
        self.kubelet = kubelet
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}"

    def make(self, *containers: Json, name: str = "pod", **spec: object) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [{"image": "any", **one} for one in containers], **spec},
        }
        self.kubernetes.api.post(f"{self.path}/pods", body)

    def get(self, name: str = "pod") -> Json | None:
        return self.kubernetes.api.find(f"{self.path}/pods/{name}")

    def status(self, name: str = "pod") -> Json:
        found = self.get(name)
        assert found is not None
        status: Json = found["status"]
        return status

    def container(self, index: int = 0) -> Json:
        statuses = self.status().get("containerStatuses", [])
        return statuses[index] if statuses else {}

    def ready(self, name: str = "pod") -> bool:
        conditions = self.status(name).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def wait_ready(self, name: str = "pod") -> None:
        wait_for(lambda: self.ready(name), f"{name} is ready")

    def events(self, reason: str) -> list[Json]:
        selector = f"?fieldSelector=involvedObject.name=pod,reason={reason}"
        found: list[Json] = self.kubernetes.api.get(f"{self.path}/events{selector}")["items"]
        return found

    def again(self, how: str, *, grace_s: int) -> None:
        """Delete or evict the pod, which may be going already."""
        options = {"gracePeriodSeconds": grace_s}
        if how == "delete":
            self.kubernetes.api.delete(f"{self.path}/pods/pod", options)
        else:
            body = {"metadata": {"name": "pod"}, "deleteOptions": options}
            kind = {"apiVersion": "policy/v1", "kind": "Eviction"}
            self.kubernetes.api.post(f"{self.path}/pods/pod/eviction", kind | body)

    def log(self, container: str, *options: str) -> str:
        return self.kubernetes.kubectl(
            "logs", "-n", self.namespace, "pod", "-c", container, *options
        )


@pytest.fixture
def pods(kubernetes: Kubernetes, kubelet: Kubelet, namespace: str) -> Pods:
    """Take a new namespace's pods."""
    kubelet.take(namespace)
    return Pods(kubernetes, kubelet, namespace)


def test_environment_and_files_come_from_secrets_and_config_maps(pods: Pods) -> None:
    """A container sees what its manifest names, each from where it says."""
    api = pods.kubernetes.api
    metadata = {"metadata": {"name": "given"}}
    api.post(f"{pods.path}/secrets", metadata | {"stringData": {"word": "from-secret"}})
    api.post(f"{pods.path}/configmaps", metadata | {"data": {"conf": "from-map"}})
    environment = [
        {"name": "ONE", "valueFrom": {"secretKeyRef": {"name": "given", "key": "word"}}},
        {"name": "TWO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "THREE", "value": "$(TWO)-$(NOBODY)"},
    ]
    command = "echo $ONE $TWO $THREE $word; cat /etc/given/conf /etc/more/word; echo; sleep 1000"
    mounts = [
        {"name": "map", "mountPath": "/etc/given"},
        {"name": "secret", "mountPath": "/etc/more"},
    ]
    volumes = [
        {"name": "map", "configMap": {"name": "given"}},
        {"name": "secret", "secret": {"secretName": "given"}},
    ]
    container = {
        "name": "main",
        "command": ["sh", "-c", command],
        "env": environment,
        "envFrom": [{"secretRef": {"name": "given"}}],
        "volumeMounts": mounts,
    }
    pods.make(container, volumes=volumes)
    pods.wait_ready()
    wait_for(lambda: "from-map" in pods.log("main"), "the container has spoken")
    assert pods.log("main").split() == [
        "from-secret",
        "pod",
        "pod-$(NOBODY)",
        "from-secret",
        "from-mapfrom-secret",
    ]


def test_a_missing_secret_keeps_the_container_waiting_until_it_is_there(pods: Pods) -> None:
    """The reason is the one that a kubelet gives, and the container starts by itself."""
    reference = {"secretKeyRef": {"name": "late", "key": "word"}}
    pods.make({"name": "main", "command": SLEEP, "env": [{"name": "A", "valueFrom": reference}]})
    wait_for(lambda: pods.container().get("state", {}).get("waiting"), "it waits")
    wait_for(
        lambda: pods.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError",
        "it says why",
    )
    body = {"metadata": {"name": "late"}, "stringData": {"word": "x"}}
    pods.kubernetes.api.post(f"{pods.path}/secrets", body)
    pods.wait_ready()


def test_a_container_cannot_write_to_the_hosts_files(pods: Pods) -> None:
    """What a container writes outside its volumes is its own."""
    command = "echo mine > /etc/lokeys-was-here && cat /etc/lokeys-was-here && sleep 1000"
    pods.make({"name": "main", "command": ["sh", "-c", command]})
    wait_for(lambda: pods.ready() and "mine" in pods.log("main"), "it has written")
    with pytest.raises(FileNotFoundError), open("/etc/lokeys-was-here"):  # noqa: PTH123
        pass


def test_a_read_only_container_writes_to_its_volumes_alone(pods: Pods) -> None:
    """As rendered pods are: whatever is not a volume cannot be written."""
    tries = "touch /etc/x 2>/dev/null || touch /data/x && ls /data && sleep 1000"
    container = {
        "name": "main",
        "command": ["sh", "-c", tries],
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pods.make(container, volumes=[{"name": "data", "emptyDir": {}}])
    wait_for(lambda: pods.ready() and "x" in pods.log("main"), "it has written")


def test_two_pods_listen_on_the_same_port(pods: Pods) -> None:
    """Each pod has an address of its own, which the host reaches."""
    serve = [
        "/usr/bin/env",
        "python3",
        "-m",
        "http.server",
        "3100",
        "--directory",
        "/proc/self/net",
    ]
    probe = {"httpGet": {"path": "/", "port": 3100}, "periodSeconds": 1}
    for name in ("one", "two"):
        pods.make({"name": "main", "command": serve, "readinessProbe": probe}, name=name)
    pods.wait_ready("one")
    pods.wait_ready("two")
    assert pods.status("one")["podIP"] != pods.status("two")["podIP"]


@pytest.mark.real_node
def test_a_port_is_forwarded_through_the_api_server(pods: Pods) -> None:
    """A client that reaches only the API server reads a page from a pod, in one piece."""
    command = "head -c 300000 /dev/zero > /data/page; exec python3 -m http.server 3100 -d /data"
    container = {
        "name": "main",
        "command": ["sh", "-c", command],
        "readinessProbe": {"tcpSocket": {"port": 3100}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pods.make(container, volumes=[{"name": "data", "emptyDir": {}}])
    pods.wait_ready()

    async def read(port: int) -> bytes:
        config = load(kubeconfig=str(pods.kubernetes.kubeconfig))
        async with Api(config) as api:
            place = {"namespace": pods.namespace, "pod": "pod"}
            async with (
                forward(api, **place, port=port) as (host, here),
                httpx2.AsyncClient(trust_env=False) as client,
            ):
                page: bytes = (await client.get(f"http://{host}:{here}/page")).content
                return page

    assert asyncio.run(read(3100)) == bytes(300000)
    with pytest.raises(httpx2.TransportError):
        asyncio.run(read(9))
    url = f"{pods.path}/pods/pod/portforward?ports=3100"
    with pytest.raises(ApiError) as refused:
        pods.kubernetes.api.call("GET", url, headers=WEBSOCKET | {"Accept": "application/json"})
    assert refused.value.status == 406


def test_an_outpost_reaches_the_api_server_and_no_pod(pods: Pods, outpost: Outpost) -> None:
    """A laptop's view: kubectl works there, a pod's address does not."""
    serve = ["python3", "-m", "http.server", "3100", "-d", "/proc/self/net"]
    probe = {"tcpSocket": {"port": 3100}, "periodSeconds": 1}
    pods.make({"name": "main", "command": serve, "readinessProbe": probe})
    pods.wait_ready()
    kubeconfig = pods.kubernetes.kubeconfig_through(outpost.address)
    kubectl = str(program("kubernetes", "kubectl"))
    listed = [*outpost.command, kubectl, f"--kubeconfig={kubeconfig}", "get", "namespaces"]
    assert (
        "kube-system" in subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    )
    connect = f"import socket; socket.create_connection(({pods.status()['podIP']!r}, 3100), 2)"
    reached = [*outpost.command, sys.executable, "-c", connect]
    assert (
        "unreachable" in subprocess.run(reached, check=False, capture_output=True, text=True).stderr
    )


def test_a_service_name_leads_to_a_part_on_this_host(pods: Pods, rgw: Rgw) -> None:
    """Pods find a Service by each spelling of its name; a gateway's pod leads to RGW."""
    target = pods.kubelet.relay(rgw.port)
    pods.kubernetes.apply(*gateway(pods.namespace, "store", port=80, target=target))
    pods.wait_ready("store")
    names = ("store", f"store.{pods.namespace}.svc", f"store.{pods.namespace}.svc.cluster.local")
    tries = "; ".join(f"urllib.request.urlopen('http://{name}/').read()" for name in names)
    program = f"import urllib.request; {tries}; print('found'); import time; time.sleep(1000)"
    pods.make({"name": "main", "command": ["python3", "-uc", program]})
    wait_for(lambda: pods.ready() and pods.log("main"), "it has tried")
    assert pods.log("main") == "found\n"


def test_a_name_of_the_world_outside_leads_where_a_test_says(pods: Pods, tmp_path: Path) -> None:
    """Pods find a front of ours under the name of a cloud, and trust who signed its certificate."""

    async def answer(host: str, _: HttpRequest) -> Response:
        return reply({"host": host})

    front = Front(pods.kubelet.address, {OUTSIDE: answer}, tmp_path)
    try:
        pods.kubelet.lead([OUTSIDE], front.address, trusting=front.ca_file)
        pods.make({"name": "main", "command": ["python3", "-c", ASKS_OUTSIDE]})
        pods.wait_ready()
        said = f'{{"host":"{OUTSIDE}"}}'
        wait_for(lambda: said in pods.log("main"), "it was answered", timeout_s=60)
    finally:
        front.close()


def test_one_of_two_containers_is_not_ready(pods: Pods) -> None:
    """A sidecar that never becomes ready keeps its pod at 1/2, with an event that says why."""
    probe = {"httpGet": {"path": "/", "port": 9}, "periodSeconds": 1}
    pods.make(
        {"name": "main", "command": SLEEP},
        {"name": "sidecar", "command": SLEEP, "readinessProbe": probe},
    )
    wait_for(lambda: pods.container(0).get("ready"), "the first is ready")
    assert pods.container(1)["ready"] is False
    assert not pods.ready()
    wait_for(lambda: pods.events("Unhealthy"), "the event is there")


def test_a_crashing_container_is_restarted_later_each_time(pods: Pods) -> None:
    """Restarts are counted, its end shows before the wait, which has its well-known name."""
    pods.make({"name": "main", "command": ["sh", "-c", "echo dying; exit 3"]})
    wait_for(lambda: "terminated" in pods.container().get("state", {}), "it has ended")
    wait_for(lambda: pods.container().get("restartCount", 0) >= 2, "it was restarted")
    wait_for(lambda: "waiting" in pods.container()["state"], "it waits")
    status = pods.container()
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 3
    # Any of an image's names, and wholly, whatever the manifest calls it.
    assert re.fullmatch(r"docker\.io/library/[a-z]+:latest", status["image"])
    assert "dying" in pods.log("main", "--previous")


def test_an_unknown_image_is_not_pulled(pods: Pods) -> None:
    """An image that this node does not know never starts."""
    pods.make({"name": "main", "image": "example.org/nobody:1"})
    what = "it cannot be pulled"
    wait_for(lambda: "ImagePull" in json.dumps(pods.container()), what, timeout_s=60)


def test_a_polite_container_ends_at_once(pods: Pods) -> None:
    """SIGTERM is enough: nobody waits for the grace period."""
    pods.make({"name": "main", "command": POLITE}, terminationGracePeriodSeconds=60)
    wait_for(lambda: pods.ready() and "up" in pods.log("main"), "it listens")
    pods.kubernetes.api.delete(f"{pods.path}/pods/pod")
    wait_for(lambda: pods.get() is None, "the pod is gone", timeout_s=40)


@pytest.mark.real_node
def test_the_first_process_hears_no_signal_that_it_has_no_handler_for(pods: Pods) -> None:
    """`sleep` as process 1 of its container takes its whole grace, and is killed then."""
    pods.make({"name": "main", "command": SLEEP}, terminationGracePeriodSeconds=2)
    pods.wait_ready()
    begun = time.monotonic()
    pods.kubernetes.api.delete(f"{pods.path}/pods/pod")
    wait_for(lambda: pods.get() is None, "the pod is gone", timeout_s=40)
    assert time.monotonic() - begun >= 1.9


def test_a_deaf_container_lives_until_its_grace_is_over(pods: Pods) -> None:
    """A container that ignores SIGTERM is killed when its grace period ends, not before."""
    pods.make({"name": "main", "command": DEAF}, terminationGracePeriodSeconds=2)
    pods.wait_ready()
    begun = time.monotonic()
    pods.kubernetes.api.delete(f"{pods.path}/pods/pod")
    wait_for(lambda: pods.get() is None, "the pod is gone", timeout_s=40)
    assert time.monotonic() - begun >= 1.9


@pytest.mark.real_node
@pytest.mark.parametrize("how", ["delete", "evict"])
def test_a_grace_that_runs_is_not_shortened(pods: Pods, how: str) -> None:
    """A second delete or eviction changes what the API server shows, and not when the pod ends."""
    pods.make({"name": "main", "command": DEAF}, terminationGracePeriodSeconds=20)
    pods.wait_ready()
    begun = time.monotonic()
    pods.kubernetes.api.delete(f"{pods.path}/pods/pod")
    wait_for(lambda: pods.events("Killing"), "its node has begun to stop it")
    (killing,) = pods.events("Killing")
    assert killing["involvedObject"]["fieldPath"] == "spec.containers{main}"
    time.sleep(3)
    pods.again(how, grace_s=1)
    told = pods.get()
    assert told is not None
    assert told["metadata"]["deletionGracePeriodSeconds"] == 1
    wait_for(lambda: pods.get() is None, "the pod is gone", timeout_s=60)
    assert time.monotonic() - begun >= 19.9


@pytest.mark.real_node
def test_a_first_eviction_may_ask_for_a_short_grace(pods: Pods) -> None:
    """A deaf container is killed after the grace of the eviction, not after its own."""
    pods.make({"name": "main", "command": DEAF}, terminationGracePeriodSeconds=600)
    pods.wait_ready()
    pods.again("evict", grace_s=2)
    wait_for(lambda: pods.get() is None, "the pod is gone", timeout_s=40)


@pytest.mark.real_node
def test_a_forced_delete_removes_the_object_and_not_the_process(pods: Pods) -> None:
    """With grace 0 the object goes at once; the container lives on for its grace."""
    pods.make({"name": "main", "command": DEAF}, terminationGracePeriodSeconds=3)
    pods.wait_ready()
    container = pods.container()["containerID"]
    wait_for(lambda: pods.kubelet.processes(container), "its process runs")
    pods.kubernetes.api.delete(f"{pods.path}/pods/pod", {"gracePeriodSeconds": 0})
    assert pods.get() is None
    assert pods.kubelet.processes(container), "it runs on"
    wait_for(lambda: not pods.kubelet.processes(container), "the process is gone")


def test_pods_live_on_while_the_api_server_restarts(pods: Pods) -> None:
    """A node that loses the API server keeps its pods, and reports again afterwards."""
    pods.make({"name": "main", "command": SLEEP})
    pods.wait_ready()
    before = pods.container()["containerID"]
    pods.kubernetes.restart_api_server(kill=True)
    pods.make({"name": "main", "command": SLEEP}, name="later")
    pods.wait_ready("later")
    assert pods.container()["containerID"] == before
    assert pods.container()["restartCount"] == 0


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        pytest.param("Never", 0, "Succeeded", id="done"),
        pytest.param("Never", 7, "Failed", id="failed, and nobody tries again"),
        pytest.param("OnFailure", 0, "Succeeded", id="done at the first try"),
    ],
)
def test_a_pod_that_ends_for_good_has_a_last_phase(
    pods: Pods, policy: str, code: int, phase: str
) -> None:
    """Where the policy starts it no more, the pod says how it went."""
    pods.make({"name": "main", "command": ["sh", "-c", f"exit {code}"]}, restartPolicy=policy)
    wait_for(lambda: pods.status()["phase"] == phase, phase)
    assert pods.container()["state"]["terminated"]["exitCode"] == code


def test_a_container_that_fails_its_liveness_probe_is_restarted(pods: Pods) -> None:
    """Not only crashes count as restarts."""
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"name": "main", "command": SLEEP, "livenessProbe": probe}
    pods.make(container, terminationGracePeriodSeconds=1)
    wait_for(lambda: pods.container().get("restartCount"), "it was restarted")
    assert pods.container()["lastState"]["terminated"]["exitCode"] == 137


def test_a_mounted_secret_follows_its_object(pods: Pods) -> None:
    """Files of a Secret change under a running container; its variables would not."""
    body = {"metadata": {"name": "given"}, "stringData": {"word": "old"}}
    pods.kubernetes.api.post(f"{pods.path}/secrets", body)
    container = {
        "name": "main",
        "command": ["sh", "-c", "until grep -q new /given/word; do sleep 0.2; done; exit 0"],
        "volumeMounts": [{"name": "given", "mountPath": "/given"}],
    }
    volume = {"name": "given", "secret": {"secretName": "given"}}
    pods.make(container, volumes=[volume], restartPolicy="Never")
    pods.wait_ready()
    pods.kubernetes.api.patch(f"{pods.path}/secrets/given", {"stringData": {"word": "new"}})
    what = "it has seen the new word"
    wait_for(lambda: pods.status()["phase"] == "Succeeded", what, timeout_s=150)


def test_logs_as_a_client_asks_for_them(pods: Pods) -> None:
    """Tail, limit, timestamps and follow are those of a kubelet."""
    pods.make({"name": "main", "command": ["sh", "-c", "seq 5; sleep 1; echo end; sleep 1000"]})
    wait_for(lambda: pods.ready() and pods.log("main").count("\n") >= 5, "it has spoken")
    assert pods.log("main", "--limit-bytes=4") == "1\n2\n"
    wait_for(lambda: "end" in pods.log("main"), "it has ended")
    assert pods.log("main", "--tail=2") == "5\nend\n"
    assert pods.log("main", "--tail=1", "--timestamps")[10] == "T"
    assert "end" in pods.log("main", "--since=60s")


@pytest.mark.parametrize("volume", ["claim", "empty"])
def test_only_a_claim_outlives_its_pod(pods: Pods, volume: str) -> None:
    """A file on a claim is there for the next pod; an emptyDir goes with its pod."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"metadata": {"name": "kept"}, "spec": spec}
    pods.kubernetes.api.post(f"{pods.path}/persistentvolumeclaims", claim)
    sources: dict[str, Json] = {
        "claim": {"persistentVolumeClaim": {"claimName": "kept"}},
        "empty": {"emptyDir": {}},
    }
    command = "cat /data/file; echo kept > /data/file; echo done; sleep 1000"
    container = {
        "name": "main",
        "command": ["sh", "-c", command],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    said = []
    for _ in range(2):
        volumes = [{"name": "data", **sources[volume]}]
        pods.make(container, volumes=volumes, terminationGracePeriodSeconds=1)
        wait_for(lambda: pods.ready() and "done" in pods.log("main"), "it has written")
        said.append("kept" in pods.log("main"))
        pods.kubernetes.api.delete(f"{pods.path}/pods/pod")
        wait_for(lambda: pods.get() is None, "the pod is gone")
    assert said == [False, volume == "claim"]
    if volume == "claim":
        path = f"{pods.path}/persistentvolumeclaims/kept"
        wait_for(lambda: pods.kubernetes.api.get(path)["status"]["phase"] == "Bound", "claim bound")
