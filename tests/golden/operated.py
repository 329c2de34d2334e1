# SPDX-License-Identifier: Apache-2.0
"""Golden cases of stacks in operation: `input.yaml` is what is wanted, `operated` what is there.

liveSpec      what the live objects were made of, where that differs from the spec
former        true: another operator made them
changed       values that were put into the Secret since
broken        the link at which the credentials' way breaks, and what is said of it
refused       an object that the API server refuses, and its words
taken         an object of that name, and the stack that controls it
contested     an object that somebody changes back whenever it is written
unreadable    an object that may not be read, and why
extras        what the stack has from the Loki Operator, of which `lokeys takeover` would tell
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from fakes.formers import taken_from
from fakes.stacks import StackWorld, refused
from lokeys.core.findings.catalogue import operation
from lokeys.core.findings.finding import Finding
from lokeys.core.operate.adoption import rulers_account_changes
from lokeys.core.operate.decision import decide, plan
from lokeys.core.operate.live import Live
from lokeys.core.operate.status import faults_of
from lokeys.core.operate.takeover import takeover_plan
from lokeys.core.place import Ref
from lokeys.core.stack.storage.wording import tell
from lokeys.core.trust.tries.verification import LinkName
from manifests.former import Former
from manifests.lokistack import NAMESPACE


def operated_findings(file: Path, told: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return the faults for which the stack would be Degraded, and what it warns of."""
    if "extras" in told:
        return _taken_over(file, told["extras"])
    world = StackWorld()
    wanted, world.secret = yaml.safe_load_all(file.read_text())
    world.manifest = {**wanted, "spec": {**wanted["spec"], **told.get("liveSpec", {})}}
    world.run()
    world.manifest = wanted
    if told.get("former"):
        world.objects = {ref: _formers(o) for ref, o in world.objects.items()}
    if "changed" in told and world.secret:
        data = {**world.secret["stringData"], **told["changed"]}
        world.secret = {**world.secret, "stringData": data}
    if "broken" in told:
        broken = told["broken"]
        world.trial = refused(broken["detail"], LinkName(broken["link"]))
    problems = _told(told, "refused", operation.NOT_APPLIED, world)
    unreadable = _told(told, "unreadable", operation.STORAGE_SECRET_UNREADABLE, world)
    snapshot = world.snapshot(unreadable=unreadable, **_others(told, world))
    faults = faults_of(snapshot, decide(snapshot, plan(snapshot)), problems)
    return (*faults, *rulers_account_changes(snapshot))


def _taken_over(file: Path, extras: Sequence[str]) -> tuple[Finding, ...]:
    """Return what a takeover from the Loki Operator says of a stack."""
    world = StackWorld()
    world.manifest, world.secret = yaml.safe_load_all(file.read_text())
    snapshot, live = taken_from(Former(rules=True, extras=frozenset(extras)), world)
    return takeover_plan(snapshot, live).findings


def _others(told: Mapping[str, Any], world: StackWorld) -> dict[str, Any]:
    """Return what is somebody else's, or changed back again and again."""
    found: dict[str, Any] = {}
    if "taken" in told:
        ref = _ref(told["taken"])
        owner = Ref("LokiStack", told["taken"]["by"], NAMESPACE)
        found["taken"] = {ref: replace(world.objects.pop(ref), owners={"another's": owner})}
        found["objects"] = dict(world.objects)
    if "contested" in told:
        ref = _ref(told["contested"])
        found["contested"] = {ref: world.intents[ref].digest}
        world.edit(ref)
        found["objects"] = dict(world.objects)
    return found


def _ref(told: Mapping[str, str]) -> Ref:
    return Ref(told["kind"], told["name"], NAMESPACE)


def _formers(live: Live) -> Live:
    """Return an object as another operator makes it; its ruler names no account."""
    workload = live.workload
    if workload is not None and live.ref.name.endswith("-ruler"):
        workload = replace(workload, account="")
    return replace(live, content=None, workload=workload)


def _told(told: Mapping[str, Any], word: str, rule: Any, world: StackWorld) -> tuple[Finding, ...]:
    if word not in told:
        return ()
    place = _ref(told[word])
    words = {"detail": told[word]["detail"]}
    return (tell(rule, place, stack=world.snapshot().ref, words=words),)
