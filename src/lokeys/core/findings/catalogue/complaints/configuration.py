# SPDX-License-Identifier: Apache-2.0
"""What shows that Loki's own configuration is not what was meant."""

from __future__ import annotations

import re

from lokeys.core.findings.catalogue.complaints.making import row
from lokeys.core.findings.complaint import OfKey
from lokeys.core.place import Hop

_CHUNK = re.compile(
    r"(?:open|mkdir|stat) (?:/[\w./-]{0,300}/(?:chunks|rules|loki|index)\b|[a-z0-9+/=]{20,400}:)"
)

NOT_EXPANDED = row(
    "LK0880",
    "env_not_expanded",
    "a variable is not expanded",
    meaning="Loki expands `${NAME}` only with -config.expand-env=true, for each component "
    "separately.",
    why="The text itself is used as the address, the bucket or the key.",
    fix="add -config.expand-env=true to the arguments of each component (in the chart `extraArgs`)",
    says=(
        *("lookup ${", 'invalid character "{" in host name', "cannot unmarshal !!str `${"),
        *('parse "https://${', 'parse "http://${', 'put "https://${', 'put "http://${'),
        *("custom endpoint `http://${", "custom endpoint `https://${", "custom endpoint `${"),
    ),
    of_key=OfKey.NOT_USED,
    hop=Hop.PODS,
    rank=1,
)
NOT_EXPANDABLE = row(
    "LK0881",
    "env_expansion_fails",
    "the configuration has an expression that Loki cannot expand",
    meaning="A variable's name has letters, digits and `_`; a default is written "
    "`${NAME:-default}`.",
    why="Loki does not start.",
    fix="rename the variable (no hyphen in its name), and write a literal dollar sign as `$$`",
    says=("bad substitution", "missing closing brace", "unable to parse variable"),
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=1,
)
HALF_A_PAIR = row(
    "LK0882",
    "half_a_pair",
    "the configuration has only half of a key pair",
    meaning="One of access_key_id and secret_access_key is set, and the other is empty.",
    why="Loki does not start.",
    fix="set both, or neither to use an identity without a key",
    says=("must supply both an access key id and secret",),
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=1,
)
FILESYSTEM = row(
    "LK0883",
    "filesystem_store_in_use",
    "Loki writes to its own disk instead of the store",
    meaning="The schema's `object_store`, or the chart's `storage.type`, is filesystem.",
    why="Nothing reaches the bucket, and a pod without a volume cannot write at all.",
    fix="set `object_store` of the current schema, and `loki.storage.type`, to the store's type",
    says=("permission denied", "read-only file system", "no such file or directory"),
    shape=_CHUNK,
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=2,
)
NOT_SUPPORTED = row(
    "LK0884",
    "backend_not_supported",
    "this Loki version does not support this storage configuration",
    meaning="The storage type is unknown to this version, or is configured in a block that this "
    "version does not read.",
    why="Loki does not start.",
    fix="configure the store where this version reads it: with use_thanos_objstore in "
    "storage_config.object_store; with retention also compactor.delete_request_store",
    says=(
        *("unrecognized storage client", "unrecognized object client", "bucket with type"),
        "config must be specified in the object_store section",
        "delete-request-store should be configured",
    ),
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=1,
)

FIRST = (NOT_EXPANDED, NOT_EXPANDABLE, HALF_A_PAIR, NOT_SUPPORTED)
LAST = (FILESYSTEM,)
