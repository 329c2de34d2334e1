# SPDX-License-Identifier: Apache-2.0
"""From what a person names to the route that is meant."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.ports import FakeObjects, World
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.routes import NamedRoute, ref_of, route
from lokeys.core.place import Ref
from lokeys.errors import BadInput


def found(word: str | None, *objects: Any, file: str | None = None, **options: Any) -> NamedRoute:
    """Return the route of `word` in a cluster with these objects."""
    desk = Desk(World(), objects=FakeObjects(*objects))
    return asyncio.run(route(desk.session(**options), word, file))


def refused(word: str | None, *objects: Any, **options: Any) -> str:
    """Return what is said where nothing is found: message and hint."""
    with pytest.raises(BadInput) as caught:
        found(word, *objects, **options)
    return f"{caught.value} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("word", "ref"),
    [
        ("loki", Ref("StorageCredential", "loki", "ns")),
        ("scred/loki", Ref("StorageCredential", "loki", "ns")),
        ("statefulset/loki", Ref("StatefulSet", "loki", "ns")),
        ("sts/loki", Ref("StatefulSet", "loki", "ns")),
        ("Deployment/a", Ref("Deployment", "a", "ns")),
        ("ds/a", Ref("DaemonSet", "a", "ns")),
        ("pod/loki-0", Ref("Pod", "loki-0", "ns")),
    ],
)
def test_words_are_read_as_kubectl_reads_them(word: str, ref: Ref) -> None:
    """A bare name is a StorageCredential; KIND/NAME takes kubectl's short names."""
    assert ref_of(word, "ns") == ref


@pytest.mark.parametrize("word", ["cronjob/loki", "sts/", "/loki"])
def test_a_word_that_names_nothing_is_refused(word: str) -> None:
    """An unknown kind, or half a name, is told with the kinds that there are."""
    with pytest.raises(BadInput) as caught:
        ref_of(word, "ns")
    assert "statefulset" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "the name given is empty"),
        ("a\nb", "`a?b` is no object's name"),
        ("\x1b[31mx", "`?[31mx` is no object's name"),
        ("\udcff", "`?` is no object's name"),
        ("a?b=1", "is no object's name"),
        ("a" * 254, "is no object's name"),
        ("sts/..", "`..` is no object's name"),
        ("\x1b/a", "`?/a` names no object"),
    ],
)
def test_a_name_that_nothing_can_bear_is_refused(word: str, said: str) -> None:
    """It never comes into a URL, nor raw to the terminal; with a file neither."""
    with pytest.raises(BadInput) as caught:
        ref_of(word, "ns")
    assert said in str(caught.value)
    if "/" not in word:
        with pytest.raises(BadInput, match="name"):
            found(word, file="route.yaml")


def test_a_files_address_can_be_pasted(tmp_path: Path) -> None:
    """A file's name is quoted for the shell where it must be."""
    file = tmp_path / "sp ace;b c.yaml"
    file.write_text(yaml.safe_dump(STORAGE_CREDENTIAL))
    chosen = found(None, file=str(file))
    assert chosen.address == ("-n", "monitoring", "-f", str(file))


def test_no_file_named_is_told() -> None:
    """An unset shell variable after -f reads nothing at all."""
    with pytest.raises(BadInput, match="the file's name is empty"):
        found(None, file="")


def test_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-f -` with nothing to read from is a sentence."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(BadInput, match="stdin: it is closed"):
        found(None, file="-")


def test_a_resource_is_found_by_its_name() -> None:
    """The resource in the cluster is the route, and keeps its memory."""
    chosen = found("loki", STORAGE_CREDENTIAL)
    assert chosen.spec.route == "monitoring/loki"
    assert chosen.remembers
    assert chosen.address == ("-n", "monitoring", "loki")


def test_an_unknown_name_is_told_with_those_that_exist() -> None:
    """`lok` is not there; `loki` is."""
    assert "in monitoring there is: loki" in refused("lok", STORAGE_CREDENTIAL)


def test_a_name_of_another_namespace_is_told_where_it_is() -> None:
    """The same name elsewhere is a hint to -n."""
    assert "monitoring/loki" in refused("loki", STORAGE_CREDENTIAL, namespace="default")


def test_a_cluster_without_the_kind_leads_to_discover() -> None:
    """Nothing needs to be installed: the hint is the way without."""
    desk = Desk(World(), objects=FakeObjects(kinds=frozenset()))
    with pytest.raises(BadInput) as caught:
        asyncio.run(route(desk.session(), "loki", None))
    assert "lokeys discover -n monitoring" in (caught.value.hint or "")


def test_no_name_at_all_is_told() -> None:
    """Neither a name nor a file: say what is wanted."""
    assert "-f" in refused(None)


def test_a_file_needs_no_cluster(tmp_path: Path) -> None:
    """-f takes the resource from a file; commands are then told with -f, too."""
    file = tmp_path / "route.yaml"
    file.write_text(yaml.safe_dump(STORAGE_CREDENTIAL))
    chosen = found(None, file=str(file))
    assert chosen.spec.route == "monitoring/loki"
    assert not chosen.remembers
    assert chosen.address == ("-n", "monitoring", "-f", str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("kind: [", "YAML"),
        ("a:\n\t- b", "tab"),
        ("kind: ConfigMap\nmetadata: {name: a}\n", "no StorageCredential"),
        ("just words", "not a Kubernetes object"),
        ("kind: StorageCredential\napiVersion: lokeys.dev/v1alpha1\n", "metadata.name"),
        ("kind: A\nkind: B\n", "already given"),
    ],
    ids=[
        "nothing in it",
        "cut off",
        "tabs",
        "another kind",
        "no object",
        "no name and no spec",
        "a key given twice",
    ],
)
def test_a_bad_file_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    """What is wrong with a file stands in one message, with the file's name."""
    file = tmp_path / "route.yaml"
    file.write_text(text)
    message = refused(None, file=str(file))
    assert said in message
    assert str(file) in message


def test_a_bad_resource_in_the_cluster_is_told() -> None:
    """A resource that slipped past the schema is refused with its faults, not a traceback."""
    broken = {**STORAGE_CREDENTIAL, "spec": {}}
    assert "spec" in refused("loki", broken)
