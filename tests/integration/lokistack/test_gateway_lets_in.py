# SPDX-License-Identifier: Apache-2.0
"""The real gateway, with the files and arguments that are rendered, lets in who may come.

The part is Observatorium API 0.1.2, the newest that the Go module proxy has. It knows fewer flags
than the gateway that is deployed today; which, is said below. It has no login of OpenShift's, and
`opa-openshift` is to be had nowhere: what is rendered for both is held by unit tests. With
`OBSERVATORIUM_API_BINARY` another build is put before the same tests, and with
`PASSTHROUGH_GATEWAY_BINARY` the other gateway.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.text.yaml import to_yaml
from manifests.lokistack import NAMESPACE, NOW, Choice
from parts.build import program
from parts.gateway import GatewayPod, Loki
from parts.older import DEMANDED
from parts.people import CLIENT, People
from parts.plugin import need, not_built
from parts.process import wait_for
from parts.service_ca import served

NEWER = {"logs.rules.endpoint", "logs.rules.read-only", "logs.write-timeout"}
NEWER |= {"server.read-timeout", "server.write-timeout"}
"""Flags of today's gateway that 0.1.2 does not know."""
OTHER, THROUGH = (
    os.environ.get(f"{name}_BINARY") for name in ("OBSERVATORIUM_API", "PASSTHROUGH_GATEWAY")
)
PUSH = "/loki/api/v1/push"
LABELS = "/loki/api/v1/labels"
SECRET = "it's 'a' \\secret: $x #"
LINES = {"streams": [{"stream": {"app": "a"}, "values": [["1", "hello"]]}]}
Json = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Who comes to the gateway, and who stands behind it."""

    people: People
    loki: Loki


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make people and their issuer."""
    service = f"my-stack-gateway-http.{NAMESPACE}.svc.cluster.local"
    short = service.removesuffix(".cluster.local")
    names = f"IP:127.0.0.1,DNS:localhost,DNS:{short},DNS:{service}"
    made = World(People(tmp_path_factory.mktemp("people"), names=names), Loki())
    made.people.start()
    yield made
    made.loki.close()
    made.people.close()


def gateways() -> list[Any]:
    others = [pytest.param(OTHER, id="another build")] if OTHER else []
    return [pytest.param("", id="0.1.2"), *others]


@pytest.fixture(params=gateways(), scope="module")
def gateway(request: pytest.FixtureRequest) -> Path:
    """Find the real gateway."""
    if request.param:
        return Path(request.param)
    need(request.config, "gateway", not_built("gateway", "observatorium-api"))
    found = program("gateway", "observatorium-api")
    assert found is not None
    return found


RunGateway = Callable[..., GatewayPod]


@pytest.fixture(scope="module")
def run_gateway(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunGateway]:
    """Start gateways of rendered stacks; they end with the module."""
    started: list[GatewayPod] = []

    def run(
        program: Path,
        manifest: Json,
        changed: Callable[[Sequence[Json]], Sequence[Json]] = lambda rendered: rendered,
        *,
        openshift: bool = False,
    ) -> GatewayPod:
        stack, faults = parse(manifest)
        assert stack, faults
        options = RenderOptions(now=NOW, environment=CloudEnvironment(openshift=openshift))
        rendered = render(stack, Choice().read()[1], options=options)
        pod = GatewayPod(
            program,
            changed(rendered),
            given=_given(world),
            loki=world.loki,
            folder=tmp_path_factory.mktemp("pod"),
            older=DEMANDED,
        )
        started.append(pod)
        pod.start()
        return pod

    yield run
    for pod in started:
        pod.stop()


def _given(world: World) -> list[Json]:
    """Return what the user has put beside the stack."""

    def one(kind: str, name: str, **data: str) -> Json:
        return {"kind": kind, "metadata": {"name": name}, "data": data}

    ca = world.people.text("ca.crt")
    tls = {"tls.crt": world.people.text("serving.crt"), "tls.key": world.people.text("serving.key")}
    return [
        one("Secret", "client-123", clientID=CLIENT, clientSecret=SECRET),
        one(
            *("ConfigMap", "tenants-ca"),
            **{"issuer.crt": ca, "service-ca.crt": ca, "blank.crt": f"{ca}\n"},
        ),
        one("ConfigMap", "gateway-ca", **{"ca.crt": ca}),
        one("Secret", "gateway-tls", **tls),
        one("Secret", "clients-ca", **{"ca.crt": ca}),
    ]


def static(world: World) -> Json:
    """Return a stack with a tenant of the issuer's and one of certificates."""
    manifest = Choice(tenancy="static").manifest
    manifest["spec"]["rules"] = {"enabled": True}
    tenants = manifest["spec"]["tenants"]
    tenants["authentication"][0]["oidc"]["issuerURL"] = world.people.issuer.url
    own_ca = {"configMapName": "gateway-ca", "key": "ca.crt"}
    tenants["gateway"]["tls"]["ca"] = own_ca
    role = {"resources": ["logs"], "permissions": ["read", "write"]}
    tenants["authorization"] = {
        "roles": [
            role | {"name": "all", "tenants": ["123", "by-cert"]},
            role | {"name": "see", "tenants": ["123"], "permissions": ["read"]},
        ],
        "roleBindings": [
            {
                "name": "writers",
                "roles": ["all"],
                "subjects": [
                    {"kind": "group", "name": "writers"},
                    {"kind": "user", "name": "writer@example.com"},
                ],
            },
            {
                "name": "readers",
                "roles": ["see"],
                "subjects": [{"kind": "user", "name": "reader@example.com"}],
            },
        ],
    }
    return manifest


@pytest.fixture(scope="module")
def running(gateway: Path, run_gateway: RunGateway, world: World) -> GatewayPod:
    """Run the gateway of a static tenancy."""
    return run_gateway(gateway, static(world))


def ask(
    world: World,
    pod: GatewayPod,
    tenant: str,
    *,
    token: str = "",
    certificate: str | None = None,
) -> tuple[int, int]:
    """Write a line and read, through the gateway; return what it answered to both."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"https://127.0.0.1:{pod.port}/api/logs/v1/{tenant}"
    with world.people.client(certificate) as client:
        wrote = client.post(url + PUSH, json=LINES, headers=headers)
        read = client.get(url + LABELS, headers=headers)
    return wrote.status_code, read.status_code


def wait_known(world: World, pod: GatewayPod) -> None:
    """Wait until the gateway has asked its issuer for its keys."""
    token = world.people.token(email="writer@example.com", groups=["writers"])
    wait_for(lambda: ask(world, pod, "123", token=token) == (204, 200), "the issuer is known")


def test_the_gateway_comes_up_and_lives(running: GatewayPod, world: World) -> None:
    """Ready, alive (it asks itself over TLS), with every argument known but for the newer ones."""
    wait_known(world, running)
    assert running.probe("livenessProbe")
    assert running.unknown <= NEWER


def test_the_clients_secret_is_in_the_gateways_file_as_it_is(running: GatewayPod) -> None:
    """Whatever letters it has."""
    assert f"clientSecret: '{SECRET.replace(chr(39), chr(39) * 2)}'" in running.tenants


def test_a_user_of_the_issuer_writes_and_reads(running: GatewayPod, world: World) -> None:
    """As the tenant's id, whatever the tenant is called."""
    wait_known(world, running)
    assert ("POST", PUSH, "yes") in world.loki.seen
    assert ("GET", LABELS, "yes") in world.loki.seen


def test_a_user_with_a_certificate_writes_and_reads(running: GatewayPod, world: World) -> None:
    """Known by the e-mail address in it."""
    assert ask(world, running, "by-cert", certificate="user") == (204, 200)
    assert ("POST", PUSH, "t-2") in world.loki.seen


@pytest.mark.parametrize("tenant", ["123", "by-cert", "nobody"])
def test_nobody_comes_in_without_saying_who_they_are(
    running: GatewayPod, world: World, tenant: str
) -> None:
    """No token, no certificate: neither a line nor a look."""
    wait_known(world, running)
    before = len(world.loki.seen)
    answers = ask(world, running, tenant)
    assert all(answer >= 300 for answer in answers)
    assert len(world.loki.seen) == before


def test_strangers_are_refused(running: GatewayPod, world: World) -> None:
    """A token for others, of another issuer's claims, and a certificate of another CA."""
    wait_known(world, running)
    before = len(world.loki.seen)
    user = {"email": "writer@example.com", "groups": ["writers"]}
    wrong: tuple[Json, ...] = ({"aud": "others"}, {"exp": 1}, {"iss": "https://issuer.example"})
    for token in ("x.y.z", *(world.people.token(**user, **each) for each in wrong)):
        assert all(answer >= 400 for answer in ask(world, running, "123", token=token))
    answers = ask(world, running, "by-cert", certificate="stranger")
    assert all(answer >= 400 for answer in answers)
    assert len(world.loki.seen) == before


def test_what_a_user_may_do_is_what_the_roles_say(running: GatewayPod, world: World) -> None:
    """One who may read does not write, and one with no role does neither."""
    wait_known(world, running)
    reader = world.people.token(email="reader@example.com", groups=[])
    assert ask(world, running, "123", token=reader) == (403, 200)
    nobody = world.people.token(email="nobody@example.com", groups=["others"])
    assert ask(world, running, "123", token=nobody) == (403, 403)


def test_a_browser_is_sent_to_log_in(running: GatewayPod, world: World) -> None:
    """As the client that the Secret names, and to come back to where the spec says."""
    wait_known(world, running)
    with world.people.client() as client:
        answer = client.get(f"https://127.0.0.1:{running.port}/oidc/123/login")
    assert answer.is_redirect
    assert f"client_id={CLIENT}" in answer.headers["Location"]
    assert "redirect_uri=https%3A%2F%2Flogs.example%2F" in answer.headers["Location"]


def test_on_openshift_it_serves_the_clusters_certificate(
    gateway: Path, run_gateway: RunGateway, world: World
) -> None:
    """As the service CA makes it for the annotated Service; the gateway itself believes it, too.

    Its status port speaks TLS as well, which this build of the gateway cannot: its probe asks in
    plain HTTP here.
    """
    manifest = static(world)
    del manifest["spec"]["tenants"]["gateway"]
    users, _ = manifest["spec"]["tenants"]["authentication"]
    manifest["spec"]["tenants"]["authentication"] = [users]
    tls = {"tls.crt": world.people.text("serving.crt"), "tls.key": world.people.text("serving.key")}

    def signed(rendered: Sequence[Json]) -> Sequence[Json]:
        return served(rendered, pair=tls, authority=world.people.text("ca.crt"))

    pod = run_gateway(gateway, manifest, signed, openshift=True)
    wait_known(world, pod)
    assert pod.probe("livenessProbe")
    assert pod.unknown <= NEWER | {"tls.internal.server.cert-file", "tls.internal.server.key-file"}
    plain = httpx2.get(f"http://127.0.0.1:{pod.port}/", trust_env=False)
    assert "HTTP request to an HTTPS server" in plain.text


def test_the_policy_of_a_former_gateway_judges_by_the_same_roles(
    gateway: Path, run_gateway: RunGateway, world: World
) -> None:
    """A pod of the Loki Operator's that starts again before its turn finds the file it asks."""
    pod = run_gateway(gateway, static(world), by_policy)
    wait_known(world, pod)
    assert ask(world, pod, "by-cert", certificate="user") == (204, 200)
    reader = world.people.token(email="reader@example.com", groups=[])
    assert ask(world, pod, "123", token=reader) == (403, 200)
    grouped = world.people.token(email="else@example.com", groups=["others", "writers"])
    assert ask(world, pod, "123", token=grouped) == (204, 200)
    nobody = world.people.token(email="nobody@example.com", groups=["others"])
    assert ask(world, pod, "123", token=nobody) == (403, 403)


def by_policy(rendered: Sequence[Json]) -> Sequence[Json]:
    """Return a gateway's objects with its tenants judged as the Loki Operator's gateway does."""
    (files,) = (
        each["data"]
        for each in rendered
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", "my-stack-gateway")
    )
    folder = "/etc/lokistack-gateway"
    paths = [f"{folder}/rbac.yaml", f"{folder}/lokistack-gateway.rego"]
    listed = yaml.safe_load(files["tenants.yaml"])
    for tenant in listed["tenants"]:
        tenant["opa"] = {"query": "data.lokistack.allow", "paths": paths}
    files["tenants.yaml"] = to_yaml(listed)
    return rendered


def test_a_blank_line_behind_a_ca_shuts_its_tenant_out(
    gateway: Path, run_gateway: RunGateway, world: World
) -> None:
    """As LK0258 says; with the same certificate the same user is let in elsewhere."""
    manifest = static(world)
    _, by_certificate = manifest["spec"]["tenants"]["authentication"]
    by_certificate["mTLS"]["ca"]["caKey"] = "blank.crt"
    manifest["spec"]["tenants"]["authentication"] = [by_certificate]
    pod = run_gateway(gateway, manifest)
    answers = ask(world, pod, "by-cert", certificate="user")
    assert all(answer >= 400 for answer in answers)


if THROUGH is not None:
    PASSTHROUGH = Path(THROUGH)

    def test_who_stands_in_front_is_believed(run_gateway: RunGateway, world: World) -> None:
        """Known by a certificate; whose lines they are the header says, or the default."""
        pod = run_gateway(PASSTHROUGH, Choice(tenancy="passthrough").manifest)
        assert pod.unknown == set()
        assert pod.probe("livenessProbe")
        url = f"https://127.0.0.1:{pod.port}"
        with world.people.client("user") as client:
            named = client.post(url + PUSH, json=LINES, headers={"X-Scope-OrgID": "named"})
            other = client.get(url + LABELS)
        assert (named.status_code, other.status_code) == (204, 200)
        assert world.loki.seen[-2:] == [("POST", PUSH, "named"), ("GET", LABELS, "nobody")]
        for certificate in (None, "stranger"):
            with world.people.client(certificate) as client, pytest.raises(httpx2.TransportError):
                client.get(url + LABELS)
