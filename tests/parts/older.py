# SPDX-License-Identifier: Apache-2.0
"""Run as `older.py PROGRAM ARGUMENT…`: a gateway with those of its arguments that it knows.

The gateway that tests can build is older than the one that is deployed. It is given what it demands
beside; what today's does not is left out.
"""

import os
import re
import subprocess
import sys

DEMANDED = [f"--metrics.{each}.endpoint=http://127.0.0.1:9" for each in ("read", "write")]
"""Addresses of metrics, which nobody asks for here."""


def main() -> None:
    """Become the program."""
    program, *arguments = sys.argv[1:]
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stderr
    known = set(re.findall(r"^ +-([a-z][-.a-z]*)", said, re.MULTILINE))
    kept = [each for each in arguments if each.removeprefix("--").partition("=")[0] in known]
    os.execv(program, [program, *kept, *(DEMANDED if kept != arguments else ())])


if __name__ == "__main__":
    main()
