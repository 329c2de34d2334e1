# SPDX-License-Identifier: Apache-2.0
"""Reading the ConfigMap with the CA that a stack trusts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.certificates import NoCertificate, validities

_CERTIFICATES = "certificates in PEM, from -----BEGIN CERTIFICATE----- on"
MADE_BY_CLUSTER = {"openshift-service-ca.crt": "service-ca.crt", "kube-root-ca.crt": "ca.crt"}
"""ConfigMaps with their key that stand in every namespace (of OpenShift), and in no manifest."""


def read_ca(  # noqa: PLR0913 - what a CA is judged by, all named at the call
    stack: Ref,
    ref: Ref,
    *,
    key: str,
    config_map: Mapping[str, Any] | None,
    now: datetime,
    absent: str = "is not among the objects given",
) -> tuple[Finding, ...]:
    """Return what is wrong with the CA at `key` of the ConfigMap `ref`; None where it is absent."""
    if config_map is None:
        words = {"stack_ref": str(stack), "key": key, "where": absent}
        return (tell(rules.MISSING_CA_CONFIGMAP, ref, stack=stack, words=words),)
    return tuple(
        tell(
            rules.BAD_CA_CONFIGMAP,
            ref,
            stack=stack,
            field=key,
            words={"found": found, "expected": expected},
        )
        for found, expected in _faults(config_map, key, now)
    )


def _faults(config_map: Mapping[str, Any], key: str, now: datetime) -> Iterator[tuple[str, str]]:
    data = config_map.get("data")
    text = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        others = sorted(map(str, data)) if isinstance(data, Mapping) else []
        near = [each for each in others if each.endswith((".crt", ".pem"))]
        expected = f"{_CERTIFICATES}; or caKey {near[0][:63]!r}" if near else _CERTIFICATES
        yield ("is empty" if text is not None else "is missing"), expected
        return
    yield from certificate_faults(text, now)


def certificate_faults(text: str | None, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what was found in a text of certificates that should not be, and what should."""
    if not text or not text.strip():
        yield ("is missing" if text is None else "is empty"), _CERTIFICATES
        return
    if "PRIVATE KEY-----" in text:
        yield "holds a private key, which does not belong there", "certificates alone"
    try:
        spans = list(validities(text))
    except NoCertificate:
        yield "holds a certificate that cannot be read", _CERTIFICATES
        return
    if not spans:
        yield "holds no certificate", _CERTIFICATES
    for start, end in spans:
        if now > end:
            yield f"holds a certificate that ended on {end:%Y-%m-%d}", "one that is valid"
        elif now < start:
            yield f"holds a certificate that begins on {start:%Y-%m-%d}", "one that is valid"
