# SPDX-License-Identifier: Apache-2.0
"""Where an owner lets a credential go, and which pairs of a look that lets be tried."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import A, B, a_route, a_secret, a_snapshot, a_source, a_vault, a_workload
from lokeys.core.kubernetes.consent import (
    ALLOWED_URLS,
    LONGEST_ANNOTATION,
    Consent,
    Origin,
    Trying,
    allowed_urls,
    origin_of,
    origins,
)
from lokeys.core.place import Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import PairKeys, RgwAdmin, RgwSource, SecretRef, SecretSource
from lokeys.core.route.trying import may_be_tried, not_tried

URL = "http://rgw.storage.svc"
HERE = origins([URL])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a", "http://a:80"),
        ("https://a/", "https://A:443/path?query"),
        ("http://a.b.svc", "http://a.b.svc.cluster.local."),
        (" http://a ", "http://a"),
    ],
)
def test_the_same_scheme_host_and_port_are_one_origin(one: str, other: str) -> None:
    """A path, letters' case, a default port and the cluster's domain make no difference."""
    assert origin_of(one) == origin_of(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("http://a", "https://a", id="scheme"),
        pytest.param("http://a", "http://a:8080", id="port"),
        pytest.param("http://a", "http://a.evil.example", id="host"),
        pytest.param("http://a", "http://evil.example/http://a", id="a host in the path"),
    ],
)
def test_another_scheme_host_or_port_is_another_origin(one: str, other: str) -> None:
    """What looks alike is not the same."""
    assert origin_of(one) != origin_of(other)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:80",
        "ftp://a",
        "http://",
        "http://user@a",
        "http://a\\@evil.example",
        "http://a:port",
        "http://a:99999",
        "http://[a",
        "http://" + "a" * 3000,
    ],
)
def test_what_is_no_plain_url_has_no_origin(url: str) -> None:
    """It is allowed nowhere, and nothing goes there."""
    assert origin_of(url) is None
    assert not Consent(named=HERE, listed=HERE).covers(url)


def test_a_port_of_nought_is_not_the_default_one() -> None:
    """A URL without a port means the scheme's; one with port 0 means 0."""
    assert origin_of("http://a:0") == Origin(scheme="http", host="a", port=0)


def annotated(value: object) -> dict[str, Any]:
    """Return an object with this annotation."""
    return {"metadata": {"annotations": {ALLOWED_URLS: value}}}


def test_an_annotation_lists_urls() -> None:
    """With commas between; what is no URL counts for nothing."""
    assert allowed_urls(annotated("http://a, nonsense,https://b:1")) == origins(
        ["http://a", "https://b:1"]
    )


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None},
        {"metadata": {"annotations": []}},
        annotated(7),
        annotated("http://a," + " " * LONGEST_ANNOTATION),
    ],
)
def test_whatever_else_allows_nothing(obj: dict[str, Any]) -> None:
    """No annotation, none that is text, or one that is too long to be a list."""
    assert allowed_urls(obj) == frozenset()


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """Whoever may write an annotation may write anything."""
    origin_of(text)
    allowed_urls(annotated(text))


NAMED, LISTED = Consent(named=HERE), Consent(listed=HERE)
FAR = "https://archive.example:9000"
AWAY = (a_workload(), a_workload(writes_to=FAR))
NEAR = (
    a_workload(writes_to="http://rgw.storage:80"),
    a_workload(writes_to="http://RGW.storage.svc.cluster.local"),
)
ELSEWHERE = Consent(named=origins(["http://elsewhere"]))


@pytest.mark.parametrize(
    ("changes", "tried"),
    [
        pytest.param({}, "", id="nobody allowed anything"),
        pytest.param({"trying": Trying.CALLER}, "AB", id="a person decides"),
        pytest.param({"trying": Trying.LOKI}, "B", id="what Loki reads, where Loki writes"),
        pytest.param({"source": a_source(A, consent=NAMED)}, "AB", id="Rook names the address"),
        pytest.param({"source": a_source(A, consent=LISTED)}, "A", id="its owner lists it"),
        pytest.param({"source": a_source(A, consent=ELSEWHERE)}, "", id="it names another"),
        pytest.param({"secret": a_secret(B, consent=LISTED)}, "B", id="Loki's owner lists it"),
        pytest.param(
            {
                "source": a_source(A, consent=LISTED),
                "memory": Memory(source_held=(B.pair,)),
            },
            "A",
            id="a source has offered both, and may have been another one then",
        ),
        pytest.param(
            {"source": None, "secret": a_secret(B, consent=LISTED)}, "AB", id="no source to be seen"
        ),
        pytest.param({"source": None, "secret": None}, "", id="nothing to be seen"),
        pytest.param(
            {"trying": Trying.LOKI, "workloads": AWAY}, "", id="not where Loki does not write"
        ),
        pytest.param(
            {"trying": Trying.CALLER, "workloads": AWAY}, "AB", id="but where a person wants it"
        ),
        pytest.param(
            {"source": a_source(A, consent=NAMED), "workloads": AWAY},
            "AB",
            id="or its owner names it",
        ),
        pytest.param(
            {"secret": a_secret(B, consent=LISTED), "workloads": AWAY}, "", id="or lists it"
        ),
        pytest.param(
            {"trying": Trying.CALLER, "source": a_source(B), "workloads": AWAY},
            "AB",
            id="but for a pair that the source offers, too",
        ),
        pytest.param(
            {"trying": Trying.CALLER, "workloads": NEAR}, "AB", id="a Service has one name"
        ),
        pytest.param(
            {
                "trying": Trying.CALLER,
                "workloads": (a_workload(reads_secret=False, writes_to=FAR),),
            },
            "AB",
            id="a workload that reads another Secret is not asked",
        ),
    ],
)
def test_a_pair_is_tried_only_where_its_owner_lets_it(changes: dict[str, Any], tried: str) -> None:
    """The source offers A, Loki and the vault hold B."""
    whole = {"trying": Trying.CONSENT, "secret": a_secret(B), "vault": a_vault(B), **changes}
    seen = a_snapshot(**whole)
    assert [letter for letter, pair in (("A", A), ("B", B)) if may_be_tried(seen, pair.pair)] == [
        *tried
    ]


KEYS = PairKeys(access_key_id="id", secret_access_key="key")
NAME = SecretRef(name="given", keys=KEYS)
ADMIN = RgwAdmin(endpoint=URL, secret=NAME)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({}, Ref("CephObjectStoreUser", "loki", "storage"), id="Rook's user"),
        pytest.param(
            {
                "route": {"source": SecretSource(secret=NAME, namespace="storage")},
                "source": a_source(A, ref=Ref("Secret", "given", "storage"), rook=None),
            },
            Ref("Secret", "given", "storage"),
            id="any Secret",
        ),
        pytest.param(
            {
                "route": {
                    "source": RgwSource(uid="loki", admin=RgwAdmin(endpoint=URL, secret=NAME))
                },
                "source": a_source(A, ref=Ref("RGWUser", "loki"), rook=None),
            },
            Ref("Secret", "given", "monitoring"),
            id="the admin's Secret",
        ),
        pytest.param(
            {"source": a_source(A, consent=LISTED), "secret": a_secret(B)},
            Ref("Secret", "loki-s3-credentials", "monitoring"),
            id="the Secret that Loki reads",
        ),
        pytest.param({"source": a_source(A, consent=NAMED)}, None, id="nobody has to"),
        pytest.param({"source": None, "secret": None, "vault": None}, None, id="no pair at all"),
    ],
)
def test_it_is_said_who_may_allow_it(changes: dict[str, Any], place: Ref | None) -> None:
    """The object that the annotation belongs on."""
    assert not_tried(a_snapshot(trying=Trying.CONSENT, **changes)) == place


def test_the_route_of_the_runbook_writes_there() -> None:
    """The tables above speak of its endpoint."""
    assert a_route().bucket.endpoint == URL


def test_nobody_is_asked_to_allow_an_address_that_loki_does_not_use() -> None:
    """No consent lets Loki's own pair go there, so none is asked for."""
    away = a_snapshot(
        trying=Trying.CONSENT,
        source=a_source(A, consent=LISTED),
        secret=B,
        vault=None,
        workloads=AWAY,
    )
    assert not_tried(away) is None
