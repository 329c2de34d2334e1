# SPDX-License-Identifier: Apache-2.0
"""Makes everything that a release consists of, but for the image.

    python -m release.dist FOLDER

It writes the package as source and as wheel, one program for each platform, in an archive as krew
takes it, krew's manifest, the chart, a list of what is in them (CycloneDX), and checksums. The
same commit makes the same files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path

from release import sbom
from release.changelog import changes_of
from release.krew import Archive, manifest
from release.source import ROOT, ReleaseError, committed_at, copy_to, semver

PYTHONS = ("3.11", "3.12", "3.13")
# What wheels are called that such a machine can load. Intel Macs are left out: cryptography has no
# wheels for them any more.
PLATFORMS = {
    ("linux", "amd64"): [f"manylinux{glibc}_x86_64" for glibc in ("_2_28", "_2_17", "2014")],
    ("linux", "arm64"): [f"manylinux{glibc}_aarch64" for glibc in ("_2_28", "_2_17", "2014")],
    ("darwin", "arm64"): ["macosx_12_0_arm64"],
}
ENTRY = "lokeys.__main__:main"
PROGRAM, KREW, CHANGES = "kubectl-lokeys", "lokeys-krew.yaml", "CHANGES.md"
_STATED = re.compile(r"^(version|appVersion): .*$", re.MULTILINE)
ADDRESS = "LOKEYS_RELEASES"
"""The variable that says where the files of all releases will be, as the manifest names them."""


class Distribution:
    """The files of one release, in a folder."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch
        self._source = scratch / "source"
        self.version = copy_to(self._source)
        self._time = committed_at()
        self._environment = os.environ | {"SOURCE_DATE_EPOCH": str(self._time)}

    def package(self) -> None:
        """Write the source distribution and the wheel."""
        build = [sys.executable, "-m", "hatchling", "build", "--directory", str(self._folder)]
        self._run(build, cwd=self._source)

    def chart(self) -> Path:
        """Write the chart, with the version of the release."""
        top = self._source / "deploy/chart"
        about = top / "Chart.yaml"
        about.write_text(
            re.sub(
                r"^(version|appVersion): .*$",
                rf'\1: "{semver(self.version)}"',
                about.read_text(),
                flags=re.MULTILINE,
            )
        )
        ignored = set((top / ".helmignore").read_text().split())
        files = [path for path in top.rglob("*") if path.is_file() and path.name not in ignored]
        target = self._folder / f"lokeys-chart-{semver(self.version)}.tgz"
        self._pack(target, {f"lokeys/{path.relative_to(top)}": path for path in files})
        return target

    def programs(
        self, platforms: Iterable[tuple[str, str]], *, pythons: Sequence[str] = PYTHONS
    ) -> list[Archive]:
        """Write an archive for each platform: one program for all these Pythons."""
        made = []
        for system, machine in platforms:
            tags, scratch = PLATFORMS[system, machine], self._scratch / machine / system
            packages = self._packages(tags, pythons, scratch)
            program = self._scratch / f"{system}-{machine}"
            options = ["--reproducible", "--python", "/usr/bin/env python3"]
            place = ["--site-packages", str(packages), "--output-file", str(program)]
            self._run(
                [str(self.tools() / "shiv"), *options, *place, "--entry-point", ENTRY], cwd=ROOT
            )
            archive = self._folder / f"lokeys-{self.version}-{system}-{machine}.tar.gz"
            self._pack(archive, {PROGRAM: program, "LICENSE": self._source / "LICENSE"})
            found = _digest(archive)
            made.append(Archive(system=system, machine=machine, file=archive.name, sha256=found))
        return made

    def _packages(self, tags: Sequence[str], pythons: Sequence[str], folder: Path) -> Path:
        """Install what lokeys runs on for all Pythons: compiled modules differ in their names."""
        whole = folder / "all"
        wanted = [word for tag in tags for word in ("--platform", tag)]
        for version in pythons:
            target = folder / version
            options = ["--no-compile", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
            kind = ["--python-version", version, "--implementation", "cp", *wanted]
            self._pip(*options, *kind, "--target", str(target), lock="runtime")
            shutil.copytree(target, whole, dirs_exist_ok=True)
        shutil.copytree(self._source / "src/lokeys", whole / "lokeys")
        self._run([sys.executable, "deploy/trim.py", str(whole)], cwd=self._source)
        return whole

    def _pip(self, *options: str, lock: str, python: str = sys.executable) -> None:
        words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._run([*words, *options, "--requirement", f"locks/{lock}.txt"], cwd=self._source)

    def krew(self, archives: Sequence[Archive]) -> None:
        """Write krew's manifest of the archives."""
        text = manifest(semver(self.version), archives, address=os.environ.get(ADDRESS, ""))
        (self._folder / KREW).write_text(text)

    def changes(self) -> None:
        """Write the notes of the release."""
        text = (self._source / "CHANGELOG.md").read_text()
        (self._folder / CHANGES).write_text(changes_of(text, self.version))

    def bill(self) -> None:
        """Write the list of what lokeys brings along."""
        parts = sbom.of_lock((self._source / "locks/runtime.txt").read_text())
        made = sbom.document("lokeys", self.version, parts, time=self._time)
        path = self._folder / f"lokeys-{self.version}.cdx.json"
        path.write_text(json.dumps(made, indent=1) + "\n")

    def checksums(self) -> None:
        """Write the checksums of the release's files, as `sha256sum --check` reads them.

        What other versions left in the folder is none of it; an image of this one is.
        """
        ours = {self.version, semver(self.version), KREW, CHANGES}
        files = sorted(
            path for path in self._folder.iterdir() if any(word in path.name for word in ours)
        )
        lines = (
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
        )
        (self._folder / "SHA256SUMS").write_text("".join(lines))

    def _pack(self, archive: Path, files: dict[str, Path]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, path in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime = path.stat().st_size, self._time
                entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") as file:
                    tar.addfile(entry, file)
        archive.write_bytes(gzip.compress(packed.getvalue(), mtime=0))

    def tools(self) -> Path:
        """Return where the tools of releases are, installed with their hashes checked."""
        home = self._scratch / "tools"
        if not home.exists():
            venv.create(home, with_pip=True)
            self._pip("--require-hashes", lock="release", python=str(home / "bin/python"))
        return home / "bin"

    def _run(self, words: Sequence[str], *, cwd: Path) -> None:
        done = subprocess.run(
            words, cwd=cwd, env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise ReleaseError(f"{words[0]} ended with {done.returncode}:\n{done.stderr[-3000:]}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(folder: Path) -> int:
    """Make all of it."""
    folder.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="lokeys-dist-") as scratch:
            made = Distribution(folder.resolve(), Path(scratch))
            made.changes()
            made.package()
            made.chart()
            made.krew(made.programs(PLATFORMS))
            made.bill()
            made.checksums()
    except ReleaseError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        path = folder / line.split()[1]
        sys.stdout.write(f"{path}  {path.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
