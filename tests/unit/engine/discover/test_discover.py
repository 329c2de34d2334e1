# SPDX-License-Identifier: Apache-2.0
"""Following a running Loki's key back to its source."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from builders import a_route
from fakes.ports import FakeObjects
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import UNKNOWN, Discovered, LokiWorkload
from lokeys.core.route.model import (
    ClaimSource,
    OnePasswordVault,
    PairKeys,
    RookSource,
    RouteSpec,
    SecretRef,
    UnknownSource,
)
from lokeys.core.route.resource.parse import parse
from lokeys.core.route.resource.render import render
from lokeys.core.text.yaml import commented
from lokeys.engine.discover.route import Discoverer, settled
from lokeys.errors import Forbidden, NotFound, NotReadable

Json = dict[str, Any]
ENDPOINT = "http://rook-ceph-rgw-storage.storage.svc:80"


def encoded(**values: str) -> Json:
    """Return a Secret's data."""
    return {name: b64encode(value.encode()).decode() for name, value in values.items()}


def named(kind: str, name: str, namespace: str = "monitoring", **more: Any) -> Json:
    """Return an object."""
    metadata = {"name": name, "namespace": namespace} | more.pop("metadata", {})
    return {"kind": kind, "metadata": metadata, **more}


def made_for(user: str) -> Json:
    """Return what shows that Rook made a Secret for this user."""
    owner = {
        "apiVersion": "ceph.rook.io/v1",
        "kind": "CephObjectStoreUser",
        "name": user,
        "uid": f"uid-{user}",
        "controller": True,
    }
    return {"ownerReferences": [owner]}


def rook_user(name: str, key_id: str, *, endpoint: str = ENDPOINT) -> tuple[Json, Json]:
    """Return a CephObjectStoreUser and the Secret that Rook makes for it."""
    secret = f"rook-ceph-object-user-storage-{name}"
    data = encoded(AccessKey=key_id, SecretKey="canary-secret", Endpoint=endpoint)
    return (
        named(
            "CephObjectStoreUser",
            name,
            "storage",
            spec={"store": "storage"},
            metadata={"uid": f"uid-{name}"},
        ),
        named("Secret", secret, "storage", data=data, metadata=made_for(name)),
    )


def loki_pod(**container: Any) -> Json:
    """Return a pod template whose Loki reads its pair from the story's Secret."""
    env = [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": "loki-s3-credentials", "key": name}},
        }
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    loki = {
        "name": "loki",
        "image": "docker.io/grafana/loki:3.7.8",
        "env": env,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/loki"}],
        "ports": [{"name": "http-metrics", "containerPort": 3101}],
    }
    return {
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "sidecar", "image": "kiwi:1"}, loki | container],
                    "volumes": [{"name": "config", "configMap": {"name": "loki"}}],
                }
            }
        }
    }


def config(**s3: Any) -> Json:
    """Return Loki's ConfigMap."""
    section = {"endpoint": ENDPOINT, "bucketnames": "loki"} | s3
    text = yaml.safe_dump({"common": {"storage": {"s3": section}}})
    return named("ConfigMap", "loki", data={"config.yaml": text})


def external_secret(**spec: Any) -> Json:
    """Return the story's ExternalSecret."""
    data = [
        {"secretKey": key, "remoteRef": {"key": "loki-s3-config", "property": label}}
        for key, label in (
            ("AWS_ACCESS_KEY_ID", "access_key"),
            ("AWS_SECRET_ACCESS_KEY", "secret_key"),
        )
    ]
    whole = {"secretStoreRef": {"name": "onepassword"}, "data": data}
    return named("ExternalSecret", "loki-s3-credentials", spec=whole | spec)


def secret_store(kind: str = "SecretStore", **token: str) -> Json:
    """Return a store on 1Password Connect."""
    provider = {
        "connectHost": "http://connect:8080",
        "vaults": {"homelab": 1},
        "auth": {"secretRef": {"connectTokenSecretRef": {"name": "token", "key": "t"} | token}},
    }
    store = named(kind, "onepassword", spec={"provider": {"onepassword": provider}})
    if kind == "ClusterSecretStore":
        del store["metadata"]["namespace"]
    return store


def secret(key_id: str = "AKONE") -> Json:
    """Return the Secret that Loki reads."""
    data = encoded(AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY="canary-secret")
    return named("Secret", "loki-s3-credentials", data=data)


def cluster(*changes: Json) -> FakeObjects:
    """Return the story's cluster; an object of the same kind and name replaces one of it."""
    story = [
        named("StatefulSet", "loki", **loki_pod()),
        config(),
        secret(),
        external_secret(),
        secret_store(),
        *rook_user("loki", "AKONE"),
    ]

    def key(item: Mapping[str, Any]) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    changed = {key(item) for item in changes}
    return FakeObjects(*(item for item in story if key(item) not in changed), *changes)


def discovered(*changes: Json, objects: FakeObjects | None = None) -> Discovered:
    """Return the one route of the story's cluster, with changes."""

    async def main() -> list[Discovered]:
        discoverer = Discoverer(objects or cluster(*changes))
        return await discoverer.routes(await discoverer.workloads("monitoring"))

    (found,) = asyncio.run(main())
    return found


def test_the_whole_way_is_followed() -> None:
    """From pod to CephObjectStoreUser, with bucket and endpoint of Loki's configuration."""
    found = discovered()
    spec = found.spec
    assert spec.source == RookSource(user="loki", namespace="storage")
    assert isinstance(spec.vault, OnePasswordVault)
    assert (spec.vault.url, spec.vault.vault, spec.vault.item) == (
        "http://connect:8080",
        "homelab",
        "loki-s3-config",
    )
    assert spec.vault.fields == PairKeys(access_key_id="access_key", secret_access_key="secret_key")
    assert (spec.bucket.name, spec.bucket.endpoint) == ("loki", ENDPOINT)
    assert spec.workloads[0].metrics.port == 3101
    assert (found.sure, found.blanks) == (True, ())


def test_what_is_printed_can_be_read_back() -> None:
    """The manifest with its comments is valid, and describes the same route."""
    found = discovered()
    text = commented(render(found.spec), found.notes)
    assert parse(yaml.safe_load(text)) == found.spec
    assert "canary" not in text
    assert "AKONE" not in text


def test_a_changed_key_leaves_the_only_user_of_the_store() -> None:
    """The source's id is another by now: the endpoint decides, and the guess is said to be one."""
    found = discovered(*rook_user("somebody", "AKTWO"), *rook_user("loki", "AKTWO", endpoint="x"))
    assert isinstance(found.spec.source, RookSource)
    assert found.spec.source.user == "somebody"
    assert found.sure is False
    assert "Check" in found.notes["spec.source.rook.user"]


def test_of_several_users_the_one_named_as_loki_is_guessed() -> None:
    """Thanos and Velero are on the same store; the guess names its rivals."""
    found = discovered(*rook_user("loki", "AKTWO"), *rook_user("thanos", "AKT"))
    assert isinstance(found.spec.source, RookSource)
    assert found.spec.source.user == "loki"
    assert found.sure is False
    assert "storage/thanos" in found.notes["spec.source.rook.user"]


def test_where_no_user_fits_the_candidates_are_listed() -> None:
    """Two strangers: nothing is guessed, the place is marked, the candidates stand beside it."""
    strangers = (*rook_user("a", "AKA"), *rook_user("b", "AKB"))
    base = [item for item in cluster().items if "rook" not in item["metadata"]["name"]]
    without = [item for item in base if item["kind"] != "CephObjectStoreUser"]
    found = discovered(objects=FakeObjects(*without, *strangers))
    assert found.spec.source == UnknownSource()
    assert render(found.spec)["spec"]["source"]["secret"]["name"] == UNKNOWN
    assert found.blanks == ("spec.source",)
    assert "storage/a, storage/b" in found.notes["spec.source"]


def test_the_endpoint_may_come_from_rook() -> None:
    """Loki's configuration does not say where: Rook's Secret does."""
    found = discovered(config(endpoint=""))
    assert found.spec.bucket.endpoint == ENDPOINT
    assert "Rook" in found.notes["spec.bucket.endpoint"]


def test_what_nobody_says_is_marked() -> None:
    """Neither bucket nor endpoint: both are blanks, and no look is taken at it."""
    blind = rook_user("loki", "AKONE", endpoint="")
    found = discovered(config(endpoint="", bucketnames=""), *blind)
    assert set(found.blanks) == {"spec.bucket.name", "spec.bucket.endpoint"}
    assert not found.lookable


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        (
            [
                external_secret(
                    secretStoreRef={"kind": "ClusterSecretStore", "name": "onepassword"}
                ),
                secret_store("ClusterSecretStore", namespace="eso"),
            ],
            "spec.vault.onePassword.connect.tokenSecretRef",
            "in namespace eso",
        ),
        (
            [named("SecretStore", "onepassword", spec={"provider": {"bitwarden": {}}})],
            "spec.secret.externalSecret",
            "bitwarden",
        ),
        (
            [external_secret(secretStoreRef={"name": "gone"})],
            "spec.secret.externalSecret",
            "could not be read",
        ),
    ],
    ids=["the token is elsewhere", "another provider", "the store is gone"],
)
def test_what_is_odd_about_the_vault_is_noted(changes: list[Json], path: str, said: str) -> None:
    """A note stands at the field that it is about."""
    assert said in discovered(*changes).notes.get(path, "")


@pytest.mark.parametrize(
    "host",
    ["http://user:canary-password@connect:8080", "https://connect/?sig=canary-password", "", 7],
)
def test_an_address_with_a_credential_in_it_is_not_printed(host: object) -> None:
    """It is marked, and has to be filled in."""
    store = secret_store()
    store["spec"]["provider"]["onepassword"]["connectHost"] = host
    found = discovered(store)
    assert "spec.vault.onePassword.connect.url" in found.blanks
    printed = commented(render(found.spec), found.notes)
    assert "canary-password" not in printed
    assert f"url: {UNKNOWN}" in printed


def test_an_endpoint_with_a_credential_in_it_is_not_printed() -> None:
    """Neither that of Rook's Secret."""
    hostile = rook_user("loki", "AKONE", endpoint="http://user:canary-password@rgw")
    found = discovered(config(endpoint=""), *hostile)
    assert "spec.bucket.endpoint" in found.blanks
    assert "canary-password" not in str(found)


def made_secret(owner: Json | None = None, **metadata: Json) -> list[Json]:
    """Return the Secret that Loki reads, with marks of a maker, and no ExternalSecret for it."""
    held = secret()
    held["metadata"] |= ({"ownerReferences": [owner]} if owner else {}) | metadata
    return [held, external_secret(target={"name": "another"})]


OPERATORS = {
    "apiVersion": "onepassword.com/v1",
    "kind": "OnePasswordItem",
    "name": "loki-s3",
    "uid": "u",
}


@pytest.mark.parametrize(
    ("changes", "made_by", "path", "said"),
    [
        pytest.param(
            [
                *made_secret(OPERATORS),
                named("OnePasswordItem", "loki-s3", spec={"itemPath": "vaults/home/items/loki"}),
            ],
            Ref("OnePasswordItem", "loki-s3", "monitoring"),
            "spec.secret.madeBy",
            "the 1Password operator makes it of item `home/loki`, and lokeys never writes it",
            id="the 1Password operator, which marks no controller",
        ),
        pytest.param(
            made_secret(
                OPERATORS, annotations={"operator.1password.io/item-path": "vaults/v/items/i"}
            ),
            Ref("OnePasswordItem", "loki-s3", "monitoring"),
            "spec.secret.madeBy",
            "of item `v/i`",
            id="a OnePasswordItem that cannot be read",
        ),
        pytest.param(
            made_secret(annotations={"argocd.argoproj.io/tracking-id": "logs:/Secret:m/s"}),
            None,
            "spec.secret",
            "Argo CD makes it, and lokeys never writes it: change it in Git",
            id="Argo CD, which names no object of its own",
        ),
        pytest.param(made_secret(), None, "spec.secret", "nothing is seen to make it", id="nobody"),
    ],
)
def test_what_makes_a_secret_is_said(
    changes: list[Json], made_by: Ref | None, path: str, said: str
) -> None:
    """That lokeys would write it is said only where nothing else makes it."""
    found = discovered(*changes)
    assert found.spec.made_by == made_by
    assert said in found.notes[path]
    assert parse(render(found.spec)) == found.spec


FLUX_MARKS = {
    "helm.toolkit.fluxcd.io/name": "loki",
    "helm.toolkit.fluxcd.io/namespace": "monitoring",
}
HALVES = ("accessKeyId", "secretAccessKey")


def chart_config(key_id: str = "AKONE", **labels: str) -> Json:
    """Return the ConfigMap that a chart wrote the pair into."""
    s3 = {"endpoint": ENDPOINT, "bucketnames": "loki", "access_key_id": key_id}
    text = yaml.safe_dump({"common": {"storage": {"s3": s3 | {"secret_access_key": "canary"}}}})
    return named("ConfigMap", "loki", data={"config.yaml": text}, metadata={"labels": labels})


def release(name: str = "loki", **spec: Any) -> Json:
    """Return a HelmRelease that takes the pair from Secret logs."""
    taken = [
        {
            "kind": "Secret",
            "name": "logs",
            "valuesKey": key,
            "targetPath": f"loki.storage.s3.{half}",
        }
        for key, half in zip(("ID", "KEY"), HALVES, strict=True)
    ]
    return named("HelmRelease", name, spec={"valuesFrom": taken} | spec)


def logs(key_id: str = "AKONE", **metadata: Any) -> Json:
    """Return the Secret that the HelmRelease takes the pair from."""
    data = encoded(ID=key_id, KEY="canary-secret")
    return named("Secret", "logs", data=data, metadata=metadata)


def inline(*objects: Json) -> Discovered:
    """Return the route of a Loki whose pair stands in its configuration."""
    loki = named("StatefulSet", "loki", **loki_pod(env=[]))
    return discovered(objects=FakeObjects(loki, *objects))


CLAIMED: dict[str, Any] = {
    "ownerReferences": [
        {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim", "name": "logs"}
    ]
}


def test_a_rendered_configuration_is_followed_to_a_claim() -> None:
    """By Flux's own marks: the HelmRelease, what it takes the pair from, and whose that is."""
    found = inline(chart_config("OLD", **FLUX_MARKS), release(), logs(**CLAIMED))
    spec = found.spec
    assert spec.secret == SecretRef(
        kind="ConfigMap",
        name="loki",
        inside="config.yaml",
        keys=PairKeys(
            access_key_id="common.storage.s3.access_key_id",
            secret_access_key="common.storage.s3.secret_access_key",
        ),
    )
    assert spec.made_by == Ref("HelmRelease", "loki", "monitoring")
    pair = PairKeys(access_key_id="ID", secret_access_key="KEY")
    assert spec.values == SecretRef(name="logs", keys=pair)
    assert spec.source == ClaimSource(claim="logs", namespace="monitoring")
    assert (found.sure, found.blanks) == (True, ())
    assert parse(render(spec)) == spec


def test_a_user_is_found_by_the_key_that_the_values_hold() -> None:
    """The configuration is older: the values' key id is the user's."""
    found = inline(chart_config("OLD"), release(), logs("AKONE"), *rook_user("loki", "AKONE"))
    assert found.sure
    assert found.spec.source == RookSource(user="loki", namespace="storage")
    assert "only HelmRelease" in found.notes["spec.secret.madeBy"]
    assert "changed where it is kept" in found.notes["spec.secret.values"]


def test_values_that_external_secrets_makes_are_followed_to_the_vault() -> None:
    """Each hop has its maker."""
    data = [
        {"secretKey": key, "remoteRef": {"key": "loki-s3-config", "property": label}}
        for key, label in (("ID", "access_key"), ("KEY", "secret_key"))
    ]
    made = external_secret(target={"name": "logs"}, data=data)
    found = inline(
        chart_config(), release(), logs(), made, secret_store(), *rook_user("loki", "AKONE")
    )
    assert found.spec.external_secret is not None
    assert found.spec.made_by == Ref("HelmRelease", "loki", "monitoring")
    assert isinstance(found.spec.vault, OnePasswordVault)
    assert found.spec.vault.fields.access_key_id == "access_key"
    assert parse(render(found.spec)) == found.spec


@pytest.mark.parametrize(
    ("objects", "made_by", "said"),
    [
        pytest.param(
            [
                release(
                    valuesFrom=[],
                    values={"loki": {"storage": {"s3": dict.fromkeys(HALVES, "canary")}}},
                )
            ],
            True,
            "in its own values, and is changed in Git",
            id="the pair stands in the release",
        ),
        pytest.param(
            [chart_config(**FLUX_MARKS), release(valuesFrom=[])],
            True,
            "where, is not seen",
            id="values that are not followed",
        ),
        pytest.param(
            [release(), release("other"), logs()], False, "nothing is seen to make it", id="two"
        ),
        pytest.param(
            [release(targetNamespace="elsewhere"), logs()],
            False,
            "nothing is seen to make it: it is changed where it is kept",
            id="one for another namespace",
        ),
        pytest.param([], False, "nothing is seen to make it", id="none"),
        pytest.param(
            [
                named(
                    "ConfigMap",
                    "loki",
                    data=chart_config()["data"],
                    metadata={"annotations": {"meta.helm.sh/release-name": "loki"}},
                )
            ],
            False,
            "Helm makes it, and lokeys never writes it: change the release's values",
            id="Helm by itself",
        ),
    ],
)
def test_what_renders_a_configuration_is_said(
    objects: list[Json], made_by: bool, said: str
) -> None:
    """A guess among several is none."""
    own = [] if any(o["kind"] == "ConfigMap" for o in objects) else [chart_config()]
    found = inline(*own, *objects)
    assert (found.spec.made_by is not None) is made_by
    assert said in " ".join(found.notes.values())
    assert "canary" not in commented(render(found.spec), found.notes)


def test_a_claims_own_secret_is_the_source() -> None:
    """Loki reads it directly: the claim is named, and its Secret never written."""
    claim = {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim", "name": "logs"}
    found = discovered(*made_secret(claim))
    assert found.spec.source == ClaimSource(claim="logs", namespace="monitoring")
    assert found.spec.made_by == Ref("ObjectBucketClaim", "logs", "monitoring")
    assert "cannot be changed in place" in found.notes["spec.source.objectBucketClaim"]
    assert parse(render(found.spec)) == found.spec


def test_two_items_are_no_pair() -> None:
    """A pair from two items cannot be written as one: marked."""
    data = [
        {"secretKey": "AWS_ACCESS_KEY_ID", "remoteRef": {"key": "one", "property": "id"}},
        {"secretKey": "AWS_SECRET_ACCESS_KEY", "remoteRef": {"key": "two", "property": "word"}},
    ]
    assert "spec.vault" in discovered(external_secret(data=data)).blanks


def test_a_whole_item_and_a_template_are_seen_through() -> None:
    """dataFrom.extract with a template: the labels are the template's variables."""
    template = {
        "data": {
            "AWS_ACCESS_KEY_ID": "{{ .access_key }}",
            "AWS_SECRET_ACCESS_KEY": "{{ .secret_key }}",
        }
    }
    spec = {
        "data": [],
        "dataFrom": [{"extract": {"key": "loki-s3-config"}}],
        "target": {"name": "loki-s3-credentials", "template": template},
    }
    vault = discovered(external_secret(**spec)).spec.vault
    assert isinstance(vault, OnePasswordVault)
    assert vault.item == "loki-s3-config"
    assert vault.fields == PairKeys(access_key_id="access_key", secret_access_key="secret_key")


def mapped(*remotes: tuple[str, str], **template: str) -> Json:
    """Return the story's ExternalSecret with other remote fields, through a template."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    data = [
        {"secretKey": name, "remoteRef": {"key": item, "property": label}}
        for name, (item, label) in zip(names, remotes, strict=True)
    ]
    target = {"template": {"mergePolicy": "Merge", "data": template}} if template else {}
    return external_secret(data=data, target=target)


def test_labels_are_read_as_external_secrets_reads_them() -> None:
    """The prefix `field/` is 1Password's, and no part of the label."""
    found = discovered(mapped(("loki", "field/access_key"), ("loki", "secret_key")))
    assert isinstance(found.spec.vault, OnePasswordVault)
    assert found.spec.vault.fields.access_key_id == "access_key"


WHOLE_ITEM = [{"extract": {"key": "loki-s3-config"}}]


@pytest.mark.parametrize(
    ("external", "why"),
    [
        (mapped(("loki", "file/id"), ("loki", "secret_key")), "a file of the item"),
        (
            mapped(
                ("loki", "a"), ("loki", "b"), AWS_ACCESS_KEY_ID="{{ .AWS_ACCESS_KEY_ID | b64enc }}"
            ),
            "`b64enc` changes the value",
        ),
        (
            external_secret(
                data=[],
                dataFrom=[
                    WHOLE_ITEM[0] | {"rewrite": [{"regexp": {"source": "^X_", "target": ""}}]}
                ],
            ),
            "`rewrite` gives several labels this name",
        ),
        (external_secret(data=[], dataFrom=[{"find": {"name": {}}}]), "`find`"),
        (
            external_secret(
                data=[
                    {"secretKey": "AWS_ACCESS_KEY_ID", "remoteRef": {"key": "loki"}},
                    {
                        "secretKey": "AWS_SECRET_ACCESS_KEY",
                        "remoteRef": {"key": "loki"},
                        "sourceRef": {"storeRef": {"name": "another"}},
                    },
                ]
            ),
            "different stores",
        ),
    ],
    ids=["a file", "a function", "a rewrite", "whatever is found", "two stores"],
)
def test_fields_that_are_not_followed_are_not_guessed(external: Json, why: str) -> None:
    """The route has no vault, so that nothing is written there; the reason stands beside it."""
    found = discovered(external, named("SecretStore", "another", spec=secret_store()["spec"]))
    assert found.spec.vault is None
    assert why in found.notes["spec.secret.externalSecret"]
    assert isinstance(found.spec.source, RookSource)
    assert found.blanks == ()


def test_labels_that_may_be_others_are_said_to_be() -> None:
    """Of a whole item's labels External Secrets makes `_` of what may not stand in a key."""
    found = discovered(external_secret(data=[], dataFrom=WHOLE_ITEM))
    assert "another character" in found.notes["spec.vault.onePassword.fields"]
    assert "spec.vault.onePassword.fields" not in discovered().notes


def test_a_store_that_only_entries_name_is_found() -> None:
    """No store for all is needed."""
    source = {"sourceRef": {"storeRef": {"name": "onepassword"}}}
    spec = {"secretStoreRef": None, "data": [], "dataFrom": [WHOLE_ITEM[0] | source]}
    found = discovered(external_secret(**spec))
    assert isinstance(found.spec.vault, OnePasswordVault)
    assert found.spec.vault.item == "loki-s3-config"


def test_without_an_external_secret_lokeys_writes_it_itself() -> None:
    """No delivery, no vault: said in a note."""
    plain = [item for item in cluster().items if item["kind"] != "ExternalSecret"]
    found = discovered(objects=FakeObjects(*plain))
    assert found.spec.external_secret is None
    assert found.spec.vault is None
    assert "lokeys writes it" in found.notes["spec.secret"]


def test_a_cluster_store_has_no_namespace() -> None:
    """A ClusterSecretStore is found all the same."""
    ref = {"name": "onepassword", "kind": "ClusterSecretStore"}
    found = discovered(external_secret(secretStoreRef=ref), secret_store("ClusterSecretStore"))
    assert found.spec.vault is not None


def test_all_variables_of_a_secret_count() -> None:
    """With envFrom and a prefix: the data key is the variable without the prefix."""
    pod = loki_pod(
        env=[], envFrom=[{"secretRef": {"name": "loki-s3-credentials"}, "prefix": "LOKI_"}]
    )
    variables = {"access_key_id": "${LOKI_AWS_ACCESS_KEY_ID}"}
    variables |= {"secret_access_key": "${LOKI_AWS_SECRET_ACCESS_KEY}"}
    found = discovered(named("StatefulSet", "loki", **pod), config(**variables))
    assert found.spec.secret.keys.access_key_id == "AWS_ACCESS_KEY_ID"


def test_workloads_of_one_secret_are_one_route() -> None:
    """Write, read and backend share a key, and so a route."""
    more = [named("Deployment", f"loki-{name}", **loki_pod()) for name in ("read", "backend")]
    found = discovered(*more)
    assert {w.name for w in found.spec.workloads} == {"loki", "loki-read", "loki-backend"}


@pytest.mark.parametrize(
    "image",
    ["grafana/loki-canary:3", "grafana/promtail:3", "nginx:1", "grafana/loki-operator:1"],
)
def test_loki_like_things_are_no_loki(image: str) -> None:
    """Canary, gateway, promtail and operator hold no storage key."""
    pod = loki_pod(name="other", image=image)
    objects = cluster(named("StatefulSet", "loki", **pod))
    assert asyncio.run(Discoverer(objects).workloads("monitoring")) == []


def test_a_pod_leads_to_its_workload() -> None:
    """A pod is followed up to what made it; one that nobody made is no workload."""
    owner = {"kind": "StatefulSet", "name": "loki", "controller": True}
    owned = named("Pod", "loki-0", metadata={"ownerReferences": [owner]})
    discoverer = Discoverer(cluster(owned, named("Pod", "alone")))
    found = asyncio.run(discoverer.workload(Ref("Pod", "loki-0", "monitoring")))
    assert found.ref == Ref("StatefulSet", "loki", "monitoring")
    with pytest.raises(NotReadable, match="belongs to no workload"):
        asyncio.run(discoverer.workload(Ref("Pod", "alone", "monitoring")))


def test_what_is_not_there_or_no_loki_is_told() -> None:
    """An unknown workload is NotFound; one without Loki says so."""
    other = named("Deployment", "web", **loki_pod(name="web", image="nginx:1"))
    discoverer = Discoverer(cluster(other))
    with pytest.raises(NotFound):
        asyncio.run(discoverer.workload(Ref("StatefulSet", "lok", "monitoring")))
    with pytest.raises(NotReadable, match="runs no Loki"):
        asyncio.run(discoverer.workload(Ref("Deployment", "web", "monitoring")))


def test_a_loki_without_a_secret_has_no_route() -> None:
    """A key that comes from nowhere lokeys can see makes no route."""
    objects = cluster(named("StatefulSet", "loki", **loki_pod(env=[])))

    async def main() -> list[Discovered]:
        discoverer = Discoverer(objects)
        return await discoverer.routes(await discoverer.workloads("monitoring"))

    assert asyncio.run(main()) == []


def test_what_may_not_be_read_is_a_gap() -> None:
    """Forbidden is noted and goes on; it is never an error."""

    class Shut(FakeObjects):
        async def list(
            self, kind: str, *, namespace: str | None, labels: str | None = None
        ) -> list[Mapping[str, Any]]:
            if kind == "CephObjectStoreUser":
                raise Forbidden("cannot list CephObjectStoreUser")
            return await super().list(kind, namespace=namespace, labels=labels)

    async def main() -> tuple[list[Discovered], list[str]]:
        discoverer = Discoverer(Shut(*cluster().items))
        found = await discoverer.routes(await discoverer.workloads("monitoring"))
        return found, discoverer.gaps

    found, gaps = asyncio.run(main())
    assert gaps == ["cannot list CephObjectStoreUser"]
    assert found[0].blanks == ("spec.source",)


USERS = tuple(RookSource(user=name, namespace="storage") for name in ("thanos", "logs", "velero"))


def guessed(*, sure: bool = False) -> Discovered:
    """Return a route whose source could be any of three users."""
    spec = a_route(source=USERS[0])
    return Discovered(spec=spec, notes={"spec.source": "?"}, sure=sure, candidates=USERS)


@pytest.mark.parametrize(
    ("fitting", "user"),
    [
        pytest.param({"logs"}, "logs", id="the one whose key opens the bucket is the source"),
        pytest.param({"logs", "velero"}, None, id="of two that fit neither is chosen"),
        pytest.param(set(), None, id="where none fits the question stays open"),
    ],
)
def test_the_store_tells_whose_key_it_was(fitting: set[str], user: str | None) -> None:
    """After a change no key id is equal any more; the bucket still opens to its user alone."""

    async def opens(spec: RouteSpec) -> bool:
        assert isinstance(spec.source, RookSource)
        return spec.source.user in fitting

    found = asyncio.run(settled(guessed(), opens))
    assert found.sure is (user is not None)
    if user is not None:
        assert isinstance(found.spec.source, RookSource)
        assert found.spec.source.user == user
        assert "opens Loki's bucket" in found.notes["spec.source.rook.user"]
    else:
        assert found == guessed()


def test_a_source_that_is_sure_is_not_tried() -> None:
    """Where the key id told already, the store is not asked."""

    async def opens(spec: RouteSpec) -> bool:
        raise AssertionError(spec)

    assert asyncio.run(settled(guessed(sure=True), opens)) == guessed(sure=True)


def of_labels(**container: Any) -> Json:
    """Return a Loki that selects its pods, and whose manifest has no variables."""
    made = loki_pod(env=[], **container)
    made["spec"]["selector"] = {"matchLabels": {"app": "loki"}}
    return named("StatefulSet", "loki", **made)


def running(**container: Any) -> Json:
    """Return a pod of it, as something made it."""
    template = loki_pod(**container)["spec"]["template"]
    return named("Pod", "loki-0", metadata={"labels": {"app": "loki"}}, spec=template["spec"])


def lokis(*objects: Json) -> list[LokiWorkload]:
    """Return the Lokis of a cluster."""
    return asyncio.run(Discoverer(FakeObjects(*objects)).workloads("monitoring"))


def test_what_is_put_into_pods_alone_is_read_of_a_pod() -> None:
    """A webhook adds variables: the template knows nothing of them."""
    (with_pod,) = lokis(of_labels(), running(), secret())
    (without,) = lokis(of_labels(), secret())
    (stranger,) = lokis(
        of_labels(), running() | {"metadata": {"name": "x", "namespace": "monitoring"}}
    )

    assert with_pod.secret is not None
    assert with_pod.secret.name == "loki-s3-credentials"
    assert (without.secret, stranger.secret) == (None, None)


def test_a_pod_that_runs_no_loki_says_nothing() -> None:
    """The template counts, whatever has its labels."""
    other = running(name="other", image="nginx")
    (found,) = lokis(of_labels(), other)

    assert found.loki.container == "loki"


def test_an_account_that_may_not_be_read_is_no_gap() -> None:
    """It could only have said that there is a role."""

    class Guarded(FakeObjects):
        async def get(self, ref: Ref) -> Mapping[str, Any]:
            if ref.kind in ("ServiceAccount", "ConfigMap"):
                raise Forbidden(f"{ref}: no")
            return await super().get(ref)

    discoverer = Discoverer(Guarded(of_labels()))
    asyncio.run(discoverer.workloads("monitoring"))
    assert discoverer.gaps == ["ConfigMap monitoring/loki: no"]


def test_the_components_of_a_stack_are_one_workload() -> None:
    """Owned by a LokiStack; the route is called after it."""
    owner = {"kind": "LokiStack", "name": "logs", "controller": True}
    parts = [
        named(kind, f"logs-{kind.lower()}", metadata={"ownerReferences": [owner]}, **loki_pod())
        for kind in ("StatefulSet", "Deployment")
    ]
    found = discovered(objects=FakeObjects(*parts, config(), secret()))

    assert found.spec.name == "logs"
    assert [(w.kind, w.name) for w in found.spec.workloads] == [("LokiStack", "logs")]


def test_a_route_has_every_workload_that_reads_its_secret() -> None:
    """Whichever of them it is asked for: a key replaced for one alone leaves the others behind."""
    components = [named("StatefulSet", f"loki-{part}", **loki_pod()) for part in ("read", "write")]
    base = [item for item in cluster().items if item["kind"] != "StatefulSet"]
    discoverer = Discoverer(FakeObjects(*base, *components))

    async def asked(name: str) -> set[str]:
        workload = await discoverer.workload(Ref("StatefulSet", name, "monitoring"))
        found = await discoverer.route([workload])
        assert found.spec.workloads[0].name == name
        return {each.name for each in found.spec.workloads}

    for name in ("loki-read", "loki-write"):
        assert asyncio.run(asked(name)) == {"loki-read", "loki-write"}


def test_an_identity_that_is_put_into_pods_alone_is_read_of_a_pod() -> None:
    """EKS Pod Identity sets variables as a pod is made; the account has no annotation of it."""
    address = "http://169.254.170.23/v1/credentials"
    env = [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": address}]
    (found,) = lokis(of_labels(), running(env=env))

    assert found.loki.identity is not None
    assert str(found.loki.identity) == "EKS Pod Identity"
