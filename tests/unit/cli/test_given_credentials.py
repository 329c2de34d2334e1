# SPDX-License-Identifier: Apache-2.0
"""`lokeys probe s3|azure|gcs`: where credentials are taken from, and never the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from fakes.clouds import FakeClouds
from fakes.ports import FakeObjects, World
from fakes.sessions import Desk
from lokeys.cli.given_credentials import GivenCredentials, gathered, probe_given
from lokeys.cli.main import lokeys
from lokeys.core.findings.link import broken, untried
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.storage.model import StorageType
from lokeys.core.trust.tries.identity import AccessKey, S3Place
from lokeys.core.trust.tries.verification import LinkName
from lokeys.errors import BadInput
from unit.cli.test_probing import secret
from unit.core.stack.storage import secrets as sound

PAIR = {"AWS_ACCESS_KEY_ID": "AKIAQ4KLMN5OPQR6STUV", "AWS_SECRET_ACCESS_KEY": "canary" * 6}
WORDS = {"bucketnames": "chunks", "endpoint": "http://rgw.svc:80"}


def run(
    given: GivenCredentials,
    *objects: Mapping[str, Any],
    clouds: FakeClouds | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[int, Desk]:
    desk = Desk(World(), objects=FakeObjects(*objects))
    session = desk.session(**options)
    code = asyncio.run(
        probe_given(
            given,
            clouds or FakeClouds(),
            session.printer,
            session.options,
            way=session.way,
            objects=session.objects,
            namespace=session.namespace,
            environ=environ or {},
        )
    )
    assert "canary" not in desk.printed + desk.said
    return code, desk


def test_a_key_of_the_environment_is_tried_at_the_named_bucket() -> None:
    """What the cloud's own tools read; what is no secret is an option."""
    clouds = FakeClouds()
    code, desk = run(
        GivenCredentials(type=StorageType.S3, words=WORDS), clouds=clouds, environ=PAIR
    )
    assert code == 0
    (key,) = clouds.shown
    assert isinstance(key, AccessKey)
    assert key.pair.access_key_id.reveal_text() == PAIR["AWS_ACCESS_KEY_ID"]
    place = clouds.tried[0][0]
    assert isinstance(place, S3Place)
    assert (place.buckets[0].name, place.buckets[0].endpoint) == ("chunks", "http://rgw.svc:80")
    assert "  store   ok" in desk.printed


def test_a_temporary_key_has_its_session_token_with_it() -> None:
    """Without it the store would not know the key."""
    clouds = FakeClouds()
    around = {**PAIR, "AWS_SESSION_TOKEN": "canary-session"}
    assert (
        run(GivenCredentials(type=StorageType.S3, words=WORDS), clouds=clouds, environ=around)[0]
        == 0
    )
    (key,) = clouds.shown
    assert isinstance(key, AccessKey)
    assert key.pair.session_token == Sensitive("canary-session")


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_a_secret_of_the_cluster_is_taken_by_its_name(kind: str) -> None:
    """In the form of a LokiStack's storage Secret; the environment is not looked at."""
    clouds = FakeClouds()
    held = secret("storage", **sound.SOUND[f"{kind} static"])
    given = GivenCredentials(type=StorageType(kind), name="storage")
    code, _ = run(given, held, clouds=clouds, environ=PAIR)
    assert code == 0
    assert len(clouds.tried) == 1


def test_a_secret_of_a_route_is_taken_too(tmp_path: Path) -> None:
    """Under the names of the environment, out of a manifest."""
    file = tmp_path / "secret.yaml"
    file.write_text(yaml.safe_dump(secret("loki-s3-credentials", **PAIR)))
    clouds = FakeClouds()
    code, _ = run(GivenCredentials(type=StorageType.S3, file=str(file), words=WORDS), clouds=clouds)
    assert code == 0
    assert isinstance(clouds.shown[0], AccessKey)


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    """A file's last line break is not part of the key."""
    (tmp_path / "key").write_text("canary" * 6 + "\n")
    (tmp_path / "key.json").write_text(json.dumps(sound.ACCOUNT))
    (tmp_path / "ca.pem").write_text("PEM")
    clouds = FakeClouds()
    given = GivenCredentials(
        type=StorageType.S3,
        words=WORDS,
        secret_files={"access_key_secret": str(tmp_path / "key")},
        ca_file=str(tmp_path / "ca.pem"),
    )
    assert run(given, clouds=clouds, environ={"AWS_ACCESS_KEY_ID": "AKIA1"})[0] == 0
    assert isinstance(clouds.shown[0], AccessKey)
    assert clouds.shown[0].pair.secret_access_key.reveal_text() == "canary" * 6
    place = clouds.tried[0][0]
    assert isinstance(place, S3Place)
    assert place.buckets[0].ca_bundle == "PEM"
    google = GivenCredentials(type=StorageType.GCS, words={"bucketname": "chunks"})
    around = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
    assert run(google, environ=around)[0] == 0


@pytest.mark.parametrize(
    ("store", "code", "words"),
    [
        pytest.param(
            broken(LinkName.STORE, "access_key_unknown", "no"), 3, "access_key_unknown", id="broken"
        ),
        pytest.param(
            untried(LinkName.STORE, "no answer", cause="endpoint_unreachable"), 5, "-", id="silent"
        ),
    ],
)
def test_the_exit_code_tells_a_no_from_silence(store: Any, code: int, words: str) -> None:
    """3 for a no; 5 where nobody answered, which names no cause."""
    clouds = FakeClouds(store=store)
    found, desk = run(
        GivenCredentials(type=StorageType.S3, words=WORDS), clouds=clouds, environ=PAIR
    )
    assert found == code
    assert words in desk.printed
    _, desk = run(
        GivenCredentials(type=StorageType.S3, words=WORDS),
        clouds=clouds,
        environ=PAIR,
        output="json",
    )
    report = json.loads(desk.printed)
    assert report["kind"] == "ProbeReport"
    assert report["links"][-1]["cause"] == (store.cause if code == 3 else None)


@pytest.mark.parametrize("output", ["people", "json"])
def test_what_is_missing_is_told_as_validate_tells_it(output: str) -> None:
    """Nothing is tried with half a key."""
    clouds = FakeClouds()
    code, desk = run(
        GivenCredentials(type=StorageType.S3), clouds=clouds, environ=PAIR, output=output
    )
    assert code == 3
    assert "bucketnames" in desk.printed
    assert clouds.tried == []


@pytest.mark.parametrize(
    ("given", "objects", "words"),
    [
        pytest.param(
            GivenCredentials(type=StorageType.S3, name="storage"),
            [secret("storage", **sound.SOUND["s3 token"])],
            "names a trust",
            id="a trust",
        ),
        pytest.param(
            GivenCredentials(type=StorageType.S3, name="gone"), [], "there is no Secret", id="gone"
        ),
        pytest.param(
            GivenCredentials(type=StorageType.GCS, secret_files={"key.json": "/no/such/file"}),
            [],
            "cannot read it",
            id="no file",
        ),
    ],
)
def test_what_cannot_be_used_is_bad_input(
    given: GivenCredentials, objects: list[Any], words: str
) -> None:
    """The message says where the credentials should be."""
    with pytest.raises(BadInput, match=words):
        run(given, *objects)


def test_files_are_looked_at_with_care(tmp_path: Path) -> None:
    """Two Secrets, none, or a file too large are refused; by name needs a cluster."""
    two = tmp_path / "two.yaml"
    two.write_text(yaml.safe_dump_all([secret("a"), secret("b")]))
    (tmp_path / "big").write_bytes(b"x" * (65 << 10))
    cases = [
        (GivenCredentials(type=StorageType.S3, file=str(two)), "2 Secrets in here"),
        (GivenCredentials(type=StorageType.S3, file=str(two), name="c"), "no Secret in here"),
        (GivenCredentials(type=StorageType.S3, name="a"), "needs a cluster"),
        (
            GivenCredentials(
                type=StorageType.S3, secret_files={"access_key_secret": str(tmp_path / "big")}
            ),
            "too large",
        ),
    ]
    for given, words in cases:
        with pytest.raises(BadInput, match=words):
            asyncio.run(gathered(given, None, namespace="ns", environ={}))


def typed(*words: str) -> Result:
    return CliRunner().invoke(lokeys, ["probe", *words])


@pytest.mark.parametrize(
    "words",
    [
        ("s3", "--secret-access-key", "canary"),
        ("s3", "--access-key-id", "canary"),
        ("azure", "--account-key", "canary"),
        ("gcs", "--key-json", "canary"),
    ],
)
def test_a_secret_on_the_command_line_is_refused(words: tuple[str, ...]) -> None:
    """Others can read it there; the refusal does not repeat it."""
    result = typed(*words)
    assert result.exit_code != 0
    assert "canary" not in result.output
    assert "hand secrets in by" in result.output


def test_a_stack_must_be_named() -> None:
    """Or its manifest be given."""
    assert "which LokiStack?" in typed("stack").output
