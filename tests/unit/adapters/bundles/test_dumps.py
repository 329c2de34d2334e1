# SPDX-License-Identifier: Apache-2.0
"""Dumps that others made: what is in them is read, what is not is not known."""

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from lokeys.adapters.bundles.dumps import Dump, DumpObjects, dump_of
from lokeys.adapters.bundles.reading import tree_of
from lokeys.core.place import Ref
from lokeys.errors import BadInput, NotFound, NotReadable

NOW = datetime(2026, 12, 1, tzinfo=UTC)
POD = Ref("Pod", "loki-0", "logging")
MADE = "2026-11-30T08:00:00Z"
_Answered = TypeVar("_Answered")


def obj(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    """Return an object of namespace logging."""
    metadata = {"name": name, "namespace": "logging", "creationTimestamp": MADE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def secret(value: str) -> dict[str, Any]:
    """Return a Secret."""
    return obj("Secret", "loki-s3", data={"key": value})


def laid_out(folder: Path, files: dict[str, bytes | str]) -> Dump:
    """Write files and return what is read of them."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return dump_of(tree_of(str(folder)), now=NOW, place=str(folder))


def done(answer: Awaitable[_Answered]) -> _Answered:
    """Return what is answered."""

    async def wait() -> _Answered:
        return await answer

    return asyncio.run(wait())


def log_of(dump: Dump) -> str:
    """Return the log of the pod's container."""
    objects = DumpObjects(dump)
    return done(objects.log(POD, container="loki", lines=500, max_bytes=1 << 20))


POD_YAML = yaml.safe_dump(obj("Pod", "loki-0"))
LIST = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [obj("Pod", "loki-0")]})
LAYOUTS = {
    "must-gather": {
        "quay-io-image-sha256-1/namespaces/logging/pods/loki-0/loki-0.yaml": POD_YAML,
        "quay-io-image-sha256-1/namespaces/logging/pods/loki-0/loki/loki/logs/current.log": "now",
        "quay-io-image-sha256-1/namespaces/logging/pods/loki-0/loki/loki/logs/previous.log": "ago",
        "quay-io-image-sha256-1/timestamp": "2026-11-30 08:00:00",
    },
    "must-gather, without the container's folder": {
        "namespaces/logging/pods/loki-0/loki-0.yaml": POD_YAML,
        "namespaces/logging/pods/loki-0/logs/current.log": "now",
    },
    "must-gather of a container that has said nothing yet": {
        "namespaces/logging/core/pods.yaml": LIST,
        "namespaces/logging/pods/loki-0/loki/loki/logs/current.log": "",
        "namespaces/logging/pods/loki-0/loki/loki/logs/previous.log": "now",
    },
    "troubleshoot": {
        "cluster-resources/pods/logging.json": json.dumps(
            {"kind": "PodList", "apiVersion": "v1", "items": [obj("Pod", "loki-0")]}
        ),
        "logging/loki-0/loki.log": "now",
    },
    "troubleshoot, newer": {
        "cluster-resources/pods/logging.json": json.dumps(obj("Pod", "loki-0")),
        "cluster-resources/pods/logs/logging/loki-0/loki.log": "now",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read(layout: str, tmp_path: Path) -> None:
    """Objects and the log of the present run; the dump is as old as the last thing in it."""
    files: dict[str, bytes | str] = {**LAYOUTS[layout]}
    dump = laid_out(tmp_path, files)
    assert done(DumpObjects(dump).get(POD))["metadata"]["name"] == "loki-0"
    assert log_of(dump).strip() == "now"
    assert dump.at == datetime.fromisoformat(MADE)
    assert dump.not_read == ()


def test_rotated_logs_come_before_the_present_one(tmp_path: Path) -> None:
    """Packed or not, the oldest first."""
    place = "namespaces/logging/pods/loki-0/loki/loki/logs"
    dump = laid_out(
        tmp_path,
        {
            f"{place}/rotated/0.log.20261129-000000.gz": gzip.compress(b"second"),
            f"{place}/rotated/0.log.20261128-000000.gz": gzip.compress(b"first"),
            f"{place}/current.log": "third",
        },
    )
    assert log_of(dump) == "first\nsecond\nthird"


def test_what_is_not_in_a_dump_is_not_known(tmp_path: Path) -> None:
    """No kind is empty because it was not dumped; of one that was, what is missing is missing."""
    objects = DumpObjects(laid_out(tmp_path, {"all.yaml": POD_YAML}))
    with pytest.raises(NotReadable, match="not in this dump"):
        done(objects.list("ExternalSecret", namespace=None))
    with pytest.raises(NotReadable, match="not in this dump"):
        done(objects.get(Ref("Secret", "x", "logging")))
    with pytest.raises(NotFound):
        done(objects.get(Ref("Pod", "loki-1", "logging")))
    assert done(objects.list("Pod", namespace="other")) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="emptied"),
        pytest.param("***HIDDEN***", id="troubleshoot's"),
        pytest.param(b64encode(b"REDACTED").decode(), id="a word in its place"),
    ],
)
def test_a_secret_without_its_values_cannot_be_read(value: str, tmp_path: Path) -> None:
    """Nobody is told that the key is empty because a tool took it out."""
    objects = DumpObjects(laid_out(tmp_path, {"secret.yaml": yaml.safe_dump(secret(value))}))
    with pytest.raises(NotReadable, match="left out"):
        done(objects.get(Ref("Secret", "loki-s3", "logging")))


def test_a_whole_secret_is_read(tmp_path: Path) -> None:
    """As `kubectl get secret -o yaml` prints it."""
    whole = secret(b64encode(b"a-key").decode())
    objects = DumpObjects(laid_out(tmp_path, {"secret.yaml": yaml.safe_dump(whole)}))
    assert done(objects.get(Ref("Secret", "loki-s3", "logging"))) == whole


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param('{"kind": "Pod", "metadata": {"na', "", id="JSON that is cut off"),
        pytest.param("a: &x [*x]", "", id="an alias of itself"),
        pytest.param("[" * 100_000, "", id="nested too deeply"),
        pytest.param(b"\xff\xfe\x00", "UTF-8", id="not UTF-8"),
        pytest.param("kind: Pod\nmetadata: [1]\n", "", id="metadata of another form"),
        pytest.param("just words", "", id="YAML of something else"),
    ],
)
def test_a_broken_file_costs_no_other(content: bytes | str, words: str, tmp_path: Path) -> None:
    """It is left out, and named where it was to be an object; the rest is read."""
    dump = laid_out(tmp_path, {"a.yaml": content, "b.yaml": POD_YAML})
    assert done(DumpObjects(dump).get(POD))
    assert words in "".join(dump.not_read)


def test_a_dump_of_nothing_is_an_error(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(BadInput, match="neither an object nor a pod's log"):
        laid_out(tmp_path, {"readme.txt": "words"})
