# SPDX-License-Identifier: Apache-2.0
"""What is wrong with how a Loki was configured, and its healthy neighbours."""

from typing import Any

import pytest

from lokeys.core.kubernetes.loki.model import ConfigurationFault, Misconfiguration, RunningLoki
from unit.core.kubernetes.loki.pods import EXPANDING, PAIR, account, common, loki

NO_KEYS = common(access_key_id=None, secret_access_key=None)
IRSA = [account(**{"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/loki"})]
OFF = ("-config.expand-env=false",)
KINDS = Misconfiguration


def faults(document: Any, *args: str, **how: Any) -> list[tuple[Misconfiguration, tuple[str, ...]]]:
    """Return what is wrong, each with what it names."""
    return [(fault.kind, fault.names) for fault in loki(document, *args, **how).faults]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        pytest.param({"args": OFF}, [(KINDS.NOT_EXPANDED, ("ID", "KEY"))], id="it is off"),
        pytest.param(
            {"args": ("-target=all",)}, [(KINDS.NOT_EXPANDED, ("ID", "KEY"))], id="it is not given"
        ),
        pytest.param({"args": ("-config.expand-env", "true", "-s3.region=eu")}, [], id="it is on"),
        pytest.param(
            {"args": OFF, "document": common(access_key_id="${ID:-canary}")},
            [(KINDS.NOT_EXPANDED, ("ID", "KEY"))],
            id="a default is none either, and is not shown",
        ),
        pytest.param(
            {"args": OFF, "document": common(endpoint="${MY-HOST}")},
            [(KINDS.NOT_EXPANDED, ("MY", "ID", "KEY"))],
            id="nor what could not be read",
        ),
        pytest.param(
            {"args": OFF, "document": common(access_key_id="A", secret_access_key="canary")},
            [],
            id="off, and no variable",
        ),
        pytest.param(
            {"document": common(access_key_id="$${ID}")},
            [(KINDS.NOT_EXPANDED, ("ID",))],
            id="an escaped variable",
        ),
        pytest.param(
            {"document": common(access_key_id="$(ID)", secret_access_key="$KEY")},
            [(KINDS.NOT_EXPANDED, ("ID", "KEY"))],
            id="spellings that the file does not know",
        ),
        pytest.param(
            {"document": common(access_key_id="A", secret_access_key="$canary")},
            [],
            id="a key that begins with a dollar sign",
        ),
        pytest.param(
            {"args": (*EXPANDING, "-s3.access-key-id=${ID}", "-s3.secret-access-key=$(KEY)")},
            [(KINDS.NOT_EXPANDED, ("ID",))],
            id="an argument in the file's spelling",
        ),
        pytest.param(
            {"args": (*EXPANDING, "-s3.access-key-id=$(IT)")},
            [(KINDS.NOT_EXPANDED, ("IT",))],
            id="an argument whose variable there is not",
        ),
        pytest.param(
            {"args": OFF, "document": common(region="${REGION}x" * 1000)},
            [(KINDS.NOT_EXPANDED, ("ID", "KEY"))],
            id="what is not read is no fault",
        ),
        pytest.param(
            {"args": OFF, "document": common(endpoint="${HOST}x" * 1000)},
            [(KINDS.NOT_EXPANDED, ("ID", "KEY"))],
            id="nor what is too long",
        ),
    ],
)
def test_variables_that_reach_the_client_as_written_are_told(
    how: dict[str, Any], found: list[Any]
) -> None:
    """The client gets the text, and not the key."""
    how = {"document": common()} | how
    assert faults(how.pop("document"), *how.pop("args", ()), **how) == found


def test_the_pair_is_followed_all_the_same() -> None:
    """What was meant is where the key comes from."""
    for document, args in ((common(), OFF), (common(access_key_id="$(ID)"), EXPANDING)):
        found = loki(document, *args)
        assert found.pair is not None
        assert found.pair.data_keys is not None
        assert found.storage.bucket == "logs"


@pytest.mark.parametrize(
    ("how", "found"),
    [
        pytest.param({"env_from": []}, [(KINDS.NOT_SET, ("ID", "KEY"))], id="no variables"),
        pytest.param({"values": {"ID": "A"}}, [(KINDS.NOT_SET, ("KEY",))], id="half of them"),
        pytest.param(
            {"document": common(bucketnames="${BUCKET}")},
            [(KINDS.NOT_SET, ("BUCKET",))],
            id="a name",
        ),
        pytest.param(
            {"document": common(bucketnames="${BUCKET:-logs}")}, [], id="a default is enough"
        ),
        pytest.param(
            {
                "document": common(access_key_id="${ID:-}", secret_access_key="${KEY:-}"),
                "env_from": [],
            },
            [],
            id="an empty one too: somebody meant it",
        ),
        pytest.param({"env_from": [], "objects": IRSA}, [], id="a role makes up for a pair"),
        pytest.param(
            {"env_from": [], "objects": IRSA, "document": common(bucketnames="${B}")},
            [(KINDS.NOT_SET, ("B",))],
            id="but not for a bucket",
        ),
        pytest.param(
            {"values": {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "canary"}},
            [],
            id="so does a pair under the client's own names",
        ),
        pytest.param(
            {"document": common() | {"ruler": {"alertmanager_url": "${GONE}"}}},
            [],
            id="a variable that has nothing to do with storage",
        ),
        pytest.param(
            {
                "env_from": [],
                "env": [{"name": "ID", "valueFrom": {"fieldRef": {}}}, {"name": "KEY"}],
            },
            [(KINDS.HALF_A_PAIR, ())],
            id="a variable that is set to nothing",
        ),
        pytest.param(
            {"document": common(secret_access_key=None)},
            [(KINDS.HALF_A_PAIR, ())],
            id="half a pair",
        ),
        pytest.param(
            {
                "command": ["/bin/sh", "-c"],
                "args": ["exec loki -config.file=/etc/loki/config/config.yaml -config.expand-env"],
                "env_from": [],
            },
            [],
            id="a shell may set them",
        ),
    ],
)
def test_variables_that_are_not_set_are_told(how: dict[str, Any], found: list[Any]) -> None:
    """Only where the settings in force name them, and nothing else gives the pair."""
    how = {"document": common()} | how
    args = how.pop("args", ())
    if "command" in how:
        how["args"], args = args, ()
    assert faults(how.pop("document"), *args, **how) == found


def test_an_expression_that_cannot_be_read_is_told_alone() -> None:
    """Loki ends at start, so nothing of the configuration counts; the line is told."""
    found = loki("# ${MY-KEY}\ncommon: {storage: {s3: {bucketnames: '${ID}'}}}")

    assert found.faults == (
        ConfigurationFault(kind=KINDS.NOT_EXPANDABLE, names=("${MY-…",), line=1),
    )
    assert found.storage.bucket == ""
    assert loki("# ${MY-KEY}", "-config.expand-env=0").faults == ()


@pytest.mark.parametrize(
    ("image", "document", "found"),
    [
        pytest.param("grafana/loki:3.5.7", common(), [KINDS.ROLE_SHADOWED], id="a key left over"),
        pytest.param(
            "grafana/loki:3.5.7",
            NO_KEYS,
            [KINDS.EXCHANGE_MISDIRECTED],
            id="an endpoint, before 3.6",
        ),
        pytest.param("grafana/loki:3.6.0", NO_KEYS, [], id="an endpoint, from 3.6 on"),
        pytest.param("grafana/loki@sha256:12", NO_KEYS, [], id="no version is known"),
        pytest.param(
            "grafana/loki:2.9.8",
            common(access_key_id=None, secret_access_key=None, endpoint=None, region="eu-west-1"),
            [],
            id="no endpoint",
        ),
        pytest.param(
            "grafana/loki:3.5.7",
            {
                "storage_config": {
                    "use_thanos_objstore": True,
                    "object_store": {"s3": {"endpoint": "s3.eu-west-1.amazonaws.com"}},
                }
            },
            [],
            id="the newer client",
        ),
    ],
)
def test_what_keeps_a_role_from_being_used_is_told(
    image: str, document: Any, found: list[Misconfiguration]
) -> None:
    """An older Loki sends the token exchange to the endpoint that is set."""
    reading = loki(document, image=image, objects=IRSA)

    assert [fault.kind for fault in reading.faults] == found


def test_a_role_alone_and_a_key_alone_are_fine() -> None:
    """Their healthy neighbours."""
    assert loki(common()).faults == ()
    assert loki(NO_KEYS, env_from=[], objects=IRSA).faults == ()


def test_a_native_client_takes_no_key_of_the_file() -> None:
    """`native_aws_auth_enabled`: only what AWS's SDK finds by itself counts."""
    store = {"bucket_name": "b", "access_key_id": "AK", "native_aws_auth_enabled": True}
    document = {"storage_config": {"use_thanos_objstore": True, "object_store": {"s3": store}}}
    aws = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "canary"}

    assert loki(document).pair is None
    found = loki(document, values=PAIR | aws).pair
    assert found is not None
    assert found.data_keys is not None


@pytest.mark.parametrize(
    ("args", "document", "uses"),
    [
        (("-target=distributor",), {}, False),
        (("-target=query-frontend,distributor",), {}, False),
        (("-target=read",), {}, True),
        ((), {"target": "distributor"}, False),
        ((), {"target": ["query-scheduler", "querier"]}, True),
        ((), {}, True),
    ],
)
def test_some_components_use_no_storage(
    args: tuple[str, ...], document: Any, *, uses: bool
) -> None:
    """They lack the variables without harm."""
    found: RunningLoki = loki(common() | document, *EXPANDING, *args)

    assert found.uses_storage is uses


@pytest.mark.parametrize(
    ("changes", "certain"),
    [
        ({}, True),
        ({"endpoint": "s3.eu-west-1.amazonaws.com"}, False),
        ({"endpoint": None, "region": "eu-west-1"}, False),
        ({"endpoint": "s3.eu-west-1.amazonaws.com", "bucketnames": "${B}"}, True),
    ],
    ids=["a store of somebody's own", "AWS", "AWS by its region", "no bucket"],
)
def test_on_aws_a_nodes_own_role_may_make_up_for_a_key(
    changes: dict[str, Any], *, certain: bool
) -> None:
    """So a missing key alone is not certain there."""
    (fault,) = loki(common(**changes), env_from=[]).faults

    assert fault.certain is certain


def test_only_so_much_of_what_others_wrote_is_told() -> None:
    """Names of variables, of stores and of files."""
    many = "".join(f"${{GONE{n}}}" for n in range(500))
    assert [len(fault.names) for fault in loki(common(bucketnames=many)).faults] == [10]
    some = common(bucketnames=many[:2000])
    assert [len(each.names) for each in loki(some, *OFF).faults] == [10]
    assert len(loki("", "-config.file=/" + "x" * 5000).unseen) < 300
    periods = [{"from": "2025-01-01", "object_store": "x" * 5000}]
    stores = {"named_stores": {"aws": {"x" * 5000: {"bucketnames": "b"}}}}
    found = loki(common() | {"schema_config": {"configs": periods}, "storage_config": stores})
    assert found.storage.bucket == "logs"
