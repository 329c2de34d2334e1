# SPDX-License-Identifier: Apache-2.0
"""Characters at the end of a value that never reach the store: Loki's YAML drops them.

Some values are inserted into the configuration as variables, others as text. After a plain value
YAML drops line breaks and blanks (YAML 1.2, 7.3.3), at the end of a block only line breaks
(8.1.1.2). The Loki Operator writes plain values (grafana/loki at 65e30f8, operator/internal/
manifests/internal/config/loki-config.yaml), lokeys writes blocks for variables: what both drop
works before and after a takeover. Values that pods get only as variables keep them, as do those
that the Loki Operator itself compares: role, ids, audiences, endpoints, switches.
"""

from __future__ import annotations

from lokeys.core.stack.storage.model import StorageType
from lokeys.core.stack.storage.values import BLANKS_AT_THE_END, NEWLINE_AT_THE_END

_BY_VARIABLE = {
    StorageType.S3: {"access_key_id", "access_key_secret", "sse_kms_encryption_context"},
    StorageType.AZURE: {"account_key", "account_name"},
    StorageType.SWIFT: {"username", "password"},
    StorageType.ALIBABACLOUD: {"access_key_id", "secret_access_key"},
}
_AS_TEXT = {
    StorageType.S3: {"bucketnames", "sse_kms_key_id"},
    StorageType.AZURE: {"container"},
    StorageType.GCS: {"bucketname"},
    StorageType.SWIFT: {
        *("auth_url", "container_name", "region", "user_id", "user_domain_name", "user_domain_id"),
        *("domain_name", "domain_id", "project_name", "project_id"),
        *("project_domain_name", "project_domain_id"),
    },
    StorageType.ALIBABACLOUD: {"bucket", "endpoint"},
}


def is_dropped(problem: str, key: str, storage_type: StorageType) -> bool:
    """Tell whether the invisible part of a value is dropped before the store gets it."""
    if key in _AS_TEXT.get(storage_type, ()):
        return problem in (NEWLINE_AT_THE_END, BLANKS_AT_THE_END)
    return problem == NEWLINE_AT_THE_END and key in _BY_VARIABLE.get(storage_type, ())
