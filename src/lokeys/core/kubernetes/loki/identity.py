# SPDX-License-Identifier: Apache-2.0
"""The identity that a pod has without a key: where it is set, and its name.

eks.amazonaws.com/role-arn on the service account, or AWS_ROLE_ARN and a token's file (IRSA)
AWS_CONTAINER_CREDENTIALS_FULL_URI (EKS Pod Identity, put into pods, not into their templates)
azure.workload.identity/use on the pod, and …/client-id on the service account
iam.gke.io/gcp-service-account on the service account
"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.loki.environment import ContainerEnvironment
from lokeys.core.kubernetes.loki.model import Backend, Identity, IdentityKind
from lokeys.core.place import Ref

_ROLE = "eks.amazonaws.com/role-arn"
_PODS_ROLE = "iam.amazonaws.com/role"  # of kube2iam and kiam
_AZURE = "azure.workload.identity/"
_GOOGLE = "iam.gke.io/gcp-service-account"
_BACKEND = {
    IdentityKind.IRSA: Backend.S3,
    IdentityKind.POD_IDENTITY: Backend.S3,
    IdentityKind.AZURE: Backend.AZURE,
    IdentityKind.GKE: Backend.GCS,
}
LONGEST_NAME = 2048
"""Limit for an identity's name: an ARN of a role has at most 2048 characters."""


def account_of(template: Json, namespace: str | None) -> Ref:
    """Return the service account of a pod."""
    name = text_at(template, "spec", "serviceAccountName") or "default"
    return Ref("ServiceAccount", name, namespace)


def identity_of(
    backend: Backend,
    template: Json,
    environment: ContainerEnvironment,
    *,
    owner: Ref,
    account: Json | None,
) -> Identity | None:
    """Return the identity that the store's client would use; `owner` is the pod's workload."""
    who = account_of(template, owner.namespace)
    found = _identities(template, environment, owner=owner, account=account, who=who)
    fitting = (each for each in found if _BACKEND[each.kind] is backend)
    return next((each for each in fitting if len(each.name) <= LONGEST_NAME), None)


def _identities(
    template: Json,
    environment: ContainerEnvironment,
    *,
    owner: Ref,
    account: Json | None,
    who: Ref,
) -> Iterator[Identity]:
    def told(kind: IdentityKind, name: str, said_by: Ref) -> Iterator[Identity]:
        if name:
            yield Identity(kind=kind, name=name, said_by=said_by)

    annotations = at(account, "metadata", "annotations")
    role = environment.settings.get("AWS_ROLE_ARN")
    yield from told(IdentityKind.IRSA, text_at(annotations, _ROLE), who)
    if role and environment.holds("AWS_WEB_IDENTITY_TOKEN_FILE"):
        yield from told(IdentityKind.IRSA, role.value or "", owner)
    yield from told(
        IdentityKind.IRSA, text_at(template, "metadata", "annotations", _PODS_ROLE), owner
    )
    if environment.holds("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        yield Identity(kind=IdentityKind.POD_IDENTITY, name="", said_by=owner)
    if text_at(template, "metadata", "labels", f"{_AZURE}use") == "true":
        yield from told(IdentityKind.AZURE, text_at(annotations, f"{_AZURE}client-id"), who)
    yield from told(IdentityKind.GKE, text_at(annotations, _GOOGLE), who)
