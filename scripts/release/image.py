# SPDX-License-Identifier: Apache-2.0
"""Builds lokeys' own image with buildah, by the Containerfile as it is, and says what is in it.

    python -m release.image FOLDER    writes lokeys-VERSION-image.tar, an OCI archive, and its SBOM

No registry is asked: the base is made of Debian's packages. The same commit and the same packages
make the same layers.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from release import sbom
from release.debian_base import write_base
from release.source import ReleaseError, committed_at, copy_to, semver

BASE = "localhost/debian-python:base"
NAME = "docker.io/library/lokeys"
MAX_BYTES = 150_000_000
# Where a proxy stands before the package index, pip must be told of it; the image must not.
_SETTINGS = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
TAKES_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image as it was built."""

    tag: str
    archive: Path
    bill: Path
    layers: Sequence[str]
    size: int


def build(folder: Path) -> Built:
    """Build the image of this clone into a folder, named by its version."""
    with tempfile.TemporaryDirectory(prefix="lokeys-image-") as scratch:
        work, time = Path(scratch), committed_at()
        packages = write_base(work / "base.tar", BASE, folder=work, time=time)
        context = work / "context"
        version = copy_to(context)
        archive = folder / f"lokeys-{version}-image.tar"
        with contextlib.closing(_Buildah(work)) as buildah:
            buildah.run("pull", "--quiet", f"oci-archive:{work / 'base.tar'}")
            tag = semver(version)
            name = f"{NAME}:{tag}"
            buildah.run(
                *("bud", "--isolation", "chroot", "--pull-never", "--timestamp", str(time)),
                *("--build-arg", f"BASE={BASE}", *_volumes(), "--tag", name),
                *("--file", str(context / "deploy/Containerfile"), str(context)),
            )
            archive.unlink(missing_ok=True)
            buildah.run("push", "--quiet", name, f"oci-archive:{archive}:{name}")
            with buildah.mounted(name) as root:
                size = _size(root)
                (installed,) = root.glob("opt/lokeys/lib/python3*/site-packages")
                components = [*sbom.of_debian(packages), *sbom.of_environment(installed)]
            layers = json.loads(buildah.run("inspect", "--type", "image", name))
    made = sbom.document("lokeys", version, components, time=time)
    bill = archive.with_suffix(".cdx.json")
    bill.write_text(json.dumps(made, indent=1) + "\n")
    return Built(
        tag=tag,
        archive=archive,
        bill=bill,
        layers=layers["OCIv1"]["rootfs"]["diff_ids"],
        size=size,
    )


def _volumes() -> list[str]:
    there = [path for path in _SETTINGS if Path(path).exists()]
    return [word for path in there for word in ("--volume", f"{path}:{path}:ro")]


def _size(root: Path) -> int:
    """Return how much room its files take, each counted once."""
    found = {}
    for path in root.rglob("*"):
        about = path.lstat()
        found[about.st_ino] = about.st_size
    return sum(found.values())


class _Buildah:
    """buildah with all that it keeps in one folder."""

    def __init__(self, folder: Path) -> None:
        store = folder / "store"
        program = shutil.which("buildah")
        if program is None:
            command = "apt-get install --no-install-recommends buildah"
            raise ReleaseError(f"buildah not found, run `{command}`")
        self._words = [
            program,
            f"--root={store / 'root'}",
            f"--runroot={store / 'run'}",
            "--storage-driver=overlay",
        ]

    def run(self, *words: str) -> str:
        """Run one command; return what it prints, or say what went wrong."""
        done = subprocess.run(
            [*self._words, *words], check=False, capture_output=True, text=True, timeout=TAKES_S
        )
        if done.returncode:
            raise ReleaseError(f"buildah {words[0]}: {_end(done.stdout)}\n{_end(done.stderr)}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """Show the files of an image."""
        container = self.run("from", "--pull-never", name)
        try:
            yield Path(self.run("mount", container))
        finally:
            self.run("rm", container)

    def close(self) -> None:
        """Remove all images, and what is mounted of them."""
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")


def _end(text: str, lines: int = 20) -> str:
    return "\n".join(text.splitlines()[-lines:])


def main(folder: Path) -> int:
    """Build it, and hold it to its size."""
    folder.mkdir(exist_ok=True)
    try:
        built = build(folder)
    except ReleaseError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(f"{built.archive}: {built.size / 1e6:.0f} MB unpacked\n")
    sys.stdout.writelines(f"  layer {layer}\n" for layer in built.layers)
    sys.stdout.write(f"{built.bill}\n")
    if built.size > MAX_BYTES:
        sys.stderr.write(f"error: more than {MAX_BYTES / 1e6:.0f} MB\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
