# SPDX-License-Identifier: Apache-2.0
"""Which program wrote a log, recognized by what only that program writes."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Program(StrEnum):
    """Who writes logs in which complaints of storage credentials are looked for, and others."""

    LOKI = "Loki"
    MIMIR = "Mimir"
    TEMPO = "Tempo"
    THANOS = "Thanos"
    CORTEX = "Cortex"
    EXTERNAL_SECRETS = "External Secrets"
    ROOK = "Rook"
    CONNECT = "1Password Connect"
    LOKI_OPERATOR = "the Loki Operator"
    KUBERNETES = "Kubernetes"
    OTHER = "another program"
    UNKNOWN = "a program that is not known"


JUDGED = frozenset(Program) - {Program.OTHER}
"""Whose complaints count. Words of another program are that program's own trouble."""

_SIGNS: tuple[tuple[Program, tuple[str, ...]], ...] = (
    (
        Program.MIMIR,
        (
            *("starting mimir", "mimir.go", "bucket_scan", "bucket-index", "blocks_cleaner.go"),
            *("bucket_index", "component=cleaner", "mimir_", "tsdb blocks", "store-gateway"),
            *("blocks_store", "bucket store"),
        ),
    ),
    (
        Program.TEMPO,
        (
            "starting tempo",
            "tempodb",
            "tempo.go",
            "poller.go",
            "tempo-cli",
            "tempo_",
            "traces.proto",
        ),
    ),
    (
        Program.THANOS,
        (
            *("thanos", "component=sidecar", "component=compact ", "component=receive"),
            *("shipper.go:2", "name=compact", "fetcher.go", "component=block.basefetcher"),
        ),
    ),
    (Program.CORTEX, ("starting cortex", "cortex.go", "cortex_")),
    (
        Program.EXTERNAL_SECRETS,
        (
            *("externalsecret", "external-secrets.io", "secretstore", "pushsecret"),
            "controllers.externalsecret",
        ),
    ),
    (
        Program.ROOK,
        ("rookcmd:", "op-k8sutil", "ceph-object", "rook-ceph", "ceph-cluster-controller", "op-mon"),
    ),
    (Program.CONNECT, ('"log_message"', "1password connect", "connect-api", "connect-sync")),
    (
        Program.LOKI_OPERATOR,
        ("loki-operator", "lokistack", "controllergroup=loki.grafana.com", "loki.grafana.com"),
    ),
    (
        Program.KUBERNETES,
        (
            *("mountvolume.setup failed", "createcontainerconfigerror", "failedmount", "kubelet"),
            *("last seen", "backoff restarting failed container", "failedscheduling"),
        ),
    ),
    (
        Program.LOKI,
        (
            *("starting loki", "loki.go", "index-store=", "component=ingester", "flush.go"),
            *("caller=table_manager.go", "ratestore.go", "component=querier", "loki_"),
            *("caller=modules.go", "caller=checkpoint.go", "compactor.go", "component=distributor"),
            *(
                "store put chunk",
                "index_set.go",
                "cluster seed",
                "head_manager.go",
                "component=ruler",
            ),
            *("index gateway", "component=compactor", "tsdb-", "caller=flush", "recalculate_owned"),
            *("caller=uploads", "caller=cached_client", "object_client", "caller=metrics.go"),
        ),
    ),
    (
        Program.OTHER,
        (
            *(
                "logger=tsdb",
                "logger=context",
                "logger=plugin",
                "grafana starting",
                "logger=settings",
            ),
            *("alloy", "promtail", "caller=client.go", "fluent", "vector::", "nginx", 'http/1.1"'),
            *("starting prometheus", "postgres", "mysqld", "component=client host=", "argocd"),
            *("cert-manager", "coredns", "etcd", "otelcol", "filetarget", "tailer", "level=finest"),
        ),
    ),
)


class Guess:
    """Counts the signs of programs in the lines that it is shown."""

    def __init__(self) -> None:
        self._seen: Counter[Program] = Counter()

    def add(self, text: str) -> None:
        """Look at one line of the log, in any layout."""
        small = text[:512].lower()
        for program, signs in _SIGNS:
            if any(sign in small for sign in signs):
                self._seen[program] += 1

    @property
    def program(self) -> Program:
        """Return the program of which most signs were seen; of two, the one named first above."""
        if not self._seen:
            return Program.UNKNOWN
        order = [program for program, _ in _SIGNS]
        return max(self._seen, key=lambda each: (self._seen[each], -order.index(each)))
