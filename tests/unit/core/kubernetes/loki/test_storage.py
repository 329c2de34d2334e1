# SPDX-License-Identifier: Apache-2.0
"""Where a Loki writes, out of the many places where it takes that from."""

from typing import Any

import pytest

from lokeys.core.kubernetes.loki.model import Backend, LokiStorage
from unit.core.kubernetes.loki.pods import EXPANDING, common, config_map, loki

NEWER = {"endpoint": "rgw:80", "insecure": True, "bucket_name": "logs"}
THERE = ("logs", "http://rgw.storage.svc:80")


def where(found: LokiStorage) -> tuple[str, str]:
    """Return bucket and address."""
    return found.bucket, found.endpoint


def named(*, newer: bool, **store: Any) -> Any:
    """Return a configuration whose schema names a store of its own."""
    kind = {"s3": {"lake": store}} if newer else {"aws": {"lake": store}}
    stores = {"named_stores": kind}
    storage = {"use_thanos_objstore": True, "object_store": stores} if newer else stores
    periods = [
        {"from": "2025-06-01", "object_store": "lake"},
        {"from": "2024-01-01", "object_store": "lake"},
    ]
    return {
        "common": {"storage": {"s3": {"bucketnames": "others"}}},
        "schema_config": {"configs": periods},
        "storage_config": storage,
    }


@pytest.mark.parametrize(
    ("document", "args", "bucket"),
    [
        pytest.param(common(), (), "logs", id="common"),
        pytest.param(
            common() | {"storage_config": {"aws": {"bucketnames": "own"}}}, (), "own", id="its own"
        ),
        pytest.param(
            common() | {"storage_config": {"aws": {"bucketnames": None}}}, (), "", id="nothing"
        ),
        pytest.param(common(), ("-common.storage.s3.buckets=arg",), "arg", id="an argument"),
        pytest.param(
            common() | {"storage_config": {"aws": {"bucketnames": "own"}}},
            ("-common.storage.s3.buckets=arg",),
            "own",
            id="an argument for all, under its own",
        ),
        pytest.param(
            common() | {"storage_config": {"aws": {"bucketnames": "own"}}},
            ("-s3.buckets=a", "-s3.buckets=arg"),
            "arg",
            id="the last argument of its own, over all",
        ),
        pytest.param(
            common() | {"storage_config": {"use_thanos_objstore": True}}, (), "", id="newer, unset"
        ),
        pytest.param(
            {"storage_config": {"use_thanos_objstore": True, "object_store": {"s3": NEWER}}},
            (),
            "logs",
            id="newer",
        ),
        pytest.param(
            {"common": {"storage": {"object_store": {"s3": NEWER}}}},
            ("-use-thanos-objstore",),
            "logs",
            id="newer, by an argument",
        ),
        pytest.param(
            {"storage_config": {"use_thanos_objstore": True, "object_store": {"s3": NEWER}}},
            ("-use-thanos-objstore=false", "-s3.buckets=old"),
            "old",
            id="switched off by an argument",
        ),
        pytest.param(
            {"storage_config": {"use_thanos_objstore": True, "object_store": {"s3": NEWER}}},
            ("-object-store.s3.bucket-name=arg",),
            "arg",
            id="newer, an argument over the file",
        ),
        pytest.param(
            named(newer=False, bucketnames="lake"), (), "lake", id="a store of another name"
        ),
        pytest.param(named(newer=True, bucket_name="lake"), (), "lake", id="a newer one"),
        pytest.param(
            common() | {"storage_config": {"aws": {"s3": "s3://rgw.svc/by-url"}}},
            (),
            "logs",
            id="a bucket over the address",
        ),
        pytest.param({"storage_config": {"aws": {"s3": "s3://rgw.svc/x/"}}}, (), "x", id="a path"),
        pytest.param(common(bucketnames="one, two"), (), "one", id="the first of several"),
        pytest.param(common(bucketnames=2026), (), "2026", id="a number"),
        pytest.param(common(bucketnames=["a"]), (), "", id="a list is none"),
        pytest.param(common(bucketnames="x" * 3000), (), "", id="nor is what is too long"),
    ],
)
def test_the_bucket_is_lokis_own_choice(document: Any, args: tuple[str, ...], bucket: str) -> None:
    """Arguments over the file, a store's own settings over those for all."""
    assert loki(document, *EXPANDING, *args).storage.bucket == bucket


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({"endpoint": "https://s3.example.org/"}, "https://s3.example.org"),
        ({"endpoint": "s3.example.org", "insecure": False}, "https://s3.example.org"),
        ({"endpoint": "http://user:canary@rgw:7480"}, "http://rgw:7480"),
        ({"endpoint": "rgw:not-a-port"}, ""),
        ({"endpoint": "http://[fd00::1"}, ""),
        ({"endpoint": "[fd00::1]:8080"}, "http://[fd00::1]:8080"),
        ({"endpoint": None, "s3": "s3://AKID:canary@rgw.:80/loki"}, "http://rgw.:80"),
        ({"endpoint": None, "s3": "https://AKID:canary@rgw.svc/loki"}, "https://rgw.svc"),
        ({"endpoint": None, "s3": "s3://AKID:can/a@ry/+@rgw.svc/loki"}, "http://rgw.svc"),
        ({"endpoint": None, "s3": "s3://AKID:canary@[::1.2/loki"}, ""),
        ({"endpoint": None, "s3": "x" * 3000}, ""),
        ({"endpoint": None, "s3": "s3://eu-west-1/loki"}, "https://s3.eu-west-1.amazonaws.com"),
        ({"endpoint": None, "region": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn"),
        (
            {"endpoint": None, "region": "us-iso-east-1"},
            "https://s3.us-iso-east-1.c2s.ic.gov",
        ),
        ({"endpoint": "", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com"),
        ({"endpoint": "${GONE}", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com"),
        ({"endpoint": "${ID^^}", "region": "eu-west-1"}, ""),
        ({"endpoint": None, "region": "auto"}, ""),
        ({"endpoint": None}, ""),
    ],
)
def test_the_endpoint_is_a_url_without_anything_secret(
    fields: dict[str, Any], endpoint: str
) -> None:
    """Scheme, host and port are taken; without one it is AWS's own of the region."""
    assert loki(common(**fields)).storage.endpoint == endpoint


@pytest.mark.parametrize(
    ("endpoint", "of_aws"),
    [
        ("", True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.us-iso-east-1.c2s.ic.gov", True),
        ("https://s3.eusc-de-east-1.amazonaws.eu", True),
        ("http://internal-minio-1234567890.eu-west-1.elb.amazonaws.com:9000", False),
        ("http://rgw.storage:8080", False),
    ],
)
def test_a_store_is_awss_by_its_host(endpoint: str, *, of_aws: bool) -> None:
    """In every partition; a balancer of AWS's has anybody's store behind it."""
    assert LokiStorage(endpoint=endpoint).of_aws is of_aws


def test_an_endpoint_may_be_a_variable_of_aws() -> None:
    """The SDK takes it where the configuration names none."""
    values = {"AWS_ENDPOINT_URL_S3": "http://rgw.svc:7480"}
    found = loki(common(endpoint=None, region="eu-west-1"), values=values)

    assert found.storage.endpoint == "http://rgw.svc:7480"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"HOST": "rgw.storage.svc:80", "BUCKET": "logs"}, THERE, id="in a Secret"),
        pytest.param(
            {"HOST": "rgw.storage.svc:80\n", "BUCKET": "logs\n"}, THERE, id="with a newline"
        ),
        pytest.param({"HOST": "x" * 9000}, ("", ""), id="too long"),
        pytest.param({}, ("", ""), id="not set"),
    ],
)
def test_bucket_and_endpoint_are_read_out_of_the_secret(
    values: dict[str, str], expected: tuple[str, str]
) -> None:
    """They are no secrets, whichever object holds them."""
    document = common(endpoint="${HOST}", bucketnames="${BUCKET}")

    assert where(loki(document, values=values).storage) == expected


def test_a_name_is_made_of_several_variables() -> None:
    """ConfigMap, Secret and the manifest's own, one in another."""
    env = [
        {"name": "PORT", "value": "80"},
        {"name": "PLACE", "value": "$(HOST):$(PORT)"},
        {
            "name": "BUCKET",
            "valueFrom": {"configMapKeyRef": {"name": "bucket", "key": "BUCKET_NAME"}},
        },
    ]
    claim = config_map("bucket", BUCKET_NAME="logs")
    document = common(endpoint="http://${PLACE}", bucketnames="${BUCKET}")
    found = loki(document, env=env, values={"HOST": "rgw.storage.svc"}, objects=[claim])

    assert where(found.storage) == THERE


@pytest.mark.parametrize(
    ("document", "style"),
    [
        (common(), True),
        (common(s3forcepathstyle=None), False),
        (common(s3forcepathstyle=False), False),
        ({"storage_config": {"use_thanos_objstore": True}}, True),
        (
            {
                "storage_config": {
                    "use_thanos_objstore": True,
                    "object_store": {"s3": NEWER | {"bucket_lookup_type": "virtual-hosted"}},
                }
            },
            False,
        ),
    ],
    ids=["set", "not set", "off", "the newer client's own", "the newer client, off"],
)
def test_the_style_is_the_clients_own(document: Any, *, style: bool) -> None:
    """The older client puts the bucket before the host unless it is told otherwise."""
    assert loki(document).storage.path_style is style


@pytest.mark.parametrize(
    ("store", "backend"),
    [
        ("gcs", Backend.GCS),
        ("azure", Backend.AZURE),
        ("filesystem", Backend.DISK),
        ("swift", Backend.SWIFT),
        ("cassandra", Backend.OTHER),
        ("aws", Backend.S3),
    ],
)
def test_the_schema_names_the_store(store: str, backend: Backend) -> None:
    """What else is configured does not count."""
    periods = [{"from": "2020-01-01", "object_store": "s3"}, {"from": "2024-01-01"}]
    periods += [{"from": "2025-01-01", "object_store": store}]
    found = loki(common() | {"schema_config": {"configs": periods}}).storage

    assert found.backend is backend
    assert found.several
    assert bool(found.bucket) is (backend is Backend.S3)


def test_a_named_store_of_another_cloud_is_that_clouds() -> None:
    """The name itself says nothing."""
    document = {
        "schema_config": {"configs": [{"from": "2025-01-01", "object_store": "lake"}]},
        "storage_config": {"named_stores": {"aws": None, "gcs": {"lake": {"bucket_name": "b"}}}},
    }

    assert loki(document).storage.backend is Backend.GCS


@pytest.mark.parametrize(
    "text",
    ["just words", "a: [", "- 1", "x" * (300 << 10), "a: !!int ''"],
    ids=["words", "cut off", "a list", "too large", "a tag"],
)
def test_what_is_no_configuration_is_told(text: str) -> None:
    """Nothing is read of it, and no fault made of it."""
    found = loki(text)

    assert found.unseen
    assert (found.storage.bucket, found.faults) == ("", ())
