# SPDX-License-Identifier: Apache-2.0
"""The real External Secrets on a real API server, once with each fault, and a stand-in of Connect.

Beside the operator's log stand the events and objects of the fault's namespace, as kubectl prints
them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.serving import serve
from logs.running import BUILT_IN, MADE
from lokeys.demo.parts.connect import ConnectFault, ConnectServer
from parts.external_secrets import ExternalSecrets
from parts.kubernetes import Kubernetes
from parts.process import free_ports, wait_for

Json = dict[str, Any]
NAME = "loki-s3-credentials"
ENOUGH = 3
GROUP = "external-secrets.io/v1"
FIELDS = [("access_key", "AKIAEXAMPLEEXAMPLE"), ("secret_key", "secret-of-nobody-0123456789")]


def _nothing(_: ConnectServer, __: str) -> None:
    """Leave Connect as it is."""


@dataclass(frozen=True, kw_only=True)
class DeliveryFault:
    """What is wrong: at Connect, in the store, or in the ExternalSecret."""

    cause: str
    name: str
    at_connect: Callable[[ConnectServer, str], None] = _nothing
    store: Json = field(default_factory=dict)
    external: Json = field(default_factory=dict)
    item: str = "loki-s3"
    label: str = "access_key"
    token: str = ""
    first: bool = False
    """Whether another ExternalSecret has made the Secret before."""

    @property
    def file(self) -> Path:
        return MADE / f"{self.cause}--eso-{self.name}.log"


def _suffers(fault: ConnectFault) -> Callable[[ConnectServer, str], None]:
    def begin(server: ConnectServer, _: str) -> None:
        server.fault = fault

    return begin


def _twice(server: ConnectServer, vault: str) -> None:
    server.add_item(vault, "loki-s3", FIELDS)


def _label_twice(server: ConnectServer, vault: str) -> None:
    server.add_item(vault, "twice", [*FIELDS, ("access_key", "AKIAOTHEROTHER")])


def delivery_faults() -> list[DeliveryFault]:
    """Return them, the one that stops the whole operator last."""
    (closed,) = free_ports(1)
    nowhere = {"connectHost": f"http://127.0.0.1:{closed}"}
    html, slow, refused, forbidden = (
        _suffers(getattr(ConnectFault, name))
        for name in ("HTML", "RATE_LIMITED", "UNAUTHORIZED", "FORBIDDEN")
    )
    store = {"secretStoreRef": {"name": "gone", "kind": "SecretStore"}}
    return [
        DeliveryFault(cause="healthy", name="connect"),
        DeliveryFault(cause="op_item_not_found", name="item", item="gone"),
        DeliveryFault(cause="op_field_not_found", name="label", label="access-key"),
        DeliveryFault(cause="op_vault_not_found", name="vault", store={"vaults": {"Gone": 1}}),
        DeliveryFault(cause="op_item_ambiguous", name="twice", at_connect=_twice),
        DeliveryFault(
            cause="op_field_ambiguous", name="twice", at_connect=_label_twice, item="twice"
        ),
        DeliveryFault(cause="op_connect_unreachable", name="closed", store=nowhere),
        DeliveryFault(cause="op_connect_unreachable", name="page", at_connect=html),
        DeliveryFault(cause="op_rate_limited", name="429", at_connect=slow),
        DeliveryFault(cause="op_token_lacks_vault_access", name="401", at_connect=refused),
        DeliveryFault(cause="op_token_lacks_vault_access", name="403", at_connect=forbidden),
        DeliveryFault(cause="eso_store_not_ready", name="no-store", external=store),
        DeliveryFault(cause="eso_store_not_ready", name="no-token", token="gone"),
        DeliveryFault(cause="eso_target_owned_by_other", name="two", first=True),
        DeliveryFault(
            cause="eso_stopped_by_bad_interval", name="1d", external={"refreshInterval": "1d"}
        ),
    ]


def make_deliveries(words: list[str]) -> None:
    """Make what is asked for."""
    wanted = [f for f in delivery_faults() if not words or any(w in f.file.name for w in words)]
    if not wanted:
        return
    kubernetes = Kubernetes()
    operator = ExternalSecrets(kubernetes)
    try:
        kubernetes.start()
        for number, fault in enumerate(wanted):
            operator.start()
            _make(fault, f"monitoring-{number}", kubernetes, operator)
            operator.stop()
            print(fault.file.name, fault.file.stat().st_size, flush=True)
    finally:
        operator.close()
        kubernetes.stop()


def _make(
    fault: DeliveryFault, namespace: str, kubernetes: Kubernetes, operator: ExternalSecrets
) -> None:
    server, begun = ConnectServer(), operator.log.stat().st_size
    vault, token = server.add_vault("Homelab"), server.add_token()
    server.add_item(vault, "loki-s3", FIELDS)
    with kubernetes.namespace(namespace), serve(server.handle) as url:
        kubernetes.apply(
            _object("v1", "Secret", "connect-token", namespace, stringData={"token": token}),
            _store(fault, namespace, url),
        )
        if fault.first:
            kubernetes.apply(_external(fault, namespace, "another"))
            wait_for(lambda: _settled(kubernetes, namespace, "another"), "it is Ready")
        fault.at_connect(server, vault)
        kubernetes.apply(_external(fault, namespace, NAME))
        wait_for(lambda: _shows(fault, namespace, kubernetes, operator, begun), fault.file.name)
        with operator.log.open("rb") as log:
            log.seek(begun)
            said = log.read().decode(errors="replace")
        kinds = "externalsecrets,secretstores"
        told = (
            said,
            kubernetes.kubectl("get", "events", "-n", namespace),
            kubernetes.kubectl("get", kinds, "-n", namespace, "-o", "yaml"),
        )
    for said, suffix in zip(told, (".log", ".events", ".objects.yaml"), strict=True):
        text = said.replace(namespace, "monitoring").replace(token, "token")
        fault.file.with_suffix(suffix).write_text(BUILT_IN.sub("/src/", text))


def _store(fault: DeliveryFault, namespace: str, url: str) -> Json:
    reference = {"name": fault.token or "connect-token", "key": "token"}
    auth = {"secretRef": {"connectTokenSecretRef": reference}}
    provider = {"connectHost": url, "vaults": {"Homelab": 1}, "auth": auth} | fault.store
    spec = {"provider": {"onepassword": provider}}
    return _object(GROUP, "SecretStore", "onepassword", namespace, spec=spec)


def _external(fault: DeliveryFault, namespace: str, name: str) -> Json:
    keys = {"AWS_ACCESS_KEY_ID": fault.label, "AWS_SECRET_ACCESS_KEY": "secret_key"}
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"name": "onepassword", "kind": "SecretStore"},
        "target": {"name": NAME},
        "data": [
            {"secretKey": key, "remoteRef": {"key": fault.item, "property": label}}
            for key, label in keys.items()
        ],
    }
    return _object(GROUP, "ExternalSecret", name, namespace, spec=spec | fault.external)


def _object(version: str, kind: str, name: str, namespace: str, **body: Any) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def _settled(kubernetes: Kubernetes, namespace: str, name: str) -> str:
    path = f"/apis/{GROUP}/namespaces/{namespace}/externalsecrets/{name}"
    conditions = (kubernetes.api.get(path).get("status") or {}).get("conditions") or []
    return next((each["status"] for each in conditions if each["type"] == "Ready"), "")


def _shows(
    fault: DeliveryFault,
    namespace: str,
    kubernetes: Kubernetes,
    operator: ExternalSecrets,
    begun: int,
) -> bool:
    """Tell whether the operator has done, or complained a few times of, what is wrong."""
    if fault.cause == "healthy":
        return _settled(kubernetes, namespace, NAME) == "True"
    with operator.log.open("rb") as log:
        log.seek(begun)
        said = log.read()
    bad = sum(_is_bad(line) for line in said.splitlines())
    return bad >= ENOUGH or (bad > 0 and _settled(kubernetes, namespace, NAME) == "False")


def _is_bad(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return line.startswith(b"E")
    try:
        return json.loads(line).get("level") in ("error", "warn")
    except ValueError:
        return False
