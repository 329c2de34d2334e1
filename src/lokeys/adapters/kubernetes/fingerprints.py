# SPDX-License-Identifier: Apache-2.0
"""The key of the fingerprints: kept in the operator's namespace, or made for this run."""

from __future__ import annotations

import secrets
from base64 import b64encode

from lokeys.adapters.kubernetes.pairs import value_of
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.errors import Conflict, LokeysError, NotFound
from lokeys.kube.client import Api
from lokeys.kube.resources import SECRET

SECRET_NAME = "lokeys-fingerprint"
SYSTEM_NAMESPACE = "lokeys-system"
KEY_BYTES = 32


def for_this_run() -> Fingerprinter:
    """Return a fingerprinter whose fingerprints (`r:`) are not comparable after this run."""
    return Fingerprinter(key=Sensitive(secrets.token_bytes(KEY_BYTES)), kept=False)


async def load(api: Api, *, namespace: str = SYSTEM_NAMESPACE) -> Fingerprinter:
    """Return the kept fingerprinter (`k:`), or one for this run if it cannot be read."""
    try:
        kept = value_of(await api.get(SECRET, SECRET_NAME, namespace=namespace), "key")
    except LokeysError:
        return for_this_run()
    return Fingerprinter(key=kept, kept=True) if len(kept.reveal()) >= KEY_BYTES else for_this_run()


async def load_or_make(api: Api, *, namespace: str = SYSTEM_NAMESPACE) -> Fingerprinter:
    """Return the kept fingerprinter, created now if there is none; for the operator.

    Raises what reading or creating the Secret raises: without a kept key the operator would treat
    each restart as a change of every key.
    """
    try:
        secret = await api.get(SECRET, SECRET_NAME, namespace=namespace)
    except NotFound:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET_NAME, "namespace": namespace},
            "immutable": True,
            "data": {"key": b64encode(secrets.token_bytes(KEY_BYTES)).decode()},
        }
        try:
            secret = await api.create(SECRET, body)
        except Conflict:  # the other replica was faster
            secret = await api.get(SECRET, SECRET_NAME, namespace=namespace)
    return Fingerprinter(key=value_of(secret, "key"), kept=True)
