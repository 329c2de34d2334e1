# SPDX-License-Identifier: Apache-2.0
"""The real Loki takes its settings as lokeys reads them: both are given the same, and compared."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import Misconfiguration
from unit.core.kubernetes.loki.pods import SECRET, loki

SCHEMA = """
schema_config:
  configs:
  - from: "2024-01-01"
    store: tsdb
    object_store: s3
    schema: v13
    index: {prefix: i_, period: 24h}
"""
VALUES = {
    "ID": "AKID",
    "KEY": "canary",
    "HOST": "rgw.storage:80",
    "BUCKET": "logs",
    "LINE": "AKID\n",
}
ON = ("-config.expand-env=true",)
FIELDS = "endpoint: '${HOST}', insecure: true, bucketnames: '${BUCKET}', s3forcepathstyle: true"


def run(
    loki_binary: Path, folder: Path, text: str, *args: str
) -> "subprocess.CompletedProcess[str]":
    """Have the real Loki read a configuration, with all variables set."""
    file = folder / "config.yaml"
    file.write_text(SCHEMA + text)
    words = ("-print-config-stderr", "-verify-config", "-common.path-prefix=/tmp/loki")
    # What the kubelet fills in is filled in here.
    filled = [arg.replace("$(ID)", VALUES["ID"]).replace("$(KEY)", VALUES["KEY"]) for arg in args]
    return subprocess.run(
        [loki_binary, f"-config.file={file}", *words, *filled],
        env=VALUES,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def printed(done: "subprocess.CompletedProcess[str]") -> Any:
    """Return the settings in force, as Loki prints them."""
    assert done.returncode == 0, done.stderr[-2000:]
    text = done.stderr.partition("# Loki Config")[2].rpartition("\n\nlevel=")[0]
    return yaml.load(text, Loader=yaml.CSafeLoader)["storage_config"]


COMMON = f"common: {{storage: {{s3: {{{FIELDS}}}}}}}\n"
OWN = f"storage_config: {{aws: {{{FIELDS}}}}}"


@pytest.mark.parametrize(
    ("text", "args"),
    [
        pytest.param(COMMON, ON, id="common"),
        pytest.param(
            f"{COMMON}storage_config: {{aws: {{bucketnames: own}}}}", ON, id="its own over common"
        ),
        pytest.param(
            f"{COMMON}storage_config: {{aws: {{bucketnames: }}}}", ON, id="nothing over common"
        ),
        pytest.param(
            COMMON,
            (*ON, "-common.storage.s3.buckets=arg", "-s3.region", "eu-west-1"),
            id="arguments over common",
        ),
        pytest.param(
            f"{COMMON}storage_config: {{aws: {{bucketnames: own}}}}",
            (*ON, "--common.storage.s3.buckets=arg"),
            id="its own over an argument for all",
        ),
        pytest.param(
            OWN,
            (*ON, "-s3.buckets=a", "-s3.buckets=b", "word", "-s3.buckets=c"),
            id="the last argument, and none behind a word",
        ),
        pytest.param(
            OWN, ("-config.expand-env", "true", "-s3.buckets=c"), id="a switch takes no word"
        ),
        pytest.param(OWN, (), id="not expanded"),
        pytest.param(
            "common: {storage: {s3: {bucketnames: '${GONE:-d}', endpoint: '${GONE:-${HOST}}'}}}",
            ON,
            id="defaults",
        ),
        pytest.param("storage_config: {aws: {bucketnames: 2026}}", ON, id="a number"),
    ],
)
def test_settings_in_force_are_lokis_own(
    loki_binary: Path, tmp_path: Path, text: str, args: tuple[str, ...]
) -> None:
    """Bucket, address, region and style."""
    real = printed(run(loki_binary, tmp_path, text, *args))["aws"]
    found = loki(text, *(args or ("-target=all",)), values=VALUES).storage

    endpoint = real["endpoint"]
    scheme = "http" if real["insecure"] else "https"
    read = not endpoint or "$" in endpoint
    assert found.bucket == ("logs" if "$" in real["bucketnames"] else real["bucketnames"])
    assert read or found.endpoint == f"{scheme}://{endpoint}"
    assert found.region == real["region"]
    assert found.path_style is real["s3forcepathstyle"]


NEWER_COMMON = """
common: {storage: {object_store: {s3: {bucket_name: '${BUCKET}', region: r}}}}
storage_config: {use_thanos_objstore: true}
"""
NEWER_OWN = """
common: {storage: {object_store: {s3: {bucket_name: all, region: r}}}}
storage_config: {use_thanos_objstore: true, object_store: {s3: {bucket_name: own}}}
"""


@pytest.mark.parametrize(
    ("text", "args"),
    [
        (NEWER_COMMON, ON),
        (NEWER_OWN, (*ON, "-common.storage.object-store.s3.region=arg")),
        (
            "storage_config: {object_store: {s3: {bucket_name: own}}}",
            (*ON, "-use-thanos-objstore", "-object-store.s3.bucket-name=arg"),
        ),
    ],
    ids=["common", "its own over common", "arguments"],
)
def test_settings_of_the_newer_client_are_lokis_own(
    loki_binary: Path, tmp_path: Path, text: str, args: tuple[str, ...]
) -> None:
    """Likewise."""
    real = printed(run(loki_binary, tmp_path, text, *args))["object_store"]["s3"]
    found = loki(text, *args, values=VALUES).storage

    assert (found.bucket, found.region) == (real["bucket_name"], real["region"])


@pytest.mark.parametrize(
    "field",
    [
        "${LINE}",
        "'${LINE}'",
        '"${LINE}"',
        "${ID}",
        "${GONE:-AKID}",
        "\n        ${LINE}",
        "${LINE} # x",
    ],
    ids=[
        "bare",
        "quoted",
        "double",
        "without a newline",
        "a default",
        "on a line of its own",
        "cut",
    ],
)
def test_blanks_around_a_key_are_those_that_loki_keeps(
    loki_binary: Path, tmp_path: Path, field: str
) -> None:
    """YAML drops some of them; lokeys knows which without looking at the key."""
    text = (
        f"common:\n  storage:\n    s3:\n      access_key_id: {field}\n"
        "      secret_access_key: ${KEY}\n      bucketnames: logs\n"
    )
    real = printed(run(loki_binary, tmp_path, text, *ON))["aws"]["access_key_id"]
    found = loki(text, *ON, values=VALUES).pair

    assert found is not None
    assert found.blanks_kept is (real != "AKID")
    assert real.strip() == "AKID"


@pytest.mark.parametrize(
    "expression",
    [
        *("${MY-KEY}", "${my.key}", "${}", "${ A }", "${A", "${A-b}", "${A:-b", "${#}", "# ${.V}"),
        *("${A}", "${A:-b}", "$A", "$(A)", "$${A-b}", "${A=b}", "${A^^}", "${A:?b}", "${1}", "$"),
    ],
)
def test_loki_ends_with_those_expressions_that_are_told(
    loki_binary: Path, tmp_path: Path, expression: str
) -> None:
    """Before it starts; with all others it starts."""
    text = f"common: {{storage: {{s3: {{bucketnames: logs}}}}}}\n# {expression}\n"
    done = run(loki_binary, tmp_path, text, *ON)
    found = [fault.kind for fault in loki(text, *ON).faults]

    assert (Misconfiguration.NOT_EXPANDABLE in found) is (done.returncode != 0), done.stderr[-300:]
    # Without the switch nothing is expanded.
    assert run(loki_binary, tmp_path, text).returncode == 0


def test_half_a_pair_ends_loki(loki_binary: Path, tmp_path: Path) -> None:
    """Its client takes both halves or neither."""
    text = (
        "auth_enabled: false\n"
        "common: {ring: {kvstore: {store: inmemory}}, replication_factor: 1,\n"
        " storage: {s3: {bucketnames: logs, access_key_id: '${ID}'}}}\n"
    )
    file = tmp_path / "config.yaml"
    file.write_text(SCHEMA + text)
    words = [str(loki_binary), f"-config.file={file}", *ON, "-server.http-listen-port=0"]
    words += ["-server.grpc-listen-port=0", f"-common.path-prefix={tmp_path}", "-target=compactor"]
    done = subprocess.run(
        words, env=VALUES, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode != 0
    assert "must supply both an Access Key ID and Secret Access Key" in done.stderr
    assert [f.kind for f in loki(text, *ON).faults] == [Misconfiguration.HALF_A_PAIR]


def test_a_pair_by_arguments_is_the_one_in_force(loki_binary: Path, tmp_path: Path) -> None:
    """Kubernetes fills in `$(NAME)` before Loki sees it."""
    args = ("-common.storage.s3.access-key-id=$(ID)", "-common.storage.s3.secret-access-key=$(KEY)")
    text = "common: {storage: {s3: {bucketnames: logs}}}"
    real = printed(run(loki_binary, tmp_path, text, *args))["aws"]
    found = loki(text, *args).pair

    assert real["access_key_id"] == "AKID"
    assert found is not None
    assert found.key_id == DataKey(SECRET, "ID")
