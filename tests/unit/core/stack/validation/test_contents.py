# SPDX-License-Identifier: Apache-2.0
"""Secrets and CAs that somebody else makes or fills: what is told of them, and what is never."""

from typing import Any

import pytest

from lokeys.core.findings.finding import Finding
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.validation.validate import validate
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Given, Object, config_map, secret, stack

STATIC = tuple(SOUND["s3 static"])
PAIR = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
CLAIM = "ObjectBucketClaim", "objectbucket.io/v1alpha1"
VSO = "secrets.hashicorp.com/v1beta1"


def of(kind: str, api_version: str, spec: Any = None, **metadata: Any) -> Object:
    """Return an object that makes the stack's Secret, in its namespace unless said otherwise."""
    named = {"name": "loki-storage", "namespace": "logging", **metadata}
    return {"apiVersion": api_version, "kind": kind, "metadata": named, "spec": spec or {}}


def told(*objects: Object, environment: CloudEnvironment | None = None) -> list[Finding]:
    """Return what is said of objects beside a stack."""
    given = [Given(each) for each in objects]
    return list(validate(given, now=NOW, environment=environment).all_findings)


def codes(*objects: Object) -> list[str]:
    return [finding.code for finding in told(stack(), *objects)]


def to_vault(name: str = "loki-storage", **transformation: Any) -> Object:
    said = {"create": True, "name": name, "transformation": transformation}
    return {"destination": said}


UNTOLD = {
    "1Password, which makes keys of the item's fields": of(
        "OnePasswordItem", "onepassword.com/v1", {"itemPath": "vaults/a/items/b"}
    ),
    "Vault, which makes keys of what is there": of("VaultStaticSecret", VSO, to_vault()),
    "Vault, whose engine chooses the keys": of("VaultDynamicSecret", VSO, to_vault()),
    "Infisical": of(
        "InfisicalSecret",
        "secrets.infisical.com/v1alpha1",
        {"managedSecretReference": {"secretName": "loki-storage"}},
    ),
    "Doppler": of(
        "DopplerSecret",
        "secrets.doppler.com/v1alpha1",
        {"managedSecret": {"name": "loki-storage"}},
    ),
    "Crossplane": of(
        "AccessKey",
        "iam.aws.upbound.io/v1beta1",
        {"writeConnectionSecretToRef": {"name": "loki-storage", "namespace": "logging"}},
        name="key",
    ),
    "SOPS, with its names": of(
        "SopsSecret",
        "isindir.github.com/v1alpha3",
        {"secretTemplates": [{"name": "ENC[AES256_GCM,data:a]"}]},
    ),
    "Kyverno, which copies it into each namespace": of(
        "ClusterPolicy",
        "kyverno.io/v1",
        {"rules": [{"generate": {"kind": "Secret", "name": "loki-storage", "namespace": "{{a}}"}}]},
    ),
    "a hook of Helm": of(
        "Job",
        "batch/v1",
        {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "command": ["sh", "-c"],
                            "args": ["kubectl create secret generic loki-storage --from-file=/s"],
                        }
                    ]
                }
            }
        },
        name="make",
        annotations={"helm.sh/hook": "pre-install"},
    ),
    "a job of each night": of(
        "CronJob",
        "batch/v1",
        {
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {
                            "initContainers": [{"command": "none"}],
                            "containers": [{"env": [{"name": "NAME", "value": "loki-storage"}]}],
                        }
                    }
                }
            }
        },
        name="make",
    ),
}


@pytest.mark.parametrize("maker", UNTOLD.values(), ids=UNTOLD.keys())
def test_a_secret_of_keys_that_nobody_says_is_never_missed(maker: Object) -> None:
    """It is said that they are unknown, and which are needed; no key is asked for."""
    (finding,) = told(stack(), maker)

    assert (finding.code, finding.severity) == ("LK0136", "info")
    assert f"{maker['kind']} " in finding.message
    assert "`bucketnames`, `endpoint`, `access_key_id`, `access_key_secret`" in finding.message


TOLD = {
    "1Password, by a template": of(
        "OnePasswordItem",
        "onepassword.com/v1",
        {"template": {"data": dict.fromkeys(STATIC, "{{ .Fields.a }}")}},
    ),
    "Vault, by templates alone": of(
        "VaultStaticSecret", VSO, to_vault(excludes=[".*"], templates={key: {} for key in STATIC})
    ),
    "Sealed Secrets": of(
        "SealedSecret", "bitnami.com/v1alpha1", {"encryptedData": dict.fromkeys(STATIC, "Ag")}
    ),
    "SOPS": of(
        "SopsSecret",
        "isindir.github.com/v1alpha3",
        {
            "secretTemplates": [
                {"name": "loki-storage", "stringData": dict.fromkeys(STATIC, "ENC[a]")}
            ]
        },
    ),
    "Bitwarden": of(
        "BitwardenSecret",
        "k8s.bitwarden.com/v1",
        {"secretName": "loki-storage", "map": [{"secretKeyName": key} for key in STATIC]},
    ),
    "the Secrets Store CSI driver": of(
        "SecretProviderClass",
        "secrets-store.csi.x-k8s.io/v1",
        {"secretObjects": [{"secretName": "loki-storage", "data": [{"key": k} for k in STATIC]}]},
    ),
    "Terraform's outputs": of(
        "Terraform",
        "infra.contrib.fluxcd.io/v1alpha2",
        {"writeOutputsToSecret": {"name": "loki-storage", "outputs": list(SOUND["s3 token"])}},
    ),
    "an ExternalSecret of the cluster, by labels": of(
        "ClusterExternalSecret",
        "external-secrets.io/v1",
        {
            "externalSecretName": "loki",
            "namespaceSelectors": [{"matchLabels": {"logs": "yes"}}],
            "externalSecretSpec": {
                "target": {"name": "loki-storage"},
                "data": [{"secretKey": key} for key in STATIC],
            },
        },
    ),
    "an ExternalSecret of the cluster, by namespaces": of(
        "ClusterExternalSecret",
        "external-secrets.io/v1",
        {
            "namespaces": ["other", "logging"],
            "externalSecretSpec": {"data": [{"secretKey": key} for key in STATIC]},
        },
    ),
}


@pytest.mark.parametrize("maker", TOLD.values(), ids=TOLD.keys())
def test_a_secret_whose_keys_are_told_is_judged_by_them(maker: Object) -> None:
    """All are there: nothing is to be said."""
    assert codes(maker) == []


def test_what_makes_a_secret_elsewhere_does_not_make_this_one() -> None:
    """Neither in another namespace, nor under another name, nor one that is there already."""
    elsewhere = of("OnePasswordItem", "onepassword.com/v1", namespace="other")
    other = of("OnePasswordItem", "onepassword.com/v1", name="other")
    into = of("VaultStaticSecret", VSO, {"destination": {"name": "loki-storage"}}, name="vault")
    listed = {"namespaces": ["other"], "externalSecretSpec": {"data": [{"secretKey": "a"}]}}
    cluster = of("ClusterExternalSecret", "external-secrets.io/v1", listed)
    nothing = of("ClusterExternalSecret", "external-secrets.io/v1", {"namespaces": 7}, name="")
    job = of("Job", "batch/v1", {}, name="idle")
    everywhere = of("ClusterSecret", "clustersecret.io/v1", name="other")

    assert codes(elsewhere, other, into, cluster, nothing, job, everywhere) == ["LK0101"]


def test_a_key_that_a_maker_forgets_is_missed_where_it_is_made() -> None:
    """With whose work it is, and what to do there; its neighbour above is healthy."""
    sealed = {"encryptedData": dict.fromkeys(STATIC[:-1], "Ag")}
    (finding,) = told(stack(), of("SealedSecret", "bitnami.com/v1alpha1", sealed))

    assert (finding.code, finding.field) == ("LK0103", STATIC[-1])
    (remedy,) = finding.remedy
    assert remedy.text.startswith("seal it anew: Sealed Secrets overwrites")


def test_an_external_secret_of_the_cluster_is_changed_there() -> None:
    """It overwrites the ExternalSecret that it makes."""
    spec = {"externalSecretSpec": {"data": [{"secretKey": key} for key in STATIC[:-1]]}}
    (finding,) = told(stack(), of("ClusterExternalSecret", "external-secrets.io/v1", spec))

    assert finding.code == "LK0103"
    assert str(finding.remedy[0].command) == ("kubectl edit clusterexternalsecret loki-storage")


@pytest.mark.parametrize(
    "claimed",
    [
        (of(*CLAIM),),
        (of(*CLAIM), secret(PAIR)),
        (
            {
                **secret(PAIR),
                "metadata": {
                    "name": "loki-storage",
                    "namespace": "logging",
                    "ownerReferences": [
                        {"kind": CLAIM[0], "apiVersion": CLAIM[1], "name": "loki-storage"}
                    ],
                },
            },
        ),
    ],
    ids=["the claim", "the claim and its Secret", "its Secret, as a cluster has it"],
)
def test_a_claims_secret_is_left_to_its_claim(claimed: tuple[Object, ...]) -> None:
    """One finding says what it has and what is needed; nothing of it is renamed."""
    (finding,) = told(stack(), *claimed)

    assert (finding.code, finding.fault) == ("LK0137", "missing_field")
    assert "with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` only" in finding.message
    assert "secret/loki-storage configmap/loki-storage" in str(finding.remedy[0].command)
    assert not any("/data/" in str(remedy.command) for remedy in finding.remedy)


def test_a_secret_that_bears_a_claims_name_and_all_keys_is_sound() -> None:
    """Somebody added them; what else is wrong with one is told as ever."""
    broken = {**SOUND["s3 static"], "endpoint": "ftp://nowhere"}

    assert codes(of(*CLAIM), secret({**PAIR, **broken})) == ["LK0107"]
    assert codes(of(*CLAIM), secret({**PAIR, **broken, "colour": "a"})) == ["LK0107", "LK0105"]
    assert codes(of(*CLAIM), secret(broken)) == ["LK0107"]
    assert codes(of(*CLAIM), secret()) == []


def test_a_maker_that_names_all_that_is_needed_is_enough() -> None:
    """Whatever else it will bring."""
    vault = to_vault(templates={key: {} for key in STATIC})

    assert codes(of("VaultStaticSecret", VSO, vault)) == []


REPLICATED = {"annotations": {"replicator.v1.mittwald.de/replicate-from": "storage/loki-s3"}}


def copy(**metadata: Any) -> Object:
    """Return the stack's Secret, empty as it lies in Git."""
    named = {"name": "loki-storage", "namespace": "logging", **metadata}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": named}


def test_an_empty_secret_that_becomes_a_copy_is_judged_as_what_it_copies() -> None:
    """Where that is there, and is unknown where it is not; by itself it is empty."""
    origin = secret()
    origin["metadata"] = {"name": "loki-s3", "namespace": "storage"}
    half = {**origin, "stringData": dict.fromkeys(STATIC[:-1], "a")}

    assert codes(copy(**REPLICATED), origin) == []
    assert codes(copy(**REPLICATED)) == ["LK0136"]
    assert "LK0103" in codes(copy(**REPLICATED), half)
    assert codes(copy()) == ["LK0103"] * 4
    named_only = {"annotations": {"replicator.v1.mittwald.de/replicate-from": "loki-s3"}}
    assert codes(copy(**named_only)) == ["LK0103"] * 4


def test_a_fault_of_a_copy_is_changed_where_it_comes_from() -> None:
    """The other one would be overwritten."""
    broken = secret({**SOUND["s3 static"], "endpoint": "nowhere"})
    broken["metadata"].update(REPLICATED)
    (finding,) = told(stack(), broken)

    assert finding.remedy[0].text.startswith("change Secret storage/loki-s3: the other one")


@pytest.mark.parametrize("carrier", ["kustomize", "helm"])
def test_what_flux_carries_is_changed_as_any_other(carrier: str) -> None:
    """In Git, by whatever makes it there."""
    broken = secret({**SOUND["s3 static"], "endpoint": "nowhere"})
    broken["metadata"]["labels"] = {f"{carrier}.toolkit.fluxcd.io/name": "apps"}
    (finding,) = told(stack(), broken)

    assert "patch secret loki-storage" in str(finding.remedy[0].command)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"endpoint": "https://s3.eu-west-1.amazonaws.com"}, []),
        ({"endpoint": "host:80"}, ["bad_endpoint"]),
        ({"endpoint": "https://{{ .host }}"}, []),
        ({"bucketnames": "a"}, ["bad_bucket_name"]),
        ({"endpoint": ""}, ["missing_field"]),
    ],
    ids=["sound", "no scheme", "half a template", "no name", "empty"],
)
def test_a_literal_of_a_template_is_judged_as_one(
    texts: dict[str, str], expected: list[str]
) -> None:
    """What a store has is not known, and not asked for."""
    template = {**dict.fromkeys(STATIC, "{{ .a }}"), **texts}
    spec = {"data": [{"secretKey": "a"}], "target": {"template": {"data": template}}}
    external = of("ExternalSecret", "external-secrets.io/v1", spec)

    assert [each.fault for each in told(stack(), external)] == expected


@pytest.mark.parametrize("kind", ["SealedSecret", "SopsSecret"])
def test_a_literal_beside_what_is_sealed_is_judged(kind: str) -> None:
    """What is sealed is not."""
    sealed = dict.fromkeys(STATIC, "ENC[a]")
    plain = {"endpoint": "host:80"}
    spec: Object = {"encryptedData": sealed, "template": {"data": plain}}
    version = "bitnami.com/v1alpha1"
    if kind == "SopsSecret":
        both = {"name": "loki-storage", "stringData": sealed | plain}
        version, spec = "isindir.github.com/v1alpha3", {"secretTemplates": [both]}

    assert [each.fault for each in told(stack(), of(kind, version, spec))] == ["bad_endpoint"]


def ca(*, key: str = "service-ca.crt", **metadata: Any) -> tuple[Object, Object]:
    """Return a stack that trusts a CA, and the CA's ConfigMap as it lies in Git."""
    empty = config_map()
    empty["metadata"].update(metadata)
    return stack(tls={"caName": "ca", "caKey": key}), empty


INJECTED = {"annotations": {"service.beta.openshift.io/inject-cabundle": "true"}}
TRUSTED = {"labels": {"config.openshift.io/inject-trusted-cabundle": "true"}}


@pytest.mark.parametrize(
    ("key", "metadata"),
    [
        ("service-ca.crt", INJECTED),
        ("ca-bundle.crt", TRUSTED),
        (
            "ca.crt",
            {"annotations": {"replicator.v1.mittwald.de/replicate-from": "cert-manager/ca"}},
        ),
    ],
    ids=["OpenShift's service CA", "OpenShift's trusted CAs", "a copy"],
)
def test_a_ca_that_is_filled_in_the_cluster_is_sound(key: str, metadata: Object) -> None:
    """It is empty in Git."""
    trusting, empty = ca(key=key, **metadata)

    assert told(trusting, secret(), empty) == []


def test_a_ca_that_is_filled_under_another_key_is_told() -> None:
    """The remedy is the stack's; the ConfigMap is not made anew."""
    trusting, empty = ca(key="ca.crt", **INJECTED)
    (finding,) = told(trusting, secret(), empty)

    assert finding.code == "LK0126"
    assert '"caKey":"service-ca.crt"' in str(finding.remedy[0].command)


def test_a_ca_that_nobody_fills_is_missed() -> None:
    """An empty ConfigMap without such a mark."""
    trusting, empty = ca()

    assert [each.code for each in told(trusting, secret(), empty)] == ["LK0126"]


def bundle(kind: str = "Bundle") -> Object:
    target: Object = {"key": "ca.crt"} if kind == "Bundle" else {"data": [{"key": "ca.crt"}]}
    return {
        "apiVersion": "trust.cert-manager.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "ca"},
        "spec": {"target": {"configMap": target}},
    }


@pytest.mark.parametrize("kind", ["Bundle", "ClusterBundle"])
def test_a_bundle_of_trust_manager_is_info(kind: str) -> None:
    """Which namespaces it chooses is not known; a key that it does not write is an error."""
    trusting, _ = ca(key="ca.crt")
    other, _ = ca(key="other.crt")

    assert [each.code for each in told(trusting, secret(), bundle(kind))] == ["LK0138"]
    assert [each.code for each in told(other, secret(), bundle(kind))] == ["LK0126"]
