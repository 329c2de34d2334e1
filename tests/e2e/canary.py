# SPDX-License-Identifier: Apache-2.0
"""Where no secret of a homelab may ever be seen."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.operators import Installation
from e2e.world import Homelab


def assert_no_secret_shows(home: Homelab, installation: Installation) -> None:
    """Fail where a key's secret or Connect's token is in sight, without showing it once more."""
    canaries = {secret.encode() for secret in home.secrets if secret}
    canaries |= {b64encode(secret) for secret in canaries}
    assert canaries, "a homelab without secrets proves nothing"
    shown = [
        place for place, seen in _places(home, installation) if any(c in seen for c in canaries)
    ]
    if shown:
        pytest.fail(f"a secret shows in: {', '.join(shown)}", pytrace=False)


def _places(home: Homelab, installation: Installation) -> Iterator[tuple[str, bytes]]:
    for replica in installation.replicas:
        yield replica.log.name, replica.log.read_bytes()
        if replica.running:
            yield "its metrics", replica.metrics().encode()
    api = home.kubernetes.api
    for namespace in (home.monitoring, home.storage, installation.namespace):
        events = api.get(f"/api/v1/namespaces/{namespace}/events")
        yield f"events in {namespace}", json.dumps(events).encode()
    routes = api.get(f"/apis/lokeys.dev/v1alpha1/namespaces/{home.monitoring}/storagecredentials")
    yield "the StorageCredential", json.dumps(routes).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield f"the command line of {folder.name}", (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
