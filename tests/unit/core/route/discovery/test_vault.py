# SPDX-License-Identifier: Apache-2.0
"""The vault behind a store, and what is said about it."""

import pytest

from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.route.discovery.model import UNKNOWN
from lokeys.core.route.discovery.vault import fields_of, vault_of
from lokeys.core.route.model import OnePasswordVault, PairKeys

KEYS = PairKeys(access_key_id="ID", secret_access_key="SECRET")
EXTERNAL: Json = {
    "kind": "ExternalSecret",
    "metadata": {"name": "loki", "namespace": "monitoring"},
    "spec": {
        "secretStoreRef": {"name": "vault"},
        "data": [
            {"secretKey": "ID", "remoteRef": {"key": "item", "property": "id"}},
            {"secretKey": "SECRET", "remoteRef": {"key": "item", "property": "secret"}},
        ],
    },
}


def connect_at(host: str) -> Json:
    """Return a store on 1Password Connect at this address."""
    provider = {
        "connectHost": host,
        "vaults": {"homelab": 1},
        "auth": {"secretRef": {"connectTokenSecretRef": {"name": "token", "key": "t"}}},
    }
    metadata = {"name": "vault", "namespace": "monitoring"}
    return {"metadata": metadata, "spec": {"provider": {"onepassword": provider}}}


@pytest.mark.parametrize(
    ("host", "printed"),
    [
        pytest.param("http://connect:8080", "http://connect:8080", id="an address is taken"),
        pytest.param("http://u:canary@connect", UNKNOWN, id="one with a user in it is left blank"),
        pytest.param("https://connect/?t=canary", UNKNOWN, id="one with a query is left blank"),
    ],
)
def test_an_address_is_printed_only_if_it_is_one(host: str, printed: str) -> None:
    """What else stands in `connectHost` may be a credential."""
    fields = fields_of(read(EXTERNAL, namespace="monitoring"), KEYS)
    vault, notes = vault_of(connect_at(host), fields, namespace="monitoring")

    assert isinstance(vault, OnePasswordVault)
    assert vault.url == printed
    assert (UNKNOWN in notes.get("spec.vault.onePassword.connect.url", "")) is (printed == UNKNOWN)
    assert "canary" not in repr((vault, notes))


def test_of_several_vaults_the_first_is_taken_and_all_are_named() -> None:
    """External Secrets searches them in the order of their numbers."""
    store = connect_at("http://connect:8080")
    store["spec"]["provider"]["onepassword"]["vaults"] = {"shared": 2, "homelab": 1}
    fields = fields_of(read(EXTERNAL, namespace="monitoring"), KEYS)
    vault, notes = vault_of(store, fields, namespace="monitoring")

    assert isinstance(vault, OnePasswordVault)
    assert vault.vault == "homelab"
    assert notes["spec.vault.onePassword.vault"].endswith("searched: homelab, shared")
