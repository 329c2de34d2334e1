# SPDX-License-Identifier: Apache-2.0
"""The manifest with which krew installs lokeys as a plugin of kubectl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The program for one platform, packed."""

    system: str
    machine: str
    file: str
    sha256: str


def manifest(version: str, archives: Sequence[Archive], *, address: str) -> str:
    """Return the manifest. Without an address it is for `kubectl krew install --archive` alone."""
    tag = f"v{version}"
    root = f"{address.rstrip('/')}/{tag}" if address else "https://example.invalid"
    return yaml.safe_dump(
        {
            "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
            "kind": "Plugin",
            "metadata": {"name": "lokeys"},
            "spec": {
                "version": tag,
                "shortDescription": "Find and repair Loki's storage credentials",
                "description": _WHAT,
                "caveats": "Python 3.11 or newer must be on the path as python3.\n",
                "platforms": [_platform(each, f"{root}/{each.file}") for each in archives],
            },
        },
        sort_keys=False,
        width=100,
    )


def _platform(archive: Archive, address: str) -> dict[str, object]:
    return {
        "selector": {"matchLabels": {"os": archive.system, "arch": archive.machine}},
        "uri": address,
        "sha256": archive.sha256,
        "bin": "kubectl-lokeys",
    }


_WHAT = """\
lokeys finds out why Grafana Loki cannot reach its object storage. It compares the same key in Rook
or any Secret, 1Password, External Secrets and the pods, tries it at the store, and repairs the
route step by step.
"""
