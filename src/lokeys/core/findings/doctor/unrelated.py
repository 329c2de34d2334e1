# SPDX-License-Identifier: Apache-2.0
"""Troubles in a log that say nothing of the storage's credentials: they are counted, no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrelated:
    """One kind of trouble that is somebody else's. Texts are in lowercase.

    `before_complaints`: whatever else the line says, it is of this kind.
    """

    what: str
    phrases: tuple[str, ...]
    beside: tuple[str, ...] = ()
    never_beside: tuple[str, ...] = ()
    before_complaints: bool = False

    def is_in(self, around: str) -> bool:
        """Tell whether a line is of this kind; `around` is all of its words."""
        return (
            any(phrase in around for phrase in self.phrases)
            and (not self.beside or any(word in around for word in self.beside))
            and not any(word in around for word in self.never_beside)
        )


UNRELATED: tuple[Unrelated, ...] = (
    Unrelated(
        what="queries that do not parse, or ask for too much",
        phrases=(
            *(
                "parse error at line",
                "parse error :",
                "syntax error:",
                "unexpected identifier",
                "query time range exceeds",
            ),
            *("maximum of series", "max entries limit", "query would read too many bytes"),
            *("the query time range exceeds the limit", "unmatched brackets"),
        ),
        before_complaints=True,
    ),
    Unrelated(
        what="cancelled requests",
        phrases=(
            *("context canceled", "code = canceled", "request canceled", "requestcanceled"),
            *("client disconnected", "client connection is closing", "operation was canceled"),
        ),
        before_complaints=True,
    ),
    Unrelated(
        what="rate and stream limits",
        phrases=(
            *("rate limit exceeded", "ingestion rate limit", "per stream rate limit"),
            *("maximum active stream limit", "stream limit exceeded", "max streams"),
            *("too many outstanding requests", "line too long", "max entry size"),
            *("max label names", "label value too long", "label name too long"),
        ),
        never_beside=("1password", "onepassword", "op://", "resolving secret"),
        before_complaints=True,
    ),
    Unrelated(
        what="lines out of order, too old or too new",
        phrases=(
            *("entry out of order", "entry too far behind", "out of order", "timestamp too old"),
            *("timestamp too new", "has timestamp too", "greater than max age"),
        ),
        before_complaints=True,
    ),
    Unrelated(
        what="the ring and memberlist",
        phrases=(
            *("empty ring", "memberlist", "too many unhealthy instances", "in the ring"),
            *("instance not found in ring", "unable to get ring", "ring_watcher", "gossip"),
            *("at least live replicas required", "live replicas required", "heartbeat"),
            *(
                "error getting ingester clients",
                "ring client",
                "auto-forget",
                "joining cluster",
                "udp probes failed",
            ),
        ),
    ),
    Unrelated(
        what="requests between components",
        phrases=(
            *("rpc error", "scheduler_processor", "frontend_processor", "grpc", "index gateway"),
            *("error processing requests from scheduler", "error contacting frontend"),
            "failing healthcheck",
            *(
                "error contacting scheduler",
                "error notifying frontend",
                "error notifying scheduler",
            ),
        ),
    ),
    Unrelated(
        what="a full disk of the pod's own",
        phrases=("no space left on device", "disk full", "disk is full", "read-only file system"),
    ),
    Unrelated(
        what="the schema and other parts of the configuration",
        phrases=(
            *("schema_config", "schema v13 is required", "config_schema", "index period"),
            *("field not found in type", "unmarshal errors", "invalid schema config"),
            *("max_look_back_period", "boltdb-shipper", "tsdb index type is required"),
        ),
    ),
    Unrelated(
        what="rules and alerts",
        phrases=(
            *("error sending alert", "alertmanager", "evaluating rule", "rule group", "ruler"),
            *("error evaluating rule", "rulerstorage is nil"),
        ),
    ),
    Unrelated(
        what="the dashboard's own connections",
        phrases=("logger=tsdb", "logger=context", "plugin.", "datasource", "grafana-lokiexplore"),
    ),
    Unrelated(
        what="caches",
        phrases=("memcached", "memcache", "redis", "cache_backend", "background cache", "cache.go"),
    ),
    Unrelated(
        what="a new cluster's seed",
        phrases=("cluster seed file", "cluster seed key"),
        beside=("specified key does not exist", "nosuchkey", "object not found", "blobnotfound"),
        before_complaints=True,
    ),
    Unrelated(
        what="clients that send to Loki",
        phrases=("error sending batch", "sending batch, will retry"),
        before_complaints=True,
    ),
    Unrelated(
        what="objects that are missing, and checksums that a store does not send",
        phrases=("specified key does not exist", "nosuchkey", "has no supported checksum"),
    ),
    Unrelated(
        what="answers to requests of others",
        phrases=("get /loki/api", "post /loki/api", "get /api/prom", "get /ready", "get /metrics"),
        before_complaints=True,
    ),
    Unrelated(
        what="what is deprecated, experimental or left out of the configuration",
        phrases=(
            *("deprecated", "experimental feature in use", "timeout not configured"),
            *("is not configured", "will be removed in", "not recommended"),
        ),
    ),
    Unrelated(what="slow queries and compactions", phrases=("slow query", "last compaction took")),
    Unrelated(
        what="effects of flushes that failed",
        phrases=("terminated after", "flush retries", "giving up after"),
    ),
    Unrelated(
        what="tenants' own requests",
        phrases=("no org id", "unauthenticated", "no tenant", "invalid tenant", "tenant not found"),
    ),
)
"""In the order in which a line is compared with them."""
