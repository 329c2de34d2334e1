# SPDX-License-Identifier: Apache-2.0
"""Storage Secrets that are unusual and work: provider by provider, each with its source.

What Loki 3.7.8's clients do is read in their sources: minio-go 7.0.99, azidentity 1.13.1 behind
grafana/objstore, golang.org/x/oauth2 0.36.0, ncw/swift 1.0.53, aliyun-oss-go-sdk 3.0.2.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEY_ID, KEY_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
GUID = "11111111-2222-3333-4444-555555555555"
TOKEN_FILE = "/var/run/secrets/storage/serviceaccount/token"
POOL = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/my-pool"
PROVIDER = f"{POOL}/providers/my-provider"
_ACCOUNT = "/v1/projects/-/serviceAccounts/loki@my-project.iam.gserviceaccount.com"
_PAIR = {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET}
_ROLE = "arn:{}:iam::123456789012:role/loki"
_AZURE = {"environment": "AzureGlobal", "container": "loki", "account_name": "logs"}
_SHARED = {**_AZURE, "account_key": b64encode(bytes(range(64))).decode()}
_FEDERATED = {**_AZURE, "client_id": GUID, "tenant_id": GUID, "subscription_id": GUID}
_SWIFT = {
    "auth_url": "https://keystone.example.com:5000/v3",
    "container_name": "loki",
    **{key: f"a-{key}" for key in ("username", "password", "user_id")},
    **dict.fromkeys(("user_domain_name", "user_domain_id", "domain_name"), "default"),
    "domain_id": "default",
}
_OSS = {
    "bucket": "loki",
    "endpoint": "oss-cn-hangzhou.aliyuncs.com",
    "access_key_id": "LTAI5tExampleExample",
    "secret_access_key": KEY_SECRET[:30],
}
_KEY = {
    "type": "service_account",
    "client_email": "loki@my-project.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    "private_key_id": "abc",
    "token_uri": "https://oauth2.googleapis.com/token",
}
_EXCHANGE = {
    "type": "external_account",
    "audience": PROVIDER,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"file": TOKEN_FILE, "format": {"type": "text"}},
}
_S3UTILS = "minio-go pkg/s3utils/utils.go: "
_API = "minio-go api.go: makeTargetURL"
_OPERATOR = "grafana/loki operator at 65e30f8: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """A Secret that works: why, what is said of it at most, and what Loki makes of it."""

    why: str
    source: str
    kind: str
    secret: Mapping[str, str]
    warned: tuple[str, ...] = ()
    resolved: Mapping[str, Any] = field(default_factory=dict)
    first: str = ""
    """Loki's first request with it: a host behind TLS, else method and address."""

    def __str__(self) -> str:
        return self.why


def _s3(
    why: str, source: str, *warned: str, resolved: Any = None, first: str = "", **secret: str
) -> Unusual:
    said = {"bucketnames": "loki", **({} if "role_arn" in secret else _PAIR), **secret}
    return Unusual(
        why=why,
        source=source,
        kind="s3",
        secret=said,
        warned=warned,
        resolved=resolved or {},
        first=first,
    )


def _token(region: str, partition: str, domain: str, source: str) -> Unusual:
    return _s3(
        f"a token in {region}",
        source,
        region=region,
        role_arn=_ROLE.format(partition),
        resolved={"endpointHost": "", "sts": True, "region": region},
        first=f"s3.{region}.{domain}",
    )


def _other(
    kind: str,
    why: str,
    source: str,
    secret: Mapping[str, str],
    *warned: str,
    first: str = "",
    **resolved: Any,
) -> Unusual:
    return Unusual(
        why=why,
        source=source,
        kind=kind,
        secret=secret,
        warned=warned,
        resolved=resolved,
        first=first,
    )


def _gcs(
    why: str, source: str, file: Mapping[str, Any], *warned: str, first: str = "", **more: str
) -> Unusual:
    secret = {"bucketname": "loki", **more, "key.json": json.dumps(file)}
    return _other("gcs", why, source, secret, *warned, first=first, bucket="loki")


_PATH = {"forcePathStyle": True}
_VIRTUAL = {"forcePathStyle": False}
AT_S3 = (
    _s3(
        "a dot at the end, against ndots",
        "minio-go utils.go: isValidEndpointURL; net.Dial looks it up as it stands",
        endpoint="http://minio.store.svc.cluster.local.:9000",
        resolved={**_PATH, "endpointHost": "minio.store.svc.cluster.local.:9000"},
        first="GET http://minio.store.svc.cluster.local.:9000/loki/",
    ),
    _s3(
        "an underscore, as compose names its hosts",
        _S3UTILS + "IsValidDomain",
        endpoint="http://minio_gateway:9000",
        resolved={**_PATH, "endpointHost": "minio_gateway:9000"},
        first="GET http://minio_gateway:9000/loki/",
    ),
    _s3(
        "MinIO behind a classic load balancer of AWS",
        _S3UTILS + "elbAmazonRegex",
        endpoint="http://internal-minio-1234567890.eu-west-1.elb.amazonaws.com:9000",
        resolved=_PATH,
        first="GET http://internal-minio-1234567890.eu-west-1.elb.amazonaws.com:9000/loki/",
    ),
    _s3(
        "MinIO behind a network load balancer of AWS",
        _S3UTILS + "elbAmazonRegex",
        endpoint="http://minio-0123456789abcdef.elb.eu-west-1.amazonaws.com",
        resolved=_PATH,
        first="GET http://minio-0123456789abcdef.elb.eu-west-1.amazonaws.com/loki/",
    ),
    _s3(
        "MinIO on a machine of AWS",
        _S3UTILS + "GetRegionFromURL",
        endpoint="http://ec2-198-51-100-1.eu-west-1.compute.amazonaws.com:9000",
        resolved=_PATH,
        first="GET http://ec2-198-51-100-1.eu-west-1.compute.amazonaws.com:9000/loki/",
    ),
    _s3(
        "MinIO by an endpoint service of AWS",
        _S3UTILS + "GetRegionFromURL",
        endpoint="https://vpce-1a2b-3c4d.vpce-svc-5e6f.eu-west-1.vpce.amazonaws.com",
        resolved=_PATH,
    ),
    _s3(
        "virtual hosts asked for at Ceph RGW",
        _OPERATOR + "renders no key; " + _S3UTILS + "IsVirtualHostSupported",
        "LK0142",
        endpoint="http://rgw.storage.svc:7480",
        forcepathstyle="false",
        resolved=_PATH,
        first="GET http://rgw.storage.svc:7480/loki/",
    ),
    _s3(
        "nothing said of the style at Ceph RGW",
        _S3UTILS + "IsVirtualHostSupported",
        endpoint="http://rgw.storage.svc:7480",
        resolved=_PATH,
        first="GET http://rgw.storage.svc:7480/loki/",
    ),
    _s3(
        "an empty switch",
        "read as if it were not there",
        "LK0109",
        endpoint="http://rgw.storage.svc:7480",
        forcepathstyle="",
        resolved=_PATH,
        first="GET http://rgw.storage.svc:7480/loki/",
    ),
    _s3(
        "a tenant's bucket at Ceph RGW",
        _S3UTILS + "CheckValidBucketName",
        endpoint="http://rgw.storage.svc:7480",
        bucketnames="team-a:loki",
        resolved={**_PATH, "buckets": ["team-a:loki"]},
        first="GET http://rgw.storage.svc:7480/team-a:loki/",
    ),
    _s3(
        "line breaks behind the pair, the bucket and the region",
        "YAML 1.2, 8.1.1.2",
        *("LK0121",) * 4,
        endpoint="http://minio.store:9000",
        bucketnames="loki\n",
        region="here\n",
        access_key_id=f"{KEY_ID}\n",
        access_key_secret=f"{KEY_SECRET}\r\n",
        resolved={"buckets": ["loki"], "region": "here"},
        first="GET http://minio.store:9000/loki/",
    ),
    _s3(
        "capitals and an underscore in an old name",
        _S3UTILS + "CheckValidBucketName",
        endpoint="http://minio.store:9000",
        bucketnames="Loki_Logs",
        resolved={"buckets": ["Loki_Logs"]},
        first="GET http://minio.store:9000/Loki_Logs/",
    ),
    _s3(
        "IPv6 of a store",
        "net/url: Parse",
        endpoint="http://[fd00::1]:9000",
        resolved={**_PATH, "endpointHost": "[fd00::1]:9000"},
        first="GET http://[fd00::1]:9000/loki/",
    ),
    _s3(
        "a slash behind the port",
        "minio-go utils.go: isValidEndpointURL",
        endpoint="http://minio.store:9000/",
        resolved={"endpointHost": "minio.store:9000"},
        first="GET http://minio.store:9000/loki/",
    ),
    _s3(
        "the old host of all regions",
        _API,
        "LK0108",
        endpoint="https://s3.amazonaws.com",
        region="eu-west-1",
        resolved=_VIRTUAL,
        first="loki.s3.dualstack.eu-west-1.amazonaws.com",
    ),
    _s3(
        "dual stack",
        _API,
        endpoint="https://s3.dualstack.eu-west-1.amazonaws.com",
        region="eu-west-1",
        resolved=_VIRTUAL,
        first="loki.s3.dualstack.eu-west-1.amazonaws.com",
    ),
    _s3(
        "FIPS with dual stack",
        _API,
        endpoint="https://s3-fips.dualstack.us-gov-west-1.amazonaws.com",
        region="us-gov-west-1",
        resolved=_VIRTUAL,
        first="loki.s3-fips.dualstack.us-gov-west-1.amazonaws.com",
    ),
    _s3(
        "the hyphen of old",
        _S3UTILS + "amazonS3HostHyphen",
        endpoint="https://s3-us-west-2.amazonaws.com",
        region="us-west-2",
        resolved=_VIRTUAL,
        first="loki.s3.dualstack.us-west-2.amazonaws.com",
    ),
    _s3(
        "a VPC endpoint",
        _S3UTILS + "amazonS3HostPrivateLink",
        endpoint="https://bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com",
        region="eu-west-1",
        resolved=_VIRTUAL,
        first="loki.bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com",
    ),
    _s3(
        "an access point by a VPC endpoint",
        _S3UTILS + "amazonS3HostPrivateLink",
        endpoint="https://accesspoint.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com",
        region="eu-west-1",
        bucketnames="loki-123456789012",
        resolved=_VIRTUAL,
        first="loki-123456789012.accesspoint.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com",
    ),
    _s3(
        "an access point's alias for a bucket",
        _S3UTILS + "CheckValidBucketName",
        endpoint="https://s3.eu-west-1.amazonaws.com",
        region="eu-west-1",
        bucketnames="loki-a1b2c3d4e5f6g7h8-s3alias",
        resolved=_VIRTUAL,
        first="loki-a1b2c3d4e5f6g7h8-s3alias.s3.dualstack.eu-west-1.amazonaws.com",
    ),
    _s3(
        "a dot in a bucket of AWS, which no certificate covers",
        _S3UTILS + "IsVirtualHostSupported",
        endpoint="https://s3.eu-west-1.amazonaws.com",
        region="eu-west-1",
        bucketnames="loki.logs",
        resolved=_PATH,
        first="s3.dualstack.eu-west-1.amazonaws.com",
    ),
    _s3(
        "China, in plain HTTP",
        _OPERATOR + "takes it; S3 answers",
        "LK0107",
        endpoint="http://s3.cn-north-1.amazonaws.com.cn",
        region="cn-north-1",
        resolved={**_PATH, "insecure": True},
        first="GET http://s3.dualstack.cn-north-1.amazonaws.com.cn/loki/",
    ),
    _s3(
        "a region of the intelligence community",
        _S3UTILS + "GetRegionFromURL",
        endpoint="https://s3.us-iso-east-1.c2s.ic.gov",
        region="us-iso-east-1",
        resolved=_PATH,
        first="s3.us-iso-east-1.c2s.ic.gov",
    ),
    _token("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov", "aws-sdk-go-v2 partitions.json"),
    _token("eusc-de-east-1", "aws-eusc", "amazonaws.eu", "aws-sdk-go-v2 partitions.json"),
    _s3(
        "an endpoint left over without its scheme",
        _OPERATOR + "reads none in mode token",
        "LK0107",
        region="eu-west-1",
        role_arn=_ROLE.format("aws"),
        endpoint="s3.amazonaws.com",
        resolved={"endpointHost": ""},
    ),
    _s3(
        "a MinIO left over beside a role of AWS",
        _OPERATOR + "reads none in mode token",
        "LK0141",
        region="eu-west-1",
        role_arn=_ROLE.format("aws"),
        endpoint="http://old-minio.store:9000",
        resolved={"endpointHost": "old-minio.store:9000"},
    ),
    *(
        _s3(f"{why}", source, endpoint=endpoint, region=region, resolved=style, first=first)
        for why, source, endpoint, region, style, first in (
            (
                "Cloudflare R2",
                _S3UTILS + "IsVirtualHostSupported",
                "https://0123456789abcdef.r2.cloudflarestorage.com",
                "auto",
                _PATH,
                "0123456789abcdef.r2.cloudflarestorage.com",
            ),
            (
                "Backblaze B2",
                _S3UTILS + "IsVirtualHostSupported",
                "https://s3.us-west-004.backblazeb2.com",
                "us-west-004",
                _PATH,
                "s3.us-west-004.backblazeb2.com",
            ),
            (
                "Wasabi, with a region of its own",
                _S3UTILS + "IsVirtualHostSupported",
                "https://s3.eu-central-1.wasabisys.com",
                "eu-central-1",
                _PATH,
                "s3.eu-central-1.wasabisys.com",
            ),
            (
                "DigitalOcean Spaces",
                _S3UTILS + "IsVirtualHostSupported",
                "https://fra1.digitaloceanspaces.com",
                "us-east-1",
                _PATH,
                "fra1.digitaloceanspaces.com",
            ),
            (
                "Scaleway",
                _S3UTILS + "IsVirtualHostSupported",
                "https://s3.fr-par.scw.cloud",
                "fr-par",
                _PATH,
                "s3.fr-par.scw.cloud",
            ),
            (
                "Oracle's namespace in the host",
                _S3UTILS + "IsVirtualHostSupported",
                "https://axaxnpcrorw5.compat.objectstorage.eu-frankfurt-1.oraclecloud.com",
                "eu-frankfurt-1",
                _PATH,
                "axaxnpcrorw5.compat.objectstorage.eu-frankfurt-1.oraclecloud.com",
            ),
            (
                "IBM, inside its network",
                _S3UTILS + "IsVirtualHostSupported",
                "https://s3.direct.eu-de.cloud-object-storage.appdomain.cloud",
                "eu-de",
                _PATH,
                "s3.direct.eu-de.cloud-object-storage.appdomain.cloud",
            ),
            (
                "Google by HMAC keys",
                _OPERATOR + "asks for paths there",
                "https://storage.googleapis.com",
                "auto",
                _PATH,
                "storage.googleapis.com",
            ),
            (
                "Alibaba Cloud by S3's protocol",
                _S3UTILS + "IsAliyunOSSEndpoint",
                "https://s3.oss-cn-hangzhou.aliyuncs.com",
                "oss-cn-hangzhou",
                _VIRTUAL,
                "loki.s3.oss-cn-hangzhou.aliyuncs.com",
            ),
        )
    ),
)
_REFUSES = "azidentity azidentity.go: validTenantID"
_HELPERS = "grafana/objstore providers/azure/helpers.go"
_GOOGLE = "x/oauth2 google/google.go"
_ACCOUNTS = "x/oauth2 google/externalaccount/basecredentials.go"
ELSEWHERE = (
    _other(
        "azure",
        "a tenant named by a domain",
        _REFUSES,
        {**_FEDERATED, "tenant_id": "contoso.onmicrosoft.com"},
        workloadIdentity=True,
        first="login.microsoftonline.com",
    ),
    _other(
        "azure",
        "a subscription that is no GUID",
        "azidentity workload_identity.go: never read",
        {**_FEDERATED, "subscription_id": "production"},
        "LK0114",
        workloadIdentity=True,
        first="login.microsoftonline.com",
    ),
    _other(
        "azure",
        "Azure's government, named by the suffix alone",
        _HELPERS,
        {**{k: v for k, v in _SHARED.items() if k != "environment"}}
        | {"endpoint_suffix": "blob.core.usgovcloudapi.net"},
        endpointSuffix="blob.core.usgovcloudapi.net",
    ),
    _other(
        "azure",
        "Azure in China",
        _HELPERS,
        {**_FEDERATED, "environment": "AzureChinaCloud"},
        endpointSuffix="blob.core.chinacloudapi.cn",
    ),
    _other(
        "azure",
        "an account in a DNS zone of its own",
        _HELPERS,
        {**_SHARED, "endpoint_suffix": "z34.blob.storage.azure.net"},
        endpointSuffix="z34.blob.storage.azure.net",
    ),
    _other(
        "azure",
        "an Azure Stack",
        _HELPERS,
        {**_SHARED, "endpoint_suffix": "blob.local.azurestack.external"},
        "LK0112",
        endpointSuffix="blob.local.azurestack.external",
    ),
    _other(
        "azure",
        "line breaks behind account, key and container",
        "YAML 1.2, 8.1.1.2",
        {**_SHARED, "account_name": "logs\n", "container": "loki\n"}
        | {"account_key": f"{_SHARED['account_key']}\n"},
        *("LK0121",) * 3,
        container="loki",
    ),
    _other(
        "azure",
        "logs of the account itself",
        _HELPERS,
        {**_SHARED, "container": "$logs"},
        container="$logs",
    ),
    _gcs("a key without token_uri", _GOOGLE, {**_KEY, "token_uri": None}, "LK0117"),
    _gcs("a key without its id", _GOOGLE, {**_KEY, "private_key_id": ""}, "LK0117"),
    _gcs("a person's login", _GOOGLE, {"type": "authorized_user"}, "LK0117"),
    *(
        _gcs(
            f"an exchange at {url or 'its own address'}",
            _ACCOUNTS,
            {**_EXCHANGE, "token_url": url},
            audience=PROVIDER,
            first=(url or "https://sts.googleapis.com/").split("/")[2],
        )
        for url in (
            None,
            "https://sts-psc.p.googleapis.com/v1/token",
            "https://us-east1-sts.googleapis.com/v1/token",
            "https://sts.us-east1.rep.googleapis.com/v1/token",
            "https://sts.mtls.googleapis.com/v1/token",
        )
    ),
    _gcs(
        "an exchange at a proxy of one's own",
        _ACCOUNTS,
        {**_EXCHANGE, "token_url": "https://sts.proxy.example.com/v1/token"},
        "LK0117",
        audience=PROVIDER,
        first="sts.proxy.example.com",
    ),
    _gcs(
        "impersonation at a private address",
        _ACCOUNTS,
        {
            **_EXCHANGE,
            "service_account_impersonation_url": "https://iamcredentials-psc.p.googleapis.com"
            f"{_ACCOUNT}:generateAccessToken",
        },
        audience=PROVIDER,
    ),
    _gcs(
        "a cluster of a fleet",
        _ACCOUNTS,
        {
            **_EXCHANGE,
            "audience": "identitynamespace:my-project.svc.id.goog:https://gkehub.googleapis.com/"
            "projects/my-project/locations/global/memberships/my-cluster",
        },
        audience="my-project.svc.id.goog",
        first="sts.googleapis.com",
    ),
    _other(
        "swift",
        "a path before Keystone's version",
        "ncw/swift auth.go: newAuth",
        {**_SWIFT, "auth_url": "https://cloud.example.com/identity/v3/"},
        authUrl="https://cloud.example.com/identity/v3",
    ),
    _other(
        "swift",
        "Keystone by a name with a dot at its end",
        "ncw/swift auth_v3.go: Request",
        {**_SWIFT, "auth_url": "http://keystone.openstack.svc.cluster.local.:5000/v3"},
        authUrl="http://keystone.openstack.svc.cluster.local.:5000/v3",
    ),
    _other(
        "swift",
        "blanks in a container's name and letters of any alphabet",
        "ncw/swift swift.go: Call",
        {**_SWIFT, "container_name": "Protokolle für Loki", "project_name": "Ünique"},
        container="Protokolle für Loki",
    ),
    _other(
        "swift",
        "a line break behind the password",
        "YAML 1.2, 8.1.1.2",
        {**_SWIFT, "password": "secret enough\n"},
        "LK0121",
    ),
    _other(
        "alibabacloud",
        "an endpoint inside the cloud",
        "aliyun-oss-go-sdk oss/conn.go: InitExt",
        {**_OSS, "endpoint": "http://oss-cn-hangzhou-internal.aliyuncs.com"},
        endpoint="http://oss-cn-hangzhou-internal.aliyuncs.com",
    ),
    _other(
        "alibabacloud",
        "a path, which the client leaves out",
        "aliyun-oss-go-sdk oss/conn.go: InitExt",
        {**_OSS, "endpoint": "https://oss-cn-hangzhou.aliyuncs.com/loki"},
        "LK0107",
        bucket="loki",
    ),
    _other(
        "alibabacloud",
        "a line break behind the secret key",
        "YAML 1.2, 8.1.1.2",
        {**_OSS, "secret_access_key": f"{KEY_SECRET[:30]}\n"},
        "LK0121",
        bucket="loki",
    ),
)
UNUSUAL = (*AT_S3, *ELSEWHERE)
