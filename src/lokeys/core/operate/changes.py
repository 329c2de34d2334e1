# SPDX-License-Identifier: Apache-2.0
"""What changes of an object when it is taken over: paths of fields, never a value.

What lokeys would apply is compared with the live fields of lokeys and of the former operator. The
latter become lokeys' fields, or are removed if lokeys does not set them. What the API server fills
in by itself is not a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lokeys.core.operate.intents import Intent
from lokeys.core.place import Ref
from lokeys.core.stack.render.differences import ours_of
from lokeys.core.text.words import shown

MAX_FIELDS = 64
"""Limit for one object; somebody else wrote the objects."""
_NOT_COMPARED = ("apiVersion", "kind", "status")
_METADATA = ("annotations", "labels")
_FILLED_IN: Mapping[str, tuple[Any, ...]] = {
    "apiVersion": ("v1",),
    "clusterIP": ("None",),
    "clusterIPs": (["None"],),
    "creationTimestamp": (None,),
    "defaultMode": (420,),
    "dnsPolicy": ("ClusterFirst",),
    "failureThreshold": (3,),
    "imagePullPolicy": ("IfNotPresent", "Always"),
    "internalTrafficPolicy": ("Cluster",),
    "ipFamilies": (["IPv4"], ["IPv6"]),
    "ipFamilyPolicy": ("SingleStack",),
    "periodSeconds": (10,),
    "persistentVolumeClaimRetentionPolicy": ({"whenDeleted": "Retain", "whenScaled": "Retain"},),
    "progressDeadlineSeconds": (600,),
    "protocol": ("TCP",),
    "readOnly": (True,),
    "resources": ({},),
    "restartPolicy": ("Always",),
    "revisionHistoryLimit": (10,),
    "rollingUpdate": (
        {"maxSurge": "25%", "maxUnavailable": "25%"},
        {"partition": 0},
    ),
    "schedulerName": ("default-scheduler",),
    "scheme": ("HTTP",),
    "securityContext": ({},),
    "serviceName": ("",),
    "sessionAffinity": ("None",),
    "strategy": ({"type": "RollingUpdate"},),
    "successThreshold": (1,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("ClusterIP", "RollingUpdate"),
    "updateStrategy": ({"type": "RollingUpdate"},),
    "volumeMode": ("Filesystem",),
}
"""By the name of a field: its value if nobody has set it."""
_OLD_ACCOUNT = "serviceAccount"
"""An old name of `serviceAccountName`, in which the API server repeats it."""


class Change(StrEnum):
    """What happens to an object."""

    STAYS = "stays"
    CHANGES = "changes"
    MADE = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One object, and which of its fields change."""

    ref: Ref
    change: Change
    fields: tuple[str, ...] = ()

    @property
    def restarts(self) -> bool:
        """Tell whether its pods are replaced: only a live workload's new template does that."""
        return self.change is Change.CHANGES and any(
            path.startswith("spec.template") for path in self.fields
        )


def change_of(intent: Intent, there: Mapping[str, Any] | None) -> ObjectChange:
    """Return what applying an intent changes of an object; `managedFields` say who owns what."""
    if there is None:
        return ObjectChange(ref=intent.ref, change=Change.MADE)
    before, after = _compared(ours_of(there, intent.manifest)), _compared(intent.manifest)
    fields = tuple(dict.fromkeys(differing(before, after)))
    change = Change.CHANGES if fields else Change.STAYS
    return ObjectChange(ref=intent.ref, change=change, fields=fields[:MAX_FIELDS])


def _compared(manifest: Mapping[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("metadata") or {}
    kept = {name: metadata[name] for name in _METADATA if metadata.get(name)}
    rest = {name: manifest[name] for name in manifest if name not in _NOT_COMPARED}
    return {**rest, "metadata": kept}


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which two values differ, except for what the API server fills in."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            place = f"{path}.{shown(key)}" if path else shown(key)
            if _is_filled_in(key, before, after):
                continue
            yield from differing(before.get(key), after.get(key), place)
        return
    if isinstance(before, Sequence) and isinstance(after, Sequence) and _named(before, after):
        old, new = _by_name(before), _by_name(after)
        for name in sorted({*old, *new}):
            yield from differing(old.get(name), new.get(name), f"{path}[{shown(name)}]")
        return
    yield path


def _is_filled_in(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether one side lacks what the API server fills in, and the other side has it."""
    if (key in before) == (key in after):
        return False
    value = before[key] if key in before else after[key]
    return key == _OLD_ACCOUNT or value in _FILLED_IN.get(key, ())


def _named(*lists: Sequence[Any]) -> bool:
    return all(
        isinstance(each, Mapping) and isinstance(each.get("name"), str)
        for found in lists
        if not isinstance(found, str)
        for each in found
    ) and not any(isinstance(found, str) for found in lists)


def _by_name(items: Sequence[Any]) -> dict[str, Any]:
    return {each["name"]: each for each in items}
