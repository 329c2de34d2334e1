# SPDX-License-Identifier: Apache-2.0
"""A LokiStack without a key, from its manifest to a line in Ceph: `make stack`.

Everything is as a person would do it, and as it is shipped: the operator as two pods of `deploy/`
with the rights of `lokeys rbac stack --tokens`, and `examples/token-rgw` as it stands.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from e2e.stacks.travel import HOUR, OLD
from e2e.stacks.world import Stack
from lokeys.clock import utc_now
from parts.build import program
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import gateway
from parts.process import PartError, wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "token-rgw"
NAMESPACE, NAME, BUCKET, ROLE, AUDIENCE = "logging", "logs", "loki", "loki", "loki"
FILES = {
    "lokeys": (
        # Where the clone is below /tmp, the pod's own /tmp would hide it.
        (str(ROOT), str(ROOT)),
        (str(Path(sys.executable).with_name("lokeys")), "/usr/local/bin/lokeys"),
    )
}
"""What the operator's image has: this clone, and the command on the path."""
Json = dict[str, Any]
Tell = Callable[[str], None]


@dataclass
class Story:
    """The parts, and who listens."""

    kubernetes: Kubernetes
    kubelet: Kubelet
    rgw: Rgw
    tell: Tell

    def play(self) -> None:
        """Play it to its end; whatever does not hold ends it."""
        self.make_ceph()
        self.install()
        self.apply()
        self.show()
        self.send_a_line()
        self.look_for_keys()
        self.lose_the_role()

    def make_ceph(self) -> None:
        """Make what a storage team has: a bucket, and a role for two accounts of the cluster."""
        for name in ("storage", NAMESPACE, "lokeys-system"):
            metadata = {"name": name}
            self.kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            self.kubelet.take(name)
        target = self.kubelet.relay(self.rgw.port)
        self.kubernetes.apply(*gateway("storage", "rgw", port=8080, target=target))
        pair = self.rgw.create_user("storage-team")
        self.stack = Stack(
            kubernetes=self.kubernetes,
            kubelet=self.kubelet,
            rgw=self.rgw,
            namespace=NAMESPACE,
            name=NAME,
            pair=pair,
        )
        self.stack.make_bucket(BUCKET)
        issuer = self.kubernetes.issuer.url
        self.iam = Iam(self.rgw)
        self.iam.trust(issuer, AUDIENCE)
        self.make_role()
        self.tell(f"Ceph RGW is up; its role {ROLE} is for two accounts, by tokens of {issuer}")

    def make_role(self) -> None:
        """Let the stack's accounts play a role that has the bucket."""
        account = f"system:serviceaccount:{NAMESPACE}:{NAME}"
        self.iam.make_role(
            ROLE,
            issuer=self.kubernetes.issuer.url,
            audience=AUDIENCE,
            subjects=[account, f"{account}-ruler"],
            buckets=[BUCKET],
        )

    def install(self) -> None:
        """Install lokeys as deploy/ has it, and grant it this one stack."""
        for folder in ("deploy/crd/lokistack", "deploy"):
            self.kubectl("apply", "--server-side", "-k", str(ROOT / folder))
        words = [sys.executable, "-m", "lokeys", "rbac", "stack", "-f", str(EXAMPLE), "--tokens"]
        roles = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
        self.kubernetes.kubectl("apply", "--server-side", "-f", "-", stdin=roles.stdout)
        # The roles above let it try the stack's tokens; this tells it to, and often.
        command = [
            "lokeys",
            "operator",
            "--lokistacks=labelled",
            "--verify-tokens",
            "--verify-every=5",
        ]
        container = {"name": "lokeys", "command": command}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        system = ("-n", "lokeys-system")
        self.kubectl("patch", *system, "deployment/lokeys", "--patch", json.dumps(patch))
        self.kubectl("rollout", "status", *system, "deployment/lokeys")

    def apply(self) -> None:
        """Apply the example and wait until its stack is ready."""
        self.kubectl("apply", "--server-side", "-f", str(EXAMPLE))
        self.wait_condition("Ready", "True", timeout_s=240)
        self.wait_condition("CredentialsVerified", "True", timeout_s=60)

    def show(self) -> None:
        """Show what everybody sees, and that it is so."""
        self.kubectl("get", "lokistack", "-n", NAMESPACE)
        assert self.status()["storage"]["credentialMode"] == "token"

    def send_a_line(self) -> None:
        """Send a line through Ceph: push, flush, end the ingester, read."""
        line, then = "a line that travelled through Ceph", utc_now() - OLD
        self.stack.push(line, at=then)
        self.stack.flush()
        wait_for(lambda: self.stack.chunks(BUCKET), "the chunk")
        self.stack.restart("ingester")  # which ships its index as it goes
        self.tell(f"in the bucket: {', '.join(self.stack.objects(BUCKET))}")

        def found() -> list[str]:
            return self.stack.lines(since=then - HOUR, until=then + HOUR)

        wait_for(lambda: found() == [line], "the line, of the store alone", timeout_s=60)
        log = (self.rgw.folder / "log" / "client.rgw.a.log").read_text()
        writers = {
            entry.partition(" - ")[2].partition(" [")[0]
            for entry in log.splitlines()
            if f'"PUT /{BUCKET}/' in entry and '" 200 ' in entry
        }
        assert writers == {f"$oidc$system:serviceaccount:{NAMESPACE}:{NAME}"}
        self.tell(f"read back: {line!r}; written, says RGW, by {', '.join(writers)}")

    def look_for_keys(self) -> None:
        """Look for a key in every Secret of the cluster and in every pod's environment."""
        key, secret = self.stack.pair
        held = json.dumps(self.kubernetes.api.get("/api/v1/secrets"))
        assert key not in held
        assert secret not in held
        variables = json.dumps([pod["spec"] for pod in self.stack.pods()])
        assert "AWS_ACCESS_KEY" not in variables
        self.tell("no Secret of the cluster and no pod holds a key")

    def lose_the_role(self) -> None:
        """Take the role away and give it back: the condition follows, and says which link broke."""
        self.iam.remove_role(ROLE)
        self.wait_condition("CredentialsVerified", "False", timeout_s=60)
        self.tell(f"without its role: {self.condition('CredentialsVerified')['message']}")
        self.make_role()
        self.wait_condition("CredentialsVerified", "True", timeout_s=60)
        self.tell(f"with its role: {self.condition('CredentialsVerified')['message']}")

    # --- what a person sees ----------------------------------------------------------------------

    def kubectl(self, *words: str) -> str:
        """Run kubectl, and show it with what it says."""
        shown = [word.replace(f"{ROOT}/", "") for word in words]
        said = self.kubernetes.kubectl(*words)
        self.tell(f"$ kubectl {' '.join(shown)}\n{said}")
        return said

    def status(self) -> Json:
        """Return the stack's status."""
        path = f"/apis/loki.grafana.com/v1/namespaces/{NAMESPACE}/lokistacks/{NAME}"
        status: Json = self.kubernetes.api.get(path).get("status") or {}
        return status

    def condition(self, kind: str) -> Json:
        """Return a condition of the stack, empty while there is none."""
        found = (each for each in self.status().get("conditions", ()) if each["type"] == kind)
        return next(found, {})

    def wait_condition(self, kind: str, status: str, *, timeout_s: float) -> None:
        """Wait for a condition; say what it is where it does not come."""

        def there() -> bool:
            return self.condition(kind).get("status") == status

        try:
            wait_for(there, f"{kind} is {status}", timeout_s=timeout_s)
        except PartError as error:
            raise PartError(f"{error}\n{json.dumps(self.status(), indent=1)}") from error


def main() -> int:
    """Bring up the real parts, play, and take everything away."""

    def tell(text: str) -> None:
        print(text.rstrip(), end="\n\n", flush=True)

    loki = program("loki", "loki")
    assert loki is not None, "run `make parts`"
    begun = utc_now()
    with contextlib.ExitStack() as parts:
        kubernetes, rgw = Kubernetes(), Rgw()
        parts.callback(kubernetes.stop)
        kubernetes.start()
        parts.callback(rgw.stop)
        rgw.start()
        kubelet = Kubelet(kubernetes, images={"loki": [str(loki)]}, files=FILES)
        parts.callback(kubelet.stop)
        kubelet.start()
        tell("etcd, API server, controllers, a node and Ceph are up")
        Story(kubernetes, kubelet, rgw, tell).play()
    seconds = timedelta(seconds=(utc_now() - begun).seconds)
    tell(f"the whole story in {seconds}, and nothing of it is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
