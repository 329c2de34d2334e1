# SPDX-License-Identifier: Apache-2.0
"""What is known of a stack: from options, from its Secret, and what is said of what lacks."""

import json
from typing import Any

import pytest

from lokeys.core.place import Ref
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.trust.answers import Answers, Unfit, answers_of, used_keys
from lokeys.core.trust.aws.needs import AwsNeeds, aws_needs
from lokeys.core.trust.azure.needs import azure_needs
from lokeys.core.trust.clouds import needs_of, prerequisites
from lokeys.core.trust.gcp.needs import account_for, gcp_needs
from lokeys.core.trust.printed.hcl import HclBlock, hcl
from lokeys.core.trust.printed.report import script
from lokeys.core.trust.printed.shell import Prerequisites
from manifests.lokistack import CANARY, STORES
from trust.asked import CLOUDS, STACK, aws, given, printed


def secret(data: dict[str, str]) -> SecretData:
    values = {key: Sensitive(text.encode()) for key, text in data.items()}
    return SecretData(ref=Ref("Secret", "s", "n"), values=values, keys=frozenset(values))


@pytest.mark.parametrize("name", [name for name, each in STORES.items() if each.type != "swift"])
def test_of_a_secret_only_what_is_none_is_used(name: str) -> None:
    """Names and ids come out; keys never do, whatever the store and the mode."""
    store = STORES[name]
    answers = answers_of(store.type, secret(dict(store.data)))
    assert CANARY not in json.dumps(answers)
    cloud = {"s3": "aws", "azure": "azure", "gcs": "gcp"}.get(store.type)
    if cloud is None:
        assert answers == {}
        return
    assert answers
    asked = Answers(given={**CLOUDS[cloud], **STACK, **answers, "secret": "s", "mode": store.mode})
    found = prerequisites(needs_of(cloud, asked), asked)
    said = "\n".join(line for line, _ in script(found)) + found.terraform
    assert CANARY not in said
    for key in ("access_key", "account_key", "private_key"):
        assert key not in said


def test_googles_file_tells_its_names() -> None:
    """Pool, provider, service account and project; of a key only the project."""
    file = json.loads(STORES["gcs-token"].data["key.json"])
    answers = answers_of("gcs", secret({"key.json": json.dumps(file)}))
    assert answers == {
        "--project": "my-project",
        "--project-number": "123456789",
        "--pool": "pool",
        "--provider": "prov",
        "--service-account": "loki@my-project.iam.gserviceaccount.com",
    }
    file["service_account_impersonation_url"] = (
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        "1-compute@developer.gserviceaccount.com:generateAccessToken"
    )
    other = answers_of("gcs", secret({"key.json": json.dumps(file)}))
    assert other["--service-account"] == "1-compute@developer.gserviceaccount.com"
    assert "--project" not in other
    assert answers_of("gcs", secret({"key.json": "no"})) == {}
    assert used_keys("gcs") == {"bucketname", "audience", "key.json"}
    assert used_keys("swift") == frozenset()


def test_a_tokens_secret_is_made_anew_and_a_static_one_left() -> None:
    """The old one stays for the way back; the stack is pointed at the new one."""

    def last(answers: dict[str, str]) -> list[str]:
        return [step.line for step in printed("aws", {**given("aws"), **answers})[1].commands][2:]

    static = last({"mode": "static", "secret": "old", "present": "yes"})
    assert "create secret generic old-token" in static[0]
    assert '"name":"old-token","credentialMode":"token"' in static[1]
    (token,) = last({"mode": "token", "secret": "old", "present": "yes"})
    assert "create secret generic old " in token
    assert token.endswith("replace --filename=-")
    (fresh,) = last({})
    assert "create secret generic my-stack-storage" in fresh
    (named,) = last({"--secret-name": "mine", "mode": "static", "secret": "mine", "present": "yes"})
    assert "create secret generic mine " in named
    assert named.endswith("replace --filename=-")


def test_what_lacks_is_asked_for_once_and_stands_in_what_is_printed() -> None:
    """By its option, with the command that tells it where there is one."""
    needs, found = printed("aws", {"--name": "my-stack"})
    assert [each.option for each in found.missing] == [
        "--region",
        "--account-id",
        "--issuer",
        "--namespace",
        "--bucket",
    ]
    assert "ACCOUNT_ID" in found.documents[0].text
    assert "stands for the bucket; give --bucket" in "\n".join(text for text, _ in script(found))
    assert needs.stack.name == "my-stack"


ELSEWHERE = {"endpoint": "http://rgw.storage", "account_id": ""}
BAD: list[tuple[str, dict[str, str], str]] = [
    ("aws", {"bucket": "a bucket"}, "--bucket"),
    ("aws", {"bucket": "x;rm"}, "--bucket"),
    ("aws", {"bucket": "team:logs"}, "--bucket"),
    ("aws", {**ELSEWHERE, "bucket": "team:logs,other:logs"}, "--bucket"),
    ("aws", {**ELSEWHERE, "bucket": "team:logs", "account_id": "other"}, "--bucket"),
    ("aws", {"region": "Europe"}, "--region"),
    ("aws", {"account_id": "12"}, "--account-id"),
    ("aws", {"role_name": "a/b"}, "--role-name"),
    ("aws", {"partition": "azure"}, "--partition"),
    ("aws", {"issuer": "oidc.example.com"}, "--issuer"),
    ("aws", {"issuer": "http://oidc.example.com"}, "--issuer"),
    ("aws", {"issuer": "https://a b"}, "--issuer"),
    ("aws", {"endpoint": "ftp://x"}, "--endpoint"),
    ("aws", {"kms_key": "a b"}, "--kms-key"),
    ("aws", {"name": "My_Stack"}, "--name"),
    ("aws", {"namespace": "a.b"}, "--namespace"),
    ("aws", {"secret_name": "A"}, "--secret-name"),
    ("aws", {"audience": "two words"}, "--audience"),
    ("azure", {"subscription": "mine"}, "--subscription"),
    ("azure", {"cloud": "AzureMoon"}, "--cloud"),
    ("azure", {"container": "A"}, "--container"),
    ("azure", {"resource_group": "x."}, "--resource-group"),
    ("gcp", {"pool": "gcp-mine"}, "--pool"),
    ("gcp", {"project_number": "my-project"}, "--project-number"),
    ("gcp", {"service_account": "x"}, "--service-account"),
    ("gcp", {"issuer": "http://x.example"}, "--issuer"),
]


@pytest.mark.parametrize(("cloud", "answers", "option"), BAD)
def test_an_answer_that_cannot_be_one_is_refused(
    cloud: str, answers: dict[str, str], option: str
) -> None:
    """Named by its option, with what is expected; nothing that a shell would obey gets through."""
    with pytest.raises(Unfit, match="expected") as raised:
        needs_of(cloud, Answers(given=given(cloud, **answers)))
    assert raised.value.option == option


def test_the_partition_follows_the_role_then_the_region() -> None:
    """Unless an option says it."""
    assert aws(region="us-gov-west-1").partition == "aws-us-gov"
    assert aws(region="us-gov-west-1", partition="aws").partition == "aws"
    said = {**given("aws", account_id=""), "role_arn": "arn:aws-cn:iam::210987654321:role/a/b/loki"}
    needs = aws_needs(Answers(given=said))
    assert needs.role_arn == "arn:aws-cn:iam::210987654321:role/a/b/loki"
    other = aws_needs(Answers(given={**said, "--role-name": "mine"}))
    assert other.role_arn == "arn:aws-cn:iam::210987654321:role/mine"
    strange = {**said, "role_arn": "arn:aws:iam::12:role/loki"}
    asked = Answers(given=strange)
    assert "ACCOUNT_ID" in aws_needs(asked).role_arn


VPC = "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"


@pytest.mark.parametrize(
    "endpoint",
    [
        VPC,
        "https://s3-fips.eu-west-1.amazonaws.com",
        "https://s3.dualstack.eu-west-1.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com",
    ],
)
def test_an_endpoint_of_aws_is_kept_and_is_no_other_store(endpoint: str) -> None:
    """The region alone says nothing of VPC, FIPS or dual-stack: the Secret keeps the endpoint."""
    needs, found = printed("aws", given("aws", endpoint=endpoint))
    assert isinstance(needs, AwsNeeds)
    assert not needs.elsewhere
    assert f"--from-literal=endpoint={endpoint}" in found.commands[-1].line
    assert "--endpoint-url" not in " ".join(command.line for command in found.commands)
    assert "forcepathstyle" not in found.commands[-1].line


@pytest.mark.parametrize(
    ("said", "kept"), [("", "true"), ("true", "true"), ("false", "false")], ids=repr
)
def test_how_a_bucket_is_addressed_is_kept(said: str, kept: str) -> None:
    """Of a store of one's own: path style, unless the Secret has said that it has virtual hosts."""
    answers = {**given("aws", endpoint="https://s3.example"), "forcepathstyle": said}
    _, found = printed("aws", answers)
    assert f"--from-literal=forcepathstyle={kept}" in found.commands[-1].line


def test_a_token_exchange_of_aws_in_a_vpc_is_kept() -> None:
    """Nor does it say where tokens are exchanged."""
    sts = "https://vpce-1-x.sts.eu-west-1.vpce.amazonaws.com"
    needs, found = printed("aws", given("aws", endpoint=VPC, sts_endpoint=sts))
    assert isinstance(needs, AwsNeeds)
    assert not needs.elsewhere
    line = found.commands[-1].line
    assert f"--from-literal=sts_endpoint={sts}" in line
    assert f"--from-literal=endpoint={VPC}" in line


@pytest.mark.parametrize("option", ["endpoint", "sts_endpoint"])
def test_aws_takes_no_plain_http(option: str) -> None:
    """A key or a token would cross the network in clear; a store of one's own may be asked so."""
    with pytest.raises(Unfit, match="https"):
        aws(**{option: "http://s3.eu-west-1.amazonaws.com"})
    assert aws(**{option: "http://rgw.storage"}).elsewhere


def test_googles_provider_is_not_invented() -> None:
    """One that is there is called as somebody called it; one that is made, as its pool."""
    asked = Answers(given=given("gcp", provider=""))
    assert gcp_needs(asked).provider == "PROVIDER"
    (missing,) = asked.missing
    assert (missing.option, "--workload-identity-pool=cluster" in str(missing.command)) == (
        "--provider",
        True,
    )
    made = Answers(given=given("gcp", provider="", create_provider="yes"))
    assert gcp_needs(made).provider == "cluster"
    assert made.missing == []


def test_azures_clouds_have_audiences_of_their_own() -> None:
    """A Secret that serves tokens already decides: without a word the default."""
    said = {**given("azure"), "environment": "AzureChinaCloud"}
    assert azure_needs(Answers(given=said)).stack.audience == "api://AzureADTokenExchangeChina"
    present = azure_needs(Answers(given={**said, "mode": "token"}))
    assert present.stack.audience == "api://AzureADTokenExchange"
    suffix = azure_needs(
        Answers(given={**given("azure"), "endpoint_suffix": "blob.core.usgovcloudapi.net"})
    )
    assert suffix.environment == "AzureUSGovernment"


def test_googles_names_are_fitted() -> None:
    """A service account of 6 to 30 characters; domain-scoped projects turn round."""
    assert account_for("a") == "loki-a"
    assert len(account_for("a" * 60)) == 30
    assert account_for("x" * 24 + ".y") == "loki-" + "x" * 24
    there = "loki@elsewhere.iam.gserviceaccount.com"
    assert gcp_needs(Answers(given=given("gcp", service_account=there))).email == there
    needs = gcp_needs(Answers(given=given("gcp", project="example.com:logs-1")))
    assert needs.email.endswith("@logs-1.example.com.iam.gserviceaccount.com")


def test_an_empty_file_of_terraform_is_one() -> None:
    """Blocks without anything in them; no comment where nothing follows."""
    assert hcl([HclBlock("features", (), ())]) == "features {\n}\n"
    assert hcl([HclBlock("a", ("b",), (("c", True),))]) == 'a "b" {\n  c = true\n}\n'


def names(found: Prerequisites) -> list[Any]:
    return [each.name for each in found.documents]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_prints_documents(cloud: str) -> None:
    """Two for AWS and Azure, four for Google."""
    assert len(names(printed(cloud, given(cloud))[1])) == {"aws": 2, "azure": 2, "gcp": 4}[cloud]
