# SPDX-License-Identifier: Apache-2.0
"""What a real cluster and its parts can hand to lokeys: one clear message, and nothing written."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.sight import Json
from e2e.terminal import assert_silent, run
from e2e.world import Homelab, Said
from lokeys.demo.parts.connect import ConnectFault


@pytest.fixture
def unharmed(outage: Homelab) -> Iterator[Homelab]:
    """Give a broken homelab; its vault, its Secret and its pod must stay as they are."""

    def present() -> tuple[object, ...]:
        uid = outage.pod()["metadata"]["uid"]
        return outage.vault_pair(), outage.pair_in(outage.loki.secret), uid

    before = present()
    yield outage
    outage.connect.fault = None
    assert present() == before


def with_config(home: Homelab, folder: Path, *words: str, **changes: Json) -> Said:
    """Run lokeys with another kubeconfig: `cluster` and `user` are changed."""
    config = json.loads(home.kubernetes.kubeconfig.read_text())
    config["clusters"][0]["cluster"] |= changes.get("cluster", {})
    config["users"][0]["user"] |= changes.get("user", {})
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    argv = home.command("-n", home.monitoring, *words, kubeconfig=path)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return Said(done.returncode, done.stdout, done.stderr)


def assert_told(said: Said, *words: str, code: int) -> None:
    """Hold a refusal to its form: an exit code, no data, one message, no traceback."""
    assert (said.code, said.out) == (code, ""), said.out + said.err
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err
    for each in words:
        assert each in said.err


def test_an_authority_that_did_not_sign(unharmed: Homelab, tmp_path: Path) -> None:
    """The API server's certificate is not the kubeconfig's authority's: said, and not ignored."""
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "other.crt")]
    request = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=other"]
    subprocess.run([*request, *files], check=True, capture_output=True)
    cluster = {"certificate-authority": str(tmp_path / "other.crt")}
    said = with_config(unharmed, tmp_path, "doctor", cluster=cluster)
    assert_told(said, unharmed.kubernetes.server, "certificate", code=5)


def test_a_token_that_nobody_gave(unharmed: Homelab, tmp_path: Path) -> None:
    """The API server does not know who is asking: the kubeconfig's user is named as the trouble."""
    said = with_config(unharmed, tmp_path, "doctor", user={"token": "canary-of-a-token"})
    assert_told(said, code=5)
    assert "canary-of-a-token" not in said.err


NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a workload": (("trace", "sts/lokki"), ("there is no StatefulSet", "there is: loki")),
    "a pod": (("discover", "pod/loki-7"), ("there is no Pod", "loki-0")),
    "a resource": (("heal", "lokki"), ("there is no StorageCredential", "lokeys discover")),
    "a namespace": (("doctor", "-n", "nowhere"), ("namespace nowhere", "-A")),
    "a namespace's workload": (("discover", "-n", "nowhere"), ("namespace nowhere", "-n")),
}


@pytest.mark.parametrize(("words", "told"), NAMES.values(), ids=NAMES)
def test_what_does_not_exist_is_told_with_what_does(
    unharmed: Homelab, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    """A wrong name ends with the names that there are, or with where to look."""
    assert_told(run(unharmed, *words), "hint: ", *told, code=2)


WRONG: dict[str, tuple[ConnectFault, str]] = {
    "HTML": (ConnectFault.HTML, "op_connect_unreachable"),
    "no end": (ConnectFault.HUGE, "op_connect_unreachable"),
    "half an answer": (ConnectFault.TRUNCATED, "op_connect_unreachable"),
    "no such token": (ConnectFault.UNAUTHORIZED, "op_token_lacks_vault_access"),
}


@pytest.mark.parametrize(("fault", "cause"), WRONG.values(), ids=WRONG)
def test_connect_answers_nonsense(
    unharmed: Homelab, tmp_path: Path, fault: ConnectFault, cause: str
) -> None:
    """The finding names Connect; a heal waits no longer than it was told to, and writes nothing."""
    file = str(unharmed.file(tmp_path, unharmed.route()))
    unharmed.connect.fault = fault
    seen = run(unharmed, "trace", "-f", file, "-o", "json")
    assert (seen.code, seen.json()["findings"][0]["cause"]) == (3, cause)
    healed = run(unharmed, "heal", "-f", file, "--timeout", "2s")
    assert healed.code in (3, 124)
    assert "Connect" in healed.out + healed.err
    assert "nginx" not in healed.out + healed.err


def test_a_slow_connect_is_waited_for(unharmed: Homelab, tmp_path: Path) -> None:
    """Two seconds an answer are no fault."""
    file = str(unharmed.file(tmp_path, unharmed.route()))
    unharmed.connect.fault = ConnectFault.SLOW
    seen = run(unharmed, "trace", "-f", file, "-o", "json").json()
    assert seen["findings"][0]["cause"] == "vault_behind_source"


SECRETS: dict[str, tuple[bytes, bytes, str]] = {
    "empty values": (b"", b"", "source_has_no_key"),
    "a trailing newline": (b"AKIDAKIDAKID", b"secret-canary\n", "secret_trailing_newline"),
    "binary": (b"AKIDAKIDAKID", b"\xff\x00secret-canary", "secret_key_mismatch"),
}


@pytest.mark.parametrize(("key_id", "secret", "cause"), SECRETS.values(), ids=SECRETS)
def test_a_source_that_is_no_key_is_never_carried(
    unharmed: Homelab, tmp_path: Path, key_id: bytes, secret: bytes, cause: str
) -> None:
    """A Secret can hold any bytes: the finding says which fault, in words and not in bytes."""
    data = {"id": base64.b64encode(key_id).decode(), "key": base64.b64encode(secret).decode()}
    unharmed.apply("v1", "Secret", "odd", unharmed.storage, data=data)
    keys = {"accessKeyId": "id", "secretAccessKey": "key"}
    source = {"secret": {"name": "odd", "namespace": unharmed.storage, "keys": keys}}
    file = str(unharmed.file(tmp_path, unharmed.route(source=source)))
    healed = run(unharmed, "heal", "-f", file, "--timeout", "2s", "-o", "json")
    assert healed.code in (3, 124), healed.err
    assert cause in {found["cause"] for found in healed.json()["findings"]}
    assert "canary" not in healed.out + healed.err
    assert_silent(unharmed, healed.out)


TARGETS: dict[str, tuple[bytes, bytes, str]] = {
    "an empty value": (b"AKIDAKIDAKID", b"", "vault_value_empty"),
    "a trailing newline": (b"AKIDAKIDAKID", b"secret-canary\n", "secret_trailing_newline"),
    "binary": (b"AKIDAKIDAKID", b"\xff\x00secret-canary", "secret_key_mismatch"),
}


@pytest.mark.parametrize(("key_id", "secret", "cause"), TARGETS.values(), ids=TARGETS)
def test_a_target_of_any_bytes_is_named_and_then_written(
    unharmed: Homelab, tmp_path: Path, key_id: bytes, secret: bytes, cause: str
) -> None:
    """What lokeys delivers itself may hold anything before: it is told, and written over."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    halves = (base64.b64encode(key_id).decode(), base64.b64encode(secret).decode())
    data = dict(zip(names, halves, strict=True))
    unharmed.apply("v1", "Secret", "target", unharmed.monitoring, data=data)
    keys = dict(zip(("accessKeyId", "secretAccessKey"), names, strict=True))
    route = unharmed.route(secret={"name": "target", "keys": keys}, vault=None)
    del route["spec"]["vault"]
    file = str(unharmed.file(tmp_path, route))
    seen = run(unharmed, "trace", "-f", file, "-o", "json")
    assert cause in {found["cause"] for found in seen.json()["findings"]}, seen.out
    healed = run(unharmed, "heal", "-f", file, "--timeout", "5s")
    assert unharmed.pair_in("target") == unharmed.source_pair(), healed.out + healed.err
    assert "canary" not in seen.out + seen.err + healed.out + healed.err
