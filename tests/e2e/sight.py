# SPDX-License-Identifier: Apache-2.0
"""What a test sees of a homelab: its hops, what the operator says of them, and its Loki."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2

from e2e.reader import digest
from lokeys.demo.parts.connect import ConnectServer
from parts.hidden import Hidden
from parts.kubernetes import Kubernetes
from parts.manifests import PORT, Loki
from parts.process import PartError, wait_for

Json = dict[str, Any]
Pair = tuple[str, str]

SECRET = "loki-s3-credentials"
ROUTE = "loki"


class Sight:
    """A view of a homelab."""

    kubernetes: Kubernetes
    connect: ConnectServer
    loki: Loki
    storage: str
    monitoring: str
    generated: str
    vault_id: str
    item_id: str
    labels: tuple[str, str]
    secrets: set[str]
    only_reads: bool
    """Whether a small process stands in Loki's place."""

    # --- the hops --------------------------------------------------------------------------------

    def source_pair(self) -> Pair:
        """Return the pair in Rook's Secret."""
        found = self.pair_in(self.generated, self.storage)
        assert found is not None
        self.secrets.add(found[1])
        return found

    def pair_in(self, name: str, namespace: str | None = None) -> Pair | None:
        """Return the pair in a Secret, whatever its data keys are called."""
        path = f"/api/v1/namespaces/{namespace or self.monitoring}/secrets/{name}"
        data = (self.kubernetes.api.find(path) or {}).get("data") or {}
        halves = [
            base64.b64decode(data[key]).decode()
            for names in (
                ("AccessKey", "AWS_ACCESS_KEY_ID"),
                ("SecretKey", "AWS_SECRET_ACCESS_KEY"),
            )
            for key in names
            if key in data
        ]
        return (halves[0], Hidden(halves[1])) if len(halves) == 2 else None

    def vault_pair(self) -> Pair:
        """Return the pair in the item."""
        values = self.connect.values(self.vault_id, self.item_id)
        key, secret = (values.get(label, "") for label in self.labels)
        return key, Hidden(secret)

    def pod(self, name: str = "loki-0") -> Json:
        """Return a pod, empty if there is none."""
        return self.kubernetes.api.find(f"/api/v1/namespaces/{self.monitoring}/pods/{name}") or {}

    def wait_ready(self, *, after: str = "", name: str = "loki-0", timeout_s: float = 60) -> None:
        """Wait until the pod is Ready, and not the one with uid `after`."""

        def ready() -> bool:
            pod = self.pod(name)
            conditions = pod.get("status", {}).get("conditions", [])
            good = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
            return good and pod["metadata"]["uid"] != after

        self._wait(ready, f"{name} is ready", timeout_s=timeout_s)

    def held_by_pod(self, pair: Pair, name: str = "loki-0") -> bool:
        """Tell whether the pod in Loki's place is up and started with this pair."""
        try:
            answer = httpx2.get(f"{self.loki_url(name)}/pair", trust_env=False, timeout=5)
        except (httpx2.TransportError, KeyError):
            return False
        return answer.text == digest(*pair)

    def scrapes(self) -> int:
        """Return how often the pod in Loki's place was asked for its metrics."""
        return int(self._asked("scrapes"))

    def say_ready(self, *, ready: bool) -> None:
        """Let the pod in Loki's place say that it is ready, or that it is not."""
        self._asked("readyagain" if ready else "unready")

    def flush_is_held(self) -> bool:
        """Tell whether the pod in Loki's place holds a call to flush."""
        return self._asked("held") == "1"

    def let_flush_go(self) -> None:
        """Let the pod in Loki's place drop the call that it holds."""
        self._asked("letgo")

    def flushes(self) -> int:
        """Return how often the pod in Loki's place has asked the storage: once a flush."""
        return int(self._asked("scrapes"))

    def _asked(self, page: str) -> str:
        """Return a page of the pod in Loki's place, which takes a moment to listen."""
        for _ in range(50):
            try:
                return httpx2.get(f"{self.loki_url()}/{page}", trust_env=False, timeout=5).text
            except httpx2.TransportError:
                time.sleep(0.2)
        raise PartError(f"the pod in Loki's place does not answer /{page}")

    # --- what the operator says ------------------------------------------------------------------

    def status(self) -> Json:
        """Return the resource's status."""
        status: Json = (self.kubernetes.api.find(self.route_path) or {}).get("status") or {}
        return status

    @property
    def route_path(self) -> str:
        """Return where the StorageCredential is."""
        kind = "storagecredentials"
        return f"/apis/lokeys.dev/v1alpha1/namespaces/{self.monitoring}/{kind}/{ROUTE}"

    def look_now(self) -> str:
        """Ask the operator to look at the route now; return the word that it is asked with."""
        word = secrets.token_hex(4)
        body = {"metadata": {"annotations": {"lokeys.dev/reconcile": word}}}
        self.kubernetes.api.patch(self.route_path, body)
        return word

    def causes(self) -> set[str]:
        """Return the causes of all findings in the resource's status."""
        return {found.get("cause", "") for found in self.status().get("findings", ())}

    def wait_finding(self, cause: str, *, timeout_s: float = 40) -> None:
        """Wait until the resource's status names a cause."""
        self._wait(lambda: cause in self.causes(), f"{cause} is found", timeout_s=timeout_s)

    def condition(self, kind: str) -> Json:
        """Return one condition of the resource, empty if it is not there."""
        found = (c for c in self.status().get("conditions", ()) if c["type"] == kind)
        return next(found, {})

    def wait_condition(
        self, kind: str, status: str, *, reason: str | None = None, timeout_s: float = 60
    ) -> Json:
        """Wait for a condition."""

        def there() -> bool:
            found = self.condition(kind)
            fits = reason is None or found.get("reason") == reason
            return found.get("status") == status and fits

        self._wait(there, f"{kind} is {status} {reason or ''}", timeout_s=timeout_s)
        return self.condition(kind)

    def _wait(self, condition: Callable[[], object], what: str, *, timeout_s: float) -> None:
        """Wait; where it comes to nothing, show what the operator says of the route."""
        try:
            wait_for(condition, what, timeout_s=timeout_s)
        except PartError as error:
            said = json.dumps(self.status(), indent=1)
            raise AssertionError(f"{error}; the status is {said}") from error

    def wait_looked_again(self) -> None:
        """Make the operator look at the route now, and wait until it has."""
        asked = self.look_now()

        def done() -> bool:
            handled: str | None = self.status().get("lastHandled", {}).get("reconcile")
            return handled == asked

        self._wait(done, "the operator has looked again", timeout_s=40)

    def wait_healed(self, pair: Pair, *, timeout_s: float = 60) -> None:
        """Wait until every hop holds the pair, and the operator says that all is well."""

        def there() -> bool:
            return (self.vault_pair(), self.pair_in(SECRET)) == (pair, pair)

        self._wait(there, "vault and Secret hold the key", timeout_s=timeout_s)
        if self.only_reads:
            self._wait(lambda: self.held_by_pod(pair), "the pod holds it", timeout_s=timeout_s)
        self.wait_condition("Ready", "True", timeout_s=timeout_s)

    # --- Loki ------------------------------------------------------------------------------------

    def loki_url(self, name: str = "loki-0") -> str:
        """Return where the pod's Loki is."""
        return f"http://{self.pod(name)['status']['podIP']}:{PORT}"

    def push(self, *lines: str) -> None:
        """Push lines into Loki."""
        values = [[str(time.time_ns() + number), line] for number, line in enumerate(lines)]
        body = {"streams": [{"stream": {"app": "test"}, "values": values}]}
        url = f"{self.loki_url()}/loki/api/v1/push"
        httpx2.post(url, json=body, trust_env=False, timeout=10).raise_for_status()

    def lines(self) -> list[str]:
        """Return every line that Loki finds."""
        url = f"{self.loki_url()}/loki/api/v1/query_range"
        query: dict[str, Any] = {"query": '{app="test"}', "limit": 5000}
        answer = httpx2.get(url, params=query, trust_env=False, timeout=10)
        if not answer.is_success:
            return []
        found = answer.json()["data"]["result"]
        return sorted(line for stream in found for _, line in stream["values"])

    def metric(self, name: str, *words: str) -> float:
        """Return the sum of a metric's rows that hold all words."""
        text = httpx2.get(f"{self.loki_url()}/metrics", trust_env=False, timeout=10).text
        rows = [row for row in text.splitlines() if row.startswith(name)]
        return sum(float(row.split()[-1]) for row in rows if all(word in row for word in words))

    def requests(self, code: int) -> float:
        """Return how many storage requests of Loki were answered with `code`."""
        if self.loki.legacy_client:
            return self.metric("loki_s3_request_duration_seconds_count", f'status_code="{code}"')
        name = "loki_objstore_bucket_transport_requests_total"
        return self.metric(name, f'status_code="{code}"')

    def wait_written(self) -> None:
        """Wait until Loki has written something and nothing was refused since it started."""
        wait_for(lambda: self.requests(200) > 0, "Loki writes", timeout_s=60)

    def wait_refused(self) -> None:
        """Wait until Loki's requests are refused."""
        # The older client counts a 403 as a 500; its log tells them apart.
        code = 500 if self.loki.legacy_client else 403
        wait_for(lambda: self.requests(code) > 0, "Loki is refused", timeout_s=60)
