# SPDX-License-Identifier: Apache-2.0
"""Which Secrets the objects of other operators make, by their own documentation's examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.made import MAX_MADE, Made, made_by, may_make
from lokeys.core.place import Ref

Json = dict[str, Any]
PAIR = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
VSO = "secrets.hashicorp.com/v1beta1"
INFISICAL = "secrets.infisical.com/v1alpha1"


def made(kind: str, api_version: str, spec: Any = None, **top: Any) -> tuple[Made, ...]:
    """Return what an object `logs` in namespace `logging` makes."""
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "logs"}, **top}
    return made_by(obj if spec is None else {**obj, "spec": spec}, namespace="logging")


INFISICAL_TEMPLATE = {"secretName": "s3", "template": {"data": {"a": ""}}}
ROWS: list[tuple[str, str, Json, str, set[str], bool]] = [
    ("OnePasswordItem", "onepassword.com/v1", {"itemPath": "v/i"}, "logs", set(), False),
    (
        *("OnePasswordItem", "onepassword.com/v1", {"template": {"data": {"a": "{{ .b }}"}}}),
        *("logs", {"a"}, True),
    ),
    (
        *("VaultStaticSecret", VSO, {"destination": {"create": True, "name": "s3"}}),
        *("s3", set(), False),
    ),
    (
        "VaultStaticSecret",
        VSO,
        {
            "destination": {
                "create": True,
                "name": "s3",
                "transformation": {"excludes": [".*"], "templates": {"endpoint": {}}},
            }
        },
        *("s3", {"endpoint"}, True),
    ),
    (
        *("VaultDynamicSecret", VSO, {"destination": {"create": True, "name": "s3"}}),
        *("s3", set(), False),
    ),
    ("VaultSecret", "ricoberger.de/v1alpha1", {"keys": ["a"]}, "logs", {"a"}, True),
    ("VaultSecret", "ricoberger.de/v1alpha1", {"path": "a"}, "logs", set(), False),
    (
        *("SealedSecret", "bitnami.com/v1alpha1", {"encryptedData": {"a": "Ag"}}),
        *("logs", {"a"}, True),
    ),
    (
        *("SopsSecret", "isindir.github.com/v1alpha3"),
        {"secretTemplates": [{"name": "s3", "stringData": {"a": "ENC[x]"}, "data": {"b": ""}}]},
        *("s3", {"a", "b"}, True),
    ),
    (
        *("SopsSecret", "isindir.github.com/v1alpha3"),
        {"secretTemplates": [{"name": "ENC[AES256_GCM,data:x]"}]},
        *("", set(), False),
    ),
    (
        *("InfisicalSecret", INFISICAL, {"managedSecretReference": {"secretName": "s3"}}),
        *("s3", set(), False),
    ),
    (
        *("InfisicalSecret", INFISICAL),
        {"managedKubeSecretReferences": [INFISICAL_TEMPLATE]},
        *("s3", {"a"}, True),
    ),
    (
        *("DopplerSecret", "secrets.doppler.com/v1alpha1", {"managedSecret": {"name": "s3"}}),
        *("s3", set(), False),
    ),
    (
        *("BitwardenSecret", "k8s.bitwarden.com/v1"),
        {"secretName": "s3", "map": [{"secretKeyName": "a"}]},
        *("s3", {"a"}, True),
    ),
    (
        *("AzureKeyVaultSecret", "spv.no/v1"),
        {"output": {"secret": {"name": "s3", "dataKey": "a"}}},
        *("s3", {"a"}, False),
    ),
    (
        *("SecretProviderClass", "secrets-store.csi.x-k8s.io/v1"),
        {"secretObjects": [{"secretName": "s3", "data": [{"key": "a"}]}]},
        *("s3", {"a"}, True),
    ),
    ("ObjectBucketClaim", "objectbucket.io/v1alpha1", {}, "logs", PAIR, True),
    (
        *("CephObjectStoreUser", "ceph.rook.io/v1", {"store": "lake"}),
        *("rook-ceph-object-user-lake-logs", {"AccessKey", "SecretKey", "Endpoint"}, True),
    ),
    ("NooBaaAccount", "noobaa.io/v1alpha1", {}, "noobaa-account-logs", PAIR, True),
    (
        *("Certificate", "cert-manager.io/v1", {"secretName": "tls"}),
        *("tls", {"tls.crt", "tls.key"}, False),
    ),
    (
        *("CredentialsRequest", "cloudcredential.openshift.io/v1"),
        {"secretRef": {"name": "s3", "namespace": "logging"}},
        *("s3", set(), False),
    ),
    (
        *("Terraform", "infra.contrib.fluxcd.io/v1alpha2"),
        {"writeOutputsToSecret": {"name": "s3", "outputs": ["role:role_arn", "region"]}},
        *("s3", {"role_arn", "region"}, True),
    ),
    (
        *("SecretTemplate", "secretgen.carvel.dev/v1alpha1", {"template": {"data": {"a": "b"}}}),
        *("logs", {"a"}, True),
    ),
    ("SecretImport", "secretgen.carvel.dev/v1alpha1", {}, "logs", set(), False),
    (
        *("User", "iam.aws.upbound.io/v1beta1", {"writeConnectionSecretToRef": {"name": "s3"}}),
        *("s3", set(), False),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {len(row[4])} keys")
def test_an_object_says_what_it_makes(row: tuple[str, str, Json, str, set[str], bool]) -> None:
    """The Secret's name, the keys that are named, and whether they are all."""
    kind, api_version, spec, name, keys, complete = row
    (found,) = made(kind, api_version, spec)

    assert found.secret == Ref("Secret", name, "logging")
    assert found.maker == Ref(kind, "logs", "logging")
    assert (set(found.keys), found.complete) == (keys, complete)
    assert found.is_for(Ref("Secret", name or "any", "logging"))
    assert not found.is_for(Ref("Secret", name, "elsewhere"))


@pytest.mark.parametrize(
    ("kind", "api_version", "spec"),
    [
        ("VaultStaticSecret", VSO, {"destination": {"name": "s3"}}),
        ("OnePasswordItem", "example.com/v1", {}),
        ("Deployment", "apps/v1", {}),
        ("SopsSecret", "isindir.github.com/v1alpha3", {"secretTemplates": "none"}),
        ("SecretProviderClass", "secrets-store.csi.x-k8s.io/v1", {"secretObjects": [{}]}),
        ("ExternalSecret", "external-secrets.io/v1", {}),
    ],
    ids=["into one that is there", "another group", "a workload", "no list", "no name", "its own"],
)
def test_others_make_nothing(kind: str, api_version: str, spec: Json) -> None:
    """As far as is known here."""
    assert made(kind, api_version, spec) == ()


def test_a_policy_copies_into_namespaces_that_it_does_not_list() -> None:
    """Kyverno's variables stand for any namespace; one that is written out is that one."""
    rules = [
        {"generate": {"kind": "Secret", "name": "s3", "namespace": where}}
        for where in ("{{request.object.metadata.name}}", "logging")
    ]
    rules += [{"generate": {"kind": "Secret", "name": "{{ x }}"}}, {"validate": {}}]
    anywhere, there = made("ClusterPolicy", "kyverno.io/v1", {"rules": rules})

    assert anywhere.is_for(Ref("Secret", "s3", "elsewhere"))
    assert not there.is_for(Ref("Secret", "s3", "elsewhere"))


def test_a_cluster_secret_is_in_every_namespace() -> None:
    """Its keys are its own."""
    (found,) = made("ClusterSecret", "clustersecret.io/v1", data={"a": "Yg=="})

    assert found.secret == Ref("Secret", "logs", None)
    assert (set(found.keys), found.complete) == ({"a"}, True)


def test_texts_in_clear_are_literals() -> None:
    """Neither what a template makes nor what is encrypted is."""
    template = {"data": {"endpoint": "host:80", "region": "{{ .region }}"}}
    (sealed,) = made(
        "SealedSecret", "bitnami.com/v1alpha1", {"encryptedData": {"a": "Ag"}, "template": template}
    )
    values = {"stringData": {"endpoint": "host:80", "secret": "ENC[AES256_GCM,data:x]"}}
    spec = {"secretTemplates": [{"name": "s3", **values}, None]}
    (plain,) = made("SopsSecret", "isindir.github.com/v1alpha3", spec)

    assert sealed.literals == plain.literals == {"endpoint": "host:80"}


def test_many_are_bounded() -> None:
    """A list of any length costs no more."""
    templates = [{"name": f"s{number}"} for number in range(10 * MAX_MADE)]

    assert len(
        made("SopsSecret", "isindir.github.com/v1alpha3", {"secretTemplates": templates})
    ) == (MAX_MADE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("destination", "create", "transformation", "templates", "excludes", "keys"),
                    *("managedSecretReference", "managedSecret", "map", "name", "secretTemplates"),
                    *("secretObjects", "output", "secret", "outputs", "rules", "generate"),
                    *("data", "stringData", "template", "writeConnectionSecretToRef", "store"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(
        [
            ("VaultStaticSecret", VSO),
            ("VaultSecret", "ricoberger.de/v1alpha1"),
            ("InfisicalSecret", INFISICAL),
            ("BitwardenSecret", "k8s.bitwarden.com/v1"),
            ("SopsSecret", "isindir.github.com/v1alpha3"),
            ("SecretProviderClass", "secrets-store.csi.x-k8s.io/v1"),
            ("CephObjectStoreUser", "ceph.rook.io/v1"),
            ("Terraform", "infra.contrib.fluxcd.io/v1"),
            ("Policy", "kyverno.io/v1"),
            ("Anything", "example.com/v1"),
        ]
    ),
    JSON,
    JSON,
)
def test_any_spec_at_all_is_read(kind: tuple[str, str], spec: Any, metadata: Any) -> None:
    """Nothing that anybody writes raises, and each Secret has a name or says that it has none."""
    name, api_version = kind
    obj = {"apiVersion": api_version, "kind": name, "metadata": metadata, "spec": spec}

    assert all(each.secret.kind == "Secret" for each in made_by(obj, namespace="logging"))


def job(*containers: Json) -> Json:
    """Return a Job of these containers."""
    return {"kind": "Job", "spec": {"template": {"spec": {"containers": list(containers)}}}}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (job({"command": ["sh"]}, {"args": ["create secret generic loki-s3 --from-file=a"]}), True),
        (job({"env": [{"name": "NAME", "value": "loki-s3"}]}), True),
        (job({"args": ["create secret generic loki-s3-old"], "command": 7}), False),
        (job(), False),
        ({**job({"args": ["loki-s3"]}), "kind": "Pod"}, False),
    ],
    ids=["its script", "a variable", "a longer name", "no container", "no job"],
)
def test_a_job_may_make_what_its_script_names(manifest: Json, expected: bool) -> None:
    """By the whole name."""
    assert may_make(manifest, "loki-s3") is expected


def test_a_kustomization_generates_secrets_of_literals_and_files() -> None:
    """In its own namespace; what its variables will be is not known."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "secretGenerator": [
            {"name": "s3", "literals": ["a='b=c'", 7], "files": ["d=x/y", "z/e.key"]},
            {"name": "env", "envs": ["logs.env"], "namespace": "own", "literals": "none"},
        ],
    }
    whole, partly = made_by(kustomization, namespace="logging")
    (placed, _) = made_by({**kustomization, "namespace": "logs"}, namespace="logging")

    assert (set(whole.keys), whole.complete) == ({"a", "d", "e.key"}, True)
    assert whole.literals == {"a": "b=c"}
    assert (partly.secret, partly.complete) == (Ref("Secret", "env", "own"), False)
    assert placed.secret.namespace == "logs"
