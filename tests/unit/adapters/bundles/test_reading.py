# SPDX-License-Identifier: Apache-2.0
"""Archives and folders of anybody's: nothing outside is read, nothing unfolds without end."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lokeys.adapters.bundles import reading
from lokeys.adapters.bundles.reading import tree_of
from lokeys.errors import BadInput


def packed(place: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> str:
    """Write an archive and return its name."""
    with tarfile.open(place, "w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return str(place)


def file(name: str) -> tarfile.TarInfo:
    """Return the entry of a file."""
    return tarfile.TarInfo(name)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return the entry of a link."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(link("x.json", "/etc/hostname"), id="a link"),
        pytest.param(link("x.json", "good.json", tarfile.LNKTYPE), id="a hard link"),
        pytest.param(link("x.json", "", tarfile.FIFOTYPE), id="a pipe"),
        pytest.param(file("../x.json"), id="the folder above"),
        pytest.param(file("/x.json"), id="the root"),
    ],
)
def test_nothing_leads_outside_of_an_archive(entry: tarfile.TarInfo, tmp_path: Path) -> None:
    """It is left out with a note; what is beside it is read."""
    tree = tree_of(packed(tmp_path / "b.tgz", (entry, b""), (file("good.json"), b"{}")))
    assert [*tree.files] == ["good.json"]
    assert "x.json" in tree.notes[0]


def test_no_link_of_a_folder_is_followed(tmp_path: Path) -> None:
    """Neither to a file nor to a folder, nor is a pipe waited for."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.json").write_text("{}")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "good.json").write_text("{}")
    (bundle / "a.json").symlink_to(outside / "x.json")
    (bundle / "b").symlink_to(outside)
    os.mkfifo(bundle / "c.json")
    tree = tree_of(str(bundle))
    assert [*tree.files] == ["good.json"]
    assert len(tree.notes) == 3


def test_a_bomb_in_a_file_is_left_out(tmp_path: Path) -> None:
    """A packed log that unfolds to far more than it is."""
    bomb = gzip.compress(b"\0" * (reading.MAX_FILE_BYTES + 1))
    tree = tree_of(packed(tmp_path / "b.tgz", (file("a.log.gz"), bomb), (file("b.log"), b"x")))
    assert [*tree.files] == ["b.log"]
    assert "larger than" in tree.notes[0]


def test_a_bomb_of_an_archive_ends_the_reading(tmp_path: Path) -> None:
    """Its entry promises more than is ever unfolded: what came before it is read."""
    place = tmp_path / "b.tar"
    huge = file("z.json")
    huge.size = reading.MAX_UNPACKED_BYTES + 1
    good = file("a.json")
    good.size = 2
    padded = b"{}".ljust(512, b"\0")
    place.write_bytes(good.tobuf() + padded + huge.tobuf() + b"\0" * 1024)
    tree = tree_of(str(place))
    assert [*tree.files] == ["a.json"]
    assert "unfolds" in tree.notes[0]


def test_an_archive_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """With a note; one that is cut off in its first file is an error."""
    entries = [(file(f"{n}.json"), os.urandom(50_000)) for n in range(4)]
    place = Path(packed(tmp_path / "b.tgz", *entries))
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    tree = tree_of(str(place))
    assert 1 <= len(tree.files) < 4
    assert any("cut off" in note or "to its end" in note for note in tree.notes)
    place.write_bytes(whole[:30])
    with pytest.raises(BadInput):
        tree_of(str(place))


def _text(place: Path) -> None:
    place.write_text("level=error msg=no archive")


def _zip(place: Path) -> None:
    place.write_bytes(b"PK\x03\x04" + b"\0" * 100)


def _empty(place: Path) -> None:
    place.write_bytes(b"")


def _folder(place: Path) -> None:
    place.mkdir()


def _pipe(place: Path) -> None:
    os.mkfifo(place)


@pytest.mark.parametrize("make", [_text, _zip, _empty, _folder, _pipe, lambda _: None])
def test_what_is_no_bundle_is_an_error(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A sentence with the place, and what to do; no traceback, and nothing is waited for."""
    place = tmp_path / "b.tgz"
    make(place)
    with pytest.raises(BadInput) as told:
        tree_of(str(place))
    assert str(place) in str(told.value)


def test_the_folder_that_all_is_in_is_left_out_of_names(tmp_path: Path) -> None:
    """Archives mostly have one."""
    names = ("top/namespaces/a/b.yaml", "top/namespaces/c.yaml")
    tree = tree_of(packed(tmp_path / "b.tgz", *((file(name), b"{}") for name in names)))
    assert sorted(tree.files) == ["namespaces/a/b.yaml", "namespaces/c.yaml"]
