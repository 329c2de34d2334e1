# SPDX-License-Identifier: Apache-2.0
"""An image of a plain Python, made of Debian's own packages: no registry is asked.

apt resolves what Python needs on a machine that has nothing; of that all is taken that a program in
a container can use. Made twice of the same packages, it is the same to the last bit.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from release.oci import Image
from release.source import ReleaseError

WANTED = ("python3", "python3-venv", "dash", "ca-certificates", "tzdata", "base-files")
_LEFT_OUT = re.compile(
    # They install packages, and no package is installed in the image.
    r"dpkg|tar|debconf|debianutils|mawk|openssl|libmd0|libpcre2-.*|libselinux1|libacl1|perl.*"
    # Python's modules for them are left out, below.
    r"|libdb5\.3.*|libnsl2|libtirpc.*|libgssapi-.*|libkrb5.*|libk5crypto.*|libkeyutils1"
    r"|libcom-err2|libreadline.*|readline-common|libncurses.*|libtinfo6"
)
_NOT_COPIED = re.compile(
    r"usr/share/(man|locale|lintian|info|bug|zsh|bash-completion|doc-base|pixmaps|applications)/"
    r"|usr/share/doc/(?!.*/copyright$)"
    r"|usr/lib/python3[^/]*/(test|idlelib|lib2to3|tkinter|turtledemo|pydoc_data|config-[^/]*)/"
    r"|usr/lib/python3[^/]*/lib-dynload/(_curses|_dbm|readline|nis|_crypt|_test|_tkinter)[^/]*"
    r"|usr/lib/python3/dist-packages/"
    r"|usr/lib/[^/]*/gconv/|usr/share/zoneinfo/right/"
    r"|usr/lib/(systemd|udev)/|etc/(cron|logrotate|init)[^/]*/"
)
_MERGED = ("bin", "sbin", "lib", "lib64")
_CERTIFICATES = "usr/share/ca-certificates/mozilla"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One of Debian's packages, as it was taken."""

    name: str
    version: str
    architecture: str


def write_base(archive: Path, name: str, *, folder: Path, time: int) -> list[Package]:
    """Write the image as an OCI archive; return what it is made of. `folder` is for the work."""
    files, root = _download(folder / "debs"), folder / "root"
    for link in _MERGED:
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    packages = [_unpack(file, root) for file in files]
    _complete(root)
    layer = folder / "base.layer"
    with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            if is_copied(_slashed(path, root)):
                tar.add(path, str(path.relative_to(root)), recursive=False, filter=_plain(time))
    Image(names=[name], layers=[layer], command=["python3"]).write(archive)
    return packages


def is_taken(package: str) -> bool:
    """Tell whether a package that apt would install is of use in a container."""
    return not _LEFT_OUT.fullmatch(package)


def is_copied(path: str) -> bool:
    """Tell whether a file of a package gets into the image; a folder ends in a slash."""
    return not _NOT_COPIED.match(path)


def _slashed(path: Path, root: Path) -> str:
    name = str(path.relative_to(root))
    return f"{name}/" if path.is_dir() and not path.is_symlink() else name


def _plain(time: int) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    def changed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = time
        return entry

    return changed


def _download(folder: Path) -> list[Path]:
    """Fetch the packages that apt would install on an empty machine, their hashes checked."""
    folder.mkdir()
    folder.chmod(0o777)  # apt drops its rights to download
    empty = ["-o", "Dir::State::status=/dev/null"]
    options = ["--print-uris", "--yes", "--no-install-recommends"]
    said = _run("apt-get", *empty, *options, "install", *WANTED)
    named = re.findall(r"^'\S+' ([^_\s]+)_(\S+)_(\w+)\.deb \d+", said, re.MULTILINE)
    if not named:
        raise ReleaseError("apt knows no package: run `apt-get update`")
    taken = [
        f"{name}:{architecture}={version.replace('%3a', ':')}"
        if architecture != "all"
        else f"{name}={version.replace('%3a', ':')}"
        for name, version, architecture in sorted(named)
        if is_taken(name)
    ]
    _run("apt-get", "download", "--quiet", *taken, cwd=folder)
    return sorted(folder.glob("*.deb"))


def _unpack(file: Path, root: Path) -> Package:
    """Unpack a package, and note what it is where tools that look for weaknesses read it."""
    packed = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", file], check=True, capture_output=True
    ).stdout
    options = ["--extract", "--keep-directory-symlink", "--no-same-owner", "--directory"]
    subprocess.run(["tar", *options, root], input=packed, check=True, capture_output=True)
    control = _run("dpkg-deb", "--field", str(file))
    fields = dict(re.findall(r"^(\w[\w-]*): (.*)$", control, re.MULTILINE))
    notes = root / "var/lib/dpkg/status.d"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / fields["Package"]).write_text(control)
    return Package(
        name=fields["Package"], version=fields["Version"], architecture=fields["Architecture"]
    )


def _complete(root: Path) -> None:
    """Do what the packages' own scripts would, as far as a container needs it."""
    etc = root / "etc"
    (etc / "passwd").write_text(_PASSWD)
    (etc / "group").write_text("root:x:0:\nnonroot:x:65532:\n")
    (etc / "ssl/certs").mkdir(parents=True, exist_ok=True)
    certificates = sorted((root / _CERTIFICATES).glob("*.crt"))
    bundle = "".join(path.read_text() for path in certificates)
    (etc / "ssl/certs/ca-certificates.crt").write_text(bundle)
    for name, target in (("python", "python3"), ("sh", "dash")):
        link = root / "usr/bin" / name
        if not link.is_symlink():
            link.symlink_to(target)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


_PASSWD = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"


def _run(*words: str, cwd: Path | None = None) -> str:
    if shutil.which(words[0]) is None:
        raise ReleaseError(
            f"{words[0]} not found: its base is made on Debian; elsewhere use deploy/Containerfile"
        )
    done = subprocess.run(words, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
