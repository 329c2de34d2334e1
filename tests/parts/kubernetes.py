# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on loopback: etcd, API server and controller manager.

RBAC is on and every request is audited. There is no scheduler and no node: `parts.kubelet` is both.
"""

import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from parts.api import Api, ApiError
from parts.build import built_program
from parts.issuer import KEYS, Issuer
from parts.process import Folder, PartError, Process, free_ports, reserve, wait_for

HOST = "127.0.0.1"
ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
KUBELET = "system:node:parts"
EXTERNAL_SECRETS = "external-secrets"
SELF_SIGNED = ("-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30")
USERS = (ADMIN, CONTROLLER_MANAGER, KUBELET, EXTERNAL_SECRETS)
# Who asked for what and what came of it, never a body. The parts' own requests are noise.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", CONTROLLER_MANAGER, KUBELET]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}


@dataclass
class Audit:
    """What the audit log, which grows for as long as tests run, has of one user up to here."""

    events: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0

    def read_on(self, log: Path, user: str) -> None:
        with log.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written
                    return
                self._read += len(line)
                # Most lines are another's, and need not be parsed to know that.
                if user.encode() in line:
                    event = json.loads(line)
                    if event["user"].get("username") == user:
                        self.events.append(event)


class Kubernetes:
    """The control plane; `start()` takes 3 s, `stop()` removes every trace.

    `issuer` stands for its service account tokens outside: on this host's loopback.
    """

    def __init__(self) -> None:
        self._folder = Folder("kube")
        self.folder = self._folder.path
        self.audit_log = self.folder / "audit.log"
        self.ca_file = self.folder / "serving.crt"
        self.kubeconfig = self.folder / "kubeconfig"
        self.signing_key = self.folder / "sa.key"
        self.port, self._etcd_port, self._peer_port, self._manager_port, issuer_port = free_ports(5)
        self.issuer = Issuer(issuer_port)
        # Sets the addresses of this cluster's pods apart from those of other clusters.
        self.number = next(number for number in range(256) if reserve(f"cluster-{number}"))
        self.server = f"https://{HOST}:{self.port}"
        self._tokens = {user: secrets.token_hex(16) for user in USERS}
        self._etcd: Process | None = None
        self._api_server: Process | None = None
        self._manager: Process | None = None
        self._names = itertools.count(1)
        self._api: Api | None = None
        self._audits: dict[str, Audit] = {}
        self._kinds: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def api(self) -> Api:
        """The admin's client, for what a test wants to see or set."""
        self._api = self._api or self.client(ADMIN)
        return self._api

    def client(self, user: str) -> Api:
        """Return a client that acts as one of USERS, who all may do everything."""
        return Api(self.server, ca_file=self.ca_file, token=self._tokens[user])

    def kubeconfig_of(self, user: str) -> Path:
        """Return a kubeconfig for one of USERS; the audit log tells them apart."""
        path = self.folder / f"kubeconfig-{user.replace(':', '-')}"
        self._write_kubeconfig(path, token=self._tokens[user])
        return path

    def start(self) -> None:
        self._write_files()
        key = self.folder / "serving.key"
        self.issuer.start(signing_key=self.signing_key, certificate=self.ca_file, key=key)
        self._start_etcd()
        self.start_api_server()
        self._start_manager()
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for(lambda: self.api.find(path), "controllers run", processes=self._processes())

    def stop(self) -> None:
        """Stop it; the API server before etcd, without which it would hang for ten minutes."""
        if self._api:
            self._api.close()
        for process in self._processes():
            process.stop()
        self.issuer.close()
        self._folder.remove()

    def _processes(self) -> list[Process]:
        return [part for part in (self._manager, self._api_server, self._etcd) if part]

    def start_api_server(self) -> None:
        """Start the API server on the port it always had, and wait until it is ready."""
        argv = [_binary("kube-apiserver"), *self._api_server_flags()]
        self._api_server = Process(argv, log=self.folder / "kube-apiserver.log", cwd=self.folder)
        wait_for(self._ready, "the API server is ready", timeout_s=60, processes=[self._api_server])

    def stop_api_server(self, *, kill: bool = False) -> None:
        """Stop the API server alone, or with `kill` break every connection to it at once."""
        assert self._api_server is not None
        self._api_server.stop(grace_s=0 if kill else 5)

    def restart_api_server(self, *, kill: bool = False) -> None:
        """Stop and start the API server; etcd and with it all objects stay."""
        self.stop_api_server(kill=kill)
        self.start_api_server()

    def pause_api_server(self) -> None:
        """Stop the API server's clock: connections stay open and nothing answers."""
        assert self._api_server is not None
        self._api_server.signal(signal.SIGSTOP)

    def resume_api_server(self) -> None:
        assert self._api_server is not None
        self._api_server.signal(signal.SIGCONT)

    def pause_etcd(self) -> None:
        """Stop etcd's clock: the API server answers nothing that it would have to ask it."""
        assert self._etcd is not None
        self._etcd.signal(signal.SIGSTOP)

    def resume_etcd(self) -> None:
        assert self._etcd is not None
        self._etcd.signal(signal.SIGCONT)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run the real kubectl as the admin and return what it prints."""
        done = subprocess.run(
            [_binary("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"KUBECACHEDIR": str(self.folder / "kubectl-cache")},
        )
        if check and done.returncode:
            raise PartError(f"kubectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, *objects: dict[str, Any]) -> None:
        """Server-side apply objects of any kind, as `kubectl apply` does, which takes a while."""
        for each in objects:
            path = self.collection(each) + f"/{each['metadata']['name']}"
            self.api.apply(path, each, manager="kubectl")

    def collection(self, manifest: dict[str, Any]) -> str:
        """Return the path of all objects of a manifest's kind and namespace."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"

        def served() -> bool:
            listed = (self.api.find(root) or {}).get("resources", [])
            self._kinds |= {
                (root, each["kind"]): each for each in listed if "/" not in each["name"]
            }
            return (root, kind) in self._kinds

        if (root, kind) not in self._kinds:  # its definition may have been applied just now
            wait_for(served, f"{kind} of {version} is served")
        found = self._kinds[root, kind]
        if found["namespaced"]:
            root += f"/namespaces/{manifest['metadata'].get('namespace', 'default')}"
        return f"{root}/{found['name']}"

    @contextlib.contextmanager
    def namespace(self, name: str, **labels: str) -> Iterator[None]:
        """Make a namespace whose name a text decides, once a neighbour's of that name is gone."""
        path = "/api/v1/namespaces"
        body = {"metadata": {"name": name, "labels": labels}}

        def made() -> bool:
            try:
                self.api.post(path, body)
            except ApiError as error:
                if error.status == 409:  # it is going
                    return False
                raise
            return True

        wait_for(made, f"namespace {name} is free", timeout_s=60)
        try:
            yield
        finally:
            self.api.delete(f"{path}/{name}")

    def wait_served(self, *definitions: str) -> None:
        """Wait until these CRDs are served; `kubectl wait` fails where one has no status yet."""

        def served(name: str) -> bool:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            conditions = self.api.get(path).get("status", {}).get("conditions") or []
            return any(
                each["type"] == "Established" and each["status"] == "True" for each in conditions
            )

        wait_for(lambda: all(map(served, definitions)), f"{', '.join(definitions)} served")

    def user_kubeconfig(self, namespace: str, service_account: str) -> Path:
        """Return a kubeconfig that acts as this service account, by a token asked for now."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        spec = {"expirationSeconds": 7200}
        answer = self.api.post(
            path, {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        )
        target = self.folder / f"kubeconfig-{namespace}-{service_account}-{next(self._names)}"
        self._write_kubeconfig(target, token=answer["status"]["token"], namespace=namespace)
        return target

    def kubeconfig_through(self, address: str, kubeconfig: Path | None = None) -> Path:
        """Return a copy of a kubeconfig that goes to the API server by another address."""
        text = (kubeconfig or self.kubeconfig).read_text()
        target = self.folder / f"kubeconfig-through-{address}-{next(self._names)}"
        _write_private(target, text.replace(self.server, f"https://{address}:{self.port}"))
        return target

    def audit_events(self, user: str) -> list[dict[str, Any]]:
        """Return what the audit log has of one user: each request, and its answer's code."""
        kept = self._audits.setdefault(user, Audit())
        kept.read_on(self.audit_log, user)
        return list(kept.events)

    def _ready(self) -> bool:
        try:
            self.api.get("/readyz")
        except (ApiError, httpx2.TransportError):
            return False
        return True

    def _start_etcd(self) -> None:
        clients, peers = (f"http://{HOST}:{port}" for port in (self._etcd_port, self._peer_port))
        argv = [
            _binary("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._etcd = Process(argv, log=self.folder / "etcd.log", cwd=self.folder)

    def _api_server_flags(self) -> list[str]:
        return [
            f"--etcd-servers=http://{HOST}:{self._etcd_port}",
            f"--bind-address={HOST}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={self.folder / 'serving.key'}",
            f"--service-account-issuer={self.issuer.url}",
            f"--service-account-jwks-uri={self.issuer.url}{KEYS}",
            # As k3s has it: one more audience than by convention.
            f"--api-audiences=https://kubernetes.default.svc,{OWN_AUDIENCE}",
            f"--service-account-key-file={self.signing_key}",
            f"--service-account-signing-key-file={self.signing_key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged=true",
            f"--audit-policy-file={self.folder / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
            # Each event is in the file before its request is answered.
            "--audit-log-mode=blocking-strict",
        ]

    def _start_manager(self) -> None:
        argv = [
            _binary("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig_of(CONTROLLER_MANAGER)}",
            f"--service-account-private-key-file={self.signing_key}",
            f"--root-ca-file={self.ca_file}",
            "--use-service-account-credentials=false",
            "--leader-elect=false",
            f"--bind-address={HOST}",
            f"--secure-port={self._manager_port}",
            f"--cert-dir={self.folder / 'manager-certs'}",
            *self._manager_flags(),
        ]
        log = self.folder / "kube-controller-manager.log"
        self._manager = Process(argv, log=log, cwd=self.folder)

    def _manager_flags(self) -> list[str]:
        """Return what the controller manager must know of the nodes: these send no heartbeats."""
        return ["--controllers=*,-node-lifecycle-controller,-taint-eviction-controller"]

    def _write_files(self) -> None:
        self._openssl("genrsa", "-out", str(self.signing_key), "2048")
        # 10.88 is the pods' way to this host, 10.89 an outpost's: parts.kubelet.network. By
        # 10.96.0.1, Service kubernetes, only pods of a real node come.
        addresses = (HOST, f"10.88.{self.number}.1", f"10.89.{self.number}.1", "10.96.0.1")
        hosts = ",".join(f"IP:{address}" for address in addresses)
        names = f"subjectAltName={hosts},DNS:localhost,DNS:kubernetes.default.svc"
        subject = ["-subj", "/CN=lokeys-test-api-server", "-addext", names]
        self._openssl(
            "req", *SELF_SIGNED, *subject, "-keyout", "serving.key", "-out", "serving.crt"
        )
        rows = [f'{token},{user},{user},"system:masters"\n' for user, token in self._tokens.items()]
        _write_private(self.folder / "tokens.csv", "".join(rows))
        _write_private(self.folder / "audit-policy.json", json.dumps(AUDIT_POLICY))
        self._write_kubeconfig(self.kubeconfig, token=self._tokens[ADMIN])

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def _write_kubeconfig(self, path: Path, *, token: str, namespace: str = "default") -> None:
        cluster = {"server": self.server, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "parts", "user": "parts", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "parts", "cluster": cluster}],
            "users": [{"name": "parts", "user": {"token": token}}],
            "contexts": [{"name": "parts", "context": context}],
            "current-context": "parts",
        }
        _write_private(path, json.dumps(config, indent=1))


def _binary(name: str) -> Path:
    return built_program("kubernetes", name)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


OWN_AUDIENCE = "the-api-servers-own"
"""An audience of the API server's that nothing but its flags tells."""
