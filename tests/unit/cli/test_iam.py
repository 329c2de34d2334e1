# SPDX-License-Identifier: Apache-2.0
"""`lokeys iam`: commands, Terraform or a report on stdout; documents compared; bad input told."""

import json
import shlex
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from click.testing import CliRunner, Result

from lokeys.cli.main import code_of, lokeys
from lokeys.core.trust.aws.needs import storage_policy, trust_policy
from lokeys.errors import BadInput
from manifests.lokistack import CANARY, STORES, Choice
from trust.asked import ISSUER, aws

NAMED = ("-n", "logging", "--name", "my-stack", "--issuer", ISSUER)
AWS = ("aws", *NAMED, "--bucket", "loki-logs", "--region", "eu-west-1")
WHOLE = (*AWS, "--account-id", "123456789012")
AZURE = ("azure", *NAMED, "--storage-account", "lokilogs", "--container", "loki")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster and no cloud: nothing of whoever runs this is looked at."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(lokeys, ["iam", *args], standalone_mode=False, input=stdin)


def written(folder: Path, *objects: dict[str, Any]) -> str:
    file = folder / "stack.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(file)


def document(folder: Path, name: str, content: Any) -> str:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder / name)


def test_people_and_scripts_read_the_same() -> None:
    """`-o commands` is what a person sees; all of it known, the exit code is 0."""
    people, commands = run(*WHOLE), run(*WHOLE, "-o", "commands")
    assert (people.return_value, commands.return_value) == (0, 0)
    assert people.stdout == commands.stdout
    assert people.stdout.startswith("# who may take the role")
    assert "cat > trust-policy.json" in people.stdout
    assert people.stdout.rstrip().splitlines()[-1].startswith("  --from-literal=role_arn=")
    assert people.stderr == ""


def test_terraform_and_json_are_for_programs() -> None:
    """Terraform reads the one, anybody the other."""
    terraform, report = run(*WHOLE, "-o", "terraform"), run(*WHOLE, "-o", "json")
    assert "resource" in hcl2.loads(terraform.stdout)
    said = json.loads(report.stdout)
    assert (said["apiVersion"], said["kind"]) == ("lokeys.dev/v1", "IamReport")
    assert [each["name"] for each in said["documents"]] == [
        "trust-policy.json",
        "storage-policy.json",
    ]
    assert said["missing"] == said["findings"] == []
    assert said["documents"][0]["content"] == trust_policy(aws())


def test_what_lacks_makes_it_incomplete() -> None:
    """Exit code 5; the name in the text, the option and a command that tells it."""
    done = run(*AWS)
    assert done.return_value == 5
    assert "# ACCOUNT_ID stands for" in done.stdout
    assert json.loads(run(*AWS, "-o", "json").stdout)["missing"][0]["option"] == "--account-id"
    terraform = run(*AWS, "-o", "terraform")
    assert "give --account-id: aws sts" in terraform.stderr
    assert "# ACCOUNT_ID stands" not in terraform.stdout


def test_without_a_cluster_the_issuer_is_asked_for() -> None:
    """Why it could not be read is said on stderr."""
    done = run("aws", "-n", "logging", "--name", "my-stack")
    assert done.return_value == 5
    assert "the cluster's issuer cannot be read: no kubeconfig" in done.stderr
    assert "kubectl get --raw /.well-known/openid-configuration" in done.stdout


@pytest.mark.parametrize(
    ("store", "cloud"),
    [("s3-aws-kms", "aws"), ("s3-token-rgw", "aws"), ("azure", "azure"), ("gcs-token", "gcp")],
)
def test_a_stack_is_taken_from_its_manifests(tmp_path: Path, store: str, cloud: str) -> None:
    """Its names from the LokiStack, the rest from the Secret; and no key of it anywhere."""
    choice = Choice(store=store)
    file = written(tmp_path, choice.manifest, choice.secret)
    for form in ("commands", "json", "terraform"):
        done = run(cloud, "-f", file, "--issuer", ISSUER, "-o", form)
        assert done.return_value in (0, 5), done.stderr
        assert CANARY not in done.stdout + done.stderr
        assert "system:serviceaccount:logging:my-stack-ruler" in done.stdout
        bucket = STORES[store].data.get("bucketnames") or STORES[store].data.get("bucketname")
        assert (bucket or STORES[store].data["container"]) in done.stdout
    if STORES[store].mode == "static":
        assert "patch lokistack my-stack" in run(cloud, "-f", file, "--issuer", ISSUER).stdout


def test_a_stack_without_its_secret_is_asked_for_the_rest(tmp_path: Path) -> None:
    """The manifest alone names stack and Secret."""
    file = written(tmp_path, Choice().manifest)
    done = run("aws", "-f", file, "--issuer", ISSUER)
    assert done.return_value == 5
    assert "give --bucket" in done.stdout


def test_a_fault_of_the_secret_is_in_the_way(tmp_path: Path) -> None:
    """Where it is of a value that is used; exit code 3, nothing on stdout."""
    choice = Choice(store="s3-token")
    secret = choice.secret
    secret["stringData"] = {**secret.get("stringData", {}), "region": "eu-west-1"}
    secret["stringData"]["role_arn"] = "arn:aws:s3:::no-role"
    done = run("aws", "-f", written(tmp_path, choice.manifest, secret), "--issuer", ISSUER)
    assert (done.return_value, done.stdout) == (3, "")
    assert "role_arn" in done.stderr


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no stack": (("aws",), "which LokiStack"),
    "two names": (("aws", "my-stack", "--name", "my-stack"), "two ways"),
    "no account id": ((*WHOLE[:-1], "12"), "--account-id: twelve digits is expected"),
    "no such file": (("aws", "-f", "nowhere.yaml"), "nowhere.yaml"),
    "nothing to compare": ((*AZURE, "--check"), "no documents"),
    "too little known": ((*AWS, "--trust-policy", "x.json"), "--account-id"),
    "no such document": ((*WHOLE, "--trust-policy", "nowhere.json"), "nowhere.json"),
}


@pytest.mark.parametrize(("args", "said"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_said_in_words(args: tuple[str, ...], said: str) -> None:
    """What, where, and what to do; exit code 2."""
    done = run(*args)
    assert isinstance(done.exception, BadInput)
    assert said in str(done.exception)
    assert code_of(done.exception) == 2
    assert done.exception.hint or "nowhere" in said


@pytest.mark.parametrize(
    ("objects", "said", "hint"),
    [
        (["azure"], "stores in azure, not in s3", "lokeys iam azure"),
        (["swift"], "stores in swift", "only s3, azure and gcs"),
        ([], "no LokiStack", "-f"),
        (["s3", "s3-token"], "more than one LokiStack", "name one of them"),
    ],
)
def test_another_stack_than_meant_is_refused(
    tmp_path: Path, objects: list[str], said: str, hint: str
) -> None:
    """With the command for the cloud that it has, or the names that there are."""
    manifests = [Choice(store=each).manifest for each in objects]
    for number, each in enumerate(manifests):
        each["metadata"]["name"] += str(number)
    file = written(tmp_path, *manifests, {"apiVersion": "v1", "kind": "ConfigMap"})
    done = run("aws", "-f", file)
    assert isinstance(done.exception, BadInput)
    assert said in str(done.exception)
    assert hint in str(done.exception.hint)


def test_one_of_several_stacks_can_be_named(tmp_path: Path) -> None:
    """By STACK or by --name."""
    manifests = [Choice().manifest, Choice().manifest]
    manifests[1]["metadata"]["name"] = "other"
    file = written(tmp_path, *manifests)
    for chosen in (("other",), ("--name", "other")):
        done = run("aws", "-f", file, *chosen, "--issuer", ISSUER)
        assert "system:serviceaccount:logging:other-ruler" in done.stdout


def test_one_of_several_overlays_is_named_by_its_namespace(tmp_path: Path) -> None:
    """A base comes once for each of them, always under one name."""
    choice = Choice(store="s3-token")
    (tmp_path / "base").mkdir()
    written(tmp_path / "base", choice.manifest, choice.secret)
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        overlay = {"namespace": name, "resources": ["../base/stack.json"]}
        (tmp_path / name / "kustomization.yaml").write_text(json.dumps(overlay))
    done = run("aws", "-f", str(tmp_path), "-n", "prod", "--issuer", ISSUER)

    assert "system:serviceaccount:prod:my-stack" in done.stdout
    with pytest.raises(BadInput, match="more than one LokiStack"):
        raise run("aws", "-f", str(tmp_path), "--issuer", ISSUER).exception or AssertionError


def test_documents_are_compared(tmp_path: Path) -> None:
    """Good ones pass; a wrong one has its finding, its file, and exit code 3."""
    trust = document(tmp_path, "trust.json", trust_policy(aws()))
    policy = document(tmp_path, "policy.json", storage_policy(aws()))
    good = run(*WHOLE, "--trust-policy", trust, "--policy", policy)
    assert good.return_value == 0
    assert "suits the stack: Role/loki-my-stack" in good.stdout
    cut = trust_policy(aws())
    cut["Statement"][0]["Condition"]["StringEquals"].popitem()
    wide = document(tmp_path, "wide.json", cut)
    assert run(*WHOLE, "--trust-policy", wide).return_value == 0  # a warning
    strict = run(*WHOLE, "--trust-policy", wide, "--fail-on", "warning")
    assert (strict.return_value, "LK0709" in strict.stdout) == (3, True)
    report = json.loads(run(*WHOLE, "--trust-policy", wide, "-o", "json").stdout)
    assert report["findings"][0]["location"]["file"] == wide
    ignored = run(*WHOLE, "--trust-policy", wide, "--ignore", "LK0709", "--fail-on", "info")
    assert ignored.return_value == 0


def test_a_stack_without_rules_needs_its_own_account_alone(tmp_path: Path) -> None:
    """The trust may wait for the ruler's; with rules it may not."""
    choice = Choice(store="s3-token")
    manifest = choice.manifest
    own = trust_policy(aws(region="cn-north-1"))
    said = own["Statement"][0]["Condition"]["StringEquals"]
    (subject,) = (key for key in said if key.endswith(":sub"))
    said[subject] = aws().stack.subjects[0]
    trust = document(tmp_path, "trust.json", own)
    for enabled, code in ((False, 0), (True, 3)):
        manifest["spec"]["rules"] = {"enabled": enabled}
        file = written(tmp_path, manifest, choice.secret)
        done = run("aws", "-f", file, "--issuer", ISSUER, "--trust-policy", trust)
        assert (done.return_value, "LK0701" in done.stdout) == (code, True), done.output


def test_a_document_may_come_from_stdin() -> None:
    """As `-`."""
    done = run(*WHOLE, "--trust-policy", "-", stdin=json.dumps({"Statement": []}))
    assert done.return_value == 3
    assert "LK0701" in done.stdout


PROPOSALS = """{
 "Statement": [{"Condition": {"StringEquals": {"x:sub": [
           "system:serviceaccount:ns:stack"
           "system:serviceaccount:ns:stack-ruler"
 ]}}}]
}"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PROPOSALS, "bad.json:4: no JSON"),
        ("[" * 100_000, "bad.json"),
        ("null", "nothing in it"),
        ('"x"', "expected a trust policy"),
        ("{}", "expected a trust policy"),
    ],
)
def test_a_document_that_is_none_is_refused_with_its_place(
    tmp_path: Path, content: str, said: str
) -> None:
    """As the trust policy of the Loki Operator's proposal, which lacks a comma."""
    done = run(*WHOLE, "--trust-policy", document(tmp_path, "bad.json", content))
    assert isinstance(done.exception, BadInput)
    assert said in str(done.exception)


def test_files_are_bounded_and_are_text(tmp_path: Path) -> None:
    """Four megabytes, UTF-8."""
    for content, said in ((b"\xff\xfe", "not UTF-8"), (b" " * (4 << 20) + b"{}", "larger than")):
        (tmp_path / "big.json").write_bytes(content)
        done = run(*WHOLE, "--trust-policy", str(tmp_path / "big.json"))
        assert said in str(done.exception)


def test_doubts_about_the_issuer_are_said_beside_the_commands() -> None:
    """On stderr: the data stays a script."""
    done = run(*WHOLE, "--issuer", "https://kubernetes.default.svc")
    assert done.return_value == 0
    assert "LK0713" in done.stderr
    assert "LK0713" not in done.stdout


def test_managed_credentials_are_not_made_but_may_be_compared(tmp_path: Path) -> None:
    """In mode token-cco somebody else makes them; what they trust can be looked at."""
    stack = Choice(store="s3-cco").manifest
    stack["spec"]["storage"]["secret"]["credentialMode"] = "token-cco"
    file = written(tmp_path, stack, Choice(store="s3-cco").secret)
    args = ("aws", "-f", file, "--issuer", ISSUER, "--account-id", "123456789012")
    done = run(*args)
    assert isinstance(done.exception, BadInput)
    assert "Cloud Credential Operator" in str(done.exception)
    trust = document(tmp_path, "trust.json", trust_policy(aws()))
    assert run(*args, "--trust-policy", trust).return_value == 0


GCP = ("gcp", *NAMED, "--bucket", "loki-logs", "--project", "my-project")
FITTING = {
    "aws": (WHOLE, {}),
    "rgw": ((*AWS, "--endpoint", "https://rgw.example"), {}),
    "azure": (
        (
            *(*AZURE, "--resource-group", "observability"),
            *("--subscription", "11111111-2222-4333-8444-555555555555"),
        ),
        {
            "client_id": "11111111-2222-4333-8444-555555555556",
            "tenant_id": "11111111-2222-4333-8444-555555555557",
        },
    ),
    "gcp": (
        (*GCP, "--project-number", "123456789", "--pool", "cluster", "--provider", "kubernetes"),
        {},
    ),
    "aws, in a VPC": (
        (
            *(*WHOLE, "--endpoint", "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"),
            *("--sts-endpoint", "https://vpce-1-x.sts.eu-west-1.vpce.amazonaws.com"),
        ),
        {},
    ),
}


@pytest.mark.parametrize(("args", "found_out"), FITTING.values(), ids=FITTING.keys())
def test_the_secret_at_the_end_is_one_that_validate_takes(
    tmp_path: Path, args: tuple[str, ...], found_out: dict[str, str]
) -> None:
    """What the last command would make has no fault: keys, forms, the token's path."""
    report = json.loads(run(*args, "-o", "json").stdout)
    words = shlex.split(report["commands"][-1]["command"].replace("\\\n", " "))
    literals = [
        word.removeprefix("--from-literal=").partition("=")
        for word in words
        if word.startswith("--from-literal=")
    ]
    data = {key: value for key, _, value in literals} | found_out
    for each in report["documents"]:
        if each["name"] == "key.json":
            assert "--from-file=key.json" in words
            data["key.json"] = json.dumps(each["content"])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "my-stack-storage", "namespace": "logging"},
        "stringData": data,
    }
    store = {"aws": "s3-token", "azure": "azure-token", "gcp": "gcs-token"}[args[0]]
    stack = Choice(store=store).manifest
    stack["spec"]["storage"]["secret"] |= {"name": "my-stack-storage", "credentialMode": "token"}
    file = tmp_path / "made.yaml"
    file.write_text(yaml.safe_dump_all([stack, secret]))
    checked = CliRunner().invoke(
        lokeys, ["validate", "-f", str(file), "--fail-on", "info"], standalone_mode=False
    )
    assert checked.return_value == 0, checked.stdout
