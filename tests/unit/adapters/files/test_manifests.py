# SPDX-License-Identifier: Apache-2.0
"""Manifests out of files: what is sound comes back with its place, the rest with its fault."""

import io
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.files import folders, manifests
from lokeys.adapters.files import routes as route_files
from lokeys.errors import BadInput
from manifests.storagecredential import MINIMAL, ROOK

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "route.yaml"


def read(text: str | bytes) -> tuple[manifests.Located, ...]:
    content = text.encode() if isinstance(text, str) else text
    return manifests.read("-", stdin=io.BytesIO(content))


def refusal(text: str | bytes) -> BadInput:
    with pytest.raises(BadInput) as refused:
        read(text)
    return refused.value


def test_documents_come_with_their_lines(file: Path) -> None:
    """Several documents in one file are several objects, each with the line it begins in."""
    file.write_text(f"# a comment\n---\n{SECRET}---\n---\n{SECRET}")
    assert [item.place for item in manifests.read(str(file))] == [f"{file}:3", f"{file}:8"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROOK),
        json.dumps(ROOK, indent="\t"),
        yaml.safe_dump(ROOK),
        "\ufeff" + yaml.safe_dump(ROOK),
        yaml.safe_dump(ROOK).replace("\n", "\r\n"),
        yaml.safe_dump(ROOK, explicit_start=True, explicit_end=True),
    ],
    ids=[
        "JSON",
        "JSON with tabs",
        "YAML",
        "a byte order mark",
        "Windows' line ends",
        "with markers",
    ],
)
def test_the_same_object_in_any_clothes(text: str) -> None:
    """JSON and YAML, byte order marks and line ends make no difference."""
    (item,) = read(text)
    assert item.object == ROOK


def test_lists_are_flattened() -> None:
    """What kubectl get prints, a List within a List even, is the objects in it."""
    inner = {"kind": "SecretList", "apiVersion": "v1", "items": [MINIMAL]}
    (one, other) = read(json.dumps({"kind": "List", "items": [inner, ROOK]}))
    assert (one.object, other.object) == (MINIMAL, ROOK)


def test_times_and_merged_keys_are_read_as_kubernetes_does() -> None:
    """A time stays text, as in JSON; `<<` takes over the other mapping's keys."""
    (item,) = read("a: &a {x: 2026-01-01}\nkind: X\nb: {<<: *a, y: 1, <<: *a}\n")
    assert item.object["b"] == {"x": "2026-01-01", "y": 1}


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        ("", "stdin", "empty", "apiVersion"),
        ("---\n---\n# nothing\n", "stdin", "empty", "apiVersion"),
        ("just text", "stdin:1", "not a Kubernetes object", "apiVersion"),
        ("- a\n- b\n", "stdin:1", "not a Kubernetes object", "apiVersion"),
        (f"{SECRET}---\na: 1\n", "stdin:5", "not a Kubernetes object", "apiVersion"),
        ("kind: 5\n", "stdin:1", "not a Kubernetes object", "apiVersion"),
        ("kind: List\nitems: [1]\n", "stdin:1", "not a Kubernetes object", "apiVersion"),
        ("kind: X\nspec:\n\ta: 1\n", "stdin:3", "no YAML", "spaces"),
        ("kind: X\nspec: {a: 1\n", "stdin:3", "no YAML", None),
        ("kind: X\nspec: a: b\n", "stdin:2", "no YAML", None),
        ("kind: X\na: 1\nb: 2\na: 3\n", "stdin:4", "`a` is already given in line 2", None),
        ('{"kind": "X",\n"a": 1,\n"a": 2}', "stdin:3", "`a` is already given in line 2", None),
        ("kind: X\n1: a\n", "stdin:2", "a key is not text", None),
        ("kind: X\non: a\n", "stdin:2", "a key is not text", None),
        ("kind: X\n? [a]\n: b\n", "stdin:2", "a key is not text", None),
        ("kind: X\na: !!python/object:os.system {}\n", "stdin:2", "a tag", "remove"),
        ("kind: X\na: !!timestamp x\n", "stdin:2", "a tag", "remove"),
        ("kind: X\na: *b\n", "stdin:2", "alias `b` stands for nothing", None),
        ("kind: X\na: &a [*a]\n", "stdin:2", "alias `a` stands for nothing", None),
        (BOMB + "kind: X\n", "stdin:6", "aliases written out", "without aliases"),
        ("[" * 100_000, "stdin:1", "nested deeper", None),
        ("kind: X\na: " + "9" * 5000, "stdin", "makes no sense", "quotes"),
        ("kind: X\na: \0\n", "stdin", "cannot be read as YAML", "text file"),
        (b"kind: X\na: \xff\n", "stdin:2", "not UTF-8", "UTF-8"),
        (b"x" * (manifests.MAX_BYTES + 1), "stdin", "larger than 10 MiB", "only the objects"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_used_is_refused(
    text: str | bytes, place: str, problem: str, hint: str | None
) -> None:
    """A refusal names file and line, what is wrong, and what to do where that is clear."""
    refused = refusal(text)
    assert refused.place == place
    assert problem in str(refused)
    assert (refused.hint is None) if hint is None else (hint in (refused.hint or ""))


def test_a_refusal_never_repeats_the_input() -> None:
    """A secret next to a fault is not in the message."""
    canary = "canary-Value"
    for text in (
        f"kind: X\na: {canary}: {canary}\n",
        f"kind: X\n\t{canary}\n",
        f"kind: 'X\n{canary}",
    ):
        refused = refusal(text)
        assert canary not in f"{refused} {refused.hint}"
        assert refused.__cause__ is None


@given(
    st.binary(max_size=60)
    | st.text(alphabet="a:-{}[]&*!|>'\"#%@`\n\t ?,", max_size=40).map(str.encode)
)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """There is no input that ends in another error."""
    try:
        read(content)
    except BadInput:
        return


@pytest.mark.timeout(30)
def test_ten_megabytes_are_read(file: Path) -> None:
    """A file at the limit is read."""
    file.write_text("kind: X\na: " + "x" * (manifests.MAX_BYTES - 11))
    assert len(manifests.read(str(file))) == 1


def test_a_folder_gives_all_its_manifests(tmp_path: Path) -> None:
    """Files below it too, in order; hidden ones, other files and other YAML are passed over."""
    for name, text in {
        "b.yaml": SECRET,
        "a/c.yml": SECRET,
        "a/d.json": json.dumps(MINIMAL),
        ".hidden/e.yaml": "{",
        "values.yaml": "replicas: 1\n",
        "empty.yaml": "",
        "notes.md": "{",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [Path(item.file).name for item in manifests.read(str(tmp_path))]
    assert found == ["c.yml", "d.json", "b.yaml"]
    (one,) = route_files.storage_credentials(str(tmp_path))
    assert one.title == "StorageCredential monitoring/copied"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "no manifest in this folder"),
        (lambda path: path.symlink_to(path), "Too many levels"),
    ],
    ids=["nothing", "an empty folder", "a link to itself"],
)
def test_a_path_without_manifests_is_refused(file: Path, make: object, problem: str) -> None:
    """The refusal says what is there."""
    assert callable(make)
    make(file)
    with pytest.raises(BadInput, match=problem):
        manifests.read(str(file))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """A home directory given by mistake is not read."""
    for number in range(folders.MAX_FILES + 1):
        (tmp_path / f"{number}.yaml").touch()
    with pytest.raises(BadInput, match="more than 5000"):
        manifests.read(str(tmp_path))


def choose(*objects: object, name: str | None = None) -> manifests.Located:
    text = json.dumps({"kind": "List", "items": objects})
    return route_files.storage_credential("-", name=name, stdin=io.BytesIO(text.encode()))


def test_the_only_credential_is_chosen_without_a_name() -> None:
    """Other kinds beside it do not matter."""
    assert choose(yaml.safe_load(SECRET), ROOK).object == ROOK


def test_a_credential_is_chosen_by_its_name() -> None:
    """Of several, the one that was named."""
    assert choose(MINIMAL, ROOK, name="loki").object == ROOK


@pytest.mark.parametrize(
    ("objects", "name", "problem", "hint"),
    [
        (
            [MINIMAL, ROOK],
            None,
            "more than one",
            "monitoring/copied (stdin:1), StorageCredential monitoring/loki",
        ),
        ([MINIMAL], "loki", "no StorageCredential named loki", "monitoring/copied"),
        ([ROOK, ROOK], "loki", "more than one", "monitoring/loki"),
        ([{"kind": "Secret"}], None, "no StorageCredential in here", "discover"),
        ([{"kind": "StorageCredential"}, MINIMAL], None, "more than one", "(no name)"),
    ],
)
def test_a_choice_that_cannot_be_made_lists_what_there_is(
    objects: list[object], name: str | None, problem: str, hint: str
) -> None:
    """Nobody has to open the file to learn the names."""
    with pytest.raises(BadInput, match=problem) as refused:
        choose(*objects, name=name)
    assert hint in (refused.value.hint or "")


def test_a_faulty_credential_is_refused_with_place_and_faults() -> None:
    """One fault stands in the line, several below it."""
    bad = {**MINIMAL, "spec": {**MINIMAL["spec"], "mode": "heal"}}
    with pytest.raises(BadInput, match="stdin:1: StorageCredential monitoring/copied: spec") as one:
        route_files.route_spec(choose(bad))
    assert one.value.hint
    worse = {**bad, "spec": {**bad["spec"], "secret": {}}}
    with pytest.raises(BadInput, match="has 2 faults:") as both:
        route_files.route_spec(choose(worse))
    assert "\n  spec.mode: " in str(both.value)
    assert "\n  spec.secret.name: missing; expected the Secret's name" in str(both.value)


def test_a_sound_credential_becomes_a_route() -> None:
    """The namespace is the caller's where the file names none."""
    bare = {**MINIMAL, "metadata": {"name": "copied"}}
    assert route_files.route_spec(choose(bare), namespace="logs").route == "logs/copied"


LINES = """\
kind: Secret
stringData: &base
  a: x
---
---
kind: List
items:
- kind: Secret
  stringData: {<<: &more {b: x}, c: x}
- {kind: LokiStack, spec: {storage: {schemas: [{version: v11},
   {version: v13}]}}}
- kind: Secret
  stringData: {<<: [{d: x}, {e: x}]}
"""


@pytest.mark.parametrize(
    ("number", "path", "expected"),
    [
        (0, ("stringData", "a"), (3, 3)),
        (0, ("stringData", "b"), (2, 1)),
        (0, ("kind", "deeper"), (1, 1)),
        (0, (), (1, 1)),
        (1, ("stringData", "c"), (9, 34)),
        (1, ("stringData", "b"), (9, 27)),
        (2, ("spec", "storage", "schemas", 1, "version"), (11, 5)),
        (2, ("spec", "storage", "schemas", 2), (10, 38)),
        (2, ("spec", "storage", "schemas", "x"), (10, 38)),
        (3, ("stringData", "e"), (13, 30)),
        (3, (), (12, 3)),
    ],
)
def test_a_field_is_found_in_its_line(
    number: int, path: tuple[str | int, ...], expected: tuple[int, int]
) -> None:
    """In any document, in lists of objects, through merge keys; else the nearest thing around."""
    assert read(LINES)[number].position_of(path) == expected


def test_an_object_from_elsewhere_has_one_line() -> None:
    """What never stood in a text is found where it is said to be."""
    located = manifests.Located(object={}, file="the cluster", line=1)
    assert located.position_of(("spec",)) == (1, 1)
