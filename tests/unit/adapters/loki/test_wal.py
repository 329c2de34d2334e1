# SPDX-License-Identifier: Apache-2.0
"""Whether a pod's lines outlive it."""

from typing import Any

import pytest

from unit.adapters.kubernetes.cluster_fakes import Json, secret
from unit.adapters.kubernetes.workload_fakes import one_pod, pod, pod_spec

CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "data-loki-0"}}
SCRATCH: Json = {"name": "data", "emptyDir": {}}
CONFIG_VOLUME = {"name": "config", "configMap": {"name": "loki"}}
DATA = {"name": "data", "mountPath": "/var/loki"}
CONFIG = {"name": "config", "mountPath": "/etc/loki"}
ARGS = ["-config.file=/etc/loki/config.yaml"]


def persistence(
    config: str | None, *volumes: Json, mounts: list[Json] | None = None, **container: Any
) -> bool | None:
    """Return what is said of the WAL of a pod with this configuration."""
    container.setdefault("args", ARGS)
    spec = pod_spec(
        volumeMounts=[CONFIG, DATA] if mounts is None else mounts,
        volumes=[CONFIG_VOLUME, *volumes],
        **container,
    )
    objects = [pod(spec=spec)]
    if config is not None:
        metadata = {"name": "loki", "namespace": "ns"}
        data = {"config.yaml": config}
        objects.append({"kind": "ConfigMap", "metadata": metadata, "data": data})
    return one_pod(*objects).wal_persistent


@pytest.mark.parametrize(
    ("config", "volumes", "expected"),
    [
        pytest.param("common: {path_prefix: /var/loki}", [CLAIM], True, id="on a claim"),
        pytest.param("common: {path_prefix: /var/loki}", [SCRATCH], False, id="on an emptyDir"),
        pytest.param(
            "common: {path_prefix: /var/loki}\ningester: {wal: {dir: /tmp/wal}}",
            [CLAIM],
            False,
            id="beside the claim",
        ),
        pytest.param(
            "ingester: {wal: {dir: /var/loki/w, enabled: false}}", [CLAIM], False, id="no WAL"
        ),
        pytest.param("ingester: {wal: {dir: '${DIR}'}}", [CLAIM], False, id="wherever DIR is"),
        pytest.param("auth_enabled: false", [CLAIM], False, id="a relative folder"),
        pytest.param("{{ not yaml", [CLAIM], True, id="unreadable, but where charts put it"),
        pytest.param(None, [CLAIM], True, id="no file seen, but where charts put it"),
        pytest.param(None, [SCRATCH], False, id="no file seen, and no claim"),
        pytest.param("target: querier", [CLAIM], None, id="a reader"),
        pytest.param("target: 'distributor,write'", [SCRATCH], False, id="one of its targets"),
        pytest.param(
            "common: {path_prefix: /var/loki}",
            [{"name": "data", "ephemeral": {"volumeClaimTemplate": {}}}],
            False,
            id="a claim that goes with the pod",
        ),
    ],
)
def test_whether_the_wal_outlives_the_pod(
    config: str | None, volumes: list[Json], expected: bool | None
) -> None:
    """Yes only where it is known to lie on a claim; None where nothing is written."""
    assert persistence(config, *volumes) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["-target=read"], None, id="a reader by flag"),
        pytest.param(["--target", "write", "-ingester.wal-dir=/var/loki/w"], True, id="a writer"),
        pytest.param(["-ingester.wal-dir=/elsewhere"], False, id="a folder elsewhere"),
        pytest.param(["-common.path-prefix=/var/loki"], True, id="a prefix by flag"),
        pytest.param(["-target=all"], False, id="nothing said of a folder"),
    ],
)
def test_flags_say_it_too(arguments: list[str], expected: bool | None) -> None:
    """Flags are read in all of Go's spellings, and win over the file."""
    assert persistence(None, CLAIM, args=arguments) is expected


def test_the_innermost_mount_counts() -> None:
    """An emptyDir over the WAL's folder hides the claim around it."""
    inner = {"name": "inner", "mountPath": "/var/loki/wal"}
    volumes = [CLAIM, {"name": "inner", "emptyDir": {}}]
    config = "common: {path_prefix: /var/loki}"
    assert persistence(config, *volumes, mounts=[CONFIG, DATA, inner]) is False


def test_a_component_label_tells_a_reader() -> None:
    """Where no target is named, the chart's label decides."""
    component = {"app.kubernetes.io/component": "querier"}
    assert one_pod(pod(labels=component)).wal_persistent is None


def test_the_configuration_may_be_in_a_secret() -> None:
    """A file that a Secret brings is read as one from a ConfigMap."""
    volume = {"name": "config", "secret": {"secretName": "loki-config"}}
    spec = pod_spec(volumeMounts=[CONFIG, DATA], volumes=[volume, CLAIM], args=ARGS)
    given = secret("loki-config", **{"config.yaml": "common: {path_prefix: /scratch}"})
    assert one_pod(pod(spec=spec), given).wal_persistent is False
