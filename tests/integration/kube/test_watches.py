# SPDX-License-Identifier: Apache-2.0
"""Watches and informers on the real API server."""

import asyncio
import gc
from functools import partial
from pathlib import Path

import httpx2

from integration.kube.connecting import config_map, connect, until
from lokeys.kube.client import Api, Object
from lokeys.kube.informer import Informer, InformerSet, Pace, Scope
from lokeys.kube.multiplexed import MultiplexedTransport
from lokeys.kube.resources import CONFIG_MAP, SECRET
from parts.kubernetes import Kubernetes

QUICK = Pace(first_delay_s=0.05, max_delay_s=0.5)
MOST_KB_A_WATCH = 60
"""Twice the aim, for the measure is of the whole process."""


def _ignore(_old: Object | None, _new: Object | None) -> None: ...


def test_hundreds_of_watches_share_few_connections(kubernetes: Kubernetes, namespace: str) -> None:
    """250 by-name watches need three connections, little memory, and each hears its own change."""

    async def main() -> None:
        heard: list[str] = []

        def note(old: Object | None, new: Object | None) -> None:
            if old and new:
                heard.append(new["metadata"]["name"])

        async with connect(kubernetes) as api, InformerSet(api, pace=QUICK) as informers:
            names = [f"c{number:03}" for number in range(250)]
            for name in names:
                await api.create(CONFIG_MAP, config_map(name, namespace))
            gc.collect()
            before_kb = _rss_kb()
            for name in names:
                scope = Scope.one(CONFIG_MAP, name, namespace=namespace, metadata_only=True)
                informers.subscribe(scope, note)
            await until(lambda: informers.synced)
            for name in (names[0], names[120], names[249]):
                patch = {"metadata": {"labels": {"changed": "yes"}}}
                await api.merge_patch(CONFIG_MAP, name, patch, namespace=namespace)
                await until(partial(_last_is, heard, name))
            gc.collect()
            assert (_rss_kb() - before_kb) / len(names) < MOST_KB_A_WATCH
            assert _multiplexed(api).connection_count == 3

    asyncio.run(main())


def test_closed_watches_make_room(kubernetes: Kubernetes, namespace: str) -> None:
    """Watches that end give their streams back: no connection is opened in vain."""

    async def main() -> None:
        async with connect(kubernetes) as api, InformerSet(api, pace=QUICK) as informers:
            for turn in range(3):
                readers = [
                    informers.subscribe(
                        Scope.one(SECRET, f"s{turn}-{number}", namespace=namespace), _ignore
                    )
                    for number in range(90)
                ]
                await until(lambda: informers.synced)
                for reader in readers:
                    reader.close()
                await until(lambda: len(asyncio.all_tasks()) < 10)
            assert _multiplexed(api).connection_count == 1

    asyncio.run(main())


def test_informers_survive_a_killed_api_server(kubernetes: Kubernetes, namespace: str) -> None:
    """While the server is away the informer says so; afterwards it has missed nothing."""

    async def main() -> None:
        async with connect(kubernetes) as api, connect(kubernetes) as writer:
            scope = Scope(resource=CONFIG_MAP, namespace=namespace, fields="metadata.name!=x")
            informer = Informer(api, scope, pace=QUICK)
            deleted: list[str] = []

            def note(old: Object | None, new: Object | None) -> None:
                if new is None and old is not None:
                    deleted.append(old["metadata"]["name"])

            informer.add_handler(note)
            task = asyncio.create_task(informer.run())
            await writer.create(CONFIG_MAP, config_map("kept", namespace))
            await writer.create(CONFIG_MAP, config_map("gone", namespace))
            await until(lambda: informer.get(namespace, "gone") and informer.get(namespace, "kept"))
            kubernetes.stop_api_server(kill=True)
            await until(lambda: informer.trouble)
            assert kubernetes.server in _said(informer)
            await asyncio.to_thread(kubernetes.start_api_server)
            await writer.delete(CONFIG_MAP, "gone", namespace=namespace)
            await writer.create(CONFIG_MAP, config_map("new", namespace))
            await until(lambda: informer.get(namespace, "new") and deleted == ["gone"])
            assert informer.trouble is None
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())


def test_silent_connection_is_noticed(kubernetes: Kubernetes, namespace: str) -> None:
    """A connection whose peer stopped answering is given up, though it never closed."""

    async def main() -> None:
        async with connect(kubernetes) as api:
            context = api.connection.new_context()
            transport = MultiplexedTransport(
                context, fallback=httpx2.AsyncHTTPTransport(verify=context), silence_s=0.5
            )
            api.connection.watches = httpx2.AsyncClient(
                transport=transport, base_url=api.server, auth=api.connection.calls.auth
            )
            informer = Informer(api, Scope.one(SECRET, "none", namespace=namespace), pace=QUICK)
            task = asyncio.create_task(informer.run())
            await informer.synced.wait()
            await asyncio.sleep(2)  # silent, but alive: every ping is answered
            assert informer.trouble is None
            kubernetes.pause_api_server()
            try:
                await until(lambda: informer.trouble)
            finally:
                kubernetes.resume_api_server()
            await until(lambda: not informer.trouble)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())


def test_right_to_named_secrets_suffices(kubernetes: Kubernetes, namespace: str) -> None:
    """A Role that names one Secret lets us follow that Secret, and no other."""
    kubernetes.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    role = ["--verb=get,list,watch", "--resource=secrets", "--resource-name=mine"]
    kubernetes.kubectl("create", "role", "reader", "-n", namespace, *role)
    who = f"--serviceaccount={namespace}:reader"
    kubernetes.kubectl("create", "rolebinding", "r", "-n", namespace, "--role=reader", who)
    kubeconfig = kubernetes.user_kubeconfig(namespace, "reader")

    async def main() -> None:
        async with (
            connect(kubernetes) as writer,
            connect(kubernetes, kubeconfig=kubeconfig) as api,
            InformerSet(api, pace=QUICK) as informers,
        ):
            mine, other = (
                informers.subscribe(
                    Scope.one(SECRET, name, namespace=namespace, metadata_only=True), _ignore
                ).informer
                for name in ("mine", "other")
            )
            await mine.synced.wait()
            secret = {"metadata": {"name": "mine", "namespace": namespace}}
            await writer.create(SECRET, secret | {"stringData": {"k": "c4nary"}})
            await until(lambda: len(mine) == 1)
            assert "data" not in next(mine.items())
            await until(lambda: other.trouble)
            assert 'cannot list resource "secrets"' in _said(other)

    asyncio.run(main())


def _last_is(heard: list[str], name: str) -> bool:
    return heard[-1:] == [name]


def _said(informer: Informer) -> str:
    return str(informer.trouble.error) if informer.trouble else ""


def _multiplexed(api: Api) -> MultiplexedTransport:
    transport = api.connection.watch_transport
    assert isinstance(transport, MultiplexedTransport)
    return transport


def _rss_kb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1])
