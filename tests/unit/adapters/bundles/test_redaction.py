# SPDX-License-Identifier: Apache-2.0
"""No secret value is left in an object or a text of a bundle, and what is none is left alone."""

import json
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.bundles.redaction import Redactor

ID, SECRET = "GK31c2f218a2e44f485b94239e", "b892c0665f0ada8a4755dae98baa3b13/3590e+1"
SECRETS = st.text(
    st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=8, max_size=60
).filter(lambda text: not text.startswith(("$", "{", "redacted-")) and "_" not in text)


def redacted(*objects: dict[str, Any]) -> str:
    """Return objects as one bundle would hold them."""
    redactor = Redactor()
    for each in objects:
        redactor.learn_object(each)
    return json.dumps([redactor.object(each) for each in objects])


def held(**data: str) -> dict[str, Any]:
    """Return a Secret."""
    encoded = {
        name.replace("__", "."): b64encode(text.encode()).decode() for name, text in data.items()
    }
    return {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": encoded}


CONFIG = f"""\
common:
  storage:
    s3:
      endpoint: http://garage.storage.svc:3900
      bucketnames: logs
      access_key_id: {ID}
      secret_access_key: "{SECRET}"
"""
PLACES = [
    pytest.param({"kind": "ConfigMap", "data": {"config.yaml": CONFIG}}, id="Loki's configuration"),
    pytest.param(
        {
            "kind": "ConfigMap",
            "data": {"config.yaml": f"s3: s3://{ID}:{quote(SECRET, safe='')}@host/b\n"},
        },
        id="an s3 URL",
    ),
    pytest.param(
        {
            "kind": "HelmRelease",
            "spec": {"values": {"loki": {"storage": {"secretAccessKey": SECRET}}}},
        },
        id="a release's values",
    ),
    pytest.param(
        {
            "kind": "StatefulSet",
            "spec": {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": SECRET}]},
        },
        id="a variable",
    ),
    pytest.param(
        {
            "kind": "Deployment",
            "spec": {"args": [f"-common.storage.s3.secret-access-key={SECRET}"]},
        },
        id="an argument",
    ),
    pytest.param(
        {"kind": "Deployment", "spec": {"args": ["--secret-key", SECRET]}},
        id="the argument after its name",
    ),
    pytest.param(
        {
            "kind": "Secret",
            "metadata": {
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": SECRET})
                }
            },
        },
        id="what was applied last",
    ),
    pytest.param(held(config__yaml=CONFIG), id="Loki's configuration in a Secret"),
    pytest.param(
        held(values__yaml=f"anything:\n  at: all\n  odd: '{SECRET}'\n"), id="values in a Secret"
    ),
    pytest.param(held(whatever=SECRET), id="a Secret"),
    pytest.param(held(bucketnames=SECRET), id="under the name of a bucket"),
]


@pytest.mark.parametrize("obj", PLACES)
def test_a_secret_is_taken_out_of_its_place(obj: dict[str, Any]) -> None:
    """Wherever people put one: the value itself is nowhere, nor is it in any Secret's data."""
    told = redacted({"metadata": {"name": "x"}, **obj})
    values = (
        [b64decode(v).decode() for o in json.loads(told) for v in o.get("data", {}).values()]
        if obj["kind"] == "Secret"
        else []
    )
    for text in (told, *values):
        assert SECRET not in text
        assert quote(SECRET, safe="") not in text


@given(SECRETS)
def test_what_is_known_is_taken_out_everywhere(secret: str) -> None:
    """Of a log, as it is, in a URL, in JSON, and as base64 of the value or of its line."""
    redactor = Redactor()
    redactor.learn_object(held(anything=secret))
    forms = [
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        b64encode(secret.encode()).decode(),
        b64encode(f"{secret}\n".encode()).decode(),
    ]
    told = redactor.text("".join(f"level=error msg=<{form}> x\n" for form in forms))
    for form in forms:
        assert f"<{form}>" not in told


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        pytest.param("Authorization: Bearer abcDEF123456ghi", "abcDEF123456ghi", id="a header"),
        pytest.param("GET /b?X-Amz-Signature=0a1b2c3d4e&x=1", "0a1b2c3d4e", id="a signed query"),
        pytest.param("dial https://me:pass-word@host/x", "pass-word", id="a user in a URL"),
        pytest.param("AccessKeyId AKIAIOSFODNN7EXAMPLE?", "AKIAIOSFODNN7EXAMPLE", id="a key id"),
        pytest.param('{"password": "tr0ub4dor"}', "tr0ub4dor", id="JSON in a line"),
        pytest.param(
            "token eyJhbGciOiJSUzI1.eyJpc3MiOiJodH.c2lnbmF0dXJl", "eyJpc3MiOiJodH", id="a token"
        ),
        pytest.param(
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ", id="a key"
        ),
        pytest.param(
            r'err="parse \"s3://id:abcDE12/fg@host/b\": invalid port \":abcDE12\" after host"',
            "abcDE12",
            id="half a key that a client took for a port",
        ),
        pytest.param(
            "<Credentials><SecretAccessKey>abcdEF12+/34</SecretAccessKey></Credentials>",
            "abcdEF12",
            id="a key that a provider's answer holds",
        ),
        pytest.param(
            "<Error><SignatureProvided>9a8b7c6d</SignatureProvided></Error>",
            "9a8b7c6d",
            id="a signature that a store repeats",
        ),
        pytest.param("Authorization: SharedKey me:abcd1234==", "abcd1234", id="Azure's header"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_a_log(line: str, gone: str) -> None:
    """Though no Secret that was read holds it."""
    assert gone not in Redactor().text(line)


def test_what_a_diagnosis_needs_is_left() -> None:
    """Bucket, address, region, variables by name, versions, moments and messages of errors."""
    said = "AccessDenied: Access Denied. status code: 403, request id: tx0001"
    line = f'ts=2026-01-01T00:00:00Z level=error err="{said}"'
    assert Redactor().text(line) == line
    text = "access_key_id: ${AWS_ACCESS_KEY_ID}\nsecret_access_key: ${S3_SECRET:-}\n"
    assert Redactor().text(text) == text
    kept = {
        "endpoint": "https://s3.eu-west-1.amazonaws.com",
        "bucketnames": "loki",
        "region": "eu-west-1",
    }
    assert json.loads(redacted(held(**kept)))[0]["data"] == held(**kept)["data"]


def test_a_name_of_a_secret_is_no_secret() -> None:
    """An ExternalSecret names data keys, a StorageCredential too."""
    external = {
        "kind": "ExternalSecret",
        "metadata": {"name": "x"},
        "spec": {"data": [{"secretKey": "AWS_SECRET_ACCESS_KEY", "remoteRef": {"key": "loki"}}]},
    }
    assert json.loads(redacted(external)) == [external]


def test_who_wrote_data_and_when_is_left() -> None:
    """Nothing else tells when a Secret changed; which keys it has is in its data."""
    entry = {
        "manager": "kubectl",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": {"f:data": {"f:x": {}}},
    }
    other = {"manager": "kubelet", "fieldsV1": {"f:status": {}}}
    metadata = {"name": "x", "managedFields": [entry, other]}
    told = json.loads(redacted({"kind": "Secret", "metadata": metadata, "data": {}}))
    assert told[0]["metadata"]["managedFields"] == [{**entry, "fieldsV1": {"f:data": {}}}]
