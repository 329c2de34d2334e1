# SPDX-License-Identifier: Apache-2.0
"""Folders of anyone's: what is whole comes back, the rest is named, and nothing of it grows."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lokeys.adapters.files import folders, manifests
from lokeys.adapters.files.manifests import HandedIn, hand_in
from lokeys.errors import BadInput

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: NAME}\n"
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def secret(name: str) -> str:
    return SECRET.replace("NAME", name)


def folder(path: Path, files: Mapping[str, str | bytes]) -> HandedIn:
    """Return what is handed in of these files."""
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return hand_in(str(path))


def names(handed: HandedIn) -> list[str]:
    """Return the objects, as `namespace/name`."""
    found = [each.object["metadata"] for each in handed.objects]
    return ["/".join(filter(None, (each.get("namespace"), each["name"]))) for each in found]


def test_a_charts_templates_are_one_hint(tmp_path: Path) -> None:
    """Whether they are YAML or not; its crds are objects."""
    handed = folder(
        tmp_path,
        {
            "chart/Chart.yaml": "name: kind\n",
            "chart/values.yaml": "kind: {1: a}\n",
            "chart/templates/a.yaml": "kind: {{ .Values.kind }}\n",
            "chart/templates/b/c.yaml": secret("whole"),
            "chart/crds/d.yaml": secret("crd"),
            "own.yaml": secret("own"),
        },
    )

    assert names(handed) == ["crd", "own"]
    (told,) = handed.passed_over
    assert told.what == "2 templates of a chart"
    assert str(told.command) == f"helm template {tmp_path}/chart | lokeys validate -f -"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("kind: {{ .Values.a }}\n- b\n", "a template"),
        ("{% if a %}\nkind: x\n{% endif %}\n", "a template"),
        ("kind: !Sub a\n", "no manifest: a tag"),
        (b"\x00kind\xff", "no manifest: not UTF-8"),
        ("kind: [\n", "no manifest: no YAML"),
        ("kind: x\n" + "a: " + "[" * 100, "no manifest: nested deeper"),
        ("kind: &a [*a]\n", "no manifest: alias `a` stands for nothing"),
    ],
    ids=["Helm", "Jinja", "a tag", "bytes", "no end", "depth", "a circle"],
)
def test_what_is_no_manifest_is_named_and_its_neighbour_read(
    content: str | bytes, why: str, tmp_path: Path
) -> None:
    """One file of many ends nothing, and nothing of it is shown."""
    handed = folder(tmp_path, {"strange.yaml": content, "own.yaml": secret("own")})

    assert names(handed) == ["own"]
    assert [each.why.startswith(why) for each in handed.passed_over] == [True]


def test_a_broken_manifest_is_still_refused(tmp_path: Path) -> None:
    """What begins as an object does is what somebody means to apply."""
    with pytest.raises(BadInput, match=r"own.yaml:5: no YAML"):
        folder(tmp_path, {"own.yaml": secret("own") + "data: [\n"})


def test_keys_that_are_numbers_are_read_as_kubernetes_does(tmp_path: Path) -> None:
    """A chart's values have ports for keys."""
    handed = folder(tmp_path, {"release.yaml": secret("a") + "values: {22: a, true: b}\n"})

    assert handed.objects[0].object["values"] == {"22": "a", "true": "b"}


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    """Neither in a circle nor out; a linked file is one of the folder's, a dead link is none."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.yaml").write_text(secret("out"))
    (tmp_path / "in/circle").symlink_to(tmp_path)
    (tmp_path / "in/out").symlink_to(tmp_path / "out")
    (tmp_path / "in/file.yaml").symlink_to(tmp_path / "out/a.yaml")
    (tmp_path / "in/dead.yaml").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "in/pipe.yaml")

    assert names(hand_in(str(tmp_path / "in"))) == ["out"]


def test_large_files_are_passed_over(tmp_path: Path) -> None:
    """By their size, unread."""
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(1024 * manifests.MAX_BYTES)
    handed = folder(tmp_path, {"own.yaml": secret("own")})

    assert names(handed) == ["own"]
    assert [each.why for each in handed.passed_over] == ["larger than 10 MiB"]


@pytest.mark.timeout(60)
def test_a_folder_has_an_end(tmp_path: Path) -> None:
    """All files together are bounded."""
    for number in range(1 + folders.MAX_ALL_BYTES // manifests.MAX_BYTES):
        with (tmp_path / f"{number}.yaml").open("wb") as large:
            large.truncate(manifests.MAX_BYTES)
    with pytest.raises(BadInput, match="more than 200 MiB of manifests"):
        hand_in(str(tmp_path))


@pytest.mark.timeout(60)
def test_a_million_documents_are_passed_over(tmp_path: Path) -> None:
    """They are weighed, not built."""
    handed = folder(tmp_path, {"many.yaml": "kind: x\n---\n" * 700_000, "own.yaml": secret("own")})

    assert names(handed) == ["own"]
    assert "more than 1000000 values" in handed.passed_over[0].why


def test_many_strange_files_are_named_up_to_a_number(tmp_path: Path) -> None:
    """Then it is said that there are more; and no name is obeyed by a terminal."""
    files = {f"\x1b[2J{number:02}.yaml": "kind: [\n" for number in range(2 * folders.MAX_TOLD)}
    handed = folder(tmp_path, {**files, "own.yaml": secret("own")})

    assert len(handed.passed_over) == folders.MAX_TOLD + 1
    assert handed.passed_over[-1].what == "more files"
    assert all(each.file.isprintable() for each in handed.passed_over)


def test_an_overlay_gives_its_namespace_and_takes_patches(tmp_path: Path) -> None:
    """A base comes once for each overlay; patches and data are no objects."""
    handed = folder(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [a.yaml]\nnamespace: base\n",
            "base/a.yaml": secret("a"),
            "one/kustomization.yml": KUSTOMIZATION
            + "namespace: one\nresources: [../base]\npatches: [{path: p.yaml}]\n"
            "configMapGenerator: [{name: c, files: [data.yaml]}]\n",
            "one/p.yaml": secret("a"),
            "one/data.yaml": secret("data"),
            "two/Kustomization": KUSTOMIZATION + "namespace: two\nresources: [../base, b.yaml]\n",
            "two/b.yaml": secret("b"),
            "alone.yaml": secret("alone"),
        },
    )

    assert sorted(names(handed)) == ["alone", "one/a", "two/a", "two/b"]
    unbuilt = {name: each.unbuilt for name, each in zip(names(handed), handed.objects, strict=True)}
    changed = unbuilt["one/a"]
    assert changed is not None
    assert changed.is_changed
    assert str(changed.command) == f"kubectl kustomize {tmp_path}/one | lokeys validate -f -"
    assert unbuilt["two/a"] is None
    (told,) = handed.passed_over
    assert told.what == "1 patch of a kustomization"


def test_a_patch_that_stands_in_the_kustomization_changes_what_it_names(tmp_path: Path) -> None:
    """By its target, or by itself; others are whole."""
    patches = (
        "resources: [a.yaml, b.yaml, c.yaml]\npatches:\n"
        "- {patch: '[]', target: {kind: Secret, name: a}}\n"
        "- {patch: 'kind: Secret\n\n    metadata: {name: b}'}\n- {patch: '['}\n"
    )
    files = {f"{name}.yaml": secret(name) for name in "abc"}
    handed = folder(tmp_path, {"kustomization.yaml": KUSTOMIZATION + patches, **files})

    changed = {each.object["metadata"]["name"]: each.unbuilt is not None for each in handed.objects}
    assert changed == {"a": True, "b": True, "c": False}


def test_generators_stand_for_what_they_make(tmp_path: Path) -> None:
    """In each namespace in which they are built."""
    generator = "secretGenerator: [{name: s3, literals: [a=b]}]\n"
    handed = folder(
        tmp_path,
        {
            "base/kustomization.yaml": generator,
            "one/kustomization.yaml": "namespace: one\nresources: [../base]\n",
            "two/kustomization.yaml": "namespace: two\nresources: [../base]\n",
        },
    )

    assert {each.object["namespace"] for each in handed.objects} == {"one", "two"}
    assert {each.object["kind"] for each in handed.objects} == {"Kustomization"}


@pytest.mark.parametrize(
    "files",
    [
        {"kustomization.yaml": "resources: [., a.yaml]\n"},
        {
            "one/kustomization.yaml": "resources: [../two, ../a.yaml]\n",
            "two/kustomization.yaml": "resources: [../one]\n",
        },
        {"kustomization.yaml": "resources: [../../../../etc/passwd, /etc, a.yaml, 7]\n"},
        {"kustomization.yaml": "resources: [\n"},
        {"kustomization.yaml": "[a]\n"},
    ],
    ids=["itself", "each other", "out of the folder", "no YAML", "a list"],
)
def test_a_kustomization_of_anyones_ends(files: Mapping[str, str], tmp_path: Path) -> None:
    """The objects beside it are read."""
    assert names(folder(tmp_path, {"a.yaml": secret("a"), **files})) == ["a"]


@pytest.mark.timeout(60)
def test_ways_that_double_at_each_step_are_bounded(tmp_path: Path) -> None:
    """Forty bases, each taken twice by the next."""
    files = {
        f"{number}/kustomization.yaml": f"resources: [../{number + 1}, ../{number + 1}/../"
        f"{number + 1}, ../a.yaml]\n"
        for number in range(40)
    }
    handed = folder(tmp_path, {"a.yaml": secret("a"), **files})

    assert names(handed) == ["a"]
