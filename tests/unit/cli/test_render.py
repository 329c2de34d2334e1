# SPDX-License-Identifier: Apache-2.0
"""`lokeys render`: objects on stdout, or nothing and why."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lokeys.cli.main import lokeys
from lokeys.errors import BadInput
from manifests.lokistack import CANARY, Choice
from unit.core.stack.storage.test_ca import TO_2060

CA = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "ca", "namespace": "logging"},
    "data": {"service-ca.crt": TO_2060},
}


def written(folder: Path, *objects: dict[str, Any]) -> str:
    """Return a file with the objects."""
    file = folder / "stack.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(file)


def run(*args: str) -> Result:
    return CliRunner().invoke(lokeys, ["render", *args], standalone_mode=False)


@pytest.fixture
def stack(tmp_path: Path) -> str:
    choice = Choice()
    return written(tmp_path, choice.manifest, choice.secret)


def test_yaml_and_json_print_the_same_objects(stack: str) -> None:
    """YAML documents, or one List."""
    as_yaml, as_json = run("-f", stack), run("-f", stack, "-o", "json")
    assert (as_yaml.return_value, as_json.return_value) == (0, 0)
    listed = json.loads(as_json.stdout)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert list(yaml.safe_load_all(as_yaml.stdout)) == listed["items"]
    assert as_yaml.stderr == ""


def test_some_groups_can_be_printed_alone(stack: str) -> None:
    """`--only`, as often as one likes."""
    found = run("-f", stack, "--only", "loki-config", "--only", "accounts").stdout
    kinds = {each["kind"] for each in yaml.safe_load_all(found)}
    assert kinds == {"ConfigMap", "ServiceAccount"}


@pytest.mark.parametrize("output", ["yaml", "json", "people"])
def test_a_fault_of_the_input_prints_nothing(tmp_path: Path, output: str) -> None:
    """Exit code 3, and the fault on stderr; no value of the Secret anywhere."""
    choice = Choice()
    secret = choice.secret
    secret["stringData"]["endpoint"] = "ftp://nowhere"
    done = run("-f", written(tmp_path, choice.manifest, secret), "-o", output)
    assert done.return_value == 3
    assert done.stdout == ""
    assert "LK0107" in done.stderr
    assert CANARY not in done.stderr


def test_without_the_secret_nothing_is_printed(tmp_path: Path) -> None:
    """Nor with an ExternalSecret in its place, which has no values."""
    choice = Choice()
    alone = run("-f", written(tmp_path, choice.manifest))
    assert (alone.return_value, alone.stdout) == (3, "")
    keys = ("bucketnames", "endpoint", "access_key_id", "access_key_secret")
    external = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": choice.secret["metadata"],
        "spec": {"data": [{"secretKey": key, "remoteRef": {"key": key}} for key in keys]},
    }
    done = run("-f", written(tmp_path, choice.manifest, external))
    assert (done.return_value, done.stdout) == (3, "")
    assert "the manifests have none" in done.stderr
    assert "lokeys validate" not in done.stderr  # it finds no fault


def test_the_clouds_request_comes_before_its_secret(tmp_path: Path) -> None:
    """What the cloud has yet to hand out is asked for by what is printed."""
    choice = Choice(store="s3-cco")
    file = written(tmp_path, choice.manifest, choice.secret)
    done = run("-f", file, "--token-cco", "--only", "credentials")
    assert done.return_value == 0
    assert yaml.safe_load(done.stdout)["kind"] == "CredentialsRequest"


def test_hashes_are_printed_for_who_has_the_key(tmp_path: Path, stack: str) -> None:
    """With the same key the same hash; without one, none."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    assert "object-store-hash" not in run("-f", stack).stdout
    first, second = (run("-f", stack, "--fingerprint-key", str(key)).stdout for _ in range(2))
    assert first == second
    assert first.count("loki.grafana.com/object-store-hash: k:") == 4


def test_hashes_cover_the_ca_and_the_managed_secret(tmp_path: Path) -> None:
    """Each has its part in what rolls the pods."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    choice = Choice(store="s3-cco")
    managed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "my-stack-managed-credentials", "namespace": "logging"},
        "stringData": {"credentials": "[default]\nrole_arn = a\n"},
    }
    file = written(tmp_path, choice.manifest, choice.secret, managed)
    done = run("-f", file, "--token-cco", "--fingerprint-key", str(key))
    assert done.stdout.count("loki.grafana.com/token-cco-auth-hash: k:") == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"short", "no key of 32 bytes", id="too short"),
        pytest.param(b"k" * 5000, "no key of 32 bytes", id="no key at all"),
        pytest.param(None, "cannot read it", id="not there"),
    ],
)
def test_a_key_that_is_none_is_refused(
    tmp_path: Path, stack: str, content: bytes | None, said: str
) -> None:
    """With what is wrong with it."""
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    done = run("-f", stack, "--fingerprint-key", str(key))
    assert isinstance(done.exception, BadInput)
    assert said in str(done.exception)


def test_files_without_a_stack_are_no_input(tmp_path: Path) -> None:
    """There is nothing to print."""
    done = run("-f", written(tmp_path, Choice().secret))
    assert isinstance(done.exception, BadInput)


def test_an_unmanaged_stack_is_left_alone(tmp_path: Path) -> None:
    """As the operator leaves it; and the person is told."""
    choice = Choice()
    manifest = choice.manifest
    manifest["spec"]["managementState"] = "Unmanaged"
    done = run("-f", written(tmp_path, manifest, choice.secret))
    assert (done.return_value, done.stdout.strip()) == (0, "")
    assert "Unmanaged" in done.stderr


def test_a_stack_given_twice_is_printed_once(tmp_path: Path) -> None:
    """Two objects of one name would not be two objects."""
    choice = Choice()
    once = run("-f", written(tmp_path, choice.manifest, choice.secret)).stdout
    twice = run("-f", written(tmp_path, choice.manifest, choice.manifest, choice.secret)).stdout
    assert once == twice


def _other(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "labels": {"which": "other"}}}


@pytest.mark.parametrize("kind", ["LokiStack", "Secret", "ConfigMap"])
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_what_contradicts_itself_is_not_rendered(tmp_path: Path, kind: str, *, last: bool) -> None:
    """Which of two is meant no order of files says: nothing on stdout, and what stands twice."""
    choice = Choice()
    trusting = choice.manifest
    trusting["spec"]["storage"]["tls"] = {"caName": "ca"}
    objects = [trusting, choice.secret, CA]
    (twin,) = (each for each in objects if each["kind"] == kind)
    files = [*objects, _other(twin)] if last else [_other(twin), *objects]
    done = run("-f", written(tmp_path, *files))
    assert (done.return_value, done.stdout) == (3, "")
    assert f"error: {kind} logging/" in done.stderr
    assert "2 times, with different contents" in done.stderr
    assert CANARY not in done.stderr


def test_a_diff_with_what_was_rendered_is_empty(tmp_path: Path, stack: str) -> None:
    """Exit code 0; the stack's own Secret and other files beside it are no part of it."""
    before = tmp_path / "before"
    before.mkdir()
    (before / "rendered.yaml").write_text(run("-f", stack).stdout)
    written(before, Choice().secret, Choice().manifest)
    done = run("-f", stack, "--diff", str(before))
    assert (done.return_value, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("tenancy", ["static", "passthrough"])
def test_what_tenants_name_is_hashed_and_not_printed(tmp_path: Path, tenancy: str) -> None:
    """With the key the gateway alone wears a hash of it, which changes when it does."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    choice = Choice(tenancy=tenancy)

    def worn(*beside: dict[str, Any]) -> dict[str, str]:
        file = written(tmp_path, choice.manifest, choice.secret, *beside)
        done = run("-f", file, "-o", "json", "--fingerprint-key", str(key))
        assert done.return_value == 0, done.stderr
        assert CANARY not in done.stdout + done.stderr
        templates = {
            each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"]
            for each in json.loads(done.stdout)["items"]
            if "template" in each.get("spec", {})
        }
        return {
            name: each["lokeys.dev/tenants-hash"]
            for name, each in templates.items()
            if "lokeys.dev/tenants-hash" in each
        }

    first = worn(*choice.beside)
    assert set(first) == {"my-stack-gateway"}
    assert worn(*reversed(choice.beside)) == first
    client, ca, clients_ca = choice.beside
    client["stringData"]["clientSecret"] = "another"
    clients_ca["stringData"]["ca.crt"] = f"# ours\n{TO_2060}"
    assert worn(client, ca, clients_ca) != first


def test_a_tenants_secret_that_is_missing_is_in_the_way(tmp_path: Path) -> None:
    """Nothing is printed; and a Secret that is there twice is not guessed at."""
    choice = Choice(tenancy="static")
    client, ca, _ = choice.beside
    done = run("-f", written(tmp_path, choice.manifest, choice.secret, ca))
    assert (done.return_value, done.stdout) == (3, "")
    assert "LK0255" in done.stderr
    other = {**client, "stringData": {"clientID": "other"}}
    both = run("-f", written(tmp_path, choice.manifest, choice.secret, ca, client, other))
    assert (both.return_value, both.stdout) == (3, "")
    assert "client-123 is in the input 2 times" in both.stderr


def test_a_diff_says_what_would_change(tmp_path: Path, stack: str) -> None:
    """Exit code 3, a unified diff; of the chosen groups alone where some are chosen."""
    before = tmp_path / "before.yaml"
    before.write_text(run("-f", stack).stdout)
    grown = written(tmp_path, Choice(size="1x.small").manifest, Choice().secret)
    done = run("-f", grown, "--diff", str(before))
    assert done.return_value == 3
    lines = done.stdout.splitlines()
    assert f"--- {before}/StatefulSet logging/my-stack-ingester" in lines
    assert "+++ rendered/StatefulSet logging/my-stack-ingester" in lines
    assert {"-  replicas: 1", "+  replicas: 3"} <= set(lines)
    assert CANARY not in done.stdout
    services = run("-f", grown, "--diff", str(before), "--only", "services")
    assert (services.return_value, services.stdout) == (0, "")
    rules = Choice(extra="rules").manifest
    ruled = run("-f", written(tmp_path, rules, Choice().secret), "--diff", str(before))
    assert "--- /dev/null" in ruled.stdout
    assert "+++ rendered/StatefulSet logging/my-stack-ruler" in ruled.stdout


def test_a_diff_is_text(tmp_path: Path, stack: str) -> None:
    """Programs compare objects."""
    done = run("-f", stack, "--diff", str(tmp_path), "-o", "json")
    assert isinstance(done.exception, BadInput)
    assert "a diff is text" in str(done.exception)


def test_a_base_that_an_overlay_patches_is_built_first(tmp_path: Path) -> None:
    """What lies there is not what runs; without the patch it is rendered where the overlay says."""
    choice = Choice()
    (tmp_path / "base").mkdir()
    written(tmp_path / "base", choice.manifest, choice.secret)
    overlay = {"namespace": "prod", "resources": ["base/stack.json"]}
    patch = {"patch": "[]", "target": {"kind": "Secret"}}
    file = tmp_path / "kustomization.yaml"
    file.write_text(json.dumps(overlay))
    plain = run("-f", str(tmp_path))
    file.write_text(json.dumps({**overlay, "patches": [patch]}))
    patched = run("-f", str(tmp_path))

    assert plain.return_value == 0, plain.stderr
    spaces = {each["metadata"].get("namespace") for each in yaml.safe_load_all(plain.stdout)}
    assert "prod" in spaces
    assert "logging" not in spaces
    assert (patched.return_value, patched.stdout) == (3, "")
    assert f"hand in what `kubectl kustomize {tmp_path}` prints" in patched.stderr


def test_a_stack_that_is_filled_in_is_not_rendered(tmp_path: Path) -> None:
    """Nothing is printed, and it is said why."""
    choice = Choice()
    manifest = choice.manifest
    manifest["spec"]["size"] = "${SIZE}"
    done = run("-f", written(tmp_path, manifest, choice.secret))

    assert (done.return_value, done.stdout) == (3, "")
    assert "is not whole as it lies there: hand in what is applied" in done.stderr
