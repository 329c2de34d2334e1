# SPDX-License-Identifier: Apache-2.0
"""TLS as a kubeconfig defines it: the trusted CA, and the client certificate."""

from __future__ import annotations

import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2


def context_for(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    """Return a TLS context for the checked entries of a cluster and a user.

    Raises OSError if a file cannot be read or OpenSSL refuses a certificate or key, and ValueError
    if data is not base64.
    """
    authority = material(cluster, "certificate-authority")
    if authority is None:
        insecure = cluster.get("insecure-skip-tls-verify", False)
        context = httpx2.create_ssl_context(verify=not insecure)
    else:
        # OpenSSL skips text around certificates; Python accepts only ASCII. An empty text would
        # mean the system's authorities, where the kubeconfig means none.
        context = ssl.create_default_context(cadata=authority.decode("ascii", "ignore") or "\n")
    certificate, key = material(user, "client-certificate"), material(user, "client-key")
    if certificate is not None and key is not None:
        present(context, certificate, key)
    return context


def material(entry: Mapping[str, Any], name: str) -> bytes | None:
    """Return the PEM text of a field; as in kubectl, inline data overrides the file.

    Raises OSError if the file cannot be read and ValueError if the data is not base64.
    """
    if f"{name}-data" in entry:
        return b64decode(entry[f"{name}-data"], validate=True)
    return Path(entry[name]).read_bytes() if name in entry else None


def present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Use this client certificate on the context's new connections. Raises OSError."""
    with tempfile.NamedTemporaryFile() as file:  # readable by this user only
        file.write(certificate + b"\n" + key)
        file.flush()
        # An unneeded password is ignored; without one OpenSSL would ask at the terminal.
        context.load_cert_chain(file.name, password="")
