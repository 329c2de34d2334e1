# SPDX-License-Identifier: Apache-2.0
"""The exit codes of every command, the same for every output format."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Scripts rely on the numbers: they are added to, never changed."""

    NOTHING_TO_REPORT = 0
    TOOL_FAILED = 1
    BAD_INPUT = 2  # usage, or input that cannot be read
    FINDINGS = 3  # at or above --fail-on
    INCOMPLETE = 5  # something could not be read, and nothing worse was found
    TIMED_OUT = 124
    INTERRUPTED = 130
