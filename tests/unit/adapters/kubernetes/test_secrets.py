# SPDX-License-Identifier: Apache-2.0
"""The Secret that Loki reads."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from lokeys.adapters.kubernetes.secrets import KubernetesSecretPort
from lokeys.core.kubernetes.written import data_written_at
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import PairKeys, SecretRef
from lokeys.core.route.snapshot import SecretState, Why
from lokeys.core.sensitive import Flaw, KeyPair, Sensitive
from lokeys.errors import Conflict, NeedsHuman, Unreachable
from unit.adapters.kubernetes.cluster_fakes import (
    CANARY_ID,
    CANARY_SECRET,
    FINGERPRINTER,
    Json,
    Server,
    cluster,
    conflict,
    secret,
)

KEYS = PairKeys(access_key_id="ID", secret_access_key="KEY")
PAIR = KeyPair(access_key_id=Sensitive(CANARY_ID), secret_access_key=Sensitive(CANARY_SECRET))
REF = Ref("Secret", "loki-s3", "ns")


def port(*objects: Json, server: Server | None = None) -> KubernetesSecretPort:
    where, _ = cluster(*objects, server=server)
    return KubernetesSecretPort(where, SecretRef(name="loki-s3", keys=KEYS), namespace="ns")


def full() -> Json:
    return secret("loki-s3", ID=CANARY_ID, KEY=CANARY_SECRET)


def state_of(obj: Json) -> SecretState:
    reading = asyncio.run(port(obj).read())
    assert reading.state is not None
    return reading.state


def test_reading_gives_the_pair_and_its_facts() -> None:
    """The pair goes to the ports, its fingerprints and version to the core."""
    reading = asyncio.run(port(full()).read())
    assert reading.pair == PAIR
    assert reading.state is not None
    assert reading.state.pair == FINGERPRINTER.describe(PAIR)
    assert (reading.state.uid, reading.state.resource_version) == ("uid-loki-s3", "7")
    assert not reading.gaps


def test_a_missing_half_is_an_empty_half() -> None:
    """A Secret without one of the keys holds a blank pair, which must never travel."""
    state = state_of(secret("loki-s3", ID=CANARY_ID))
    assert state.pair.flaws == {Flaw.SECRET_EMPTY}


def test_no_secret_value_is_printed() -> None:
    """Neither the reading nor its state shows a half of the pair."""
    shown = repr(asyncio.run(port(full()).read()))
    assert CANARY_ID not in shown
    assert CANARY_SECRET not in shown


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"labels": {"reconcile.external-secrets.io/managed": "true"}}, id="a label"),
        pytest.param(
            {"ownerReferences": [{"kind": "ExternalSecret", "name": "es", "controller": True}]},
            id="an owner",
        ),
    ],
)
def test_eso_is_known_by(marks: dict[str, Any]) -> None:
    """A Secret that External Secrets made is known as such."""
    obj = full()
    obj["metadata"] |= marks
    assert state_of(obj).managed_by_eso
    assert not state_of(full()).managed_by_eso


def test_a_forbidden_secret_is_a_gap() -> None:
    """What may not be read is said, not raised."""
    where, objects = cluster(full())
    objects.forbid(REF)
    reading = asyncio.run(
        KubernetesSecretPort(where, SecretRef(name="loki-s3", keys=KEYS), namespace="ns").read()
    )
    assert reading.state is None
    assert [(gap.hop, gap.ref, gap.why) for gap in reading.gaps] == [
        (Hop.SECRET, REF, Why.FORBIDDEN)
    ]


def test_a_silent_api_server_is_a_gap() -> None:
    """No answer is data too."""
    where, objects = cluster(full())
    objects.failing["Secret"] = Unreachable("no answer")
    reading = asyncio.run(
        KubernetesSecretPort(where, SecretRef(name="loki-s3", keys=KEYS), namespace="ns").read()
    )
    assert [gap.why for gap in reading.gaps] == [Why.UNREACHABLE]


def entry(time: str, *fields: str, **extra: str) -> Json:
    return {"time": time, "fieldsV1": {field: {} for field in fields}, **extra}


@pytest.mark.parametrize(
    ("entries", "hour"),
    [
        pytest.param([], None, id="nobody is on record"),
        pytest.param([entry("2026-11-23T01:00:00Z", "f:data")], 1, id="one writer of data"),
        pytest.param(
            [entry("2026-11-23T01:00:00Z", "f:data"), entry("2026-11-23T05:00:00Z", "f:metadata")],
            1,
            id="an annotation afterwards does not count",
        ),
        pytest.param(
            [entry("2026-11-23T01:00:00Z", "f:data"), entry("2026-11-23T03:00:00Z", "f:data")],
            3,
            id="the latest of two writers",
        ),
    ],
)
def test_the_time_of_the_last_write(entries: list[Json], hour: int | None) -> None:
    """Only writes of data count."""
    obj = full()
    obj["metadata"]["managedFields"] = entries
    expected = None if hour is None else datetime(2026, 11, 23, hour, tzinfo=UTC)
    assert data_written_at(obj) == expected


def test_writing_is_one_apply_of_both_keys() -> None:
    """Both keys travel in one call that only succeeds on what was expected."""
    server = Server()
    asyncio.run(port(full(), server=server).write(PAIR, expected=state_of(full())))
    ((method, path, body),) = server.calls
    assert (method, path) == ("PATCH", "/api/v1/namespaces/ns/secrets/loki-s3")
    assert sorted(body["data"]) == ["ID", "KEY"]
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["metadata"]["uid"] == "uid-loki-s3"


def test_writing_what_is_not_there_creates_it() -> None:
    """Where nothing was expected, something that is there makes the write fail."""
    server = Server()
    asyncio.run(port(server=server).write(PAIR, expected=None))
    ((method, path, _),) = server.calls
    assert (method, path) == ("POST", "/api/v1/namespaces/ns/secrets")


@pytest.mark.parametrize(
    ("key_id", "key"),
    [
        pytest.param("", CANARY_SECRET, id="no id"),
        pytest.param(CANARY_ID, "", id="no secret"),
        pytest.param(CANARY_ID, f"{CANARY_SECRET}\n", id="a newline at the end"),
        pytest.param(CANARY_ID, f"\ufeff{CANARY_SECRET}", id="an invisible character"),
    ],
)
def test_a_flawed_pair_is_never_written(key_id: str, key: str) -> None:
    """The last guard refuses what must not travel, and says why without the value."""
    server = Server()
    flawed = KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(key))
    with pytest.raises(NeedsHuman) as refused:
        asyncio.run(port(full(), server=server).write(flawed, expected=state_of(full())))
    assert not server.calls
    assert CANARY_SECRET not in str(refused.value)


def test_an_immutable_secret_is_not_written() -> None:
    """The API server would refuse it; the message says what helps."""
    obj = full() | {"immutable": True}
    with pytest.raises(NeedsHuman, match="immutable"):
        asyncio.run(port(obj).write(PAIR, expected=state_of(obj)))


def test_spoiling_touches_one_annotation_of_what_was_expected() -> None:
    """No data is touched, and a foreign edit in between makes it fail."""
    server = Server()
    asyncio.run(port(full(), server=server).spoil_data_hash(expected=state_of(full())))
    ((method, _, body),) = server.calls
    assert method == "PATCH"
    assert list(body) == ["metadata"]
    assert body["metadata"]["resourceVersion"] == "7"
    assert list(body["metadata"]["annotations"]) == ["reconcile.external-secrets.io/data-hash"]


def test_deleting_has_both_preconditions() -> None:
    """Only the very version that was looked at is deleted."""
    server = Server()
    asyncio.run(port(full(), server=server).delete(expected=state_of(full())))
    ((method, _, body),) = server.calls
    assert method == "DELETE"
    assert body["preconditions"] == {"uid": "uid-loki-s3", "resourceVersion": "7"}


def test_a_late_write_is_a_conflict() -> None:
    """Who lost the race reads again."""
    server = Server()
    server.refusal = conflict()
    with pytest.raises(Conflict):
        asyncio.run(port(full(), server=server).write(PAIR, expected=state_of(full())))
