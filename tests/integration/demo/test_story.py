# SPDX-License-Identifier: Apache-2.0
"""`lokeys demo`, played whole: how it ends, what it shows, and that nothing stays."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from lokeys.cli.commands.demo import Silence, Terminal
from lokeys.demo import story
from lokeys.demo.homelab import Homelab
from lokeys.demo.line_shipper import LineShipper
from lokeys.demo.proof import claims
from lokeys.demo.stage import Stage

DEMO_TAKES_AT_MOST_S = 120
STEPS = ["test-key", "write-vault", "force-sync", "replace-pod"]
PROOF = {
    "loki_writes",
    "no_line_lost",
    "hops_agree",
    "nothing_refused",
    "nothing_else_touched",
    "no_secret_shown",
}


def demo(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Start the demo as a person does, with its temporary files in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "lokeys", "demo", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder), "http_proxy": "http://127.0.0.1:9"},
        start_new_session=True,
    )


def left_in_group(process: subprocess.Popen[str]) -> bool:
    """Tell whether any process that the demo started still runs."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_story_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    """One JSON document with every step and proof, exit 0, no warning, no file, no process."""
    with demo(tmp_path, "-o", "json") as process:
        out, err = process.communicate(timeout=DEMO_TAKES_AT_MOST_S)
    document = json.loads(out)
    assert (process.returncode, err) == (0, "")
    assert (document["apiVersion"], document["kind"]) == ("lokeys.dev/v1", "DemoReport")
    assert document["ok"] is True
    assert document["missing"] == []
    assert document["proof"] == dict.fromkeys(PROOF, True)
    assert [act["number"] for act in document["acts"]] == [1, 2, 3, 4, 5, 6, 7]
    for number in (4, 6):
        assert [s["action"] for s in document["steps"] if s["act"] == number] == STEPS
    bridge = [s["action"] for s in document["steps"] if s["act"] == 7]
    assert bridge[:3] == ["test-key", "keep-pair", "add-key"]
    assert "retire-key" in bridge
    assert document["diagnosis"]["findings"][0]["cause"] == "vault_behind_source"
    assert document["route"]["findings"] == []
    assert list(tmp_path.iterdir()) == []
    assert not left_in_group(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of the story, Ctrl-C and its like stop everything and leave nothing."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        while "Somebody replaces" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "\ninterrupted: everything is stopped, and nothing stays\n"
    assert list(tmp_path.iterdir()) == []
    assert not left_in_group(process)


def api_server(kubeconfig: Path) -> str:
    """Return where the demo's API server is."""
    server: str = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server


class Spying:
    """Collects whatever any Secret of the cluster holds, as often as a stage is asked anything."""

    secrets: set[str]
    kubeconfig: Path

    async def spy(self) -> None:
        server = api_server(self.kubeconfig)
        async with httpx2.AsyncClient(trust_env=False) as client:
            found = (await client.get(f"{server}/api/v1/secrets")).json()["items"]
        for data in (item["data"] for item in found):
            for key in data.keys() - {"Endpoint"}:
                value = b64decode(data[key])
                if not value:
                    continue  # of a user with spec.keys, Rook's own Secret is blank
                self.secrets |= {data[key], value.decode(errors="replace"), repr(value)[2:-1]}


class SpyingTerminal(Spying, Terminal):
    """A person's stage with a spy on it."""

    def __init__(self) -> None:
        super().__init__(no_color=False, fast=True)
        self.secrets = set()

    async def trace(self, kubeconfig: Path, name: str) -> None:
        self.kubeconfig = kubeconfig
        await self.spy()
        await super().trace(kubeconfig, name)

    async def pause(self) -> None:
        await self.spy()


class SpyingSilence(Spying, Silence):
    """A program's stage with a spy on it."""

    def __init__(self) -> None:
        self.secrets = set()

    async def trace(self, kubeconfig: Path, name: str) -> dict[str, Any]:
        self.kubeconfig = kubeconfig
        await self.spy()
        return await super().trace(kubeconfig, name)

    async def pause(self) -> None:
        await self.spy()


def play(stage: Stage) -> story.StoryEnding:
    """Play the story on a stage."""

    async def bounded() -> story.StoryEnding:
        async with asyncio.timeout(DEMO_TAKES_AT_MOST_S):
            return await story.play(stage)

    return asyncio.run(bounded())


def test_no_secret_is_on_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither key nor token nor fingerprint key, of any moment; and no line is over 80 columns."""
    stage = SpyingTerminal()
    ending = play(stage)
    shown = "".join(capfd.readouterr())
    assert (ending.code, ending.missing) == (0, ())
    assert len(stage.secrets) > 10
    assert [secret for secret in stage.secrets if secret in shown] == []
    assert shown == stage.said
    assert max(map(len, shown.splitlines())) <= 80


def test_no_secret_is_in_the_document(capfd: pytest.CaptureFixture[str]) -> None:
    """What programs get holds none either, and nothing else is said."""
    stage = SpyingSilence()
    document = json.dumps(play(stage).document)
    assert len(stage.secrets) > 10
    assert [secret for secret in stage.secrets if secret in document] == []
    assert capfd.readouterr() == ("", "")


class RivalOperator(Silence):
    """A stage on which, in the middle of the story, another takes the operator's Lease."""

    async def doctor(self, kubeconfig: Path) -> dict[str, Any]:
        url = (
            f"{api_server(kubeconfig)}/apis/coordination.k8s.io/v1/namespaces/lokeys-system/leases"
        )
        change = {"spec": {"holderIdentity": "another", "leaseDurationSeconds": 3600}}
        headers = {"content-type": "application/merge-patch+json"}
        async with httpx2.AsyncClient(trust_env=False) as client:
            content = json.dumps(change)
            answer = await client.patch(f"{url}/lokeys-operator", content=content, headers=headers)
        answer.raise_for_status()
        return await super().doctor(kubeconfig)


def test_a_story_without_its_operator_says_so() -> None:
    """Where the operator ends before it has healed, the exit code is 1 and the reason is named."""
    ending = play(RivalOperator())
    assert ending.code == 1
    assert ending.document["ok"] is False
    assert "the operator ended; it last said: " in ending.missing[0]
    assert ending.document["proof"] == {}


def test_a_dead_key_proves_nothing(tmp_path: Path) -> None:
    """The store's own record is asked: a Loki whose key was replaced behind it does not pass."""

    async def wrecked() -> set[str]:
        async with Homelab(tmp_path) as home, LineShipper(lambda: home.loki_url) as shipper:
            await home.until(lambda: home.newest_chunk is not None)
            await home.replace_key()
            while await home.refusals() == 0:  # noqa: ASYNC110 - Loki tells nobody
                await asyncio.sleep(0.05)
            secret = home.secrets[0].reveal_text()
            found = await claims(home, lines=[*shipper.taken, "another"], shown=[secret])
            return {claim.name for claim in found if not claim.holds}

    assert asyncio.run(wrecked()) == PROOF - {"nothing_else_touched"}
