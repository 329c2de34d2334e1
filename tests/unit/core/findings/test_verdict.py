# SPDX-License-Identifier: Apache-2.0
"""What several addresses of one store say of a key."""

from datetime import UTC, datetime

from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict, of_all

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = StoreVerdict(answer=Answer.ACCEPTED, depth=Depth.FULL, at=NOW)
BAD = StoreVerdict(answer=Answer.UNKNOWN_KEY, depth=Depth.FULL, at=NOW, detail="403")


def test_a_key_travels_only_if_every_address_takes_it() -> None:
    """The first that does not is named; where there is only one way, nothing is added."""
    assert of_all({"10.0.0.1": GOOD, "10.0.0.2": GOOD}) == GOOD
    assert of_all({"10.0.0.1": GOOD, "10.0.0.2": BAD}).detail == "at 10.0.0.2: 403"
    assert of_all({"": BAD}) == BAD
