# SPDX-License-Identifier: Apache-2.0
"""A token of the real API server, the real STS of RGW, and a bucket: each link, whole and broken.

RGW runs in both of its orders of authentication. Its STS says AccessDenied of everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from contract.web_identity import World
from lokeys.core.trust.tries.verification import Verification
from parts.kubernetes import Kubernetes
from parts.process import free_ports


@pytest.fixture(params=["rgw", "rgw_sts_first"])
def world(
    request: pytest.FixtureRequest, kubernetes: Kubernetes, namespace: str
) -> Iterator[World]:
    """Give a world in which all is well, in one of RGW's orders of authentication."""
    made = World(kubernetes, request.getfixturevalue(request.param), namespace)
    yield made
    made.iam.remove_role(made.role)


def shown(tried: Verification) -> dict[str, bool | None]:
    return {link.name: link.ok for link in tried.links}


def test_a_sound_way_is_verified_link_by_link(world: World) -> None:
    """Token, claims, exchange and the four calls on the bucket: all hold, twice in a row."""
    for _ in range(2):
        tried = world.verify()
        assert tried.verified is True, tried
        assert set(shown(tried).values()) == {True}
        assert list(shown(tried))[-1] == "store"


Break = Callable[[World], None]


def another_subject(world: World) -> None:
    world.iam.remove_role(world.role)
    world.make_role(account="default")


def no_role(world: World) -> None:
    world.iam.remove_role(world.role)


def another_audience(world: World) -> None:
    world.audience = "somebody-else"


def issuer_unknown(world: World) -> None:
    world.iam.trust(world.kubernetes.issuer.url, "another-client")


@pytest.mark.parametrize("breaks", [another_subject, no_role, another_audience, issuer_unknown])
def test_a_refused_exchange_says_possible_and_what_would_tell(world: World, breaks: Break) -> None:
    """RGW says AccessDenied of a wrong subject, role and audience alike."""
    breaks(world)
    tried = world.verify()
    assert tried.verified is False
    assert tried.refused
    assert tried.first_broken is not None
    assert tried.first_broken.name == "trust"
    assert tried.first_broken.confidence.value == "possible"
    assert shown(tried)["store"] is None


def test_a_role_without_rights_on_the_bucket_breaks_at_the_store(world: World) -> None:
    """The exchange holds; the store's AccessDenied is the policy's."""
    world.iam.allow(world.role, buckets=["another"])
    tried = world.verify()
    assert shown(tried)["identity"] is True
    assert tried.first_broken is not None
    assert tried.first_broken.cause == "s3_access_denied_policy"


def test_a_bucket_that_is_not_there_is_told_as_such(world: World) -> None:
    """The exchange holds; there is nothing to write to."""
    world.iam.allow(world.role, buckets=["nowhere"])
    tried = world.verify(bucket="nowhere")
    assert tried.first_broken is not None
    assert tried.first_broken.cause == "bucket_not_found"


def test_silence_is_no_refusal(world: World) -> None:
    """Where nobody answers nothing is verified, and nothing refused."""
    world.endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    tried = world.verify()
    assert tried.verified is None
    assert not tried.refused
    assert tried.first_untried is not None
    assert tried.first_untried.cause == "sts_unreachable"


def test_the_account_must_exist(world: World) -> None:
    """A service account that nobody made yet is awaited, not blamed."""
    tried = world.verify(account="nobody")
    assert tried.verified is None
    assert tried.first_untried is not None
    assert tried.first_untried.name == "token"


def test_no_token_for_the_api_server_itself_is_asked_for(world: World) -> None:
    """An audience of the API server's own is refused before any request."""
    world.audience = world.kubernetes.issuer.url
    tried = world.verify()
    assert tried.first_broken is not None
    assert tried.first_broken.name == "token"
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/logs/token"
    asked = [event["requestURI"] for event in world.kubernetes.audit_events("admin")]
    assert path not in asked


def lokeys(*words: str, kubeconfig: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run lokeys as a person would, with nothing of the caller's environment but what is given."""
    return subprocess.run(
        [sys.executable, "-m", "lokeys", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.defpath, "KUBECONFIG": str(kubeconfig), **environ},
    )


def files_of(world: World, folder: Path) -> Path:
    metadata = {"name": "storage", "namespace": world.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    path = folder / "stack.yaml"
    stack_and_secret = [world.manifest(), {**secret, "stringData": world.secret()}]
    path.write_text(yaml.safe_dump_all(stack_and_secret))
    return path


def test_a_terminal_shows_each_link_and_what_mends_it(world: World, tmp_path: Path) -> None:
    """`lokeys probe stack -f`: all well; then the role is gone; then it is back."""
    file, kubeconfig = files_of(world, tmp_path), world.kubernetes.kubeconfig
    command = ("probe", "stack", "-f", str(file), "-n", world.namespace)
    well = lokeys(*command, kubeconfig=kubeconfig)
    assert well.returncode == 0, well.stdout + well.stderr
    assert "identity  ok" in well.stdout
    world.iam.remove_role(world.role)
    broken = lokeys(*command, "-o", "json", kubeconfig=kubeconfig)
    assert broken.returncode == 3
    report = json.loads(broken.stdout)
    assert [link["cause"] for link in report["links"] if link["ok"] is False] == [
        "sts_trust_policy_denied"
    ]
    assert report["findings"][0]["code"] == "LK0730"
    assert report["findings"][0]["confidence"] == "possible"
    world.make_role()
    assert lokeys(*command, kubeconfig=kubeconfig).returncode == 0


def test_whoever_may_not_ask_for_tokens_is_told_the_role(world: World, tmp_path: Path) -> None:
    """Exit 5, and the command that grants the least that is needed."""
    user = world.kubernetes.user_kubeconfig(world.namespace, "logs")
    file = files_of(world, tmp_path)
    said = lokeys("probe", "stack", "-f", str(file), "-n", world.namespace, kubeconfig=user)
    assert said.returncode == 5, said.stdout + said.stderr
    assert "LK0758" in said.stdout
    assert f"lokeys rbac stack logs -n {world.namespace} --tokens" in said.stdout


def test_a_key_of_the_environment_is_tried_without_a_cluster(world: World, tmp_path: Path) -> None:
    """The right key opens the bucket, another does not; neither shows."""
    key, secret = world.owner
    command = ("probe", "s3", "--bucket", world.bucket, "--endpoint", world.rgw.endpoint)
    for given, code in ((secret, 0), ("canary", 3)):
        said = lokeys(
            *command,
            kubeconfig=tmp_path / "none",
            AWS_ACCESS_KEY_ID=key,
            AWS_SECRET_ACCESS_KEY=given,
        )
        assert said.returncode == code, said.stderr
        assert given not in said.stdout + said.stderr
        assert key not in said.stdout + said.stderr
