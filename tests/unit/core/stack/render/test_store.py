# SPDX-License-Identifier: Apache-2.0
"""What Loki and its pods are told of each store, beyond what a stack in a test says."""

from dataclasses import replace
from typing import Any

import pytest

from lokeys.core.stack.render.cloud import credentials_request
from lokeys.core.stack.render.gateway import gateway_objects
from lokeys.core.stack.render.limits import tenant_limits
from lokeys.core.stack.render.network import egress_ports
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.pods import PodPlan
from lokeys.core.stack.render.store import audience_of, environment, store_config
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import (
    S3,
    AlibabaCloud,
    Azure,
    CloudEnvironment,
    CredentialMode,
    Gcs,
    Sse,
    SseType,
    Storage,
    Swift,
)
from manifests.lokistack import NOW, Choice

STATIC, TOKEN, CCO = CredentialMode
KMS = Sse(type=SseType.KMS, has_kms_encryption_context=True)


def stack(**spec: Any) -> LokiStack:
    manifest = Choice().manifest
    manifest["spec"] |= spec
    read, faults = parse(manifest)
    assert read, faults
    return read


def with_ca() -> LokiStack:
    storage = {**Choice().manifest["spec"]["storage"], "tls": {"caName": "ca", "caKey": "a.crt"}}
    return stack(storage=storage)


def s3(mode: CredentialMode = STATIC, **words: Any) -> S3:
    return S3(mode=mode, buckets=words.pop("buckets", ("a",)), **words)


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        pytest.param(
            s3(force_path_style=True, region="a"), {"bucket_lookup_type": "path"}, id="path style"
        ),
        pytest.param(
            s3(region="eu-west-1"), {"endpoint": "s3.eu-west-1.amazonaws.com"}, id="AWS itself"
        ),
        *(
            pytest.param(s3(TOKEN, region=region), {"endpoint": f"s3.{region}.{domain}"}, id=region)
            for region, domain in {
                "cn-north-1": "amazonaws.com.cn",
                "us-iso-east-1": "c2s.ic.gov",
                "us-isob-east-1": "sc2s.sgov.gov",
                "eu-isoe-west-1": "cloud.adc-e.uk",
                "us-isof-south-1": "csp.hci.ic.gov",
                "eusc-de-east-1": "amazonaws.eu",
            }.items()
        ),
        pytest.param(
            s3(endpoint_host="a"), {"http": {"tls_ca_path": "/etc/storage/ca/a.crt"}}, id="the CA"
        ),
        pytest.param(
            s3(endpoint_host="a", sse=Sse(type=SseType.S3, kms_key_id="b")),
            {"sse": {"type": "SSE-S3"}},
            id="SSE-S3 has no key",
        ),
        pytest.param(
            s3(endpoint_host="a", sse=Sse(type=SseType.KMS, kms_key_id="a$b")),
            {"sse": {"kms_key_id": "a$b", "type": "SSE-KMS"}},
            id="a dollar in a key id",
        ),
        pytest.param(
            s3(TOKEN, region="a", sse=KMS), {"native_aws_auth_enabled": True}, id="a token"
        ),
        pytest.param(
            Swift(auth_url="https://a", container="b"),
            {"auth_url": "https://a", "http": {"tls_ca_path": "/etc/storage/ca/a.crt"}},
            id="a swift of few words",
        ),
        pytest.param(
            Azure(mode=STATIC, container="c", account_name="a"),
            {"container_name": "c"},
            id="the public Azure",
        ),
        pytest.param(
            Azure(mode=STATIC, container="c", account_name="a", endpoint_suffix="x.y"),
            {"endpoint_suffix": "x.y"},
            id="a suffix",
        ),
    ],
)
def test_the_current_client_is_told(storage: Storage, expected: dict[str, Any]) -> None:
    """Where the store is, and what it asks for."""
    config = store_config(with_ca(), storage)
    (client,) = config["object_store"].values()
    assert client.items() >= expected.items()
    assert config["use_thanos_objstore"] is True


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        pytest.param(
            s3(region="eu-west-1"),
            {"region": "eu-west-1", "s3forcepathstyle": False},
            id="AWS itself",
        ),
        pytest.param(
            s3(endpoint_host="s3.eu-west-1.amazonaws.com", region="eu-west-1"),
            {"endpoint": "https://s3.eu-west-1.amazonaws.com", "s3forcepathstyle": False},
            id="AWS by name",
        ),
        pytest.param(
            s3(endpoint_host="rgw:80", insecure=True),
            {
                "endpoint": "http://rgw:80",
                "insecure": True,
                "region": "us-east-1",
                "s3forcepathstyle": True,
            },
            id="without TLS",
        ),
        pytest.param(
            s3(TOKEN, region="a", sse=KMS),
            {
                "sse": {
                    "kms_encryption_context": "${AWS_SSE_KMS_ENCRYPTION_CONTEXT}",
                    "type": "SSE-KMS",
                }
            },
            id="a token, encrypted",
        ),
    ],
)
def test_the_older_client_is_told(storage: S3, expected: dict[str, Any]) -> None:
    """The same in its own words, with all buckets."""
    several = replace(storage, buckets=("a", "b"))
    client = store_config(with_ca(), several)["aws"]
    assert client.items() >= expected.items()
    assert client["http_config"] == {"ca_file": "/etc/storage/ca/a.crt"}
    assert ("access_key_id" in client) == (storage.mode is STATIC)
    assert "http_config" not in store_config(stack(), several)["aws"]


@pytest.mark.parametrize(("mode", "told"), [(STATIC, False), (TOKEN, True), (CCO, True)])
def test_who_exchanges_tokens_trusts_the_stores_ca(mode: CredentialMode, told: bool) -> None:
    """The exchange has a client of its own: without the CA every request would be anonymous."""
    found = {each["name"]: each.get("value") for each in environment(with_ca(), s3(mode))}
    assert (found.get("AWS_CA_BUNDLE") == "/etc/storage/ca/a.crt") is told
    assert "AWS_CA_BUNDLE" not in {each["name"] for each in environment(stack(), s3(mode))}


def test_the_encryption_context_comes_from_the_secret_in_every_mode() -> None:
    """It may hold what is nobody's business."""
    names = [entry["name"] for entry in environment(stack(), s3(TOKEN, region="a", sse=KMS))]
    assert names == sorted(names)
    assert "AWS_SSE_KMS_ENCRYPTION_CONTEXT" in names


def test_without_a_ca_nothing_is_said_of_one() -> None:
    """Loki takes the system's then."""
    for storage in (s3(endpoint_host="a"), Swift(auth_url="https://a", container="b")):
        (client,) = store_config(stack(), storage)["object_store"].values()
        assert "http" not in client


def test_an_audience_of_the_users_wins() -> None:
    """And a static store has none."""
    assert audience_of(Gcs(mode=TOKEN, bucket="a", audience="b")) == "b"
    assert audience_of(Swift(auth_url="a", container="b")) == ""


def test_a_value_that_looks_like_kubernetes_own_variables_is_kept() -> None:
    """Kubernetes would put another variable in its place."""
    entries = environment(stack(), s3(TOKEN, region="a", sts_endpoint="https://a/$(B)"))
    (sts,) = (entry for entry in entries if entry["name"] == "AWS_ENDPOINT_URL_STS")
    assert sts["value"] == "https://a/$$(B)"


def test_ports_without_a_proxy_are_the_stores() -> None:
    """The scheme decides where the host names none."""
    assert egress_ports(stack(), s3(endpoint_host="a", insecure=True)) == (80,)
    assert egress_ports(stack(), s3(TOKEN, endpoint_host="a:9000", sts_endpoint="http://b")) == (
        80,
        9000,
    )


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", 80),
        ("oss.example.com:8443", 8443),
        ("http://oss-cn-hangzhou.aliyuncs.com", 80),
        ("https://oss-cn-hangzhou.aliyuncs.com", 443),
    ],
)
def test_alibaba_clouds_client_takes_a_bare_host_for_plain_http(endpoint: str, port: int) -> None:
    """So that is the port that is let out."""
    assert egress_ports(stack(), AlibabaCloud(endpoint=endpoint, bucket="a")) == (port,)


def test_a_request_without_a_role_of_the_usual_form_is_for_awss_own_partition() -> None:
    """China and GovCloud have names of their own."""
    for role, partition in (("", "aws"), ("arn:aws-cn:iam::123456789012:role/a", "aws-cn")):
        cloud = CloudEnvironment(aws_role_arn=role)
        (request,) = credentials_request(stack(), s3(CCO, region="a"), cloud)
        entries = request["spec"]["providerSpec"]["statementEntries"]
        assert entries[0]["resource"] == f"arn:{partition}:s3:::a"


def test_swift_is_never_asked_of_a_cloud() -> None:
    """It has static credentials only."""
    assert not list(
        credentials_request(stack(), Swift(auth_url="a", container="b"), CloudEnvironment())
    )


def test_the_gateway_is_placed_as_the_user_says_and_shut_in_where_asked() -> None:
    """No way in from outside, its own affinity, and no group above the others."""
    term = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a"}]}
    plain = stack(
        tenants={
            "mode": "openshift-network",
            "disableIngress": True,
            "openshift": {"adminGroups": []},
        },
        template={"gateway": {"podAntiAffinity": term}},
    )
    plan = PodPlan(
        stack=plain, storage=s3(endpoint_host="a"), options=RenderOptions(now=NOW), config_hash=""
    )
    assert plain.tenants is not None
    found = {each["kind"]: each for each in gateway_objects(plan, plain.tenants)}
    assert "Route" not in found
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["affinity"] == {"podAntiAffinity": term}
    assert "--opa.admin-groups" not in " ".join(pod["containers"][1]["args"])


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param({"ingestion": {"maxLineSize": 1}}, {"max_line_size": 1}, id="one limit"),
        pytest.param(
            {"retention": {"days": 2}}, {"retention_period": "48h"}, id="retention without streams"
        ),
        pytest.param(
            {"queries": {"blocked": [{"hash": 3}]}},
            {"blocked_queries": [{"hash": 3}]},
            id="a query blocked by its hash",
        ),
        pytest.param(
            {"otlp": {"drop": {"scopeAttributes": [{"name": "a"}]}}},
            {"otlp_config": {"scope_attributes": [{"action": "drop", "attributes": ["a"]}]}},
            id="attributes dropped",
        ),
        pytest.param(
            {"otlp": {"drop": {"resourceAttributes": [{"name": "a", "regex": True}]}}},
            {
                "otlp_config": {
                    "resource_attributes": {
                        "attributes_config": [{"action": "drop", "regex": "a"}],
                    }
                }
            },
            id="resource attributes dropped",
        ),
        pytest.param(
            {"ingestion": {"perStreamDesiredRate": 0}},
            {"shard_streams": {"desired_rate": "0MB", "enabled": False}},
            id="no sharding",
        ),
        pytest.param({}, {}, id="nothing of its own"),
    ],
)
def test_a_tenant_has_what_it_was_given_and_no_more(limits: dict[str, Any], expected: Any) -> None:
    """All else is everybody's."""
    assert tenant_limits(stack(limits={"tenants": {"a": limits}})) == {"a": expected}
