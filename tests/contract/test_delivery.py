# SPDX-License-Identifier: Apache-2.0
"""External Secrets, real and stood in for, refreshes, succeeds and fails in the same ways."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from contract.deliveries import SECRET, Background, Cluster, Delivery, PlainCluster
from contract.serving import serve
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.external_secrets import ExternalSecrets
from lokeys.demo.parts.kubernetes import KubernetesApi

QUIET_S = 0.5
HASH = "reconcile.external-secrets.io/data-hash"


@pytest.fixture(scope="module", params=["stand-in", "external-secrets"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Give a cluster in which the operator runs."""
    if request.param == "external-secrets":
        kubernetes = request.getfixturevalue("kubernetes")
        request.getfixturevalue("external_secrets")
        yield kubernetes.api
        return
    with ExitStack() as stack:
        background = stack.enter_context(Background())
        api = stack.enter_context(background.running(KubernetesApi))
        stack.enter_context(background.running(lambda: ExternalSecrets(api.url)))
        plain = PlainCluster(api.url)
        stack.callback(plain.close)
        yield plain


@pytest.fixture
def delivery(cluster: Cluster) -> Iterator[Delivery]:
    """Give a namespace with a vault and a valid store."""
    connect = ConnectServer()
    with serve(connect.handle) as url:
        made = Delivery(cluster, connect, url)
        yield made
        if made.find("externalsecrets"):
            made.delete("externalsecrets")


def begin(delivery: Delivery, **spec: Any) -> None:
    """Create the ExternalSecret and wait until nothing moves any more."""
    delivery.add(**spec)
    delivery.until(lambda: delivery.value() == "OLDKEY" and delivery.ready()[0] == "True")
    time.sleep(QUIET_S)


def force(delivery: Delivery) -> None:
    delivery.merge("externalsecrets", {"metadata": {"annotations": {"force-sync": "1"}}})


def change_spec(delivery: Delivery) -> None:
    delivery.merge("externalsecrets", {"spec": {"target": {"deletionPolicy": "Delete"}}})


def spoil_hash(delivery: Delivery) -> None:
    delivery.merge("secrets", {"metadata": {"annotations": {HASH: "wrong"}}})


def add_a_key(delivery: Delivery) -> None:
    delivery.merge("secrets", {"data": {"extra": "eA=="}})


def delete_target(delivery: Delivery) -> None:
    delivery.delete("secrets")


POLICIES: dict[str, dict[str, str]] = {
    "periodic": {"refreshInterval": "1h"},
    "interval-zero": {"refreshInterval": "0s"},
    "created-once": {"refreshPolicy": "CreatedOnce"},
    "on-change": {"refreshPolicy": "OnChange"},
}
REFRESHES: dict[Callable[[Delivery], None], set[str]] = {
    force: {"periodic", "on-change"},
    change_spec: {"periodic", "on-change"},
    delete_target: set(POLICIES),
    spoil_hash: set(POLICIES),
    add_a_key: set(POLICIES),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("occasion", REFRESHES, ids=lambda occasion: occasion.__name__)
def test_what_makes_it_read_afresh(
    delivery: Delivery, policy: str, occasion: Callable[[Delivery], None]
) -> None:
    """The vault is read again exactly where the table says so."""
    spec: dict[str, Any] = dict(POLICIES[policy])
    begin(delivery, **spec)
    delivery.edit()
    occasion(delivery)
    if policy in REFRESHES[occasion]:
        delivery.until(lambda: delivery.value() == "NEWKEY")
    else:
        time.sleep(QUIET_S)
        assert delivery.value() == "OLDKEY"


def test_a_force_moves_the_synced_version(delivery: Delivery) -> None:
    """The version names the generation, and moves with each new mark; so does the Secret."""
    begin(delivery)
    before, secret = delivery.status(), delivery.find("secrets")
    assert secret is not None
    found = delivery.find("externalsecrets")
    assert found is not None
    assert found["spec"]["refreshInterval"] == "1h0m0s"
    assert before["syncedResourceVersion"].startswith(f"{found['metadata']['generation']}-")
    force(delivery)
    delivery.until(
        lambda: delivery.status()["syncedResourceVersion"] != before["syncedResourceVersion"]
    )
    after = delivery.find("secrets")
    assert after is not None
    assert after["metadata"]["annotations"]["force-sync"] == "1"
    assert after["data"] == secret["data"]


def test_ready_over_an_immutable_secret_that_stays_old(delivery: Delivery) -> None:
    """Ready and version say success, the data stays; deleting the Secret helps."""
    begin(delivery, target={"immutable": True})
    before = delivery.status()["syncedResourceVersion"]
    delivery.edit()
    force(delivery)
    delivery.until(lambda: delivery.status()["syncedResourceVersion"] != before)
    assert (delivery.ready()[0], delivery.value()) == ("True", "OLDKEY")
    delivery.delete("secrets")
    delivery.until(lambda: delivery.value() == "NEWKEY")


def test_an_empty_value_is_a_success(delivery: Delivery) -> None:
    """An empty field goes over a working one, and the ExternalSecret is Ready."""
    begin(delivery)
    delivery.edit(access_key="")
    force(delivery)
    delivery.until(lambda: delivery.value() == "")
    assert delivery.ready()[:2] == ("True", "SecretSynced")


def no_item(delivery: Delivery) -> None:
    delivery.connect.vaults[delivery.vault].items.clear()


def no_field(delivery: Delivery) -> None:
    item = delivery.connect.vaults[delivery.vault].items[delivery.item]
    item.shown["fields"][0]["label"] = "other"


def two_items(delivery: Delivery) -> None:
    delivery.connect.add_item(delivery.vault, "loki-s3", [])


def bad_token(delivery: Delivery) -> None:
    delivery.connect.tokens.clear()


FIRST = "error processing spec.data[0] (key: loki-s3), err: "


@pytest.mark.parametrize(
    "harm, text",
    [
        pytest.param(
            no_item, "key not found in 1Password Vaults: loki-s3 in: map[homelab:1]", id="no-item"
        ),
        pytest.param(
            no_field,
            "expected one 1Password ItemField matching: 'access_key' in 'loki-s3', got 0",
            id="no-field",
        ),
        pytest.param(
            two_items, "expected one 1Password Item matching: 'loki-s3', got 2", id="two-items"
        ),
        pytest.param(
            bad_token,
            "error finding 1Password Vault: status 401: Invalid token signature",
            id="401",
        ),
    ],
)
def test_a_failure_names_its_cause_in_the_event_alone(
    delivery: Delivery, harm: Callable[[Delivery], None], text: str
) -> None:
    """The condition has a fixed phrase, the event the cause, and the Secret its value."""
    begin(delivery)
    refreshed = delivery.status()["refreshTime"]
    harm(delivery)
    force(delivery)
    said = "could not get secret data from provider"
    delivery.until(lambda: delivery.ready() == ("False", "SecretSyncedError", said))
    delivery.until(delivery.events)
    assert delivery.events()[0] == FIRST + text
    assert delivery.value() == "OLDKEY"
    assert delivery.status()["refreshTime"] == refreshed


def test_a_store_that_is_missing(delivery: Delivery) -> None:
    """A store that does not exist is named in the event."""
    delivery.add(secretStoreRef={"name": "none", "kind": "SecretStore"})
    delivery.until(delivery.events)
    text = 'could not get SecretStore "none", '
    assert delivery.events()[0].startswith(FIRST + text)


def test_merge_without_a_target_is_ready_and_missing(delivery: Delivery) -> None:
    """CreationPolicy Merge says Ready though there is no Secret."""
    delivery.add(target={"creationPolicy": "Merge"})
    delivery.until(lambda: delivery.ready()[:2] == ("True", "SecretMissing"))
    assert delivery.find("secrets") is None


@pytest.mark.parametrize("policy", ["Owner", "Orphan", "Merge"])
def test_a_second_claim_on_one_target(delivery: Delivery, policy: str) -> None:
    """The second ExternalSecret fails by name, whatever it would do to a Secret that is owned."""
    begin(delivery)
    delivery.add("second", target={"name": SECRET, "creationPolicy": policy})
    delivery.until(lambda: delivery.ready(name="second")[0] == "False")
    message = delivery.ready(name="second")[2]
    assert message == "target is owned by another ExternalSecret"
    delivery.delete("externalsecrets", "second")
