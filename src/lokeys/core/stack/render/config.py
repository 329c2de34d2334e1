# SPDX-License-Identifier: Apache-2.0
"""Loki's configuration for a stack: one file for all components, and the tenants' overrides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lokeys.core.stack.render.expansion import from_environment
from lokeys.core.stack.render.limits import (
    global_limits,
    longest_query_s,
    retention_asked,
    tenant_limits,
)
from lokeys.core.stack.render.names import (
    DATA_FOLDER,
    GOSSIP_PORT,
    GRPC_PORT,
    HTTP_PORT,
    RULES_FOLDER,
    WAL_FOLDER,
    gossip_service,
    grpc_address,
    host,
    http_url,
)
from lokeys.core.stack.render.otlp import names_labels
from lokeys.core.stack.render.sizes import (
    MAX_CONCURRENT,
    delete_workers,
    replay_ceiling_mib,
    replication_factor,
)
from lokeys.core.stack.render.store import store_config
from lokeys.core.stack.resource.model import Component, LokiStack, Schema, SchemaVersion
from lokeys.core.stack.resource.schemas import in_order
from lokeys.core.stack.storage.model import Storage

RING_ADDRESS = "HASH_RING_INSTANCE_ADDR"
AVAILABILITY_ZONE = "INSTANCE_AVAILABILITY_ZONE"
MESSAGE_BYTES = 100 * 1024 * 1024
_READ_SHARE, _WRITE_MORE_S = 10, 60


def loki_config(stack: LokiStack, storage: Storage, *, now: datetime) -> dict[str, Any]:
    """Return the configuration; `now` decides which schema is in force."""
    schemas = in_order(stack.schemas)
    config: dict[str, Any] = {
        "analytics": {"reporting_enabled": False},
        "auth_enabled": True,
        "chunk_store_config": {
            "chunk_cache_config": {"embedded_cache": {"enabled": True, "max_size_mb": 500}}
        },
        "common": _common(stack),
        "compactor": _compactor(stack),
        "frontend": {
            "compress_responses": True,
            "log_queries_longer_than": "5s",
            "max_outstanding_per_tenant": 4096,
            "tail_proxy_url": http_url(stack, Component.QUERIER),
        },
        "frontend_worker": {
            "frontend_address": grpc_address(stack, Component.QUERY_FRONTEND),
            "grpc_client_config": {"max_send_msg_size": MESSAGE_BYTES},
        },
        "index_gateway": {"mode": "simple"},
        "ingester": _ingester(stack),
        "ingester_client": {
            "grpc_client_config": {"max_recv_msg_size": 64 * 1024 * 1024},
            "remote_timeout": "5s",
        },
        "limits_config": _limits(stack, schemas, now),
        "memberlist": _memberlist(stack),
        "querier": _querier(stack),
        "query_range": {
            "align_queries_with_step": True,
            "cache_results": True,
            "max_retries": 5,
            "parallelise_shardable_queries": True,
            "results_cache": {"cache": {"embedded_cache": {"enabled": True, "max_size_mb": 500}}},
        },
        "schema_config": {"configs": [_period(schema, stack) for schema in schemas]},
        "server": _server(stack),
        "storage_config": _storage(stack, storage, schemas),
        "tracing": {"enabled": False},
    }
    if names_labels(stack):
        config["distributor"] = {"otlp_config": {"default_resource_attributes_as_index_labels": []}}
    if stack.rules_enabled:
        config |= _ruler(current_client=config["storage_config"]["use_thanos_objstore"])
    return dict(sorted(config.items()))


def runtime_config(stack: LokiStack) -> dict[str, Any]:
    """Return the file that Loki reloads while it runs: each tenant's own limits."""
    return {"overrides": tenant_limits(stack) or None}


def _common(stack: LokiStack) -> dict[str, Any]:
    ring: dict[str, Any] = {
        "heartbeat_period": "5s",
        "heartbeat_timeout": "1m",
        "instance_port": GRPC_PORT,
        "kvstore": {"store": "memberlist"},
    }
    if stack.pod_ip_in_ring or stack.ipv6:
        ring["instance_addr"] = from_environment(RING_ADDRESS)
    if stack.ipv6:
        ring["instance_enable_ipv6"] = True
    if stack.zones:
        ring["instance_availability_zone"] = from_environment(AVAILABILITY_ZONE)
        ring["zone_awareness_enabled"] = True
    return {
        "compactor_grpc_address": grpc_address(stack, Component.COMPACTOR),
        "path_prefix": DATA_FOLDER,
        "replication_factor": replication_factor(stack),
        "ring": dict(sorted(ring.items())),
    }


def _compactor(stack: LokiStack) -> dict[str, Any]:
    config: dict[str, Any] = {
        "compaction_interval": "2h",
        "working_directory": f"{DATA_FOLDER}/compactor",
    }
    if retention_asked(stack):
        config |= {
            "delete_request_store": stack.storage_type,
            "retention_delete_delay": "4h",
            "retention_delete_worker_count": delete_workers(stack.size),
            "retention_enabled": True,
        }
    return dict(sorted(config.items()))


def _ingester(stack: LokiStack) -> dict[str, Any]:
    return {
        # With two copies of each line, one ingester that is gone for good would block its streams.
        "autoforget_unhealthy": True,
        "chunk_block_size": 262144,
        "chunk_encoding": "snappy",
        "chunk_idle_period": "1h",
        "chunk_retain_period": "5m",
        "chunk_target_size": 2097152,
        "flush_op_timeout": "10m",
        "lifecycler": {
            "final_sleep": "0s",
            "join_after": "30s",
            "num_tokens": 512,
            "tokens_file_path": f"{DATA_FOLDER}/ring-tokens",
        },
        "max_chunk_age": "2h",
        "wal": {
            "dir": WAL_FOLDER,
            "enabled": True,
            "replay_memory_ceiling": f"{replay_ceiling_mib(stack.size)}MB",
        },
    }


def _limits(stack: LokiStack, schemas: Sequence[Schema], now: datetime) -> dict[str, Any]:
    in_force = [schema for schema in schemas if schema.effective_date <= now.date()]
    # Loki refuses structured metadata while the schema in force is older than v13.
    structured = bool(in_force) and in_force[-1].version is SchemaVersion.V13
    common: dict[str, Any] = {
        "allow_structured_metadata": structured,
        "deletion_mode": "filter-and-delete" if retention_asked(stack) else "disabled",
        "discover_log_levels": structured and not _on_openshift(stack),
        # A label that Loki adds by itself would split each stream.
        "discover_service_name": [],
        "ingestion_rate_strategy": "global",
        "max_cache_freshness_per_query": "10m",
        "reject_old_samples": True,
        "reject_old_samples_max_age": "168h",
        "split_queries_by_interval": "30m",
        "tsdb_max_query_parallelism": 512,
        "volume_enabled": True,
    }
    return dict(sorted((common | global_limits(stack)).items()))


def _on_openshift(stack: LokiStack) -> bool:
    """Tell whether OpenShift's collector writes the lines, each with its level."""
    return stack.tenants is not None and stack.tenants.mode.on_openshift


def _memberlist(stack: LokiStack) -> dict[str, Any]:
    config: dict[str, Any] = {
        "abort_if_cluster_join_fails": True,
        "advertise_port": GOSSIP_PORT,
        "bind_port": GOSSIP_PORT,
        "join_members": [f"{host(stack, gossip_service(stack))}:{GOSSIP_PORT}"],
        "max_join_backoff": "1m",
        "max_join_retries": 10,
        "min_join_backoff": "1s",
        "rejoin_interval": "90s",
    }
    if stack.pod_ip_in_ring or stack.ipv6:
        config["advertise_addr"] = from_environment(RING_ADDRESS)
    return dict(sorted(config.items()))


def _querier(stack: LokiStack) -> dict[str, Any]:
    config: dict[str, Any] = {
        "engine": {"max_look_back_period": "30s"},
        "extra_query_delay": "0s",
        "query_ingesters_within": "3h",
        "tail_max_duration": "1h",
    }
    if MAX_CONCURRENT[stack.size]:
        config["max_concurrent"] = MAX_CONCURRENT[stack.size]
    return dict(sorted(config.items()))


def _ruler(*, current_client: bool) -> dict[str, Any]:
    """Return the ruler's configuration, and where its rules are.

    With its current clients Loki reads `ruler_storage` and ignores `ruler.storage`; with its older
    ones it is the other way round.
    """
    rules = {"local": {"directory": RULES_FOLDER}}
    ruler: dict[str, Any] = {
        "enable_api": True,
        "enable_sharding": True,
        "rule_path": DATA_FOLDER,
        "wal": {"dir": WAL_FOLDER, "max_age": "4h", "min_age": "5m", "truncate_frequency": "60m"},
    }
    if current_client:
        return {"ruler": ruler, "ruler_storage": {"backend": "local", **rules}}
    return {"ruler": dict(sorted({**ruler, "storage": {**rules, "type": "local"}}.items()))}


def _period(schema: Schema, stack: LokiStack) -> dict[str, Any]:
    return {
        "from": schema.effective_date.isoformat(),
        "index": {"period": "24h", "prefix": "index_"},
        "object_store": stack.storage_type,
        "schema": schema.version.value,
        "store": "tsdb" if schema.version is SchemaVersion.V13 else "boltdb-shipper",
    }


def _server(stack: LokiStack) -> dict[str, Any]:
    longest_s = longest_query_s(stack)
    return {
        "graceful_shutdown_timeout": "5s",
        "grpc_server_max_concurrent_streams": 1000,
        "grpc_server_max_recv_msg_size": MESSAGE_BYTES,
        "grpc_server_max_send_msg_size": MESSAGE_BYTES,
        "grpc_server_min_time_between_pings": "10s",
        "grpc_server_ping_without_stream_allowed": True,
        "http_listen_port": HTTP_PORT,
        "http_server_idle_timeout": "30s",
        "http_server_read_timeout": _seconds(longest_s / _READ_SHARE),
        "http_server_write_timeout": _seconds(longest_s + _WRITE_MORE_S),
        "log_level": "info",
    }


def _seconds(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"


def _storage(stack: LokiStack, storage: Storage, schemas: Sequence[Schema]) -> dict[str, Any]:
    config = store_config(stack, storage)
    gateway = {"server_address": f"dns:///{grpc_address(stack, Component.INDEX_GATEWAY)}"}
    versions = {schema.version for schema in schemas}
    for name, needed, index, cache in (
        ("boltdb_shipper", versions - {SchemaVersion.V13}, "index", "index_cache"),
        ("tsdb_shipper", versions & {SchemaVersion.V13}, "tsdb-index", "tsdb-cache"),
    ):
        if needed:
            config[name] = {
                "active_index_directory": f"{DATA_FOLDER}/{index}",
                "cache_location": f"{DATA_FOLDER}/{cache}",
                "cache_ttl": "24h",
                "index_gateway_client": gateway,
                "resync_interval": "5m",
            }
    return dict(sorted(config.items()))
