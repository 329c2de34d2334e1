# SPDX-License-Identifier: Apache-2.0
"""What the tests take from Debian: Ceph, promtool, shells and network tools.

Run as `python -m parts.debian`: as root on Debian it installs what is missing, and says so before;
elsewhere it prints what a person would have to run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.build import cache_folder, say

# The programs that each part runs, and the packages that carry them.
PROGRAMS = {
    "kubernetes": ("openssl",),
    "rgw": ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"),
    "kubelet": ("ip",),
    "node": ("runc", "nft", "iptables", "conntrack", "nsenter", "/usr/lib/cni/bridge"),
    "image": ("buildah", "git"),
    "promtool": ("promtool", "dpkg-deb"),
    "azurite": ("node", "npm"),
    "shells": ("zsh", "fish"),
    "clocks": ("faketime",),
}
PACKAGES = {
    "kubernetes": ("openssl",),
    "rgw": ("ceph-mon", "ceph-osd", "radosgw"),
    "kubelet": ("iproute2",),
    "node": (
        "runc",
        "containernetworking-plugins",
        "nftables",
        "iptables",
        "conntrack",
        "util-linux",
    ),
    "image": ("buildah", "git"),
    "promtool": ("prometheus",),
    "azurite": ("nodejs", "npm"),
    "shells": ("zsh", "fish"),
    "clocks": ("faketime",),
}


ASKED_FOR = frozenset({"image", "clocks"})
"""What no test needs: `make cluster` and `make faults` ask for it."""

Run = Callable[..., Any]
"""Runs a program, as `subprocess.run` does."""


def find(name: str) -> str | None:
    """Return where a program is: on the path, in the places for root's, or fetched before."""
    places = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin:" + str(_fetched())
    return shutil.which(name, path=places)


def missing(part: str) -> str | None:
    """Say which programs of a part are missing and what to run; None when all are there."""
    lost = [name for name in PROGRAMS[part] if find(name) is None]
    if not lost:
        return None
    packages = " ".join(PACKAGES[part])
    return f"{', '.join(lost)} not found, run `{install_command(packages)}`"


def install_command(packages: str) -> str:
    return f"apt-get install --no-install-recommends {packages}"


def _fetched() -> Path:
    return cache_folder() / "debian" / "usr" / "bin"


def _install(packages: list[str], run: Run) -> None:
    say(f"installing with apt-get: {' '.join(packages)} (about 20 s) …")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages]
    run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _unpack_promtool() -> None:
    """Take promtool out of its package: installing it would start a Prometheus."""
    say(f"unpacking promtool from Debian's prometheus into {_fetched()} …")
    _fetched().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # apt drops its rights to download, and must be able to write here all the same.
        Path(folder).chmod(0o777)
        command = ["apt-get", "download", "--quiet", "prometheus"]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        package = next(Path(folder).glob("prometheus_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, f"{folder}/files"], check=True)
        shutil.copy2(f"{folder}/files/usr/bin/promtool", _fetched() / "promtool")


def may_install() -> bool:
    """Tell whether installing is ours to do: as root, on Debian."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def main(*, ours: bool | None = None, run: Run = subprocess.run) -> int:
    """Install what is missing where that is ours to do; else say what to run."""
    lost = [part for part in PROGRAMS if part not in ASKED_FOR and missing(part)]
    if not lost:
        return 0
    if not (may_install() if ours is None else ours):
        for part in lost:
            say(f"{part} will be skipped: {missing(part)}")
        return 0
    say(f"missing for {', '.join(lost)}: apt-get update …")
    run(["apt-get", "update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    packages = [name for part in lost if part != "promtool" for name in PACKAGES[part]]
    if packages:
        _install(packages, run)
    if "promtool" in lost:
        _unpack_promtool()
    return 0


if __name__ == "__main__":
    sys.exit(main())
