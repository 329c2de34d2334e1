# SPDX-License-Identifier: Apache-2.0
"""Runs the real Loki with one fault, and keeps its log, its counters and its configuration."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from logs.around import HOST
from parts.process import Folder, Process, free_ports

MADE = Path(__file__).parent / "made"
LONGEST_S = 75
HEALTHY_S = 30
ERRORS = 4
LINES = 400
BUILT_IN = re.compile(r"/[^\s,\"]{1,200}/gomod/")
"""Where this machine built Loki's parts; what is shipped has another path there."""
_COUNTERS = re.compile(
    r"loki_(?:objstore_bucket_transport_requests_total|objstore_bucket_operation_failures_total"
    r"|(?:s3|azure_blob|gcs)_request_duration_seconds_count"
    r"|ingester_chunks_flush(?:ed|_requests|_failures)_total)[ {]"
)
"""What tells of requests to the store."""
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


@dataclass
class Shown:
    """What a Loki showed."""

    log: str
    counters: str
    config: str

    def keep(self, file: Path) -> None:
        """Write it, the counters and the configuration beside the log."""
        file.write_text(self.log)
        file.with_suffix(".metrics").write_text(self.counters)
        file.with_suffix(".yaml").write_text(self.config)


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


def run(fault: Fault, loki: Path) -> Shown:
    """Run Loki with a fault until it has complained a few times."""
    place = Folder("fault")
    try:
        return _run(fault, loki, place.path)
    finally:
        place.remove()


def _run(fault: Fault, loki: Path, folder: Path) -> Shown:
    ports = free_ports(2)
    config, log, counters = folder / "config.yaml", folder / "loki.log", ""
    config.write_text(yaml.safe_dump(configuration(fault, folder, ports)))
    env = {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **fault.env}
    process = Process([loki, f"-config.file={config}"], log=log, env=env)
    url = f"http://{HOST}:{ports[0]}"
    end = time.monotonic() + (HEALTHY_S if fault.cause == "healthy" else LONGEST_S)
    try:
        while process.running and time.monotonic() < end:
            with contextlib.suppress(httpx2.TransportError):
                push(url, f"line {time.monotonic()}")
                counters = counted(url)
            time.sleep(1)
            if log.read_text(errors="replace").count("failed to flush") >= ERRORS:
                break
    finally:
        process.stop(grace_s=1)
    lines = log.read_text(errors="replace").splitlines()[:LINES]
    return Shown(
        cleaned("".join(f"{line}\n" for line in lines), fault, folder),
        counters,
        cleaned(config.read_text(), fault, folder),
    )


def push(url: str, line: str) -> None:
    """Send one line."""
    value = [str(time.time_ns()), line]
    body = {"streams": [{"stream": {"app": "demo"}, "values": [value]}]}
    httpx2.post(f"{url}/loki/api/v1/push", json=body, trust_env=False, timeout=5)


def counted(url: str) -> str:
    """Return the counters that tell of requests to the store."""
    page = httpx2.get(f"{url}/metrics", trust_env=False, timeout=5).text
    return "".join(f"{line}\n" for line in page.splitlines() if _COUNTERS.match(line))


def cleaned(text: str, fault: Fault, folder: Path) -> str:
    """Return a text without keys and without this machine's folders."""
    for value, name in {**fault.hidden, str(folder): "/var/loki"}.items():
        text = text.replace(value, name)
    return BUILT_IN.sub("/src/loki/vendor/", text)
