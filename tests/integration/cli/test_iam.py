# SPDX-License-Identifier: Apache-2.0
"""Trust as it is printed, on the real API server's tokens and the real RGW's IAM and STS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lokeys.core.trust.accounts import claims_of
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw
from parts.rgw_iam import Iam
from trust.asked import CLOUDS, printed
from trust.live import what_lacks_is_found, who_may_not_ask_is_told
from trust.moving import AUDIENCE, NAME, StaticStack, static_stack
from trust.takes import takes

SCRIPT_S = 120


@pytest.fixture(scope="module")
def stack(
    kubernetes: Kubernetes, rgw: Rgw, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StaticStack]:
    folder = tmp_path_factory.mktemp("iam")
    with static_stack(kubernetes, rgw, namespace="iam", folder=folder) as made:
        yield made


def lokeys(stack: StaticStack, *words: str) -> tuple[int, str]:
    """Return exit code and words of `lokeys iam aws` on the stack; its key is in none of them."""
    done = stack.shell.run(f"lokeys iam aws {NAME} -n {stack.namespace} {' '.join(words)}")
    assert stack.secret_key not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def moved(stack: StaticStack) -> StaticStack:
    """Type what is printed, once."""
    code, said = lokeys(stack, "--create-provider", "-o", "commands", "> iam.sh")
    assert (code, said) == (0, "")
    done = stack.shell.run("bash -eu iam.sh", timeout_s=SCRIPT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def test_what_is_printed_moves_a_stack_from_keys_to_tokens(moved: StaticStack) -> None:
    """Typed as printed: both accounts get the bucket, nobody else anything; the check agrees."""
    stack = moved
    assert stack.reads == {
        "name": "loki-storage-token",
        "type": "s3",
        "credentialMode": "token",
    }
    validated = stack.shell.run(
        f"kubectl get lokistack/my-stack secret/loki-storage-token -n {stack.namespace} -o yaml"
        " | lokeys validate -f - --fail-on warning"
    )
    assert validated.returncode == 0, validated.stdout

    iam, arn = Iam(stack.rgw), "arn:aws:iam:::role/loki-my-stack"
    for account in ("my-stack", "my-stack-ruler"):
        session = iam.assume(arn, stack.token(account, AUDIENCE))
        assert session.given, session
        assert iam.request(session, "PUT", f"/iam-loki/{account}", b"x").is_success
        assert iam.request(session, "GET", f"/iam-loki/{account}").is_success
        assert iam.request(session, "GET", "/iam-loki").is_success
        assert iam.request(session, "DELETE", f"/iam-loki/{account}").is_success
        assert not iam.request(session, "DELETE", "/iam-loki").is_success
    assert not iam.assume(arn, stack.token("stranger", AUDIENCE)).given
    assert not iam.assume(arn, stack.token("my-stack", "another")).given

    code, said = lokeys(stack, "--check")
    assert code == 0, said
    assert "suits the stack: Role/loki-my-stack, OIDCProvider/arn" in said


def test_iam_is_asked_what_lacks(moved: StaticStack) -> None:
    """A subject fewer, no policy, no role: each is found where it is, at the real IAM."""
    at = f"--endpoint-url {moved.rgw.endpoint}"
    words = f"-n {moved.namespace} --bucket iam-loki --endpoint {moved.rgw.endpoint}"
    what_lacks_is_found(moved.shell, words, at)


def test_who_may_not_ask_iam_is_told_so(moved: StaticStack) -> None:
    """Exit code 5 and the right that lacks; nothing is concluded of a role that is there."""
    stack = moved
    pair = stack.rgw.create_user("iam-nobody")
    nobody = {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]}
    who_may_not_ask_is_told(stack.shell, nobody, f"{NAME} -n {stack.namespace}")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_tokens_of_the_real_api_server_are_taken_or_refused(stack: StaticStack, cloud: str) -> None:
    """Both accounts pass; another account, audience or issuer does not."""
    names = {"--namespace": stack.namespace, "--name": NAME}
    here = {**CLOUDS[cloud], **names, "--issuer": stack.kubernetes.issuer.url}
    needs, _ = printed(cloud, here)
    for account in ("my-stack", "my-stack-ruler"):
        assert takes(needs, claims_of(stack.token(account, needs.stack.audience)))
    assert not takes(needs, claims_of(stack.token("stranger", needs.stack.audience)))
    assert not takes(needs, claims_of(stack.token("my-stack", "another")))
    elsewhere, _ = printed(cloud, {**here, "--issuer": "https://issuer.example.com"})
    assert not takes(elsewhere, claims_of(stack.token("my-stack", needs.stack.audience)))


def test_a_cluster_that_serves_no_discovery_is_told_so(stack: StaticStack, tmp_path: Path) -> None:
    """The issuer is asked for instead; whatever else can be printed is."""
    text = stack.kubernetes.kubeconfig.read_text().replace("https://127.0.0.1", "https://127.0.0.2")
    (tmp_path / "kubeconfig").write_text(text)
    done = stack.shell.run(
        "lokeys iam azure -n a --name b --storage-account lokilogs --container loki "
        f"--kubeconfig {tmp_path / 'kubeconfig'}"
    )
    assert done.returncode == 5
    assert "the cluster's issuer cannot be read" in done.stderr
    assert "give --issuer" in done.stdout


def test_who_may_not_read_the_secret_is_asked_for_what_it_holds(stack: StaticStack) -> None:
    """The stack alone tells its names; a Secret is made beside the one that is not read."""
    rules = [{"apiGroups": ["loki.grafana.com"], "resources": ["lokistacks"], "verbs": ["get"]}]
    group = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    placed = {"name": "reader", "namespace": stack.namespace}
    reader = {"kind": "ServiceAccount", "name": "stranger", "namespace": stack.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    stack.kubernetes.apply(
        {**group, "kind": "Role", "metadata": placed, "rules": rules},
        {
            **group,
            "kind": "RoleBinding",
            "metadata": placed,
            "roleRef": role,
            "subjects": [reader],
        },
    )
    config = stack.kubernetes.user_kubeconfig(stack.namespace, "stranger")
    options = f"-n {stack.namespace} --kubeconfig {config} --issuer https://issuer.example.com"
    done = stack.shell.run(f"lokeys iam aws {NAME} {options}")
    assert done.returncode == 5, done.stderr
    assert "what it holds is asked for instead" in done.stderr
    assert "give --bucket" in done.stdout
    secret = str(stack.reads["name"])
    assert f"create secret generic {secret}-token" in done.stdout


def test_a_stack_that_is_not_there_is_bad_input(stack: StaticStack) -> None:
    """By its name; exit code 2."""
    done = stack.shell.run(f"lokeys iam aws no-such-stack -n {stack.namespace}")
    assert done.returncode == 2
    assert "no-such-stack" in done.stderr


def test_the_report_is_of_the_stack_in_the_cluster(stack: StaticStack) -> None:
    """Issuer from the discovery document, bucket and endpoint from the Secret."""
    code, said = lokeys(stack, "-o", "json")
    assert code == 0, said
    report: dict[str, Any] = json.loads(said)
    trust = report["documents"][0]["content"]["Statement"][0]
    issuer = stack.kubernetes.issuer.url.partition("://")[2]
    assert trust["Principal"]["Federated"] == f"arn:aws:iam:::oidc-provider/{issuer}"
    assert any(stack.rgw.endpoint in each["command"] for each in report["commands"])
