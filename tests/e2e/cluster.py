# SPDX-License-Identifier: Apache-2.0
"""The incident in a cluster with a real node, as people install lokeys: `make cluster`.

The operator runs from its own image as two pods of its chart, with the rights that `lokeys rbac`
prints. Only Rook, 1Password and External Secrets run beside the cluster.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from e2e.chart import READY_S, InstalledChart, chart_before
from e2e.sight import ROUTE
from e2e.world import Homelab, Loop
from parts import debian
from parts.build import built_program
from parts.external_secrets import ExternalSecrets
from parts.helm import CHART, Helm
from parts.kubelet.node import Kubelet
from parts.real_node.cluster import RealNodesKubernetes
from parts.real_node.node import RealNode, unavailable
from parts.rgw import Rgw
from release.image import build

LINES = 20
Tell = Callable[[str], None]


class ClustersHomelab(Homelab):
    """A homelab whose Connect answers pods, too."""

    def _serve_connect(self) -> None:
        super()._serve_connect()
        port = int(self.connect_url.rpartition(":")[2])
        self.connect_url = f"http://{self.kubelet.relay(port)}"


class Story:
    """What happens, with the times that it takes."""

    def __init__(self, chart: InstalledChart, home: Homelab, tell: Tell) -> None:
        self._chart = chart
        self._home = home
        self._tell = tell

    def play(self, *, chart_before: Path | None) -> None:
        """Play it to its end; whatever does not hold ends it.

        It begins with the chart of the commit before, where that had one.
        """
        with self._timed("the chart is installed: 2 pods of its own image"):
            self._chart.install(chart_before or CHART)
        took_s = self._chart.ready_after_s()
        self._tell(f"{took_s:6.1f} s  from the start of a pod to its /readyz")
        assert took_s <= READY_S, "too slow"
        with self._timed("`helm test` says that it works"):
            self._chart.test()
        with self._timed("the homelab is built, and Loki writes"):
            self._home.build()
            before = self._push("before")
            self._home.wait_written()
        with self._timed("the route is followed and Ready"):
            self._follow()
            self._home.wait_condition("Ready", "True", timeout_s=120)
        route = self._route_uid()
        with self._timed("the chart is upgraded from that of the commit before; the route stays"):
            self._chart.upgrade()
            self._home.wait_condition("Ready", "True", timeout_s=60)
            assert self._route_uid() == route, "the route was made anew"
        old = self._home.pod()["metadata"]["uid"]
        during = self._push("during")
        pair = self._home.replace_key()
        with self._timed("the key was replaced: Loki runs with the new one, proved"):
            self._home.wait_ready(after=old, timeout_s=120)
            self._home.wait_healed(pair, timeout_s=120)
        lines = self._home.lines()
        assert lines == sorted(before + during), "a line was lost"
        self._tell(f"all {len(lines)} lines are there")
        self._tell(self._home.kubernetes.kubectl("get", "pods", "-A", "-o", "wide"))
        with self._timed("the chart is uninstalled; definition and route stay"):
            self._chart.uninstall()
            assert self._route_uid() == route, "the route is gone"

    def _push(self, word: str) -> list[str]:
        lines = [f"{word} {number:02}" for number in range(LINES)]
        self._home.push(*lines)
        return lines

    def _route_uid(self) -> str:
        kind = f"/apis/lokeys.dev/v1alpha1/namespaces/{self._home.monitoring}/storagecredentials"
        return str(self._home.kubernetes.api.get(f"{kind}/{ROUTE}")["metadata"]["uid"])

    def _follow(self) -> None:
        """Grant what `lokeys rbac` prints for the route, and apply it."""
        with TemporaryDirectory() as folder:
            file = self._home.file(Path(folder), self._home.route())
            said = self._home.lokeys("rbac", "-f", str(file))
            assert said.code == 0, said.err
            self._home.kubernetes.kubectl("apply", "--server-side", "-f", "-", stdin=said.out)
            self._home.kubernetes.kubectl("apply", "--server-side", "-f", str(file))

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        with timed(what, self._tell):
            yield


@contextlib.contextmanager
def timed(what: str, tell: Tell) -> Iterator[None]:
    """Tell what has come to be so, and how long it took."""
    begun = time.monotonic()
    yield
    tell(f"{time.monotonic() - begun:6.1f} s  {what}")


def main() -> int:
    """Bring up the cluster, play, and take everything away."""

    def tell(text: str) -> None:
        print(text, flush=True)

    lost = debian.missing("node") or debian.missing("image") or unavailable()
    if lost:
        tell(f"no cluster can be had here: {lost}")
        return 1
    with contextlib.ExitStack() as parts:
        folder = Path(parts.enter_context(TemporaryDirectory(prefix="lokeys-cluster-")))
        with timed("lokeys' own image is built, by its Containerfile", tell):
            image = build(folder)
        kubernetes, rgw, loop = RealNodesKubernetes(), Rgw(), Loop()
        parts.callback(kubernetes.stop)
        with timed("etcd, API server, controllers and scheduler run", tell):
            kubernetes.start()
        node = RealNode(kubernetes, built_program("loki", "loki"), archives=[image.archive])
        kubernetes.before_it_stops.callback(node.stop)
        with timed("the node is Ready", tell):
            node.start()
        parts.callback(rgw.stop)
        external_secrets = ExternalSecrets(kubernetes)
        parts.callback(external_secrets.close)
        with timed("Ceph RGW and External Secrets run", tell):
            rgw.start()
            external_secrets.start()
        parts.callback(loop.close)
        kubelet = cast("Kubelet", node)  # it has the face of the stand-in
        home = ClustersHomelab(kubernetes, external_secrets, rgw, kubelet, loop, "")
        parts.callback(home.close)
        helm = Helm(built_program("helm", "helm"), folder, kubeconfig=kubernetes.kubeconfig)
        chart = InstalledChart(kubernetes, helm, tag=image.tag)
        Story(chart, home, tell).play(chart_before=chart_before(folder))
        with timed("everything is taken away", tell):
            parts.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
