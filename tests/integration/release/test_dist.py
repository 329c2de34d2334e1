# SPDX-License-Identifier: Apache-2.0
"""What a release consists of: each of its files works where there is nothing but Python.

`make dist` makes programs for all platforms and Pythons; here it is one, this machine's.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT7

from parts.build import built_program
from parts.helm import CHART, Helm
from parts.kubernetes import Kubernetes
from parts.plugin import need, not_built
from release import sbom
from release.debian_base import Package
from release.dist import PLATFORMS, Distribution
from release.source import semver

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
HERE = (platform.system().lower(), MACHINES[platform.machine()])


@dataclass(frozen=True)
class Made:
    """A release, and the tools with which people install it."""

    folder: Path
    tools: Path
    version: str

    def file(self, end: str) -> Path:
        (found,) = self.folder.glob(f"*{end}")
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make one of this clone."""
    folder, scratch = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("scratch")
    distribution = Distribution(folder, scratch)
    distribution.changes()
    distribution.package()
    distribution.chart()
    this = ".".join(map(str, sys.version_info[:2]))
    distribution.krew(distribution.programs([HERE], pythons=[this]))
    distribution.bill()
    (folder / "lokeys-0.0.1.tar.gz").touch()  # an older release
    distribution.checksums()
    return Made(folder, distribution.tools(), distribution.version)


@dataclass(frozen=True)
class Newcomer:
    """Somebody with an empty home, Python and a path."""

    home: Path
    path: list[Path]

    def runs(self, *words: object, exits: int = 0, variables: Mapping[str, str] = {}) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.home,
            env={
                "PATH": os.pathsep.join(map(str, [*self.path, "/usr/bin", "/bin"])),
                "HOME": str(self.home),
                "NO_COLOR": "1",
                **_network(),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == exits, done.stdout + done.stderr
        return done.stdout + done.stderr


def _network() -> dict[str, str]:
    """Return how this machine reaches the package index."""
    names = re.compile(r"(PIP|UV|SSL)_.*|.*_(PROXY|CA_BUNDLE)", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if names.fullmatch(name)}


@pytest.fixture
def newcomer(made: Made, tmp_path: Path) -> Newcomer:
    python = tmp_path / "python"
    python.mkdir()
    (python / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3").resolve())
    return Newcomer(tmp_path, [made.tools, python])


def test_uvx_and_pipx_run_the_wheel(newcomer: Newcomer, made: Made, kubernetes: Kubernetes) -> None:
    """With nothing installed, `uvx lokeys doctor` and `pipx run lokeys` look at a real cluster."""
    wheel = made.file(".whl")
    look = {"KUBECONFIG": str(kubernetes.kubeconfig)}
    words = ("lokeys", "doctor", "-n", "default")
    uvx = newcomer.runs("uvx", "--quiet", "--from", wheel, *words, exits=2, variables=look)
    pipx = newcomer.runs("pipx", "run", "--spec", wheel, *words, exits=2, variables=look)
    assert "no StorageCredential and no Loki in namespace default" in uvx
    assert "no StorageCredential and no Loki in namespace default" in pipx


def test_the_program_is_a_plugin_of_kubectl(
    newcomer: Newcomer, made: Made, kubernetes: Kubernetes
) -> None:
    """One file, unpacked onto the path, is `kubectl lokeys`."""
    archive = made.file(f"{'-'.join(HERE)}.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(newcomer.home / "plugin", filter="data")
    kubectl = built_program("kubernetes", "kubectl")
    there = Newcomer(newcomer.home, [*newcomer.path, newcomer.home / "plugin"])
    assert f"lokeys {made.version}" in there.runs(kubectl, "lokeys", "--version")
    look = {"KUBECONFIG": str(kubernetes.kubeconfig)}
    said = there.runs(kubectl, "lokeys", "doctor", "-n", "default", exits=2, variables=look)
    assert "no StorageCredential and no Loki in namespace default" in said


def test_krew_installs_it(newcomer: Newcomer, made: Made, pytestconfig: pytest.Config) -> None:
    """Krew takes manifest and archive, checks the sum, and links the plugin."""
    need(pytestconfig, "krew", not_built("krew", "krew"))
    krew = built_program("krew", "krew")
    archive = made.file(f"{'-'.join(HERE)}.tar.gz")
    root = newcomer.home / "krew"
    said = newcomer.runs(
        *(krew, "install", "--manifest", made.file("krew.yaml"), "--archive", archive),
        variables={"KREW_ROOT": str(root)},
    )
    assert "Installed plugin: lokeys" in said
    assert f"lokeys {made.version}" in newcomer.runs(root / "bin/kubectl-lokeys", "--version")


def test_the_manifest_names_every_archive(made: Made) -> None:
    """Each platform with the sum of its archive."""
    manifest = yaml.safe_load(made.file("krew.yaml").read_text())
    (only,) = manifest["spec"]["platforms"]
    archive = made.file(f"{'-'.join(HERE)}.tar.gz")
    assert only["selector"]["matchLabels"] == dict(zip(("os", "arch"), HERE, strict=True))
    assert only["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert only["uri"].endswith(f"/{archive.name}")
    assert HERE in PLATFORMS


def test_the_packed_chart_makes_what_the_folder_makes(
    made: Made, helm_binary: Path, tmp_path: Path
) -> None:
    """With the release's version in its image, and nothing left out that a template reads."""
    values = {"monitoring.enabled": True, "lokistacks.mode": "all", "crds.lokiStack": True}
    helm = Helm(helm_binary, tmp_path)
    packed = helm.template(values, chart=made.file(".tgz"))
    assert packed == helm.template(values | {"image.tag": semver(made.version)}, chart=CHART)


def test_the_lists_of_parts_are_what_cyclonedx_published(made: Made) -> None:
    """That of the package, and one with components of every kind, as the image has it."""
    validator = _cyclonedx(made.tools.parent)
    packages = [Package(name="libc6", version="2.36-9+deb12u14", architecture="amd64")]
    installed = Path(yaml.__file__).parents[1]
    components = [*sbom.of_debian(packages), *sbom.of_environment(installed)]
    for document in (
        json.loads(made.file(".cdx.json").read_text()),
        sbom.document("lokeys", made.version, components, time=0),
    ):
        assert len(document["components"]) > 20
        validator.validate(document)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(document | {"components": [{"name": "a"}]})


def _cyclonedx(tools: Path) -> jsonschema.Draft7Validator:
    """Return what holds a document to the schema, which a package among the tools carries."""
    (folder,) = tools.glob("lib/python3*/site-packages/cyclonedx/schema/_res")
    main = json.loads((folder / f"bom-{sbom.VERSION}.SNAPSHOT.schema.json").read_text())
    registry: Registry[Any] = Registry()
    for path in folder.glob("*.SNAPSHOT.schema.json"):
        resource = DRAFT7.create_resource(json.loads(path.read_text()))
        registry = registry.with_resource(f"http://cyclonedx.org/schema/{path.name}", resource)
    return jsonschema.Draft7Validator(main, registry=registry)


def test_the_checksums_are_of_all_files_of_the_release(made: Made) -> None:
    """As `sha256sum --check` reads them; what is left of another version is not among them."""
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=made.folder, check=True
    )
    listed = {line.split()[1] for line in (made.folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in made.folder.iterdir()} - {
        "SHA256SUMS",
        "lokeys-0.0.1.tar.gz",
    }


def test_the_same_commit_makes_the_same_files(made: Made, tmp_path: Path) -> None:
    """Package and chart are made again: the sums are the same."""
    again = tmp_path / "again"
    again.mkdir()
    distribution = Distribution(again, tmp_path / "scratch")
    distribution.package()
    distribution.chart()
    for path in again.iterdir():
        assert path.read_bytes() == (made.folder / path.name).read_bytes(), path.name
