# SPDX-License-Identifier: Apache-2.0
"""Where the key pair stands that a Loki signs with."""

from typing import Any

import pytest

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import InFile, InManifest, PairPlace
from lokeys.core.place import Ref
from unit.core.kubernetes.loki.pods import (
    EXPANDING,
    FILE,
    PAIR,
    SECRET,
    common,
    config_map,
    loki,
    secret,
)

ID, KEY = DataKey(SECRET, "ID"), DataKey(SECRET, "KEY")
USUAL = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "canary"}
NO_KEYS = common(access_key_id=None, secret_access_key=None)
AT = ("common", "storage", "s3")


def by_key(name: str, key: str, kind: str = "secretKeyRef", *, of: str = "loki-s3") -> Any:
    """Return a variable that is a data key of an object."""
    return {"name": name, "valueFrom": {kind: {"name": of, "key": key}}}


def url(text: str) -> Any:
    """Return a configuration whose store is a URL."""
    return {"storage_config": {"aws": {"s3": text}}}


@pytest.mark.parametrize(
    ("how", "halves"),
    [
        pytest.param({}, (ID, KEY), id="all keys of a Secret as variables"),
        pytest.param(
            {
                "document": common(access_key_id="${P_ID}", secret_access_key="${P_KEY}"),
                "env_from": [{"secretRef": {"name": "loki-s3"}, "prefix": "P_"}],
            },
            (ID, KEY),
            id="with a prefix",
        ),
        pytest.param(
            {"env": [by_key("ID", "KEY"), by_key("KEY", "ID")]},
            (KEY, ID),
            id="a variable of its own counts over all keys of a Secret",
        ),
        pytest.param(
            {"env": [{"name": "ID", "value": "$(OTHER)"}, by_key("KEY", "KEY")], "env_from": []},
            (InManifest("variable ID"), KEY),
            id="a reference to nothing is a value",
        ),
        pytest.param(
            {
                "document": common(access_key_id="${MINE}"),
                "env": [{"name": "MINE", "value": "$(ID)"}],
            },
            (ID, KEY),
            id="a variable that stands for another",
        ),
        pytest.param(
            {"document": NO_KEYS, "values": USUAL},
            tuple(DataKey(SECRET, name) for name in USUAL),
            id="the names that the client looks for by itself",
        ),
        pytest.param(
            {"document": NO_KEYS, "values": {"AWS_ACCESS_KEY": "A", "AWS_SECRET_KEY": "canary"}},
            (DataKey(SECRET, "AWS_ACCESS_KEY"), DataKey(SECRET, "AWS_SECRET_KEY")),
            id="their older names",
        ),
        pytest.param(
            {
                "document": NO_KEYS,
                "args": (
                    "-common.storage.s3.access-key-id=$(ID)",
                    "--common.storage.s3.secret-access-key",
                    "$(KEY)",
                ),
            },
            (ID, KEY),
            id="arguments that the kubelet fills in",
        ),
        pytest.param(
            {"args": (*EXPANDING, "-s3.access-key-id=AKID", "-s3.secret-access-key=canary")},
            (
                InManifest("argument -s3.access-key-id"),
                InManifest("argument -s3.secret-access-key"),
            ),
            id="arguments in clear, over the file",
        ),
        pytest.param(
            {"document": common(access_key_id="AKID", secret_access_key="canary")},
            (InFile(FILE, (*AT, "access_key_id")), InFile(FILE, (*AT, "secret_access_key"))),
            id="in the file, in clear",
        ),
        pytest.param(
            {"document": common(access_key_id="${GONE:-AKID}", secret_access_key="${KEY}x")},
            (InFile(FILE, (*AT, "access_key_id")), InFile(FILE, (*AT, "secret_access_key"))),
            id="a default, and a value that is more than a variable",
        ),
        pytest.param(
            {"document": url("s3://${ID}:${KEY}@rgw.svc/logs"), "values": PAIR | USUAL},
            (ID, KEY),
            id="in an address, over what the client looks for",
        ),
        pytest.param({"document": NO_KEYS}, None, id="nowhere"),
        pytest.param({"document": url("s3://eu-west-1/logs")}, None, id="not in an address either"),
        pytest.param({"document": {}}, None, id="an empty configuration"),
    ],
)
def test_the_pairs_place_is_found(how: dict[str, Any], halves: tuple[Any, Any] | None) -> None:
    """By variables, arguments, addresses, or as it stands; of the pair itself nothing is kept."""
    how = {"document": common()} | how
    found = loki(how.pop("document"), *how.pop("args", ()), **how)

    assert (found.pair and (found.pair.key_id, found.pair.secret)) == halves


@pytest.mark.parametrize(
    ("address", "place"),
    [
        pytest.param(
            "s3://AKID:canary/+@rgw.svc/logs",
            InFile(FILE, ("storage_config", "aws", "s3")),
            id="in clear",
        ),
        pytest.param("${URL}", DataKey(SECRET, "URL"), id="a variable that is all of it"),
    ],
)
def test_a_pair_in_an_address_is_no_pair_of_data_keys(address: str, place: Any) -> None:
    """Bucket and address are told; where the pair stands is one place."""
    found = loki(url(address), values={"URL": "s3://AKID:canary/+@rgw.svc/logs"})

    assert found.pair == PairPlace(key_id=place, secret=place, in_url=True)
    assert found.pair.data_keys is None
    assert (found.storage.bucket, found.storage.endpoint) == ("logs", "http://rgw.svc")


def test_two_secrets_are_two_places() -> None:
    """A pair of two Secrets is none that one Secret holds."""
    env = [by_key("ID", "id", of="one"), by_key("KEY", "key", of="other")]
    found = loki(common(), env=env, objects=[secret("one", id="A"), secret("other", key="canary")])

    assert found.pair is not None
    assert found.pair.data_keys is None
    assert not found.pair.in_clear


@pytest.mark.parametrize(
    ("how", "clear"),
    [
        pytest.param({}, False, id="a Secret"),
        pytest.param(
            {"env": [{"name": "ID", "value": "A"}, {"name": "KEY", "value": "canary"}]},
            True,
            id="the manifest",
        ),
        pytest.param(
            {
                "env_from": [{"configMapRef": {"name": "keys"}}],
                "objects": [config_map("keys", **PAIR)],
            },
            True,
            id="a ConfigMap's variables",
        ),
        pytest.param(
            {"document": common(access_key_id="A", secret_access_key="canary")},
            True,
            id="the file",
        ),
    ],
)
def test_what_stands_in_clear_is_told(how: dict[str, Any], *, clear: bool) -> None:
    """Whatever is no Secret can be read by people who may not read Secrets."""
    how = {"document": common()} | how
    found = loki(how.pop("document"), **how)

    assert found.pair is not None
    assert found.pair.in_clear is clear


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        pytest.param(
            "common: {storage: {s3: {access_key_id: ${ID}\n, secret_access_key: ${KEY}\n}}}",
            False,
            id="bare",
        ),
        pytest.param(
            "common:\n storage:\n  s3:\n   access_key_id: '${ID}'\n"
            '   secret_access_key: "${KEY}"',
            True,
            id="in quotes",
        ),
        pytest.param(
            "common:\n storage:\n  s3:\n   access_key_id: ${ID}\n   secret_access_key: ${KEY}\n",
            False,
            id="bare, as the chart has them",
        ),
    ],
)
def test_a_newline_is_signed_with_only_where_yaml_keeps_it(document: str, *, kept: bool) -> None:
    """YAML drops it at the end of a value that stands bare; in quotes it makes a blank of it."""
    found = loki(document, values={"ID": "AKID\n", "KEY": "canary\n"})

    assert found.pair is not None
    assert found.pair.data_keys == (ID, KEY)
    assert found.pair.blanks_kept is kept


def test_a_newline_in_a_variable_of_the_clients_own_is_kept() -> None:
    """No YAML lies between; nor between an argument and the client."""
    values = {name: f"{value}\n" for name, value in USUAL.items()}
    by_arguments = (
        "-s3.access-key-id=$(AWS_ACCESS_KEY_ID)",
        "-s3.secret-access-key=$(AWS_SECRET_ACCESS_KEY)",
    )

    for args in (EXPANDING, by_arguments):
        found = loki(NO_KEYS, *args, values=values)
        assert found.pair is not None
        assert found.pair.blanks_kept


@pytest.mark.parametrize(
    ("env_from", "found"),
    [
        pytest.param([{"secretRef": {"name": "gone"}}], Ref("Secret", "gone", "logging"), id="one"),
        pytest.param(
            [{"secretRef": {"name": "gone"}, "prefix": "X_"}], None, id="with another prefix"
        ),
        pytest.param(
            [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}], None, id="one of two"
        ),
    ],
)
def test_a_secret_that_cannot_be_read_is_supposed_to_have_the_pair(
    env_from: Any, found: Ref | None
) -> None:
    """So that its absence can be told. Of several nobody knows which, and nothing is missing."""
    reading = loki(common(), env_from=env_from)
    halves = reading.pair.data_keys if reading.pair else None

    assert (halves and halves[0].ref) == found
    assert (reading.faults == ()) is (len(env_from) > 1 or found is not None)


def test_what_the_client_looks_for_is_supposed_of_a_secret_alone() -> None:
    """A ConfigMap that cannot be read is not supposed to hold keys."""
    for kind, name in (("secretRef", "gone"), ("configMapRef", None)):
        reading = loki(NO_KEYS, env_from=[{kind: {"name": "gone"}}])
        halves = reading.pair.data_keys if reading.pair else None
        assert (halves and halves[0].ref.name) == name
