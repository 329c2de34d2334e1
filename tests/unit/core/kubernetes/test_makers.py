# SPDX-License-Identifier: Apache-2.0
"""Who made a Secret, by what makers leave on it, whatever anybody has written into it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.makers import change_of, filler_of, maker_of
from lokeys.core.place import Ref

Json = dict[str, Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("metadata", "kind", "apiVersion", "name", "ownerReferences", "labels"),
                    *("annotations", "operator.1password.io/item-path"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def owned(kind: str, api_version: str, **metadata: Any) -> Json:
    """Return a Secret with one owner, which no controller marks as its own."""
    owner = {"apiVersion": api_version, "kind": kind, "name": "loki-s3", "uid": "1"}
    return {"metadata": {"namespace": "logging", "ownerReferences": [owner], **metadata}}


def marked(part: str, name: str, value: str) -> Json:
    """Return a Secret with one label or annotation."""
    return {"metadata": {"namespace": "logging", part: {name: value}}}


@pytest.mark.parametrize(
    ("kind", "api_version", "controller"),
    [
        ("ExternalSecret", "external-secrets.io/v1", "External Secrets"),
        ("OnePasswordItem", "onepassword.com/v1", "the 1Password operator"),
        ("VaultStaticSecret", "secrets.hashicorp.com/v1beta1", "the Vault Secrets Operator"),
        ("SealedSecret", "bitnami.com/v1alpha1", "Sealed Secrets"),
        ("ObjectBucketClaim", "objectbucket.io/v1alpha1", "the claim's provisioner"),
        ("CephObjectStoreUser", "ceph.rook.io/v1", "Rook"),
        ("InfisicalSecret", "secrets.infisical.com/v1alpha1", "Infisical's operator"),
    ],
)
def test_an_owner_says_who_made_it(kind: str, api_version: str, controller: str) -> None:
    """By kind and group, in the Secret's own namespace."""
    maker = maker_of(owned(kind, api_version))

    assert maker is not None
    assert maker.controller == controller
    assert maker.ref == Ref(kind, "loki-s3", "logging")
    assert maker.change == change_of(maker.ref) != ""


def test_an_owner_comes_before_what_was_copied_from_it() -> None:
    """External Secrets copies the labels that Flux put onto the ExternalSecret."""
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    maker = maker_of(owned("ExternalSecret", "external-secrets.io/v1", labels=labels))

    assert maker is not None
    assert maker.controller == "External Secrets"


def test_flux_says_where_its_object_is() -> None:
    """In a label of its own: a Kustomization is seldom where its objects are."""
    labels = {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    maker = maker_of({"metadata": {"namespace": "logging", "labels": labels}})

    assert maker is not None
    assert maker.ref == Ref("Kustomization", "apps", "flux-system")


def test_a_1password_secret_names_its_item() -> None:
    """Beside its owner, and where a Deployment's annotation asked for it and nobody owns it."""
    path = "vaults/home-lab/items/loki"
    annotations = {"operator.1password.io/item-path": path}
    owned_one = maker_of(owned("OnePasswordItem", "onepassword.com/v1", annotations=annotations))
    alone = maker_of(marked("annotations", "operator.1password.io/item-path", path))

    assert owned_one is not None
    assert alone is not None
    assert owned_one.source == alone.source == path
    assert alone.ref is None
    assert alone.controller == "the 1Password operator"


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (
            ("labels", "reconcile.external-secrets.io/managed", "true"),
            ("External Secrets", None, ""),
        ),
        (
            ("labels", "app.kubernetes.io/managed-by", "hashicorp-vso"),
            ("the Vault Secrets Operator", None, ""),
        ),
        (
            ("annotations", "reflector.v1.k8s.emberstack.com/reflects", "storage/loki-s3"),
            ("Reflector", Ref("Secret", "loki-s3", "storage"), "storage/loki-s3"),
        ),
        (
            ("annotations", "replicator.v1.mittwald.de/replicate-from", "storage/loki-s3"),
            ("kubernetes-replicator", Ref("Secret", "loki-s3", "storage"), "storage/loki-s3"),
        ),
        (
            ("labels", "kustomize.toolkit.fluxcd.io/name", "apps"),
            ("Flux", Ref("Kustomization", "apps", "logging"), "apps"),
        ),
        (
            ("annotations", "argocd.argoproj.io/tracking-id", "logs:/Secret:logging/loki"),
            ("Argo CD", None, "logs:/Secret:logging/loki"),
        ),
        (("annotations", "meta.helm.sh/release-name", "loki"), ("Helm", None, "loki")),
    ],
    ids=lambda value: value[1] if value[0] in ("labels", "annotations") else "",
)
def test_a_mark_says_who_made_it(
    mark: tuple[str, str, str], said: tuple[str, Ref | None, str]
) -> None:
    """Where no owner stands there: policies that leave Secrets ownerless, and copies."""
    maker = maker_of(marked(*mark))

    assert maker is not None
    assert (maker.controller, maker.ref, maker.source) == said
    assert maker.change


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"metadata": {"namespace": "logging", "labels": {"app": "loki"}}},
        marked("labels", "app.kubernetes.io/managed-by", "Helm"),
        owned("OnePasswordItem", "example.com/v1"),
        owned("ReplicaSet", "apps/v1"),
    ],
    ids=["nothing", "labels of anybody", "Helm, without a release", "another group", "a workload"],
)
def test_a_secret_that_nobody_marked_has_no_maker(secret: Json) -> None:
    """Made by hand, as far as anybody can tell."""
    assert maker_of(secret) is None


def test_kinds_of_others_have_no_way_to_change_a_value() -> None:
    """Nothing is made up for them."""
    assert change_of(Ref("ReplicaSet", "a", "b")) == ""


@pytest.mark.parametrize(
    ("manifest", "controller", "key"),
    [
        (
            marked("annotations", "service.beta.openshift.io/inject-cabundle", "true"),
            "OpenShift's service CA operator",
            "service-ca.crt",
        ),
        (
            marked("labels", "config.openshift.io/inject-trusted-cabundle", "true"),
            "OpenShift's Cluster Network Operator",
            "ca-bundle.crt",
        ),
        (
            marked("annotations", "replicator.v1.mittwald.de/replicate-from", "a/b"),
            "kubernetes-replicator",
            "",
        ),
    ],
    ids=["service CA", "trusted CAs", "a copy"],
)
def test_what_is_empty_in_git_says_who_fills_it(manifest: Json, controller: str, key: str) -> None:
    """By the annotation or label that its filler looks for, and under which key."""
    filler = filler_of(manifest)

    assert filler is not None
    assert (filler.controller, filler.key) == (controller, key)


@pytest.mark.parametrize(
    "manifest",
    [
        marked("annotations", "service.beta.openshift.io/inject-cabundle", "false"),
        marked("annotations", "example.com/inject", "true"),
        {"metadata": {"annotations": ["a"]}},
    ],
    ids=["switched off", "another", "no annotations"],
)
def test_what_nobody_fills_stays_empty(manifest: Json) -> None:
    """Then it is judged as it is."""
    assert filler_of(manifest) is None


@given(JSON)
def test_any_object_at_all_is_read(value: Any) -> None:
    """Nothing that anybody writes raises."""
    secret = value if isinstance(value, dict) else {"metadata": value}
    maker_of(secret)
    filler_of(secret)
