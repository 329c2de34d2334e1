# SPDX-License-Identifier: Apache-2.0
"""A probe in a pod beside Loki: for which routes that is possible, and with which Job."""

from __future__ import annotations

import secrets
from typing import Any

from lokeys.cli.routes import NamedRoute
from lokeys.core.place import Ref
from lokeys.core.route.probe_job import probe_job
from lokeys.errors import BadInput
from lokeys.ports import Objects

_WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")


async def job_for(objects: Objects, route: NamedRoute, *, image: str) -> dict[str, Any]:
    """Return the Job for a route. Raises BadInput if its key cannot be passed by name."""
    spec = route.spec
    if spec.secret.kind != "Secret" or spec.secret.inside is not None:
        raise BadInput(
            f"the pair of {spec.route} stands inside a configuration: no Job can take it by name",
            hint="leave --in-pod out: lokeys reads it from here",
        )
    if spec.bucket.ca_bundle:
        raise BadInput(
            f"{spec.route} trusts a CA bundle of its own, which a Job has not",
            hint="leave --in-pod out",
        )
    workload = next((each for each in spec.workloads if each.kind in _WORKLOADS), None)
    if workload is None:
        raise BadInput(f"{spec.route} names no workload whose pods a Job could be like")
    found = await objects.get(Ref(workload.kind, workload.name, spec.namespace))
    name = f"lokeys-probe-{secrets.token_hex(4)}"
    return probe_job(spec, found, image=image, name=name)
