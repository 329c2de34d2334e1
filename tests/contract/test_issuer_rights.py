# SPDX-License-Identifier: Apache-2.0
"""The rights that `lokeys rbac` prints for giving a user keys, held to the API server's audit log.

A user of Rook gets a key, offers it and loses the old one, and a user of RGW's own gets a key, with
these Roles alone: nothing is forbidden, and nothing is granted that was not used.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

from contract.clusters import RealPlace
from contract.rook_scenes import Scene, scene
from contract.stores import RealStore, fresh
from contract.test_rgw_issuer import rgw_issuer
from contract.test_rook_issuer import INTENT, a_pair, id_of, issuer, present
from e2e.rights import Right, forbidden, used
from lokeys.adapters.ceph.rook import RookSourcePort
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.secret_source import SourceReader
from lokeys.core.kubernetes.rook import slot_metadata, slot_names
from lokeys.core.rbac import Account, RouteFacts, operator_roles, route_roles
from lokeys.core.rbac.issuer import issuer_grants
from lokeys.core.route.model import (
    Bucket,
    Mode,
    PairKeys,
    RgwAdmin,
    RgwSource,
    RookSource,
    RouteSpec,
    SecretRef,
    Source,
)
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import SECRET
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

KEYS = PairKeys(access_key_id="id", secret_access_key="secret")


def route(namespace: str, source: Source) -> RouteSpec:
    return RouteSpec(
        name="loki",
        namespace=namespace,
        mode=Mode.ROTATE,
        source=source,
        secret=SecretRef(name="loki-s3", keys=KEYS),
        bucket=Bucket(name="loki", endpoint="http://rgw"),
    )


@asynccontextmanager
async def allowed(
    kubernetes: Kubernetes, at: Scene, source: Source
) -> AsyncIterator[tuple[Cluster, str]]:
    """Give the cluster as seen by an account that holds the printed Roles; and its name."""
    account = Account(name="lokeys", namespace=at.home.namespace)
    head = {"apiVersion": "v1", "kind": "ServiceAccount"}
    kubernetes.apply({**head, "metadata": {"name": "lokeys", "namespace": account.namespace}})
    known = RouteFacts(key_secrets=(at.generated,), generated=True)
    routes = route_roles(route(account.namespace, source), account=account, known=known)
    own = operator_roles(account)
    for role in own:  # of this test, so that no other test's account gets them
        role["metadata"]["name"] += f"-{account.namespace}"
    for binding in own:
        if "roleRef" in binding:
            binding["roleRef"]["name"] += f"-{account.namespace}"
    kubernetes.apply(*own, *routes)
    config = load(kubeconfig=str(kubernetes.user_kubeconfig(account.namespace, account.name)))
    async with Api(config) as api:
        cluster = replace(at.home.cluster, objects=LiveObjects(api), api=api)
        yield cluster, f"system:serviceaccount:{account.namespace}:{account.name}"


def unused(source: Source, uses: set[Right]) -> set[Right]:
    """Return the printed rights that only giving keys needs, and that were not used."""
    rights = {
        Right(
            namespace=grant.namespace or "",
            resource=f"{grant.resource}.{grant.group}" if grant.group else grant.resource,
            verb=verb,
            name=name,
        )
        for grant in issuer_grants(source)
        for verb in set(grant.verbs) - {"watch"}  # follows what is read once here
        for name in grant.names or ("",)
    }
    listed = {right for right in rights if right.resource == "secrets" and right.verb == "list"}
    return {right for right in rights - listed if not any(right.covers(use) for use in uses)}


def test_rook_gets_keys_with_the_printed_rights(serving_readers: Kubernetes, rgw: Rgw) -> None:
    """Four turns, so that both Secrets are made, filled where one was left over, and deleted."""

    async def story() -> None:
        async with scene(RealPlace(serving_readers), RealStore(rgw, False)) as at:
            source = RookSource(user=at.user, namespace=at.home.namespace)
            async with allowed(serving_readers, at, source) as (cluster, name):
                reader = SourceReader(namespace=at.home.namespace, callers_rights=True)
                port = RookSourcePort(cluster, source, reader=reader)
                mine = issuer(at, cluster=cluster, source=port)
                keys = [await present(at), *(a_pair() for _ in range(4))]
                for turn, (old, new) in enumerate(pairwise(keys)):
                    if turn >= 2:
                        await leave_a_leftover(at)
                    await mine.create(new, intent=INTENT)
                    await mine.offer(id_of(new))
                    await mine.retire(id_of(old))
                events = serving_readers.audit_events(name)
        assert forbidden(events) == set()
        assert unused(source, used(events)) == set()

    asyncio.run(story())


def test_rgw_gets_keys_with_the_printed_rights(kubernetes: Kubernetes, rgw: Rgw) -> None:
    """Whether Rook manages the user is looked for in all namespaces, and nothing else is asked."""

    async def story() -> None:
        store = RealStore(rgw, False)
        async with scene(RealPlace(kubernetes), store) as at:
            uid = fresh("user")
            old = store.create_user(uid)
            admin = RgwAdmin(endpoint=store.endpoint, secret=SecretRef(name="admin", keys=KEYS))
            source = RgwSource(uid=uid, admin=admin)
            async with allowed(kubernetes, at, source) as (cluster, name):
                mine = rgw_issuer(store, uid, client=at.home.client, objects=cluster.objects)
                await mine.create(a_pair(), intent=INTENT)
                await mine.retire(id_of(old))
                events = kubernetes.audit_events(name)
        assert forbidden(events) == set()
        assert unused(source, used(events)) == set()

    asyncio.run(story())


async def leave_a_leftover(at: Scene) -> None:
    """Leave a Secret of ours that nothing names, as a run that was killed would."""
    user = await at.found()
    for name in slot_names(at.user):
        if await at.home.get(SECRET, name) is None:
            await at.home.create(SECRET, name, metadata=slot_metadata(name, user))
