# SPDX-License-Identifier: Apache-2.0
"""Why a running Loki has no route."""

from dataclasses import replace

import pytest

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import (
    Backend,
    ConfigurationFault,
    Identity,
    IdentityKind,
    InFile,
    InManifest,
    LokiStorage,
    Misconfiguration,
    PairPlace,
    RunningLoki,
)
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.route.discovery.unfollowed import unfollowed, why

PLAIN = RunningLoki(container="loki")
ACCOUNT = Ref("ServiceAccount", "loki", "n")
ROLE = Identity(kind=IdentityKind.IRSA, name="loki-s3", said_by=ACCOUNT)
TOLD = LokiStorage(told_endpoint=True)
MISSING = ConfigurationFault(kind=Misconfiguration.NOT_SET, names=("ID", "KEY"))


def file(kind: str, name: str = "id") -> InFile:
    """Return a place in a configuration file."""
    return InFile(DataKey(Ref(kind, "loki", "n"), "config.yaml"), ("common", "storage", "s3", name))


def pair(one: DataKey | InFile | InManifest, other: DataKey | InFile | InManifest) -> RunningLoki:
    """Return a Loki whose pair stands in two places."""
    return replace(PLAIN, pair=PairPlace(key_id=one, secret=other))


@pytest.mark.parametrize(
    ("loki", "words"),
    [
        pytest.param(
            pair(file("ConfigMap"), file("ConfigMap", "key")),
            "stands in ConfigMap n/loki, key config.yaml, at common.storage.s3, in clear",
            id="a ConfigMap",
        ),
        pytest.param(pair(file("Secret"), file("Secret")), "storage.s3.id", id="a Secret's file"),
        pytest.param(
            pair(DataKey(Ref("Secret", "a", "n"), "x"), DataKey(Ref("Secret", "b", "n"), "y")),
            "from Secret n/a, key x and Secret n/b, key y; lokeys follows",
            id="two Secrets",
        ),
        pytest.param(
            pair(InManifest("variable ID"), InManifest("variable KEY")),
            "from variable ID and variable KEY",
            id="the manifest",
        ),
        pytest.param(
            replace(
                PLAIN,
                pair=PairPlace(key_id=InManifest("u"), secret=InManifest("u"), in_url=True),
            ),
            "part of an address in u",
            id="an address",
        ),
        pytest.param(
            replace(PLAIN, identity=ROLE),
            "known as the IAM role loki-s3, by ServiceAccount n/loki",
            id="a role",
        ),
        pytest.param(
            replace(PLAIN, identity=ROLE, storage=TOLD, version=(3, 6, 3)),
            "the token exchange goes to STS",
            id="a role and an endpoint",
        ),
        pytest.param(
            replace(PLAIN, identity=ROLE, storage=TOLD, version=(3, 5)),
            "Loki 3.5 sends the token exchange to the endpoint",
            id="a role and an endpoint, older",
        ),
        pytest.param(
            replace(PLAIN, identity=ROLE, storage=TOLD),
            "a Loki before 3.6 sends",
            id="a role and an endpoint, of no known version",
        ),
        pytest.param(
            replace(PLAIN, storage=LokiStorage(backend=Backend.DISK)), "its own disk", id="a disk"
        ),
        pytest.param(
            replace(PLAIN, storage=LokiStorage(backend=Backend.GCS)),
            "writes to gcs storage; lokeys",
            id="another cloud",
        ),
        pytest.param(replace(PLAIN, faults=(MISSING,)), "names ID, KEY, which", id="missing"),
        pytest.param(
            replace(PLAIN, unseen="it is gone"), "cannot be seen: it is gone", id="unseen"
        ),
        pytest.param(PLAIN, "no identity that can be seen", id="nothing"),
    ],
)
def test_the_reason_is_true(loki: RunningLoki, words: str) -> None:
    """Where the pair stands, or what Loki is known by; `in clear` only where it is."""
    assert words in why(loki)
    assert ("in clear" in why(loki)) is ("in clear" in words)


def test_one_sentence_is_for_all_of_whom_it_holds() -> None:
    """Three components of one Loki are no three complaints."""
    refs = [Ref("Deployment", name, "n") for name in ("write", "read")]
    workloads = [LokiWorkload(ref=ref, loki=PLAIN) for ref in refs]
    keys = [DataKey(Ref("Secret", "s", "n"), key) for key in ("a", "b")]
    followed = LokiWorkload(ref=refs[0], loki=pair(keys[0], keys[1]))

    assert [*unfollowed([*workloads, followed])] == [
        f"Deployment n/write, Deployment n/read: {why(PLAIN)}"
    ]


HOSTILE = "a" * 5000 + "\x1b[2J\r"


@pytest.mark.parametrize(
    "loki",
    [
        replace(PLAIN, unseen="\x1b[2J" + HOSTILE),
        replace(PLAIN, identity=replace(ROLE, name="\x1b[2J" + HOSTILE)),
        pair(InManifest("\x1b[2J" + HOSTILE), InManifest(HOSTILE)),
    ],
    ids=["a path", "a role", "a place"],
)
def test_what_others_wrote_is_bounded_and_moves_no_cursor(loki: RunningLoki) -> None:
    """A reason is one printable line."""
    assert why(loki).isprintable()
    assert len(why(loki)) <= 1024
