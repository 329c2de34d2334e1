# SPDX-License-Identifier: Apache-2.0
"""Builds lokeys' own image with buildah, by the Containerfile as it is.

Its base, which a registry would hold, is made of this machine's Python and files.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from parts.debian import find
from parts.process import PartError
from parts.real_node.images import write_python

ROOT = Path(__file__).parents[3]
BASE = "localhost/python:tests"
LOKEYS = "docker.io/library/lokeys:latest"
# Where a proxy stands before the package index, pip must be told of it; the image must not.
_SETTINGS = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
TAKES_S = 900


def build_lokeys(archive: Path) -> None:
    """Write the image of this clone as an OCI archive."""
    with tempfile.TemporaryDirectory(prefix="lokeys-image-") as folder:
        base = Path(folder) / "base.tar"
        write_python(base, BASE)
        context = Path(folder) / "context"
        context.mkdir()
        _copy_clone(context)
        buildah = _Buildah(Path(folder))
        with contextlib.closing(buildah):
            buildah.run("pull", "--quiet", f"oci-archive:{base}")
            volumes = [
                word
                for path in _SETTINGS
                if Path(path).exists()
                for word in ("--volume", f"{path}:{path}:ro")
            ]
            options = ["--isolation", "chroot", "--pull-never", "--build-arg", f"BASE={BASE}"]
            file = ["--file", str(context / "deploy" / "Containerfile"), "--tag", LOKEYS]
            buildah.run("bud", *options, *volumes, *file, str(context))
            buildah.run("push", "--quiet", LOKEYS, f"oci-archive:{archive}:{LOKEYS}")


def _copy_clone(target: Path) -> None:
    """Copy what is committed, or would be: what .gitignore names stays here."""
    words = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    options = ["--cached", "--others", "--exclude-standard"]
    listed = subprocess.run([*words, *options], check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())


class _Buildah:
    """buildah with all that it keeps in one folder."""

    def __init__(self, folder: Path) -> None:
        store = folder / "store"
        self._words = [
            find("buildah") or "buildah",
            f"--root={store / 'root'}",
            f"--runroot={store / 'run'}",
            "--storage-driver=overlay",
        ]

    def run(self, *words: str) -> None:
        """Run one command, or say what went wrong."""
        done = subprocess.run(
            [*self._words, *words], check=False, capture_output=True, text=True, timeout=TAKES_S
        )
        if done.returncode:
            raise PartError(f"buildah {words[0]}: {_end(done.stdout)}\n{_end(done.stderr)}")

    def close(self) -> None:
        """Remove all images, and what is mounted of them."""
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")


def _end(text: str, lines: int = 20) -> str:
    kept: Sequence[str] = text.splitlines()[-lines:]
    return "\n".join(kept)
