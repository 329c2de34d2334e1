# SPDX-License-Identifier: Apache-2.0
"""The other side of `lokeys render --diff`: objects in files, or those of a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lokeys.adapters.files.manifests import read
from lokeys.adapters.kubernetes.fingerprints import for_this_run
from lokeys.cli.options import Options
from lokeys.core.place import Ref
from lokeys.core.stack.render.differences import differences, ref_of
from lokeys.core.stack.render.names import MANAGED_BY
from lokeys.core.stack.render.render import group_of

CLUSTER = "cluster"
CALL_S = 15.0
Manifest = Mapping[str, Any]


def diff(
    rendered: Collection[dict[str, Any]], against: str, *, options: Options, groups: Collection[str]
) -> list[str]:
    """Return the lines that say what would change; empty if nothing would. Raises BadInput."""
    if against == CLUSTER:
        there = of_cluster([ref_of(each) for each in rendered], options)
        wanted = [_possible(each, there.get(ref_of(each))) for each in rendered]
    else:
        there, wanted = _of_files(against, groups), list(rendered)
    return list(differences(wanted, there, where=against, fingerprinter=for_this_run()))


def _possible(rendered: dict[str, Any], live: Manifest | None) -> dict[str, Any]:
    """Return a workload as far as the live one can become it: immutable fields stay."""
    from lokeys.core.operate.intents import fixed_of, intent_of  # noqa: PLC0415

    return intent_of(rendered).with_fixed(fixed_of(live)).manifest if live else rendered


def _of_files(path: str, groups: Collection[str]) -> dict[Ref, Manifest]:
    """Return the objects in a file or folder that belong to a stack, of the compared groups."""
    found = (item.object for item in read(path))
    return {ref_of(each): each for each in found if _is_rendered(each, groups)}


def _is_rendered(manifest: Manifest, groups: Collection[str]) -> bool:
    group = group_of(manifest.get("kind"))
    match manifest:
        case {"metadata": {"name": str(), "labels": {"app.kubernetes.io/managed-by": by}}}:
            return by == MANAGED_BY and group is not None and (not groups or group in groups)
    return False


def of_cluster(refs: Iterable[Ref], options: Options) -> dict[Ref, Manifest]:
    """Return those of the objects that the cluster has."""
    # A comparison with files needs no client.
    import asyncio  # noqa: PLC0415

    from lokeys.adapters.kubernetes.objects import LiveObjects  # noqa: PLC0415
    from lokeys.cli.session import cluster_config  # noqa: PLC0415
    from lokeys.errors import NotFound  # noqa: PLC0415
    from lokeys.kube.calls import CallLimits  # noqa: PLC0415
    from lokeys.kube.client import Api  # noqa: PLC0415

    async def found() -> dict[Ref, Manifest]:
        there: dict[Ref, Manifest] = {}
        async with Api(cluster_config(options), limits=CallLimits(call_s=CALL_S)) as api:
            objects = LiveObjects(api)
            for ref in refs:
                try:
                    there[ref] = await objects.get(ref)
                except NotFound:  # this cluster may not even have the kind
                    continue
        return there

    return asyncio.run(found())
