# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with the input: one clear message, the right exit code, no traceback."""

import asyncio
import os
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.cli.story import LOKEYS, Ended, storage_credential
from lokeys.demo.parts.kube_faults import ApiFault, SeenRequest
from lokeys.demo.parts.kubernetes import KubernetesApi


@dataclass
class Place:
    """A folder to stand in, and a cluster with one resource."""

    folder: Path
    api: KubernetesApi
    kubeconfig: Path

    def lokeys(self, *args: str, **environ: str) -> Ended:
        """Run lokeys in the folder."""
        around = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        around |= {"KUBECONFIG": str(self.kubeconfig), **environ}
        done = subprocess.run(
            [LOKEYS, *args],
            cwd=self.folder,
            env=around,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, content: Any) -> str:
        """Write a file: a text as it is, anything else as YAML."""
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (self.folder / name).write_text(text)
        return name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run an API server stand-in in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    folder = tmp_path_factory.mktemp("place")
    api = KubernetesApi()

    def call(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=10)

    call(api.__aenter__())
    api.add(storage_credential("http://127.0.0.1:9", "http://127.0.0.1:9"))
    kubeconfig = api.write_kubeconfig(folder / "kubeconfig", namespace="monitoring")
    yield Place(folder, api, kubeconfig)
    call(api.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=10)
    loop.close()


def assert_told(ended: Ended, *, code: int, words: str) -> None:
    """Check one message, in words, on stderr alone, and the exit code."""
    assert ended.code == code, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert lines[0].startswith("error: "), ended.err
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in ended.err
    assert words in ended.err, ended.err


CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "users": [{"name": "u", "user": {}}],
}


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", 2, "kubeconfig is empty"),
        ("\tnot: yaml", 2, "kubeconfig is not YAML"),
        ("- a list", 2, "not a mapping"),
        (CONFIG | {"current-context": "gone"}, 2, "context `gone` does not exist"),
        (CONFIG | {"users": []}, 2, "names the user `u`"),
        (CONFIG, 5, "connection refused"),
    ],
    ids=["empty", "no YAML", "a list", "no such context", "no such user", "a dead server"],
)
def test_a_bad_kubeconfig(place: Place, content: Any, code: int, words: str) -> None:
    """What is wrong with the kubeconfig, or that nobody answers, is told by name."""
    assert_told(
        place.lokeys("doctor", "--kubeconfig", place.write("config", content)),
        code=code,
        words=words,
    )


def test_a_missing_kubeconfig(place: Place) -> None:
    """A file that is not there is named; without any, what was looked for is."""
    gone = place.lokeys("doctor", "--kubeconfig", "gone")
    assert_told(gone, code=2, words="gone: kubeconfig not found")
    assert_told(place.lokeys("doctor", KUBECONFIG=""), code=2, words="no kubeconfig")


EXPIRED = """\
-----BEGIN CERTIFICATE-----
MIIBAjCBqAIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJtZTAeFw0yMDAxMDEw
MDAwMDBaFw0yMDAxMDIwMDAwMDBaMA0xCzAJBgNVBAMMAm1lMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAE1S6N9zVfe9t9egfmFaLnYyZaUOG28VsfXefd82agemP5
BCvWVZJcYfoMxFUhzMCZng7f3cXN7oRRdjnNp8owRTAKBggqhkjOPQQDAgNJADBG
AiEA6coh5UviTkuqHKSRHRFmSwuUhtcszXu1FMN/QvJLFiwCIQD3aobgky9XrdhN
ioH4Ku5MEtEPudmouvnKmTtEa90AWw==
-----END CERTIFICATE-----
"""


def test_an_expired_certificate(place: Place) -> None:
    """A client certificate that has expired is told before anything is asked."""
    data = b64encode(EXPIRED.encode()).decode()
    users = [{"name": "u", "user": {"client-certificate-data": data, "client-key": "k.pem"}}]
    config = place.write("expired", CONFIG | {"users": users})
    assert_told(place.lokeys("doctor", "--kubeconfig", config), code=2, words="expired on 2020")


def test_a_server_that_hangs_up(place: Place) -> None:
    """Something that is no API server is told as no answer, in a sentence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def hang_up() -> None:
            try:
                while True:
                    listener.accept()[0].close()
            except OSError:
                return

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        server = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clusters = [{"name": "c", "cluster": {"server": server}}]
        config = place.write("hangup", CONFIG | {"clusters": clusters})
        ended = place.lokeys("doctor", "--kubeconfig", config)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
    assert_told(ended, code=5, words="no answer from the API server")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trace", "lok"], "in monitoring there is: loki"),
        (["heal", "lok"], "there is no StorageCredential monitoring/lok"),
        (["trace", "loki", "-n", "default"], "monitoring/loki"),
        (["trace", "sts/loki"], "there is no StatefulSet monitoring/loki"),
        (["trace", "cronjob/loki"], "names no object"),
        (["discover", "-n", "empty"], "no Loki in namespace empty"),
        (["discover", "loki"], "statefulset/loki"),
        (["doctor", "-n", "empty"], "no StorageCredential and no Loki"),
        (["trace"], "no name given"),
        (["explain", "LK0410x"], "did you mean LK0410"),
        (["explain", "vault_behind"], "did you mean vault_behind_source"),
        (["rbac", "nobody"], "there is no StorageCredential"),
        (["probe", "credential", "nobody"], "there is no StorageCredential"),
        (["bucket", "nobody"], "there is no StorageCredential"),
        (["trace", ""], "the name given is empty"),
        (["heal", ""], "the name given is empty"),
        (["bucket", ""], "the name given is empty"),
        (["trace", "a\nb"], "`a?b` is no object's name"),
        (["trace", "\udcff"], "`?` is no object's name"),
        (["probe", "credential", ""], "the name given is empty"),
        (["probe", "stack", "a/b"], "`a/b` is no object's name"),
        (["probe", "s3", "a/b"], "`a/b` is no object's name"),
        (["iam", "aws", "a/b"], "`a/b` is no object's name"),
        (["rbac", ""], "the name given is empty"),
        (["rbac", "stack", ""], "the name given is empty"),
        (["discover", "sts/.."], "`..` is no object's name"),
        (["discover", ""], "the name given is empty"),
        (["trace", "-f", ""], "the file's name is empty"),
        (["explain", "\x1b[31mx"], "there is no finding `?[31mx`"),
    ],
    ids=" ".join,
)
def test_names_that_do_not_exist(place: Place, args: list[str], words: str) -> None:
    """A wrong name is told with those that exist."""
    assert_told(place.lokeys(*args), code=2, words=words)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nonsense"], "nonsense"),
        (["doctor", "--nonsense"], "--nonsense"),
        (["doctor", "-o", "xml"], "xml"),
        (["status", "-o", "yaml"], "no output `yaml`"),
        (["heal", "loki", "--timeout", "soon"], "not a time"),
        (["doctor", "--ignore", "everything"], "CODE"),
        (["doctor", "--probe", "hard"], "hard"),
        (["rbac", "loki", "--service-account", "me"], "NAMESPACE/NAME"),
        (["bucket", "loki", "--reveal", "-o", "json"], "people"),
        (["trace", "loki", "extra"], "extra"),
    ],
    ids=" ".join,
)
def test_bad_usage(place: Place, args: list[str], words: str) -> None:
    """Usage that cannot be read is told, with the way to the help."""
    ended = place.lokeys(*args)
    assert_told(ended, code=2, words=words)
    assert "--help" in ended.err


ROUTE = storage_credential("http://127.0.0.1:9", "http://127.0.0.1:9")


def without(*path: str) -> dict[str, Any]:
    """Return the story's resource without a field."""
    changed: dict[str, Any] = yaml.safe_load(yaml.safe_dump(ROUTE))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return changed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("a:\n\t- tab", "tab"),
        ("a: [1", "YAML"),
        ("a: 1\na: 2", "already given"),
        ("&a [*a]", "route.yaml"),
        ("x" * (11 << 20), "larger than"),
        ("\x00", "YAML"),
        ("just words", "not a Kubernetes object"),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "no StorageCredential"),
        (without("spec", "bucket"), "spec.bucket"),
        (without("spec", "source", "rook"), "exactly one source"),
        (without("metadata", "name"), "metadata.name"),
        (ROUTE | {"apiVersion": "lokeys.dev/v9"}, "apiVersion"),
        (f"{yaml.safe_dump(ROUTE)}---\n{yaml.safe_dump(ROUTE)}", "more than one"),
    ],
    ids=[
        "nothing",
        "tabs",
        "cut off",
        "a key twice",
        "a knot",
        "11 MB",
        "no text",
        "words",
        "another kind",
        "no bucket",
        "no source",
        "no name",
        "a version of the future",
        "two of them",
    ],
)
def test_bad_manifests(place: Place, content: Any, words: str) -> None:
    """A file that is no route is told with its name, whatever is wrong in it."""
    ended = place.lokeys("trace", "-f", place.write("route.yaml", content))
    assert_told(ended, code=2, words=words)
    assert "route.yaml" in ended.err


def test_a_missing_file(place: Place) -> None:
    """A file that is not there."""
    assert_told(place.lokeys("heal", "-f", "gone.yaml"), code=2, words="gone.yaml")


def _about_routes(seen: SeenRequest) -> bool:
    return seen.resource == "storagecredentials"


def test_what_is_forbidden_is_a_gap(place: Place) -> None:
    """Who may not list StorageCredentials gets exit 5 and the API server's reason."""
    place.api.faults.add(ApiFault(when=_about_routes, code=403, times=None))
    try:
        ended = place.lokeys("status")
    finally:
        place.api.faults.clear()
    assert_told(ended, code=5, words="forbidden")


@pytest.mark.parametrize("args", [["trace", "loki"], ["doctor"]], ids=" ".join)
def test_a_route_whose_objects_are_all_missing_is_a_report(place: Place, args: list[str]) -> None:
    """Nothing the route names exists: a full report with findings, not an error."""
    ended = place.lokeys(*args)
    assert ended.code == 3
    assert "Traceback" not in ended.err
    assert "does not exist" in ended.out


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.7"], ids=["a port in use", "not ours"])
def test_pages_that_cannot_be_served(place: Place, host: str) -> None:
    """An operator whose pages nobody could read says so and ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = place.lokeys("operator", "--host", host, "--port", str(port))
    assert ended.code == 2, ended
    assert f"error: the pages cannot be served at {host}:{port}: " in ended.err
    assert "Traceback" not in ended.err
