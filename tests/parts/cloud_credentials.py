# SPDX-License-Identifier: Apache-2.0
"""A stand-in of OpenShift's Cloud Credential Operator, on a cluster whose cloud takes tokens.

    async with CloudCredentials(api) as cloud: ...

For each CredentialsRequest it writes the Secret that `secretRef` names, in the provider's form; it
holds the request by a finalizer, and takes the Secret away when the request is deleted. It answers
at once, unless it is told to be late, to answer wrongly, or to answer anew.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from lokeys.errors import LokeysError, NotFound
from lokeys.kube.client import Api, Object, Resource
from lokeys.kube.informer import InformerSet, Scope
from lokeys.kube.queue import WorkQueue
from lokeys.kube.resources import SECRET
from parts import openshift
from parts.kubernetes import Kubernetes

GROUP = "cloudcredential.openshift.io"
REQUEST = Resource(GROUP, "v1", "credentialsrequests", "CredentialsRequest")
FINALIZER = f"{GROUP}/deprovision"
MARK = f"{GROUP}/credentials-request"
FAILURE = "CredentialsProvisionFailure"

Key = tuple[str, str]
"""Namespace and name of a request."""
Data = dict[str, str]


class _BadRequest(Exception):
    """A request whose provider part cannot be served."""


def define(kubernetes: Kubernetes) -> None:
    """Let a control plane take CredentialsRequests."""
    openshift.define(kubernetes, openshift.credentials_request_crd())


class CloudCredentials:
    """The controller, in one namespace. `withdrawn` are the requests whose Secrets it took away."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._late = False
        self._wrong: dict[str, str | None] = {}
        self._round = 0
        self._known: dict[Key, Object] = {}
        self.withdrawn: list[Key] = []

    async def __aenter__(self) -> Self:
        self._queue: WorkQueue[Key] = WorkQueue(first_delay_s=0.05, max_delay_s=1.0)
        self._informers = InformerSet(self._api)
        await self._informers.__aenter__()
        requests = Scope(resource=REQUEST, namespace=self._namespace)
        secrets = Scope(resource=SECRET, namespace=self._namespace, labels=f"{MARK}=true")
        self._informers.subscribe(requests, self._on_request)
        self._informers.subscribe(secrets, self._on_secret)
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.shut_down()
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        await self._informers.__aexit__(exc_type, exc, trace)

    # --- levers ---------------------------------------------------------------------------------

    async def be_late(self) -> None:
        """Answer nothing from now on."""
        self._late = True

    async def catch_up(self) -> None:
        """Answer what was asked meanwhile, and at once from now on."""
        self._late = False
        self._look_at_all()

    async def answer_wrongly(self, changes: Mapping[str, str | None]) -> None:
        """Write other values from now on; None leaves a key out, nothing at all is right again."""
        self._wrong = dict(changes)
        self._look_at_all()

    async def rotate(self) -> None:
        """Write every Secret anew, with another content that is as good."""
        self._round += 1
        self._look_at_all()

    def _look_at_all(self) -> None:
        for key in self._known:
            self._queue.add(key)

    # --- what makes it look ---------------------------------------------------------------------

    def _on_request(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._known.pop(_key(old or {}), None)
            return
        self._known[_key(new)] = new
        if old is None or _occasion(old) != _occasion(new):
            self._queue.add(_key(new))

    def _on_secret(self, old: Object | None, new: Object | None) -> None:
        """Mend a Secret that somebody else has changed or deleted."""
        secret = new or old or {}
        if old is not None and old.get("data") != (new or {}).get("data"):
            namespace, _, name = secret["metadata"]["annotations"][MARK].partition("/")
            self._queue.add((namespace, name))

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._look(key)
            except LokeysError:
                self._queue.add_rate_limited(key)
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)

    # --- one pass -------------------------------------------------------------------------------

    async def _look(self, key: Key) -> None:
        try:
            request = await self._api.get(REQUEST, key[1], namespace=key[0])
        except NotFound:
            return
        if "deletionTimestamp" in request["metadata"]:
            await self._withdraw(request)
            return
        await self._hold(request)
        if self._late:
            return
        try:
            data = answer(request["spec"], number=self._round)
        except _BadRequest as error:
            await self._say(request, provisioned=False, trouble=str(error))
            return
        given = {k: v for k, v in {**data, **self._wrong}.items() if v is not None}
        await self._write(request, given)
        await self._say(request, provisioned=True)

    async def _hold(self, request: Object) -> None:
        if FINALIZER not in request["metadata"].get("finalizers", ()):
            patch = {"metadata": {"finalizers": [FINALIZER]}}
            await self._patch(request, patch)

    async def _write(self, request: Object, data: Data) -> None:
        secret = request["spec"]["secretRef"]
        encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
        body = {
            "metadata": {
                "name": secret["name"],
                "namespace": secret["namespace"],
                "labels": {MARK: "true"},
                "annotations": {MARK: "/".join(_key(request))},
            },
            "type": "Opaque",
            "data": encoded,
        }
        await self._api.apply(SECRET, body, field_manager="cloud-credentials")

    async def _withdraw(self, request: Object) -> None:
        """Take the Secret away, then let the request go."""
        secret = request["spec"]["secretRef"]
        with suppress(NotFound):
            await self._api.delete(SECRET, secret["name"], namespace=secret["namespace"])
        self.withdrawn.append(_key(request))
        await self._patch(request, {"metadata": {"finalizers": None}})

    async def _say(self, request: Object, *, provisioned: bool, trouble: str = "") -> None:
        failed = {"type": FAILURE, "status": "True", "reason": FAILURE, "message": trouble}
        status = {
            "provisioned": provisioned,
            "lastSyncGeneration": request["metadata"]["generation"],
            "conditions": [failed] if trouble else [],
        }
        if {**(request.get("status") or {}), **status} != request.get("status"):
            await self._patch(request, {"status": status}, subresource="status")

    async def _patch(
        self, request: Object, patch: Object, *, subresource: str | None = None
    ) -> None:
        namespace, name = _key(request)
        await self._api.merge_patch(
            REQUEST, name, patch, namespace=namespace, subresource=subresource
        )


def answer(spec: Mapping[str, Any], *, number: int = 0) -> Data:
    """Return the Secret's data for a request's spec; each `number` is another, as good a one."""
    provider, token = spec.get("providerSpec") or {}, spec.get("cloudTokenPath")
    if not token:
        raise _BadRequest("no cloudTokenPath")
    match provider.get("kind"):
        case "AWSProviderSpec":
            return {"credentials": _aws(provider, token) + "\n" * number}
        case "GCPProviderSpec":
            return {"service_account.json": _gcp(provider, token) + "\n" * number}
        case "AzureProviderSpec":
            return _azure(provider, token) | ({"issue": str(number)} if number else {})
    raise _BadRequest(f"no such provider: {provider.get('kind')}")


def _needed(provider: Mapping[str, Any], *names: str) -> list[str]:
    missing = [name for name in names if not provider.get(name)]
    if missing:
        raise _BadRequest(f"missing: {', '.join(missing)}")
    return [provider[name] for name in names]


def _aws(provider: Mapping[str, Any], token: str) -> str:
    (role,) = _needed(provider, "stsIAMRoleARN")
    lines = {
        "sts_regional_endpoints": "regional",
        "role_arn": role,
        "web_identity_token_file": token,
    }
    return "\n".join(["[default]", *(f"{name} = {value}" for name, value in lines.items())])


def _gcp(provider: Mapping[str, Any], token: str) -> str:
    audience, email = _needed(provider, "audience", "serviceAccountEmail")
    account = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}"
    document = {
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"{account}:generateAccessToken",
        "credential_source": {"file": token, "format": {"type": "text"}},
    }
    return json.dumps(document)


def _azure(provider: Mapping[str, Any], token: str) -> Data:
    words = ("azureClientID", "azureTenantID", "azureSubscriptionID", "azureRegion")
    client, tenant, subscription, region = _needed(provider, *words)
    return {
        "azure_client_id": client,
        "azure_tenant_id": tenant,
        "azure_subscription_id": subscription,
        "azure_region": region,
        "azure_federated_token_file": token,
    }


def _key(request: Object) -> Key:
    return request["metadata"]["namespace"], request["metadata"]["name"]


def _occasion(request: Object) -> tuple[Any, ...]:
    """Return what a change of a request is looked at for."""
    metadata = request["metadata"]
    return metadata["generation"], metadata.get("deletionTimestamp"), metadata.get("finalizers")
