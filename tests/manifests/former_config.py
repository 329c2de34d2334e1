# SPDX-License-Identifier: Apache-2.0
"""What the Loki Operator puts into Loki's configuration, by path, in plain values.

Written down from stacks that it operated; nothing here comes from what lokeys renders. Times are in
seconds, sizes in bytes.
"""

from collections.abc import Mapping
from typing import Any

MEBI = 1024 * 1024
MINUTE, HOUR = 60, 3600
SIZES = ("1x.demo", "1x.pico", "1x.extra-small", "1x.small", "1x.medium")


class Seconds(int):
    """A time; as Loki's configuration has it, it ends in an s."""


def by_size(*values: Any) -> Mapping[str, Any]:
    """Return a value for each size, in the order of sizes."""
    return dict(zip(SIZES, values, strict=True))


FORMER: Mapping[str, Any] = {
    # Who may ask, and what is reported to others.
    "auth_enabled": True,
    "analytics.reporting_enabled": False,
    "tracing.enabled": False,
    # Where components find each other.
    "common.compactor_grpc_address": "my-stack-compactor-grpc.logging.svc.cluster.local:9095",
    "common.ring.heartbeat_period": Seconds(5),
    "common.ring.heartbeat_timeout": Seconds(MINUTE),
    "common.ring.instance_port": 9095,
    "common.ring.kvstore.store": "memberlist",
    "frontend.tail_proxy_url": "http://my-stack-querier-http.logging.svc.cluster.local:3100",
    "frontend_worker.frontend_address": "my-stack-query-frontend-grpc.logging.svc.cluster.local"
    ":9095",
    "memberlist.abort_if_cluster_join_fails": True,
    "memberlist.advertise_port": 7946,
    "memberlist.bind_port": 7946,
    "memberlist.join_members": ["my-stack-gossip-ring.logging.svc.cluster.local:7946"],
    "memberlist.max_join_backoff": Seconds(MINUTE),
    "memberlist.max_join_retries": 10,
    "memberlist.min_join_backoff": Seconds(1),
    "memberlist.rejoin_interval": Seconds(90),
    # Servers and their clients.
    "server.http_listen_port": 3100,
    "server.graceful_shutdown_timeout": Seconds(5),
    "server.grpc_server_max_concurrent_streams": 1000,
    "server.grpc_server_max_recv_msg_size": 100 * MEBI,
    "server.grpc_server_max_send_msg_size": 100 * MEBI,
    "server.grpc_server_min_time_between_pings": Seconds(10),
    "server.grpc_server_ping_without_stream_allowed": True,
    "server.http_server_idle_timeout": Seconds(30),
    "server.log_level": "info",
    "frontend_worker.grpc_client_config.max_send_msg_size": 100 * MEBI,
    "ingester_client.grpc_client_config.max_recv_msg_size": 64 * MEBI,
    "ingester_client.remote_timeout": Seconds(5),
    # Caches.
    "chunk_store_config.chunk_cache_config.embedded_cache.enabled": True,
    "chunk_store_config.chunk_cache_config.embedded_cache.max_size_mb": 500,
    "query_range.results_cache.cache.embedded_cache.enabled": True,
    "query_range.results_cache.cache.embedded_cache.max_size_mb": 500,
    # What an ingester holds, and for how long.
    "ingester.autoforget_unhealthy": True,
    "ingester.chunk_block_size": 256 * 1024,
    "ingester.chunk_encoding": "snappy",
    "ingester.chunk_idle_period": Seconds(HOUR),
    "ingester.chunk_retain_period": Seconds(5 * MINUTE),
    "ingester.chunk_target_size": 2 * MEBI,
    "ingester.flush_op_timeout": Seconds(10 * MINUTE),
    "ingester.max_chunk_age": Seconds(2 * HOUR),
    "ingester.lifecycler.final_sleep": Seconds(0),
    "ingester.lifecycler.join_after": Seconds(30),
    "ingester.lifecycler.num_tokens": 512,
    "ingester.lifecycler.tokens_file_path": "/tmp/loki/ring-tokens",
    "ingester.wal.dir": "/tmp/wal",
    "ingester.wal.enabled": True,
    "ingester.wal.replay_memory_ceiling": by_size(
        *(mebi * MEBI for mebi in (512, 1536, 2688, 6784, 15360))
    ),
    # How queries are cut and answered.
    "frontend.compress_responses": True,
    "frontend.log_queries_longer_than": Seconds(5),
    "frontend.max_outstanding_per_tenant": 4096,
    "querier.engine.max_look_back_period": Seconds(30),
    "querier.extra_query_delay": Seconds(0),
    "querier.max_concurrent": by_size(0, 1, 2, 4, 6),
    "querier.query_ingesters_within": Seconds(3 * HOUR),
    "querier.tail_max_duration": Seconds(HOUR),
    "query_range.align_queries_with_step": True,
    "query_range.cache_results": True,
    "query_range.max_retries": 5,
    "query_range.parallelise_shardable_queries": True,
    # What is deleted, where it is asked for.
    "compactor.compaction_interval": Seconds(2 * HOUR),
    "compactor.working_directory": "/tmp/loki/compactor",
    # Limits of all tenants.
    "limits_config.cardinality_limit": 100_000,
    "limits_config.deletion_mode": "filter-and-delete",
    "limits_config.discover_service_name": [],
    "limits_config.ingestion_burst_size_mb": by_size(6, 6, 6, 20, 20),
    "limits_config.ingestion_rate_mb": by_size(4, 4, 4, 15, 50),
    "limits_config.ingestion_rate_strategy": "global",
    "limits_config.max_cache_freshness_per_query": Seconds(10 * MINUTE),
    "limits_config.max_chunks_per_query": 2_000_000,
    "limits_config.max_entries_limit_per_query": 5000,
    "limits_config.max_global_streams_per_user": by_size(0, 10_000, 10_000, 10_000, 25_000),
    "limits_config.max_label_name_length": 1024,
    "limits_config.max_label_names_per_series": 30,
    "limits_config.max_label_value_length": 2048,
    "limits_config.max_line_size": 256_000,
    "limits_config.max_query_series": 500,
    "limits_config.per_stream_rate_limit": 5 * MEBI,
    "limits_config.per_stream_rate_limit_burst": 15 * MEBI,
    "limits_config.reject_old_samples": True,
    "limits_config.reject_old_samples_max_age": Seconds(168 * HOUR),
    "limits_config.shard_streams.desired_rate": 3 * MEBI,
    "limits_config.shard_streams.enabled": True,
    "limits_config.shard_streams.time_sharding_enabled": True,
    "limits_config.split_queries_by_interval": Seconds(30 * MINUTE),
    "limits_config.tsdb_max_query_parallelism": 512,
    "limits_config.volume_enabled": True,
    "limits_config.volume_max_series": 1000,
}
"""What it writes for every stack, whatever the spec says beside the size."""

SAID_AGAIN: Mapping[str, Any] = {
    "creation_grace_period": "10m",
    "max_query_length": "721h",
    "max_query_parallelism": 32,
    "max_streams_matchers_per_query": 1000,
    "max_streams_per_user": 0,
}
"""Limits that it writes, and that Loki has by itself."""

SHIPPERS: Mapping[str, Mapping[str, str]] = {
    "boltdb_shipper": {
        "active_index_directory": "/tmp/loki/index",
        "cache_location": "/tmp/loki/index_cache",
    },
    "tsdb_shipper": {
        "active_index_directory": "/tmp/loki/tsdb-index",
        "cache_location": "/tmp/loki/tsdb-cache",
    },
}
"""Where the index lies before it is shipped, by the store of a schema's period."""

RULER: Mapping[str, Any] = {
    "ruler.enable_api": True,
    "ruler.enable_sharding": True,
    "ruler.rule_path": "/tmp/loki",
    "ruler.wal.dir": "/tmp/wal",
    "ruler.wal.max_age": Seconds(4 * HOUR),
    "ruler.wal.min_age": Seconds(5 * MINUTE),
    "ruler.wal.truncate_frequency": Seconds(HOUR),
}
"""Where rules are enabled, and no RulerConfig says more."""

DELIBERATE: Mapping[str, str] = {
    "common.path_prefix": "folders in Loki's configuration",
    "index_gateway.mode": "folders in Loki's configuration",
    "limits_config.deletion_mode": "delete requests without retention",
    "querier.max_concurrent": "concurrent queries in 1x.demo",
}
"""Where ours may differ, with the row of docs/reference/render.md that says why."""
