# SPDX-License-Identifier: Apache-2.0
"""Becomes a container: `python -I sandbox.py SPEC`, as root, in the container's environment.

It enters a network namespace, takes the pod's name as its host name, covers the host's files with
a layer of its own and binds the volumes over it. Its child is the container's command: process 1 of
processes of its own, which hears no SIGTERM that it has no handler for. SPEC is a JSON
file: {"network": NAME, "host": NAME, "folder": empty folder, "mounts": [[from, to], …],
"argv": […], "directory": DIR, "read_only": whether only volumes can be written}
"""

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

NEW_NETWORK, NEW_MOUNTS, NEW_NAMES = 0x40000000, 0x00020000, 0x04000000
NEW_PROCESSES = 0x20000000
BIND, RECURSIVE, PRIVATE, REMOUNT, READ_ONLY = 0x1000, 0x4000, 0x40000, 0x20, 0x1
SET_DEATH_SIGNAL = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise what the C library says went wrong."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount, or say what cannot be mounted."""
    words = (text.encode() for text in (source, target, kind))
    check(libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), target)


def host_mounts() -> list[str]:
    """Return where something is mounted below the root, outermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point != "/"]


def layer(folder: Path) -> Path:
    """Return a root that shows all of the host's files and keeps what is written to itself."""
    points = host_mounts()
    mount("tmpfs", str(folder), "tmpfs", 0)
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for part in (upper, work, root):
        part.mkdir()
    mount("overlay", str(root), "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")
    shown: list[str] = []
    for point in points:
        if point == "/run" or point.startswith("/run/"):
            continue  # a container has its own
        if not any(point.startswith(f"{outer}/") for outer in shown) and os.path.lexists(point):
            shown.append(point)
            mount(point, f"{root}{point}", "", BIND | RECURSIVE)
    (root / "run").mkdir(exist_ok=True)
    mount("tmpfs", str(root / "run"), "tmpfs", 0)
    return root


def inside(root: Path, target: str) -> Path:
    """Return where a path of the container's leads, by its own links and not by the host's."""
    place, left = root, [part for part in target.split("/") if part]
    while left:
        part = left.pop(0)
        if part == "..":
            place = place.parent if place != root else root
        elif left and (place / part).is_symlink():
            link = (place / part).readlink()
            place = root if link.is_absolute() else place
            left = [*(word for word in link.parts if word != "/"), *left]
        else:
            place /= part
    return place


def bind(root: Path, source: Path, target: str) -> None:
    """Show a folder or a file of the host at a place of the container's."""
    place = inside(root, target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()  # it would lead out of the container
    if source.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    mount(str(source), str(place), "", BIND)


def main() -> None:
    """Become the container."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    network = os.open(f"/run/netns/{spec['network']}", os.O_RDONLY | os.O_CLOEXEC)
    check(libc.setns(network, NEW_NETWORK), spec["network"])
    check(libc.unshare(NEW_MOUNTS | NEW_NAMES | NEW_PROCESSES), "mounts, names and processes")
    socket.sethostname(spec["host"])
    child = os.fork()
    if child:
        end_with(child)
    check(libc.prctl(SET_DEATH_SIGNAL, signal.SIGKILL), "the end of its parent")
    become(spec)


def end_with(child: int) -> NoReturn:
    """Hand signals on to the container's first process, and end as it does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(128 - code if code < 0 else code)


def become(spec: dict[str, Any]) -> NoReturn:
    """Cover the host's files, and turn into the container's command."""
    mount("none", "/", "", RECURSIVE | PRIVATE)
    root = layer(Path(spec["folder"]))
    for source, target in sorted(spec["mounts"], key=lambda pair: len(pair[1])):
        bind(root, Path(source), target)
    if spec["read_only"]:
        mount("none", str(root), "", REMOUNT | BIND | READ_ONLY)
    mount("proc", str(root / "proc"), "proc", 0)
    os.chroot(root)
    os.chdir(spec["directory"])
    try:
        os.execvp(spec["argv"][0], spec["argv"])
    except OSError as error:
        # What a container runtime says of a command that is not in the image.
        print(f"exec: {error}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
