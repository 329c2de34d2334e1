# SPDX-License-Identifier: Apache-2.0
"""What is unusual and works is no error: a warning at most, and it is resolved as Loki does it."""

import pytest

from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.resolved import resolved_to_json
from manifests.unusual import UNUSUAL, Unusual
from unit.core.stack.storage.secrets import STACK, data_of


@pytest.mark.parametrize("row", UNUSUAL, ids=str)
def test_what_works_is_no_error(row: Unusual) -> None:
    """At most the warnings of the table, and the storage that it says."""
    reading = read_storage(STACK, row.kind, None, secret=data_of(row.secret))
    assert [each.code for each in reading.findings if each.severity != "info"] == list(row.warned)
    assert not any(each.is_error for each in reading.findings)
    assert reading.storage is not None
    assert resolved_to_json(reading.storage).items() >= row.resolved.items()


def test_each_row_is_told_from_the_others() -> None:
    """By its sentence; and each has a source."""
    assert len({row.why for row in UNUSUAL}) == len(UNUSUAL) >= 60
    assert all(row.source for row in UNUSUAL)
