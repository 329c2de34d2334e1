# SPDX-License-Identifier: Apache-2.0
"""What a stack names is told from its manifest, and hashed as it is found."""

from typing import Any

import pytest

from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.size import MAX_STACK_BYTES
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.named import Hashes, hashes_of, named_in, names_of
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.stacks import view_stack
from unit.core.validation.manifests import NOW, Given, Object, config_map, secret, stack

STACK = Ref("LokiStack", "my-stack", "logging")
STORAGE, CA = Ref("Secret", "loki-storage", "logging"), Ref("ConfigMap", "ca", "logging")
MANAGED = Ref("Secret", "my-stack-managed-credentials", "logging")
KEY = Fingerprinter(key=Sensitive(b"k" * 32), kept=True)
OPENSHIFT = CloudEnvironment(openshift=True, aws_role_arn="arn:aws:iam::123456789012:role/loki")
CLIENT: dict[str, Any] = {
    "tenantId": "t",
    "tenantName": "t",
    "oidc": {"secret": {"name": "client"}, "issuerURL": "https://id.example.com"},
}


def with_tenants(**tenants: Any) -> Object:
    """Return a stack with tenants."""
    found = stack()
    found["spec"]["tenants"] = tenants
    return found


def test_a_stack_names_its_secret_its_ca_and_its_tenants() -> None:
    """Each once; what a cloud hands out goes by the stack's name."""
    found = names_of(STACK, stack(tls={"caName": "ca"}))
    assert (found.storage, found.ca, found.managed) == (STORAGE, CA, MANAGED)
    assert found.all == (STORAGE, CA, MANAGED)
    tenancy = with_tenants(mode="static", authentication=[CLIENT])
    assert names_of(STACK, tenancy).tenants == (Ref("Secret", "client", "logging"),)


@pytest.mark.parametrize(
    "manifest",
    [{}, {"spec": {"storage": {"secret": {"name": 7}, "tls": "x"}}}, with_tenants(mode="none")],
)
def test_what_is_not_named_is_left_out(manifest: Json) -> None:
    """A manifest with other faults names what it names."""
    found = names_of(STACK, manifest)
    assert (found.ca, found.tenants) == (None, ())


@pytest.mark.parametrize(
    ("words", "environment", "managed"),
    [
        ({"credentialMode": "token-cco"}, CloudEnvironment(), True),
        ({"credentialMode": "static"}, OPENSHIFT, False),
        ({}, OPENSHIFT, True),
        ({}, CloudEnvironment(), False),
        ({"type": "unknown"}, OPENSHIFT, False),
    ],
)
def test_who_may_have_managed_credentials(
    words: dict[str, str], environment: CloudEnvironment, managed: bool
) -> None:
    """Whoever asks for them, or runs where the cloud hands them out."""
    manifest = stack(secret={"name": "loki-storage", "type": "s3", **words})
    assert (MANAGED in named_in(STACK, manifest, environment)) is managed


def test_of_a_stack_that_is_too_large_nothing_is_followed() -> None:
    """It is told of itself."""
    manifest = stack()
    manifest["spec"]["note"] = "x" * (MAX_STACK_BYTES + 1)
    assert named_in(STACK, manifest, CloudEnvironment()) == ()


def hashed(manifest: Object, *others: Object) -> Hashes:
    """Return the hashes of a stack with what was found for it."""
    given = [Given(each) for each in (manifest, *others)]
    context = StackContext(
        objects=PlacedObjects(given, namespace="logging"), now=NOW, environment=CloudEnvironment()
    )
    found = {Ref(e["kind"], e["metadata"]["name"], "logging"): e for e in others}
    return hashes_of(view_stack(STACK, given[0], context), found, KEY)


def test_each_of_a_stacks_objects_has_its_hash() -> None:
    """What is not there has none."""
    assert hashed(stack()) == Hashes()
    store = hashed(stack(), secret())
    assert store.store
    assert (store.managed, store.tenants) == ("", "")
    managed = hashed(stack(), secret(), secret({"a": "b"}, name=MANAGED.name))
    assert managed.store == store.store
    assert managed.managed


def test_a_ca_counts_with_the_secret() -> None:
    """Its ConfigMap rolls the pods, too."""
    manifest = stack(tls={"caName": "ca"})
    one = hashed(manifest, secret(), config_map(**{"service-ca.crt": "a"}))
    other = hashed(manifest, secret(), config_map(**{"service-ca.crt": "b"}))
    assert len({one.store, other.store, hashed(manifest, secret()).store}) == 3


def test_clients_of_issuers_are_hashed() -> None:
    """The gateway reads them once."""
    manifest = with_tenants(
        mode="static",
        authentication=[CLIENT],
        authorization={
            "roles": [{"name": "r", "permissions": ["read"], "resources": ["l"], "tenants": ["t"]}],
            "roleBindings": [
                {"name": "b", "roles": ["r"], "subjects": [{"kind": "user", "name": "u"}]}
            ],
        },
    )
    assert hashed(manifest, secret(), secret({"clientID": "c"}, name="client")).tenants
