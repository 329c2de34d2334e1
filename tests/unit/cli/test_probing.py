# SPDX-License-Identifier: Apache-2.0
"""`lokeys probe stack`: which accounts are tried, what is said, and the exit code."""

from __future__ import annotations

import asyncio
import io
import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.ports import FakeObjects, World
from fakes.sessions import Desk
from lokeys.adapters.files.manifests import read
from lokeys.cli.probing import FilesFirst, probe_stack
from lokeys.core.findings.link import Link, Untried, broken, held, untried
from lokeys.core.place import Ref
from lokeys.core.trust.tries.verification import LinkName, Verification
from lokeys.errors import BadInput, NotFound

STACK: dict[str, Any] = {
    "apiVersion": "loki.grafana.com/v1",
    "kind": "LokiStack",
    "metadata": {"name": "logs", "namespace": "monitoring"},
    "spec": {
        "size": "1x.demo",
        "storageClassName": "standard",
        "rules": {"enabled": True},
        "storage": {
            "secret": {"name": "storage", "type": "s3"},
            "schemas": [{"version": "v13", "effectiveDate": "2024-10-25"}],
        },
    },
}
TOKEN = {
    "bucketnames": "chunks",
    "region": "eu-west-1",
    "role_arn": "arn:aws:iam::123456789012:role/loki",
}


def secret(name: str = "storage", **values: str) -> dict[str, Any]:
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": "monitoring"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def way(account: str, *links: Link) -> Verification:
    return Verification(account=account, links=links)


WHOLE = (held(LinkName.SECRET, "fine"), held(LinkName.STORE, "put, get, list and delete work"))
REFUSED = (
    held(LinkName.SECRET, "fine"),
    broken(LinkName.SUBJECT, "sts_trust_policy_denied", "not trusted"),
    Link(name=LinkName.STORE, ok=None),
)
FORBIDDEN = (
    held(LinkName.SECRET, "fine"),
    untried(LinkName.TOKEN, "may not ask", why=Untried.NOT_PERMITTED),
)
SILENT = (untried(LinkName.TRUST, "no answer", cause="sts_unreachable"),)


def run(
    *objects: Mapping[str, Any],
    tried: Mapping[str, Verification] | None = None,
    name: str | None = "logs",
    file: str | None = None,
    **options: Any,
) -> tuple[int, Desk]:
    desk = Desk(World(), objects=FakeObjects(*objects), tried=tried or {})
    code = asyncio.run(probe_stack(desk.session(**options), name, file))
    return code, desk


@pytest.mark.parametrize(
    ("stack", "ruler", "code"),
    [
        pytest.param(WHOLE, WHOLE, 0, id="both hold"),
        pytest.param(WHOLE, REFUSED, 3, id="the ruler is not trusted"),
        pytest.param(WHOLE, FORBIDDEN, 5, id="one may not be tried"),
        pytest.param(SILENT, WHOLE, 5, id="nobody answers"),
        pytest.param(SILENT, REFUSED, 3, id="a break is worse than silence"),
    ],
)
def test_the_exit_code_tells_how_both_accounts_fare(
    stack: tuple[Link, ...], ruler: tuple[Link, ...], code: int
) -> None:
    """0 whole, 3 broken, 5 not tried."""
    tried = {"logs": way("logs", *stack), "logs-ruler": way("logs-ruler", *ruler)}
    found, desk = run(STACK, secret(**TOKEN), tried=tried)
    assert found == code
    assert "ServiceAccount logs-ruler" in desk.printed
    assert "monitoring/logs  s3, mode token" in desk.printed


def test_people_read_a_line_a_link_and_what_to_do() -> None:
    """The broken link, its cause, and a command."""
    tried = {"logs": way("logs", *REFUSED), "logs-ruler": way("logs-ruler", *WHOLE)}
    _, desk = run(STACK, secret(**TOKEN), tried=tried)
    assert "  subject  FAIL  not trusted (sts_trust_policy_denied)" in desk.printed
    assert "  store    -     not tried" in desk.printed
    assert "lokeys iam aws logs -n monitoring --check" in desk.printed


def test_programs_read_each_link_with_its_account() -> None:
    """The contract's report; what is only out of reach names no cause."""
    tried = {"logs": way("logs", *SILENT), "logs-ruler": way("logs-ruler", *REFUSED)}
    _, desk = run(STACK, secret(**TOKEN), tried=tried, output="json")
    report = json.loads(desk.printed)
    assert report["kind"] == "ProbeReport"
    assert [
        (link["account"], link["name"], link["ok"], link["cause"]) for link in report["links"]
    ] == [
        ("logs", "trust", None, None),
        ("logs-ruler", "secret", True, None),
        ("logs-ruler", "subject", False, "sts_trust_policy_denied"),
        ("logs-ruler", "store", None, None),
    ]
    assert {finding["code"] for finding in report["findings"]} == {"LK0730", "LK0759"}


def test_managed_credentials_that_are_there_make_it_token_cco() -> None:
    """As the operator on OpenShift would have it."""
    managed = secret("logs-managed-credentials", credentials="[default]\n")
    plain = {key: value for key, value in TOKEN.items() if key != "role_arn"}
    tried = {account: way(account, *WHOLE) for account in ("logs", "logs-ruler")}
    code, desk = run(STACK, secret(**plain), managed, tried=tried)
    assert code == 0
    assert "mode token-cco" in desk.printed


@pytest.mark.parametrize("output", ["people", "json"])
def test_an_unsound_secret_is_told_and_nothing_is_tried(output: str) -> None:
    """Its faults are those of `validate`."""
    code, desk = run(STACK, secret(bucketnames="chunks", role_arn="x"), output=output)
    assert code == 3
    assert "LK0108" in desk.printed or "LK0103" in desk.printed


def test_a_stack_without_its_secret_says_so() -> None:
    """Nothing else can be said."""
    with pytest.raises(BadInput, match="there is no Secret monitoring/storage"):
        run(STACK)


def test_manifests_stand_before_the_cluster(tmp_path: Path) -> None:
    """What is about to be applied is tried; what is not in the files is the cluster's."""
    file = tmp_path / "stack.yaml"
    file.write_text(yaml.safe_dump_all([STACK, secret(**TOKEN)]))
    tried = {account: way(account, *WHOLE) for account in ("logs", "logs-ruler")}
    code, _ = run(tried=tried, name=None, file=str(file))
    assert code == 0
    other = {**secret("other"), "metadata": {"name": "other"}}
    objects = FilesFirst(read(str(file)), FakeObjects(secret("cluster"), other))

    async def look() -> None:
        assert (await objects.get(Ref("Secret", "storage", "monitoring")))["data"]
        assert await objects.get(Ref("Secret", "cluster", "monitoring"))
        assert len(await objects.list("Secret", namespace=None)) == 2
        with pytest.raises(NotFound):
            await objects.get(Ref("Secret", "storage", "elsewhere"))

    asyncio.run(look())


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack and its Secret come out of one stream."""
    text = yaml.safe_dump_all([STACK, secret(**TOKEN)]).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    tried = {account: way(account, *WHOLE) for account in ("logs", "logs-ruler")}
    assert run(tried=tried, name=None, file="-")[0] == 0
