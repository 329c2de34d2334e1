# SPDX-License-Identifier: Apache-2.0
"""Whole folders of GitOps repositories, judged in one run as they lie there."""

from pathlib import Path

import pytest

from repositories.told import EXPECTED, repositories, told


@pytest.mark.parametrize("folder", repositories(), ids=lambda folder: folder.name)
def test_a_folder_that_works_is_judged_in_one_run(folder: Path) -> None:
    """What is whole is judged, what is not is named with a way; nothing of it is an error."""
    said = told(folder)

    assert said == (folder / EXPECTED).read_text()
    assert said.endswith("\nexit code 0\n")


def test_a_broken_neighbour_of_each_is_told(tmp_path: Path) -> None:
    """The same folders with a fault that no build mends: an error, with its file."""
    for folder in repositories():
        for file in folder.rglob("*.yaml"):
            copy = tmp_path / folder.name / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text())
        (tmp_path / folder.name / "broken.yaml").write_text(BROKEN)
        said = told(tmp_path / folder.name)
        assert "LK0103 error" in said, folder.name
        assert "broken.yaml" in said
        assert said.endswith("\nexit code 3\n")


BROKEN = """\
apiVersion: loki.grafana.com/v1
kind: LokiStack
metadata: {name: broken, namespace: broken}
spec:
  size: 1x.small
  storageClassName: fast
  storage:
    schemas: [{version: v13, effectiveDate: "2024-10-01"}]
    secret: {name: broken, type: s3}
---
apiVersion: v1
kind: Secret
metadata: {name: broken, namespace: broken}
stringData: {bucketnames: logs, endpoint: "https://s3.example.com"}
"""
