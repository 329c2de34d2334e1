# SPDX-License-Identifier: Apache-2.0
"""`probe credential --in-pod`: the Job is printed before it is made, and its links are reported."""

import asyncio
import json
from typing import Any

import pytest

from fakes.ports import FakeObjects, World
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.commands.probe import probe, probe_in_pod
from lokeys.core.findings.link import Link, broken, held, untried
from lokeys.errors import BadInput

LOKI = {
    "kind": "StatefulSet",
    "metadata": {"name": "loki", "namespace": "monitoring"},
    "spec": {"template": {"metadata": {"labels": {"app": "loki"}}, "spec": {}}},
}


def desk_with(*way: Link, credential: dict[str, Any] = STORAGE_CREDENTIAL) -> Desk:
    """Return a desk whose cluster has the route and its Loki."""
    return Desk(World(), objects=FakeObjects(credential, LOKI), way=way)


@pytest.mark.parametrize(
    ("link", "code"),
    [
        pytest.param(held("store"), 0, id="it holds"),
        pytest.param(broken("store", "access_key_unknown", "put"), 3, id="it breaks"),
        pytest.param(untried("tcp", "no answer"), 5, id="it is left open"),
    ],
)
def test_a_job_is_printed_run_and_reported(link: Link, code: int) -> None:
    """Exit codes are those of every probe; a broken link is explained."""
    desk = desk_with(link)
    session = desk.session()
    assert asyncio.run(probe_in_pod(session, "loki", None, image="example.com/l:1")) == code
    (job,) = desk.jobs
    assert "example.com/l:1" in desk.said
    assert job["spec"]["template"]["metadata"]["labels"]["app"] == "loki"
    assert ("the first broken link is store" in desk.printed) is (code == 3)


def test_a_route_whose_key_no_job_can_take_by_name_is_refused() -> None:
    """Nothing is made."""
    bucket = {**STORAGE_CREDENTIAL["spec"]["bucket"], "caBundle": "x"}
    spec = {**STORAGE_CREDENTIAL["spec"], "bucket": bucket}
    desk = desk_with(credential={**STORAGE_CREDENTIAL, "spec": spec})
    with pytest.raises(BadInput, match="CA bundle"):
        asyncio.run(probe_in_pod(desk.session(), "loki", None, image="x"))
    assert desk.jobs == []


def test_the_way_to_the_store_stands_before_its_calls() -> None:
    """From here: dns, tcp, tls, clock; then the signature; then what the key may do."""
    desk = desk_with(held("dns", "10.0.0.1"), held("clock"))
    asyncio.run(probe(desk.session(output="json"), "loki", None))
    names = [link["name"] for link in json.loads(desk.printed)["links"]]
    at = names.index("store: dns")
    assert names[at : at + 4] == [
        "store: dns",
        "store: clock",
        "store, Secret's key: signature",
        "store, Secret's key: put",
    ]
