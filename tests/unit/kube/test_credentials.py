# SPDX-License-Identifier: Apache-2.0
"""Exec plugins: asked when needed, told what they ask for, and their faults named."""

import asyncio
import json
import os
import signal
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lokeys.errors import BadInput, Forbidden, LokeysError
from lokeys.kube.credentials import ExecAuth
from lokeys.kube.tokens import BearerAuth, TokenFileAuth
from unit.kube.scripted import config

V1 = "client.authentication.k8s.io/v1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANARY = "c4nary"


def _plugin(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    """Write a plugin that counts its calls and keeps what it was told."""
    path = folder / "plugin"
    path.write_text(
        f"#!/bin/sh\necho x >> {folder}/calls\n"
        f'printf %s "$KUBERNETES_EXEC_INFO" > {folder}/told\n{script}\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return {"apiVersion": V1, "command": str(path), "interactiveMode": "Never", **more}


def _answer(version: str = V1, **status: Any) -> str:
    body = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"cat <<'E'\n{json.dumps(body)}\nE"


def _calls(folder: Path) -> int:
    return len((folder / "calls").read_text().split())


class _Session:
    """A client whose server refuses the tokens it is told to."""

    def __init__(self, plugin: dict[str, Any], **more: Any) -> None:
        self.certificates: list[tuple[bytes, bytes]] = []
        self.moment = NOW
        self.refused = 0
        self.seen: list[str | None] = []
        auth = ExecAuth(
            config(user={"exec": plugin}, **more),
            on_certificate=lambda *pair: self.certificates.append(pair),
            clock=lambda: self.moment,
        )
        transport = httpx2.MockTransport(self._serve)
        self.client = httpx2.AsyncClient(transport=transport, auth=auth, base_url="http://x.test")

    async def _serve(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request.headers.get("Authorization"))
        if self.refused:
            self.refused -= 1
            return httpx2.Response(401)
        return httpx2.Response(200)

    async def get(self) -> int:
        return (await self.client.get("/")).status_code


def test_token_is_asked_once_and_kept(tmp_path: Path) -> None:
    """Ten calls at once ask the plugin once; its token is used until it is about to expire."""
    ends = f"{NOW + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
    session = _Session(_plugin(tmp_path, _answer(token="t1", expirationTimestamp=ends)))

    async def main() -> None:
        assert await asyncio.gather(*(session.get() for _ in range(10))) == [200] * 10
        assert _calls(tmp_path) == 1
        assert set(session.seen) == {"Bearer t1"}
        session.moment += timedelta(minutes=9)
        await session.get()
        assert _calls(tmp_path) == 1
        session.moment += timedelta(seconds=55)
        await session.get()
        assert _calls(tmp_path) == 2

    asyncio.run(main())


def test_refused_token_is_replaced_once(tmp_path: Path) -> None:
    """A 401 asks the plugin again and repeats the call once; a second 401 is the answer."""
    session = _Session(_plugin(tmp_path, _answer(token="t1")))

    async def main() -> None:
        assert await session.get() == 200
        session.refused = 1
        assert await session.get() == 200
        assert _calls(tmp_path) == 2
        session.refused = 2
        assert await session.get() == 401
        assert _calls(tmp_path) == 3

    asyncio.run(main())


def test_client_certificate_is_handed_over(tmp_path: Path) -> None:
    """A plugin may answer with a certificate and its key in place of a token."""
    answer = _answer(clientCertificateData="CERT", clientKeyData="KEY")
    session = _Session(_plugin(tmp_path, answer))
    assert asyncio.run(session.get()) == 200
    assert session.certificates == [(b"CERT", b"KEY")]
    assert session.seen == [None]


def test_plugin_is_told_what_it_asks_for(tmp_path: Path) -> None:
    """KUBERNETES_EXEC_INFO carries the version, and the cluster where the file says so."""
    script = _answer(token="t1")
    plugin = _plugin(
        tmp_path,
        f'test "$1$REGION" = get-tokenhome || exit 3\n{script}',
        provideClusterInfo=True,
        args=["get-token"],
        env=[{"name": "REGION", "value": "home"}],
    )
    entry = {"server": "https://api.test", "certificate-authority-data": "Q0E="}
    assert asyncio.run(_Session(plugin, cluster=entry).get()) == 200
    told = json.loads((tmp_path / "told").read_text())
    assert told == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": entry},
    }


@pytest.mark.parametrize(
    ("script", "expected", "words"),
    [
        pytest.param(f"echo {CANARY}", BadInput, "no ExecCredential", id="no JSON"),
        pytest.param(f"echo '[\"{CANARY}\"]'", BadInput, "no ExecCredential", id="a list"),
        pytest.param(_answer(), BadInput, "neither a token nor", id="an empty status"),
        pytest.param(
            _answer(clientCertificateData=CANARY), BadInput, "neither", id="a certificate alone"
        ),
        pytest.param(
            _answer(f"{V1}beta1", token=CANARY), BadInput, "another apiVersion", id="other version"
        ),
        pytest.param(
            _answer(token=CANARY, expirationTimestamp="soon"),
            BadInput,
            "malformed expirationTimestamp",
            id="a malformed time",
        ),
        pytest.param(
            _answer(token=f"{CANARY}\n"), BadInput, "no HTTP header can carry", id="a line break"
        ),
        pytest.param(_answer(token=[CANARY]), BadInput, "no HTTP header can carry", id="a list"),
        pytest.param("exec yes", BadInput, "over 1048576 bytes", id="a flood without end"),
        pytest.param("yes & yes", BadInput, "over 1048576 bytes", id="a flood by children"),
        pytest.param(f"echo {CANARY}; exit 7", Forbidden, "exit code 7", id="a failure"),
    ],
)
def test_faults_of_a_plugin_are_named(
    tmp_path: Path, script: str, expected: type[LokeysError], words: str
) -> None:
    """What is wrong with a plugin's answer is said, without the answer."""
    session = _Session(_plugin(tmp_path, script))
    with pytest.raises(expected, match=words) as caught:
        asyncio.run(session.get())
    assert CANARY not in str(caught.value)
    assert "plugin" in str(caught.value)


def test_missing_plugin_tells_how_to_get_it() -> None:
    """A plugin that is not installed is named, with the file's own hint."""
    plugin = {"apiVersion": V1, "command": "/nowhere/aws", "installHint": "apt install aws"}
    with pytest.raises(BadInput, match="cannot be started: No such file") as caught:
        asyncio.run(_Session(plugin).get())
    assert caught.value.hint == "apt install aws"


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}, "v1alpha1"),
        ({"command": "x"}, "apiVersion `None`"),
        ({"apiVersion": V1}, "no command"),
    ],
    ids=["an old version", "no version", "no command"],
)
def test_unusable_plugins_are_refused_at_once(plugin: dict[str, Any], words: str) -> None:
    """A plugin entry that cannot work is refused before anything is sent."""
    with pytest.raises(BadInput, match=words):
        _Session(plugin)


def test_cancelled_plugin_is_ended_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ctrl-C ends the wait for a plugin and its children's pipe; asyncio has nothing to say."""
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    session = _Session(_plugin(tmp_path, f"echo $$ > {fifo}; sleep 60 & wait"))

    async def main() -> None:
        waiting = asyncio.create_task(session.get())
        number = int(await asyncio.to_thread(fifo.read_text))
        os.kill(number, signal.SIGINT)  # the terminal's Ctrl-C reaches the plugin, too
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)

    asyncio.run(asyncio.wait_for(main(), 20))
    assert caplog.records == []


@pytest.mark.parametrize("script", ["sleep 60", "exec sleep 60", "exec >&-; sleep 60"])
def test_plugin_that_sleeps_is_not_waited_for(tmp_path: Path, script: str) -> None:
    """A plugin has its time; then it is ended and named, whatever its children hold open."""
    auth = ExecAuth(
        config(user={"exec": _plugin(tmp_path, script)}),
        on_certificate=lambda *_: None,
        limit_s=0.2,
    )
    with pytest.raises(BadInput, match=r"exec plugin gave no answer in 0\.2 s"):
        asyncio.run(asyncio.wait_for(auth.ready(), 20))


def _dressed(auth: httpx2.Auth) -> str:
    request = httpx2.Request("GET", "http://x.test")
    next(auth.sync_auth_flow(request))
    return str(request.headers["Authorization"])


def test_token_file_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    """White space around the token is not its own; on 401 the file is read again."""
    file = tmp_path / "token"
    file.write_text("t1\n")
    auth = TokenFileAuth(str(file))
    assert _dressed(auth) == "Bearer t1"
    file.write_text("t2\n")
    flow = auth.sync_auth_flow(httpx2.Request("GET", "http://x.test"))
    assert next(flow).headers["Authorization"] == "Bearer t1"
    assert flow.send(httpx2.Response(401)).headers["Authorization"] == "Bearer t2"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{CANARY}\n{CANARY}", "no HTTP header can carry"),
        (f"{CANARY}\xff", "no HTTP header can carry"),
        (" \n", "the token file is empty"),
        (CANARY * 20_000, "larger than 65536 bytes"),
        (None, "cannot be read: No such file"),
    ],
    ids=["two lines", "no ASCII", "empty", "too large", "missing"],
)
def test_faults_of_a_token_file_are_named(tmp_path: Path, content: str | None, words: str) -> None:
    """A token file that cannot be used is named, with its fault and without its content."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadInput, match=words) as caught:
        _dressed(TokenFileAuth(str(file)))
    assert str(file) in str(caught.value)
    assert CANARY not in str(caught.value)


def test_no_token_that_a_header_cannot_carry_is_taken() -> None:
    """A bearer token is judged before any library sees it."""
    assert _dressed(BearerAuth("t1", place="here")) == "Bearer t1"
    with pytest.raises(BadInput, match="here: the token holds") as caught:
        BearerAuth(f"{CANARY}\n", place="here")
    assert CANARY not in str(caught.value)
