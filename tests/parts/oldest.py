# SPDX-License-Identifier: Apache-2.0
"""Runs tests on the oldest Kubernetes that is supported: `make oldest`, once for each release."""

import os
import sys

import pytest

from parts.build import PARTS, build, built

PART = "kubernetes-oldest"
TESTS = (
    "tests/integration/deploy",
    "tests/integration/kube",
    "tests/e2e/test_story_cli.py",
    "tests/e2e/test_story_operator.py",
)
_DEFINITION = "tests/integration/deploy/test_lokistack_definition.py"
NOT_THERE = (
    # Operated LokiStacks are claimed for newer ones alone: docs/reference/versions.md.
    "--ignore=tests/integration/deploy/test_stack_rights.py",
    # It takes a number of 32 bits for any number; lokeys finds it (LK0201).
    f"--deselect={_DEFINITION}::test_what_is_wrong_is_refused[a huge number]",
)


def main() -> int:
    """Build its API server and its controllers, and run the tests on them."""
    if built(PART) is None:
        build([PARTS[PART]])
    os.environ["KUBEBUILDER_ASSETS"] = str(built(PART))
    return int(pytest.main(["-q", "-m", "not chaos", *NOT_THERE, *TESTS]))


if __name__ == "__main__":
    sys.exit(main())
