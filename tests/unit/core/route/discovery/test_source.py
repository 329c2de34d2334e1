# SPDX-License-Identifier: Apache-2.0
"""Whose key a Loki reads."""

import pytest

from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import Candidate, LokiStorage, LokiWorkload
from lokeys.core.route.discovery.source import source_of
from lokeys.core.route.model import PairKeys, RookSource, SecretRef

KEYS = PairKeys(access_key_id="ID", secret_access_key="SECRET")
SECRET = SecretRef(name="loki-s3", keys=KEYS)


def user(name: str, host: str, key_id: str | None = None) -> Candidate:
    """Return a user of the store at `host`."""
    source = RookSource(user=name, namespace="storage")
    return Candidate(source=source, key_id=key_id, endpoint=f"http://{host}")


HERE, THERE, LOKI = user("logs", "here", "AK1"), user("backup", "there"), user("loki", "there")


@pytest.mark.parametrize(
    ("users", "key_id", "found", "sure"),
    [
        pytest.param([HERE, LOKI], "AK1", "logs", True, id="the same key id is proof"),
        pytest.param(
            [HERE, THERE], "AK2", "logs", False, id="the only user of the store is likely"
        ),
        pytest.param([THERE], "AK2", "backup", False, id="the only user there is is likely"),
        pytest.param([THERE, LOKI], None, "loki", False, id="a name like Loki's is a guess"),
        pytest.param([THERE, THERE], None, None, False, id="of strangers none is chosen"),
        pytest.param([], "AK1", None, False, id="where nobody is seen nobody is chosen"),
    ],
)
def test_the_source_is_the_likeliest_user(
    users: list[Candidate], key_id: str | None, found: str | None, sure: bool
) -> None:
    """Only an equal key id makes it sure."""
    loki = LokiWorkload(
        ref=Ref("StatefulSet", "loki", "monitoring"),
        container="loki",
        secret=SECRET,
        storage=LokiStorage(endpoint="http://here"),
    )
    source = source_of(loki, SECRET, key_id, users)

    assert getattr(source.source, "user", None) == found
    assert source.sure is sure
