# SPDX-License-Identifier: Apache-2.0
"""Stores that lokeys cannot read: what they are called, and where in them the pair is."""

from typing import Any

import pytest
import yaml

from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.route.discovery.stores import place_of, provider_name


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ({"onepasswordSDK": {}}, "1Password"),
        ({"vault": {}}, "Vault"),
        ({"doppler": {}}, "Doppler"),
        ({"webhook": {}}, "the store behind the webhook"),
        ({"aws": {"service": "SecretsManager"}}, "AWS's Secrets Manager"),
        ({"aws": {"service": "ParameterStore"}}, "AWS's Parameter Store"),
        ({"aws": {}}, "AWS"),
        ({"gcpsm": {}}, "Google's Secret Manager"),
        ({"infisical": {}}, "Infisical"),
        ({"kubernetes": {"remoteNamespace": "shared"}}, "Secrets of namespace `shared`"),
        ({"kubernetes": {}}, "Secrets of namespace `default`"),
        ({"passbolt\x1b[31m": {}}, "`passbolt?[31m`"),
        ({}, ""),
    ],
)
def test_a_store_is_called_as_people_call_it(provider: dict[str, Any], name: str) -> None:
    """One that is not known by its own word in the manifest."""
    assert provider_name({"spec": {"provider": provider}}) == name


CASES = {
    "two properties of one key": (
        """
        data:
        - {secretKey: ID, remoteRef: {key: apps/loki, property: id}}
        - {secretKey: KEY, remoteRef: {key: apps/loki, property: secret}}
        """,
        "`apps/loki`, its fields `id` and `secret`",
    ),
    "two keys without properties": (
        """
        data:
        - {secretKey: ID, remoteRef: {key: LOKI_ID}}
        - {secretKey: KEY, remoteRef: {key: LOKI_KEY}}
        """,
        "`LOKI_ID` and `LOKI_KEY`",
    ),
    "two keys with properties": (
        """
        data:
        - {secretKey: ID, remoteRef: {key: one, property: id}}
        - {secretKey: KEY, remoteRef: {key: two, property: secret}}
        """,
        "`one`, field `id` and `two`, field `secret`",
    ),
    "a whole key": ("dataFrom: [{extract: {key: loki}}]", "`loki`, its fields `ID` and `KEY`"),
    "found by name": ("dataFrom: [{find: {name: {regexp: x}}}]", ""),
    "half of it is not followed": (
        "data: [{secretKey: ID, remoteRef: {key: LOKI_ID}}]",
        "",
    ),
}


@pytest.mark.parametrize(("spec", "place"), CASES.values(), ids=CASES)
def test_where_the_pair_is(spec: str, place: str) -> None:
    """Key and fields as they stand in the store; nothing where it cannot be told whole."""
    external = read({"metadata": {"name": "e"}, "spec": yaml.safe_load(spec)})
    assert place_of([external.field_of("ID"), external.field_of("KEY")]) == place
