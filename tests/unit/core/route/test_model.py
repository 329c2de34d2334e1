# SPDX-License-Identifier: Apache-2.0
"""What a route's parts are called."""

import pytest

from builders import a_route
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import Half, InFile, InManifest, PairPlace, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.route.model import (
    ClaimSource,
    PairKeys,
    RookSource,
    SecretRef,
    SecretSource,
    Source,
    UnknownSource,
    consenting_ref,
    source_ref,
)

CLAIM = ClaimSource(claim="logs", namespace="storage")
PAIR = PairKeys(access_key_id="id", secret_access_key="key")
PLAIN = SecretSource(secret=SecretRef(name="s", keys=PAIR), namespace="storage")


@pytest.mark.parametrize(
    ("source", "ref"),
    [
        (RookSource(user="loki", namespace="storage"), "CephObjectStoreUser storage/loki"),
        (PLAIN, "Secret storage/s"),
        (CLAIM, "Secret storage/logs"),
        (UnknownSource(), "None"),
    ],
)
def test_who_allows_a_namespace_to_use_a_source(source: Source, ref: str) -> None:
    """The user, or the Secret; a claim's Secret, not the claim."""
    assert str(consenting_ref(a_route(source=source))) == ref


def test_a_claim_is_the_source_by_its_name() -> None:
    """Its Secret is called as it is."""
    assert source_ref(a_route(source=CLAIM)) == Ref("ObjectBucketClaim", "logs", "storage")
    assert CLAIM.secret.keys.access_key_id == "AWS_ACCESS_KEY_ID"


FILE = DataKey(Ref("ConfigMap", "loki", "m"), "config.yaml")
KEY_ID = InFile(FILE, ("s3", "access_key_id"))


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [
        (KEY_ID, InManifest("env")),
        (KEY_ID, InFile(DataKey(FILE.ref, "other.yaml"), ("s3", "secret"))),
        (InFile(FILE, ("a.b", "id")), InFile(FILE, ("s3", "secret"))),
    ],
    ids=["another kind of place", "another file", "a step with a dot"],
)
def test_a_pair_that_no_resource_can_name(key_id: Half, secret: Half) -> None:
    """It is said where it stands, and not followed."""
    loki = RunningLoki(container="loki", pair=PairPlace(key_id=key_id, secret=secret))
    assert LokiWorkload(ref=Ref("StatefulSet", "loki", "m"), loki=loki).secret is None
