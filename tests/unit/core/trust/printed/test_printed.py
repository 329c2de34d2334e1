# SPDX-License-Identifier: Apache-2.0
"""What `iam` prints runs as printed: commands by their tools' grammar, documents, Terraform."""

import json
import re
import subprocess
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings

from lokeys.core.text.shell import Command, Var
from lokeys.core.trust.clouds import STORES
from lokeys.core.trust.printed.report import iam_report, script
from lokeys.core.trust.printed.shell import Prerequisites, PrintedStep
from trust.asked import CLOUDS, RGW, STACK, given, printed, stacks
from trust.grammar import Wrong, check
from trust.terraform import NotTerraform, checked

_KMS = {"--kms-key": "alias/loki", "sse_kms_encryption_context": "yes", "secret": "old"}
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "aws": ("aws", given("aws")),
    "aws, nothing known": ("aws", {"--name": "my-stack"}),
    "aws, with its provider": ("aws", given("aws", create_provider="yes")),
    "aws in China": ("aws", given("aws", region="cn-north-1", create_provider="yes")),
    "aws for the US government": ("aws", given("aws", region="us-gov-west-1")),
    "aws, a role with a path": (
        "aws",
        {**given("aws"), "role_arn": "arn:aws:iam::123456789012:role/team/a/loki"},
    ),
    "aws, a KMS key": ("aws", {**given("aws"), **_KMS}),
    "aws, from a static Secret": (
        "aws",
        {**given("aws"), "mode": "static", "secret": "loki-s3", "present": "yes"},
    ),
    "aws, from a token Secret": (
        "aws",
        {**given("aws"), "mode": "token", "secret": "loki-s3", "present": "yes"},
    ),
    "rgw": ("aws", {**STACK, **RGW}),
    "rgw, with its provider": (
        "aws",
        {**STACK, **RGW, "--create-provider": "yes", "--sts-endpoint": "https://sts.storage"},
    ),
    "azure": ("azure", given("azure")),
    "azure, nothing known": ("azure", {"--name": "my-stack"}),
    "azure in China": ("azure", given("azure", cloud="AzureChinaCloud", location="chinaeast2")),
    "azure in Germany": ("azure", {**given("azure"), "endpoint_suffix": "blob.core.cloudapi.de"}),
    "gcp": ("gcp", given("gcp")),
    "gcp, with an account that is there": (
        "gcp",
        given("gcp", service_account="loki@my-project.iam.gserviceaccount.com"),
    ),
    "gcp, nothing known": ("gcp", {"--name": "my-stack"}),
    "gcp, with pool and provider": (
        "gcp",
        given("gcp", create_provider="yes", project="example.com:loki-logs"),
    ),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def prerequisites(request: pytest.FixtureRequest) -> Prerequisites:
    cloud, answers = request.param
    return printed(cloud, answers)[1]


def test_each_command_is_one_that_its_tool_takes(prerequisites: Prerequisites) -> None:
    """Subcommand, required flags, no flag twice, no variable that nobody has set."""
    known: set[str] = set()
    for command in prerequisites.commands:
        sets = check(command.line, known)
        assert command.sets == (sets or "")
        known |= {sets} if sets else set()
    for missing in prerequisites.missing:
        assert not missing.command or not check(str(missing.command))


def test_the_script_is_a_script_and_writes_the_documents(
    prerequisites: Prerequisites, tmp_path: Any
) -> None:
    """Bash reads it all; what stands in its files is the JSON that was meant."""
    text = "\n".join(line for line, _ in script(prerequisites))
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    only = "\n".join(step.line for step in prerequisites.steps if not isinstance(step, PrintedStep))
    subprocess.run(["bash", "-eu"], input=only, text=True, check=True, cwd=tmp_path)
    for step in prerequisites.steps:
        if not isinstance(step, PrintedStep):
            assert json.loads((tmp_path / step.name).read_text()) == step.content


def test_terraform_reads_what_is_printed(prerequisites: Prerequisites) -> None:
    """Each block as its provider documents it; the policies in them are the documents."""
    checked(prerequisites.terraform)
    encoded = re.findall(r"jsonencode\((\{.*?\n  \})\)", prerequisites.terraform, re.DOTALL)
    policies = [json.loads(text.replace("$${", "${").replace("%%{", "%{")) for text in encoded]
    if prerequisites.cloud == "aws":
        assert policies == [document.content for document in prerequisites.documents]


def test_the_report_names_all_of_it(prerequisites: Prerequisites) -> None:
    """JSON: documents, commands in order, what lacks."""
    report = json.loads(json.dumps(iam_report(prerequisites, ())))
    assert report["kind"] == "IamReport"
    assert [each["name"] for each in report["documents"]] == [
        each.name for each in prerequisites.documents
    ]
    assert [each["command"] for each in report["commands"]] == [
        step.line for step in prerequisites.steps
    ]
    assert [each["option"] for each in report["missing"]] == [
        each.option for each in prerequisites.missing
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('resource "aws_iam_user" "a" {\n  name = "b"\n}\n', id="not ours"),
        pytest.param('resource "aws_iam_role" "a" {\n  name = "b"\n}\n', id="an argument lacks"),
        pytest.param('data "azurerm_resource_group" "a" {\n  title = "b"\n}\n', id="another"),
        pytest.param('provider "azurerm" {\n  features = true\n}\n', id="no block"),
        pytest.param('provider "azurerm" {\n  environment = "x"\n}\n', id="no such cloud"),
        pytest.param('module "a" {\n}\n', id="no such kind"),
        pytest.param('output "a" {\n  value = aws_iam_role.b.arn\n}\n', id="nobody's name"),
        pytest.param(
            'data "azurerm_resource_group" "a" {\n  name = "b"\n}\n'
            'output "a" {\n  value = data.azurerm_resource_group.a.member\n}\n',
            id="not exported",
        ),
        pytest.param('data "azurerm_resource_group" "a" {\n  name = "b"\n}\n' * 2, id="twice"),
    ],
)
def test_what_no_provider_takes_is_told(text: str) -> None:
    """The check itself can fail."""
    with pytest.raises(NotTerraform):
        checked(text)


@pytest.mark.parametrize(
    "line",
    [
        "gcloud projects add-iam-policy-binding p --member=a --role=b --member=c",
        "gcloud iam service-accounts add-iam-policy-binding p --member=a --role=b --member=c",
        "aws iam create-role --role-name x",
        "aws iam make-role --role-name x",
        "aws iam create-role --role-name x --assume-role-policy-document y --policy z",
        "az role assignment create --assignee-object-id x --role y",
        "az role assignment create --assignee-principal-type Robot --role y --scope z",
        "az identity create --name x",
        'kubectl -n a create secret generic b --from-literal=c="$D"',
        "kubectl -n a create secret generic",
        "kubectl -n a create secret generic b --from-literal",
    ],
)
def test_the_grammar_refuses_what_the_tools_refuse(line: str) -> None:
    """Two members in one binding, a flag that lacks, a command that there is not."""
    with pytest.raises(Wrong):
        check(line)


@settings(max_examples=40, deadline=None)
@for_all(stacks())
def test_no_name_breaks_a_line(stack: dict[str, str]) -> None:
    """Whatever stack and issuer, each line is still a command."""
    for cloud, answers in CLOUDS.items():
        known: set[str] = set()
        for command in printed(cloud, {**answers, **stack})[1].commands:
            known |= {check(command.line, known) or ""}


def test_words_are_quoted_for_the_shell() -> None:
    """Blanks, quotes and signs of the shell stay what they are."""
    argv = ("az", "it's $HOME", Var("FOUND"), Var("FOUND", "--key=a b"))
    line = str(Command(argv))
    done = subprocess.run(
        ["bash", "-c", f"FOUND='x y'; printf '%s|' {line}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "az|it's $HOME|x y|--key=a bx y|"


def test_every_store_with_tokens_has_its_cloud() -> None:
    """S3, Azure and Google; no other."""
    assert {store.value for store in STORES.values()} == {"s3", "azure", "gcs"}
