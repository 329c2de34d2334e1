# SPDX-License-Identifier: Apache-2.0
"""The commands that mend a storage Secret, run as they are printed: by a shell and kubectl."""

import json
import os
import subprocess
from asyncio import to_thread
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.demo.world import NAMESPACE, named, on_loop, world
from lokeys.core.place import Ref
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from parts.build import program
from parts.plugin import need, not_built

STACK = Ref("LokiStack", "my-stack", NAMESPACE)
SECRET = Ref("Secret", "loki-storage", NAMESPACE)
RGW = {"bucketnames": "loki", "endpoint": "http://rgw.storage:7480"}
TYPED = """a "quoted" \\back\\slash %s $HOME `x` 'y' ä """
ACCOUNT = json.dumps({"type": "service_account", "private_key": "-----BEGIN\n\\n'\"-----"})


@dataclass(frozen=True, kw_only=True)
class Mending:
    """A Secret's values, the key that is told of, what is typed, and what must come of it."""

    kind: str
    values: dict[str, str]
    field: str
    wanted: dict[str, str]
    typed: str = ""


MENDINGS = {
    "typed": Mending(
        kind="s3",
        values={**RGW, "access_key_id": "id"},
        field="access_key_secret",
        typed=TYPED,
        wanted={"access_key_secret": TYPED},
    ),
    "from a file": Mending(
        kind="gcs", values={"bucketname": "loki"}, field="key.json", wanted={"key.json": ACCOUNT}
    ),
}


def printed(mending: Mending) -> str:
    """Return the first command for a key of a Secret."""
    secret = secret_data({"stringData": mending.values}, ref=SECRET, stack=STACK).data
    findings = read_storage(STACK, mending.kind, "static", secret=secret).findings
    (finding,) = [each for each in findings if each.field == mending.field]
    command = finding.remedy[0].command
    assert command is not None
    return str(command)


@pytest.mark.parametrize("mending", MENDINGS.values(), ids=MENDINGS)
@on_loop
async def test_a_secret_value_arrives_as_it_is(
    mending: Mending, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Quotes, backslashes and blanks included; what else the Secret holds stays."""
    need(pytestconfig, "kubernetes", not_built("kubernetes", "kubectl"))
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    (tmp_path / "key.json").write_text(ACCOUNT)
    async with world(tmp_path) as cluster:
        cluster.api.add(named("Secret", SECRET.name, stringData=mending.values))
        config = cluster.api.write_kubeconfig(tmp_path / "config", namespace=NAMESPACE)
        done = await to_thread(
            subprocess.run,
            ["bash", "-c", printed(mending)],
            input=f"{mending.typed}\n",
            env={
                "PATH": f"{kubectl.parent}:{os.environ['PATH']}",
                "KUBECONFIG": str(config),
                "HOME": str(tmp_path),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET.name}"
        _, found = await cluster.call("GET", path)
    wanted = {**mending.values, **mending.wanted}
    assert found["data"] == {key: b64encode(each.encode()).decode() for key, each in wanted.items()}
