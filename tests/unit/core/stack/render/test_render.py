# SPDX-License-Identifier: Apache-2.0
"""The objects of a stack, over every two values of store, size, tenancy, schema and extras."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml

from lokeys.core.stack.render.render import Group, RenderOptions, only, render
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import S3
from lokeys.core.text.yaml import documents
from manifests.lokistack import NOW, STORES, TENANCIES, Choice, pairwise

CHOICES = pairwise()
SAMPLE = [Choice(store=store, tenancy="static", extra="everything") for store in STORES]
OPEN = frozenset({"bucketnames", "bucket", "bucketname", "container", "container_name", "endpoint"})
OPEN |= {"region", "environment", "audience", "sse_type", "sse_kms_key_id", "sts_endpoint"}
OPEN |= {"auth_url", "domain_id", "domain_name", "user_domain_id", "user_domain_name", "user_id"}


@cache
def objects(choice: Choice, **words: Any) -> tuple[dict[str, Any], ...]:
    stack, storage = choice.read()
    options = RenderOptions(now=NOW, environment=choice.environment, **words)
    return render(stack, storage, options=options)


def named(choice: Choice, kind: str, name: str) -> dict[str, Any]:
    """Return one object."""
    (found,) = (
        each for each in objects(choice) if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def config(choice: Choice, file: str = "config.yaml") -> dict[str, Any]:
    """Return Loki's configuration."""
    read: dict[str, Any] = yaml.safe_load(
        named(choice, "ConfigMap", "my-stack-config")["data"][file]
    )
    return read


def pods(choice: Choice, **words: Any) -> dict[str, dict[str, Any]]:
    """Return the pod templates by the workload's name."""
    return {
        each["metadata"]["name"].removeprefix("my-stack-"): each["spec"]["template"]
        for each in objects(choice, **words)
        if "template" in each.get("spec", {})
    }


def container(choice: Choice, component: str) -> dict[str, Any]:
    found: dict[str, Any] = pods(choice)[component]["spec"]["containers"][0]
    return found


def env(choice: Choice, component: str = "ingester") -> dict[str, str]:
    """Return the environment: the value, or the Secret and key that it comes from."""
    return {
        entry["name"]: entry.get("value")
        or "/".join(
            str(part) for part in sorted(entry["valueFrom"].get("secretKeyRef", {}).values())
        )
        for entry in container(choice, component).get("env", ())
    }


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping within."""
    if isinstance(value, dict):
        yield value
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from mappings(item)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_what_is_printed_is_what_was_rendered(choice: Choice) -> None:
    """YAML and JSON say the same, in sorted order, and the same twice."""
    found = objects(choice)
    assert list(yaml.load_all(documents(found), Loader=yaml.CSafeLoader)) == json.loads(
        json.dumps(found)
    )
    for each in mappings(json.loads(json.dumps(found))):
        assert list(each) == sorted(each)
    stack, storage = choice.read()
    again = render(stack, storage, options=RenderOptions(now=NOW, environment=choice.environment))
    assert documents(again) == documents(found)


@pytest.mark.parametrize("choice", SAMPLE, ids=str)
def test_the_order_of_the_input_is_no_matter(choice: Choice) -> None:
    """A manifest written the other way round renders the same."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    stack, _ = parse(turned(choice.manifest))
    assert stack
    _, storage = choice.read()
    again = render(stack, storage, options=RenderOptions(now=NOW, environment=choice.environment))
    assert documents(again) == documents(objects(choice))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_no_secret_value_is_printed(choice: Choice) -> None:
    """Neither as it is, nor as base64."""
    text = documents(objects(choice))
    for key, value in STORES[choice.store].data.items():
        if key not in OPEN:
            assert value not in text, key
            assert base64.b64encode(value.encode()).decode() not in text, key


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_names_fit_together(choice: Choice) -> None:
    """Whatever an object refers to is made, or is the user's."""
    found = objects(choice)
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert len(names) == len(found)
    for each in found:
        workload = each.get("spec", {})
        if "template" not in workload:
            continue
        spec = workload["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        claims = workload.get("volumeClaimTemplates", ())
        volumes |= {claim["metadata"]["name"] for claim in claims}
        parts = [*spec.get("initContainers", ()), *spec["containers"]]
        mounts = (mount for part in parts for mount in part.get("volumeMounts", ()))
        assert {mount["name"] for mount in mounts} == volumes
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        labels = workload["template"]["metadata"]["labels"]
        assert workload["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (
            "s3",
            {
                "AWS_ACCESS_KEY_ID": "access_key_id/store",
                "AWS_ACCESS_KEY_SECRET": "access_key_secret/store",
            },
        ),
        (
            "s3-aws-kms",
            {
                "AWS_ACCESS_KEY_ID": "access_key_id/store",
                "AWS_ACCESS_KEY_SECRET": "access_key_secret/store",
                "AWS_SSE_KMS_ENCRYPTION_CONTEXT": "sse_kms_encryption_context/store",
            },
        ),
        (
            "s3-token",
            {
                "AWS_REGION": "cn-north-1",
                "AWS_ROLE_ARN": "role_arn/store",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/storage/serviceaccount/token",
            },
        ),
        (
            "s3-token-rgw",
            {
                "AWS_ENDPOINT_URL_STS": "https://rgw.example",
                "AWS_REGION": "us-east-1",
                "AWS_ROLE_ARN": "role_arn/store",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/storage/serviceaccount/token",
            },
        ),
        (
            "s3-cco",
            {
                "AWS_REGION": "eu-west-1",
                "AWS_SDK_LOAD_CONFIG": "true",
                "AWS_SHARED_CREDENTIALS_FILE": "/etc/storage/token-auth/credentials",
            },
        ),
        (
            "azure",
            {
                "AZURE_STORAGE_ACCOUNT_KEY": "account_key/store",
                "AZURE_STORAGE_ACCOUNT_NAME": "account_name/store",
            },
        ),
        (
            "azure-cco",
            {
                "AZURE_CLIENT_ID": "azure_client_id/my-stack-managed-credentials",
                "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/storage/serviceaccount/token",
                "AZURE_STORAGE_ACCOUNT_NAME": "account_name/store",
                "AZURE_SUBSCRIPTION_ID": "azure_subscription_id/my-stack-managed-credentials",
                "AZURE_TENANT_ID": "azure_tenant_id/my-stack-managed-credentials",
            },
        ),
        ("gcs", {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/storage/secrets/key.json"}),
        ("gcs-token", {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/storage/secrets/key.json"}),
        (
            "gcs-cco",
            {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/storage/token-auth/service_account.json"},
        ),
        ("swift", {"SWIFT_PASSWORD": "password/store", "SWIFT_USERNAME": "store/username"}),
        (
            "alibabacloud",
            {
                "ALIBABA_CLOUD_ACCESS_KEY_ID": "access_key_id/store",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret_access_key/store",
            },
        ),
    ],
)
def test_pods_are_given_what_their_mode_needs(store: str, expected: dict[str, str]) -> None:
    """And components that do not reach the store are given nothing."""
    choice = Choice(store=store)
    assert env(choice) == expected
    assert env(choice, "distributor") == {}


def test_a_sovereign_azure_cloud_gets_its_authority() -> None:
    """Tokens of another cloud's authority are refused."""
    assert env(Choice(store="azure-token"))["AZURE_AUTHORITY_HOST"].startswith(
        "https://login.micro"
    )


@pytest.mark.parametrize(
    ("store", "audience"),
    [
        ("s3-token", "sts.amazonaws.com"),
        ("s3-token-rgw", "loki"),
        ("azure-token", "api://AzureADTokenExchange"),
        ("gcs-cco", "openshift"),
    ],
)
def test_tokens_are_for_the_store(store: str, audience: str) -> None:
    """The projected token names the provider's audience, for the ruler's pods, too."""
    choice = Choice(store=store, extra="everything")
    for component in ("ingester", "querier", "compactor", "index-gateway", "ruler"):
        volumes = pods(choice)[component]["spec"]["volumes"]
        (token,) = (each for each in volumes if each["name"] == "bound-sa-token")
        source = token["projected"]["sources"][0]["serviceAccountToken"]
        assert source == {"audience": audience, "expirationSeconds": 3600, "path": "token"}
    assert pods(choice)["ruler"]["spec"]["serviceAccountName"] == "my-stack-ruler"
    assert pods(choice)["querier"]["spec"]["serviceAccountName"] == "my-stack"


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("s3", {"bucket_name": "1234", "endpoint": "rgw.store:8080", "insecure": True}),
        (
            "s3-token",
            {"endpoint": "s3.cn-north-1.amazonaws.com.cn", "native_aws_auth_enabled": True},
        ),
        ("s3-token-rgw", {"endpoint": "rgw.example", "native_aws_auth_enabled": True}),
        (
            "s3-aws-kms",
            {
                "sse": {
                    "kms_encryption_context": "${AWS_SSE_KMS_ENCRYPTION_CONTEXT}",
                    "kms_key_id": "alias/loki",
                    "type": "SSE-KMS",
                }
            },
        ),
    ],
)
def test_loki_is_told_where_the_bucket_is(store: str, expected: dict[str, Any]) -> None:
    """With names of variables where credentials belong."""
    s3 = config(Choice(store=store))["storage_config"]["object_store"]["s3"]
    assert s3.items() >= expected.items()
    assert ("secret_access_key" in s3) == (STORES[store].mode == "static")


def test_pods_that_need_each_other_to_be_ready_find_each_other_before() -> None:
    """A ring of none never begins, and a query frontend is ready once a querier has found it."""
    services = only(objects(Choice(extra="rules")), [Group.SERVICES])
    early = {
        each["metadata"]["name"]
        for each in services
        if each["spec"].get("publishNotReadyAddresses")
    }
    assert early == {"my-stack-gossip-ring", "my-stack-query-frontend-grpc"}


@pytest.mark.parametrize(
    ("tenancy", "extra", "tenants"),
    [
        pytest.param(None, "rules", [], id="nobody is named"),
        pytest.param(None, "everything", ["no"], id="who has limits of his own"),
        pytest.param("static", "everything", ["no", "t-2", "yes"], id="who is let in"),
        pytest.param(
            "openshift-logging",
            "rules",
            ["application", "audit", "infrastructure"],
            id="OpenShift's own",
        ),
    ],
)
def test_each_tenant_has_a_folder_of_rules(
    tenancy: str | None, extra: str, tenants: list[str]
) -> None:
    """The ruler takes a folder for a tenant, and a ConfigMap has no folders."""
    volumes = pods(Choice(tenancy=tenancy, extra=extra))["ruler"]["spec"]["volumes"]
    (rules,) = (each["projected"] for each in volumes if each["name"] == "rules")
    (source,) = rules["sources"]
    assert source["configMap"]["optional"] is True
    assert source["configMap"].get("items", []) == [
        {"key": f"{tenant}.yaml", "path": f"{tenant}/rules.yaml"} for tenant in tenants
    ]


def test_several_buckets_take_the_older_client() -> None:
    """The current one knows one bucket."""
    storage = config(Choice(store="s3-buckets"))["storage_config"]
    assert storage["use_thanos_objstore"] is False
    assert storage["aws"]["bucketnames"] == "one,two"
    assert storage["aws"]["endpoint"] == "https://minio.example:9000"
    assert storage["aws"]["s3forcepathstyle"] is True


@pytest.mark.parametrize("tenancy", TENANCIES)
def test_the_ruler_reads_its_rules_where_loki_looks_for_them(tenancy: str | None) -> None:
    """Which of its two settings Loki heeds depends on the client, and on no tenancy."""
    current = config(Choice(tenancy=tenancy, extra="rules"))
    assert current["ruler_storage"] == {"backend": "local", "local": {"directory": "/tmp/rules"}}
    assert "storage" not in current["ruler"]
    older = config(Choice(store="s3-buckets", tenancy=tenancy, extra="rules"))
    assert older["ruler"]["storage"] == {"type": "local", "local": {"directory": "/tmp/rules"}}
    assert "ruler_storage" not in older
    assert "ruler_storage" not in config(Choice(tenancy=tenancy))


def test_azure_clouds_have_their_suffixes() -> None:
    """US Government's blobs are elsewhere."""
    azure = config(Choice(store="azure-token"))["storage_config"]["object_store"]["azure"]
    assert azure["endpoint_suffix"] == "blob.core.usgovcloudapi.net"


def test_a_dollar_of_the_users_is_no_variable() -> None:
    """Loki replaces variables in one of the two files; there it is doubled."""
    choice = Choice(extra="everything")
    (stream,) = config(choice)["limits_config"]["retention_stream"]
    assert stream["selector"] == '{app=~"a$$|$$b"}'
    own = config(choice, "runtime-config.yaml")["overrides"]["no"]
    assert own["retention_stream"][0]["selector"] == '{app=~"a$|$b"}'
    assert own["blocked_queries"] == [{"pattern": ".*$x.*", "regex": True, "types": "filter"}]


@pytest.mark.parametrize(
    ("schema", "shippers", "structured"),
    [
        ("v11", {"boltdb_shipper"}, False),
        ("v13", {"tsdb_shipper"}, True),
        ("v11 then v13", {"boltdb_shipper", "tsdb_shipper"}, True),
        ("v13 to come", {"boltdb_shipper", "tsdb_shipper"}, False),
    ],
)
def test_the_schemas_decide_the_index(schema: str, shippers: set[str], structured: bool) -> None:
    """And structured metadata, from the day on that Loki takes it."""
    read = config(Choice(schema=schema))
    assert {key for key in read["storage_config"] if key.endswith("_shipper")} == shippers
    assert read["limits_config"]["allow_structured_metadata"] is structured


def test_retention_is_on_where_somebody_asks_for_it() -> None:
    """Without it the compactor deletes nothing."""
    assert "retention_enabled" not in config(Choice())["compactor"]
    assert config(Choice(extra="everything"))["compactor"]["delete_request_store"] == "s3"


def test_timeouts_follow_the_longest_query() -> None:
    """Three minutes, or what any tenant is allowed."""
    assert config(Choice())["server"]["http_server_read_timeout"] == "18s"
    assert config(Choice())["server"]["http_server_write_timeout"] == "240s"
    assert config(Choice(extra="everything"))["server"]["http_server_write_timeout"] == "660s"


@pytest.mark.parametrize(
    ("size", "replicas", "memory"),
    [
        ("1x.demo", 1, None),
        ("1x.pico", 3, "3Gi"),
        ("1x.extra-small", 3, "5376Mi"),
        ("1x.small", 3, "13568Mi"),
        ("1x.medium", 3, "30Gi"),
    ],
)
def test_the_size_decides_replicas_and_requests(
    size: str, replicas: int, memory: str | None
) -> None:
    """As facts have it; limits only where they are asked for."""
    choice = Choice(size=size)
    assert named(choice, "StatefulSet", "my-stack-ingester")["spec"]["replicas"] == replicas
    resources = container(choice, "ingester").get("resources", {})
    assert "limits" not in resources
    assert resources.get("requests", {}).get("memory") == memory
    assert named(choice, "StatefulSet", "my-stack-compactor")["spec"]["replicas"] == 1


def test_the_users_word_on_replicas_holds_but_for_the_compactor() -> None:
    """There is one compactor."""
    choice = Choice(size="1x.small", extra="everything")
    assert named(choice, "StatefulSet", "my-stack-ingester")["spec"]["replicas"] == 4
    resources = container(choice, "ingester")["resources"]
    assert resources["limits"] == resources["requests"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], {}),
        (
            ["topology.kubernetes.io/zone"],
            {"INSTANCE_AVAILABILITY_ZONE": "metadata.labels['topology.kubernetes.io/zone']"},
        ),
        (["kubernetes.io/hostname"], {"INSTANCE_AVAILABILITY_ZONE": "spec.nodeName"}),
        (
            ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"],
            {
                "AVAILABILITY_0": "metadata.labels['topology.kubernetes.io/region']",
                "AVAILABILITY_1": "metadata.labels['topology.kubernetes.io/zone']",
                "INSTANCE_AVAILABILITY_ZONE": "$(AVAILABILITY_0)_$(AVAILABILITY_1)",
            },
        ),
        (
            ["topology.kubernetes.io/zone", "example.com/rack"],
            {
                "INSTANCE_AVAILABILITY_ZONE": "metadata.annotations["
                "'loki.grafana.com/availability-zone']"
            },
        ),
    ],
)
def test_a_pod_learns_its_zone(keys: list[str], expected: dict[str, str]) -> None:
    """From what Kubernetes tells a pod of its node; of a label of one's own somebody has to."""
    manifest = Choice().manifest
    manifest["spec"]["replication"] = {"zones": [{"topologyKey": key} for key in keys]}
    stack, _ = parse(manifest)
    assert stack
    found = render(stack, Choice().read()[1], options=RenderOptions(now=NOW))
    (pod,) = (
        each["spec"]["template"]
        for each in found
        if each["metadata"]["name"] == "my-stack-distributor" and each["kind"] == "Deployment"
    )
    told = {
        entry["name"]: entry.get("value") or entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in pod["spec"]["containers"][0].get("env", ())
    }
    assert told == expected
    assert list(told) == sorted(told)


def test_hashes_roll_only_pods_that_reach_the_store() -> None:
    """The distributor has nothing to do with the key."""
    plain = pods(Choice())["ingester"]["metadata"]["annotations"]
    assert "loki.grafana.com/object-store-hash" not in plain
    found = pods(Choice(), store_hash="k:1", managed_hash="k:2")
    assert (
        found["ingester"]["metadata"]["annotations"]["loki.grafana.com/object-store-hash"] == "k:1"
    )
    assert (
        "loki.grafana.com/token-cco-auth-hash" not in found["ingester"]["metadata"]["annotations"]
    )
    assert (
        "loki.grafana.com/object-store-hash" not in found["distributor"]["metadata"]["annotations"]
    )
    managed = pods(Choice(store="s3-cco"), managed_hash="k:2")["ingester"]["metadata"]
    assert managed["annotations"]["loki.grafana.com/token-cco-auth-hash"] == "k:2"


@pytest.mark.parametrize(
    ("tenancy", "kinds"),
    [
        (None, set()),
        (
            "passthrough",
            {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"},
        ),
        ("static", {"ConfigMap", "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"}),
        (
            "openshift-logging",
            {
                "ConfigMap",
                "Deployment",
                "Service",
                "ServiceAccount",
                "PodDisruptionBudget",
                "ClusterRole",
                "ClusterRoleBinding",
            },
        ),
    ],
)
def test_the_gateway_stands_where_the_tenancy_asks(tenancy: str | None, kinds: set[str]) -> None:
    """With its account, and on OpenShift the right to ask who somebody is."""
    found = objects(Choice(tenancy=tenancy))
    assert {
        each["kind"]
        for each in found
        if "gateway" in each["metadata"]["name"].replace("index-gateway", "")
    } == kinds
    outside = {each["kind"] for each in found} & {"Ingress", "Route"}
    assert outside == (
        {"Route"} if tenancy == "openshift-logging" else {"Ingress"} if kinds else set()
    )


def test_tenants_keep_their_names_whatever_yaml_thinks_of_them() -> None:
    """`123` and `yes` are texts."""
    data = named(Choice(tenancy="static"), "ConfigMap", "my-stack-gateway")["data"]
    first, _ = yaml.safe_load(data["tenants.yaml"])["tenants"]
    assert (first["id"], first["name"]) == ("yes", "123")
    assert yaml.safe_load(data["rbac.yaml"])["roleBindings"][0]["subjects"][0]["name"] == "on"


@pytest.mark.parametrize(
    ("store", "ports"),
    [
        ("s3", [3128, 8080]),
        ("s3-token", [443, 3128]),
        ("s3-token-rgw", [443, 3128]),
        ("swift", [443, 3128, 5000]),
        ("gcs", [443, 3128]),
    ],
)
def test_traffic_to_the_store_is_let_out(store: str, ports: list[int]) -> None:
    """On the store's port, its token service's and the proxy's."""
    policy = named(
        Choice(store=store, extra="everything"), "NetworkPolicy", "my-stack-object-storage"
    )
    assert [each["port"] for each in policy["spec"]["egress"][0]["ports"]] == ports


@pytest.mark.parametrize(
    ("endpoint", "namespaces"),
    [
        ("http://rgw.store:8080", ["store"]),
        ("http://rook-ceph-rgw-store.rook-ceph.svc", ["rook-ceph"]),
        ("https://minio.minio.svc.cluster.local:9000", ["minio"]),
        ("http://minio:9000", ["logging"]),
        ("https://s3.eu-west-1.amazonaws.com", []),
        ("https://minio.example.com", []),
        ("https://10.1.2.3:9000", []),
        ("https://[fd00::1]:9000", []),
    ],
)
def test_a_store_in_the_cluster_is_reached_whatever_its_pods_port(
    endpoint: str, namespaces: list[str]
) -> None:
    """A Service's port is not the one that a policy sees: Rook's RGW is 80, and its pods' 8080."""
    manifest = Choice().manifest
    manifest["spec"]["networkPolicies"] = {"ruleSet": "RestrictIngressEgress"}
    stack, _ = parse(manifest)
    assert stack
    host = endpoint.partition("://")[2]
    storage = Choice().read()[1]
    assert isinstance(storage, S3)
    there = replace(storage, endpoint_host=host)
    found = render(stack, there, options=RenderOptions(now=NOW))
    (policy,) = (each for each in found if each["metadata"]["name"] == "my-stack-object-storage")
    _, *inside = policy["spec"]["egress"]
    labels = {"kubernetes.io/metadata.name": namespaces[0]} if namespaces else None
    assert inside == [{"to": [{"namespaceSelector": {"matchLabels": labels}}]} for _ in namespaces]


@pytest.mark.parametrize("tenancy", [None, "static", "openshift-network"])
def test_restricted_traffic_has_one_door(tenancy: str | None) -> None:
    """The gateway's where there is one."""
    found = objects(Choice(tenancy=tenancy, extra="everything"))
    names = {each["metadata"]["name"] for each in found if each["kind"] == "NetworkPolicy"}
    assert {"my-stack-default-deny", "my-stack-within", "my-stack-dns"} < names
    assert ("my-stack-clients" in names) == (tenancy is None)
    assert ("my-stack-gateway" in names) == (tenancy is not None)
    assert ("my-stack-gateway-reviews" in names) == (tenancy == "openshift-network")


@pytest.mark.parametrize(
    ("store", "kind", "field", "value"),
    [
        ("s3-cco", "AWSProviderSpec", "stsIAMRoleARN", "arn:aws:iam::123456789012:role/loki"),
        ("azure-cco", "AzureProviderSpec", "azureRegion", "centralus"),
        (
            "gcs-cco",
            "GCPProviderSpec",
            "audience",
            "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/pool/providers/prov",
        ),
    ],
)
def test_the_clusters_cloud_is_asked_for_credentials(
    store: str, kind: str, field: str, value: str
) -> None:
    """For both accounts, from the operator's environment."""
    spec = named(Choice(store=store), "CredentialsRequest", "my-stack")["spec"]
    assert spec["serviceAccountNames"] == ["my-stack", "my-stack-ruler"]
    assert (spec["providerSpec"]["kind"], spec["providerSpec"][field]) == (kind, value)


def test_the_request_is_for_the_bucket_alone() -> None:
    """Not for everybody's."""
    spec = named(Choice(store="s3-cco"), "CredentialsRequest", "my-stack")["spec"]["providerSpec"]
    assert {each["resource"] for each in spec["statementEntries"]} == {
        "arn:aws:s3:::logs",
        "arn:aws:s3:::logs/*",
    }


def test_some_groups_can_be_had_alone() -> None:
    """Every object is of one group."""
    found = objects(Choice(store="s3-cco", tenancy="openshift-logging", extra="everything"))
    assert only(found, ()) == found
    parts = [only(found, [group]) for group in Group]
    assert all(parts)
    assert sum(map(len, parts)) == len(found)


def test_a_secret_whose_name_is_no_volume_is_mounted_all_the_same() -> None:
    """A dot in it, or the name of one of our own volumes."""
    for name in ("a.b", "config"):
        manifest = Choice().manifest
        manifest["spec"]["storage"]["secret"]["name"] = name
        stack, _ = parse(manifest)
        assert stack
        found = render(stack, Choice().read()[1], options=RenderOptions(now=NOW))
        (ingester,) = (
            e
            for e in found
            if e["metadata"]["name"] == "my-stack-ingester" and e["kind"] == "StatefulSet"
        )
        volumes = ingester["spec"]["template"]["spec"]["volumes"]
        assert {
            "name": "object-storage-secret",
            "secret": {"defaultMode": 420, "secretName": name},
        } in volumes
