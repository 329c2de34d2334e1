# SPDX-License-Identifier: Apache-2.0
"""The configuration of a real node's programs."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parts.build import built_program
from parts.debian import find
from parts.real_node.images import CERTIFICATES, PAUSE

Json = dict[str, Any]
CLUSTER_DNS = "10.96.0.10"
AUTHORITIES = "authorities.crt"
"""What every container trusts: this host's authorities, until a test says otherwise."""
_CNI_PROGRAMS = "/usr/lib/cni"


def write_settings(
    folder: Path,
    *,
    name: str,
    address: str,
    pods: str,
    group: str,
    ca: Path,
    shared: Iterable[Path],
) -> None:
    """Write the files that `init.sh` hands to the programs, but for the kubeconfig.

    `pods` are the pods' addresses, `group` the control group of all, `ca` signs the API server's
    certificate, `shared` are folders that each container sees.
    """
    (folder / "cni").mkdir()
    files: dict[str, Json] = {
        "kubelet.json": _kubelet(folder, address=address, group=group, ca=ca),
        "kube-proxy.json": _kube_proxy(folder, name=name, pods=pods),
        "cni/10-pods.conflist": _cni(pods),
    }
    for path, content in files.items():
        (folder / path).write_text(json.dumps(content, indent=1))
    (folder / "Corefile").write_text(_corefile(folder, address))
    (folder / AUTHORITIES).write_bytes(CERTIFICATES.read_bytes())
    (folder / "container.json").write_text(json.dumps(_container(folder, shared)))
    (folder / "containerd.toml").write_text(_containerd(folder))
    for empty in ("hosts", "resolv.conf"):
        (folder / empty).write_text("")


def _kubelet(folder: Path, *, address: str, group: str, ca: Path) -> Json:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(ca)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{group}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 200,
    }


def _kube_proxy(folder: Path, *, name: str, pods: str) -> Json:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": name,
        "clusterCIDR": pods,
        "clientConnection": {"kubeconfig": str(folder / "kubelet.kubeconfig")},
        # These belong to the whole machine.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "nftables": {"syncPeriod": "30s", "minSyncPeriod": "100ms"},
    }


def _cni(pods: str) -> Json:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": "/run/cni",
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, portmap]}


def _corefile(folder: Path, address: str) -> str:
    return f"""\
.:53 {{
    bind {address}
    errors
    ready {address}:8181
    hosts {folder}/hosts {{
        ttl 1
        reload 1s
        fallthrough
    }}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {folder}/kubelet.kubeconfig
        pods insecure
        ttl 1
    }}
}}
"""


def _container(folder: Path, shared: Iterable[Path]) -> Json:
    """Return what every container begins with: containerd's own, whom it trusts, what it sees."""
    command = [str(built_program("node", "ctr")), "oci", "spec"]
    done = subprocess.run(command, check=True, capture_output=True)
    spec: Json = json.loads(done.stdout)
    sources = {CERTIFICATES: folder / AUTHORITIES, **{path: path for path in shared}}
    spec["mounts"] += [
        {
            "destination": str(place),
            "type": "bind",
            "source": str(source),
            "options": ["bind", "ro"],
        }
        for place, source in sources.items()
    ]
    return spec


def _containerd(folder: Path) -> str:
    runtime = '[plugins."io.containerd.cri.v1.runtime"'
    return f"""\
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.tracing", \
"io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE}"
{runtime}]
  # Without CAP_SYS_RESOURCE nobody may lower a score, and runc dies of it.
  restrict_oom_score_adj = true
  {runtime}.cni]
    bin_dirs = ["{_CNI_PROGRAMS}"]
    conf_dir = "{folder}/cni"
  {runtime}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    base_runtime_spec = "{folder}/container.json"
    {runtime}.containerd.runtimes.runc.options]
      BinaryName = "{find("runc")}"
      SystemdCgroup = false
"""
