# SPDX-License-Identifier: Apache-2.0
"""What a release is made of, as a CycloneDX document: the same input makes the same document."""

from __future__ import annotations

import email
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from release.debian_base import Package

Json = dict[str, Any]
VERSION = "1.6"
_HASHED = re.compile(
    r"^(\S+)==(\S+) \\\n((?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", re.MULTILINE
)


def document(name: str, version: str, components: Iterable[Json], *, time: int) -> Json:
    """Return the document of one thing that is released, and of what is in it."""
    made = sorted(components, key=lambda each: str(each["purl"]))
    names = "\n".join(str(each["purl"]) for each in made)
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {version} {time}\n{names}")
    subject = {"type": "application", "bom-ref": name, "name": name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(time, UTC).isoformat(),
            "component": {**subject, "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": made,
        "dependencies": [{"ref": name, "dependsOn": [each["bom-ref"] for each in made]}],
    }


def of_debian(packages: Iterable[Package]) -> Iterator[Json]:
    """Yield the components that are Debian's packages."""
    for each in packages:
        version = quote(each.version, safe=".+-~")
        purl = f"pkg:deb/debian/{each.name}@{version}?arch={each.architecture}"
        yield _component(each.name, each.version, purl)


def of_environment(packages: Path) -> Iterator[Json]:
    """Yield the components that an environment's `site-packages` says it has."""
    for note in packages.glob("*.dist-info/METADATA"):
        fields = email.message_from_string(note.read_text(errors="replace"))
        yield _python(fields["Name"], fields["Version"], fields["License-Expression"])


def of_lock(text: str) -> Iterator[Json]:
    """Yield the components that a lock pins, with the hashes of their files."""
    for name, version, hashes in _HASHED.findall(text):
        found = re.findall("[0-9a-f]{64}", hashes)
        yield _python(name, version, None) | {
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": f"https://pypi.org/project/{name}/{version}/",
                    "hashes": [{"alg": "SHA-256", "content": each} for each in found],
                }
            ]
        }


def _python(name: str, version: str, licence: str | None) -> Json:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    made = _component(name, version, f"pkg:pypi/{plain}@{quote(version, safe='.+-')}")
    return made | ({"licenses": [{"expression": licence}]} if licence else {})


def _component(name: str, version: str, purl: str) -> Json:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
