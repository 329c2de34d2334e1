# SPDX-License-Identifier: Apache-2.0
"""What is resolved, what is rendered and what the real Loki reads of a Secret are one and the same.

Where a Secret leads is seen at Loki's first request: it goes through a proxy, which names host,
method and path of it, and answers nothing.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import run
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from lokeys.core.place import Ref
from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import Storage
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.resolved import resolved_to_json
from lokeys.core.stack.storage.secret_data import secret_data
from manifests.lokistack import NOW, Choice
from manifests.unusual import AT_S3, ELSEWHERE, TOKEN_FILE, UNUSUAL, Unusual
from parts.process import Process, free_ports, wait_for

WORDS = ("-config.expand-env=true", "-print-config-stderr", "-verify-config")
HOST = "127.0.0.1"
NOTHING: Mapping[str, str] = MappingProxyType({})


def rendered(row: Unusual) -> tuple[Storage, str, dict[str, str]]:
    """Return the storage, Loki's configuration, and a pod's variables with the Secret's values."""
    manifest = Choice().manifest
    manifest["spec"]["storage"]["secret"] = {"name": "store", "type": row.kind}
    stack, faults = parse(manifest)
    assert stack, faults
    ref = Ref("Secret", "store", stack.namespace)
    data = secret_data({"stringData": dict(row.secret)}, ref=ref, stack=stack.ref).data
    storage = read_storage(stack.ref, row.kind, None, secret=data).storage
    assert storage is not None
    objects = render(stack, storage, options=RenderOptions(now=NOW))
    (config,) = (o["data"]["config.yaml"] for o in objects if o["kind"] == "ConfigMap")
    (pod,) = (
        o["spec"]["template"]["spec"]["containers"][0]
        for o in objects
        if o["metadata"]["name"].endswith("-ingester") and o["kind"] == "StatefulSet"
    )
    around = {
        each["name"]: each.get("value") or row.secret[each["valueFrom"]["secretKeyRef"]["key"]]
        for each in pod["env"]
        if "value" in each or "secretKeyRef" in each["valueFrom"]
    }
    return storage, config, around


def read_by(loki: Path, folder: Path, config: str, around: Mapping[str, str]) -> dict[str, Any]:
    """Return the store's part of the configuration that Loki prints when it has read ours."""
    file = folder / "config.yaml"
    file.write_text(config)
    done = run(
        [loki, "-target=ingester", f"-config.file={file}", *WORDS],
        env=dict(around),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = done.stderr.partition("# Loki Config")[2].rpartition("\n\nlevel=")[0]
    found: dict[str, Any] = yaml.load(printed, Loader=yaml.CSafeLoader)
    store: dict[str, Any] = found["storage_config"]["object_store"]
    return store


def facts_of(kind: str, store: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Loki has read, in the words of `resolved`."""
    match kind:
        case "s3":
            said = store["s3"]
            return {
                "buckets": [said["bucket_name"]],
                "region": said["region"],
                "insecure": said["insecure"],
                "sts": said["native_aws_auth_enabled"],
            }
        case "azure":
            said = store["azure"]
            return {"container": said["container_name"], "endpointSuffix": said["endpoint_suffix"]}
        case "gcs":
            return {"bucket": store["gcs"]["bucket_name"]}
        case "swift":
            names = {"region": "region_name", "container": "container_name", "authUrl": "auth_url"}
            keys = ("userDomainName", "userId", "domainName", "projectName", "projectDomainId")
            snake = {
                key: "".join(f"_{c.lower()}" if c.isupper() else c for c in key) for key in keys
            }
            return {key: store["swift"][name] for key, name in (snake | names).items()}
        case _:
            return {"endpoint": store["alibaba"]["endpoint"], "bucket": store["alibaba"]["bucket"]}


@pytest.mark.parametrize("row", UNUSUAL, ids=str)
def test_loki_reads_what_is_resolved(loki_binary: Path, tmp_path: Path, row: Unusual) -> None:
    """Letter for letter; what YAML drops at the end of a value has not travelled."""
    storage, config, around = rendered(row)
    store = read_by(loki_binary, tmp_path, config, around)
    resolved = resolved_to_json(storage)
    assert facts_of(row.kind, store).items() <= resolved.items()
    if row.kind == "s3":
        endpoint = store["s3"]["endpoint"]
        assert endpoint == resolved["endpointHost"] or not resolved["endpointHost"]
        asked = yaml.safe_load(config)["storage_config"]["object_store"]["s3"]
        assert asked["endpoint"] == endpoint
    names = {"s3": "access_key_id", "azure": "account_name", "swift": "username"}
    name = names.get(row.kind, "")
    if name in row.secret:
        assert store[row.kind][name] == row.secret[name].rstrip("\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Loki at work, and the first lines of what it has asked."""

    storage: Storage
    process: Process
    got: list[str]


@contextmanager
def proxy() -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a proxy and the first lines of all requests that it has got."""
    got: list[str] = []
    server = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                line = connection.recv(4096).partition(b"\r\n")[0].decode(errors="replace")
                got.append(line)
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], got
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def alone(config: str, folder: Path) -> dict[str, Any]:
    """Return the configuration of a Loki of one process with the same store."""
    said = yaml.safe_load(config)
    http, grpc = free_ports(2)
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {"http_listen_port": http, "grpc_listen_port": grpc, "http_listen_address": HOST},
        "common": {
            "path_prefix": str(folder / "data"),
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}, "instance_addr": HOST},
        },
        "schema_config": said["schema_config"],
        "storage_config": {
            "use_thanos_objstore": True,
            "object_store": said["storage_config"]["object_store"],
            # Which makes it look for the tables of a day as soon as it runs.
            "tsdb_shipper": {"query_ready_num_days": 1, "cache_location": str(folder / "cache")},
        },
    }


def pods_files(folder: Path, row: Unusual) -> dict[str, str]:
    """Return variables that name the files of a pod, made below a folder."""
    token = folder / "token"
    token.write_text("header.payload.signature")
    credentials = folder / "key.json"
    credentials.write_text(row.secret.get("key.json", "{}").replace(TOKEN_FILE, str(token)))
    return {
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
    }


@contextmanager
def running(
    loki: Path,
    row: Unusual,
    folder: Path,
    *,
    settings: Mapping[str, str] = NOTHING,
    variables: Mapping[str, str] = NOTHING,
) -> Iterator[Running]:
    """Run Loki with a row's store, behind the proxy; some settings or variables are changed."""
    storage, text, around = rendered(row)
    config = alone(text, folder)
    for client in config["storage_config"]["object_store"].values():
        client.update(settings)
    file = folder / "config.yaml"
    file.write_text(yaml.dump(config))
    with proxy() as (port, got):
        through = f"http://{HOST}:{port}"
        ways = {"HTTP_PROXY": through, "HTTPS_PROXY": through}
        process = Process(
            [loki, "-target=index-gateway", f"-config.file={file}", WORDS[0]],
            log=folder / "log",
            env={**around, **pods_files(folder, row), **ways, **variables},
        )
        try:
            yield Running(storage=storage, process=process, got=got)
        finally:
            process.kill()


def first_of(loki: Running) -> str:
    """Return the first line of the first request."""
    what = "Loki's first request"
    wait_for(lambda: bool(loki.got), what, timeout_s=60, processes=(loki.process,))
    return loki.got[0]


@pytest.mark.parametrize("row", [row for row in AT_S3 if row.first], ids=str)
def test_the_first_request_goes_where_it_is_resolved(
    loki_binary: Path, tmp_path: Path, row: Unusual
) -> None:
    """By path or by virtual host, as the table says and as is resolved."""
    with running(loki_binary, row, tmp_path) as loki:
        expected = row.first if row.first.startswith("GET ") else f"CONNECT {row.first}:443"
        assert first_of(loki).startswith(expected)
    resolved = resolved_to_json(loki.storage)
    by_path = not row.first.startswith(f"{resolved['buckets'][0]}.")
    assert resolved["forcePathStyle"] is by_path


@pytest.mark.parametrize("row", [row for row in ELSEWHERE if row.first], ids=str)
def test_the_first_request_exchanges_the_token(
    loki_binary: Path, tmp_path: Path, row: Unusual
) -> None:
    """At the address in the file, or the client's own; a tenant's domain is as good as its id."""
    with running(loki_binary, row, tmp_path) as loki:
        assert first_of(loki).startswith(f"CONNECT {row.first}:443")


def test_a_tenant_that_is_no_name_is_never_asked(loki_binary: Path, tmp_path: Path) -> None:
    """The client passes over the identity, and asks the machine for another."""
    domain = next(row for row in ELSEWHERE if row.why == "a tenant named by a domain")
    strange = {"AZURE_TENANT_ID": "contoso onmicrosoft"}
    with running(loki_binary, domain, tmp_path, variables=strange) as loki:
        assert "login.microsoftonline.com" not in first_of(loki)


SOUND = {row.kind: row for row in reversed(UNUSUAL)}


def test_a_region_that_the_client_does_not_know_is_asked_elsewhere(
    loki_binary: Path, tmp_path: Path
) -> None:
    """What the warning says: it asks us-east-1, whatever host is given."""
    aws = next(row for row in AT_S3 if row.why == "dual stack")
    region = "ap-southeast-6"
    place = {"endpoint": f"https://s3.{region}.amazonaws.com", "region": region}
    row = replace(aws, secret={**aws.secret, **place})
    with running(loki_binary, row, tmp_path) as loki:
        assert first_of(loki).startswith("CONNECT loki.s3.dualstack.us-east-1.amazonaws.com:443")


@pytest.mark.parametrize(
    ("kind", "setting", "value", "complaint"),
    [
        *(
            ("s3", "bucket_name", name, "Bucket name")
            for name in ("a..b", "-loki-", "192.168.1.1", "loki.-x", "loki-.x", "loki.", "lo")
        ),
        ("s3", "endpoint", "eu-storage.googleapis.com", "should be 'storage.googleapis.com'"),
        ("s3", "endpoint", "minio_", "domain name standards"),
        ("s3", "endpoint", "loki", "must not prefixed with the bucket name"),
        ("swift", "auth_url", "https://keystone:5000", "Can't find AuthVersion"),
        ("alibabacloud", "bucket", "loki.logs", "can only include lowercase letters"),
        ("alibabacloud", "bucket", "-loki", "must start and end"),
        ("alibabacloud", "endpoint", "HTTPS://oss.example.com", "loki.HTTPS"),
    ],
)
def test_what_is_refused_is_refused_by_loki(
    loki_binary: Path, tmp_path: Path, *, kind: str, setting: str, value: str, complaint: str
) -> None:
    """Nothing is asked; the client, or Loki itself, says what it does not take."""
    log = tmp_path / "log"
    with running(loki_binary, SOUND[kind], tmp_path, settings={setting: value}) as loki:
        wait_for(lambda: complaint in log.read_text(), f"Loki refuses {value}", timeout_s=60)
        assert not loki.got
