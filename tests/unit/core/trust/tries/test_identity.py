# SPDX-License-Identifier: Apache-2.0
"""From a stack's Secrets to what is tried: the key or the trust, and the place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.resource.model import LokiStack, Size
from lokeys.core.stack.storage.model import S3, Azure, CredentialMode, Gcs, Sse, SseType
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.trust.tries.identity import (
    AccessKey,
    AccountKey,
    BlobPlace,
    FederatedApp,
    GcsPlace,
    PoolProvider,
    Role,
    S3Place,
    ServiceAccountKey,
    UnusableCredential,
    accounts_to_try,
    encryption_headers,
    place_of,
    static_key_of,
    trust_of,
)
from unit.core.stack.storage import secrets as sound

NO_SECRET = SecretData(ref=sound.SECRET, values={})


def storage_of(what: str, **changes: str) -> Any:
    reading = sound.judged(what, changes)
    assert reading.storage is not None, reading.findings
    return reading.storage


def secret_of(what: str, **changes: str) -> SecretData:
    return sound.data_of({**sound.SOUND[what], **changes})


def test_a_static_key_of_each_store_is_found() -> None:
    """S3's pair, Azure's account key, Google's private key; none shows itself."""
    s3 = static_key_of(storage_of("s3 static"), secret_of("s3 static"))
    assert isinstance(s3, AccessKey)
    assert s3.pair.access_key_id == Sensitive(sound.KEY_ID)
    azure = static_key_of(storage_of("azure static"), secret_of("azure static"))
    assert isinstance(azure, AccountKey)
    assert azure.account == "logs"
    google = static_key_of(storage_of("gcs static"), secret_of("gcs static"))
    assert isinstance(google, ServiceAccountKey)
    assert (google.email, google.key_id) == ("loki@my-project.iam.gserviceaccount.com", "abc")
    assert sound.KEY_SECRET not in repr((s3, azure, google))
    assert "PRIVATE" not in repr(google)


@pytest.mark.parametrize(
    ("changes", "url", "is_aws"),
    [
        pytest.param({}, "https://sts.eu-west-1.amazonaws.com", True, id="AWS"),
        pytest.param(
            {"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/loki"},
            "https://sts.cn-north-1.amazonaws.com.cn",
            True,
            id="AWS in China",
        ),
        pytest.param(
            {"sts_endpoint": "https://sts-fips.us-east-1.amazonaws.com"},
            "https://sts-fips.us-east-1.amazonaws.com",
            True,
            id="another STS of AWS",
        ),
        pytest.param(
            {"endpoint": "http://rgw.storage.svc:80"}, "http://rgw.storage.svc:80", False, id="RGW"
        ),
    ],
)
def test_a_role_is_asked_of_its_own_sts(changes: dict[str, str], url: str, is_aws: bool) -> None:
    """The regional STS of the partition, or the store's own."""
    trust = trust_of(storage_of("s3 token", **changes), NO_SECRET)
    assert isinstance(trust, Role)
    assert (trust.sts_url, trust.is_aws) == (url, is_aws)


def test_an_entra_application_is_asked_at_its_clouds_authority() -> None:
    """The public cloud's where the Secret says nothing else."""
    trust = trust_of(storage_of("azure token"), NO_SECRET)
    assert isinstance(trust, FederatedApp)
    assert trust.authority == "https://login.microsoftonline.com/"
    china = storage_of("azure token", environment="AzureChinaCloud")
    found = trust_of(china, NO_SECRET)
    assert isinstance(found, FederatedApp)
    assert found.authority == "https://login.chinacloudapi.cn/"


def test_a_pools_provider_is_read_from_the_credentials_file() -> None:
    """With the account that it acts as, or without one."""
    trust = trust_of(storage_of("gcs token"), secret_of("gcs token"))
    assert isinstance(trust, PoolProvider)
    assert trust.name == sound.PROVIDER
    assert trust.impersonation_url.endswith(":generateAccessToken")
    plain = {k: v for k, v in sound.EXTERNAL.items() if not k.startswith("service_account")}
    direct = {"key.json": json.dumps({**plain, "subject_token_type": 1})}
    other = trust_of(storage_of("gcs token"), secret_of("gcs token", **direct))
    assert isinstance(other, PoolProvider)
    assert (other.impersonation_url, other.token_type.rpartition(":")[2]) == ("", "jwt")


def test_what_a_credentials_file_leaves_out_is_the_clients_own() -> None:
    """The addresses that Loki's client has for itself, and a key without its id."""
    pool = {k: v for k, v in sound.EXTERNAL.items() if k != "token_url"}
    trust = trust_of(
        storage_of("gcs token"), secret_of("gcs token", **{"key.json": json.dumps(pool)})
    )
    assert isinstance(trust, PoolProvider)
    assert trust.token_url == "https://sts.googleapis.com/v1/token"
    named = ("token_uri", "private_key_id")
    account = {k: v for k, v in sound.ACCOUNT.items() if k not in named}
    secret = secret_of("gcs static", **{"key.json": json.dumps(account)})
    key = static_key_of(storage_of("gcs static"), secret)
    assert isinstance(key, ServiceAccountKey)
    assert (key.token_uri, key.key_id) == ("https://oauth2.googleapis.com/token", "")


MANAGED_ROLE = "[default]\nrole_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = /t\n"


def managed_of(**values: str) -> SecretData:
    return sound.data_of(values)


def test_managed_credentials_name_the_trust() -> None:
    """What the Cloud Credential Operator wrote: a profile, two ids, a credentials file."""
    role = trust_of(storage_of("s3 token-cco"), NO_SECRET, managed_of(credentials=MANAGED_ROLE))
    assert isinstance(role, Role)
    assert role.arn == "arn:aws:iam::1:role/r"
    ids = managed_of(azure_client_id="c", azure_tenant_id="t")
    app = trust_of(storage_of("azure token-cco"), NO_SECRET, ids)
    assert isinstance(app, FederatedApp)
    assert (app.tenant_id, app.client_id) == ("t", "c")
    file = managed_of(**{"service_account.json": json.dumps(sound.EXTERNAL)})
    provider = trust_of(storage_of("gcs token-cco"), NO_SECRET, file)
    assert isinstance(provider, PoolProvider)
    assert provider.name == sound.PROVIDER


def _external(**changes: Any) -> SecretData:
    return managed_of(**{"service_account.json": json.dumps({**sound.EXTERNAL, **changes})})


@pytest.mark.parametrize(
    ("what", "managed", "words"),
    [
        pytest.param("s3 token-cco", None, "not there yet", id="no managed Secret"),
        pytest.param("s3 token-cco", managed_of(credentials="["), "no role_arn", id="no INI"),
        pytest.param("s3 token-cco", managed_of(credentials="[a]\n"), "no role_arn", id="no role"),
        pytest.param(
            "azure token-cco", managed_of(azure_client_id="c"), "azure_tenant_id", id="half"
        ),
        pytest.param(
            "gcs token-cco",
            managed_of(**{"service_account.json": "[]"}),
            "no JSON object",
            id="no object",
        ),
        pytest.param("gcs token-cco", _external(audience=""), "`audience`", id="no provider"),
        pytest.param(
            "gcs token-cco", _external(token_url="http://sts.example"), "no https", id="plain http"
        ),
        pytest.param(
            "gcs token-cco", _external(token_url="https://a b/"), "no https", id="a blank in it"
        ),
    ],
)
def test_secrets_that_say_too_little_are_told(
    what: str, managed: SecretData | None, words: str
) -> None:
    """Nothing is tried, and the message names what is missing."""
    with pytest.raises(UnusableCredential, match=words):
        trust_of(storage_of(what), NO_SECRET, managed)


def test_the_place_is_where_loki_writes() -> None:
    """Virtual hosts at AWS alone; the container's and the bucket's own addresses."""
    aws = place_of(storage_of("s3 token"))
    assert isinstance(aws, S3Place)
    (bucket,) = aws.buckets
    assert (bucket.endpoint, bucket.path_style) == ("https://s3.eu-west-1.amazonaws.com", False)
    dotted = place_of(storage_of("s3 token", bucketnames="aaa.bbb,ccc"))
    assert isinstance(dotted, S3Place)
    assert [b.path_style for b in dotted.buckets] == [True, False]
    rgw = place_of(storage_of("s3 static", endpoint="http://rgw.svc:80", region=""), ca_bundle="CA")
    assert isinstance(rgw, S3Place)
    assert (rgw.buckets[0].endpoint, rgw.buckets[0].path_style) == ("http://rgw.svc:80", True)
    assert rgw.buckets[0].ca_bundle == "CA"
    own = {"endpoint": "https://s3.example", "region": "", "forcepathstyle": "false"}
    by_path = place_of(storage_of("s3 static", **own))
    assert isinstance(by_path, S3Place)
    assert by_path.buckets[0].path_style is True
    assert place_of(storage_of("azure token")) == BlobPlace(
        url="https://logs.blob.core.windows.net", account="logs", container="loki"
    )
    assert place_of(storage_of("gcs token")) == GcsPlace(bucket="loki")


@pytest.mark.parametrize(
    ("sse", "names"),
    [
        pytest.param(None, [], id="none"),
        pytest.param(Sse(type=SseType.S3), ["x-amz-server-side-encryption"], id="SSE-S3"),
        pytest.param(Sse(type=SseType.KMS), ["x-amz-server-side-encryption"], id="SSE-KMS"),
        pytest.param(
            Sse(type=SseType.KMS, kms_key_id="k", kms_encryption_context='{"a":"b"}'),
            [
                "x-amz-server-side-encryption",
                "x-amz-server-side-encryption-aws-kms-key-id",
                "x-amz-server-side-encryption-context",
            ],
            id="with key and context",
        ),
    ],
)
def test_the_try_is_encrypted_as_loki_would(sse: Sse | None, names: list[str]) -> None:
    """A bucket's policy may refuse what is not."""
    assert [name for name, _ in encryption_headers(sse)] == names


def test_each_account_with_a_token_is_tried() -> None:
    """A static key is the same for all; the ruler's token counts where there is a ruler."""
    static = S3(mode=CredentialMode.STATIC, buckets=("b",))
    token = Azure(mode=CredentialMode.TOKEN, container="c", account_name="a")
    managed = Gcs(mode=CredentialMode.TOKEN_CCO, bucket="b")
    stack = LokiStack(
        name="my-stack",
        namespace="logging",
        size=Size.DEMO,
        schemas=(),
        storage_secret_name="storage",
        storage_type="s3",
        storage_class_name="standard",
    )
    with_rules = replace(stack, rules_enabled=True)
    assert accounts_to_try(with_rules, static) == ("my-stack",)
    assert accounts_to_try(stack, token) == ("my-stack",)
    assert accounts_to_try(with_rules, managed) == ("my-stack", "my-stack-ruler")
