# SPDX-License-Identifier: Apache-2.0
"""Common names of the stores that External Secrets reads, and where in a store a pair is.

https://external-secrets.io/latest/provider/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lokeys.core.kubernetes.external_secrets.onepassword import provider_of
from lokeys.core.kubernetes.external_secrets.reading import Field
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.json_fields import Json, text_at
from lokeys.core.text.words import quoted

_NAMES: Mapping[str, str] = {
    "onepassword": "1Password",
    "onepasswordSDK": "1Password",
    "vault": "Vault",
    "doppler": "Doppler",
    "infisical": "Infisical",
    "bitwardensecretsmanager": "Bitwarden Secrets Manager",
    "gcpsm": "Google's Secret Manager",
    "azurekv": "Azure Key Vault",
    "akeyless": "Akeyless",
    "gitlab": "GitLab's variables",
    "oracle": "Oracle's vault",
    "pulumi": "Pulumi ESC",
    "scaleway": "Scaleway's Secret Manager",
    "webhook": "the store behind the webhook",
}
_OF_AWS = {"ParameterStore": "AWS's Parameter Store", "SecretsManager": "AWS's Secrets Manager"}


def provider_name(store: Json) -> str:
    """Return the common name of a SecretStore's provider; empty if it has none."""
    name = provider_of(store)
    if name == "aws":
        return _OF_AWS.get(text_at(store, "spec", "provider", name, "service"), "AWS")
    if name == "kubernetes":
        namespace = text_at(store, "spec", "provider", name, "remoteNamespace") or "default"
        return f"Secrets of namespace {quoted(namespace)}"
    return _NAMES.get(name, quoted(name)) if name else ""


def place_of(fields: Sequence[Field | NotFollowed]) -> str:
    """Return where in its store a pair is, as far as that is known; empty if it is not."""
    found = [each for each in fields if isinstance(each, Field)]
    keys = list(dict.fromkeys(each.remote.key for each in found if each.remote.key))
    if not keys or len(found) != len(fields):
        return ""
    if len(keys) > 1 or not all(map(_part, found)):
        return " and ".join(map(_whole, found))
    parts = " and ".join(quoted(_part(each)) for each in found)
    return f"{quoted(keys[0])}, its fields {parts}"


def _whole(field: Field) -> str:
    part = _part(field)
    return f"{quoted(field.remote.key)}{f', field {quoted(part)}' if part else ''}"


def _part(field: Field) -> str:
    """Return which part of a key is read: its property, or the field's name here."""
    return field.remote.property or (field.name if field.renaming is not None else "")
