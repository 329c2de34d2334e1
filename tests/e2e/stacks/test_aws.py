# SPDX-License-Identifier: Apache-2.0
"""AWS by its own names: `examples/aws-sts` as it stands, with the real Loki.

Ceph's RGW stands in for S3 and STS: it checks tokens, trust policy and rights as AWS does. Account
123456789012 is one of its tenants.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.stacks.conftest import MakeStack
from e2e.stacks.travel import travel
from parts.clouds.front import Front, passed_to
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw
from parts.rgw_iam import Iam

EXAMPLE = Path(__file__).parents[3] / "examples" / "aws-sts" / "secret.yaml"
ACCOUNT, ROLE, BUCKET = "123456789012", "loki-logs", "example-loki-logs"
AUDIENCE = "sts.amazonaws.com"
STS, S3 = "sts.eu-central-1.amazonaws.com", "s3.dualstack.eu-central-1.amazonaws.com"


@pytest.fixture
def front(rgw_as_aws: Rgw, kubelet: Kubelet, tmp_path: Path) -> Iterator[Front]:
    """Lead AWS's names to RGW; whoever exchanges a token signs nothing, also not the name."""
    endpoint = rgw_as_aws.endpoint
    inner = passed_to(endpoint, host=endpoint.partition("://")[2])
    names = {STS: inner, S3: passed_to(endpoint), f"*.{S3}": passed_to(endpoint)}
    made = Front(kubelet.address, names, tmp_path)
    kubelet.lead([STS, S3, f"{BUCKET}.{S3}"], made.address, trusting=made.ca_file)
    yield made
    made.close()


def test_aws_with_a_token(
    make_stack: MakeStack, rgw_as_aws: Rgw, kubernetes: Kubernetes, front: Front
) -> None:
    """Region, role and bucket are all that is said: STS and S3 are found by them."""
    owner = rgw_as_aws.create_user(
        "owner", f"--tenant={ACCOUNT}", "--caps=roles=*;oidc-provider=*;user-policy=*"
    )
    stack = make_stack(in_one=True, rgw=rgw_as_aws, pair=owner)
    stack.make_bucket(BUCKET)
    iam = Iam(rgw_as_aws, tenant=ACCOUNT, pair=owner)
    iam.trust(kubernetes.issuer.url, AUDIENCE)
    stack.secret = yaml.safe_load(EXAMPLE.read_text())["stringData"]
    assert stack.secret["role_arn"] == iam.make_role(
        ROLE,
        issuer=kubernetes.issuer.url,
        audience=AUDIENCE,
        subjects=[f"system:serviceaccount:{stack.namespace}:{stack.name}"],
        buckets=[BUCKET],
    )
    travel(stack, "without a key")
    hosts = {line.split()[0] for line in front.seen}
    assert hosts == {STS, f"{BUCKET}.{S3}"}
