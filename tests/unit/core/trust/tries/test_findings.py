# SPDX-License-Identifier: Apache-2.0
"""What a try showed, as findings: one an account, each with its place and what mends it."""

from __future__ import annotations

import pytest

from lokeys.core.findings.link import Link, broken, held, untried
from lokeys.core.stack.resource.model import LokiStack, Size
from lokeys.core.trust.tries.findings import findings_of
from lokeys.core.trust.tries.verification import LinkName, Verification

STACK = LokiStack(
    name="logs",
    namespace="ns",
    size=Size.DEMO,
    schemas=(),
    storage_secret_name="storage",
    storage_type="azure",
    storage_class_name="standard",
)


def tried(*links: Link, account: str = "logs") -> Verification:
    return Verification(account=account, links=links)


def test_a_whole_way_and_one_not_gone_are_no_findings() -> None:
    """Nothing is said where nothing is wrong."""
    assert findings_of(STACK, [tried(held(LinkName.STORE)), tried()]) == ()


@pytest.mark.parametrize(
    ("link", "code", "place", "command"),
    [
        pytest.param(
            broken(LinkName.SUBJECT, "azure_federated_credential_mismatch", "no"),
            "LK0740",
            "ServiceAccount ns/logs-ruler",
            "lokeys iam azure logs -n ns --check",
            id="a trust",
        ),
        pytest.param(
            broken(LinkName.STORE, "bucket_not_found", "put on b"),
            "LK0804",
            "LokiStack ns/logs",
            "kubectl -n ns edit secret storage",
            id="a store",
        ),
        pytest.param(
            broken(LinkName.STORE, "s3_access_denied_policy", "put on b"),
            "LK0803",
            "LokiStack ns/logs",
            "lokeys iam azure logs -n ns --check",
            id="a right on it",
        ),
        pytest.param(
            broken(LinkName.STORE, "access_key_unknown", "put on b"),
            "LK0801",
            "LokiStack ns/logs",
            "kubectl -n ns edit secret storage",
            id="the plain one of two rules",
        ),
        pytest.param(
            broken(LinkName.STORE, "user_suspended", "put on b"),
            "LK0303",
            "LokiStack ns/logs",
            "kubectl -n ns edit secret storage",
            id="a suspended user",
        ),
        pytest.param(
            broken(LinkName.SECRET, "lokistack_secret_keys_wrong", "no"),
            "LK0756",
            "Secret ns/storage",
            "kubectl -n ns edit secret storage",
            id="a Secret",
        ),
        pytest.param(
            broken(LinkName.SECRET, "k8s_secret_missing", "no"),
            "LK0102",
            "Secret ns/logs-managed-credentials",
            "kubectl -n ns describe credentialsrequest logs",
            id="managed credentials",
        ),
        pytest.param(
            untried(LinkName.TRUST, "no answer", cause="sts_unreachable"),
            "LK0759",
            "ServiceAccount ns/logs-ruler",
            "lokeys probe stack logs -n ns",
            id="silence",
        ),
    ],
)
def test_each_break_has_its_code_its_place_and_a_command(
    link: Link, code: str, place: str, command: str
) -> None:
    """The first break is told; what is only out of reach names no cause."""
    (found,) = findings_of(STACK, [tried(held(LinkName.TOKEN), link, account="logs-ruler")])
    assert (found.code, str(found.object), found.route) == (code, place, "ns/logs")
    assert command in [str(remedy.command) for remedy in found.remedy]
    assert (found.cause is None) is (code in ("LK0759", "LK0102"))
