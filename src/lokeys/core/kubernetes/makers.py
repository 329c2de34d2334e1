# SPDX-License-Identifier: Apache-2.0
"""Who made a Secret in a cluster, and where to change a value of it so that the change lasts.

    maker_of(secret)     who made it, by the owners and marks that makers leave on their Secrets
    change_of(maker)     where to change a value: the maker undoes changes elsewhere
    item_of(path)        which item a path of the 1Password operator refers to
    filler_of(object)    what fills a ConfigMap that is empty in Git
    copied_from(secret)  the Secret that is copied into one that is empty in Git

The same kinds, in manifests: `lokeys.core.kubernetes.made`. Nothing is guessed: a Secret that was
made by hand has no mark, and `maker_of` returns None. Names and sources are returned as they are
written: callers that print them limit their length (`lokeys.core.text.words`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who made a Secret and keeps it: the maker undoes what others change in it.

    `ref` is the maker's object, None if the Secret does not name one. `controller` is the common
    name of its controller; `change` is an instruction: what to do instead of changing the Secret.
    `source` is where the values come from according to the Secret, such as a 1Password item.
    """

    controller: str
    change: str
    ref: Ref | None = None
    source: str = ""


READ_AGAIN: Mapping[str, str] = {
    "OnePasswordItem": "lokeys.dev/read-again",
    "HelmRelease": "reconcile.fluxcd.io/requestedAt",
}
"""For each kind, the annotation whose new value makes its controller read the source again."""


@dataclass(frozen=True, slots=True)
class MakerKind:
    """A kind whose objects make Secrets: its API group, its controller, how to change a Secret."""

    group: str
    controller: str
    change: str


@dataclass(frozen=True, slots=True)
class Filler:
    """What fills an object, and the only key that it will have; empty if it copies other keys."""

    controller: str
    key: str = ""


_ESO = MakerKind(
    "external-secrets.io", "External Secrets", "change the value in the store that it reads"
)
_VSO = MakerKind("secrets.hashicorp.com", "the Vault Secrets Operator", "write the value to Vault")
_INFISICAL = MakerKind(
    "secrets.infisical.com", "Infisical's operator", "change the value in Infisical"
)
_KYVERNO = MakerKind("kyverno.io", "Kyverno", "change the policy, or what it copies")
_CARVEL = MakerKind("secretgen.carvel.dev", "secretgen-controller", "change what it reads")
_KUSTOMIZE = MakerKind("kustomize.config.k8s.io", "kustomize", "change what it is generated of")
_KINDS: Mapping[str, MakerKind] = {
    "Kustomization": _KUSTOMIZE,
    "Component": _KUSTOMIZE,
    "ExternalSecret": _ESO,
    "ClusterExternalSecret": _ESO,
    "OnePasswordItem": MakerKind(
        "onepassword.com", "the 1Password operator", "edit the item in 1Password"
    ),
    "VaultStaticSecret": _VSO,
    "VaultDynamicSecret": _VSO,
    "VaultPKISecret": _VSO,
    "HCPVaultSecretsApp": _VSO,
    "VaultSecret": MakerKind(
        "ricoberger.de", "ricoberger's Vault operator", "write the value to Vault"
    ),
    "SealedSecret": MakerKind("bitnami.com", "Sealed Secrets", "seal it anew"),
    "SopsSecret": MakerKind(
        "isindir.github.com", "the SOPS operator", "change the value with `sops`"
    ),
    "InfisicalSecret": _INFISICAL,
    "InfisicalDynamicSecret": _INFISICAL,
    "DopplerSecret": MakerKind(
        "secrets.doppler.com", "Doppler's operator", "change the value in Doppler"
    ),
    "BitwardenSecret": MakerKind(
        "k8s.bitwarden.com", "Bitwarden's operator", "change the value in Bitwarden"
    ),
    "AzureKeyVaultSecret": MakerKind(
        "spv.no", "akv2k8s", "change the value in the Azure Key Vault"
    ),
    "SecretProviderClass": MakerKind(
        "secrets-store.csi.x-k8s.io",
        "the Secrets Store CSI driver",
        "change the value in the store that it reads",
    ),
    "ObjectBucketClaim": MakerKind(
        "objectbucket.io", "the claim's provisioner", "leave it as the claim makes it"
    ),
    "CephObjectStoreUser": MakerKind("ceph.rook.io", "Rook", "let Rook make the user's key anew"),
    "NooBaaAccount": MakerKind("noobaa.io", "NooBaa", "let NooBaa make the account's key anew"),
    "Certificate": MakerKind("cert-manager.io", "cert-manager", "change the Certificate"),
    "CredentialsRequest": MakerKind(
        "cloudcredential.openshift.io",
        "the Cloud Credential Operator",
        "change the CredentialsRequest",
    ),
    "Terraform": MakerKind(
        "infra.contrib.fluxcd.io", "the Terraform controller", "change its outputs"
    ),
    "ClusterPolicy": _KYVERNO,
    "Policy": _KYVERNO,
    "ClusterSecret": MakerKind(
        "clustersecret.io", "the ClusterSecret operator", "change the ClusterSecret"
    ),
    "SecretTemplate": _CARVEL,
    "SecretImport": _CARVEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A label or annotation that a controller leaves on what it makes."""

    part: str
    name: str
    value: str = ""
    """The value that it must have; empty if any will do, and the value is then the source."""
    kind: str = ""
    controller: str = ""
    change: str = ""
    names: str = ""
    """The kind of the object that the mark's value names, as a name or `namespace/name`."""
    place: str = ""
    """The label with the namespace of that object; without it, the Secret's own namespace."""


_ITEM_PATH = "operator.1password.io/item-path"
_COPIED = "change the Secret that it is a copy of"
_IN_GIT = "change it in Git"
_MARKS = (
    _Mark(part="annotations", name=_ITEM_PATH, kind="OnePasswordItem"),
    _Mark(
        part="labels",
        name="reconcile.external-secrets.io/managed",
        value="true",
        kind="ExternalSecret",
    ),
    _Mark(
        part="labels",
        name="app.kubernetes.io/managed-by",
        value="hashicorp-vso",
        kind="VaultStaticSecret",
    ),
    _Mark(
        part="labels",
        name="secrets-store.csi.k8s.io/managed",
        value="true",
        kind="SecretProviderClass",
    ),
    _Mark(
        part="annotations",
        name="cert-manager.io/certificate-name",
        kind="Certificate",
        names="Certificate",
    ),
    _Mark(
        part="annotations",
        name="reflector.v1.k8s.emberstack.com/reflects",
        controller="Reflector",
        change=_COPIED,
        names="Secret",
    ),
    _Mark(
        part="annotations",
        name="replicator.v1.mittwald.de/replicate-from",
        controller="kubernetes-replicator",
        change=_COPIED,
        names="Secret",
    ),
    _Mark(
        part="annotations",
        name="replicator.v1.mittwald.de/replicated-from-version",
        controller="kubernetes-replicator",
        change=_COPIED,
    ),
    _Mark(
        part="labels",
        name="kustomize.toolkit.fluxcd.io/name",
        controller="Flux",
        change=_IN_GIT,
        names="Kustomization",
        place="kustomize.toolkit.fluxcd.io/namespace",
    ),
    _Mark(
        part="labels",
        name="helm.toolkit.fluxcd.io/name",
        controller="Flux",
        change="change the HelmRelease's values",
        names="HelmRelease",
        place="helm.toolkit.fluxcd.io/namespace",
    ),
    _Mark(
        part="annotations",
        name="argocd.argoproj.io/tracking-id",
        controller="Argo CD",
        change=_IN_GIT,
    ),
    _Mark(
        part="annotations",
        name="meta.helm.sh/release-name",
        controller="Helm",
        change="change the release's values",
    ),
)
"""The first match counts: makers of values come before controllers that copy objects."""

_SERVICE_CA = Filler("OpenShift's service CA operator", "service-ca.crt")
_FILLED: tuple[tuple[str, str, Filler], ...] = (
    ("annotations", "service.beta.openshift.io/inject-cabundle", _SERVICE_CA),
    ("annotations", "service.alpha.openshift.io/inject-cabundle", _SERVICE_CA),
    (
        "labels",
        "config.openshift.io/inject-trusted-cabundle",
        Filler("OpenShift's Cluster Network Operator", "ca-bundle.crt"),
    ),
    (
        "annotations",
        "replicator.v1.mittwald.de/replicate-from",
        Filler("kubernetes-replicator"),
    ),
    ("annotations", "reflector.v1.k8s.emberstack.com/reflects", Filler("Reflector")),
)
"""OpenShift: its pages on service serving certificates, and on custom PKI."""


def maker_of(secret: Json) -> Maker | None:
    """Return who made a Secret in a cluster; None if nothing on it says so.

    Owners come first, because External Secrets copies other labels onto what it makes. An owner
    counts by kind and API group, even if it is not marked as the controller: the Vault Secrets
    Operator does not set that mark.
    """
    namespace = text_at(secret, "metadata", "namespace") or None
    for owner in mappings_at(secret, "metadata", "ownerReferences"):
        kind = kind_of(owner)
        if kind is not None:
            ref = Ref(str(owner["kind"]), text_at(owner, "name"), namespace)
            source = _marked(secret, "annotations", _ITEM_PATH)
            return Maker(controller=kind.controller, change=kind.change, ref=ref, source=source)
    found = next(iter(_marks_on(secret)), None)
    if found is None:
        return None
    mark, said = found
    place = _marked(secret, mark.part, mark.place) if mark.place else ""
    return _by(mark, said, place or namespace)


def kind_of(obj: Json) -> MakerKind | None:
    """Return the kind of an object or an owner's reference; None for kinds of other groups."""
    name = obj.get("kind")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    group = text_at(obj, "apiVersion").partition("/")[0]
    return kind if kind is not None and group == kind.group else None


def item_of(path: str) -> str:
    """Return `vault/item` of a path that the 1Password operator uses for an item; or empty."""
    _, vaults, rest = path.partition("vaults/")
    vault, items, item = rest.partition("/items/")
    return f"{vault}/{item}" if vaults and items and vault and item else ""


def change_of(maker: Ref) -> str:
    """Return how to change a value of what `maker` makes; empty for unknown kinds."""
    kind = _KINDS.get(maker.kind)
    return kind.change if kind else ""


def controller_of(maker: Ref) -> str:
    """Return the common name of the controller of an object's kind; the kind itself if unknown."""
    kind = _KINDS.get(maker.kind)
    return kind.controller if kind else maker.kind


def filler_of(manifest: Json) -> Filler | None:
    """Return what fills a ConfigMap that is empty in Git; None if nothing says so."""
    for part, name, filler in _FILLED:
        found = _marked(manifest, part, name)
        if found and (not filler.key or found.lower() == "true"):
            return filler
    return None


def copied_from(secret: Json) -> Ref | None:
    """Return the Secret that is copied into one without its own data, if it says so."""
    maker = next((_by(mark, said, None) for mark, said in _marks_on(secret)), None)
    ref = maker.ref if maker else None
    return ref if ref is not None and ref.kind == "Secret" and ref.namespace else None


def _marks_on(secret: Json) -> list[tuple[_Mark, str]]:
    found = ((mark, _marked(secret, mark.part, mark.name)) for mark in _MARKS)
    return [(mark, said) for mark, said in found if said and mark.value in ("", said)]


def _by(mark: _Mark, found: str, namespace: str | None) -> Maker:
    """Return the maker that a mark identifies."""
    if mark.kind:
        kind = _KINDS[mark.kind]
        controller, change = kind.controller, kind.change
    else:
        controller, change = mark.controller, mark.change
    where, slash, name = found.rpartition("/")
    ref = Ref(mark.names, name, (where if slash else namespace))
    source = "" if mark.value else found
    return Maker(
        controller=controller, change=change, ref=ref if mark.names else None, source=source
    )


def _marked(obj: Json, part: str, name: str) -> str:
    """Return the value of a label or annotation."""
    found = at(obj, "metadata", part)
    return text_at(found, name) if isinstance(found, Mapping) else ""
