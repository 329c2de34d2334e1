# SPDX-License-Identifier: Apache-2.0
"""The vault behind a store, and what is said about it."""

import pytest
import yaml

from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.route.discovery.model import UNKNOWN
from lokeys.core.route.discovery.vault import fields_in, fields_of, vault_of
from lokeys.core.route.model import OnePasswordVault, PairKeys, SecretRef

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


INSIDE = SecretRef(
    name="loki-config",
    inside="config.yaml",
    keys=PairKeys(access_key_id="s3.access_key_id", secret_access_key="s3.secret_access_key"),
)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        pytest.param(
            'a: 1\ns3:\n  access_key_id: {{ .id }}\n  secret_access_key: "{{ .key | trim }}"\n',
            ("id", "key"),
            id="each half is one field",
        ),
        pytest.param(
            "s3: {access_key_id: '{{ .id }}-x', secret_access_key: '{{ .key | b64dec }}'}",
            (
                "not followed: the template does not make it of one field",
                "not followed: `b64dec` changes the value on its way",
            ),
            id="a text around it, and a change on its way",
        ),
        pytest.param(
            "s3: [{{ .id }}, {{ .key }}]",
            ("not followed: the template does not make it of one field",) * 2,
            id="somewhere else",
        ),
        pytest.param(
            "s3: {access_key_id: AK, secret_access_key: lokeys-field-7}",
            ("not followed: the template does not make it of one field",) * 2,
            id="in so many words, one like a mark",
        ),
        pytest.param("{{ if .id }}a: b{{ end }}", ("not followed: the template uses `if`",) * 2,
                     id="a template that is not followed"),
    ],
)  # fmt: skip
def test_a_composed_configuration_is_seen_through(text: str, labels: tuple[str, str]) -> None:
    """Which field stands at each place in the text that the template makes."""
    template = {"engineVersion": "v2", "data": {"config.yaml": text}}
    spec = {"target": {"template": template}, "dataFrom": [{"extract": {"key": "item"}}]}
    fields = fields_in(read({"metadata": {"name": "e"}, "spec": spec}), INSIDE, yaml.safe_load)
    found = [f"not followed: {f.why}" if isinstance(f, NotFollowed) else f.name for f in fields]
    assert tuple(found) == labels


def test_of_several_vaults_the_first_is_taken_and_all_are_named() -> None:
    """External Secrets searches them in the order of their numbers."""
    store = connect_at("http://connect:8080")
    store["spec"]["provider"]["onepassword"]["vaults"] = {"shared": 2, "homelab": 1}
    fields = fields_of(read(EXTERNAL, namespace="monitoring"), KEYS)
    vault, notes = vault_of(store, fields, namespace="monitoring")

    assert isinstance(vault, OnePasswordVault)
    assert vault.vault == "homelab"
    assert notes["spec.vault.onePassword.vault"].endswith("searched: homelab, shared")
