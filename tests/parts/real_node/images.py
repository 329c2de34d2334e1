# SPDX-License-Identifier: Apache-2.0
"""The images of the tests' pods, made of files of this host: a real node pulls nothing.

What tests call `any`, `relay` and so on is one image: a shell, the usual tools, and the Python and
the files of the tests at the paths that they have outside. So a manifest means the same on the
stand-in for a node, whose containers see the host's own files, and here.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pip

from lokeys.core.stack.render.options import Images
from parts import older
from parts.build import built_program, program
from parts.process import PartError
from release.oci import Image

TESTS = Path(__file__).parents[2]
PAUSE = "localhost/pause:3.10"
STAND_INS = ("any", "relay", "rules", "reader", "watcher")
LOKI = ("docker.io/grafana/loki:3.7.8", Images().loki)
TOOLS = (
    *("sh", "bash", "env", "sleep", "cat", "echo", "head", "tail", "seq", "touch", "ls", "mkdir"),
    *("rm", "cp", "mv", "ln", "date", "true", "false", "id", "stat", "wc", "sort", "tr", "cut"),
    *("test", "[", "mkfifo", "chmod", "chown", "grep", "sed", "kill", "printf", "dd", "tee"),
)
COMPANIONS = (
    *("libpthread.so.0", "libdl.so.2", "libm.so.6", "librt.so.1", "libutil.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libresolv.so.2", "libnss_files.so.2", "libnss_dns.so.2"),
)
"""Libraries that every Debian has, and that Python's packages are linked with."""
MODULES = ("botocore", "urllib3", "jmespath", "dateutil", "six.py")
"""What the scripts in pods need beside Python's own modules."""
_LEFT_OUT = re.compile(
    r"/(__pycache__|test|tests|idlelib|tkinter|turtledemo|ensurepip|site-packages|config-[^/]*)(/|$)"
    r"|/botocore/data/"
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Layer(tarfile.TarFile):
    """A tar file in which each path stands once, as the first that was added."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self._paths: set[str] = set()
        super().__init__(*words, **options)

    def addfile(self, tarinfo: tarfile.TarInfo, fileobj: Any = None) -> None:
        """Add one entry, unless its path is there."""
        if tarinfo.name not in self._paths:
            self._paths.add(tarinfo.name)
            super().addfile(tarinfo, fileobj)


@dataclass(frozen=True, kw_only=True)
class Program:
    """An image beside those of all tests: what `any` has and `files`, which begins with `words`."""

    names: Sequence[str]
    words: Sequence[str]
    files: Sequence[Path] = ()


def write_all(folder: Path, loki: Path, programs: Iterable[Program] = ()) -> None:
    """Write the archives of all images into a folder."""
    base, tests = folder / "base.layer", folder / "tests.layer"
    with Layer.open(base, "w") as tar:
        _add_system(tar)
        _add_python(tar)
    with Layer.open(tests, "w") as tar:
        _add_tree(tar, TESTS)
    names = [f"docker.io/library/{name}:latest" for name in STAND_INS]
    Image(names=names, layers=[base, tests], command=["/bin/sh"]).write(folder / "any.tar")
    for number, each in enumerate(programs):
        own = folder / f"program-{number}.layer"
        with Layer.open(own, "w") as tar:
            _add_files(tar, set(each.files))
        image = Image(names=each.names, layers=[base, tests, own], entrypoint=each.words)
        image.write(folder / f"program-{number}.tar")
    _write_pause(folder)
    _write_loki(folder, loki)
    gateway = program("gateway", "observatorium-api")
    if gateway is not None:
        _write_gateway(folder, base, gateway)
    for layer in folder.glob("*.layer"):
        layer.unlink()


def _write_pause(folder: Path) -> None:
    layer = folder / "pause.layer"
    with Layer.open(layer, "w") as tar:
        tar.add(built_program("node", "pause"), "pause")
    image = Image(names=[PAUSE], layers=[layer], entrypoint=["/pause"], user="65535:65535")
    image.write(folder / "pause.tar")


def _write_loki(folder: Path, loki: Path) -> None:
    """Write Loki's image as its Dockerfile makes it: the program, certificates and a user."""
    layer = folder / "loki.layer"
    with Layer.open(layer, "w") as tar:
        _add_text(tar, "etc/passwd", "loki:x:10001:10001::/loki:/sbin/nologin\n")
        _add_text(tar, "etc/group", "loki:x:10001:\n")
        _add_folder(tar, "tmp", 0o1777)
        _add_folder(tar, "loki", 0o755, owner=10001)
        tar.add(CERTIFICATES.resolve(), str(CERTIFICATES).lstrip("/"))
        tar.add(loki, "usr/bin/loki")
    image = Image(
        names=LOKI,
        layers=[layer],
        entrypoint=["/usr/bin/loki"],
        command=["-config.file=/etc/loki/local-config.yaml"],
        user="10001",
        directory="/loki",
    )
    image.write(folder / "loki.tar")


def _write_gateway(folder: Path, base: Path, gateway: Path) -> None:
    layer = folder / "gateway.layer"
    with Layer.open(layer, "w") as tar:
        tar.add(gateway, "gateway/observatorium-api")
        tar.add(older.__file__, "gateway/older.py")
    words = [sys.executable, "-I", "/gateway/older.py", "/gateway/observatorium-api"]
    # Its own image names a user by number, without which a kubelet refuses `runAsNonRoot`.
    image = Image(
        names=[Images().gateway], layers=[base, layer], entrypoint=words, user="10000:10000"
    )
    image.write(folder / "gateway.tar")


def _add_system(tar: "Layer") -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            _add_link(tar, name, str(Path("/", name).readlink()))
    _add_folder(tar, "tmp", 0o1777)
    for name in ("etc/passwd", "etc/group", "etc/nsswitch.conf"):
        if Path("/", name).exists():
            tar.add(f"/{name}", name)
    tar.add(CERTIFICATES.resolve(), str(CERTIFICATES).lstrip("/"))
    found = [Path(tool) for name in TOOLS if (tool := shutil.which(name))]
    libraries = _libraries(found)
    home = next(path.parent for path in libraries if path.name.startswith("libc.so"))
    beside = {path for name in COMPANIONS if (path := home / name).exists()}
    _add_files(tar, {*found, *libraries, *beside})


def write_python(archive: Path, name: str) -> None:
    """Write an image of a plain Python with pip, as those are that other images begin with."""
    layer = archive.with_suffix(".layer")
    library = Path(sysconfig.get_path("stdlib"))
    with Layer.open(layer, "w") as tar:
        _add_system(tar)
        _add_interpreter(tar)
        tar.add(library / "ensurepip", f"{library}/ensurepip".lstrip("/"))
        tar.add(Path(pip.__file__).parent, f"{library}/site-packages/pip".lstrip("/"))
        base = os.path.realpath(sys.executable)
        for link in ("python", "python3"):
            _add_link(tar, f"usr/local/bin/{link}", base)
    Image(names=[name], layers=[layer], command=["python3"]).write(archive)
    layer.unlink()


def _add_interpreter(tar: "Layer") -> None:
    """Add the Python of these tests, where it is outside, without what no program needs."""
    library = Path(sysconfig.get_path("stdlib"))
    _add_tree(tar, library)
    executable = Path(os.path.realpath(sys.executable))
    programs = {executable, *library.glob("lib-dynload/*.so")}
    _add_files(tar, {*programs, *_libraries(programs)})


def _add_python(tar: "Layer") -> None:
    """Add the Python of these tests with its environment, and what pods need of that."""
    _add_interpreter(tar)
    executable = Path(sys.executable)
    for path in _links(executable):
        tar.add(path, str(path).lstrip("/"))
    _add_link(tar, "usr/local/bin/python3", sys.executable)
    settings = Path(sys.prefix, "pyvenv.cfg")
    if settings.exists():
        tar.add(settings, str(settings).lstrip("/"))
    packages = Path(sysconfig.get_path("purelib"))
    for name in MODULES:
        _add_tree(tar, packages / name)


def _links(path: Path) -> Iterator[Path]:
    """Yield the symbolic links that lead from a path to its file."""
    while path.is_symlink():
        yield path
        path = path.parent / path.readlink()


def _libraries(programs: Iterable[Path]) -> set[Path]:
    """Return the shared libraries that programs are linked with, as the loader finds them."""
    done = subprocess.run(["ldd", *map(str, programs)], check=False, capture_output=True, text=True)
    found = re.findall(r"^\s.*?(/\S+) \(0x", done.stdout, re.MULTILINE)
    if not found:
        raise PartError(f"ldd: {done.stderr.strip()}")
    return {Path(path) for path in found}


def _add_files(tar: "Layer", files: Iterable[Path]) -> None:
    """Add files at their places; what is a link outside is the file itself here."""
    for path in sorted(files):
        place = path.parent.resolve() / path.name
        tar.add(path.resolve(), str(place).lstrip("/"))


def _add_tree(tar: "Layer", top: Path) -> None:
    def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        below = f"/{entry.name}".removeprefix(str(top))
        return None if _LEFT_OUT.search(below) else entry

    tar.add(top, str(top).lstrip("/"), filter=kept)


def _add_link(tar: "Layer", name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def _add_text(tar: "Layer", name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    tar.addfile(entry, io.BytesIO(text.encode()))


def _add_folder(tar: "Layer", name: str, mode: int, *, owner: int = 0) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
    tar.addfile(entry)
