# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a StorageCredential's manifest, as findings with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.route.resource.validate import TOO_LARGE, faults
from lokeys.core.schema.check import Fault
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.objects import Placed, location_of

_FAULTS = {
    TOO_LARGE: "too_large",
    "missing": "missing_field",
    "unknown field": "unknown_field",
}


def credential_findings(ref: Ref, placed: Placed) -> Iterator[Finding]:
    """Yield all faults of one StorageCredential."""
    return (_finding(ref, placed, fault) for fault in faults(placed.object))


def _finding(ref: Ref, placed: Placed, fault: Fault) -> Finding:
    path = fault.path or None
    finding = tell(
        rules.BAD_STORAGE_CREDENTIAL, ref, stack=ref, field=path, words={"problem": str(fault)}
    )
    location = location_of(placed, path)
    return replace(finding, fault=_FAULTS.get(fault.problem, "bad_type"), location=location)
