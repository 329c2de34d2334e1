# SPDX-License-Identifier: Apache-2.0
"""The real Loki exchanges its token at a store whose CA is one of the stack's own."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.serving import serve
from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import S3
from lokeys.http_server import HttpRequest, Response
from manifests.lokistack import NOW, Choice
from parts.process import Process, free_ports, wait_for

HOST = "127.0.0.1"
EXCHANGE = b"Action=AssumeRoleWithWebIdentity"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a CA that nobody else trusts, and that is the server's certificate, too."""
    folder = tmp_path_factory.mktemp("ca")
    names = ["-subj", "/CN=store", "-addext", f"subjectAltName=IP:{HOST}", "-days", "2"]
    files = ["-keyout", f"{folder}/store.key", "-out", f"{folder}/service-ca.crt"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509"]
    subprocess.run(
        ["openssl", "req", *kind, *names, *files], check=True, capture_output=True, timeout=60
    )
    return folder


@pytest.fixture
def store(certificate: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Serve an endpoint over TLS that refuses everything; yield it and what it was asked."""
    asked: list[bytes] = []

    async def refuse(request: HttpRequest) -> Response:
        asked.append(request.body)
        return Response(status=403, body=b"<Error><Code>AccessDenied</Code></Error>")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "service-ca.crt", certificate / "store.key")
    with serve(refuse, tls=context) as url:
        yield url, asked


@pytest.mark.parametrize("buckets", [("logs",), ("one", "two")], ids=["one", "several"])
def test_a_token_is_exchanged_over_the_stacks_own_ca(
    loki_binary: Path,
    certificate: Path,
    store: tuple[str, list[bytes]],
    tmp_path: Path,
    buckets: tuple[str, ...],
) -> None:
    """With either client: the exchange's own client trusts the CA, or would say nothing at all."""
    url, asked = store
    (tmp_path / "token").write_text("a.b.c")
    config, around = rendered(url, buckets, folder=tmp_path, ca=certificate)
    (tmp_path / "config.yaml").write_text(yaml.dump(config))
    arguments = ("-target=compactor", f"-config.file={tmp_path}/config.yaml")
    loki = Process(
        [loki_binary, *arguments, "-config.expand-env=true"], log=tmp_path / "log", env=around
    )
    try:
        wait_for(
            lambda: any(EXCHANGE in body for body in asked),
            "the token is exchanged",
            timeout_s=60,
            processes=(loki,),
        )
    finally:
        loki.kill()


def rendered(
    url: str, buckets: tuple[str, ...], *, folder: Path, ca: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the compactor's configuration and environment, for a pod of one on this host."""
    choice = Choice(store="s3-token-rgw")
    manifest = choice.manifest
    manifest["spec"]["storage"]["tls"] = {"caName": "ca"}
    stack, _ = parse(manifest)
    storage = choice.read()[1]
    assert stack
    assert isinstance(storage, S3)
    there = replace(
        storage, buckets=buckets, endpoint_host=url.removeprefix("https://"), sts_endpoint=url
    )
    objects = render(stack, there, options=RenderOptions(now=NOW))
    places = {"/etc/storage/ca": str(ca), "/var/run/secrets/storage/serviceaccount": str(folder)}
    (text,) = (each["data"]["config.yaml"] for each in objects if each["kind"] == "ConfigMap")
    config: dict[str, Any] = yaml.safe_load(_moved(text.replace(" /tmp/", f" {folder}/"), places))
    http, grpc, gossip = free_ports(3)
    config["compactor"]["compaction_interval"] = "1s"
    config["server"] |= {"http_listen_port": http, "grpc_listen_port": grpc}
    config["memberlist"] |= {"bind_port": gossip, "bind_addr": [HOST], "join_members": []}
    config["common"]["ring"] |= {"instance_addr": HOST, "instance_port": grpc}
    (pod,) = (
        each["spec"]["template"]["spec"]
        for each in objects
        if each["metadata"]["name"] == f"{stack.name}-compactor" and each["kind"] == "StatefulSet"
    )
    env = {
        entry["name"]: _moved(entry.get("value", "arn:aws:iam:::role/loki"), places)
        for entry in pod["containers"][0]["env"]
    }
    return config, env


def _moved(text: str, places: dict[str, str]) -> str:
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)
