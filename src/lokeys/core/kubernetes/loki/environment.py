# SPDX-License-Identifier: Apache-2.0
"""A container's variables as Kubernetes sets them, and where each value comes from.

The last of several sources wins, and `env` overrides `envFrom`. `$(NAME)` in a value stands for a
variable that was set before. If a source cannot be read, a variable that was not found may come
from it.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lokeys.core.kubernetes.data_keys import DataKey, keys_of, value_at
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Ref

LONGEST = 1 << 13
"""Limit for a variable's value, in characters; a longer one is not a name or an address."""
_REFERENCE = re.compile(r"\$(?:\$|\(([^()$]{1,253})\))")
_UNKNOWN = "\0"  # no variable can hold it
_WHOLE = re.compile(r"\$\(([^()$]{1,253})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One variable. `origin` None: its value is in the pod's own manifest.

    `value` is never printed: it may be half of a key. None: it is set, and cannot be read.
    """

    name: str
    value: str | None = field(default=None, repr=False)
    origin: DataKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEnvironment:
    """All variables of a container, and the objects with more of them that could not be read."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    unread: tuple[tuple[Ref, str], ...] = ()
    """Each with the prefix of its keys."""
    open: bool = False
    """Whether something else may set variables: a shell that starts Loki."""

    def setting(self, name: str) -> Setting | None:
        """Return a variable; None if it is certainly not set.

        If exactly one source could not be read, the variable is assumed to be there.
        """
        if name in self.settings:
            return self.settings[name]
        if len(self.unread) == 1 and not self.open:
            ref, prefix = self.unread[0]
            if not name.startswith(prefix):
                return None
            return Setting(name=name, origin=DataKey(ref, name.removeprefix(prefix)))
        return Setting(name=name) if self.unread or self.open else None

    def holds(self, name: str) -> bool:
        """Tell whether a variable is known to be set and not empty."""
        found = self.settings.get(name)
        return found is not None and found.value != ""


def environment_of(
    container: Json, *, namespace: str | None, held: Mapping[Ref, Json]
) -> ContainerEnvironment:
    """Return the variables of a container; `held` has the objects that could be read."""
    settings: dict[str, Setting] = {}
    unread: list[tuple[Ref, str]] = []
    for ref, prefix in _sources(container, namespace):
        if ref not in held:
            unread.append((ref, prefix))
        for key in keys_of(held.get(ref)):
            place = DataKey(ref, key)
            name = prefix + key
            settings[name] = Setting(name=name, value=value_at(place, held), origin=place)
    for variable in mappings_at(container, "env"):
        name = text_at(variable, "name")
        found = _setting(name, variable, settings, namespace=namespace, held=held)
        if found is not None:
            settings[name] = found
    return ContainerEnvironment(settings=settings, unread=tuple(unread))


def sources_named(container: Json, namespace: str | None) -> Iterator[Ref]:
    """Yield the Secrets and ConfigMaps that a container's variables come from."""
    yield from (ref for ref, _ in _sources(container, namespace))
    for variable in mappings_at(container, "env"):
        source = _key_of(variable, namespace)
        if source is not None:
            yield source.ref


def filled(text: str, setting: Callable[[Setting], str], known: Mapping[str, Setting]) -> str:
    """Return a manifest's text with each known `$(NAME)` filled in, as the kubelet does.

    `$$` is a dollar sign; an unknown name stays as it is.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        return setting(known[name]) if name in known else match[0]

    return _REFERENCE.sub(value, text)


def _sources(container: Json, namespace: str | None) -> Iterator[tuple[Ref, str]]:
    for source in mappings_at(container, "envFrom"):
        for kind, name in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if found := text_at(source, name, "name"):
                yield Ref(kind, found, namespace), text_at(source, "prefix")


def _setting(
    name: str,
    variable: Json,
    before: Mapping[str, Setting],
    *,
    namespace: str | None,
    held: Mapping[Ref, Json],
) -> Setting | None:
    source = _key_of(variable, namespace)
    if source is not None:
        value = value_at(source, held)
        if value is None and source.ref in held and _is_optional(variable):
            return None
        return Setting(name=name, value=value, origin=source)
    if at(variable, "valueFrom"):
        return Setting(name=name)  # the pod's own name, address and the like
    text = text_at(variable, "value")
    alias = _WHOLE.fullmatch(text)
    if alias and alias[1] in before:
        known = before[alias[1]]
        return Setting(name=name, value=known.value, origin=known.origin)
    if len(text) > LONGEST:
        return Setting(name=name)
    value = filled(text, _short_value, before)
    readable = _UNKNOWN not in value and len(value) <= LONGEST
    return Setting(name=name, value=value if readable else None)


def _short_value(setting: Setting) -> str:
    known = setting.value
    return _UNKNOWN if known is None or len(known) > LONGEST else known


def _key_of(variable: Json, namespace: str | None) -> DataKey | None:
    for kind, field_name in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        name = text_at(variable, "valueFrom", field_name, "name")
        key = text_at(variable, "valueFrom", field_name, "key")
        if name and key:
            return DataKey(Ref(kind, name, namespace), key)
    return None


def _is_optional(variable: Json) -> bool:
    found = at(variable, "valueFrom")
    return any(at(found, name, "optional") is True for name in ("secretKeyRef", "configMapKeyRef"))
