# SPDX-License-Identifier: Apache-2.0
"""What the image and the programs leave out."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "deploy/trim.py"


def test_only_what_finds_credentials_is_left_of_aws(tmp_path: Path) -> None:
    """Descriptions of other services go; what describes all of them stays."""
    data = tmp_path / "botocore/data"
    for name in ("ec2", "sts", "s3"):
        (data / name / "2020").mkdir(parents=True)
    (data / "partitions.json").touch()
    lexers = tmp_path / "pygments/lexers"
    lexers.mkdir(parents=True)
    for name in ("__init__.py", "_mapping.py", "python.py"):
        (lexers / name).touch()

    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)

    assert {path.name for path in data.iterdir()} == {"sts", "partitions.json"}
    assert {path.name for path in lexers.iterdir()} == {"__init__.py", "_mapping.py"}
