# SPDX-License-Identifier: Apache-2.0
"""Whose key a Loki reads."""

import pytest

from lokeys.core.kubernetes.loki.model import LokiStorage, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import Candidate, LokiWorkload
from lokeys.core.route.discovery.source import source_of
from lokeys.core.route.model import PairKeys, RookSource, SecretRef

KEYS = PairKeys(access_key_id="ID", secret_access_key="SECRET")
SECRET = SecretRef(name="loki-s3", keys=KEYS)


def user(name: str, host: str, key_id: str | None = None) -> Candidate:
    """Return a user of the store at `host`."""
    source = RookSource(user=name, namespace="storage")
    return Candidate(source=source, key_id=key_id, endpoint=f"http://{host}")


HERE, THERE, LOKI = user("logs", "here", "AK1"), user("backup", "there"), user("loki", "there")


def workload(endpoint: str) -> LokiWorkload:
    """Return a Loki that writes to an endpoint."""
    return LokiWorkload(
        ref=Ref("StatefulSet", "loki", "monitoring"),
        loki=RunningLoki(container="loki", storage=LokiStorage(endpoint=endpoint)),
    )


@pytest.mark.parametrize(
    ("users", "key_id", "endpoint", "found", "sure"),
    [
        pytest.param([HERE, LOKI], "AK1", "http://here", "logs", True, id="an equal id is proof"),
        pytest.param([HERE], "AK1", "https://mesh", "logs", True, id="so it is under another host"),
        pytest.param(
            [HERE, THERE], "AK2", "http://here", "logs", False, id="the store's only user is likely"
        ),
        pytest.param([THERE], "AK2", "http://here", None, False, id="another store's user is not"),
        pytest.param([LOKI], "AK2", "http://here", None, False, id="whatever it is called"),
        pytest.param(
            [user("logs", "rgw.rook.svc", "AK1")],
            "AK2",
            "http://rgw.rook.svc.cluster.local:80",
            "logs",
            False,
            id="a Service has one name",
        ),
        pytest.param([THERE], "AK2", "", None, False, id="nor any, where the store is not known"),
        pytest.param([THERE, LOKI], None, "", "loki", False, id="but for one named like Loki"),
        pytest.param(
            [THERE, LOKI], None, "http://there", "loki", False, id="a name decides in one store"
        ),
        pytest.param([THERE] * 2, None, "http://there", None, False, id="of strangers it is none"),
        pytest.param([], "AK1", "http://here", None, False, id="where nobody is seen it is none"),
    ],
)
def test_the_source_is_the_likeliest_user(
    users: list[Candidate], key_id: str | None, endpoint: str, found: str | None, sure: bool
) -> None:
    """Only an equal key id makes it sure; a host that differs rules out all others."""
    source = source_of(workload(endpoint), key_id, users)

    assert getattr(source.source, "user", None) == found
    assert source.sure is sure


def test_a_guess_says_that_it_is_one_and_names_no_endpoint() -> None:
    """Where keys go must not rest on a guess; a proved user's store may name it."""
    guess = source_of(workload(""), "AK2", [LOKI])
    proved = source_of(workload(""), "AK1", [HERE])

    assert guess.notes["spec.source.rook.user"].startswith("a guess: ")
    assert (guess.endpoint, proved.endpoint) == ("", "http://here")


def test_a_store_without_users_of_rook_is_said() -> None:
    """No user of another store is named as if it could be meant."""
    source = source_of(workload("http://elsewhere:9000"), "AK2", [HERE, LOKI])

    assert "Loki writes to elsewhere" in source.notes["spec.source"]
    assert not any(name in source.notes["spec.source"] for name in ("logs", "storage/"))


def test_a_list_of_candidates_is_bounded() -> None:
    """A hundred users of one store are not all written into a comment."""
    many = [user(f"user-{number:03}", "here") for number in range(100)]
    note = source_of(workload("http://here"), None, many).notes["spec.source"]

    assert "storage/user-009 and 90 more" in note


def test_what_was_not_compared_is_not_called_different() -> None:
    """A user whose Secret may not be read, and one whose key is another."""
    unread = source_of(workload("http://there"), "AK2", [THERE])
    other = source_of(workload("http://here"), "AK2", [HERE])

    assert "its key id could not be compared" in unread.notes["spec.source.rook.user"]
    assert "is not the one that Loki reads" in other.notes["spec.source.rook.user"]
