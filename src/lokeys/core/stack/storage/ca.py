# SPDX-License-Identifier: Apache-2.0
"""Reads the ConfigMap with the CA that a stack trusts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.place import Ref
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.words import quoted

if TYPE_CHECKING:
    from lokeys.core.text.certificates import Certificate

_CERTIFICATES = "certificates in PEM, from -----BEGIN CERTIFICATE----- on"


class CaFault(NamedTuple):
    """What was found instead of certificates; harmless if enough is left to trust."""

    found: str
    expected: str
    harmless: bool = False


MADE_BY_CLUSTER = {"openshift-service-ca.crt": "service-ca.crt", "kube-root-ca.crt": "ca.crt"}
"""ConfigMaps and their keys that exist in every namespace (of OpenShift), and in no manifest."""


def read_ca(  # noqa: PLR0913 - what a CA is judged by, all named at the call
    stack: Ref,
    ref: Ref,
    *,
    key: str,
    config_map: Mapping[str, Any] | None,
    now: datetime,
    absent: str = "is not among the objects given",
) -> tuple[Finding, ...]:
    """Return what is wrong with the CA at `key` of the ConfigMap `ref`; None if it is absent."""
    if config_map is None:
        words = {"stack_ref": str(stack), "key": key, "where": absent}
        return (tell(rules.MISSING_CA_CONFIGMAP, ref, stack=stack, words=words),)
    return tuple(_told(fault, ref, key, stack=stack) for fault in _faults(config_map, key, now))


def _told(fault: CaFault, ref: Ref, key: str, *, stack: Ref) -> Finding:
    words = {"found": fault.found, "expected": fault.expected}
    rule = rules.BAD_CA_CONFIGMAP
    remedy = (rules.TAKE_OUT,) if fault.harmless else None
    finding = tell(rule, ref, stack=stack, field=key, words=words, remedy=remedy)
    return replace(finding, severity=Severity.WARNING) if fault.harmless else finding


def _faults(config_map: Mapping[str, Any], key: str, now: datetime) -> Iterator[CaFault]:
    data = config_map.get("data")
    text = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        others = sorted(map(str, data)) if isinstance(data, Mapping) else []
        near = [each for each in others if each.endswith((".crt", ".pem"))]
        expected = f"{_CERTIFICATES}; or caKey {near[0][:63]!r}" if near else _CERTIFICATES
        yield CaFault("is empty" if text is not None else "is missing", expected)
        return
    yield from certificate_faults(text, now)


def certificate_faults(
    text: str | None, now: datetime, *, passes_over: bool = True
) -> Iterator[CaFault]:
    """Yield faults in a text of certificates, and what is expected.

    One valid certificate is enough: nobody trusts one that is expired or not yet valid.
    `passes_over` tells that the reader also ignores what it cannot parse, as Go's certificate pools
    do (crypto/x509, AppendCertsFromPEM, with which Loki reads a CA).
    """
    if not text or not text.strip():
        yield CaFault("is missing" if text is None else "is empty", _CERTIFICATES)
        return
    # Stacks without a CA are read sooner without this import.
    from lokeys.core.text.certificates import certificates  # noqa: PLC0415

    found = list(certificates(text))
    usable = any(each and each.start <= now <= each.end for each in found)
    if "PRIVATE KEY-----" in text:
        said = "holds a private key, which does not belong there"
        yield CaFault(said, "certificates alone", harmless=usable and passes_over)
    if not found:
        yield CaFault("holds no certificate", _CERTIFICATES)
    unreadable = [at for at, each in enumerate(found, start=1) if each is None]
    if unreadable:
        said = f"holds {_certificates(unreadable, found)} that cannot be read"
        yield CaFault(said, _CERTIFICATES, harmless=usable and passes_over)
    out_of_time = {
        at: each
        for at, each in enumerate(found, start=1)
        if each and not each.start <= now <= each.end
    }
    for first in list(out_of_time.values())[:1]:
        said = f"holds {_certificates(list(out_of_time), found)} {_when(first, now)}"
        yield CaFault(said, "one that is valid", harmless=usable)


def _certificates(numbers: list[int], found: list[Certificate | None]) -> str:
    """Name the first of some certificates, and count the others."""
    first = found[numbers[0] - 1]
    name = f", {quoted(first.name)}," if first and first.name else ""
    which = f"a certificate, number {numbers[0]} of {len(found)}{name}" if len(found) > 1 else ""
    others = f" (and {len(numbers) - 1} more)" if len(numbers) > 1 else ""
    return f"{which or 'a certificate'}{others}"


def _when(certificate: Certificate, now: datetime) -> str:
    if now > certificate.end:
        return f"that ended on {certificate.end:%Y-%m-%d}"
    return f"that begins on {certificate.start:%Y-%m-%d}"
