# SPDX-License-Identifier: Apache-2.0
"""Which adapter serves which hop of a route."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lokeys.adapters.aws.endpoint_addresses import EndpointAddresses
from lokeys.adapters.aws.iam_login import IamDoor
from lokeys.adapters.aws.s3 import S3Store
from lokeys.adapters.ceph.rgw import RgwSourcePort
from lokeys.adapters.ceph.rgw_issuer import RgwIssuer
from lokeys.adapters.ceph.rook import RookSourcePort, admin_look
from lokeys.adapters.ceph.rook_issuer import RookIssuer
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.consents import insist_on_token
from lokeys.adapters.kubernetes.external_secrets import ExternalSecretPort
from lokeys.adapters.kubernetes.holders import KeyHolders
from lokeys.adapters.kubernetes.makers import KubernetesMaker
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.pairs import value_of
from lokeys.adapters.kubernetes.secret_source import SecretSourcePort, SourceReader
from lokeys.adapters.kubernetes.secrets import KubernetesSecretPort
from lokeys.adapters.kubernetes.staging import StagingSecret
from lokeys.adapters.kubernetes.workloads import KubernetesWorkloads
from lokeys.adapters.loki.pod import KubernetesLoki
from lokeys.adapters.onepassword.connect import Connect, Token
from lokeys.adapters.onepassword.item import OnePasswordPort
from lokeys.adapters.unread import NoSource, UnreadableVault
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.kubernetes.makers import READ_AGAIN
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import (
    AwsIamSource,
    ClaimSource,
    OnePasswordVault,
    RgwSource,
    RookSource,
    RouteSpec,
    SecretSource,
    UnknownSource,
    Workload,
    source_ref,
)
from lokeys.core.sensitive import Sensitive
from lokeys.ports import IssuerPort, MakerPort, PodPorts, RoutePorts, SourcePort, VaultPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The cluster and the outside world, as this process may reach them.

    `callers_rights`: for a person, whose own permissions decide about sources in other namespaces.
    `outside`: this process does not run in the cluster.
    """

    cluster: Cluster
    clients: HttpClients
    callers_rights: bool = False
    outside: bool = False


def wire(spec: RouteSpec, access: Access) -> RoutePorts:
    """Return the ports of a route. Nothing is read yet. Raises BadInput for a bad CA bundle."""
    cluster = access.cluster
    return RoutePorts(
        source=_source(spec, access),
        issuer=_issuer(spec, access),
        vault=_vault(spec, access),
        delivery=(
            ExternalSecretPort(
                cluster,
                spec.external_secret,
                namespace=spec.namespace,
                pair=spec.values or spec.secret,
            )
            if spec.external_secret
            else None
        ),
        maker=_maker(spec, access),
        secret=KubernetesSecretPort(cluster, spec.secret, namespace=spec.namespace),
        values=(
            KubernetesSecretPort(cluster, spec.values, namespace=spec.namespace, hop=Hop.VALUES)
            if spec.values
            else None
        ),
        workloads=KubernetesWorkloads(
            cluster,
            spec.workloads,
            namespace=spec.namespace,
            secret=spec.secret.name,
            kind=spec.secret.kind,
        ),
        store=S3Store(
            spec.bucket,
            access.clients.trusting(spec.bucket.ca_bundle),
            cluster.clock,
            addresses=EndpointAddresses(clients=access.clients, ca_bundle=spec.bucket.ca_bundle),
        ),
        staging=StagingSecret(cluster, spec),
        holders=KeyHolders(cluster, spec, access.callers_rights),
        loki=KubernetesLoki(cluster, spec.workloads, client=access.clients.direct()),
        bucket=spec.bucket,
        trying=Trying.CALLER if access.callers_rights else Trying.CONSENT,
    )


def wire_pods(namespace: str, workloads: Sequence[Workload], access: Access) -> PodPorts:
    """Return the ports to a namespace's pods without a route. Nothing is read yet."""
    cluster = access.cluster
    return PodPorts(
        workloads=KubernetesWorkloads(cluster, workloads, namespace=namespace),
        loki=KubernetesLoki(cluster, workloads, client=access.clients.direct()),
    )


def _maker(spec: RouteSpec, access: Access) -> MakerPort | None:
    if spec.made_by is None or spec.made_by.kind not in READ_AGAIN:
        return None
    return KubernetesMaker(access.cluster, spec.made_by)


def _source(spec: RouteSpec, access: Access) -> SourcePort:
    cluster = access.cluster
    reader = _reader(spec, access)
    match spec.source:
        case RookSource() as source:
            return _rook(spec, source, access, cluster=cluster)
        case RgwSource(admin=admin) as source:
            client = access.clients.trusting(source.ca_bundle)
            look = admin_look(cluster, admin, namespace=spec.namespace, client=client)
            return RgwSourcePort(
                source,
                secret=Ref("Secret", admin.secret.name, spec.namespace),
                callers_rights=access.callers_rights,
                admin=look,
                fingerprinter=cluster.fingerprinter,
            )
        case SecretSource() as source:
            return SecretSourcePort(cluster, source, reader=reader)
        case ClaimSource() as claim:
            held = SecretSource(secret=claim.secret, namespace=claim.namespace)
            return SecretSourcePort(cluster, held, reader=reader, owner=source_ref(spec))
        case AwsIamSource() as source:
            return _iam(spec, source, access)
        case UnknownSource():
            return NoSource()


def _issuer(spec: RouteSpec, access: Access) -> IssuerPort | None:
    """Return what can change the keys of the source's user; None if nothing can from here."""
    cluster = access.cluster
    match spec.source:
        case RgwSource(admin=admin) as source:
            client = access.clients.trusting(source.ca_bundle)
            return RgwIssuer(
                source=source,
                secret=Ref("Secret", admin.secret.name, spec.namespace),
                callers_rights=access.callers_rights,
                admin=admin_look(cluster, admin, namespace=spec.namespace, client=client),
                objects=LiveObjects(cluster.api),
                fingerprinter=cluster.fingerprinter,
            )
        case RookSource() as source:
            live = replace(cluster, objects=LiveObjects(cluster.api))
            client = access.clients.trusting(spec.bucket.ca_bundle)
            return RookIssuer(
                cluster=live,
                ref=source_ref(spec),
                reader=_reader(spec, access),
                source=_rook(spec, source, access, cluster=live),
                store=S3Store(spec.bucket, client, cluster.clock),
                endpoint=spec.bucket.endpoint,
                sleep=asyncio.sleep,
            )
        case AwsIamSource() as source:
            from lokeys.adapters.aws.iam_keys import IamIssuer  # noqa: PLC0415 - heavy

            return IamIssuer(
                login=_iam_door(spec, source, access).login_to_give,
                store=S3Store(
                    spec.bucket, access.clients.trusting(spec.bucket.ca_bundle), cluster.clock
                ),
                clock=cluster.clock,
                fingerprinter=cluster.fingerprinter,
            )
    return None


def _iam_door(spec: RouteSpec, source: AwsIamSource, access: Access) -> IamDoor:
    return IamDoor(
        cluster=access.cluster,
        source=source,
        bucket=spec.bucket,
        namespace=spec.namespace,
        callers_rights=access.callers_rights,
        client=access.clients.trusting(None),
    )


def _iam(spec: RouteSpec, source: AwsIamSource, access: Access) -> SourcePort:
    from lokeys.adapters.aws.iam_keys import IamSourcePort  # noqa: PLC0415 - heavy

    door = _iam_door(spec, source, access)
    return IamSourcePort(
        source.user_name,
        endpoint=door.endpoint,
        place=door.place,
        login=door.login,
        fingerprinter=access.cluster.fingerprinter,
    )


def _reader(spec: RouteSpec, access: Access) -> SourceReader:
    return SourceReader(
        namespace=spec.namespace,
        endpoint=spec.bucket.endpoint,
        callers_rights=access.callers_rights,
    )


def _rook(
    spec: RouteSpec, source: RookSource, access: Access, *, cluster: Cluster
) -> RookSourcePort:
    look = None
    if source.admin is not None:
        client = access.clients.trusting(spec.bucket.ca_bundle)
        look = admin_look(cluster, source.admin, namespace=spec.namespace, client=client)
    return RookSourcePort(cluster, source, reader=_reader(spec, access), look=look)


def _vault(spec: RouteSpec, access: Access) -> VaultPort | None:
    if spec.vault is None:
        return None
    if not isinstance(spec.vault, OnePasswordVault):
        return UnreadableVault(Ref("PushSecret", spec.vault.name, spec.namespace))
    secret = spec.vault.token_secret(spec.namespace)
    connect = Connect(
        spec.vault.url,
        token=_token(spec.vault, secret, spec.namespace, access),
        client=access.clients.trusting(None),
        sleep=asyncio.sleep,
    )
    return OnePasswordPort(
        spec.vault,
        connect,
        token=secret,
        fingerprinter=access.cluster.fingerprinter,
        sleep=asyncio.sleep,
        outside=access.outside,
    )


def _token(vault: OnePasswordVault, place: Ref, namespace: str, access: Access) -> Token:
    """Return a way to the token in its Secret now: a repaired one is used at once.

    Each use checks whether its owner lets a route of `namespace` use it, and lets it go to the
    vault's address; it raises NotShared and NotAllowed.
    """
    objects, ref = access.cluster.objects, vault.token

    async def token() -> Sensitive:
        secret = await objects.get(place)
        if not access.callers_rights:
            await insist_on_token(objects, secret, ref, url=vault.url, namespace=namespace)
        return value_of(secret, ref.key)

    return token
