# SPDX-License-Identifier: Apache-2.0
"""The guide to short-lived tokens: on RGW it runs; the clouds' own tools get lines they take."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.pages import blocks
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw
from trust.grammar import check_script
from trust.moving import static_stack
from trust.tools import Shell

PAGE = "docs/guides/short-lived-tokens.md"
# What each cloud hands out once the printed commands have run, made of the printed documents.
DOCUMENTS: dict[str, dict[str, Callable[[list[Any]], Any]]] = {
    "aws": {
        "role.json": lambda made: {"Role": {"AssumeRolePolicyDocument": made[0]}},
        "policy.json": lambda made: {"PolicyDocument": made[1]},
    },
    "azure": {
        "credentials.json": lambda made: made[0],
        "roles.json": lambda made: [made[1]],
    },
    "gcp": {
        "provider.json": lambda made: made[0],
        "trust.json": lambda made: made[1],
        "bucket.json": lambda made: made[2],
    },
}


def test_the_guide_to_tokens_does_what_it_says(
    kubernetes: Kubernetes, rgw: Rgw, tmp_path: Path
) -> None:
    """Typed as printed; what needs a cloud is held to its tool's grammar, line by line."""
    seen = []
    with static_stack(kubernetes, rgw, namespace="logging", folder=tmp_path) as stack:
        for block in blocks(PAGE):
            seen.append(block.remark)
            if block.remark == "needs a cloud":
                script = tmp_path / block.text.split()[-1]
                check_script(script.read_text() if script.suffix == ".sh" else block.text)
                continue
            if block.remark == "with the documents":
                _hand_out(stack.shell, block.text)
            done = stack.shell.run(block.text, timeout_s=120)
            assert done.returncode == block.exits, f"{block.text}{done.stdout}{done.stderr}"
            assert stack.secret_key not in done.stdout + done.stderr
        assert stack.reads == {"name": "loki-storage", "type": "s3", "credentialMode": "static"}
    assert seen.count("needs a cloud") == 6
    assert seen.count("with the documents") == 3


def _hand_out(tools: Shell, comparison: str) -> None:
    """Write the files that a comparison reads, of what the same stack's report says."""
    printing, _, files = comparison.rpartition("\\\n")
    report = json.loads(tools.run(f"{printing.rstrip()} -o json").stdout)
    made = [each["content"] for each in report["documents"]]
    for name, content in DOCUMENTS[report["cloud"]].items():
        assert name in files
        (tools.folder / name).write_text(json.dumps(content(made)))
