# SPDX-License-Identifier: Apache-2.0
"""What findings print for the clouds' tools, held to what these take, and run where they can be.

`aws` runs against moto: as botocore's calls, and as AWS's own program where it is installed. `az`
and `gcloud` can be led to no stand-in: their lines are held to their reference pages.
"""

import json
import shutil

import pytest

from lokeys.core.findings.rules import RULES
from parts.moto_iam import MotoIam
from trust.grammar import check
from trust.tools import Shell, aws_shell

TOOLS = ("aws", "az", "gcloud")
LINES = sorted(
    {
        str(remedy.command).replace("{{", "{").replace("}}", "}")
        for rule in RULES.values()
        for remedy in rule.remedy
        if str(remedy.command).split(" ")[0] in TOOLS
    }
)
OWN = shutil.which("aws")
ISSUER, ROLE = "https://issuer.example/cluster", "loki"


@pytest.mark.parametrize("line", LINES)
def test_a_clouds_tool_takes_what_is_printed(line: str) -> None:
    """Its command, its flags, and what each must say."""
    check(line)


def test_every_cloud_is_among_them() -> None:
    """Lines that were printed in another way would be held to nothing."""
    assert {line.split(" ")[0] for line in LINES} == {*TOOLS}


@pytest.fixture(scope="module", params=["botocore", "aws"] if OWN else ["botocore"])
def shell(
    request: pytest.FixtureRequest, moto_iam: MotoIam, tmp_path_factory: pytest.TempPathFactory
) -> Shell:
    """Make a shell of the administrator's, in an account that has a provider and a role."""
    made = aws_shell(
        tmp_path_factory.mktemp("shell"),
        {
            **moto_iam.administrator,
            "AWS_ENDPOINT_URL": moto_iam.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        },
    )
    if request.param == "aws" and OWN:
        link = made.folder / "programs" / "aws"
        link.unlink()
        link.symlink_to(OWN)
    return made


@pytest.fixture(scope="module")
def provider(moto_iam: MotoIam) -> str:
    """Make the provider and the role of which findings speak; return the provider's ARN."""
    iam = moto_iam.client()
    made = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    arn: str = made["OpenIDConnectProviderArn"]
    return arn


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("aws ")])
def test_aws_answers_what_is_printed(line: str, shell: Shell, provider: str) -> None:
    """With the names of this account in the place of those that stand for any."""
    done = shell.run(line.replace(" ARN", f" {provider}").replace(" ROLE", f" {ROLE}"))
    assert done.returncode == 0, done.stderr
    assert provider in done.stdout or "sts.amazonaws.com" in done.stdout or ROLE in done.stdout
