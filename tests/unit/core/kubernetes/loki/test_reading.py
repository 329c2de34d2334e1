# SPDX-License-Identifier: Apache-2.0
"""Which container is read, which of its files, and what identity it has."""

from typing import Any

import pytest
import yaml

from lokeys.core.kubernetes.data_keys import DataKey, decoded, value_at
from lokeys.core.kubernetes.loki.containers import loki_container, port_of, version_of
from lokeys.core.kubernetes.loki.model import Identity, IdentityKind
from lokeys.core.kubernetes.loki.reading import named_by, reading_of
from lokeys.core.place import Ref
from unit.core.kubernetes.loki.pods import (
    EXPANDING,
    OWNER,
    PATH,
    account,
    common,
    config_map,
    loki,
    read,
    secret,
    stateful_set,
)

TEXT = yaml.safe_dump(common())
IN_SECRET = Ref("Secret", "files", "logging")


@pytest.mark.parametrize(
    ("container", "found"),
    [
        ({"name": "a", "image": "docker.io/grafana/loki:3.7.8"}, True),
        ({"name": "a", "image": "registry:5000/mirror/loki@sha256:12"}, True),
        ({"name": "loki", "image": "mirror/logs:1"}, True),
        ({"name": "a", "image": "grafana/loki-canary:3"}, False),
        ({"name": "a", "image": "kiwigrid/k8s-sidecar:1"}, False),
        ({"name": 7}, False),
    ],
)
def test_a_loki_is_known_by_its_image_or_its_name(container: Any, *, found: bool) -> None:
    """Its helpers are none."""
    pod = {"spec": {"containers": [container]}}

    assert (loki_container(pod) is not None) is found
    assert (reading_of(pod, owner=OWNER, held={}, parse=lambda _: None) is not None) is found
    assert bool(named_by(pod, namespace="logging")) is found


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("grafana/loki:3.6.3", (3, 6, 3)),
        ("grafana/loki:v3.6", (3, 6)),
        ("localhost:5000/loki:2.9.10-amd64@sha256:1", (2, 9, 10)),
        ("grafana/loki:main-1a2b3c4", None),
        ("grafana/loki:k123", None),
        ("grafana/loki:3.6.x", None),
        ("grafana/loki", None),
    ],
)
def test_a_version_is_one_that_the_tag_names(image: str, version: Any) -> None:
    """Anything else is not known."""
    assert version_of({"image": image}) == version


def test_the_metrics_port_is_the_one_named_http() -> None:
    """Else Loki's usual one."""
    ports = [{"name": "grpc", "containerPort": 9095}, {"name": "http-metrics", "containerPort": 1}]

    assert port_of({"ports": ports}) == 1
    assert port_of({"ports": ports[:1]}) == 3100


@pytest.mark.parametrize(
    ("volume", "mount", "place"),
    [
        pytest.param(
            {"secret": {"secretName": "files"}},
            {},
            DataKey(IN_SECRET, "config.yaml"),
            id="a Secret",
        ),
        pytest.param(
            {"secret": {"secretName": "files", "items": [{"key": "c", "path": "config.yaml"}]}},
            {},
            DataKey(IN_SECRET, "c"),
            id="a key under another name",
        ),
        pytest.param(
            {"secret": {"secretName": "files"}},
            {"mountPath": PATH, "subPath": "c"},
            DataKey(IN_SECRET, "c"),
            id="one file",
        ),
        pytest.param(
            {"secret": {"secretName": "files", "items": [{"key": "c", "path": "x/config.yaml"}]}},
            {"subPath": "x"},
            DataKey(IN_SECRET, "c"),
            id="a folder",
        ),
        pytest.param(
            {
                "projected": {
                    "sources": [{"configMap": {"name": "a"}}, {"secret": {"name": "files"}}]
                }
            },
            {},
            DataKey(IN_SECRET, "config.yaml"),
            id="the second of two sources",
        ),
        pytest.param({"emptyDir": {}}, {}, None, id="a volume that nobody sees into"),
        pytest.param({"secret": {"secretName": "gone"}}, {}, None, id="a Secret that is not read"),
        pytest.param({"secret": {"secretName": "files"}}, {"mountPath": "/x"}, None, id="no mount"),
        pytest.param({"secret": {"secretName": "files"}}, {"name": "y"}, None, id="no volume"),
        pytest.param(
            {"secret": {"secretName": "files", "items": [{"key": "c", "path": "other"}]}},
            {},
            None,
            id="other keys alone",
        ),
    ],
)
def test_the_file_is_followed_to_its_data_key(
    volume: Any, mount: Any, place: DataKey | None
) -> None:
    """Through mounts, sub-paths, items and projections; where that fails it is said."""
    made = [{"name": "config"} | volume]
    mounts = [
        {"name": "tmp", "mountPath": "/etc"},
        {"name": "config", "mountPath": "/etc/loki/config"} | mount,
    ]
    workload = stateful_set(*EXPANDING, volumes=made, volumeMounts=mounts)
    files = secret("files", **{"config.yaml": TEXT, "c": TEXT})
    found = read(workload, files, config_map("a"), secret(ID="A", KEY="canary"))

    assert found.file == place
    assert bool(found.unseen) is (place is None)
    assert found.storage.bucket == ("logs" if place else "")


@pytest.mark.parametrize(
    ("args", "key"),
    [
        ([f"-config.file=/gone.yaml, {PATH}"], "config.yaml"),
        (["-config.file=/etc/loki/config/b.yaml"], "b.yaml"),
        (["-config.file", "$(DIR)/b.yaml"], "b.yaml"),
        (["-other", f"-config.file={PATH}"], "config.yaml"),
        (["word", "-config.file=/etc/loki/config/b.yaml"], "config.yaml"),
        ([], "config.yaml"),
        (["-config.file=gone"], None),
    ],
    ids=["a list", "one", "by a variable", "behind a switch", "behind a word", "none", "gone"],
)
def test_the_file_is_the_one_that_the_arguments_name(args: list[str], key: str | None) -> None:
    """Go reads no flag behind a word; where none names the file, one that fits is guessed."""
    files = config_map(**{"x": "", "a.yaml": "- 1", "config.yaml": TEXT, "b.yaml": TEXT})
    env = [{"name": "DIR", "value": "/etc/loki/config"}]
    found = read(stateful_set(args=args, env=env), files, secret(ID="A", KEY="canary"))

    assert (found.file and found.file.key) == key
    assert found.guessed is (not args or args[0] == "word")
    assert bool(found.faults) is (key is not None and not found.guessed)


def test_a_guess_needs_a_configuration_of_loki() -> None:
    """Any YAML is not enough, and what is too large is not looked at."""
    for text in ("a: 1", "common: {}" + "#" * (300 << 10)):
        found = read(stateful_set(args=[]), config_map(**{"config.yaml": text}))
        assert found.file is None
        assert found.unseen


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/bin/loki", f"-config.file={PATH}", "-config.expand-env"],
        ["tini", "--", "/usr/bin/loki", f"-config.file={PATH}", "-config.expand-env"],
        ["sh", "-c", f"source /x && exec /usr/bin/loki -config.file={PATH} -config.expand-env"],
        ["/bin/sh", "-c", "echo 'loki", f"loki -config.file={PATH} -config.expand-env"],
    ],
    ids=["by itself", "by an init", "by a shell", "by a shell, with words that are none"],
)
def test_a_command_is_read_like_arguments(command: list[str]) -> None:
    """A shell, or an init, starts it in some images."""
    found = read(stateful_set(command=command, args=None), config_map(**{"config.yaml": TEXT}))

    assert found.expands
    assert found.storage.bucket == "logs"


def test_a_key_of_bytes_is_read_as_text() -> None:
    """A ConfigMap may keep its file under `binaryData`; what is no text is nothing."""
    place = DataKey(Ref("ConfigMap", "a", "n"), "k")
    assert value_at(place, {place.ref: {"binaryData": {"k": "YQ=="}}}) == "a"
    assert value_at(place, {}) is None
    assert [decoded(each) for each in (7, "!", "/w==")] == [None, None, None]


ROLE = "arn:aws:iam::123456789012:role/loki"
NO_KEYS = common(access_key_id=None, secret_access_key=None)
AZURE = {"schema_config": {"configs": [{"from": "2025-01-01", "object_store": "azure"}]}}
GCS = {"schema_config": {"configs": [{"from": "2025-01-01", "object_store": "gcs"}]}}
BY_ACCOUNT = Ref("ServiceAccount", "default", "logging")
TOKEN = [
    {"name": "AWS_ROLE_ARN", "value": ROLE},
    {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
]


@pytest.mark.parametrize(
    ("document", "how", "identity"),
    [
        pytest.param(
            NO_KEYS,
            {"objects": [account(**{"eks.amazonaws.com/role-arn": ROLE})]},
            (IdentityKind.IRSA, ROLE, BY_ACCOUNT),
            id="a role, by the account",
        ),
        pytest.param(
            NO_KEYS, {"env": TOKEN}, (IdentityKind.IRSA, ROLE, OWNER), id="a role, by variables"
        ),
        pytest.param(NO_KEYS, {"env": TOKEN[:1]}, None, id="without a token it is none"),
        pytest.param(
            NO_KEYS,
            {"template": {"annotations": {"iam.amazonaws.com/role": "loki"}}},
            (IdentityKind.IRSA, "loki", OWNER),
            id="a role, by the pod",
        ),
        pytest.param(
            NO_KEYS,
            {"env": [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://x"}]},
            (IdentityKind.POD_IDENTITY, "", OWNER),
            id="pod identity",
        ),
        pytest.param(
            AZURE,
            {
                "template": {"labels": {"azure.workload.identity/use": "true"}},
                "objects": [account(**{"azure.workload.identity/client-id": "guid"})],
            },
            (IdentityKind.AZURE, "guid", BY_ACCOUNT),
            id="Azure's, by label and account",
        ),
        pytest.param(
            AZURE,
            {"objects": [account(**{"azure.workload.identity/client-id": "guid"})]},
            None,
            id="without the label it is none",
        ),
        pytest.param(
            GCS,
            {"objects": [account(**{"iam.gke.io/gcp-service-account": "l@p.iam"})]},
            (IdentityKind.GKE, "l@p.iam", BY_ACCOUNT),
            id="Google's",
        ),
        pytest.param(
            NO_KEYS,
            {"objects": [account(**{"iam.gke.io/gcp-service-account": "l@p.iam"})]},
            None,
            id="another cloud's is none",
        ),
        pytest.param(
            NO_KEYS,
            {"objects": [account(**{"eks.amazonaws.com/role-arn": "a" * 3000})]},
            None,
            id="nor what is too long",
        ),
    ],
)
def test_an_identity_is_told_with_who_says_so(document: Any, how: Any, identity: Any) -> None:
    """Of the cloud that Loki writes to."""
    expected = identity and Identity(kind=identity[0], name=identity[1], said_by=identity[2])

    assert loki(document, **how).identity == expected


def test_words_of_places_are_readable() -> None:
    """As sentences have them."""
    found = loki(common(access_key_id="A", secret_access_key="canary"))
    assert found.pair is not None
    assert str(found.pair.key_id) == (
        "ConfigMap logging/loki, key config.yaml, at common.storage.s3.access_key_id"
    )
    found = loki(common(), "-s3.access-key-id=A")
    assert found.pair is not None
    assert str(found.pair.key_id) == "argument -s3.access-key-id"
    role = Identity(kind=IdentityKind.IRSA, name="loki", said_by=OWNER)
    assert str(role) == "the IAM role loki"
