# SPDX-License-Identifier: Apache-2.0
"""What the clients of Azure, Google, Swift and Alibaba Cloud take, and what they refuse."""

import json
from typing import Any

import pytest

from lokeys.core.stack.storage.model import Gcs
from unit.core.stack.storage.secrets import ACCOUNT, EXTERNAL, IMPERSONATE, SOUND, judged
from unit.core.stack.storage.test_s3_place import said

EMAIL = "loki@my-project.iam.gserviceaccount.com:generateAccessToken"
FLEET = "identitynamespace:my-project.svc.id.goog:https://"
PLACE = "projects/my-project/locations"
PATH = "/v1/projects/-/serviceAccounts/"
PEM = ACCOUNT["private_key"]


def severity_of(what: str, key: str, value: str | dict[str, Any], fault: str) -> str | None:
    """Return how bad a value is, or None where nothing is said; nothing else may be wrong."""
    text = value if isinstance(value, str) else json.dumps(value)
    findings = said(judged(what, {key: text}, mode=what.split()[1]).findings)
    assert [each[:2] for each in findings] == [(fault, key)] * len(findings)
    return findings[0][2] if findings else None


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("tenant_id", "contoso.onmicrosoft.com", None),
        ("tenant_id", "login.example.org", None),
        ("tenant_id", SOUND["azure token"]["tenant_id"].upper(), None),
        ("tenant_id", "contoso", "error"),
        ("tenant_id", "contoso/onmicrosoft.com", "error"),
        ("tenant_id", ".com", "error"),
        ("client_id", "loki.example.com", "error"),
        ("subscription_id", "my subscription", "warning"),
    ],
)
def test_an_identity_of_azure(key: str, value: str, severity: str | None) -> None:
    """A tenant may be named by a domain; no client looks at the subscription."""
    assert severity_of("azure token", key, value, "bad_guid") == severity


@pytest.mark.parametrize(
    ("suffix", "severity"),
    [
        ("z34.blob.storage.azure.net", None),
        ("blob.local.azurestack.external", "warning"),
        ("blob.region1.stack.example.com", "warning"),
        ("blob.core.windows.com", "error"),
        ("blob.core.window.net", "error"),
        ("Blob.Core.Windows.Net", "error"),
        (".blob.core.windows.net", "error"),
        ("https://blob.example.com", "error"),
        ("example.com", "error"),
        ("blob", "error"),
    ],
)
def test_a_suffix_of_azure(suffix: str, severity: str | None) -> None:
    """An account's own zone, an Azure Stack; a slip is told from one's own cloud."""
    fault = "bad_endpoint_suffix"
    assert severity_of("azure static", "endpoint_suffix", suffix, fault) == severity


def test_a_zones_suffix_is_what_loki_gets() -> None:
    """With the cloud's own authority beside it."""
    reading = judged("azure token", {"endpoint_suffix": "z34.blob.storage.azure.net"})
    assert "z34.blob.storage.azure.net" in repr(reading.storage)


@pytest.mark.parametrize(
    ("url", "severity"),
    [
        (None, None),
        ("", None),
        ("https://sts.googleapis.com/v1/token", None),
        ("https://sts.googleapis.com/v1beta/token", None),
        ("https://sts.mtls.googleapis.com/v1/token", None),
        ("https://sts-psc.p.googleapis.com/v1/token", None),
        ("https://us-east1-sts.googleapis.com/v1/token", None),
        ("https://sts.us-east1.rep.googleapis.com/v1/token", None),
        ("https://sts.googleapis.com/token", "error"),
        ("http://sts.googleapis.com/v1/token", "error"),
        ("https://sts.example.com/v1/token", "warning"),
        ("http://proxy.internal:8080/exchange", "warning"),
        ("https://storage.googleapis.com/v1/token", "warning"),
        ("https://sts.googleapis.com.example.com/v1/token", "warning"),
        ("sts.googleapis.com", "error"),
    ],
)
def test_where_google_exchanges_a_token(url: str | None, severity: str | None) -> None:
    """Its hosts of all kinds, or none named; another host is asked all the same."""
    file = {**EXTERNAL, "token_url": url}
    assert severity_of("gcs token", "key.json", file, "bad_json") == severity


@pytest.mark.parametrize(
    ("url", "severity", "email"),
    [
        (f"https://iamcredentials-psc.p.googleapis.com{PATH}{EMAIL}", None, True),
        (f"https://us-east1-iamcredentials.googleapis.com{PATH}{EMAIL}", None, True),
        (f"https://iamcredentials.us-east1.rep.googleapis.com{PATH}{EMAIL}", None, True),
        (f"{IMPERSONATE}{EMAIL.replace('@', '%40')}", None, True),
        (f"{IMPERSONATE}104123456789012345678:generateAccessToken", None, False),
        (f"https://iamcredentials.example.com{PATH}{EMAIL}", "warning", True),
        (f"http://iam.internal{PATH}{EMAIL}", "warning", True),
        (f"http://iamcredentials.googleapis.com{PATH}{EMAIL}", "error", True),
        (f"{IMPERSONATE}{EMAIL.replace('generateAccessToken', 'signJwt')}", "error", False),
        ("", None, False),
    ],
)
def test_as_whom_a_token_acts(url: str, severity: str | None, email: bool) -> None:
    """Google's hosts of all kinds, an account by its address or by its number."""
    file = {**EXTERNAL, "service_account_impersonation_url": url}
    assert severity_of("gcs token", "key.json", file, "bad_json") == severity
    storage = judged("gcs token", {"key.json": json.dumps(file)}).storage
    assert storage is None or isinstance(storage, Gcs)
    assert ("@" in storage.service_account_email if storage else email) == email


def test_a_sovereign_cloud_has_hosts_of_its_own() -> None:
    """The file names its domain, as gcloud writes it there."""
    file = {
        **EXTERNAL,
        "universe_domain": "Apis-Sovereign.example",
        "token_url": "https://sts.apis-sovereign.example/v1/token",
        "service_account_impersonation_url": f"https://iamcredentials.apis-sovereign.example{PATH}"
        f"{EMAIL}",
    }
    assert severity_of("gcs token", "key.json", file, "bad_json") is None


@pytest.mark.parametrize(
    ("audience", "severity"),
    [
        (f"{FLEET}gkehub.googleapis.com/{PLACE}/global/memberships/my-cluster", None),
        (f"{FLEET}container.googleapis.com/v1/{PLACE}/europe-west1/clusters/my-cluster", None),
        ("//iam.googleapis.com/locations/global/workforcePools/people/providers/oidc", None),
        ("identitynamespace:", "error"),
        ("https://iam.googleapis.com/projects/1", "error"),
    ],
)
def test_whom_google_knows_the_cluster_as(audience: str, severity: str | None) -> None:
    """A cluster of a fleet and GKE's own have names of another form."""
    file = {**EXTERNAL, "audience": audience}
    assert severity_of("gcs token", "key.json", file, "bad_audience") == severity


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"token_uri": None}, "warning"),
        ({"token_uri": ""}, "warning"),
        ({"private_key_id": None}, "warning"),
        ({"private_key_id": 7}, "error"),
        ({"client_email": None}, "error"),
        ({"private_key": f"Bag Attributes\n    friendlyName: loki\n{PEM}"}, None),
        ({"private_key": PEM.replace("PRIVATE", "RSA PRIVATE")}, None),
        ({"private_key": PEM.replace("\n", " ")}, "error"),
        ({"private_key": PEM.replace("-----END", "-----FIN")}, "error"),
        ({"type": "authorized_user"}, "warning"),
        ({"type": "impersonated_service_account"}, "warning"),
        ({"type": "external_account_authorized_user"}, "warning"),
        ({"type": "gdch_service_account"}, "warning"),
        ({"type": "external_account"}, "error"),
        ({"type": "client_credentials"}, "error"),
    ],
)
def test_a_credentials_file_of_mode_static(changes: dict[str, Any], severity: str | None) -> None:
    """What the client has for itself or does not look at may be absent; other types work, too."""
    file = {**ACCOUNT, **changes}
    assert severity_of("gcs static", "key.json", file, "bad_json") == severity


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("auth_url", "https://keystone.example.com/identity/v3/", None),
        ("auth_url", "http://keystone_internal.store.svc.:5000/v3", None),
        ("auth_url", "https://keystone.example.com:5000/v2.0", None),
        ("auth_url", "https://swift.example.com/auth/v1.0", None),
        ("auth_url", "https://keystone.example.com:5000", "error"),
        ("auth_url", "https://keystone.example.com:5000/V3", "error"),
    ],
)
def test_keystones_url_names_its_version(key: str, value: str, severity: str | None) -> None:
    """The client looks for it there (ncw/swift 1.0.53, auth.go), and does not start without."""
    assert severity_of("swift static", key, value, "bad_endpoint") == severity


def test_the_version_of_keystone_is_offered() -> None:
    """In the command, behind the URL that is there."""
    (finding,) = judged("swift static", {"auth_url": "https://keystone:5000"}).findings
    assert '"auth_url":"https://keystone:5000/v3"' in str(finding.remedy[0].command)


@pytest.mark.parametrize(
    ("what", "key", "value", "fault", "severity"),
    [
        ("swift static", "container_name", "loki logs: ü", "bad_bucket_name", None),
        ("swift static", "container_name", "loki/logs", "bad_bucket_name", "error"),
        ("alibabacloud static", "bucket", "loki-logs-1", "bad_bucket_name", None),
        ("alibabacloud static", "bucket", "Loki", "bad_bucket_name", "error"),
        ("alibabacloud static", "bucket", "loki.logs", "bad_bucket_name", "error"),
        ("alibabacloud static", "bucket", "-loki", "bad_bucket_name", "error"),
        ("alibabacloud static", "bucket", "lo", "bad_bucket_name", "error"),
        ("alibabacloud static", "bucket", "l" * 64, "bad_bucket_name", "error"),
        (
            "alibabacloud static",
            "endpoint",
            "http://oss-cn-hangzhou-internal.aliyuncs.com",
            "bad_endpoint",
            None,
        ),
        ("alibabacloud static", "endpoint", "10.0.0.1:8080", "bad_endpoint", None),
        ("alibabacloud static", "endpoint", "https://oss.example.com/x", "bad_endpoint", "warning"),
        ("alibabacloud static", "endpoint", "HTTPS://oss.example.com", "bad_endpoint", "error"),
    ],
)
def test_names_and_endpoints_of_other_stores(
    what: str, key: str, value: str, fault: str, severity: str | None
) -> None:
    """By aliyun-oss-go-sdk's own checks (3.0.2, oss/utils.go and conn.go)."""
    assert severity_of(what, key, value, fault) == severity


def test_the_subscription_can_be_asked_for() -> None:
    """`az identity show` does not print it."""
    (finding,) = judged("azure token", {"subscription_id": "x"}).findings
    commands = " ".join(str(each.command) for each in finding.remedy)
    assert "az account show" in commands
    assert "subscriptionId" in commands
