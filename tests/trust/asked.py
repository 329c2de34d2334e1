# SPDX-License-Identifier: Apache-2.0
"""Stacks that ask for trust, as options and Secrets would tell of them."""

from typing import Any

from hypothesis import strategies as st

from lokeys.core.trust.answers import Answers
from lokeys.core.trust.aws.needs import AwsNeeds, aws_needs
from lokeys.core.trust.azure.needs import AzureNeeds, azure_needs
from lokeys.core.trust.clouds import Needs, needs_of, prerequisites
from lokeys.core.trust.gcp.needs import GcpNeeds, gcp_needs
from lokeys.core.trust.printed.shell import Prerequisites

ISSUER = "https://oidc.example.com/id/1"
STACK = {"--namespace": "logging", "--name": "my-stack", "--issuer": ISSUER}
ACCOUNT = "123456789012"
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
CLOUDS: dict[str, dict[str, str]] = {
    "aws": {"--bucket": "loki-logs", "--region": "eu-west-1", "--account-id": ACCOUNT},
    "azure": {
        "--container": "loki",
        "--storage-account": "lokilogs",
        "--subscription": SUBSCRIPTION,
        "--resource-group": "observability",
    },
    "gcp": {
        "--bucket": "loki-logs",
        "--project": "my-project",
        "--project-number": "123456789",
        "--pool": "cluster",
        "--provider": "cluster",
    },
}
RGW = {"--bucket": "loki", "--endpoint": "http://rgw.storage:8080"}


def given(cloud: str, /, **more: str) -> dict[str, str]:
    """Return answers; `role_name="x"` is `--role-name x`, and an empty one takes it away."""
    said = {f"--{name.replace('_', '-')}": value for name, value in more.items()}
    return {**STACK, **CLOUDS[cloud], **said}


def printed(cloud: str, answers: dict[str, str]) -> tuple[Needs, Prerequisites]:
    """Return what is needed and what is printed of it."""
    asked = Answers(given=answers)
    needs = needs_of(cloud, asked)
    return needs, prerequisites(needs, asked)


def aws(**more: str) -> AwsNeeds:
    return aws_needs(Answers(given=given("aws", **more)))


def rgw(**more: str) -> AwsNeeds:
    said = {f"--{name.replace('_', '-')}": value for name, value in more.items()}
    return aws_needs(Answers(given={**STACK, **RGW, **said}))


def azure(**more: str) -> AzureNeeds:
    return azure_needs(Answers(given=given("azure", **more)))


def gcp(**more: str) -> GcpNeeds:
    return gcp_needs(Answers(given=given("gcp", **more)))


_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
HOSTS = st.from_regex(r"[a-z]{2,9}(\.[a-z]{2,9}){1,3}", fullmatch=True)
PATHS = st.from_regex(r"(/[A-Za-z0-9._-]{1,8}){0,3}", fullmatch=True)
ISSUERS = st.builds("https://{}{}".format, HOSTS, PATHS)


def stacks() -> st.SearchStrategy[dict[str, str]]:
    """Return any stack of any cluster."""
    fields: dict[str, Any] = {"--namespace": LABELS, "--name": LABELS, "--issuer": ISSUERS}
    return st.fixed_dictionaries(fields)
