# SPDX-License-Identifier: Apache-2.0
"""What `lokeys iam aws --check` promises of any IAM that it asks: Ceph RGW's and AWS's."""

import json
from collections.abc import Mapping

from trust.tools import Shell


def what_lacks_is_found(tools: Shell, words: str, at: str) -> None:
    """A subject fewer, no policy, no role: each is found where it is.

    `words` tell lokeys of a stack that is not in the cluster; `at` tells `aws` where IAM is.
    """
    frail = f"lokeys iam aws --name frail {words}"
    report = json.loads(tools.run(f"{frail} -o json").stdout)
    made = [each for each in report["commands"] if not each["command"].startswith("kubectl")]
    typed = tools.run("\n".join(each["command"] for each in made))
    assert typed.returncode == 0, typed.stderr
    checked = tools.run(f"{frail} --check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "suits the stack: Role/loki-frail, OIDCProvider/arn" in checked.stderr + checked.stdout

    trust = report["documents"][0]["content"]
    condition = trust["Statement"][0]["Condition"]["StringEquals"]
    (subject,) = (key for key in condition if key.endswith(":sub"))
    condition[subject] = condition[subject][:1]
    (tools.folder / "half.json").write_text(json.dumps(trust, separators=(",", ":")))
    role = f"--role-name loki-frail {at}"
    for change, code, word in (
        (
            f"update-assume-role-policy {role} --policy-document file://half.json",
            "LK0701",
            "frail-ruler",
        ),
        (f"delete-role-policy {role} --policy-name loki-storage", "LK0706", "s3:PutObject"),
        (f"delete-role {role}", "LK0717", "Role/loki-frail does not exist"),
    ):
        done = tools.run(f"aws iam {change}")
        assert done.returncode == 0, done.stderr
        checked = tools.run(f"{frail} --check")
        assert checked.returncode == 3, checked.stdout + checked.stderr
        assert code in checked.stdout
        assert word in checked.stdout


def who_may_not_ask_is_told(tools: Shell, nobody: Mapping[str, str], words: str) -> None:
    """Exit code 5 and the right that lacks; nothing is concluded."""
    shell = Shell(folder=tools.folder, environment={**tools.environment, **nobody})
    done = shell.run(f"lokeys iam aws {words} --check")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "grant iam:GetRole" in done.stderr
