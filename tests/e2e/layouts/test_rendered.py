# SPDX-License-Identifier: Apache-2.0
"""The pair stands in Loki's configuration: a chart rendered it, or External Secrets composed it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.layouts.lake import Lake, delivered, lake_of
from e2e.layouts.world import Json, Layout, Told
from parts.process import wait_for
from parts.rgw import Rgw

ASKED = "reconcile.fluxcd.io/requestedAt"


@pytest.fixture
def lake(rgw: Rgw) -> Iterator[Lake]:
    """Make Loki's user and bucket."""
    with lake_of(rgw) as made:
        yield made


def hops(told: Told) -> dict[str, Json]:
    """Return the hops of the only route, by name."""
    (route,) = told.document["routes"]
    return {hop["name"]: hop for hop in route["hops"]}


def release(layout: Layout) -> Json:
    """Return the HelmRelease."""
    path = f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{layout.ns('monitoring')}/helmreleases/loki"
    found: Json = layout.kubernetes.api.get(path)
    return found


def render(layout: Layout, pair: tuple[str, str]) -> None:
    """Render the chart's ConfigMap with a pair, as Flux does once it is asked."""
    path = f"/api/v1/namespaces/{layout.ns('monitoring')}/configmaps/loki"
    text = layout.kubernetes.api.get(path)["data"]["config.yaml"]
    config = yaml.safe_load(text)
    s3 = config["common"]["storage"]["s3"]
    s3["access_key_id"], s3["secret_access_key"] = map(str, pair)
    layout.kubernetes.api.patch(path, {"data": {"config.yaml": yaml.safe_dump(config)}})


def test_a_key_in_a_charts_config_map_is_followed(
    layout: Layout, lake: Lake, tmp_path: Path
) -> None:
    """From the claim through Flux's values; Flux is asked, the pod replaced, and that proved."""
    lake.make(layout, "values-inline")
    layout.show("loki", accepted=9)
    layout.run()
    healthy = layout.doctor()
    assert (healthy.code, healthy.errors) == (0, []), healthy.screen
    assert healthy.codes == ["LK0907"]
    found = layout.discover()
    assert found.code == 0, found.screen + found.aside
    spec = found.document["spec"]
    assert spec["source"] == {"objectBucketClaim": {"name": "logs-bucket"}}
    assert spec["secret"]["madeBy"] == {"kind": "HelmRelease", "name": "loki"}
    assert (spec["secret"]["kind"], spec["secret"]["inside"]) == ("ConfigMap", "config.yaml")

    lake.replace_key()
    render(layout, lake.old)  # Flux has done so before the key was replaced
    layout.apply("values-inline", **lake.words())
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors[0]) == (3, "LK0515"), stale.screen
    seen = hops(stale)
    assert seen["source"]["ref"]["name"] == seen["values"]["ref"]["name"] == "logs-bucket"
    assert (seen["values"]["agrees"], seen["secret"]["agrees"]) == (True, False)
    assert seen["release"]["ref"]["kind"] == "HelmRelease"
    assert "in clear" in seen["secret"]["detail"]

    remedy = stale.finding("LK0515")["remedy"]
    by_hand = layout.shell(remedy[1]["command"], tmp_path)
    assert by_hand.returncode == 0, by_hand.stderr
    first = release(layout)["metadata"]["annotations"][ASKED]
    assert remedy[0]["command"].startswith("lokeys discover")
    route = tmp_path / "loki.yaml"
    route.write_text(layout.discover().screen)
    layout.show("loki", accepted=9)
    command = layout.command("heal", "-f", str(route), "--accept-loss", "--timeout", "90s")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as heal:
        wait_for(
            lambda: release(layout)["metadata"]["annotations"][ASKED] != first,
            "Flux is asked",
            timeout_s=60,
        )
        render(layout, lake.pair)
        said, _ = heal.communicate(timeout=120)
    assert heal.returncode == 0, said.decode()
    assert "proved" in said.decode()
    assert str(lake.pair[1]) not in said.decode()
    assert layout.doctor().errors == []


def test_a_suspended_release_is_resumed_first(layout: Layout, lake: Lake, tmp_path: Path) -> None:
    """Asking it would do nothing: the remedy says what a person does, and it works as printed."""
    lake.make(layout, "values-inline")
    lake.replace_key()
    layout.apply("values-inline", **lake.words())
    namespace = layout.ns("monitoring")
    path = f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{namespace}/helmreleases/loki"
    layout.kubernetes.api.patch(path, {"spec": {"suspend": True}})
    layout.show("loki", refused=9)
    layout.run()
    told = layout.doctor()
    assert told.errors[0] == "LK0515", told.screen
    assert "suspended" in hops(told)["release"]["detail"]
    done = layout.shell(told.finding("LK0515")["remedy"][0]["command"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert release(layout)["spec"]["suspend"] is False


def test_a_configuration_that_external_secrets_composes(layout: Layout, lake: Lake) -> None:
    """The item's fields are followed through the template to their places in the configuration."""
    lake.keep(("access_key", "secret_key"), lake.pair)
    lake.make(layout, "config-composed")
    layout.start_external_secrets()
    delivered(layout, lake.pair[0], secret="loki-config")
    layout.show("loki", accepted=9)
    layout.run()
    healthy = layout.doctor()
    assert (healthy.code, healthy.codes) == (0, []), healthy.screen
    found = layout.discover()
    assert found.code == 0, found.screen + found.aside
    item = found.document["spec"]["vault"]["onePassword"]
    assert item["fields"] == {"accessKeyId": "access_key", "secretAccessKey": "secret_key"}
    lake.replace_key()
    lake.make(layout, "config-composed")
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors[0]) == (3, "LK0401"), stale.screen
