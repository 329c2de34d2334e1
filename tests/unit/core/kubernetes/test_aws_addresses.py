# SPDX-License-Identifier: Apache-2.0
"""What AWS's hosts, regions and ARNs say."""

import pytest

from lokeys.core.kubernetes import aws_addresses
from lokeys.core.kubernetes.aws_addresses import NoAwsEndpoint


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.amazonaws.com", "us-east-1"),
        ("s3-external-1.amazonaws.com", "us-east-1"),
        ("s3-us-west-2.amazonaws.com", "us-west-2"),
        ("s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3.dualstack.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("s3.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("s3.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("s3.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-1a2b.s3.cn-north-1.vpce.amazonaws.com.cn", "cn-north-1"),
        ("accesspoint.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ],
)
def test_a_host_of_s3_tells_its_region(host: str, region: str) -> None:
    """In every partition, by FIPS, dual-stack and VPC endpoints, and by the old names."""
    assert aws_addresses.is_aws(host)
    assert aws_addresses.aws_region_of(host) == region
    assert host.endswith(aws_addresses.domain_of(region))


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("minio.example.com", "not AWS's"),
        ("loki.s3.eu-west-1.amazonaws.com", "bucket's name"),
        ("loki.s3.amazonaws.com", "bucket's name"),
        ("vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com", "bucket.vpce-"),
        ("control.vpce-1.s3.eu-west-1.vpce.amazonaws.com", "bucket.vpce-"),
        ("sts.eu-west-1.amazonaws.com", "not S3's"),
        ("amazonaws.com", "not S3's"),
        ("s3.europe.amazonaws.com", "no region"),
        ("s3.cn-north-1.amazonaws.com", "another partition"),
        ("s3.eu-west-1.amazonaws.com.cn", "another partition"),
    ],
)
def test_another_host_says_why_it_is_none(host: str, why: str) -> None:
    """The bucket's own host, another service, another partition, no AWS at all."""
    with pytest.raises(NoAwsEndpoint, match=why):
        aws_addresses.aws_region_of(host)


@pytest.mark.parametrize(
    "host",
    [
        "internal-minio-1234567890.eu-west-1.elb.amazonaws.com",
        "minio-0123456789abcdef.elb.eu-west-1.amazonaws.com",
        "minio-0123456789abcdef.elb.cn-north-1.amazonaws.com.cn",
        "s3-gateway-1234567890.us-east-1.elb.amazonaws.com",
        "ec2-198-51-100-1.compute-1.amazonaws.com",
        "ec2-198-51-100-1.eu-west-1.compute.amazonaws.com",
        "vpce-1a2b-3c4d.vpce-svc-5e6f.eu-west-1.vpce.amazonaws.com",
        "abcdef.execute-api.eu-west-1.amazonaws.com",
        "example.com",
    ],
)
def test_a_store_of_ones_own_may_be_in_awss_domain(host: str) -> None:
    """Behind a balancer, on a machine, by an endpoint service: only AWS's services are AWS."""
    assert not aws_addresses.is_aws(host)


@pytest.mark.parametrize(
    ("arn", "has_account", "is_aws"),
    [
        ("arn:aws:iam::123456789012:role/loki", True, True),
        ("arn:aws-cn:iam::123456789012:role/path/loki", True, True),
        ("arn:aws-us-gov:iam::123456789012:role/loki", True, True),
        ("arn:aws:iam:::role/loki", False, True),
        ("arn:aws:iam::tenant:role/loki", False, True),
        ("arn:minio:iam:::role/abc", False, False),
    ],
)
def test_a_role_is_read_out_of_its_arn(arn: str, has_account: bool, is_aws: bool) -> None:
    """Partition and account are told apart; RGW's and MinIO's have no account id."""
    role = aws_addresses.role_arn(arn)
    assert role is not None
    assert (role.has_account_id, role.is_aws) == (has_account, is_aws)


@pytest.mark.parametrize(
    "arn", ["", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::123456789012:role/", "role/x"]
)
def test_another_arn_is_no_role(arn: str) -> None:
    """Users, policies and bare names are refused."""
    assert aws_addresses.role_arn(arn) is None
