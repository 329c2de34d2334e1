# SPDX-License-Identifier: Apache-2.0
"""Stores and API servers behind a proxy on real sockets; its password shows nowhere."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.serving import serve
from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http import Bounds, Dial, NoAnswer, Reason, Reply, bounded_request
from lokeys.adapters.http_clients import HttpClients
from lokeys.clock import utc_now
from lokeys.core.proxies import Proxies, from_environment
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.trust.tries.identity import S3Place
from lokeys.demo.parts.object_store import ObjectStore
from lokeys.http_server import HttpRequest, Response, json
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.connect_proxy import proxy

STORE = "store.example"
CANARY = "canary-password"
LOGIN = f"me:{CANARY}"


async def echo(request: HttpRequest) -> Response:
    """Answer with what was asked, and what came along."""
    return json({"path": request.path, "headers": sorted(request.headers)})


def get(
    url: str, proxies: Proxies, *, ca_bundle: str | None = None, dial: Dial | None = None
) -> Reply:
    async def run() -> Reply:
        async with HttpClients(proxies=proxies, dial=dial) as clients:
            request = httpx2.Request("GET", url)
            client = clients.trusting(ca_bundle)
            return await bounded_request(client, request, bounds=Bounds(total_s=20))

    return asyncio.run(run())


def place(url: str) -> tuple[str, int]:
    return httpx2.URL(url).host, httpx2.URL(url).port or 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for the store's name."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is needed to make certificates: apt-get install openssl")
    path = tmp_path_factory.mktemp("certificate") / "store.pem"
    names = ["-subj", f"/CN={STORE}", "-addext", f"subjectAltName=DNS:{STORE}", "-days", "2"]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509"]
    command = ["openssl", "req", *ec, *names, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def named(where: str, login: str = "", **more: str) -> Proxies:
    address = f"http://{login}@{where}" if login else f"http://{where}"
    return from_environment({"HTTPS_PROXY": address, "HTTP_PROXY": address, **more})


@pytest.mark.parametrize("login", ["", LOGIN], ids=["without a login", "with a login"])
def test_https_goes_through_a_tunnel(certificate: Path, login: str) -> None:
    """The proxy sees the host alone; TLS is checked for the store's own name."""
    with (
        serve(echo, tls=tls(certificate)) as url,
        proxy({f"{STORE}:443": place(url)}, login=login or None) as (where, asked),
    ):
        reply = get(f"https://{STORE}/a", named(where, login), ca_bundle=certificate.read_text())
    assert reply.status == 200
    assert asked == [f"CONNECT {STORE}:443"]
    assert b"proxy-authorization" not in reply.body


def test_http_goes_to_the_proxy_with_its_whole_url() -> None:
    """The login is the proxy's: the store does not get it."""
    with (
        serve(echo) as url,
        proxy({f"{STORE}:80": place(url)}, login=LOGIN) as (where, asked),
    ):
        reply = get(f"http://{STORE}/a?b=c", named(where, LOGIN))
    assert reply.status == 200
    assert asked == [f"GET http://{STORE}/a?b=c"]
    assert b"proxy-authorization" not in reply.body


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_login_is_the_proxys_fault_and_never_shown(
    scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told from a store that does not answer; the proxy's own words are not repeated."""
    with (
        caplog.at_level(logging.DEBUG),
        proxy({}, login="me:another") as (where, _),
        pytest.raises(NoAnswer) as caught,
    ):
        get(f"{scheme}://{STORE}/", named(where, LOGIN))
    assert caught.value.reason is Reason.PROXY
    assert f"through http://{where}, which answers 407" in str(caught.value)
    said = f"{caught.value!r} {caught.value} {caught.value.__context__!r} {caplog.text}"
    assert CANARY not in said
    assert "friend" not in str(caught.value)


def test_a_proxy_that_is_gone_is_named() -> None:
    """Refused by whom is the question that a person has."""
    with proxy({}) as (where, _):
        pass
    with pytest.raises(NoAnswer, match=f"refused.*through http://{where}") as caught:
        get(f"https://{STORE}/", named(where, LOGIN))
    assert caught.value.reason is Reason.REFUSED
    assert CANARY not in str(caught.value)


def test_an_unusable_proxy_is_no_answer() -> None:
    """A scheme that cannot be spoken is told by its variable, when it would be used."""
    proxies = from_environment({"HTTPS_PROXY": f"socks5://{LOGIN}@127.0.0.1:1"})
    with pytest.raises(NoAnswer, match="HTTPS_PROXY names no proxy that can be used") as caught:
        get(f"https://{STORE}/", proxies)
    assert caught.value.reason is Reason.PROXY
    assert CANARY not in str(caught.value)
    with serve(echo) as url:
        assert get(url, proxies).status == 200


def test_loopback_pods_and_forwards_go_through_no_proxy() -> None:
    """What is near stays near."""

    async def pod(url: str, proxies: Proxies) -> int:
        async with HttpClients(proxies=proxies) as clients:
            request = httpx2.Request("GET", url)
            return (await bounded_request(clients.direct(), request, bounds=Bounds())).status

    with serve(echo) as url, proxy({}) as (where, asked):

        async def forwarded(_host: str, _port: int) -> tuple[str, int]:
            return place(url)

        assert get(url, named(where)).status == 200
        assert get(f"http://{STORE}/", named(where), dial=forwarded).status == 200
        assert asyncio.run(pod(url, named(where))) == 200
    assert asked == []


@pytest.fixture
def store(certificate: Path) -> Iterator[tuple[ObjectStore, str, tuple[str, int]]]:
    """Serve an S3 store over TLS whose name only the proxy knows."""
    held = ObjectStore()
    key_id, secret = held.create_user("loki")
    with serve(held.handle, tls=tls(certificate)) as url:
        yield held, f"{key_id} {secret}", place(url)


def pair_of(key: str) -> KeyPair:
    key_id, secret = key.split()
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


def test_a_stacks_trial_goes_through_the_stacks_own_proxy(
    certificate: Path, store: tuple[ObjectStore, str, tuple[str, int]]
) -> None:
    """And through no other, whatever the environment says."""
    _, key, at = store
    ca_bundle = certificate.read_text()

    async def run(where: str, elsewhere: str) -> bool | None:
        async with HttpClients(proxies=named(elsewhere)) as clients:
            clouds = AllClouds(clients=clients, clock=utc_now)
            bucket = Bucket(
                name="logs",
                endpoint=f"https://{STORE}",
                ca_bundle=ca_bundle,
            )
            async with clouds.through(named(where, LOGIN)) as proxied:
                link = await proxied.try_place(
                    S3Place(buckets=(bucket,)), pair_of(key), owner="logging/logs"
                )
            assert CANARY not in repr(link)
            return link.ok

    with (
        proxy({f"{STORE}:443": at}, login=LOGIN) as (where, asked),
        proxy({}) as (elsewhere, asked_elsewhere),
    ):
        assert asyncio.run(run(where, elsewhere)) is False  # there is no bucket: the store says so
    assert set(asked) == {f"CONNECT {STORE}:443"}
    assert asked_elsewhere == []


def lokeys(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, "-m", "lokeys", *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("password", "code"), [(CANARY, 3), ("another-canary", 5)], ids=["let through", "refused"]
)
def test_the_command_line_honours_the_environment(
    certificate: Path, store: tuple[ObjectStore, str, tuple[str, int]], password: str, code: int
) -> None:
    """With -v it says which proxy is used; the password is in no output, whatever happens."""
    held, key, at = store
    key_id, secret = key.split()
    with proxy({f"{STORE}:443": at}, login=LOGIN) as (where, _):
        done = lokeys(
            *("probe", "s3", "-vv", "--bucket", "logs", "--region", "us-east-1", "--path-style"),
            *("--endpoint", f"https://{STORE}", "--ca-file", str(certificate)),
            HTTPS_PROXY=f"http://me:{password}@{where}",
            AWS_ACCESS_KEY_ID=key_id,
            AWS_SECRET_ACCESS_KEY=secret,
        )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert f"https addresses are reached through http://{where} (HTTPS_PROXY)" in done.stderr
    assert password not in said
    assert bool(held.served) == (code == 3)
    words = "the bucket does not exist" if code == 3 else "which answers 407"
    assert words in " ".join(said.split())


@pytest.mark.parametrize("by", ["the environment", "the kubeconfig"])
def test_an_api_server_is_reached_as_kubectl_reaches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """By the environment's proxy, or the kubeconfig's own, which no NO_PROXY excepts."""

    async def version(path: Path) -> bytes:
        async with Api(load(kubeconfig=str(path))) as api:
            return await api.raw_get("/version")

    with (
        serve(echo) as url,
        proxy({"api.example:80": place(url)}, login=LOGIN) as (where, asked),
    ):
        cluster: dict[str, Any] = {"server": "http://api.example"}
        if by == "the kubeconfig":
            cluster["proxy-url"] = f"http://{LOGIN}@{where}"
            monkeypatch.setenv("NO_PROXY", "*")
        else:
            monkeypatch.setenv("HTTP_PROXY", f"http://{LOGIN}@{where}")
        content = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {}}],
        }
        config = tmp_path / "config"
        config.write_text(dumps(content))
        assert b"proxy-authorization" not in asyncio.run(version(config))
    assert asked == ["GET http://api.example/version"]
