# SPDX-License-Identifier: Apache-2.0
"""The gateway of every tenancy: what it is given, and how a client's secret gets into it."""

import hmac
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.render.hashes import tenants_hash
from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.render.tenants import FILL
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.text.yaml import to_yaml
from manifests.lokistack import NAMESPACE, NOW, Choice, tenant_objects

KEY = Fingerprinter(key=Sensitive(b"k" * 32), kept=True)
STACK = Ref("LokiStack", "my-stack", NAMESPACE)
SERVED = "/var/run/tls/http/server"
FILES = "/var/run/lokistack-gateway/files"


def rendered(manifest: dict[str, Any], **options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    stack, faults = parse(manifest)
    assert stack, faults
    _, storage = Choice().read()
    found = render(stack, storage, options=RenderOptions(now=NOW, **options))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def pod_of(manifest: dict[str, Any], **options: Any) -> dict[str, Any]:
    template: dict[str, Any] = rendered(manifest, **options)["Deployment", "my-stack-gateway"][
        "spec"
    ]["template"]
    return template


def arguments(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the gateway's arguments by their names."""
    first = pod_of(manifest)["spec"]["containers"][0]
    pairs = (each.removeprefix("--").partition("=") for each in first["args"])
    return {name: value for name, _, value in pairs}


def mode(name: str, **changes: Any) -> dict[str, Any]:
    """Return a stack of a tenancy, with changes to it."""
    manifest = Choice(tenancy=name).manifest
    manifest["spec"]["tenants"] |= changes
    return manifest


def users(name: str) -> list[dict[str, Any]]:
    data = rendered(mode(name))["ConfigMap", "my-stack-gateway"]["data"]
    listed: list[dict[str, Any]] = yaml.safe_load(data["tenants.yaml"])["tenants"]
    return listed


def test_tenants_say_how_their_users_log_in() -> None:
    """By files in the place of what a Secret holds."""
    assert users("static") == [
        {
            "id": "yes",
            "name": "123",
            "oidc": {
                "clientID": "clients/0/clientID",
                "clientSecret": "clients/0/clientSecret",
                "groupClaim": "groups",
                "issuerCAPath": f"{FILES}/0/issuer.crt",
                "issuerURL": "https://issuer.example/realm",
                "redirectURL": "https://logs.example/oidc/123/callback",
                "usernameClaim": "email",
            },
        },
        {"id": "t-2", "mTLS": {"caPath": f"{FILES}/0/service-ca.crt"}, "name": "by-cert"},
    ]


def test_a_policy_server_is_asked_for_each_tenant() -> None:
    """In the mode in which it judges, and not in the other."""
    assert {each["opa"]["url"] for each in users("dynamic")} == {"http://opa:8181/v1/data/loki"}
    assert not any("opa" in each for each in users("static"))


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [("static", False, 10001), ("static", True, None), ("openshift-logging", False, None)],
)
def test_openshift_gives_pods_a_group_of_its_own(
    name: str, said: bool, expected: int | None
) -> None:
    """And refuses every other; off OpenShift Loki could write to no volume without one."""
    found = rendered(mode(name), environment=CloudEnvironment(openshift=said))
    groups = {
        each["spec"]["template"]["spec"]["securityContext"].get("fsGroup")
        for (kind, _), each in found.items()
        if kind in ("Deployment", "StatefulSet")
    }
    assert groups == {expected}


def judge(manifest: dict[str, Any]) -> set[str]:
    """Return the arguments of the container that asks OpenShift."""
    return set(pod_of(manifest)["spec"]["containers"][1]["args"])


@pytest.mark.parametrize("name", ["openshift-logging", "openshift-network"])
def test_openshift_is_asked_with_the_callers_own_token(name: str) -> None:
    """Without it the second container refuses every request; a policy server needs none."""
    assert [each["opa"]["withAccessToken"] for each in users(name)] == [True] * len(users(name))
    assert not any("withAccessToken" in each["opa"] for each in users("dynamic"))


@pytest.mark.parametrize(
    ("name", "selectors", "told"),
    [
        (
            "openshift-logging",
            "kubernetes_namespace_name,k8s_namespace_name",
            {"--opa.skip-tenants=audit,infrastructure", "--opa.viaq-to-otel-migration=true"},
        ),
        (
            "openshift-network",
            "SrcK8S_Namespace,DstK8S_Namespace",
            {"--opa.matcher-op=or"},
        ),
    ],
)
def test_whoever_may_read_some_namespaces_reads_those(
    name: str, selectors: str, told: set[str]
) -> None:
    """The gateway takes them out of the query, and the second container judges the same labels."""
    manifest = mode(name)
    assert arguments(manifest)["logs.auth.extract-selectors"] == selectors
    assert told | {f"--opa.matcher={selectors}"} <= judge(manifest)
    assert not any("auth.extract" in each for each in arguments(mode("static")))


@pytest.mark.parametrize(
    ("name", "enabled", "expected"),
    [
        ("openshift-logging", True, "application:kubernetes_namespace_name,k8s_namespace_name"),
        ("openshift-logging", False, None),
        ("openshift-network", True, None),
    ],
)
def test_rules_of_applications_are_shown_by_namespace(
    name: str, enabled: bool, expected: str | None
) -> None:
    """Else whoever may read one namespace would see the rules of all."""
    manifest = mode(name)
    manifest["spec"]["rules"] = {"enabled": enabled}
    assert arguments(manifest).get("logs.rules.label-filters") == expected


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        ({}, "system:cluster-admins,cluster-admin,dedicated-admin"),
        ({"openshift": {}}, "system:cluster-admins,cluster-admin,dedicated-admin"),
        ({"openshift": {"adminGroups": ["a", "b"]}}, "a,b"),
        ({"openshift": {"adminGroups": []}}, None),
    ],
)
def test_admins_are_openshifts_unless_the_spec_names_others(
    said: dict[str, Any], groups: str | None
) -> None:
    """Or nobody, where it says so."""
    found = [each for each in judge(mode("openshift-network", **said)) if "admin-groups" in each]
    assert found == ([f"--opa.admin-groups={groups}"] if groups else [])


def test_nobody_but_the_gateway_reaches_its_judge() -> None:
    """It tells whoever asks what anybody may read."""
    assert "--web.listen=127.0.0.1:8082" in judge(mode("openshift-logging"))


def test_a_browser_that_an_issuer_sends_back_reaches_the_gateway() -> None:
    """The way back is outside of the prefix below which lines are read and written."""
    spec = rendered(mode("static"))["Ingress", "my-stack"]["spec"]
    backend = spec["defaultBackend"]["service"]
    assert backend == {"name": "my-stack-gateway-http", "port": {"name": "public"}}


@pytest.mark.parametrize("name", ["static", "dynamic", "openshift-logging"])
def test_rules_are_read_through_the_gateway_and_not_written(name: str) -> None:
    """They come from the cluster's objects."""
    manifest = mode(name)
    assert "logs.rules.read-only" not in arguments(manifest)
    manifest["spec"]["rules"] = {"enabled": True}
    assert arguments(manifest)["logs.rules.read-only"] == "true"


def test_the_router_waits_longer_than_the_gateway_may_take() -> None:
    """Its own patience of 30 s would cut every long query off."""
    manifest = mode("openshift-logging")
    manifest["spec"]["limits"] = {"global": {"queries": {"queryTimeout": "5m"}}}
    route = rendered(manifest)["Route", "my-stack"]
    assert arguments(manifest)["server.write-timeout"] == "480s"
    assert route["metadata"]["annotations"] == {"haproxy.router.openshift.io/timeout": "495s"}


@pytest.mark.parametrize("name", ["static", "openshift-logging", "passthrough"])
def test_gateways_keep_apart_and_are_spread_over_zones(name: str) -> None:
    """As Loki's own pods are: one lost node, or zone, leaves one of them."""
    manifest = mode(name)
    key = "topology.kubernetes.io/zone"
    manifest["spec"]["replication"] = {"factor": 2, "zones": [{"topologyKey": key}]}
    template = pod_of(manifest)
    (term,) = template["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    (spread,) = template["spec"]["topologySpreadConstraints"]
    labels = template["metadata"]["labels"]
    for selector in (term["podAffinityTerm"]["labelSelector"], spread["labelSelector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (key, "DoNotSchedule")
    workload = rendered(manifest)["Deployment", "my-stack-gateway"]
    selected = workload["spec"]["selector"]["matchLabels"]
    assert selected["loki.grafana.com/zone-aware"] == "enabled"
    assert selected.items() <= labels.items()


def test_what_the_secret_says_of_a_ca_counts_where_the_spec_says_nothing() -> None:
    """And nothing is written that was left out."""
    manifest = mode("static")
    oidc = manifest["spec"]["tenants"]["authentication"][0]["oidc"]
    for name in ("issuerCA", "redirectURL", "usernameClaim", "groupClaim"):
        del oidc[name]
    data = rendered(manifest)["ConfigMap", "my-stack-gateway"]["data"]
    assert yaml.safe_load(data["tenants.yaml"])["tenants"][0]["oidc"] == {
        "clientID": "clients/0/clientID",
        "clientSecret": "clients/0/clientSecret",
        "issuerCAPath": "clients/0/issuerCAPath",
        "issuerURL": "https://issuer.example/realm",
    }


def test_the_clients_secrets_are_mounted_where_they_are_filled_in_and_nowhere_else() -> None:
    """The gateway's own container sees the outcome alone."""
    spec = pod_of(mode("static"))["spec"]
    (filling,) = spec["initContainers"]
    (gateway,) = spec["containers"]
    clients = {
        each["name"]
        for each in spec["volumes"]
        if each.get("secret", {}).get("secretName", "") == "client-123"
    }
    assert clients < {each["name"] for each in filling["volumeMounts"]}
    assert not clients & {each["name"] for each in gateway["volumeMounts"]}
    assert filling["image"] == gateway["image"]
    (target,) = (each for each in spec["volumes"] if each["name"] == "tenants")
    assert target["emptyDir"]["medium"] == "Memory"
    assert arguments(mode("static"))["tenants.config"] == filling["args"][-1]


def test_without_an_issuer_nothing_is_filled_in() -> None:
    """The ConfigMap is what the gateway reads."""
    manifest = mode("static")
    del manifest["spec"]["tenants"]["authentication"][0]
    assert "initContainers" not in pod_of(manifest)["spec"]
    assert arguments(manifest)["tenants.config"] == "/etc/lokistack-gateway/tenants.yaml"


@pytest.mark.parametrize(
    ("tenancy", "expected"),
    [
        (
            "static",
            {
                "tls.min-version": "VersionTLS12",
                "tls.server.cert-file": f"{FILES}/1/tls.crt",
                "tls.server.key-file": f"{FILES}/1/tls.key",
                "web.healthchecks.url": "",
            },
        ),
        (
            "dynamic",
            {
                "tls.healthchecks.server-ca-file": f"{FILES}/0/ca.crt",
                "tls.healthchecks.server-name": "my-stack-gateway-http.logging.svc.cluster.local",
                "tls.min-version": "VersionTLS12",
                "tls.server.cert-file": f"{FILES}/2/tls.crt",
                "tls.server.key-file": f"{FILES}/2/tls.key",
                "web.healthchecks.url": "https://localhost:8080",
            },
        ),
        (
            "openshift-logging",
            {
                "tls.healthchecks.server-ca-file": "/var/run/ca/server/service-ca.crt",
                "tls.healthchecks.server-name": "my-stack-gateway-http.logging.svc.cluster.local",
                "tls.internal.server.cert-file": f"{SERVED}/tls.crt",
                "tls.internal.server.key-file": f"{SERVED}/tls.key",
                "tls.min-version": "VersionTLS12",
                "tls.server.cert-file": f"{SERVED}/tls.crt",
                "tls.server.key-file": f"{SERVED}/tls.key",
                "web.healthchecks.url": "https://localhost:8080",
            },
        ),
    ],
)
def test_the_gateway_serves_with_its_own_certificate_or_the_clusters(
    tenancy: str, expected: dict[str, str]
) -> None:
    """And asks itself over TLS only where it knows whose certificate to expect."""
    said = arguments(mode(tenancy))
    tls = {k: v for k, v in said.items() if k.startswith(("tls.", "web.healthchecks"))}
    assert tls == expected  # files are numbered by kind and name


def test_a_route_passes_on_the_tls_that_the_gateway_ends() -> None:
    """A router could not trust a certificate that nobody told it of."""
    plain, own = mode("openshift-logging"), mode("openshift-logging")
    own["spec"]["tenants"]["gateway"] = mode("static")["spec"]["tenants"]["gateway"]
    ends = [
        rendered(each)["Route", "my-stack"]["spec"]["tls"]["termination"] for each in (plain, own)
    ]
    assert ends == ["reencrypt", "passthrough"]


ON_OPENSHIFT = CloudEnvironment(openshift=True)


@pytest.mark.parametrize("tenancy", ["openshift-logging", "openshift-network", "static"])
def test_on_openshift_the_cluster_signs_for_the_gateway(tenancy: str) -> None:
    """Its Service asks for a certificate, a ConfigMap for the CA, and pods wait for both."""
    manifest = mode(tenancy)
    manifest["spec"]["tenants"].pop("gateway", None)
    found = rendered(manifest, environment=ON_OPENSHIFT)
    service = found["Service", "my-stack-gateway-http"]
    assert service["metadata"]["annotations"] == {
        "service.beta.openshift.io/serving-cert-secret-name": "my-stack-gateway-http"
    }
    bundle = found["ConfigMap", "my-stack-gateway-ca-bundle"]
    assert bundle["metadata"]["annotations"] == {
        "service.beta.openshift.io/inject-cabundle": "true"
    }
    assert "data" not in bundle
    spec = found["Deployment", "my-stack-gateway"]["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert volumes["serving-certificate"]["secret"]["secretName"] == "my-stack-gateway-http"
    items = volumes["serving-ca"]["configMap"]["items"]
    assert items == [{"key": "service-ca.crt", "path": "service-ca.crt"}]
    for each in spec["containers"]:
        schemes = [each[f"{word}Probe"]["httpGet"]["scheme"] for word in ("liveness", "readiness")]
        assert schemes == ["HTTPS", "HTTPS"]
        assert f"--tls.internal.server.cert-file={SERVED}/tls.crt" in each["args"]
        assert SERVED in {mount["mountPath"] for mount in each["volumeMounts"]}


def test_without_a_certificate_the_gateway_speaks_plain_http() -> None:
    """Off OpenShift, where nobody signs for it; it asks itself so, too."""
    manifest = mode("static")
    del manifest["spec"]["tenants"]["gateway"]
    said = arguments(manifest)
    assert said["web.healthchecks.url"] == "http://localhost:8080"
    assert not [name for name in said if name.startswith("tls.")]


def test_on_openshift_passthrough_serves_the_clusters_certificate_too() -> None:
    """Unless the stack names one of its own."""
    manifest = mode("passthrough")
    own = pod_of(manifest, environment=ON_OPENSHIFT)["spec"]
    assert not {"serving-certificate", "serving-ca"} & {each["name"] for each in own["volumes"]}
    del manifest["spec"]["tenants"]["gateway"]
    found = rendered(manifest, environment=ON_OPENSHIFT)
    (gateway,) = found["Deployment", "my-stack-gateway"]["spec"]["template"]["spec"]["containers"]
    assert f"--tls-cert-file={SERVED}/tls.crt" in gateway["args"]
    assert gateway["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_a_policy_of_the_roles_is_there_for_a_former_gateway_alone() -> None:
    """Its pods ask it until they are replaced; ours judge by the roles themselves."""
    files = {
        name: rendered(mode(name))["ConfigMap", "my-stack-gateway"]
        for name in ("static", "dynamic")
    }
    assert "package lokistack" in files["static"]["data"]["lokistack-gateway.rego"]
    assert "lokistack-gateway.rego" not in files["dynamic"]["data"]
    assert "rego" not in str(pod_of(mode("static")))


def test_passthrough_is_another_program_that_judges_nobody() -> None:
    """Its clients come with a certificate; requests of no tenant are the default one's."""
    manifest = mode("passthrough")
    assert arguments(manifest) == {
        "admin-addr": ":8081",
        "default-tenant": "nobody",
        "listen-addr": ":8080",
        "loki-distributor-endpoint": "http://my-stack-distributor-http.logging.svc.cluster.local:3100",
        "loki-query-frontend-endpoint": "http://my-stack-query-frontend-http.logging.svc.cluster.local:3100",
        "loki-timeout": "240s",
        "tls-cert-file": f"{FILES}/1/tls.crt",
        "tls-client-auth": "RequireAndVerifyClientCert",
        "tls-client-ca-file": f"{FILES}/0/ca.crt",
        "tls-key-file": f"{FILES}/1/tls.key",
    }
    found = rendered(manifest)
    assert ("ConfigMap", "my-stack-gateway") not in found
    (path,) = found["Ingress", "my-stack"]["spec"]["rules"][0]["http"]["paths"]
    assert path["path"] == "/"
    container = pod_of(manifest)["spec"]["containers"][0]
    assert "passthrough" in container["image"]
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_passthrough_of_anybody_is_plain() -> None:
    """No CA, no default, no certificate; what looks like a variable to the kubelet is none."""
    plain = mode("passthrough")
    del plain["spec"]["tenants"]["passthrough"], plain["spec"]["tenants"]["gateway"]
    assert not any(name.startswith(("tls", "default")) for name in arguments(plain))
    (container,) = pod_of(plain)["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["scheme"] == "HTTP"
    plain["spec"]["tenants"]["passthrough"] = {"defaultTenant": "$(HOME)"}
    assert arguments(plain)["default-tenant"] == "$$(HOME)"


@pytest.mark.parametrize("tenancy", ["static", "openshift-logging"])
def test_the_gateway_asks_nobody_through_the_proxy(tenancy: str) -> None:
    """An issuer inside the cluster is behind no proxy; the stack's proxy is for its storage."""
    manifest = mode(tenancy)
    manifest["spec"]["proxy"] = {"httpsProxy": "http://proxy:3128"}
    assert "env" not in pod_of(manifest)["spec"]["containers"][0]


def test_restricted_traffic_goes_to_issuers_and_the_policy_server() -> None:
    """On their ports; and to the whole namespace of one inside the cluster."""
    manifest = mode("dynamic")
    manifest["spec"]["networkPolicies"] = {"ruleSet": "RestrictIngressEgress"}
    policy = rendered(manifest)["NetworkPolicy", "my-stack-gateway-judges"]
    first, *inside = policy["spec"]["egress"]
    assert [each["port"] for each in first["ports"]] == [443, 8181]
    assert [
        each["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for each in inside
    ] == ["example", "logging"]


def test_only_its_own_files_roll_the_gateway() -> None:
    """Not Loki's configuration; and Loki's pods wear nothing of the gateway's."""
    before = pod_of(mode("static"), tenants_hash="one")
    limits = mode("static")
    limits["spec"]["limits"] = {"global": {"ingestion": {"ingestionRate": 9}}}
    assert pod_of(limits, tenants_hash="one") == before
    more = mode("static", authentication=mode("static")["spec"]["tenants"]["authentication"][:1])
    assert pod_of(more, tenants_hash="one")["metadata"] != before["metadata"]
    assert pod_of(mode("static"), tenants_hash="two")["metadata"] != before["metadata"]
    others = {
        str(each["spec"]["template"]["metadata"])
        for (_, name), each in rendered(mode("static"), tenants_hash="one").items()
        if "template" in each.get("spec", {}) and name != "my-stack-gateway"
    }
    assert not any("tenants-hash" in each for each in others)


def test_the_hash_is_of_what_the_gateway_reads_once() -> None:
    """Clients' Secrets and CAs; nothing where nobody is named."""
    named = {
        Ref(each["kind"], each["metadata"]["name"], NAMESPACE): each for each in tenant_objects()
    }

    def hashed(tenancy: str | None, objects: Any = named) -> str:
        stack, _ = parse(Choice(tenancy=tenancy).manifest)
        assert stack
        return tenants_hash(stack.tenants, objects, KEY, stack=STACK)

    assert hashed(None) == hashed("openshift-network") == ""
    first = [hashed(each) for each in ("static", "passthrough")]
    assert len(set(first)) == 2
    for ref, held in named.items():
        other = {**named, ref: {**held, "data": {"x": "eA=="}, "stringData": {}}}
        assert [hashed(each, other) for each in ("static", "passthrough")] != first
        assert hashed("static", {}) != first[0]
    broken = {**named, Ref("ConfigMap", "tenants-ca", NAMESPACE): {"data": None}}
    assert hashed("static", broken) != first[0]


def filled(
    folder: Path, template: str, clients: list[dict[str, bytes]], private: bytes | None = None
) -> str:
    """Return what the init container's script makes of a template and the Secrets' files."""
    for place, client in enumerate(clients):
        (folder / str(place)).mkdir(exist_ok=True)
        for key, value in client.items():
            (folder / str(place) / key).write_bytes(value)
    (folder / "in.yaml").write_text(template)
    words = [str(folder / "in.yaml"), str(folder), str(folder / "out.yaml")]
    if private is not None:
        (folder / "tls.key").write_bytes(private)
        words.append(str(folder / "tls.key"))
    subprocess.run(
        ["/bin/sh", "-c", FILL, "tenants", *words], check=True, capture_output=True, env={}
    )
    return (folder / "out.yaml").read_text()


_TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(client_id=_TEXTS, secret=_TEXTS, name=_TEXTS)
def test_whatever_a_value_is_it_is_filled_in_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, client_id: str, secret: str, name: str
) -> None:
    """Quotes, backslashes, dollars, colons: none of them changes anything around it."""
    entry = {"id": name, "name": name}
    oidc = {"clientID": "clients/0/clientID", "clientSecret": "clients/0/clientSecret"}
    more = {"issuerCAPath": "/ca", "redirectURL": f"clientID: clients/0/clientSecret {name}"}
    template = to_yaml({"tenants": [entry | {"oidc": {**oidc, **more}}]})
    values = {"clientID": client_id.encode(), "clientSecret": secret.encode()}
    found = yaml.safe_load(filled(tmp_path_factory.mktemp("fill"), template, [values]))
    wanted = {"clientID": client_id, "clientSecret": secret, **more}
    assert found == {"tenants": [entry | {"oidc": wanted}]}


def test_what_a_secret_lacks_is_left_out_and_its_id_is_not(tmp_path: Path) -> None:
    """A gateway without an id would take no token, so its pod does not start."""
    data = rendered(mode("static"))["ConfigMap", "my-stack-gateway"]["data"]["tenants.yaml"]
    found = yaml.safe_load(filled(tmp_path, data, [{"clientID": b"me\n"}]))
    oidc = found["tenants"][0]["oidc"]
    assert oidc["clientID"] == "me"
    assert "clientSecret" not in oidc
    assert oidc["issuerCAPath"] == f"{FILES}/0/issuer.crt"
    (tmp_path / "0" / "clientID").unlink()
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        filled(tmp_path, data, [])
    assert refusal.value.stderr == b"clientID is not in the Secret of a tenant\n"


def test_an_empty_value_is_left_out(tmp_path: Path) -> None:
    """It is as if it were not there."""
    data = rendered(mode("static"))["ConfigMap", "my-stack-gateway"]["data"]["tenants.yaml"]
    text = filled(tmp_path, data, [{"clientID": b"me", "clientSecret": b""}])
    assert "clientSecret" not in yaml.safe_load(text)["tenants"][0]["oidc"]


# --- logging in with a browser -------------------------------------------------------------------

HOST = "my-stack-logging.apps.example"
ON_OPENSHIFT = CloudEnvironment(openshift=True)
BACK_TO = "serviceaccounts.openshift.io/oauth-redirectreference."


def with_login(tenancy: str, *, host: str = HOST, **tenants: Any) -> dict[tuple[str, str], Any]:
    manifest = mode(tenancy, **tenants)
    return rendered(manifest, environment=ON_OPENSHIFT, gateway_host=host)


def clients_of(found: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    """Return what each tenant says to OpenShift of itself."""
    data = found["ConfigMap", "my-stack-gateway"]["data"]["tenants.yaml"]
    return [each.get("openshift", {}) for each in yaml.safe_load(data)["tenants"]]


@pytest.mark.parametrize(
    ("tenancy", "tenants"),
    [
        ("openshift-logging", ["application", "infrastructure", "audit"]),
        ("openshift-network", ["network"]),
    ],
)
def test_openshift_sends_browsers_back_to_the_routes_host(tenancy: str, tenants: list[str]) -> None:
    """To a path of each tenant's; for each, the account names the stack's Route."""
    found = with_login(tenancy)
    backs = {each["redirectURL"] for each in clients_of(found)}
    assert backs == {f"https://{HOST}/openshift/{name}/callback" for name in tenants}
    account = found["ServiceAccount", "my-stack-gateway"]
    annotations = account["metadata"]["annotations"]
    assert list(annotations) == [f"{BACK_TO}{name}" for name in sorted(tenants)]
    for text in annotations.values():
        assert json.loads(text)["reference"] == {"kind": "Route", "name": "my-stack"}
    assert ("Route", "my-stack") in found


@pytest.mark.parametrize(
    ("tenancy", "host", "tenants", "annotated"),
    [
        ("openshift-logging", "", {}, True),
        ("openshift-logging", HOST, {"disableIngress": True}, False),
        ("static", HOST, {}, False),
    ],
    ids=["the host is not known yet", "nobody comes from outside", "users have their own issuer"],
)
def test_where_browsers_cannot_come_back_nothing_is_said_of_it(
    tenancy: str, host: str, tenants: dict[str, Any], *, annotated: bool
) -> None:
    """A token is taken all the same."""
    found = with_login(tenancy, host=host, **tenants)
    assert not any("redirectURL" in each or "cookieSecret" in each for each in clients_of(found))
    account = found["ServiceAccount", "my-stack-gateway"]["metadata"]
    assert any(each.startswith(BACK_TO) for each in account.get("annotations", {})) == annotated


@pytest.mark.parametrize("own", [False, True], ids=["the cluster's", "the stack's own"])
def test_keys_of_cookies_are_derived_where_the_private_key_is(*, own: bool) -> None:
    """In the init container. What is printed names the tenant; the gateway reads the outcome."""
    tls = mode("static")["spec"]["tenants"]["gateway"]
    found = with_login("openshift-logging", gateway=tls if own else {})
    assert {each["cookieSecret"] for each in clients_of(found)} == {
        "cookies/application",
        "cookies/infrastructure",
        "cookies/audit",
    }
    pod = found["Deployment", "my-stack-gateway"]["spec"]["template"]["spec"]
    (filling,) = pod["initContainers"]
    *_, target, key = filling["args"]
    arguments = pod["containers"][0]["args"]
    assert f"--tenants.config={target}" in arguments
    assert f"--tls.server.key-file={key}" in arguments
    mounts = {each["mountPath"]: each["name"] for each in filling["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    volume = volumes[mounts[key.rpartition("/")[0]]]
    assert volume["secret"]["secretName"] == ("gateway-tls" if own else "my-stack-gateway-http")
    assert volumes["tenants"]["emptyDir"]["medium"] == "Memory"


@settings(max_examples=15, deadline=None)
@given(key=st.binary(min_size=65, max_size=3000), tenant=st.sampled_from(["audit", "network"]))
def test_a_key_of_cookies_is_an_hmac_that_all_pods_come_to(
    tmp_path_factory: pytest.TempPathFactory, key: bytes, tenant: str
) -> None:
    """Whatever bytes the private key has: 32 characters, each tenant its own."""
    entry = {"cookieSecret": f"cookies/{tenant}", "redirectURL": f"https://{HOST}/", "x": "y"}
    template = to_yaml({"tenants": [{"name": tenant, "openshift": entry}]})
    found = yaml.safe_load(filled(tmp_path_factory.mktemp("fill"), template, [], key))
    said = f"lokeys gateway cookies of {tenant}".encode()
    expected = hmac.new(key, said, "sha256").hexdigest()[:32]
    assert found["tenants"][0]["openshift"] == {**entry, "cookieSecret": expected}


def test_an_image_that_cannot_derive_keys_starts_no_gateway(tmp_path: Path) -> None:
    """Said in one sentence, and nothing of the key."""
    template = to_yaml({"tenants": [{"name": "a", "openshift": {"cookieSecret": "cookies/a"}}]})
    (tmp_path / "in.yaml").write_text(template)
    (tmp_path / "tls.key").write_bytes(b"private")
    words = [str(tmp_path / name) for name in ("in.yaml", "", "out.yaml", "tls.key")]
    nowhere = {"PATH": str(tmp_path)}
    command = ["/bin/sh", "-c", FILL, "tenants", *words]
    done = subprocess.run(command, check=False, capture_output=True, env=nowhere, text=True)
    assert done.returncode != 0
    assert "sha256sum" in done.stderr
    assert "private" not in done.stdout + done.stderr
