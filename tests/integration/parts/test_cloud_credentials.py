# SPDX-License-Identifier: Apache-2.0
"""The Cloud Credential Operator's stand-in answers what rendering asks, late, wrongly or anew."""

import asyncio
import configparser
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import Group, only, render
from lokeys.core.stack.render.store import MANAGED_SUFFIX
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.errors import NotFound
from lokeys.kube.client import Api, Object
from lokeys.kube.informer import InformerSet, Scope
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import SECRET
from manifests.lokistack import NAME, NAMESPACE, NOW, STORES, Choice
from parts.cloud_credentials import REQUEST, CloudCredentials, define
from parts.kubernetes import Kubernetes

MANAGED = f"{NAME}{MANAGED_SUFFIX}"
FROM_THE_CLOUD = [name for name, store in STORES.items() if store.mode == "token-cco"]


@pytest.fixture(scope="module")
def asked(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it takes CredentialsRequests."""
    define(kubernetes)
    return kubernetes


@dataclass
class Scene:
    """A namespace, the stand-in in it, and its Secret as it changes."""

    api: Api
    namespace: str
    cloud: CloudCredentials
    changes: "asyncio.Queue[dict[str, str] | None]"

    async def ask(self, store: str) -> Object:
        """Apply the request that rendering makes for a store."""
        choice = Choice(store=store)
        stack, storage = choice.read()
        options = RenderOptions(now=NOW, environment=choice.environment)
        (request,) = only(render(stack, storage, options=options), [Group.CREDENTIALS])
        body = json.loads(json.dumps(request).replace(f'"{NAMESPACE}"', f'"{self.namespace}"'))
        return await self.api.apply(REQUEST, body, field_manager="test")

    async def answer(self) -> dict[str, str] | None:
        """Return the next content of the managed Secret; None when it goes."""
        async with asyncio.timeout(60):
            return await self.changes.get()


@asynccontextmanager
async def scene(kubernetes: Kubernetes, namespace: str) -> AsyncIterator[Scene]:
    """Run the stand-in in a namespace and follow its Secret."""
    changes: asyncio.Queue[dict[str, str] | None] = asyncio.Queue()

    def changed(_old: Object | None, new: Object | None) -> None:
        data = (new or {}).get("data") or {}
        plain = {key: b64decode(value).decode() for key, value in data.items()}
        changes.put_nowait(None if new is None else plain)

    config = load(kubeconfig=str(kubernetes.kubeconfig))
    async with Api(config) as api, InformerSet(api) as informers:
        informers.subscribe(Scope.one(SECRET, MANAGED, namespace=namespace), changed)
        async with CloudCredentials(api, namespace) as cloud:
            yield Scene(api, namespace, cloud, changes)


@pytest.mark.parametrize("store", FROM_THE_CLOUD)
def test_what_rendering_asks_is_answered_as_lokeys_reads_it(
    asked: Kubernetes, namespace: str, store: str
) -> None:
    """The Secret has the keys of its cloud, with what the request said; reading finds no fault."""

    async def story() -> None:
        async with scene(asked, namespace) as here:
            request = await here.ask(store)
            data = await here.answer()
            assert data
            choice = Choice(store=store)
            stack, _ = choice.read()
            reading = read_storage(
                stack.ref,
                stack.storage_type,
                stack.credential_mode,
                secret=secret_data(choice.secret, ref=stack.secret_ref, stack=stack.ref).data,
                managed=secret_data(
                    {"metadata": {"name": MANAGED}, "stringData": data},
                    ref=stack.secret_ref,
                    stack=stack.ref,
                ).data,
                environment=choice.environment,
            )
            assert reading.storage
            assert [finding.code for finding in reading.findings] == []
            token = request["spec"]["cloudTokenPath"]
            assert token in "".join(data.values())

    asyncio.run(story())


def test_aws_gets_a_file_that_its_clients_read(asked: Kubernetes, namespace: str) -> None:
    """An ini file of the default profile, with the role and the token's file."""

    async def story() -> None:
        async with scene(asked, namespace) as here:
            request = await here.ask("s3-cco")
            data = await here.answer()
            assert data
            parsed = configparser.ConfigParser()
            parsed.read_string(data["credentials"])
            assert dict(parsed["default"]) == {
                "sts_regional_endpoints": "regional",
                "role_arn": request["spec"]["providerSpec"]["stsIAMRoleARN"],
                "web_identity_token_file": request["spec"]["cloudTokenPath"],
            }

    asyncio.run(story())


def test_it_is_late_wrong_and_anew_as_told(asked: Kubernetes, namespace: str) -> None:
    """Nothing while late; a key left out, then right again; another content on rotation."""

    async def story() -> None:
        async with scene(asked, namespace) as here:
            await here.cloud.be_late()
            await here.ask("s3-cco")
            with pytest.raises(NotFound):
                await here.api.get(SECRET, MANAGED, namespace=namespace)
            await here.cloud.answer_wrongly({"credentials": None, "other": "x"})
            await here.cloud.catch_up()
            assert await here.answer() == {"other": "x"}
            await here.cloud.answer_wrongly({})
            first = await here.answer()
            await here.cloud.rotate()
            second = await here.answer()
            assert first
            assert second
            assert first.keys() == second.keys() == {"credentials"}
            assert first != second
            await here.api.delete(SECRET, MANAGED, namespace=namespace)
            assert await here.answer() is None
            assert await here.answer() == second

    asyncio.run(story())


def test_the_secret_goes_with_the_request(asked: Kubernetes, namespace: str) -> None:
    """A request that is deleted takes its Secret along, and then is gone itself."""

    async def story() -> None:
        async with scene(asked, namespace) as here:
            await here.ask("gcs-cco")
            assert await here.answer()
            await here.api.delete(REQUEST, NAME, namespace=namespace)
            assert await here.answer() is None
            assert here.cloud.withdrawn == [(namespace, NAME)]

    asyncio.run(story())


def test_a_request_that_cannot_be_served_says_so(asked: Kubernetes, namespace: str) -> None:
    """Without a role there is no Secret, and a condition that names what is missing."""

    async def story() -> None:
        said: asyncio.Queue[Any] = asyncio.Queue()

        def changed(_old: Object | None, new: Object | None) -> None:
            status = (new or {}).get("status")
            if new and status and status["lastSyncGeneration"] == new["metadata"]["generation"]:
                said.put_nowait(status)

        async with scene(asked, namespace) as here, InformerSet(here.api) as informers:
            informers.subscribe(Scope(resource=REQUEST, namespace=namespace), changed)
            body = await here.ask("s3-cco")
            assert await here.answer()
            async with asyncio.timeout(60):
                assert (await said.get())["provisioned"] is True
            body["spec"]["providerSpec"]["stsIAMRoleARN"] = ""
            del body["metadata"]["managedFields"], body["metadata"]["resourceVersion"]
            await here.api.apply(REQUEST, body, field_manager="test")
            async with asyncio.timeout(60):
                status = await said.get()
            assert status["provisioned"] is False
            assert "stsIAMRoleARN" in status["conditions"][0]["message"]

    asyncio.run(story())
