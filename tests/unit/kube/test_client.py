# SPDX-License-Identifier: Apache-2.0
"""Calls: what is asked, what comes back, and what each refusal becomes."""

import errno
import json
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LokeysError,
    NotFound,
    Throttled,
    Transient,
    Unreachable,
)
from lokeys.kube.client import Api, EvictionBlocked, Expired, NoSuchKind
from lokeys.kube.replies import retry_after_s, unreachable
from lokeys.kube.resources import CONFIG_MAP, LEASE, NAMESPACE, POD, SECRET, STORAGE_CREDENTIAL
from unit.kube.scripted import WatchStream, answers, api, listing, status, thing, url_of
from unit.kube.virtual_time import now, run

CANARY = "c4nary-s3cret"


@pytest.mark.parametrize(
    ("reply", "expected", "words"),
    [
        pytest.param(
            status(404, reason="NotFound", name="a", kind="secrets"),
            NotFound,
            "Secret ns/a does not exist",
            id="a missing object",
        ),
        pytest.param(
            status(404, reason="NotFound", name="ns", kind="namespaces"),
            NotFound,
            "namespace ns does not exist",
            id="a missing namespace",
        ),
        pytest.param(
            httpx2.Response(404, text="404 page not found"),
            NoSuchKind,
            "knows no Secret of v1",
            id="a kind that is not installed",
        ),
        pytest.param(status(401), Forbidden, "(401)", id="unknown credentials"),
        pytest.param(
            status(403, reason="Forbidden", message='secrets "a" is forbidden: User "u" cannot'),
            Forbidden,
            'User "u" cannot',
            id="a missing right, with its reason",
        ),
        pytest.param(
            status(409, reason="Conflict", message="the object has been modified"),
            Conflict,
            "has been modified",
            id="somebody wrote first",
        ),
        pytest.param(status(410, reason="Expired"), Expired, "too old", id="an old version"),
        pytest.param(
            status(422, reason="Invalid", message=f"bad {CANARY}", causes=[{"field": "data[k]"}]),
            BadInput,
            "data[k]",
            id="an invalid Secret, without its values",
        ),
        pytest.param(
            httpx2.Response(500, text=f"<html>{CANARY}</html>"),
            Transient,
            "answered 500",
            id="a stumble that is no Status",
        ),
        pytest.param(
            httpx2.Response(200, text=f"<html>{CANARY}"), Transient, "no JSON", id="HTML for JSON"
        ),
        pytest.param(httpx2.Response(200, json=[1]), Transient, "no JSON object", id="a list"),
        pytest.param(
            httpx2.Response(302, headers={"Location": "http://x/"}),
            BadInput,
            "302",
            id="a redirect",
        ),
    ],
)
def test_refusals_are_named(
    reply: httpx2.Response, expected: type[LokeysError], words: str
) -> None:
    """Each refusal becomes the error that says what to do, and quotes no value."""
    client, _ = answers(reply)

    async def main() -> None:
        with pytest.raises(LokeysError) as caught:
            await client.get(SECRET, "a", namespace="ns")
        assert type(caught.value) is expected
        assert words in str(caught.value)
        assert CANARY not in str(caught.value)

    run(main())


def test_message_is_cut() -> None:
    """The API server's sentence is repeated up to 256 characters."""
    client, _ = answers(status(422, reason="Invalid", message="x" * 5000))

    async def main() -> None:
        with pytest.raises(BadInput) as caught:
            await client.get(CONFIG_MAP, "a", namespace="ns")
        assert str(caught.value).count("x") <= 256 + 5

    run(main())


def test_throttled_calls_wait_as_told() -> None:
    """A 429 is waited out for as long as Retry-After says, and then asked again."""
    busy = httpx2.Response(429, headers={"Retry-After": "7"})
    client, asked = answers(busy, busy, httpx2.Response(200, json=thing("a", 1)))

    async def main() -> None:
        started = now()
        assert (await client.get(SECRET, "a", namespace="ns"))["metadata"]["name"] == "a"
        assert now() - started == pytest.approx(14, abs=0.1)
        assert len(asked) == 3

    run(main())


def test_throttling_ends() -> None:
    """Patience is bounded: after four refusals the caller hears of it, with the wait."""
    busy = httpx2.Response(429, headers={"Retry-After": "2"})
    client, asked = answers(*[busy] * 9)

    async def main() -> None:
        with pytest.raises(Throttled) as caught:
            await client.get(SECRET, "a", namespace="ns")
        assert caught.value.retry_after_s == 2
        assert len(asked) == 4

    run(main())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 1), ("3", 3), ("99999", 60), ("-5", 0.05), ("soon", 1), ("nan", 1)],
)
def test_retry_after_is_bounded(header: str | None, seconds: float) -> None:
    """No answer makes a caller wait for ever, or not at all."""
    assert retry_after_s(header) == seconds


def test_silent_server_is_unreachable() -> None:
    """A server that accepts and says nothing is given up, and named."""

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return WatchStream().response()

    async def main() -> None:
        with pytest.raises(Unreachable, match=r"http://api\.test: timed out"):
            await api(answer).get(SECRET, "a", namespace="ns")

    run(main())


def test_refused_connection_is_unreachable() -> None:
    """A refused connection says so and names the server."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("x", request=request) from ConnectionRefusedError()

    async def main() -> None:
        with pytest.raises(Unreachable, match=r"http://api\.test: connection refused"):
            await api(answer).get(SECRET, "a", namespace="ns")

    run(main())


def test_answers_are_bounded() -> None:
    """An answer larger than allowed is not read to its end."""

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text="x" * 2000)

    async def main() -> None:
        with pytest.raises(Transient, match="larger than 1000 bytes"):
            await api(answer, object_bytes=1000).get(SECRET, "a", namespace="ns")

    run(main())


def test_list_reads_every_page() -> None:
    """A list goes on where the server says so, and its items say what they are."""
    client, asked = answers(listing(5, thing("a", 1), more="next"), listing(5, thing("b", 2)))

    async def main() -> None:
        found = await client.list(SECRET, namespace="ns", fields="x=y", metadata_only=True)
        assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
        assert {(item["apiVersion"], item["kind"]) for item in found.items} == {("v1", "Secret")}
        assert found.resource_version == "5"

    run(main())
    assert url_of(asked[0]) == "/api/v1/namespaces/ns/secrets?limit=500&fieldSelector=x%3Dy"
    assert url_of(asked[1]).endswith("&continue=next")
    assert "PartialObjectMetadataList" in asked[1].headers["Accept"]


STATUS_A = "/apis/lokeys.dev/v1alpha1/namespaces/ns/storagecredentials/a/status"
LOG_A = "/api/v1/namespaces/ns/pods/a/log"
Call = Callable[[Api], Awaitable[Any]]
SECRET_A = {"metadata": {"name": "a", "namespace": "ns"}}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(
            lambda a: a.create(SECRET, SECRET_A),
            ("POST", "/api/v1/namespaces/ns/secrets", "application/json"),
            id="create",
        ),
        pytest.param(
            lambda a: a.create(NAMESPACE, {"metadata": {"name": "n"}}),
            ("POST", "/api/v1/namespaces", "application/json"),
            id="create outside namespaces",
        ),
        pytest.param(
            lambda a: a.replace(LEASE, SECRET_A),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a", "application/json"),
            id="replace",
        ),
        pytest.param(
            lambda a: a.apply(
                STORAGE_CREDENTIAL, SECRET_A, field_manager="lokeys", subresource="status"
            ),
            (
                "PATCH",
                f"{STATUS_A}?fieldManager=lokeys&force=true",
                "application/apply-patch+yaml",
            ),
            id="apply a status",
        ),
        pytest.param(
            lambda a: a.merge_patch(SECRET, "a", {"x": None}, namespace="ns"),
            ("PATCH", "/api/v1/namespaces/ns/secrets/a", "application/merge-patch+json"),
            id="merge patch",
        ),
        pytest.param(
            lambda a: a.json_patch(SECRET, "a", [{"op": "test"}], namespace="ns"),
            ("PATCH", "/api/v1/namespaces/ns/secrets/a", "application/json-patch+json"),
            id="json patch",
        ),
        pytest.param(
            lambda a: a.delete(POD, "a", namespace="ns", uid="u", grace_s=0),
            ("DELETE", "/api/v1/namespaces/ns/pods/a", "application/json"),
            id="delete",
        ),
        pytest.param(
            lambda a: a.evict("a", namespace="ns", grace_s=5),
            ("POST", "/api/v1/namespaces/ns/pods/a/eviction", "application/json"),
            id="evict",
        ),
        pytest.param(
            lambda a: a.log("a", namespace="ns", container="c", tail_lines=9, since_s=60),
            (
                "GET",
                f"{LOG_A}?container=c&tailLines=9&sinceSeconds=60&limitBytes=1048576",
                None,
            ),
            id="log",
        ),
    ],
)
def test_calls_ask_for_the_right_thing(call: Call, expected: tuple[str, str, str | None]) -> None:
    """Method, path and content type are those of the Kubernetes API, and we say who we are."""
    client, asked = answers(httpx2.Response(200, json=thing("a", 1)))

    async def main() -> None:
        await call(client)

    run(main())
    sent = asked[0]
    assert (sent.method, url_of(sent), sent.headers.get("Content-Type")) == expected
    assert sent.headers["Authorization"] == "Bearer t0ken"


def test_delete_carries_preconditions() -> None:
    """A delete tells which object it means, so that a successor of that name survives."""
    client, asked = answers(httpx2.Response(200, json={}))

    async def main() -> None:
        await client.delete(SECRET, "a", namespace="ns", uid="u", resource_version="7", grace_s=0)

    run(main())
    body = json.loads(asked[0].content)
    assert body["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert body["gracePeriodSeconds"] == 0


def test_budget_is_told_from_rate_limit() -> None:
    """A 429 of a disruption budget is not retried; a 429 of the server's load is."""
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget loki needs 2"}
    blocked = status(429, reason="TooManyRequests", message="Cannot evict", causes=[cause])
    busy = httpx2.Response(429, headers={"Retry-After": "1"})
    client, asked = answers(busy, blocked)

    async def main() -> None:
        with pytest.raises(EvictionBlocked, match="The disruption budget loki needs 2"):
            await client.evict("a", namespace="ns")
        assert len(asked) == 2

    run(main())


def test_several_budgets_block_an_eviction() -> None:
    """The API server calls it an internal error; it is one that no repetition mends."""
    message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does"
    client, asked = answers(status(500, reason="InternalError", message=message))

    async def main() -> None:
        with pytest.raises(EvictionBlocked, match="more than one PodDisruptionBudget"):
            await client.evict("a", namespace="ns")
        assert len(asked) == 1

    run(main())


def test_log_is_cut() -> None:
    """A log is no longer than asked for, and undecodable bytes do no harm."""
    client, _ = answers(httpx2.Response(200, content=b"\xff" + b"x" * 900))

    async def main() -> None:
        text = await client.log("a", namespace="ns", limit_bytes=100)
        assert len(text) == 100
        assert text.startswith("\ufffdx")

    run(main())


def test_watch_yields_events_in_pieces() -> None:
    """Events cut anywhere by the network come out whole, bookmarks included."""
    stream = WatchStream()
    client, asked = answers(stream.response())
    opened: list[bool] = []

    async def main() -> None:
        line = json.dumps({"type": "ADDED", "object": thing("a", 7)}).encode() + b"\n"
        for at in range(0, len(line), 10):
            stream.say_raw(line[at : at + 10])
        stream.say_raw(line + b"\n" + line[:5])
        stream.say_raw(line[5:])
        stream.say("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        stream.end()
        events = [
            event
            async for event in client.watch(
                SECRET,
                resource_version="5",
                metadata_only=True,
                on_open=lambda: opened.append(True),
            )
        ]
        assert [event.type for event in events] == ["ADDED"] * 3 + ["BOOKMARK"]
        assert events[0].object["kind"] == "Secret"

    run(main())
    assert opened == [True]
    assert asked[0].url.params["resourceVersion"] == "5"
    assert asked[0].headers["Accept"].startswith("application/json;as=PartialObjectMetadata;")
    assert stream.closed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n',
            Expired,
            id="an expired version",
        ),
        pytest.param(
            b'{"type":"ERROR","object":{"kind":"Status","code":500}}\n', Transient, id="a stumble"
        ),
        pytest.param(b"nonsense\n", Transient, id="no JSON"),
        pytest.param(b'{"type":"ADDED"}\n', Transient, id="no object"),
        pytest.param(b"x" * 3000, Transient, id="a line without end"),
    ],
)
def test_watch_ends_on_bad_lines(line: bytes, expected: type[LokeysError]) -> None:
    """A watch that says something else than events ends with the right error."""
    stream = WatchStream()

    async def answer(_: httpx2.Request) -> httpx2.Response:
        stream.say_raw(line)
        return stream.response()

    async def main() -> None:
        with pytest.raises(LokeysError) as caught:
            async for _ in api(answer, object_bytes=2000).watch(SECRET, resource_version="1"):
                pass
        assert type(caught.value) is expected

    run(main())
    assert stream.closed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx2.LocalProtocolError("Illegal header value b'Bearer c4nary'"), "none that HTTP can"),
        (httpx2.RemoteProtocolError("illegal status line: c4nary"), "speaks no HTTP"),
        (httpx2.ProxyError("407 c4nary"), "the proxy does not let it through"),
        (httpx2.ReadError("c4nary"), "the connection broke"),
        (httpx2.ConnectError("c4nary"), "no connection"),
        (httpx2.TooManyRedirects("c4nary"), r"the connection failed \(TooManyRedirects\)"),
        (OSError(errno.EHOSTUNREACH, "c4nary"), "no route to host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service"),
        (ExceptionGroup("c4nary", [ConnectionRefusedError("c4nary")]), "connection refused"),
    ],
)
def test_why_no_answer_came_is_said_in_our_own_words(error: Exception, words: str) -> None:
    """No text of an HTTP library is repeated: it may quote the header that it cannot send."""
    said = str(unreachable(error, server="https://one.test"))
    assert re.search(words, said)
    assert "c4nary" not in said


def test_a_name_stays_one_segment_of_the_path() -> None:
    """Whatever an object or a person calls a thing, the URL leads to that kind of thing."""
    root = "/api/v1/namespaces/ns/pods"
    assert POD.path("ns") == root
    assert POD.path("ns", "a-b.c") == f"{root}/a-b.c"
    assert POD.path("ns", "../../x?y=1#z") == f"{root}/..%2F..%2Fx%3Fy%3D1%23z"
    assert POD.path("a b\n", "\udcff") == "/api/v1/namespaces/a%20b%0A/pods/%3F"
    for name in ("", ".", ".."):
        with pytest.raises(NotFound, match="no object can have the name"):
            POD.path("ns", name)
