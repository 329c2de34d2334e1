# SPDX-License-Identifier: Apache-2.0
"""What a workload's manifest says about the Loki in it: its container, its Secret, its files."""

from __future__ import annotations

from collections.abc import Iterable

from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import Environment, LokiStorage
from lokeys.core.route.model import PairKeys, SecretRef

_NOT_LOKI = ("canary", "gateway", "nginx", "promtail", "memcached", "sidecar", "operator", "helm")
_USUAL = PairKeys(access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY")


def pair_of(environment: Environment, storage: LokiStorage) -> SecretRef | None:
    """Return the Secret and the data keys that the pair's two variables come from."""
    names = storage.variables or _USUAL
    key_id = environment.secrets.get(names.access_key_id)
    secret = environment.secrets.get(names.secret_access_key)
    if key_id is None or secret is None or key_id[0] != secret[0]:
        return None
    keys = PairKeys(access_key_id=key_id[1], secret_access_key=secret[1])
    return SecretRef(name=key_id[0], keys=keys)


def template_of(item: Json) -> Json:
    """Return the spec of the pods that a workload makes."""
    spec: Json = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
    return spec


def loki_container(item: Json) -> Json | None:
    """Return the container that runs Loki, by its image or by its name."""
    containers = template_of(item).get("containers") or ()
    by_image = [c for c in containers if _is_loki_image(str(c.get("image", "")))]
    return next(iter(by_image), None) or next((c for c in containers if c["name"] == "loki"), None)


def _is_loki_image(image: str) -> bool:
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0].lower()
    return "loki" in name and not any(word in name for word in _NOT_LOKI)


def port_of(container: Json) -> int:
    """Return the port of Loki's metrics: the one named http…, else its usual one."""
    ports = container.get("ports") or ()
    named = (p["containerPort"] for p in ports if str(p.get("name", "")).startswith("http"))
    return int(next(named, 3100))


def volume_sources(volume: Json, namespace: str | None) -> Iterable[Ref]:
    """Yield the ConfigMaps and Secrets that a volume shows as files."""
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        if name := (source.get("configMap") or {}).get("name"):
            yield Ref("ConfigMap", name, namespace)
        secret = source.get("secret") or {}
        if name := secret.get("secretName") or secret.get("name"):
            yield Ref("Secret", name, namespace)
