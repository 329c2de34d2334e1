# SPDX-License-Identifier: Apache-2.0
"""The real ruler finds its rules where the rendered configuration says that they are."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from lokeys.core.stack.render.render import RenderOptions, render
from manifests.lokistack import NOW, Choice
from parts.process import Process, free_ports, wait_for

TENANT = "application"
RULES = {
    "groups": [{"name": "g", "rules": [{"alert": "A", "expr": 'count_over_time({a="b"}[1m])'}]}]
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_ACCESS_KEY_SECRET": "secret"}
HOST = "127.0.0.1"


def config_of(choice: Choice, folder: Path, ports: tuple[int, ...]) -> dict[str, Any]:
    """Return the rendered configuration for a pod of one: its own folders, ports and ring."""
    stack, storage = choice.read()
    objects = render(stack, storage, options=RenderOptions(now=NOW))
    texts = (each["data"]["config.yaml"] for each in objects if each["kind"] == "ConfigMap")
    text = next(iter(texts)).replace(" /tmp/", f" {folder}/")
    config: dict[str, Any] = yaml.safe_load(text)
    http, grpc, gossip = ports
    listening = {"http_listen_port": http, "grpc_listen_port": grpc, "http_listen_address": HOST}
    config["server"] |= {**listening, "grpc_listen_address": HOST}
    config["memberlist"] |= {"bind_port": gossip, "bind_addr": [HOST], "join_members": []}
    config["common"]["ring"] |= {"instance_addr": HOST, "instance_port": grpc}
    return config


@pytest.mark.parametrize("store", ["s3", "s3-buckets"])
def test_the_ruler_serves_the_rules_of_its_folder(
    loki_binary: Path, tmp_path: Path, store: str
) -> None:
    """With the current client of the store and with the older one, which look elsewhere."""
    (tmp_path / "rules" / TENANT).mkdir(parents=True)
    (tmp_path / "rules" / TENANT / "r.yaml").write_text(yaml.dump(RULES))
    http, grpc, gossip = free_ports(3)
    config = config_of(Choice(store=store, extra="rules"), tmp_path, (http, grpc, gossip))
    (tmp_path / "config.yaml").write_text(yaml.dump(config))
    arguments = ("-target=ruler", f"-config.file={tmp_path}/config.yaml", "-config.expand-env=true")
    ring = {"HASH_RING_INSTANCE_ADDR": HOST}
    loki = Process([loki_binary, *arguments], log=tmp_path / "log", env=KEYS | ring)

    def served() -> bool:
        try:
            answer = httpx2.get(
                f"http://{HOST}:{http}/prometheus/api/v1/rules",
                headers={"X-Scope-OrgID": TENANT},
                trust_env=False,
            )
        except httpx2.TransportError:
            return False
        groups = answer.json()["data"]["groups"] if answer.is_success else []
        return [each["name"] for each in groups] == ["g"]

    try:
        wait_for(served, "the ruler serves its rules", timeout_s=60, processes=(loki,))
    finally:
        loki.kill()
    assert "will be ignored" not in (tmp_path / "log").read_text()
