# SPDX-License-Identifier: Apache-2.0
"""Takes out of `site-packages` what no command of lokeys reads: python trim.py FOLDER.

botocore describes every service of AWS in 25 MB: lokeys uses its signers, and of the services what
finds the credentials of a machine. Rich could show code in colours, in 9 MB of languages.
"""

import shutil
import sys
from pathlib import Path

SERVICES = {"sts", "sso", "sso-oidc", "signin"}
LEXERS = {"__init__.py", "_mapping.py"}


def trim(packages: Path) -> None:
    """Take it out."""
    for service in packages.glob("botocore/data/*/"):
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for lexer in packages.glob("pygments/lexers/*.py"):
        if lexer.name not in LEXERS:
            lexer.unlink()


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
