# SPDX-License-Identifier: Apache-2.0
"""`make faults`: the real Loki, once with each fault, and what it prints kept with its cause.

    PYTHONPATH=tests python -m logs.faults            all faults, and a healthy run at level debug
    PYTHONPATH=tests python -m logs.faults WORD…      those whose name holds one of these words

Runs on the real Ceph RGW, Azurite and fake-gcs-server where `make parts` has put them. A log stands
in `tests/logs/made/`, named for its cause and fault; keys in it are replaced.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import yaml

from parts.build import program
from parts.clouds.stores import Azurite, FakeGcs
from parts.process import Folder, Process, free_ports
from parts.rgw import Rgw

MADE = Path(__file__).parent / "made"
HOST = "127.0.0.1"
LONGEST_S = 25
DAY_S = 20
ERRORS = 4
BUCKET = "loki"
_BUILT_IN = re.compile(r"/[^\s,\"]{1,200}/gomod/")
"""Where this machine built Loki's parts; what is shipped has another path there."""
Json = dict[str, Any]


@dataclass
class Fault:
    """One fault: the storage configuration with it, and what has to be true around it."""

    cause: str
    name: str
    storage: Json
    store: str = "s3"
    env: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        packed = ".gz" if self.name.startswith("day") else ""
        return MADE / f"{self.cause}--{self.name}.log{packed}"


def configuration(fault: Fault, folder: Path, ports: list[int]) -> Json:
    """Return Loki's whole configuration."""
    return {
        "auth_enabled": False,
        "server": {
            "http_listen_address": HOST,
            "grpc_listen_address": HOST,
            "http_listen_port": ports[0],
            "grpc_listen_port": ports[1],
            "log_level": "debug" if fault.cause == "healthy" else "info",
        },
        "common": {
            "path_prefix": str(folder),
            "replication_factor": 1,
            "instance_addr": HOST,
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": fault.store,
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "storage_config": {
            "tsdb_shipper": {
                "active_index_directory": f"{folder}/index",
                "cache_location": f"{folder}/cache",
            },
            **fault.storage,
        },
        "ingester": {
            "chunk_idle_period": "1s",
            "flush_check_period": "1s",
            "flush_op_backoff": {"min_period": "1s", "max_period": "2s", "max_retries": 4},
            "wal": {"dir": f"{folder}/wal"},
        },
        "compactor": {"working_directory": f"{folder}/compactor", "compaction_interval": "3s"},
        "limits_config": {"ingestion_rate_mb": 1, "ingestion_burst_size_mb": 1},
        "analytics": {"reporting_enabled": False},
    }


def run(fault: Fault, loki: Path) -> str:
    """Run Loki with a fault until it has complained a few times; return its log."""
    place = Folder("fault")
    try:
        return _run(fault, loki, place.path)
    finally:
        place.remove()


def _run(fault: Fault, loki: Path, folder: Path) -> str:
    ports = free_ports(2)
    config, log = folder / "config.yaml", folder / "loki.log"
    config.write_text(yaml.safe_dump(configuration(fault, folder, ports)))
    env = {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **fault.env}
    process = Process([loki, f"-config.file={config}"], log=log, env=env)
    url = f"http://{HOST}:{ports[0]}"
    begun = time.monotonic()
    try:
        while process.running and time.monotonic() - begun < LONGEST_S:
            with contextlib.suppress(httpx2.TransportError):
                push(url, f"line {time.monotonic()}")
            time.sleep(1)
            said = log.read_text(errors="replace")
            if said.count("failed to flush") >= ERRORS:
                break
    finally:
        process.stop(grace_s=1)
    return cleaned(log.read_text(errors="replace"), fault, folder)


def push(url: str, line: str) -> None:
    """Send one line."""
    value = [str(time.time_ns()), line]
    body = {"streams": [{"stream": {"app": "demo"}, "values": [value]}]}
    httpx2.post(f"{url}/loki/api/v1/push", json=body, trust_env=False, timeout=5)


def cleaned(text: str, fault: Fault, folder: Path) -> str:
    """Return a log without keys and without this machine's folders, cut where nothing is new."""
    for value, name in {**fault.hidden, str(folder): "/var/loki"}.items():
        text = text.replace(value, name)
    text = _BUILT_IN.sub("/src/loki/vendor/", text)
    return "".join(f"{line}\n" for line in text.splitlines()[:400])


def day(fault: Fault, loki: Path) -> str:
    """Run a healthy Loki through what a day has: limits, bad queries, restarts, retention."""
    place = Folder("day")
    folder, said = place.path, ""
    try:
        for _ in range(3):
            ports = free_ports(2)
            config = configuration(fault, folder, ports)
            config["compactor"] |= {"retention_enabled": True, "delete_request_store": "s3"}
            config["limits_config"] |= {"retention_period": "24h", "max_line_size": 4096}
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
            log = folder / "loki.log"
            process = Process([loki, f"-config.file={folder}/config.yaml"], log=log)
            try:
                _hours(f"http://{HOST}:{ports[0]}")
            finally:
                process.stop(grace_s=10)
            said = log.read_text(errors="replace")
    finally:
        place.remove()
    for value, name in {**fault.hidden, str(folder): "/var/loki"}.items():
        said = said.replace(value, name)
    return "".join(f"{line}\n" for line in said.splitlines()[:30_000])


def _hours(url: str) -> None:
    """Push and ask, well and badly, for a while."""
    begun = time.monotonic()
    while time.monotonic() - begun < DAY_S:
        with contextlib.suppress(httpx2.TransportError, httpx2.HTTPStatusError):
            push(url, f"line {time.monotonic()} InvalidAccessKeyId")
            push(url, "x" * 8192)
            for _ in range(3):
                push(url, "y" * 4000)
            old = {"stream": {"app": "demo"}, "values": [["1000000000", "too old"]]}
            body = {"streams": [old]}
            httpx2.post(f"{url}/loki/api/v1/push", json=body, trust_env=False, timeout=5)
            for query in ('{app="demo"} |= "AccessDenied"', "{app=", '{app="demo"} |~ "("'):
                asked = {"query": query}
                where = f"{url}/loki/api/v1/query_range"
                httpx2.get(where, params=asked, trust_env=False, timeout=5)
            with contextlib.suppress(httpx2.TimeoutException):
                httpx2.get(where, params={"query": '{app="demo"}'}, trust_env=False, timeout=0.002)
        time.sleep(0.3)


class _Page(BaseHTTPRequestHandler):
    """A captive portal: a page, whatever is asked."""

    def _answer(self) -> None:
        body = b"<html><head><title>Sign in</title></head><body>Please sign in</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Missing(_Page):
    """A web server that has no such page."""

    def _answer(self) -> None:
        body = b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names


@contextlib.contextmanager
def served(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve on a port of this host, with TLS where a context is given."""
    (port,) = free_ports(1)
    server = ThreadingHTTPServer((HOST, port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, name: str, *, address: bool) -> tuple[Path, Path]:
    """Make a certificate that signed itself, for a name or for this host's address."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    alternative = f"IP:{HOST}" if address else f"DNS:{name}"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def both(cause: str, name: str, *, insecure: bool = True, **words: Any) -> Iterator[Fault]:
    """Yield a fault for the thanos client and for the older one (now SDK v2)."""
    access, secret = ("".join(half) for half in words["pair"])  # YAML takes a plain str alone
    bucket, endpoint = words.get("bucket", BUCKET), words["endpoint"]
    hidden = {access: "AKIAEXAMPLEEXAMPLE", secret: "secret"} if access else {}
    path_style = words.get("path_style", True)
    new = {
        "bucket_name": bucket,
        "endpoint": endpoint,
        "access_key_id": access,
        "secret_access_key": secret,
        "insecure": insecure,
        "region": words.get("region", "us-east-1"),
        "bucket_lookup_type": "path" if path_style else "virtual-hosted",
    } | words.get("thanos", {})
    old = {
        "bucketnames": bucket,
        "endpoint": endpoint,
        "access_key_id": access,
        "secret_access_key": secret,
        "insecure": insecure,
        "region": words.get("region", "us-east-1"),
        "s3forcepathstyle": path_style,
    }
    env = words.get("env", {})
    thanos = {"use_thanos_objstore": True, "object_store": {"s3": new}}
    yield Fault(cause, f"{name}-thanos", thanos, env=env, hidden=hidden)
    if not words.get("thanos"):
        yield Fault(cause, f"{name}-sdk", {"aws": old}, env=env, hidden=hidden)


def faults_of_s3(rgw: Rgw, folder: Path, stack: contextlib.ExitStack) -> Iterator[Fault]:
    """Yield what can be wrong between Loki and an S3 store."""
    pair = rgw.create_user("loki")
    other = rgw.create_user("other")
    suspended = rgw.create_user("suspended")
    full = rgw.create_user("full")
    for owner, name in ((pair, BUCKET), (other, "foreign"), (suspended, "held"), (full, "small")):
        assert rgw.request(owner, "PUT", f"/{name}").is_success
    rgw.admin("user", "suspend", "--uid=suspended")
    rgw.admin("quota", "set", "--uid=full", "--quota-scope=user", "--max-objects=0")
    rgw.admin("quota", "enable", "--uid=full", "--quota-scope=user")
    there = rgw.endpoint.removeprefix("http://")
    (closed,) = free_ports(1)
    own = certificate(folder, "own", address=True)
    named = certificate(folder, "s3.example.net", address=False)
    secure = stack.enter_context(served(_Page, tls(*own)))
    misnamed = stack.enter_context(served(_Page, tls(*named)))
    missing = stack.enter_context(served(_Missing))
    known: Json = {"pair": pair, "endpoint": there}
    yield from both("healthy", "rgw", **known)
    yield from both("healthy", "day", **known)
    yield from both("access_key_unknown", "rgw", **known | {"pair": ("AKIAGONEGONEGONE", pair[1])})
    yield from both("secret_key_mismatch", "rgw", **known | {"pair": (pair[0], "x" * 40)})
    newline = {"pair": (pair[0] + "\n", pair[1])}
    yield from both("secret_trailing_newline", "in-the-id", **known | newline)
    yield from both("bucket_not_found", "rgw", **known, bucket="gone")
    yield from both("s3_access_denied_policy", "rgw-of-another", **known, bucket="foreign")
    yield from both("user_suspended", "rgw", **known | {"pair": suspended}, bucket="held")
    yield from both("object_store_full", "rgw", **known | {"pair": full}, bucket="small")
    yield from both("endpoint_unreachable", "closed", **known | {"endpoint": f"{HOST}:{closed}"})
    nobody = {"endpoint": "rgw.storage.invalid:80"}
    yield from both("endpoint_unreachable", "no-host", **known | nobody)
    yield from both("tls_scheme_mismatch", "https-to-plain", insecure=False, **known)
    tls_port = {"endpoint": f"{HOST}:{secure}"}
    yield from both("tls_scheme_mismatch", "http-to-tls", **known | tls_port)
    yield from both("tls_unknown_authority", "own", insecure=False, **known | tls_port)
    trusted = {"env": {"SSL_CERT_FILE": str(named[0])}, "endpoint": f"{HOST}:{misnamed}"}
    yield from both("tls_name_mismatch", "named", insecure=False, **known | trusted)
    yield from both("endpoint_not_s3_api", "404", **known | {"endpoint": f"{HOST}:{missing}"})
    virtual = {"endpoint": there.replace(HOST, "rgw.storage.svc"), "path_style": False}
    yield from both("virtual_host_style_dns", "svc", **known | virtual)
    variable = {"endpoint": "${S3_ENDPOINT}"}
    yield from both("env_not_expanded", "endpoint", **known | variable)
    yield from both("bucket_name_missing", "empty", **known, bucket="")
    yield from both("bucket_name_is_path", "slash", **known, bucket="acme/loki")
    yield from both("no_credentials_in_chain", "nothing", **known | {"pair": ("", "")})
    yield from faults_of_tokens(rgw, known, folder)


def faults_of_tokens(rgw: Rgw, known: Json, folder: Path) -> Iterator[Fault]:
    """Yield what the current client says where a token's exchange fails: it hides all of it."""
    token = folder / "token"
    token.write_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")
    role = {
        "AWS_ROLE_ARN": "arn:aws:iam:::role/no-such-role",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": rgw.endpoint,
    }
    native = {"native_aws_auth_enabled": True}
    words = known | {"pair": ("", ""), "thanos": native}
    yield from both("sts_trust_policy_denied", "rgw-no-role", **words, env=role)
    gone = role | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/storage/token"}
    yield from both("token_file_unreadable", "gone", **words, env=gone)
    old = {
        "bucketnames": BUCKET,
        "endpoint": known["endpoint"],
        "insecure": True,
        "region": "us-east-1",
        "s3forcepathstyle": True,
    }
    yield Fault("sts_trust_policy_denied", "rgw-no-role-sdk", {"aws": old}, env=role)
    yield Fault("token_file_unreadable", "gone-sdk", {"aws": old}, env=gone)
    store = {"AWS_ENDPOINT_URL_STS": f"{rgw.endpoint}/{BUCKET}"}
    yield Fault("sts_sent_to_storage_endpoint", "bucket-sdk", {"aws": old}, env=role | store)


def faults_of_clouds(folder: Path, stack: contextlib.ExitStack) -> Iterator[Fault]:
    """Yield what Azurite and fake-gcs-server refuse, for the older clients."""
    cert, key = certificate(folder, "azurite", address=True)
    azurite = Azurite(account="acmelogs", certificate=cert, key=key)
    azurite.start()
    stack.callback(azurite.stop)
    where = (
        f"DefaultEndpointsProtocol=https;AccountName=acmelogs;BlobEndpoint={azurite.url}/acmelogs"
    )
    env = {"SSL_CERT_FILE": str(cert)}
    hidden = {azurite.account_key: "secret"}

    def azure(account_key: str) -> Json:
        return {
            "azure": {
                "account_name": "acmelogs",
                "container_name": "loki",
                "connection_string": f"{where};AccountKey={account_key}",
            }
        }

    wrong = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
    said = ("azure_account_key_invalid", "azurite")
    yield Fault(*said, azure(wrong), store="azure", env=env, hidden={wrong: "secret"})
    none = azure(azurite.account_key)
    yield Fault("bucket_not_found", "azurite", none, store="azure", env=env, hidden=hidden)
    account = {"account_name": "acmelogs", "account_key": "?sv=2022", "container_name": "loki"}
    yield Fault("azure_account_key_invalid", "sas", {"azure": account}, store="azure")
    gcs = FakeGcs()
    gcs.start()
    stack.callback(gcs.stop)
    bucket = {"gcs": {"bucket_name": "gone"}}
    yield Fault("no_credentials_in_chain", "gcs", bucket, store="gcs")
    key_file = folder / "key.json"
    key_file.write_text("loki-access-gcs")
    named = {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}
    yield Fault("gcs_key_json_invalid", "a-name", bucket, store="gcs", env=named)
    nothing = {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/loki/key.json"}
    yield Fault("gcs_key_json_invalid", "no-file", bucket, store="gcs", env=nothing)
    service = {
        "type": "service_account",
        "private_key": "-----BEGIN PRIVATE KEY-----broken-----END PRIVATE KEY-----",
        "client_email": "loki@acme.iam.gserviceaccount.com",
        "token_uri": f"{gcs.url}/token",
    }
    broken = folder / "broken.json"
    broken.write_text(json.dumps(service))
    pem = {"GOOGLE_APPLICATION_CREDENTIALS": str(broken)}
    yield Fault("gcs_key_json_invalid", "no-line-breaks", bucket, store="gcs", env=pem)


def main(words: list[str]) -> None:
    """Make what is asked for."""
    loki = program("loki", "loki")
    if loki is None:
        raise SystemExit("there is no Loki: run `make parts`")
    MADE.mkdir(exist_ok=True)
    place, rgw = Folder("faults"), Rgw()
    with contextlib.ExitStack() as stack:
        stack.callback(place.remove)
        rgw.start()
        stack.callback(rgw.stop)
        every = [
            *faults_of_s3(rgw, place.path, stack),
            *faults_of_clouds(place.path, stack),
        ]
        wanted = [f for f in every if not words or any(w in f.file.name for w in words)]

        def make(fault: Fault) -> None:
            if fault.name.startswith("day"):
                fault.file.write_bytes(gzip.compress(day(fault, loki).encode(), mtime=0))
            else:
                fault.file.write_text(run(fault, loki))
            print(fault.file.name, fault.file.stat().st_size, flush=True)

        with ThreadPoolExecutor(int(os.environ.get("AT_ONCE", "3"))) as pool:
            list(pool.map(make, wanted))


if __name__ == "__main__":
    main(sys.argv[1:])
