# SPDX-License-Identifier: Apache-2.0
"""What people do to a homelab by hand, and where a test looks more closely."""

import base64
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from e2e.sight import SECRET, Json, Pair
from e2e.world import ITEM, Homelab
from lokeys.clock import utc_now
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.http_server import HttpRequest
from parts.process import wait_for

STORE = "onepassword"
TOKEN = "onepassword-token"
OWN_TOKEN = "own-token"
ADMIN = "rgw-admin"
ESO = "external-secrets.io/v1"
ROOK_KEYS = ("AccessKey", "SecretKey")


def encoded(values: dict[str, str]) -> dict[str, str]:
    """Return a Secret's data."""
    return {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}


def make_secret(home: Homelab, name: str, values: dict[str, str], *, storage: bool = False) -> None:
    """Make or change a Secret beside Loki, or beside the store's user."""
    namespace = home.storage if storage else home.monitoring
    home.apply("v1", "Secret", name, namespace, data=encoded(values))


def make_admin_secret(home: Homelab) -> str:
    """Make the Secret with the pair of RGW's admin; return its name."""
    rgw = home.rgw
    pair = {"accessKey": rgw.admin_access_key, "secretKey": rgw.admin_secret_key}
    allowed = {ALLOWED_URLS: rgw.endpoint}
    home.apply("v1", "Secret", ADMIN, home.monitoring, annotations=allowed, data=encoded(pair))
    return ADMIN


def name_address(home: Homelab, url: str) -> None:
    """Let the object store name one more address of itself: its keys may go there."""
    root = f"/apis/ceph.rook.io/v1/namespaces/{home.storage}"
    status = {"endpoints": {"insecure": [home.endpoint, url]}}
    path = f"{root}/cephobjectstores/{home.store}/status"
    home.kubernetes.api.patch(path, {"status": status})


def lead_by_a_service(home: Homelab) -> None:
    """Let the object store name another address, and a Service lead to its present one."""
    root = f"/apis/ceph.rook.io/v1/namespaces/{home.storage}"
    status = {"endpoints": {"insecure": ["http://rook-ceph-rgw.example"]}}
    path = f"{root}/cephobjectstores/{home.store}/status"
    home.kubernetes.api.patch(path, {"status": status})
    address = urlsplit(home.endpoint)
    spec = {
        "type": "LoadBalancer",
        "selector": {"app": "rook-ceph-rgw", "rook_object_store": home.store},
        "ports": [{"port": address.port}],
    }
    home.apply("v1", "Service", "s3", home.storage, spec=spec)
    # A node leaves its pods' way to a proxy's address alone.
    leads = {"loadBalancer": {"ingress": [{"ip": address.hostname, "ipMode": "Proxy"}]}}
    path = f"/api/v1/namespaces/{home.storage}/services/s3/status"
    home.kubernetes.api.patch(path, {"status": leads})


def user_path(home: Homelab) -> str:
    """Return where the CephObjectStoreUser is."""
    root = f"/apis/ceph.rook.io/v1/namespaces/{home.storage}"
    return f"{root}/cephobjectstoreusers/{home.user}"


def make_key_secret(home: Homelab, name: str, pair: Pair) -> None:
    """Make a Secret that `spec.keys` can name."""
    home.secrets.add(pair[1])
    home.key_secrets = (*home.key_secrets, name)
    make_secret(home, name, dict(zip(ROOK_KEYS, pair, strict=True)), storage=True)


def use_keys(home: Homelab, *names: str) -> None:
    """Set the user's `spec.keys`, and wait until Rook has applied them."""
    parts = zip(("accessKeyRef", "secretKeyRef"), ROOK_KEYS, strict=True)
    halves = tuple(parts)
    keys = [{ref: {"name": name, "key": key} for ref, key in halves} for name in names]
    made = home.kubernetes.api.patch(user_path(home), {"spec": {"keys": keys}})
    generation = made["metadata"]["generation"]

    def applied() -> bool:
        status = home.kubernetes.api.get(user_path(home)).get("status", {})
        return bool(status.get("observedGeneration") == generation)

    wait_for(applied, "Rook applies the keys", timeout_s=60)


def is_blank(home: Homelab) -> bool:
    """Tell whether Rook's generated Secret is blank."""
    return home.pair_in(home.generated, home.storage) == ("", "")


def secret_uid(home: Homelab) -> str:
    """Return the uid of the Secret that Loki reads."""
    path = f"/api/v1/namespaces/{home.monitoring}/secrets/{SECRET}"
    uid: str = home.kubernetes.api.get(path)["metadata"]["uid"]
    return uid


def edit_vault(home: Homelab, pair: Pair) -> None:
    """Put a pair into the item, as one edit."""
    key, secret = pair
    home.connect.edit(home.vault_id, home.item_id, access_key=key, secret_key=str(secret))


def item_version(home: Homelab) -> int:
    """Return the item's version, which each write moves by one."""
    version: int = home.connect.vaults[home.vault_id].items[home.item_id].now["version"]
    return version


def touch(home: Homelab, kind: str, name: str) -> None:
    """Annotate an object of External Secrets, so that it is looked at now."""
    path = f"/apis/{ESO}/namespaces/{home.monitoring}/{kind}/{name}"
    annotations = {"touched": secrets.token_hex(4)}
    home.kubernetes.api.patch(path, {"metadata": {"annotations": annotations}})


def sync(home: Homelab) -> None:
    """Make External Secrets deliver what the vault holds."""
    touch(home, "externalsecrets", SECRET)
    wait_for(lambda: home.pair_in(SECRET) == home.vault_pair(), "a delivery", timeout_s=60)


def give_store_a_token(home: Homelab, token: str) -> None:
    """Give External Secrets' store a token Secret of its own, and let it look.

    No store names the route's own token any more: its owner allows Connect's address in its place.
    """
    allowed = {"metadata": {"annotations": {ALLOWED_URLS: home.connect_url}}}
    home.kubernetes.api.patch(f"/api/v1/namespaces/{home.monitoring}/secrets/{TOKEN}", allowed)
    set_store_token(home, token)
    path = f"/apis/{ESO}/namespaces/{home.monitoring}/secretstores/{STORE}"
    reference = {"connectTokenSecretRef": {"name": OWN_TOKEN, "key": "token"}}
    auth = {"secretRef": reference}
    home.kubernetes.api.patch(path, {"spec": {"provider": {"onepassword": {"auth": auth}}}})

    def refused() -> bool:
        conditions = home.kubernetes.api.get(path).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "False" for one in conditions)

    touch(home, "secretstores", STORE)
    wait_for(refused, "the store is not ready", timeout_s=60)


def set_store_token(home: Homelab, token: str) -> None:
    """Change the store's own token, which nobody notices."""
    make_secret(home, OWN_TOKEN, {"token": token})


def deliver_by_hand(home: Homelab, pair: Pair) -> None:
    """Let External Secrets read from a store that lokeys cannot read, which holds this pair."""
    data = [
        {"key": f"{ITEM}/{label}", "value": value}
        for label, value in zip(("access_key", "secret_key"), pair, strict=True)
    ]
    fake = {"provider": {"fake": {"data": data}}}
    home.apply(ESO, "SecretStore", "out-of-reach", home.monitoring, spec=fake)
    entries = [
        {"secretKey": key, "remoteRef": {"key": f"{ITEM}/{label}"}}
        for key, label in (
            ("AWS_ACCESS_KEY_ID", "access_key"),
            ("AWS_SECRET_ACCESS_KEY", "secret_key"),
        )
    ]
    reference = {"name": "out-of-reach", "kind": "SecretStore"}
    home.apply_external_secret(secretStoreRef=reference, data=entries)
    touch(home, "externalsecrets", SECRET)
    wait_for(lambda: home.pair_in(SECRET) == pair, "the delivery", timeout_s=60)


def of_external_secrets(request: HttpRequest) -> bool:
    """Tell whether a request to Connect came from External Secrets."""
    return request.headers.get("user-agent") == "external-secrets"


def events(home: Homelab, *, reason: str) -> list[Json]:
    """Return the events of a reason in Loki's namespace."""
    root = f"/api/v1/namespaces/{home.monitoring}/events"
    found: list[Json] = home.kubernetes.api.get(f"{root}?fieldSelector=reason={reason}")["items"]
    return found


def is_ready(home: Homelab) -> bool:
    """Tell whether the pod is Ready."""
    conditions = home.pod().get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def restart_pod(home: Homelab) -> str:
    """Delete the pod, wait until its successor is Ready, and return that one's uid.

    The successor is made in a later second than the Secret was written in: times of objects are
    whole seconds, and by them alone it must be told that it came after.
    """
    path = f"/api/v1/namespaces/{home.monitoring}/secrets/{SECRET}"
    fields = home.kubernetes.api.get(path)["metadata"]["managedFields"]
    written = max(datetime.fromisoformat(each["time"]) for each in fields)
    wait_for(lambda: utc_now() - written > timedelta(seconds=2), "the Secret is older")
    uid = home.pod()["metadata"]["uid"]
    home.kubernetes.api.delete(f"/api/v1/namespaces/{home.monitoring}/pods/loki-0")
    home.wait_ready(after=uid)
    new: str = home.pod()["metadata"]["uid"]
    return new


def roll(home: Homelab) -> None:
    """Change the StatefulSet's template, and wait until its controller has begun to roll."""
    path = f"/apis/apps/v1/namespaces/{home.monitoring}/statefulsets/loki"
    annotations = {"rolled": secrets.token_hex(4)}
    template = {"metadata": {"annotations": annotations}}
    home.kubernetes.api.patch(path, {"spec": {"template": template}})

    def rolling() -> bool:
        status = home.kubernetes.api.get(path)["status"]
        return bool(status["updateRevision"] != status["currentRevision"])

    wait_for(rolling, "the rollout has begun", timeout_s=60)


def add_deployment(home: Homelab, name: str, *, replicas: int = 1) -> None:
    """Run pods like that of the StatefulSet under a Deployment, too, and wait until all serve."""
    sets = f"/apis/apps/v1/namespaces/{home.monitoring}"
    pod = home.kubernetes.api.get(f"{sets}/statefulsets/loki")["spec"]["template"]["spec"]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    home.apply("apps/v1", "Deployment", name, home.monitoring, spec=spec)

    def all_ready() -> bool:
        status = home.kubernetes.api.get(f"{sets}/deployments/{name}").get("status", {})
        return bool(status.get("readyReplicas") == replicas)

    wait_for(all_ready, f"{name} is ready", timeout_s=60)


def budget_path(home: Homelab) -> str:
    """Return where the disruption budget is."""
    root = f"/apis/policy/v1/namespaces/{home.monitoring}"
    return f"{root}/poddisruptionbudgets/loki"


def allow_no_eviction(home: Homelab) -> None:
    """Make a disruption budget that needs every pod, and wait until it is in force."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "loki"}}}
    home.apply("policy/v1", "PodDisruptionBudget", "loki", home.monitoring, spec=spec)

    def in_force() -> bool:
        status = home.kubernetes.api.get(budget_path(home)).get("status", {})
        return bool(status.get("observedGeneration") and status["currentHealthy"] == 1)

    wait_for(in_force, "the budget is in force", timeout_s=60)


def allow_evictions(home: Homelab) -> None:
    """Remove the disruption budget."""
    home.kubernetes.api.delete(budget_path(home))
