# SPDX-License-Identifier: Apache-2.0
"""The pods' network begins, whatever an earlier run has left."""

import socket
import subprocess

import pytest

from parts import debian
from parts.kubelet import network
from parts.kubelet.network import Network, ip
from parts.plugin import need
from parts.process import reserve


def test_a_network_takes_over_what_a_killed_run_has_left(pytestconfig: pytest.Config) -> None:
    """A bridge, a pod's namespace and its link, when not even the guard could clear up."""
    need(pytestconfig, "kubelet", debian.missing("kubelet") or network.unavailable())
    number = next(number for number in range(255, 0, -1) if reserve(f"cluster-{number}"))
    pod = f"lokeys{number}-2"
    ip("link", "add", f"lokeys{number}", "type", "bridge")
    ip("netns", "add", pod)
    ip("link", "add", f"lk{number}x2", "type", "veth", "peer", "name", "eth0", "netns", pod)
    made = Network(number)
    made.start()
    try:
        assert made.add_pod().name == pod
    finally:
        made.stop()
    assert not [name for _, name in socket.if_nameindex() if f"{number}" in name]
    names = subprocess.run(["ip", "netns"], check=True, capture_output=True, text=True).stdout
    assert f"lokeys{number}" not in names
