# SPDX-License-Identifier: Apache-2.0
"""Troubles in a log that say nothing of the storage's credentials: they are counted, no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrelated:
    """One kind of trouble that is somebody else's. Texts are in small letters.

    `before_complaints`: whatever else the line says, it is of this kind.
    """

    what: str
    phrases: tuple[str, ...]
    beside: tuple[str, ...] = ()
    before_complaints: bool = False

    def is_in(self, around: str) -> bool:
        """Tell whether a line is of this kind; `around` is all of its words."""
        return any(phrase in around for phrase in self.phrases) and (
            not self.beside or any(word in around for word in self.beside)
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
    ),
    Unrelated(
        what="lines out of order, too old or too new",
        phrases=(
            *("entry out of order", "entry too far behind", "out of order", "timestamp too old"),
            *("timestamp too new", "has timestamp too", "greater than max age"),
        ),
    ),
    Unrelated(
        what="the ring and memberlist",
        phrases=(
            *("empty ring", "memberlist", "too many unhealthy instances", "in the ring"),
            *("instance not found in ring", "unable to get ring", "ring_watcher", "gossip"),
            *("at least live replicas required", "live replicas required", "heartbeat"),
            *("error getting ingester clients", "ring client", "auto-forget", "joining cluster"),
        ),
    ),
    Unrelated(
        what="requests between components",
        phrases=(
            *("rpc error", "scheduler_processor", "frontend_processor", "grpc", "index gateway"),
            *("error processing requests from scheduler", "error contacting frontend"),
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
        what="tenants' own requests",
        phrases=("no org id", "unauthenticated", "no tenant", "invalid tenant", "tenant not found"),
    ),
)
"""In the order in which a line is compared with them."""
