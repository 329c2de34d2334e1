# SPDX-License-Identifier: Apache-2.0
"""What was recorded is what the bundle answers: objects, lists, errors, logs, and others' words."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fakes.ports import FakeObjects
from lokeys.adapters.bundles.layout import ANSWERS, CALLS, MANIFEST
from lokeys.adapters.bundles.reading import Tree, tree_of
from lokeys.adapters.bundles.recording import Recorder
from lokeys.adapters.bundles.replay import Bundle, BundleObjects, bundle_of
from lokeys.adapters.bundles.writing import CollectedRun, files_of, write
from lokeys.core.place import Ref
from lokeys.errors import BadInput, Forbidden, LokeysError, NotFound, NotReadable, Unreachable
from lokeys.kube.replies import NoSuchKind

RUN = CollectedRun(
    at=datetime(2026, 12, 1, tzinfo=UTC), namespace=None, probe="read", kept=True, key_name="k:x"
)
_Answered = TypeVar("_Answered")


def obj(kind: str, name: str, namespace: str | None = "logging", **rest: Any) -> dict[str, Any]:
    """Return an object."""
    metadata = {"name": name, "labels": {"app": name}} | (
        {"namespace": namespace} if namespace else {}
    )
    return {"kind": kind, "metadata": metadata, **rest}


LOKI = {"template": {"spec": {"containers": [{"name": "loki", "image": "grafana/loki:3.5.0"}]}}}
OTHER = {"template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}}
OBJECTS = (
    obj("Pod", "loki-0"),
    obj("Pod", "loki-1", "other"),
    obj("ConfigMap", "loki", data={"a": "b"}),
    obj("ClusterSecretStore", "op", None),
    obj("StatefulSet", "loki", spec=LOKI),
    obj("StatefulSet", "web", spec=OTHER),
)


class Cluster(FakeObjects):
    """Fails for the names that are errors' own."""

    def __init__(self, **failing: LokeysError) -> None:
        super().__init__(*OBJECTS)
        self.failing = failing

    async def get(self, ref: Ref) -> Any:
        """Return the object, or fail as asked."""
        if ref.name in self.failing:
            raise self.failing[ref.name]
        return await super().get(ref)

    async def list(self, kind: str, *, namespace: str | None, labels: str | None = None) -> Any:
        """Return objects, or fail as asked."""
        if kind in self.failing:
            raise self.failing[kind]
        return await super().list(kind, namespace=namespace)


def done(answer: Awaitable[_Answered]) -> _Answered:
    """Return what is answered."""

    async def wait() -> _Answered:
        return await answer

    return asyncio.run(wait())


def kept(recorder: Recorder, *, max_bytes: int = 1 << 20) -> Bundle:
    """Return the bundle of what was recorded."""
    return bundle_of(Tree(files=files_of(recorder, RUN, max_bytes=max_bytes)), place="b")


def test_objects_are_answered_as_they_were() -> None:
    """By name and in lists; of those that no look goes on with, workloads without Loki, none."""
    recorder = Recorder()
    live = recorder.objects(Cluster())
    ref = Ref("ConfigMap", "loki", "logging")
    one, pods = done(live.get(ref)), done(live.list("Pod", namespace=None))
    done(live.list("StatefulSet", namespace=None))
    done(live.list("ClusterSecretStore", namespace=None))
    again = BundleObjects(kept(recorder))
    assert done(again.get(ref)) == one
    assert done(again.list("Pod", namespace=None)) == pods
    assert done(again.list("Pod", namespace="other", labels="app=loki-1")) == pods[1:]
    names = [o["metadata"]["name"] for o in done(again.list("StatefulSet", namespace=None))]
    assert names == ["loki"]
    assert len(done(again.list("ClusterSecretStore", namespace=None))) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("gone"), id="not found"),
        pytest.param(NoSuchKind("no such kind"), id="a kind that is not installed"),
        pytest.param(Forbidden("may not"), id="forbidden"),
        pytest.param(Unreachable("silent"), id="no answer"),
    ],
)
def test_errors_are_met_again(error: LokeysError) -> None:
    """Of the same kind and words; what was not answered stands in the manifest."""
    recorder = Recorder()
    live = recorder.objects(Cluster(x=error, Pod=error))
    for _ in range(2):
        with pytest.raises(type(error)):
            done(live.get(Ref("Secret", "x", "logging")))
        with pytest.raises(type(error)):
            done(live.list("Pod", namespace="logging"))
    bundle = kept(recorder)
    again = BundleObjects(bundle)
    with pytest.raises(type(error), match=str(error)) as told:
        done(again.get(Ref("Secret", "x", "logging")))
    assert type(told.value) is type(error)
    with pytest.raises(type(error), match=str(error)):
        done(again.list("Pod", namespace="logging"))
    gone = isinstance(error, NotFound)
    assert bundle.manifest.not_read == (() if gone else (str(error),))


def test_what_nobody_asked_for_is_not_answered() -> None:
    """Not with an empty list, and not with a word that it does not exist."""
    again = BundleObjects(kept(Recorder()))
    for call in (
        again.get(Ref("Pod", "loki-0", "logging")),
        again.log(Ref("Pod", "loki-0", "logging"), container="loki", lines=1, max_bytes=1),
        again.list("Pod", namespace=None),
    ):
        with pytest.raises(NotReadable, match="not in this bundle"):
            done(call)


def test_a_log_is_trimmed_around_trouble() -> None:
    """Its beginning, its end, and what is around an error; the manifest counts both."""
    lines = [f"level=info msg=l{n}" for n in range(1000)]
    lines[500] = "level=error msg=AccessDenied"
    pod = Ref("Pod", "loki-0", "logging")
    recorder = Recorder(logs={(pod, "loki"): "\n".join(lines)})
    bundle = kept(recorder)
    text = done(BundleObjects(bundle).log(pod, container="loki", lines=9, max_bytes=9))
    assert [line for line in text.split("\n") if "msg=l49" in line or "Denied" in line] == [
        *(f"level=info msg=l{n}" for n in (497, 498, 499)),
        lines[500],
    ]
    (log,) = bundle.calls.logs
    assert (log.lines, log.kept) == (1000, 20 + 7 + 40)


def test_a_bundle_has_a_bound_and_says_what_it_left_out() -> None:
    """Its parts that are always there are; an object that does not fit is named."""
    recorder = Recorder()
    done(recorder.objects(Cluster()).list("Pod", namespace=None))
    bundle = kept(recorder, max_bytes=0)
    assert len(bundle.not_read) == 2
    assert all("would be larger than" in words for words in bundle.not_read)
    assert bundle.calls.lists[0].left_out == 2


def _cut(content: bytes) -> bytes | None:
    return content[: len(content) // 2]


@pytest.mark.parametrize("part", [MANIFEST, CALLS, ANSWERS])
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(_cut, id="half-written"),
        pytest.param(lambda _: None, id="missing"),
        pytest.param(lambda _: b"[]", id="of another form"),
        pytest.param(lambda _: b"[" * 100_000, id="nested too deeply"),
        pytest.param(lambda _: b"\xff\xfe", id="no text"),
    ],
)
def test_a_broken_part_is_an_error(part: str, broken: Callable[[bytes], bytes | None]) -> None:
    """A sentence that names the part and says what to do; its content is not quoted."""
    files = files_of(Recorder(), RUN)
    content = broken(files.pop(part))
    if content is not None:
        files[part] = content
    with pytest.raises(BadInput, match=part) as told:
        bundle_of(Tree(files=files), place="b")
    assert told.value.hint == "collect it again"


def test_a_broken_object_is_named_and_left_out() -> None:
    """The others are answered."""
    recorder = Recorder()
    pods = done(recorder.objects(Cluster()).list("Pod", namespace=None))
    files = files_of(recorder, RUN)
    files["objects/logging/Pod/loki-0.json"] = b'{"kind": "Pod", "meta'
    bundle = bundle_of(Tree(files=files), place="b")
    assert "loki-0.json" in bundle.not_read[0]
    assert done(BundleObjects(bundle).list("Pod", namespace=None)) == pods[1:]


@pytest.mark.parametrize("name", ["bundle", "bundle.tar.gz", "bundle.tgz"])
def test_a_bundle_is_written_once_for_its_owner_alone(name: str, tmp_path: Path) -> None:
    """Into a new folder or archive; over nothing that is there."""
    files = files_of(Recorder(), RUN)
    place = tmp_path / name
    write(files, place)
    assert tree_of(str(place)).files == files
    written = [place, *place.rglob("*")]
    assert all(each.stat().st_mode & 0o077 == 0 for each in written)
    with pytest.raises(BadInput, match="there is something already"):
        write(files, place)
    with pytest.raises(BadInput, match="cannot be written"):
        write(files, Path("/proc/nowhere") / name)
