# SPDX-License-Identifier: Apache-2.0
"""Kubeconfigs: which file wins, and what a faulty one says."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lokeys.errors import BadInput
from lokeys.kube.connection import Connection
from lokeys.kube.kubeconfig import Surroundings, load
from lokeys.kube.kubeconfig_fields import CLUSTER, CONTEXT, EXEC, USER

CANARY = "c4nary-t0ken"
V1 = "client.authentication.k8s.io/v1"
ENDS_2026 = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUMAa3QZRZewTAxkfAdi3WtLPqyiUwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFYWxpY2UwHhcNMjYxMTIzMDYzMjIyWhcNMjYxMjIzMDYzMjIy
WjAQMQ4wDAYDVQQDDAVhbGljZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOHr
rdhp52c8D1ck7kes6uRBu/cJT3S0+cBPe8VbqNvp9yh2K6gUtah0UjTgQLou5oxb
Ao5i7bQRYKTAKiQjiK6jUzBRMB0GA1UdDgQWBBQ3hzyHi7oUQwjyDoCCsrWmCIxl
FjAfBgNVHSMEGDAWgBQ3hzyHi7oUQwjyDoCCsrWmCIxlFjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIDUsX8N226lxYv6S8jUYyUp2IsQ1HPzP5Gyl
gk62OVtqAiEAqp/LFrju2cgqd4jSAmMooIzMlk9wjfWain9lJDcxOBc=
-----END CERTIFICATE-----
"""
ENDS_2081 = """\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR2gAwIBAgIUA1bTfpiY15wa7p+EAIrR4YZsdUMwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFYWxpY2UwIBcNMjYxMTIzMDYzMjIyWhgPMjA4MTA4MjYwNjMy
MjJaMBAxDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
mV//0SH0wosYEoYX7ukaQzlmdfIKNIqlB6aqNrUeqkZwKETqE+fkP3YFe3NYqz9Q
/Ibxg7J357iNgTqLc8kiB6NTMFEwHQYDVR0OBBYEFOjv78RCQ+RUgq5kO4j1BROf
FwRGMB8GA1UdIwQYMBaAFOjv78RCQ+RUgq5kO4j1BROfFwRGMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAP7OtzsYBNVOldsB2qkVxshukRtCZky8
XEjc+nvfw8TVAiEAtP/SzdBzPY8cDck0kCyucZVgjPtrJPBMslaodE6fvCQ=
-----END CERTIFICATE-----
"""


def _content(**change: Any) -> dict[str, Any]:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c1", "cluster": {"server": "https://one.test"}}],
        "users": [{"name": "u1", "user": {"token": CANARY}}],
        "contexts": [{"name": "k1", "context": {"cluster": "c1", "user": "u1"}}],
        "current-context": "k1",
    }
    return content | change


def _write(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def _around(tmp_path: Path, **environ: str) -> Surroundings:
    return Surroundings(
        environ={"HOME": str(tmp_path / "home"), **environ},
        service_account=str(tmp_path / "account"),
        clock=lambda: datetime(2026, 12, 24, tzinfo=UTC),
    )


def _with(section: str, entry: dict[str, Any]) -> dict[str, Any]:
    return _content(**{section: [entry]})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", ["is empty"], id="empty"),
        pytest.param("  \n", ["is empty"], id="blank"),
        pytest.param(f"a: [{CANARY}\nb: {{", ["is not YAML"], id="not YAML"),
        pytest.param(f"users:\n\t- {CANARY}", ["is not YAML", "config:2"], id="a tab, by its line"),
        pytest.param(f"{CANARY}", ["is not a mapping"], id="a bare string"),
        pytest.param("[" * 100_000, ["kubeconfig"], id="a tower of brackets"),
        pytest.param("{}", ["no current context", "contexts: none"], id="no contexts"),
        pytest.param(
            _content(**{"current-context": ""}),
            ["no current context", "contexts: `k1`"],
            id="no current context",
        ),
        pytest.param(
            _content(**{"current-context": "k9"}),
            ["context `k9` does not exist", "contexts: `k1`"],
            id="an unknown context",
        ),
        pytest.param(
            _with("contexts", {"name": "k1", "context": {"cluster": "c9", "user": "u1"}}),
            ["names the cluster `c9`, which does not exist", "clusters: `c1`"],
            id="a dangling cluster",
        ),
        pytest.param(
            _with("contexts", {"name": "k1", "context": {"cluster": "c1", "user": "u9"}}),
            ["names the user `u9`, which does not exist", "users: `u1`"],
            id="a dangling user",
        ),
        pytest.param(
            _with("contexts", {"name": "k1", "context": None}),
            ["names no cluster"],
            id="no cluster",
        ),
        pytest.param(
            _with("clusters", {"name": "c1", "cluster": {}}), ["has no server"], id="no server"
        ),
        pytest.param(_content(users="x"), ["`users` is not a list"], id="a string for a list"),
        pytest.param(
            _with("users", {"user": {}}), ["`users[0]` has no name"], id="a nameless user"
        ),
        pytest.param(
            _with("users", {"name": "u1", "user": CANARY}), ["is not a mapping"], id="a bare token"
        ),
        pytest.param(
            _with("users", {"name": "u1", "user": {"token": [CANARY]}}),
            ["`users[0].user.token` is not usable (found a list)"],
            id="a list for a token",
        ),
        pytest.param(
            _with(
                "users",
                {"name": "u1", "user": {"client-certificate": "gone.pem", "client-key": "k.pem"}},
            ),
            ["client certificate cannot be read", "gone.pem"],
            id="a missing certificate file",
        ),
        pytest.param(
            _with(
                "users",
                {"name": "u1", "user": {"client-certificate-data": "!", "client-key": "k.pem"}},
            ),
            ["is not base64"],
            id="certificate data that are no base64",
        ),
        pytest.param(
            _with(
                "users",
                {
                    "name": "u1",
                    "user": {
                        "client-certificate-data": b64encode(ENDS_2026.encode()).decode(),
                        "client-key": "k.pem",
                    },
                },
            ),
            ["client certificate of context `k1` expired on 2026-12-23 06:32 UTC"],
            id="an expired certificate",
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, content: Any, words: list[str]) -> None:
    """A faulty file is named with its fault and what exists, and no value of it is quoted."""
    path = _write(tmp_path / "config", content)
    with pytest.raises(BadInput) as caught:
        load(kubeconfig=path, surroundings=_around(tmp_path))
    said = str(caught.value)
    assert [word for word in words if word not in said] == []
    assert str(tmp_path) in said
    assert CANARY not in said


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A file that does not exist is named, however it was given."""
    with pytest.raises(BadInput, match="nowhere: kubeconfig not found"):
        load(kubeconfig=str(tmp_path / "nowhere"), surroundings=_around(tmp_path))
    listed = f"{tmp_path}/a{os.pathsep}{tmp_path}/b"
    with pytest.raises(BadInput, match=r"no file of KUBECONFIG exists: .*/a, .*/b"):
        load(surroundings=_around(tmp_path, KUBECONFIG=listed))
    with pytest.raises(BadInput, match=r"home/\.kube/config does not exist, and this is no pod"):
        load(surroundings=_around(tmp_path))


def test_unknown_context_of_the_command_line(tmp_path: Path) -> None:
    """A context asked for that does not exist is answered with those that do."""
    path = _write(tmp_path / "config", _content())
    with pytest.raises(BadInput, match="context `prod` does not exist; contexts: `k1`"):
        load(kubeconfig=path, context="prod", surroundings=_around(tmp_path))


def test_first_file_of_a_list_wins(tmp_path: Path) -> None:
    """Files of a list are merged: the first that names a thing wins, missing ones are passed by."""
    first = _content(
        clusters=[{"name": "c1", "cluster": {"server": "https://first.test"}}], users=[]
    )
    second = _content(
        clusters=[
            {"name": "c1", "cluster": {"server": "https://second.test"}},
            {"name": "c2", "cluster": {"server": "https://other.test"}},
        ],
        contexts=[{"name": "k2", "context": {"cluster": "c2", "user": "u1", "namespace": "n2"}}],
        **{"current-context": "k2"},
    )
    paths = [_write(tmp_path / "a" / "one", first), "/nowhere", _write(tmp_path / "two", second)]
    around = _around(tmp_path, KUBECONFIG=os.pathsep.join(paths))
    chosen = load(surroundings=around)
    assert (chosen.context_name, chosen.server) == ("k1", "https://first.test")
    assert chosen.namespace == "default"
    other = load(context="k2", surroundings=around)
    assert (other.server, other.namespace) == ("https://other.test", "n2")
    assert other.user["token"] == CANARY
    assert load(context="k2", namespace="mine", surroundings=around).namespace == "mine"


def test_order_of_places(tmp_path: Path) -> None:
    """An explicit path beats KUBECONFIG, which beats the home's, which beats the pod's account."""
    places = {name: _content(**{"current-context": "k1"}) for name in ("flag", "env", "home")}
    for name, content in places.items():
        content["clusters"][0]["cluster"]["server"] = f"https://{name}.test"
    flag = _write(tmp_path / "flag", places["flag"])
    env = _write(tmp_path / "env", places["env"])
    _write(tmp_path / "home/.kube/config", places["home"])
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    around = _around(tmp_path, KUBECONFIG=env, **pod)
    assert load(kubeconfig=flag, surroundings=around).server == "https://flag.test"
    assert load(surroundings=around).server == "https://env.test"
    assert load(surroundings=_around(tmp_path, **pod)).server == "https://home.test"


def test_pods_use_their_account(tmp_path: Path) -> None:
    """In a pod without a file, its service account speaks, for its own namespace."""
    there = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    around = _around(tmp_path, **there)
    with pytest.raises(BadInput, match="its service account cannot be read"):
        load(surroundings=around)
    _write(tmp_path / "account/token", CANARY)
    _write(tmp_path / "account/namespace", "storage")
    chosen = load(surroundings=around)
    assert (chosen.server, chosen.namespace) == ("https://10.0.0.1:443", "storage")
    assert chosen.origin == "in-cluster"


def test_files_are_found_from_the_file_that_names_them(tmp_path: Path) -> None:
    """Relative paths count from their own kubeconfig, and a live certificate is accepted."""
    user = {"client-certificate": "c.pem", "client-key": "k.pem", "exec": {"command": "./plugin"}}
    path = _write(tmp_path / "deep" / "config", _with("users", {"name": "u1", "user": user}))
    (tmp_path / "deep" / "c.pem").write_text(ENDS_2081)
    chosen = load(kubeconfig=path, surroundings=_around(tmp_path))
    assert chosen.user["client-key"] == str(tmp_path / "deep" / "k.pem")
    assert chosen.user["exec"]["command"] == str(tmp_path / "deep" / "plugin")


def test_the_way_and_the_person_are_kept(tmp_path: Path) -> None:
    """Proxy, TLS name and impersonation are not silently dropped; no secret is shown."""
    cluster = {"server": "https://x", "proxy-url": "http://p:3128", "tls-server-name": "kube.test"}
    content = _with("clusters", {"name": "c1", "cluster": cluster})
    content["users"][0]["user"] |= {"as": "alice", "as-groups": ["dev"]}
    path = _write(tmp_path / "config", content)
    chosen = load(kubeconfig=path, surroundings=_around(tmp_path))
    assert chosen.cluster == cluster
    assert chosen.impersonation == (("Impersonate-User", "alice"), ("Impersonate-Group", "dev"))
    assert CANARY not in repr(chosen)


def _everywhere(value: Any, place: str) -> dict[str, Any]:
    """Return a sound kubeconfig with `value` at one place, such as `users.exec.args`."""
    section, *path = place.split(".")
    content = _content()
    if not path:
        return {**content, section: value}
    inner = {"clusters": "cluster", "users": "user", "contexts": "context"}[section]
    entry = content[section][0]
    if path[0] == "name":
        return {**content, section: [{**entry, "name": value}]}
    body = dict(entry[inner])
    if path[0] == "exec" and len(path) > 1:
        body = {"exec": {"apiVersion": V1, "command": "x", path[1]: value}}
    else:
        body[path[0]] = value
    return {**content, section: [{"name": entry["name"], inner: body}]}


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("users.token", f"{CANARY}\n", "`users[0].user.token` is not usable"),
        ("users.token", f"{CANARY}\r\nX: y", "`users[0].user.token` is not usable"),
        ("users.token", f"{CANARY}é", "`users[0].user.token` is not usable"),
        ("users.as", f"a\n{CANARY}", "`users[0].user.as` is not usable"),
        ("users.as", {"a": 1}, "`users[0].user.as` is not usable (found an object)"),
        ("users.as-groups", 5, "`users[0].user.as-groups` is not usable (found a number)"),
        ("users.exec", 5, "`users[0].user.exec` is not usable (found a number)"),
        ("users.exec", {}, "exec plugin has apiVersion `None`"),
        ("users.exec.args", 5, "`users[0].user.exec.args` is not usable"),
        ("users.exec.env", 7, "`users[0].user.exec.env` is not usable"),
        ("users.exec.command", f"x\0{CANARY}", "`users[0].user.exec.command` is not usable"),
        ("clusters.server", f"https://me:{CANARY}@one.test", "holds a user name or password"),
        ("clusters.server", "https://127.0.0.1:99999", "`clusters[0].cluster.server` is no http"),
        ("clusters.server", "ftp://x", "`clusters[0].cluster.server` is no http or https URL"),
        ("clusters.server", "not a url", "`clusters[0].cluster.server` is no http or https URL"),
        ("clusters.server", "https://[x", "`clusters[0].cluster.server` is no http or https URL"),
        ("clusters.proxy-url", "nonsense", "`clusters[0].cluster.proxy-url` is no URL of a proxy"),
        ("clusters.proxy-url", f"socks5://a:{CANARY}@p", "is no URL of a proxy"),
        ("contexts.cluster", ["c"], "`contexts[0].context.cluster` is not usable (found a list)"),
        ("contexts.namespace", "../../x", "`contexts[0].context.namespace` is not usable"),
        ("current-context", {"a": 1}, "`current-context` is not text"),
        ("users.client-key", "k.pem", "`users[0].user.client-key` comes without `client-cert"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    tmp_path: Path, place: str, value: Any, words: str
) -> None:
    """The fault names file and field, and the form of what stands there; never the value."""
    path = _write(tmp_path / "config", _everywhere(value, place))
    with pytest.raises(BadInput) as caught:
        Connection(load(kubeconfig=path, surroundings=_around(tmp_path)))
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert CANARY not in f"{caught.value} {caught.value.hint}"


PLACES = [
    *("clusters", "users", "contexts", "current-context"),
    *("clusters.name", "users.name", "contexts.name"),
    *(f"contexts.{name}" for name in CONTEXT),
    *(f"clusters.{name}" for name in CLUSTER),
    *(f"users.{name}" for name in USER),
    *(f"users.exec.{name}" for name in EXEC),
]
WORDS = st.sampled_from(
    ["", "\n", "a\0b", "\ud800", "é", "-", "~x/y", "http://", "https://[::1", "//", "k1", "{}"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust one authority in place of the system's: reading all of those takes 30 ms each time."""
    file = tmp_path_factory.mktemp("authorities") / "ca.pem"
    file.write_text(ENDS_2081)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.mark.usefixtures("one_authority")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_at_any_place_is_used_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: str, value: Any
) -> None:
    """Whatever stands at a known place, the end is a usable connection or a BadInput."""
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any-kubeconfig"
    path.write_text(json.dumps(_everywhere(value, place)))
    with suppress(BadInput):
        Connection(load(kubeconfig=str(path), surroundings=_around(folder)))


def test_a_home_that_nobody_has_is_named(tmp_path: Path) -> None:
    """`~nouser/x` is refused in words, from the command line and from KUBECONFIG."""
    with pytest.raises(BadInput, match="there is no home of `~nouser`"):
        load(kubeconfig="~nouser/x", surroundings=_around(tmp_path))
    with pytest.raises(BadInput, match="there is no home of `~nouser`"):
        load(surroundings=_around(tmp_path, KUBECONFIG="~nouser/x"))


def test_a_namespace_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """What is no namespace's name never comes into a URL, and not raw into the message."""
    path = _write(tmp_path / "config", _content())
    with pytest.raises(BadInput, match=r"`\.\./x\?` cannot be a namespace"):
        load(kubeconfig=path, namespace="../x\x1b", surroundings=_around(tmp_path))


def test_an_unusable_proxy_of_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is read as kubectl does; what is none is named by the variable alone."""
    path = _write(tmp_path / "config", _content())
    monkeypatch.setenv("HTTPS_PROXY", "p:3128")
    assert Connection(load(kubeconfig=path, surroundings=_around(tmp_path)))
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://{CANARY}@p")
    with pytest.raises(BadInput, match="HTTPS_PROXY: no URL of a proxy") as caught:
        Connection(load(kubeconfig=path, surroundings=_around(tmp_path)))
    assert CANARY not in str(caught.value)
