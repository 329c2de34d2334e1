# SPDX-License-Identifier: Apache-2.0
"""What is said of a storage Secret: nothing of a sound one, every fault of another."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from lokeys.core.stack.storage.model import S3, Azure, CloudEnvironment, Gcs
from lokeys.core.stack.storage.read import MODE_FIELD, TYPE_FIELD, StorageReading, read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from unit.core.stack.storage.secrets import (
    ACCOUNT,
    EVERYWHERE,
    EXTERNAL,
    GUID,
    IMPERSONATE,
    KEY_ID,
    KEY_SECRET,
    POOL,
    PROVIDER,
    SECRET,
    SOUND,
    STACK,
    data_of,
    from_external_secret,
    judged,
    told,
)

Changes = Mapping[str, str | bytes | None]
RGW = "http://rgw.storage:7480"
KMS = {"sse_type": "SSE-KMS", "sse_kms_key_id": "k"}


@pytest.mark.parametrize("what", SOUND)
def test_a_sound_secret_is_not_complained_of(what: str) -> None:
    """Nothing is said, the mode is inferred, and the storage is there."""
    reading = judged(what)
    assert reading.findings == ()
    assert reading.mode == what.split()[1]
    assert reading.storage is not None


@pytest.mark.parametrize("what", SOUND)
def test_each_required_key_is_missed(what: str) -> None:
    """A key that is taken away or blank is named, whatever else is there."""
    optional = {"s3 static": {"region"}}.get(what, set())
    mode = what.split()[1]
    for key in set(SOUND[what]) - optional:
        for blank in (None, "", " \n"):
            faults = told(judged(what, {key: blank}, mode=mode))
            assert ("missing_field", key) in faults, (what, key)


def key_json(base: Mapping[str, Any], **changes: object) -> Changes:
    """Return a change of key.json."""
    return {"key.json": json.dumps({**base, **changes})}


@pytest.mark.parametrize(
    ("what", "changes", "expected"),
    [
        ("s3 static", {"endpoint": "minio:9000"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "ftp://minio"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://a:b@minio"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://minio/loki"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://minio:0"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://minio:99999"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://minio?x=1"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://-minio"}, {("bad_endpoint", "endpoint")}),
        ("s3 static", {"endpoint": "https://minio:9000/"}, set()),
        ("s3 static", {"endpoint": "https://[fd00::1]:9000"}, set()),
        ("s3 static", {"endpoint": RGW, "region": None}, set()),
        ("s3 static", {"endpoint": RGW, "region": "anything"}, set()),
        ("s3 static", {"region": None}, {("missing_field", "region")}),
        ("s3 static", {"region": "Europe"}, {("region_mismatch", "region")}),
        ("s3 static", {"region": "eu-west-2"}, {("region_mismatch", "region")}),
        (
            "s3 static",
            {"endpoint": "http://s3.eu-west-1.amazonaws.com"},
            {("bad_endpoint", "endpoint")},
        ),
        (
            "s3 static",
            {"endpoint": "https://ec2.eu-west-1.amazonaws.com", "region": "x"},
            {("bad_endpoint", "endpoint"), ("region_mismatch", "region")},
        ),
        ("s3 static", {"forcepathstyle": "true"}, set()),
        ("s3 static", {"forcepathstyle": "True"}, {("bad_bool", "forcepathstyle")}),
        ("s3 static", {"sse_type": "SSE-S3"}, set()),
        ("s3 static", {"sse_type": "AES256"}, {("unknown_sse", "sse_type")}),
        ("s3 static", {"sse_type": "SSE-KMS"}, {("missing_field", "sse_kms_key_id")}),
        ("s3 static", KMS, set()),
        ("s3 static", {**KMS, "sse_kms_encryption_context": '{"a": "b"}'}, set()),
        (
            "s3 static",
            {**KMS, "sse_kms_encryption_context": '{"a": 1}'},
            {("bad_json", "sse_kms_encryption_context")},
        ),
        (
            "s3 static",
            {**KMS, "sse_kms_encryption_context": "a=b"},
            {("bad_json", "sse_kms_encryption_context")},
        ),
        ("s3 static", {"sse_kms_key_id": "k"}, {("unknown_field", "sse_kms_key_id")}),
        ("s3 static", {"bucketnames": "one,two"}, {("several_buckets", "bucketnames")}),
        (
            "s3 static",
            {"bucketnames": "one, two"},
            {("several_buckets", "bucketnames"), ("invisible_characters", "bucketnames")},
        ),
        ("s3 static", {"bucketnames": "one,"}, set()),
        ("s3 static", {"bucketnames": ","}, {("bad_bucket_name", "bucketnames")}),
        ("s3 static", {"bucketnames": "ab"}, {("bad_bucket_name", "bucketnames")}),
        ("s3 static", {"bucketnames": "a" * 64}, {("bad_bucket_name", "bucketnames")}),
        (
            "s3 static",
            {"bucketnames": "minio", "endpoint": "http://minio.store:9000"},
            {("bad_endpoint", "endpoint")},
        ),
        ("s3 static", {"bucketnames": "minio", "endpoint": "http://minio:9000"}, set()),
        (
            "s3 static",
            {"bucketnames": "minio", "endpoint": "http://minio"},
            {("bad_endpoint", "endpoint")},
        ),
        (
            "s3 static",
            {"bucketnames": "minio,more", "endpoint": "http://minio.store:9000"},
            {("several_buckets", "bucketnames")},
        ),
        ("gcs static", {"bucketname": "ab"}, {("bad_bucket_name", "bucketname")}),
        ("s3 static", {"bucketnames": "s3://loki"}, {("bad_bucket_name", "bucketnames")}),
        (
            "s3 static",
            {"access_key_id": KEY_SECRET, "access_key_secret": KEY_ID},
            {("swapped_pair", "access_key_id")},
        ),
        (
            "s3 static",
            {"access_key_id": f"{KEY_ID}\n"},
            {("invisible_characters", "access_key_id")},
        ),
        (
            "s3 static",
            {"access_key_secret": f"{KEY_SECRET[:20]} {KEY_SECRET[20:]}"},
            {("invisible_characters", "access_key_secret")},
        ),
        ("s3 static", {"region": b"\xff\xfe"}, {("invisible_characters", "region")}),
        (
            "s3 static",
            {"access_key_id": b64encode(KEY_ID.encode()).decode()},
            {("double_base64", "access_key_id")},
        ),
        ("s3 static", {"account_name": "x"}, {("foreign_field", "account_name")}),
        ("s3 static", {"colour": "x"}, {("unknown_field", "colour")}),
        ("s3 static", {"bucket_name": "x"}, {("unknown_field", "bucket_name")}),
        ("s3 static", {"role_arn": None, "sts_endpoint": RGW}, {("unknown_field", "sts_endpoint")}),
        (
            "s3 static",
            {"access_key_secret": None, "secret_access_key": KEY_SECRET},
            {("missing_field", "access_key_secret"), ("unknown_field", "secret_access_key")},
        ),
        ("s3 token", {"region": "somewhere"}, {("region_mismatch", "region")}),
        ("s3 token", {"region": "cn-north-1"}, {("region_mismatch", "role_arn")}),
        ("s3 token", {"role_arn": "loki"}, {("bad_role_arn", "role_arn")}),
        (
            "s3 token",
            {"role_arn": "arn:aws:iam::123456789012:user/loki"},
            {("bad_role_arn", "role_arn")},
        ),
        ("s3 token", {"role_arn": "arn:aws:iam::1:role/loki"}, {("bad_role_arn", "role_arn")}),
        (
            "s3 token",
            {"role_arn": "arn:ours:iam::123456789012:role/x"},
            {("bad_role_arn", "role_arn")},
        ),
        (
            "s3 token",
            {"role_arn": "arn:aws:iam:::role/loki", "endpoint": RGW, "region": "default"},
            set(),
        ),
        (
            "s3 token",
            {"role_arn": "arn:aws:iam:::role/loki", "sts_endpoint": f"{RGW}/sts"},
            set(),
        ),
        ("s3 token", {"access_key_id": KEY_ID}, {("unknown_field", "access_key_id")}),
        ("s3 token-cco", {"role_arn": "arn"}, {("field_not_allowed", "role_arn")}),
        ("s3 token-cco", {"role_arn": ""}, set()),
        ("s3 token-cco", {"endpoint": RGW}, {("unknown_field", "endpoint")}),
        ("azure static", {"environment": "azureglobal"}, {("bad_environment", "environment")}),
        ("azure static", {"environment": None}, {("missing_field", "environment")}),
        ("azure static", {"environment": b"\xff"}, {("invisible_characters", "environment")}),
        (
            "azure static",
            {"environment": None, "endpoint_suffix": "blob.core.windows.net"},
            set(),
        ),
        (
            "azure static",
            {"endpoint_suffix": "core.windows.net"},
            {("bad_endpoint_suffix", "endpoint_suffix")},
        ),
        (
            "azure static",
            {"endpoint_suffix": "example.com"},
            {("bad_endpoint_suffix", "endpoint_suffix")},
        ),
        (
            "azure static",
            {"endpoint_suffix": "blob.core.cloudapi.de"},
            {("bad_endpoint_suffix", "endpoint_suffix")},
        ),
        ("azure static", {"account_key": "no key!"}, {("bad_base64", "account_key")}),
        (
            "azure static",
            {"account_key": SOUND["azure static"]["account_key"] + "\n"},
            {("invisible_characters", "account_key")},
        ),
        (
            "azure static",
            {"account_key": b64encode(SOUND["azure static"]["account_key"].encode()).decode()},
            {("double_base64", "account_key")},
        ),
        ("azure static", {"container": "$logs"}, set()),
        ("gcs static", {"bucketname": "..."}, {("bad_bucket_name", "bucketname")}),
        ("azure static", {"container": "a/b"}, {("bad_bucket_name", "container")}),
        ("azure static", {"audience": "x"}, {("field_not_allowed", "audience")}),
        ("azure token", {"tenant_id": "contoso"}, {("bad_guid", "tenant_id")}),
        ("azure token", {"account_key": "x"}, {("unknown_field", "account_key")}),
        ("azure token-cco", {"client_id": f"{GUID}0"}, {("managed_no_override", "client_id")}),
        ("gcs static", {"key.json": "{"}, {("bad_json", "key.json")}),
        ("gcs static", {"key.json": "[" * 100_000}, {("bad_json", "key.json")}),
        ("gcs static", {"key.json": b"\xff{}"}, {("invisible_characters", "key.json")}),
        ("gcs static", key_json(ACCOUNT, type=None), {("bad_json", "key.json")}),
        ("gcs static", key_json(ACCOUNT, type=7), {("bad_json", "key.json")}),
        ("gcs static", key_json(ACCOUNT, type="x"), {("bad_json", "key.json")}),
        ("gcs static", key_json(ACCOUNT, client_email=""), {("bad_json", "key.json")}),
        ("gcs static", key_json(ACCOUNT, private_key=None), {("bad_json", "key.json")}),
        ("gcs static", key_json(ACCOUNT, private_key="x"), {("bad_json", "key.json")}),
        (
            "gcs static",
            key_json(ACCOUNT, private_key=ACCOUNT["private_key"].replace("\n", "\\n")),
            {("bad_json", "key.json")},
        ),
        (
            "gcs static",
            {"key.json": "\ufeff" + json.dumps(ACCOUNT)},
            {("invisible_characters", "key.json")},
        ),
        (
            "gcs static",
            {"key.json": b64encode(json.dumps(ACCOUNT).encode()).decode()},
            {("double_base64", "key.json")},
        ),
        ("gcs token", key_json(ACCOUNT), {("bad_json", "key.json")}),
        ("gcs token", key_json(EXTERNAL, audience=POOL), {("bad_audience", "key.json")}),
        ("gcs token", key_json(EXTERNAL, audience=None), {("bad_audience", "key.json")}),
        ("gcs token", key_json(EXTERNAL, token_url=7), {("bad_json", "key.json")}),
        ("gcs token", key_json(EXTERNAL, token_url="https://[x"), {("bad_json", "key.json")}),
        (
            "gcs token",
            key_json(EXTERNAL, token_url="https://sts.googleapis.com/token"),
            {("bad_json", "key.json")},
        ),
        ("gcs token", key_json(EXTERNAL, subject_token_type=1), {("bad_json", "key.json")}),
        (
            "gcs token",
            key_json(EXTERNAL, credential_source={"file": "/x"}),
            {("wrong_credential_source", "key.json")},
        ),
        (
            "gcs token",
            key_json(EXTERNAL, credential_source="x"),
            {("wrong_credential_source", "key.json")},
        ),
        (
            "gcs token",
            key_json(
                EXTERNAL,
                credential_source={**EXTERNAL["credential_source"], "format": {"type": "json"}},
            ),
            {("bad_json", "key.json")},
        ),
        (
            "gcs token",
            key_json(EXTERNAL, service_account_impersonation_url=IMPERSONATE),
            {("bad_json", "key.json")},
        ),
        (
            "gcs token",
            key_json(EXTERNAL, service_account_impersonation_url=7),
            {("bad_json", "key.json")},
        ),
        ("gcs token", key_json(EXTERNAL, service_account_impersonation_url=None), set()),
        ("gcs token-cco", {"key.json": "{}"}, {("invalid_credentials_file", "key.json")}),
        ("gcs token-cco", {"colour": "x"}, {("unknown_field", "colour")}),
        ("swift static", {"auth_url": "keystone"}, {("bad_endpoint", "auth_url")}),
        ("swift static", {"role_arn": "x"}, {("foreign_field", "role_arn")}),
        ("alibabacloud static", {"endpoint": "https://oss/x"}, {("bad_endpoint", "endpoint")}),
        ("alibabacloud static", {"endpoint": "https://oss.example.com"}, set()),
        ("alibabacloud static", {"endpoint": "ftp://oss"}, {("bad_endpoint", "endpoint")}),
    ],
)
def test_each_fault_is_named(what: str, changes: Changes, expected: set[tuple[str, str]]) -> None:
    """A changed Secret has this fault at this key, and no other."""
    assert told(judged(what, changes, mode=what.split()[1])) == expected


def test_all_faults_are_told_at_once() -> None:
    """One fault hides no other."""
    changes = {"bucketnames": None, "endpoint": "x", "forcepathstyle": "x", "sse_type": "x"}
    assert len(told(judged("s3 static", changes))) == 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"audience": f"https:{PROVIDER}"}, 0),
        ({"audience": "openshift"}, 1),
    ],
    ids=["the other form of the name", "another name"],
)
def test_an_audience_of_its_own_is_worth_a_word(changes: Changes, expected: int) -> None:
    """The provider may list other audiences: that is no error."""
    reading = judged("gcs token", changes)
    assert len(reading.findings) == expected
    assert reading.storage is not None


def test_what_is_read_is_what_was_said() -> None:
    """The storage of a token on one's own store, in a cloud of its own, and of Google's."""
    rgw = judged("s3 token", {"endpoint": RGW, "role_arn": "arn:aws:iam:::role/loki"}).storage
    assert isinstance(rgw, S3)
    assert (rgw.endpoint_host, rgw.insecure, rgw.sts_endpoint) == ("rgw.storage:7480", True, RGW)
    china = {"environment": "AzureChinaCloud"}
    azure = judged("azure token", china).storage
    assert isinstance(azure, Azure)
    assert azure.endpoint_suffix == "blob.core.chinacloudapi.cn"
    assert azure.authority_host == "https://login.chinacloudapi.cn/"
    gcs = judged("gcs token").storage
    assert isinstance(gcs, Gcs)
    assert gcs.provider == PROVIDER
    assert gcs.service_account_email == "loki@my-project.iam.gserviceaccount.com"


def test_a_swapped_pair_of_alibaba_is_seen() -> None:
    """Its secret half has another name."""
    changes = {"access_key_id": KEY_SECRET, "secret_access_key": KEY_ID}
    assert told(judged("alibabacloud static", changes)) == {("swapped_pair", "access_key_id")}


@pytest.mark.parametrize(
    ("kind", "mode", "environment", "expected"),
    [
        ("s5", None, None, {"unknown_type"}),
        ("S3", "Token", None, {"unknown_type", "unknown_mode"}),
        ("s3", "token_cco", None, {"unknown_mode"}),
        ("swift", "token", None, {"mode_not_supported"}),
        ("swift", "token-cco", EVERYWHERE, {"mode_not_supported"}),
        ("swift", None, EVERYWHERE, set()),
        ("s3", "token-cco", None, {"mode_not_available"}),
        ("s3", "token-cco", CloudEnvironment(openshift=True), {"mode_not_available"}),
        ("s3", "token-cco", CloudEnvironment(aws_role_arn="x"), {"mode_not_available"}),
        ("gcs", "token-cco", EVERYWHERE, set()),
    ],
)
def test_type_and_mode_are_judged_without_a_secret(
    kind: str, mode: str | None, environment: CloudEnvironment | None, expected: set[str]
) -> None:
    """What the spec says is wrong or right before any Secret is seen."""
    reading = read_storage(STACK, kind, mode, secret=None, environment=environment)
    assert {finding.fault for finding in reading.findings} == expected
    assert reading.storage is None


def test_a_mode_that_there_is_not_hides_no_fault() -> None:
    """The Secret is read as the mode that it looks like."""
    reading = judged("s3 static", {"access_key_id": None}, mode="fast")
    assert reading.mode is None
    assert told(reading) >= {("missing_field", "access_key_id")}


def test_static_keys_that_became_token_cco_are_pointed_at_static() -> None:
    """The way back is named, as a command."""
    reading = judged("s3 static", environment=EVERYWHERE)
    assert reading.mode == "token-cco"
    commands = [str(each.command) for f in reading.findings for each in f.remedy]
    assert any('"credentialMode":"static"' in command for command in commands)


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs", "swift"])
def test_the_managed_secret_is_looked_at(kind: str) -> None:
    """What the Cloud Credential Operator should have put there is missed."""
    what = f"{kind} token-cco" if kind != "swift" else "swift static"
    empty = data_of({})
    missing = [
        finding
        for finding in judged(what, managed=empty, mode=what.split()[1]).findings
        if finding.fault == "missing_field"
    ]
    assert len(missing) == {"s3": 1, "azure": 3, "gcs": 1, "swift": 0}[kind]


@pytest.mark.parametrize(
    ("kind", "keys", "mode", "expected"),
    [
        ("s3", "bucketnames region role_arn", "token", set()),
        ("s3", "bucketnames role_arn", "token", {"missing_field"}),
        ("azure", "container account_name account_key", "static", {"missing_field"}),
        ("azure", "container account_name account_key environment", "static", set()),
        ("gcs", "bucketname key.json", None, set()),
    ],
)
def test_an_external_secret_is_judged_by_its_names(
    kind: str, keys: str, mode: str | None, expected: set[str]
) -> None:
    """Missing keys are missed, values are not guessed at, and it says where to mend it."""
    spec = {"data": [{"secretKey": key} for key in keys.split()]}
    reading = read_storage(STACK, kind, None, secret=from_external_secret(spec))
    assert {finding.fault for finding in reading.findings} == expected
    assert reading.mode == mode
    assert all("ExternalSecret logging/es makes" in f.message for f in reading.findings)
    assert reading.storage is None


def test_an_external_secret_that_takes_all_is_not_missed_anything() -> None:
    """What `dataFrom` will bring is not known, so neither is the mode."""
    secret = from_external_secret({"dataFrom": [{"extract": {"key": "loki"}}]})
    for kind in ("s3", "azure"):
        reading = read_storage(STACK, kind, None, secret=secret)
        assert (reading.findings, reading.mode) == ((), None)
        said = read_storage(STACK, kind, "static", secret=secret)
        assert (said.findings, said.mode) == ((), "static")


def test_a_name_that_a_shell_would_obey_gets_no_command() -> None:
    """A key called `$(reboot)` is told of, once, without a command to paste."""
    strange = {"$(reboot)'": "x", "a\x1b[31m" * 20: "", "region=eu west/1": "", "..": "", ".": ""}
    manifest = {"stringData": {**SOUND["s3 static"], **strange}}
    decoded = secret_data(manifest, ref=SECRET, stack=STACK)
    reading = read_storage(STACK, "s3", None, secret=decoded.data)
    assert [finding.fault for finding in decoded.findings] == ["bad_type"] * len(strange)
    assert (reading.findings, reading.storage) == ((), None)
    for finding in decoded.findings:
        assert finding.remedy
        assert all(each.command is None for each in finding.remedy)
        assert "\x1b" not in finding.message


def commands(reading: StorageReading, field: str) -> list[str]:
    """Return the commands that mend a key or a field."""
    return [
        str(each.command)
        for finding in reading.findings
        if finding.field == field
        for each in finding.remedy
        if each.command
    ]


@pytest.mark.parametrize(
    ("what", "changes", "key", "value"),
    [
        ("azure static", {"environment": "azurechinacloud"}, "environment", "AzureChinaCloud"),
        ("azure static", {"environment": "AzureCloud"}, "environment", "AzureGlobal"),
        ("azure static", {"environment": "Mars"}, "environment", "VALUE"),
        (
            "azure static",
            {"environment": None, "endpoint_suffix": "core.chinacloudapi.cn"},
            "endpoint_suffix",
            "blob.core.chinacloudapi.cn",
        ),
        ("s3 static", {"region": "EU_West-1"}, "region", "eu-west-1"),
        ("s3 token", {"region": "eu-west-1a"}, "region", "eu-west-1"),
        ("s3 static", {"region": "Europe"}, "region", "VALUE"),
        ("s3 static", {"sse_type": "sse-kms"}, "sse_type", "SSE-KMS"),
        ("s3 static", {"sse_type": "AES256"}, "sse_type", "SSE-S3"),
        ("s3 static", {"sse_type": "strong"}, "sse_type", "VALUE"),
        ("s3 static", {"forcepathstyle": "False"}, "forcepathstyle", "false"),
        ("s3 static", {"forcepathstyle": "yes"}, "forcepathstyle", "true"),
        ("s3 static", {"forcepathstyle": "perhaps"}, "forcepathstyle", "VALUE"),
    ],
)
def test_a_command_sets_what_was_meant(what: str, changes: Changes, key: str, value: str) -> None:
    """The near miss that the message names; where there is none, the value is left open."""
    reading = judged(what, changes)
    (command,) = commands(reading, key)
    assert f'{{"stringData":{{"{key}":"{value}"}}}}' in command
    messages = [each.message for each in reading.findings if each.field == key]
    assert any(f"`{value}` was meant" in message for message in messages) == (value != "VALUE")


@pytest.mark.parametrize(
    ("kind", "mode", "field", "value"),
    [
        ("Azure", None, TYPE_FIELD, "azure"),
        ("AlibabaCloud", None, TYPE_FIELD, "alibabacloud"),
        ("gcp", None, TYPE_FIELD, "gcs"),
        ("floppy", None, TYPE_FIELD, "TYPE"),
        ("s3", "Token", MODE_FIELD, "token"),
        ("s3", "token_cco", MODE_FIELD, "token-cco"),
        ("s3", "sts", MODE_FIELD, "MODE"),
    ],
)
def test_a_command_sets_the_word_that_was_meant(
    kind: str, mode: str | None, field: str, value: str
) -> None:
    """Of the spec's own words, which are shown as they are."""
    reading = read_storage(STACK, kind, mode, secret=None)
    (command,) = commands(reading, field)
    assert f':"{value}"}}' in command
    assert f"is `{mode or kind}`" in reading.findings[0].message


@pytest.mark.parametrize(
    ("what", "changes", "key", "mode"),
    [
        ("s3 token-cco", {"role_arn": "arn:aws:iam::123456789012:role/x"}, "role_arn", "token"),
        ("azure token-cco", {"client_id": f"{GUID}0"}, "client_id", "token"),
        ("azure token-cco", {"account_key": "eA=="}, "account_key", "static"),
        ("gcs token-cco", {"key.json": json.dumps(EXTERNAL)}, "key.json", "token"),
        ("gcs token-cco", {"key.json": json.dumps(ACCOUNT)}, "key.json", "static"),
    ],
)
def test_credentials_beside_the_managed_ones_have_a_mode(
    what: str, changes: Changes, key: str, mode: str
) -> None:
    """Beside their removal stands the mode that would read them."""
    removal, other = commands(judged(what, changes), key)
    assert '"op":"remove"' in removal
    assert f'"credentialMode":"{mode}"' in other


@pytest.mark.parametrize(
    ("what", "key", "source"),
    [
        ("s3 static", "access_key_secret", "/dev/stdin"),
        ("gcs token", "key.json", "key.json"),
        ("gcs static", "key.json", "key.json"),
    ],
)
def test_a_secret_value_goes_through_a_pipe(what: str, key: str, source: str) -> None:
    """Kubectl encodes it, whatever it holds; no command line shows it."""
    (command,) = commands(judged(what, {key: None}, mode=what.split()[1]), key)
    assert f"--from-file={key}={source} --dry-run=client -o yaml |" in command
    assert command.endswith("--patch-file /dev/stdin")
    assert "$(" not in command
    assert command.count('"$VALUE"') == command.count('printf %s "$VALUE" |')


def test_a_swapped_pair_is_exchanged() -> None:
    """Both halves are mended, and a new key is asked for."""
    swapped = {"access_key_id": KEY_SECRET, "access_key_secret": KEY_ID}
    reading = judged("s3 static", swapped)
    (command,) = commands(reading, "access_key_id")
    patch = json.loads(command.split("-p ", 1)[1].strip("'"))
    data: dict[str, str | None] = dict(swapped)
    for step in patch:
        assert step["op"] == "move"
        data[step["path"].removeprefix("/data/")] = data.pop(step["from"].removeprefix("/data/"))
    assert data == {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET}


@pytest.mark.parametrize(
    ("what", "key", "wrong"),
    [
        ("s3 static", "bucketnames", "bucket"),
        ("s3 static", "region", "aws_region"),
        ("azure static", "environment", "azure_environment"),
    ],
)
def test_one_rename_is_told_once(what: str, key: str, wrong: str) -> None:
    """The key that is missed and the one that nobody reads are mended by one command."""
    reading = judged(what, {key: None, wrong: SOUND[what][key]})
    assert told(reading) == {("missing_field", key), ("unknown_field", wrong)}
    (move,) = [*commands(reading, key), *commands(reading, wrong)]
    assert f'"from":"/data/{wrong}","path":"/data/{key}"' in move


HOST = "lokistore.blob.core.windows.net"


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("account_name", "lokistore1", None),
        ("account_name", "LokiStore", "warning"),
        ("account_name", "loki-store", "warning"),
        ("account_name", "l" * 25, "warning"),
        ("account_name", "lo", "error"),
        ("account_name", "loki.store", "error"),
        ("account_name", HOST, "error"),
        ("account_name", f"https://{HOST}/", "error"),
        ("container", "loki-logs-2", None),
        ("container", "$logs", None),
        ("container", "loki_logs", "warning"),
        ("container", "Loki", "warning"),
        ("container", "loki--logs", "warning"),
        ("container", "-loki", "warning"),
        ("container", "l" * 64, "warning"),
        ("container", "loki/logs", "error"),
    ],
)
def test_azure_has_its_own_names(key: str, value: str, severity: str | None) -> None:
    """What the store would refuse is an error, what it never gave to anybody a warning."""
    found = judged("azure static", {key: value}).findings
    assert [(each.fault, each.field, each.severity.value) for each in found] == [
        ("bad_bucket_name", key, severity) for _ in range(severity is not None)
    ]


def test_the_account_is_read_out_of_its_host() -> None:
    """Of a cloud's own host; what else has a dot may be anything, and is not shown."""
    reading = judged("azure static", {"account_name": HOST})
    assert '"account_name":"lokistore"' in commands(reading, "account_name")[0]
    assert "`lokistore`" in reading.findings[0].message
    other = judged("azure static", {"account_name": "lokistore.example.com"})
    assert "lokistore" not in other.findings[0].message
    assert '"account_name":"VALUE"' in commands(other, "account_name")[0]


def test_an_id_of_alibaba_may_be_of_any_letters() -> None:
    """Real ids begin with LTAI and hold small letters, too."""
    sound = SOUND["alibabacloud static"]
    changes = {
        "access_key_id": sound["secret_access_key"],
        "secret_access_key": sound["access_key_id"],
    }
    assert told(judged("alibabacloud static", changes)) == {("swapped_pair", "access_key_id")}


@pytest.mark.parametrize(
    ("what", "pair"),
    [
        ("s3 static", {"access_key_id": "minio", "access_key_secret": "minio12345"}),
        ("s3 static", {"access_key_id": "loki", "access_key_secret": "a" * 40}),
        ("s3 static", {"access_key_id": "my-minio-key-of-loki", "access_key_secret": "a-b" * 10}),
        ("swift static", {"username": "loki-user", "password": "a password!"}),
    ],
)
def test_a_pair_that_is_base64_of_plain_text(what: str, pair: dict[str, str]) -> None:
    """Short halves are told, too, as no store makes a pair of that kind; plain they are sound."""
    endpoint = {"endpoint": RGW} if "s3" in what else {}
    encoded = {key: b64encode(value.encode()).decode() for key, value in pair.items()}
    assert told(judged(what, {**endpoint, **pair})) == set()
    reading = judged(what, {**endpoint, **encoded})
    assert sorted((f.fault, f.field) for f in reading.findings) == [
        ("double_base64", key) for key in sorted(pair)
    ]


def test_a_bucket_twice_is_one_bucket() -> None:
    """Said as what it is; what is counted are different names."""
    once = judged("s3 static", {"bucketnames": "loki-a,loki-a"})
    assert told(once) == {("bad_bucket_name", "bucketnames")}
    assert isinstance(once.storage, S3)
    assert once.storage.buckets == ("loki-a",)
    messages = [f.message for f in judged("s3 static", {"bucketnames": "a-a,b-b,a-a"}).findings]
    assert any("names 2 buckets" in message for message in messages)
    assert any("one name more than once" in message for message in messages)


@pytest.mark.parametrize("value", ["\ufeff{}", "{}\u200b", "\u200b{}", "\u00a0{}"])
def test_what_nobody_sees_is_told_once(value: str) -> None:
    """What is left without it is judged: no second finding has the same cause."""
    for what, keys in (
        ("s3 static", ("bucketnames", "endpoint", "region", "access_key_id")),
        ("azure static", ("environment", "container", "account_name")),
    ):
        for key in keys:
            reading = judged(what, {key: value.format(SOUND[what][key])})
            assert [f.fault for f in reading.findings] == ["invisible_characters"], (what, key)
            assert reading.storage is None


def test_a_store_of_its_own_has_endpoints_of_its_own() -> None:
    """Nobody at Alibaba Cloud is shown an address of AWS."""
    (finding,) = judged("alibabacloud static", {"endpoint": None}).findings
    assert "aliyuncs.com" in finding.message
    assert "aws" not in finding.message


def test_an_arn_is_shown() -> None:
    """It is no secret, and the slip in it is seen at once; another text may be anything."""
    user = "arn:aws:iam::123456789012:user/loki"
    (finding,) = judged("s3 token", {"role_arn": user}).findings
    assert f"is `{user}`" in finding.message
    (finding,) = judged("s3 token", {"role_arn": "hunter2hunter2"}).findings
    assert "hunter2" not in finding.message
