# SPDX-License-Identifier: Apache-2.0
"""`iam aws --check` at AWS's own IAM, as moto plays it: what Ceph's does not have.

Policies come encoded as in a URL; a role's rights may be managed policies with versions, attached
over more than one page; whoever asks is let in by signature and rights.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from parts.moto_iam import MotoIam
from trust.live import what_lacks_is_found, who_may_not_ask_is_told
from trust.tools import Shell, aws_shell

ACCOUNT = "123456789012"
STS = "sts.amazonaws.com"


def words(name: str) -> str:
    """Return the options of a stack in a cluster of its own: the tests share the account."""
    return (
        f"-n logging --bucket loki --region eu-central-1 --account-id {ACCOUNT} "
        f"--issuer https://oidc.example.com/id/{name}"
    )


@pytest.fixture(scope="module")
def tools(moto_iam: MotoIam, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Return a shell of the account's administrator."""
    at = {"AWS_ENDPOINT_URL_IAM": moto_iam.endpoint}
    return aws_shell(tmp_path_factory.mktemp("aws"), {**moto_iam.administrator, **at})


def check(tools: Shell, name: str) -> tuple[int, str]:
    done = tools.run(f"lokeys iam aws --name {name} {words(name)} --check")
    return done.returncode, done.stdout + done.stderr


def documents(tools: Shell, name: str) -> tuple[str, str]:
    """Return the trust policy and the storage policy that lokeys prints for a stack."""
    printed: dict[str, Any] = json.loads(
        tools.run(f"lokeys iam aws --name {name} {words(name)} -o json").stdout
    )
    trust, storage = (json.dumps(each["content"]) for each in printed["documents"])
    return trust, storage


def test_what_lacks_is_found(tools: Shell) -> None:
    """As at Ceph's IAM, provider and all: what is printed suits, and each change is told."""
    what_lacks_is_found(tools, f"{words('frail')} --create-provider", at="")


def test_a_managed_policy_counts_in_the_version_that_is_its_default(
    tools: Shell, moto_iam: MotoIam
) -> None:
    """On the second page of what is attached, beside an inline policy; another version does not."""
    trust, storage = documents(tools, "managed")
    iam, role = moto_iam.client(), {"RoleName": "loki-managed"}
    issuer = "https://oidc.example.com/id/managed"
    iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[STS], ThumbprintList=["0" * 40])
    iam.create_role(**role, AssumeRolePolicyDocument=trust)
    other = storage.replace("arn:aws:s3:::loki", "arn:aws:s3:::other")
    iam.put_role_policy(**role, PolicyName="another bucket", PolicyDocument=other)
    for number in range(100):
        made = iam.create_policy(PolicyName=f"a{number:03}", PolicyDocument=other)
        iam.attach_role_policy(**role, PolicyArn=made["Policy"]["Arn"])
    arn = iam.create_policy(PolicyName="z", PolicyDocument=other)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=storage, SetAsDefault=True)
    iam.attach_role_policy(**role, PolicyArn=arn)
    page = iam.list_attached_role_policies(**role)
    assert page["IsTruncated"]
    assert arn not in [each["PolicyArn"] for each in page["AttachedPolicies"]]

    code, said = check(tools, "managed")
    assert code == 0, said
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    code, said = check(tools, "managed")
    assert code == 3, said
    assert "LK0707" in said


def test_the_issuers_provider_is_asked_for_its_audiences(tools: Shell, moto_iam: MotoIam) -> None:
    """One that knows another audience only is told, though the role itself suits."""
    done = tools.run(f"lokeys iam aws --name heard {words('heard')} --create-provider -o json")
    made = [
        each["command"].replace(f"--client-id-list {STS}", "--client-id-list other")
        for each in json.loads(done.stdout)["commands"]
        if not each["command"].startswith("kubectl")
    ]
    typed = tools.run("\n".join(made))
    assert typed.returncode == 0, typed.stderr
    code, said = check(tools, "heard")
    assert code == 3, said
    assert "LK0702" in said


def test_who_may_not_ask_is_told(tools: Shell, moto_iam: MotoIam) -> None:
    """A user without rights, and one whose secret key is another's."""
    nobody = moto_iam.make_user("nobody")
    who_may_not_ask_is_told(tools, nobody, f"--name any {words('any')}")
    wrong = {**nobody, "AWS_SECRET_ACCESS_KEY": "c4nary-secret"}
    shell = Shell(folder=tools.folder, environment={**tools.environment, **wrong})
    code, said = check(shell, "any")
    assert code == 5, said
    assert "credentials it was asked with are refused (SignatureDoesNotMatch)" in said
    assert "c4nary" not in said


def test_half_a_right_is_told_too(tools: Shell, moto_iam: MotoIam, tmp_path: Path) -> None:
    """Who may read the role, but not its policies, learns what was seen and what lacks."""
    trust, _ = documents(tools, "half")
    moto_iam.client().create_role(RoleName="loki-half", AssumeRolePolicyDocument=trust)
    allowed = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    half = moto_iam.make_user("half", {"Version": "2012-10-17", "Statement": [allowed]})
    shell = Shell(folder=tmp_path, environment={**tools.environment, **half})
    code, said = check(shell, "half")
    assert code == 5, said
    assert "grant iam:ListRolePolicies" in said
