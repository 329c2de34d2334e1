# SPDX-License-Identifier: Apache-2.0
"""The fields of a LokiStack, by the names of the published resource.

Fields that are accepted and not acted on say so here, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

from lokeys.core.stack.resource.model import Component, SchemaVersion, Size, TenancyMode
from lokeys.core.stack.resource.shapes import (
    Anything,
    Fields,
    Flag,
    Integer,
    ListOf,
    MapOf,
    Shape,
    Text,
)
from lokeys.core.text.durations import go_duration

NAME_LIMIT = 43
"""The longest name of an object made for a stack ends in `-query-frontend-http`."""

_NAME = re.compile(rf"[a-z]([-a-z0-9]{{0,{NAME_LIMIT - 2}}}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}\w)?")
_DATA_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# No two runs of white space meet: which of them took what would be tried in all ways.
_MATCHER = r'[A-Za-z_]\w*\s*(?:=~|!~|!?=)\s*(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`)'
_SELECTOR = re.compile(rf"\s*\{{\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*(?:,\s*)?\}}\s*")
_LONGEST = timedelta(days=365)


def duration_s(text: str) -> float | None:
    """Return the seconds of a Go duration such as `1m30s`; None if it is none, or not positive."""
    found = go_duration(text)
    return found.total_seconds() if found and timedelta() < found <= _LONGEST else None


def calendar_date(text: str) -> date | None:
    """Return the day that `2024-10-01` names; None if there is no such day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _one_line(text: str) -> bool:
    return text.isprintable()


def _url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and text.isprintable() and " " not in text


TEXT = Text(accepts=_one_line, says="text of one line")
_URL = Text(accepts=_url, says="an http or https URL")
_OBJECT_NAME = Text(accepts=_SUBDOMAIN.fullmatch, says="the name of an object")
_KEY = Text(accepts=_DATA_KEY.fullmatch, says="a key of a ConfigMap or Secret")
_LABEL = Text(accepts=_LABEL_KEY.fullmatch, says="the key of a label")
_TEXTS = ListOf(item=TEXT)
_STRINGS = MapOf(item=TEXT)


def _counts(*names: str) -> dict[str, Shape]:
    return {name: Integer(least=0) for name in names}


_ATTRIBUTES = ListOf(item=Fields(fields={"name": TEXT, "regex": Flag()}, required=("name",)))
_OTLP_PARTS = ("resourceAttributes", "scopeAttributes", "logAttributes")
_OTLP = Fields(
    fields={
        "streamLabels": Fields(fields={"resourceAttributes": _ATTRIBUTES}),
        "drop": Fields(fields=dict.fromkeys(_OTLP_PARTS, _ATTRIBUTES)),
    }
)
_INGESTION = Fields(
    fields=_counts(
        "ingestionRate",
        "ingestionBurstSize",
        "maxLabelNameLength",
        "maxLabelValueLength",
        "maxLabelNamesPerSeries",
        "maxGlobalStreamsPerTenant",
        "maxLineSize",
        "perStreamDesiredRate",
        "perStreamRateLimit",
        "perStreamRateLimitBurst",
    )
)
_TIMEOUT = Text(accepts=duration_s, says="a duration such as 3m or 1m30s")
_QUERIES = Fields(
    fields={
        "queryTimeout": _TIMEOUT,
        **_counts(
            "maxEntriesLimitPerQuery",
            "maxChunksPerQuery",
            "maxQuerySeries",
            "cardinalityLimit",
            "maxVolumeSeries",
        ),
    }
)
_BLOCKED = ListOf(
    item=Fields(
        fields={
            "hash": Integer(),
            "pattern": TEXT,
            "regex": Flag(),
            "types": ListOf(item=Text(choices=("filter", "limited", "metric"))),
        }
    )
)
_DAYS = Integer(least=1, most=36500)
_RETENTION = Fields(
    fields={
        "days": _DAYS,
        "streams": ListOf(
            item=Fields(
                fields={
                    "days": _DAYS,
                    "priority": Integer(),
                    "selector": Text(
                        accepts=_SELECTOR.fullmatch, says='a stream selector such as {app="a"}'
                    ),
                },
                required=("days", "selector"),
            )
        ),
    },
    required=("days",),
)
_GLOBAL = Fields(
    fields={"ingestion": _INGESTION, "queries": _QUERIES, "otlp": _OTLP, "retention": _RETENTION}
)
_TENANT = replace(
    _GLOBAL,
    fields={
        **_GLOBAL.fields,
        "queries": replace(_QUERIES, fields={**_QUERIES.fields, "blocked": _BLOCKED}),
    },
)
SELECTOR = Fields(
    fields={
        "matchLabels": _STRINGS,
        "matchExpressions": ListOf(
            item=Fields(
                fields={
                    "key": _LABEL,
                    "operator": Text(choices=("In", "NotIn", "Exists", "DoesNotExist")),
                    "values": _TEXTS,
                },
                required=("key", "operator"),
            )
        ),
    }
)
_AFFINITY_TERM = Fields(
    fields={
        "labelSelector": SELECTOR,
        "namespaceSelector": SELECTOR,
        "namespaces": _TEXTS,
        "topologyKey": _LABEL,
        "matchLabelKeys": _TEXTS,
        "mismatchLabelKeys": _TEXTS,
    },
    required=("topologyKey",),
)
_ANTI_AFFINITY = Fields(
    fields={
        "requiredDuringSchedulingIgnoredDuringExecution": ListOf(item=_AFFINITY_TERM),
        "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
            item=Fields(
                fields={"weight": Integer(least=1, most=100), "podAffinityTerm": _AFFINITY_TERM},
                required=("weight", "podAffinityTerm"),
            )
        ),
    }
)
_PLACEMENT = Fields(
    fields={
        "replicas": Integer(least=0),
        "nodeSelector": _STRINGS,
        "tolerations": ListOf(
            item=Fields(
                fields={
                    "key": _LABEL,
                    "operator": Text(choices=("Exists", "Equal", "Lt", "Gt")),
                    "value": TEXT,
                    "effect": Text(choices=("NoSchedule", "PreferNoSchedule", "NoExecute")),
                    "tolerationSeconds": Integer(least=-(2**63), most=2**63 - 1),
                }
            )
        ),
        "podAntiAffinity": _ANTI_AFFINITY,
    }
)
TEMPLATE_NAMES = {
    "compactor": Component.COMPACTOR,
    "distributor": Component.DISTRIBUTOR,
    "gateway": Component.GATEWAY,
    "indexGateway": Component.INDEX_GATEWAY,
    "ingester": Component.INGESTER,
    "querier": Component.QUERIER,
    "queryFrontend": Component.QUERY_FRONTEND,
    "ruler": Component.RULER,
}
_IGNORED = Anything(acted_on=False)
_CA = Fields(fields={"caName": _OBJECT_NAME, "caKey": _KEY}, required=("caName",))
_ENTRY = Fields(
    fields={"configMapName": _OBJECT_NAME, "secretName": _OBJECT_NAME, "key": _KEY},
    required=("key",),
)
TENANTS = Fields(
    fields={
        "mode": Text(choices=tuple(TenancyMode)),
        "authentication": ListOf(
            item=Fields(
                fields={
                    "tenantName": TEXT,
                    "tenantId": TEXT,
                    "oidc": Fields(
                        fields={
                            "secret": Fields(fields={"name": _OBJECT_NAME}, required=("name",)),
                            "issuerURL": _URL,
                            "issuerCA": _CA,
                            "redirectURL": _URL,
                            "usernameClaim": TEXT,
                            "groupClaim": TEXT,
                        },
                        required=("secret", "issuerURL"),
                    ),
                    "mTLS": Fields(fields={"ca": _CA}, required=("ca",)),
                },
                required=("tenantName", "tenantId"),
            )
        ),
        "authorization": Fields(
            fields={
                "opa": Fields(fields={"url": _URL}, required=("url",)),
                "roles": ListOf(
                    item=Fields(
                        fields={
                            "name": TEXT,
                            "permissions": ListOf(item=Text(choices=("read", "write"))),
                            "resources": _TEXTS,
                            "tenants": _TEXTS,
                        },
                        required=("name", "permissions", "resources", "tenants"),
                    )
                ),
                "roleBindings": ListOf(
                    item=Fields(
                        fields={
                            "name": TEXT,
                            "roles": _TEXTS,
                            "subjects": ListOf(
                                item=Fields(
                                    fields={"kind": Text(choices=("user", "group")), "name": TEXT},
                                    required=("kind", "name"),
                                )
                            ),
                        },
                        required=("name", "roles", "subjects"),
                    )
                ),
            }
        ),
        "disableIngress": Flag(),
        "gateway": Fields(
            fields={
                "tls": Fields(
                    fields={
                        "ca": _ENTRY,
                        "certificate": _ENTRY,
                        "privateKey": Fields(
                            fields={"secretName": _OBJECT_NAME, "key": _KEY},
                            required=("key", "secretName"),
                        ),
                    }
                )
            }
        ),
        "openshift": Fields(fields={"adminGroups": _TEXTS, "otlp": _IGNORED}),
        "passthrough": Fields(fields={"defaultTenant": TEXT, "ca": _ENTRY}),
    }
)
SCHEMA = Fields(
    fields={
        "version": Text(choices=tuple(SchemaVersion)),
        "effectiveDate": Text(accepts=calendar_date, says="a date such as 2024-10-01"),
    },
    required=("version", "effectiveDate"),
)
SPEC = Fields(
    fields={
        "managementState": Text(choices=("Managed", "Unmanaged")),
        "size": Text(choices=tuple(Size)),
        "storage": Fields(
            fields={
                "schemas": ListOf(item=SCHEMA),
                "secret": Fields(
                    fields={"name": _OBJECT_NAME, "type": Text(), "credentialMode": Text()},
                    required=("name", "type"),
                ),
                "tls": _CA,
            },
            required=("secret",),
        ),
        "storageClassName": _OBJECT_NAME,
        "replication": Fields(
            fields={
                "factor": Integer(least=1),
                "zones": ListOf(
                    item=Fields(
                        fields={"topologyKey": _LABEL, "maxSkew": Integer(least=1)},
                        required=("topologyKey",),
                    )
                ),
            }
        ),
        "replicationFactor": Integer(least=1),
        "hashRing": Fields(
            fields={
                "type": Text(choices=("memberlist",)),
                "memberlist": Fields(
                    fields={
                        "enableIPv6": Flag(),
                        "instanceAddrType": Text(choices=("default", "podIP")),
                    }
                ),
            }
        ),
        "proxy": Fields(fields=dict.fromkeys(("httpProxy", "httpsProxy", "noProxy"), TEXT)),
        "rules": Fields(
            fields={"enabled": Flag(), "selector": _IGNORED, "namespaceSelector": _IGNORED},
            required=("enabled",),
        ),
        "limits": Fields(fields={"global": _GLOBAL, "tenants": MapOf(item=_TENANT)}),
        "template": Fields(
            fields={"useRequestsAsLimits": Flag(), **dict.fromkeys(TEMPLATE_NAMES, _PLACEMENT)}
        ),
        "tenants": TENANTS,
        "networkPolicies": Fields(
            fields={"ruleSet": Text(choices=("None", "RestrictIngressEgress"))},
            required=("ruleSet",),
        ),
    },
    required=("size", "storage", "storageClassName"),
)
METADATA = Fields(
    fields={
        "name": Text(
            accepts=_NAME.fullmatch,
            says=f"lower-case letters, digits and -, beginning with a letter, at most {NAME_LIMIT}",
        ),
        "namespace": _OBJECT_NAME,
        "uid": TEXT,
        "labels": MapOf(item=Text()),
        "annotations": MapOf(item=Text()),
    },
    required=("name",),
    open=True,
)
STATUS = Fields(
    fields={"storage": Fields(fields={"schemas": ListOf(item=SCHEMA)}, open=True)}, open=True
)
DOCUMENT = Fields(
    fields={
        "apiVersion": Anything(),
        "kind": Anything(),
        "metadata": METADATA,
        "spec": SPEC,
        "status": STATUS,
    },
    required=("metadata", "spec"),
)
