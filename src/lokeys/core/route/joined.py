# SPDX-License-Identifier: Apache-2.0
"""A configuration and a log together: one shows how to interpret the other.

If a fault of the configuration explains a complaint in a log, the complaint is its symptom: it has
the fault's own cause, or one that is logged in the same words. The fault is then certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lokeys.core.findings.doctor.tally import Tally
from lokeys.core.findings.finding import Confidence, Finding, Severity, Symptom, ranked

_SHOWS_AS: Mapping[str, frozenset[str]] = {
    "env_not_expanded": frozenset(
        {"access_key_unknown", "bucket_not_found", "endpoint_unreachable", "secret_key_mismatch"}
    ),
    "secret_key_url_encoding": frozenset({"secret_key_mismatch", "endpoint_unreachable"}),
    "endpoint_includes_bucket": frozenset(
        {"bucket_not_found", "virtual_host_style_dns", "tls_name_mismatch", "secret_key_mismatch"}
    ),
    "bucket_name_is_path": frozenset({"bucket_not_found", "secret_key_mismatch"}),
    "bucket_name_missing": frozenset({"bucket_not_found", "endpoint_not_s3_api"}),
    "half_a_pair": frozenset({"no_credentials_in_chain", "anonymous_request_sent"}),
    "wrong_storage_backend": frozenset({"no_credentials_in_chain", "region_missing"}),
}
"""Other causes as which a fault of the configuration appears in a log."""


def joined(
    faults: Sequence[Finding], complaints: Sequence[Finding], tallies: Sequence[Tally]
) -> tuple[Finding, ...]:
    """Return the findings of both, best explanation first, symptoms folded into their causes."""
    explained: dict[str, list[Finding]] = {}
    left: list[Finding] = []
    for complaint in complaints:
        fault = _explaining(complaint, faults, tallies)
        if fault is None:
            left.append(complaint)
        else:
            explained.setdefault(fault.id, []).append(complaint)
    return ranked((*(_proved(fault, explained) for fault in faults), *left))


def _explaining(
    complaint: Finding, faults: Sequence[Finding], tallies: Sequence[Tally]
) -> Finding | None:
    """Return the fault that explains a complaint."""
    meant = {complaint.cause}
    for tally in tallies:
        row = tally.complaints.get(complaint.cause or "")
        meant |= set(row[0].alternatives) if row else set()
    return next((fault for fault in faults if meant & _shows_as(fault)), None)


def _shows_as(fault: Finding) -> frozenset[str | None]:
    return frozenset({fault.cause}) | _SHOWS_AS.get(fault.cause or "", frozenset())


def _proved(fault: Finding, explained: Mapping[str, Sequence[Finding]]) -> Finding:
    found = explained.get(fault.id)
    if not found:
        return fault
    symptoms = tuple(symptom for each in found for symptom in _symptoms(each))
    proved = replace(fault, confidence=Confidence.CERTAIN, severity=Severity.ERROR)
    evidence = (*fault.evidence, *(line for each in found for line in each.evidence[:1]))
    return replace(proved, evidence=evidence).with_symptoms(symptoms)


def _symptoms(complaint: Finding) -> tuple[Symptom, ...]:
    return complaint.symptoms or (Symptom(code=complaint.code, count=1),)
