# SPDX-License-Identifier: Apache-2.0
"""Lokis as charts, kustomizations and templates that people published make them, one of a kind."""

from typing import Any

import pytest

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import Backend, InFile, RunningLoki
from lokeys.core.place import Ref
from unit.core.kubernetes.loki.pods import account, config_map, read, secret

AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
RGW = "http://rgw.storage.svc:80"


def pod(*args: str, mount: Any, volume: Any, image: str = "grafana/loki:3.4.2", **more: Any) -> Any:
    """Return a workload with one mount, as a chart renders it."""
    container = {"name": more.pop("name", "loki"), "image": image, "args": list(args)}
    container |= {"volumeMounts": [{"name": "config", **mount}], **more}
    spec = {"containers": [container], "volumes": [{"name": "config", **volume}]}
    return {"kind": "Deployment", "spec": {"template": {"spec": spec}}}


def of(name: str, key: str, variable: str) -> Any:
    """Return a variable that is a key of a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def keys(found: RunningLoki) -> tuple[str, str, str] | None:
    """Return Secret and data keys of the pair."""
    halves = found.pair.data_keys if found.pair else None
    return halves and (halves[0].ref.name, halves[0].key, halves[1].key)


def place(found: RunningLoki) -> tuple[str, str]:
    """Return bucket and address."""
    return found.storage.bucket, found.storage.endpoint


def test_the_chart_loki_scalable_with_extra_env() -> None:
    """`write.extraArgs` and `write.extraEnv`; the configuration in a projected ConfigMap."""
    text = f"""
common:
  compactor_address: 'http://loki-backend:3100'
  storage:
    s3:
      bucketnames: chunks
      endpoint: {RGW}
      access_key_id: ${{MINIO_ACCESS_KEY_ID}}
      secret_access_key: ${{MINIO_SECRET_ACCESS_KEY}}
      s3forcepathstyle: true
ruler:
  storage:
    s3:
      bucketnames: ruler
    type: s3
schema_config:
  configs:
  - {{from: "2024-04-01", index: {{period: 24h, prefix: i_}}, object_store: s3, store: tsdb}}
storage_config:
  aws: {{}}
  tsdb_shipper: {{index_gateway_client: {{server_address: ""}}}}
"""
    workload = pod(
        "-config.file=/etc/loki/config/config.yaml",
        "-target=write",
        "-config.expand-env=true",
        mount={"mountPath": "/etc/loki/config"},
        volume={
            "configMap": {"name": "loki", "items": [{"key": "config.yaml", "path": "config.yaml"}]}
        },
        env=[
            of("loki-minio", name, name)
            for name in ("MINIO_ACCESS_KEY_ID", "MINIO_SECRET_ACCESS_KEY")
        ],
    )
    found = read(workload, config_map(**{"config.yaml": text}), account())

    assert keys(found) == ("loki-minio", "MINIO_ACCESS_KEY_ID", "MINIO_SECRET_ACCESS_KEY")
    assert (place(found), found.faults) == (("chunks", RGW), ())


def test_the_chart_loki_stack_with_a_region_for_an_address() -> None:
    """The file is a Secret's, the pair the client's own names."""
    text = (
        "schema_config: {configs: [{from: 2021-05-12, object_store: s3}]}\n"
        "storage_config: {aws: {s3: s3://eu-central-1/observed, s3forcepathstyle: true}}"
    )
    workload = pod(
        "-config.file=/etc/loki/loki.yaml",
        mount={"mountPath": "/etc/loki"},
        volume={"secret": {"secretName": "loki"}},
        image="grafana/loki:2.6.1",
        env=[of("iam-loki", name, name) for name in AWS],
    )
    found = read(workload, secret("loki", **{"loki.yaml": text}), account())

    assert keys(found) == ("iam-loki", *AWS)
    assert place(found) == ("observed", "https://s3.eu-central-1.amazonaws.com")
    assert found.faults == ()


def test_jsonnet_with_an_object_bucket_claim() -> None:
    """An address of variables alone: the pair of the claim's Secret, the rest of its ConfigMap."""
    text = (
        "storage_config:\n  aws:\n    s3: s3://${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}"
        "@${BUCKET_HOST}/${BUCKET_NAME}\n    s3forcepathstyle: true\n"
    )
    workload = pod(
        "-config.expand-env=true",
        "-config.file=/etc/loki/config/config.yaml",
        "-target=ingester",
        mount={"mountPath": "/etc/loki/config"},
        volume={"configMap": {"name": "loki"}},
        envFrom=[{"secretRef": {"name": "bucket"}}, {"configMapRef": {"name": "bucket"}}],
        name="ingester",
    )
    claim = config_map("bucket", BUCKET_HOST="rgw.storage.svc", BUCKET_NAME="logs")
    pair = secret("bucket", AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="canary")
    found = read(workload, config_map(**{"config.yaml": text}), claim, pair, account())

    assert keys(found) == ("bucket", *AWS)
    assert place(found) == ("logs", "http://rgw.storage.svc")


def test_app_template_with_one_file_of_a_secret() -> None:
    """`subPath`, a switch without a value, and variables of another Secret."""
    text = f"common: {{storage: {{s3: {{endpoint: '{RGW}', bucketnames: '${{BUCKET}}'}}}}}}"
    workload = pod(
        "-config.file=/config/loki.yaml",
        "-config.expand-env",
        mount={"mountPath": "/config/loki.yaml", "subPath": "loki.yaml", "readOnly": True},
        volume={"secret": {"secretName": "loki-config", "defaultMode": 420}},
        name="app",
        image="ghcr.io/mirror/loki:3.5.0@sha256:12",
        envFrom=[{"secretRef": {"name": "loki"}}],
    )
    values = dict.fromkeys(AWS, "canary") | {"BUCKET": "logs"}
    found = read(workload, secret("loki-config", **{"loki.yaml": text}), secret("loki", **values))

    assert keys(found) == ("loki", *AWS)
    assert (place(found), found.version) == (("logs", RGW), (3, 5, 0))


def test_loki_distributed_whose_distributor_has_no_variables() -> None:
    """It makes no client of the store, and is no error."""
    text = (
        "storage_config: {aws: {bucketnames: b, access_key_id: '${A}', secret_access_key: '${B}'}}"
    )
    workload = pod(
        "-config.file=/etc/loki/config/config.yaml",
        "-target=distributor",
        "-config.expand-env=true",
        mount={"mountPath": "/etc/loki/config"},
        volume={"projected": {"sources": [{"configMap": {"name": "loki"}}]}},
        name="distributor",
    )
    found = read(workload, config_map(**{"config.yaml": text}), account())

    assert not found.uses_storage
    assert found.kept_from_storage == frozenset()


def test_the_chart_with_the_newer_client() -> None:
    """`use_thanos_objstore`: the chart renders both clients' settings, and one counts."""
    text = (
        "common: {storage: {s3: {bucketnames: old, access_key_id: '', secret_access_key: ''}}}\n"
        "storage_config:\n  use_thanos_objstore: true\n  object_store:\n    s3:\n"
        "      bucket_name: logs\n      endpoint: rgw.storage.svc:80\n      insecure: true\n"
        "      access_key_id: ${AWS_ACCESS_KEY_ID}\n"
        "      secret_access_key: ${AWS_SECRET_ACCESS_KEY}\n"
    )
    workload = pod(
        "-config.file=/etc/loki/config/config.yaml",
        "-config.expand-env=true",
        mount={"mountPath": "/etc/loki/config"},
        volume={"configMap": {"name": "loki"}},
        envFrom=[{"secretRef": {"name": "s3"}}],
    )
    pair = secret("s3", **dict.fromkeys(AWS, "canary"))
    found = read(workload, config_map(**{"config.yaml": text}), pair)

    assert keys(found) == ("s3", *AWS)
    assert (place(found), found.storage.newer_client) == (("logs", RGW), True)


def test_the_chart_with_its_values_in_clear() -> None:
    """Keys of the values file stand in the ConfigMap that the chart renders."""
    text = (
        "common:\n  storage:\n    s3:\n      access_key_id: AKID\n      bucketnames: logs\n"
        f"      endpoint: {RGW}\n      secret_access_key: canary\n"
    )
    workload = pod(
        "-config.file=/etc/loki/config/config.yaml",
        mount={"mountPath": "/etc/loki/config"},
        volume={"configMap": {"name": "loki"}},
    )
    found = read(workload, config_map(**{"config.yaml": text}), account())

    file = DataKey(Ref("ConfigMap", "loki", "logging"), "config.yaml")
    assert found.pair is not None
    assert found.pair.key_id == InFile(file, ("common", "storage", "s3", "access_key_id"))
    assert (found.pair.in_clear, found.faults) == (True, ())


def test_kustomize_with_bucket_and_region_of_a_config_map() -> None:
    """Variables by `configMapKeyRef`; on AWS, with a role."""
    text = "storage_config: {aws: {bucketnames: '${BUCKET_NAME}', region: '${REGION}'}}"
    env = [
        {"name": name, "valueFrom": {"configMapKeyRef": {"name": "aws", "key": name.lower()}}}
        for name in ("BUCKET_NAME", "REGION")
    ]
    workload = pod(
        "-config.expand-env=true",
        "-config.file=/etc/loki/loki.yaml",
        mount={"mountPath": "/etc/loki"},
        volume={"configMap": {"name": "loki"}},
        env=env,
    )
    role = account(**{"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/loki"})
    aws = config_map("aws", bucket_name="logs", region="eu-west-1")
    found = read(workload, config_map(**{"loki.yaml": text}), aws, role)

    assert place(found) == ("logs", "https://s3.eu-west-1.amazonaws.com")
    assert (found.identity is not None, found.pair, found.faults) == (True, None, ())


@pytest.mark.parametrize("store", ["filesystem", "gcs", "azure"])
def test_the_chart_on_another_store(store: str) -> None:
    """No key of S3 is asked for, and none is missed."""
    text = f"schema_config: {{configs: [{{from: '2024-01-01', object_store: {store}}}]}}"
    workload = pod(
        "-config.file=/etc/loki/config/config.yaml",
        mount={"mountPath": "/etc/loki/config"},
        volume={"configMap": {"name": "loki"}},
    )
    found = read(workload, config_map(**{"config.yaml": text}), account())

    assert (found.storage.backend, found.pair, found.faults) == (Backend(store), None, ())


def test_a_shell_that_reads_variables_of_a_vault() -> None:
    """What it sets is nowhere to be seen, so nothing is missed."""
    fields = "bucketnames: b, access_key_id: '${A}', secret_access_key: '${B}'"
    text = f"common: {{storage: {{s3: {{{fields}}}}}}}"
    workload = pod(
        ". /vault/env && exec /usr/bin/loki -config.file=/etc/loki/c.yaml -config.expand-env",
        mount={"mountPath": "/etc/loki"},
        volume={"configMap": {"name": "loki"}},
        command=["/bin/sh", "-ec"],
    )
    found = read(workload, config_map(**{"c.yaml": text}), account())

    assert (found.expands, found.faults) == (True, ())
