# SPDX-License-Identifier: Apache-2.0
"""From a laptop: a place that reaches the API server and nothing else of the cluster."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2e.reports import first_finding
from e2e.terminal import assert_silent
from e2e.world import Homelab, Said
from parts.kubelet.network import Outpost
from parts.manifests import gateway

PORT = 8080


class Laptop:
    """A homelab whose store and vault are behind Services, and lokeys far away from it."""

    def __init__(self, home: Homelab, outpost: Outpost, folder: Path) -> None:
        self.home = home
        self._outpost = outpost
        self._config = home.kubernetes.kubeconfig_through(outpost.address)
        self._put_behind_services()
        spec = home.route()["spec"]
        connect = spec["vault"]["onePassword"]["connect"] | {"url": self._url("connect")}
        vault = {"onePassword": spec["vault"]["onePassword"] | {"connect": connect}}
        bucket = spec["bucket"] | {"endpoint": self._url("store")}
        self.route = str(home.file(folder, home.route(vault=vault, bucket=bucket)))

    def _url(self, service: str) -> str:
        return f"http://{service}.{self.home.monitoring}.svc:{PORT}"

    def _put_behind_services(self) -> None:
        home = self.home
        ports = {"store": home.rgw.port, "connect": urlsplit(home.connect_url).port}
        for name, port in ports.items():
            assert port is not None
            target = home.kubelet.relay(port)
            home.kubernetes.apply(*gateway(home.monitoring, name, port=PORT, target=target))
        for name in ports:
            home.wait_ready(name=name)

    def lokeys(self, *words: str) -> Said:
        """Run lokeys over there; no secret may show."""
        argv = self.home.command("-n", self.home.monitoring, *words, kubeconfig=self._config)
        done = subprocess.run(
            [*self._outpost.command, *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"NO_COLOR": "1"},
        )
        assert_silent(self.home, done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def laptop(outage: Homelab, outpost: Outpost, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """Go far away from the broken homelab."""
    return Laptop(outage, outpost, tmp_path_factory.mktemp("laptop"))


def test_the_story_is_played_from_a_laptop(laptop: Laptop) -> None:
    """Without port-forward it ends in a true sentence; with it the route is healed and proved."""
    home = laptop.home
    assert_nothing_is_blamed(laptop, code=3, causes={"secret_behind_source"})
    before = home.vault_pair()
    refused = laptop.lokeys("--reach", "direct", "heal", "-f", laptop.route)
    assert (refused.code, home.vault_pair()) == (5, before)
    assert "the store cannot be reached from here" in refused.err

    found = laptop.lokeys("trace", "-f", laptop.route, "-o", "json")
    assert (found.code, found.json()["complete"]) == (3, True), found.err
    assert first_finding(found.json())["cause"] == "vault_behind_source"
    told = laptop.lokeys("bucket", "-f", laptop.route, "-o", "json").json()
    assert (told["exists"], told["accessKeyId"]) == (True, home.source_pair()[0])
    healed = laptop.lokeys("heal", "-f", laptop.route)
    assert healed.code == 0, healed.err
    assert "proved by Loki's own storage requests" in healed.out
    assert home.vault_pair() == home.pair_in(home.loki.secret) == home.source_pair()
    assert home.requests(403) == 0
    assert_nothing_is_blamed(laptop, code=5, causes=set())


def assert_nothing_is_blamed(laptop: Laptop, *, code: int, causes: set[str]) -> None:
    """Hold what is said without port-forward to what can be known from here."""
    seen = laptop.lokeys("--reach", "direct", "trace", "-f", laptop.route, "-o", "json")
    report = seen.json()
    assert (seen.code, report["complete"]) == (code, False)
    assert {found["cause"] for found in report["findings"] if found["cause"]} == causes
    unseen = [found for found in report["findings"] if found["code"] == "LK1003"]
    assert {found["hop"] for found in unseen} == {"vault", "store", "pods"}
    assert "endpoint_unreachable" not in json.dumps(report)
