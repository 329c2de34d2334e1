# SPDX-License-Identifier: Apache-2.0
"""From where a HelmRelease takes a key pair, as people write its values."""

from typing import Any

import pytest
import yaml

from lokeys.core.kubernetes.flux import (
    PairValues,
    has_pair_inline,
    pair_values,
    target_of,
    values_named,
)
from lokeys.core.place import Ref

PATHS = ("loki.storage.s3.accessKeyId", "loki.storage.s3.secretAccessKey")
CLAIM = Ref("Secret", "logs", "m")
FILE = Ref("ConfigMap", "values", "m")


def release(*entries: Any, **spec: Any) -> dict[str, Any]:
    """Return a HelmRelease with these entries of `valuesFrom`."""
    metadata = {"name": "loki", "namespace": "m"}
    return {"metadata": metadata, "spec": {"valuesFrom": list(entries)} | spec}


def targeted(name: str, *keys: str, kind: str = "Secret") -> list[dict[str, str]]:
    """Return entries that put data keys at the pair's paths."""
    return [
        {"kind": kind, "name": name, "valuesKey": key, "targetPath": path}
        for key, path in zip(keys, PATHS, strict=True)
    ]


def values(**s3: str) -> str:
    """Return a chart's values as a file."""
    return yaml.safe_dump({"loki": {"storage": {"s3": s3}}})


PAIR = values(accessKeyId="AK", secretAccessKey="canary")
SNAKE = values(access_key_id="AK", secret_access_key="canary")
A_FILE = {"kind": "ConfigMap", "name": "values"}
CLAIMED = targeted("logs", "ID", "KEY")
CASES = {
    "two data keys of a claim's Secret": (
        release(*targeted("logs", "ID", "KEY")),
        "",
        PairValues(ref=CLAIM, key_id="ID", secret="KEY"),
    ),
    "a whole file of values": (
        release(A_FILE),
        PAIR,
        PairValues(ref=FILE, key_id=PATHS[0], secret=PATHS[1], inside="values.yaml"),
    ),
    "a file under a key of its own, with the other spelling": (
        release(A_FILE | {"valuesKey": "loki.yaml"}),
        SNAKE,
        PairValues(
            ref=FILE,
            key_id="loki.storage.s3.access_key_id",
            secret="loki.storage.s3.secret_access_key",
            inside="loki.yaml",
        ),
    ),
    "data keys over a file": (
        release(A_FILE, *targeted("logs", "ID", "KEY")),
        PAIR,
        PairValues(ref=CLAIM, key_id="ID", secret="KEY"),
    ),
    "two Secrets, one half each": (
        release(*targeted("logs", "ID", "KEY")[:1], *targeted("other", "ID", "KEY")[1:]),
        "",
        None,
    ),
    "one half over a file, which is not followed": (
        release(A_FILE, *targeted("logs", "ID", "KEY")[:1]),
        PAIR,
        None,
    ),
    "a file without the pair": (release(A_FILE), "loki: {}", None),
    "a file that is no YAML": (release(A_FILE), "{", None),
    "a file that is too large": (release(A_FILE), PAIR + "#" * (1 << 20), None),
    "a file that is not there": (release(A_FILE), None, None),
    "a kind that has no values": (release({"kind": "Pod", "name": "values"}), PAIR, None),
    "a name that no object can bear": (release({"kind": "Secret", "name": "x\ny"}), PAIR, None),
    "a data key that cannot be": (release(*targeted("logs", "I\nD", "K EY")), "", None),
    "a path that is too long": (
        release(*({**each, "targetPath": "a." * 200 + each["targetPath"]} for each in CLAIMED)),
        "",
        None,
    ),
    "nothing at all": ({"spec": 7}, "", None),
}


def parsed(text: str) -> object:
    """Return what a text says."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


@pytest.mark.parametrize(("given", "text", "found"), CASES.values(), ids=CASES)
def test_where_the_pair_is_taken_from(
    given: dict[str, Any], text: str | None, found: PairValues | None
) -> None:
    """Data keys, or paths in a file; nothing where it is not followed whole."""
    keys = ("values.yaml", "loki.yaml")
    held = {FILE: {"data": dict.fromkeys(keys, text)}} if text is not None else {}
    assert pair_values(given, held, parsed) == found


def test_a_release_names_its_values_and_its_target() -> None:
    """Each object once; installed where it is, unless it says otherwise."""
    given = release(A_FILE, *targeted("logs", "ID", "KEY"))
    assert [*values_named(given)] == [FILE, CLAIM]
    assert target_of(given) == "m"
    assert target_of(release(targetNamespace="logging")) == "logging"


def test_a_pair_may_stand_in_the_release_itself() -> None:
    """As most people have it."""
    assert has_pair_inline(release(values=yaml.safe_load(PAIR)))
    assert not has_pair_inline(release(values={"loki": {"storage": {"s3": {"accessKeyId": "A"}}}}))
    assert not has_pair_inline(release())
