# SPDX-License-Identifier: Apache-2.0
"""Two processes, one Lease, and a kill."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from integration.kube.connecting import connect, until
from lokeys.kube.lease import Lease
from lokeys.kube.resources import LEASE
from parts.kubernetes import Kubernetes

DURATION_S = 3
PATIENCE_S = 5
"""How late whatever happens at once may be on a busy machine."""
HOLDER = """
import asyncio, sys, time
from lokeys.kube.client import (Api)
from lokeys.kube.kubeconfig import (load)
from lokeys.kube.lease import (Lease, this_process)

async def main(kubeconfig, namespace, log):
    async with Api(load(kubeconfig=kubeconfig)) as api:
        lease = Lease(api, name="route", namespace=namespace, holder=this_process(), duration_s=3)
        async with lease.hold():
            while True:
                with open(log, "a") as file:
                    file.write(f"{time.monotonic()}\\n")
                await asyncio.sleep(0.02)

asyncio.run(main(*sys.argv[1:]))
"""


def test_killed_holder_is_followed_in_time(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    """After a SIGKILL the other process takes over when the lease ends, and never before."""
    logs = [tmp_path / "one", tmp_path / "two"]
    holders = []
    try:
        for log in logs:
            argv = [sys.executable, "-c", HOLDER, str(kubernetes.kubeconfig), namespace, str(log)]
            holders.append(subprocess.Popen(argv))
            if log == logs[0]:
                asyncio.run(until(logs[0].exists))
        time.sleep(1.5 * DURATION_S)
        assert not logs[1].exists(), "the second process acted while the first held the lease"
        holders[0].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        holders[0].wait()
        asyncio.run(until(logs[1].exists))
        last_act = float(logs[0].read_text().splitlines()[-1])
        takeover = float(logs[1].read_text().splitlines()[0])
        assert last_act < takeover
        assert takeover - killed <= DURATION_S + PATIENCE_S
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def test_released_lease_is_taken_at_once(kubernetes: Kubernetes, namespace: str) -> None:
    """A holder that ends in order leaves a Lease that the API server and kubectl understand."""

    async def main() -> None:
        async with connect(kubernetes) as api:

            def lease(holder: str) -> Lease:
                return Lease(api, name="r", namespace=namespace, holder=holder, duration_s=30)

            async with lease("one").hold():
                found = await api.get(LEASE, "r", namespace=namespace)
                assert found["spec"]["holderIdentity"] == "one"
                waiting = asyncio.create_task(lease("two").acquire())
                await asyncio.sleep(0.1)
                assert not waiting.done()
            started = time.monotonic()
            second = await waiting
            assert time.monotonic() - started < PATIENCE_S
            await second.release()
        assert "r" in kubernetes.kubectl("get", "leases", "-n", namespace)

    asyncio.run(main())
