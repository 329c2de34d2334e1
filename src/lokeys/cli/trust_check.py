# SPDX-License-Identifier: Apache-2.0
"""`iam --check`: documents from files or from IAM itself, compared with a stack's needs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lokeys.clock import utc_now
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.aws_addresses import IAM_ENDPOINTS
from lokeys.core.place import Ref
from lokeys.core.proxies import from_environment
from lokeys.core.trust.aws.needs import AwsNeeds
from lokeys.core.trust.azure.needs import AzureNeeds
from lokeys.core.trust.clouds import Needs, check
from lokeys.core.trust.fetched import DocumentKind, Fetched, NotThis
from lokeys.core.trust.gcp.needs import GcpNeeds
from lokeys.core.trust.printed.shell import MissingValue
from lokeys.errors import BadInput, Forbidden, NotReadable, Unreachable

MAX_BYTES = 4 * 1024 * 1024
ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_IAM"
_CLAIMS = frozenset({"--issuer", "--name", "--namespace"})
_NEEDED: dict[tuple[str, DocumentKind], frozenset[str]] = {
    ("aws", DocumentKind.TRUST): _CLAIMS | {"--account-id", "--region"},
    ("aws", DocumentKind.POLICY): frozenset({"--bucket", "--region"}),
    ("aws", DocumentKind.BUCKET): frozenset({"--bucket", "--region", "--account-id", "--name"}),
    ("aws", DocumentKind.PROVIDER): frozenset({"--issuer"}),
    ("azure", DocumentKind.CREDENTIALS): _CLAIMS,
    ("azure", DocumentKind.ROLES): frozenset(
        {"--subscription", "--resource-group", "--storage-account", "--container"}
    ),
    ("gcp", DocumentKind.PROVIDER): _CLAIMS | {"--project-number", "--pool"},
    ("gcp", DocumentKind.TRUST): frozenset({"--name", "--namespace", "--project-number", "--pool"}),
    ("gcp", DocumentKind.POLICY): frozenset({"--project", "--name"}),
}
"""What must be known before a document can be compared."""

FETCHED_BY = {
    "azure": (
        "az identity federated-credential list --identity-name NAME --resource-group GROUP "
        "--output json > credentials.json; then --federated-credentials credentials.json"
    ),
    "gcp": (
        "gcloud iam service-accounts get-iam-policy EMAIL --format=json > trust.json; "
        "then --trust-policy trust.json"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The result of a comparison; `gaps` could not be read."""

    findings: tuple[Finding, ...]
    looked_at: tuple[Fetched, ...]
    gaps: tuple[str, ...] = ()


def checked(
    cloud: str,
    needs: Needs,
    files: Mapping[DocumentKind, Sequence[str]],
    missing: Sequence[MissingValue],
) -> Checked:
    """Compare the given documents, or what IAM says. Raises BadInput, LokeysError."""
    if files:
        _known_enough(cloud, files, missing)
        documents = [
            Fetched(kind=kind, of=_subject(kind, needs), content=_json(path), file=path)
            for kind, paths in files.items()
            for path in paths
        ]
        return Checked(findings=tuple(_compared(needs, documents)), looked_at=tuple(documents))
    if not isinstance(needs, AwsNeeds):
        raise BadInput("--check: no documents to compare", hint=FETCHED_BY[cloud])
    _known_enough(cloud, dict.fromkeys((DocumentKind.TRUST, DocumentKind.POLICY)), missing)
    return asyncio.run(_live(needs))


def _known_enough(
    cloud: str, kinds: Mapping[DocumentKind, Any], missing: Sequence[MissingValue]
) -> None:
    wanted = frozenset().union(*(_NEEDED[cloud, kind] for kind in kinds))
    lacking = [each for each in missing if each.option in wanted]
    if lacking:
        options = ", ".join(each.option for each in lacking)
        command = next((each.command for each in lacking if each.command), None)
        hint = str(command) if command else None
        raise BadInput(f"to compare, more must be known: {options}", hint=hint)


def _compared(needs: Needs, documents: Sequence[Fetched]) -> Iterator[Finding]:
    try:
        yield from check(needs, documents)
    except NotThis as problem:
        files = ", ".join(document.file for document in documents if document.file)
        raise BadInput(f"expected {problem}", place=files or None) from None


def _subject(kind: DocumentKind, needs: Needs) -> Ref:
    """Return a document's subject by its common name."""
    match needs:
        case AwsNeeds():
            others = {
                DocumentKind.PROVIDER: Ref("OIDCProvider", needs.provider_arn),
                DocumentKind.BUCKET: Ref("Bucket", needs.buckets[0]),
            }
            return others.get(kind, Ref("Role", needs.role_name))
        case AzureNeeds():
            return Ref("ManagedIdentity", needs.identity)
        case GcpNeeds():
            names = {
                DocumentKind.PROVIDER: Ref("WorkloadIdentityPoolProvider", needs.provider),
                DocumentKind.POLICY: Ref("Bucket", needs.bucket),
            }
            return names.get(kind, Ref("ServiceAccount", needs.email))


def _json(path: str) -> Any:
    try:
        if path == "-":
            content = _bounded(sys.stdin.buffer, "stdin")
        else:
            with Path(path).open("rb") as file:
                content = _bounded(file, path)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadInput(f"cannot read it: {reason}", place=path) from error
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BadInput("not UTF-8 text", place=path, hint="save it as UTF-8") from None
    except json.JSONDecodeError as problem:
        place = f"{path}:{problem.lineno}"
        hint = "hand it in as the cloud's own tool prints it, with its JSON output"
        raise BadInput(f"no JSON: {problem.msg.lower()}", place=place, hint=hint) from None
    except RecursionError:
        raise BadInput("nested too deeply", place=path) from None
    if found is None:
        raise BadInput("there is nothing in it but `null`", place=path)
    return found


def _bounded(file: BinaryIO, place: str) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadInput(f"larger than {MAX_BYTES // 1024 // 1024} MiB", place=place)
    return content


# --- live ---------------------------------------------------------------------------------------


async def _live(needs: AwsNeeds) -> Checked:
    # Only here: botocore's session loads slowly, and nothing else needs AWS.
    from lokeys.adapters.aws.iam import Iam, ambient_credentials  # noqa: PLC0415
    from lokeys.adapters.http_clients import HttpClients  # noqa: PLC0415

    endpoint, region = IAM_ENDPOINTS[needs.partition]
    if needs.elsewhere:
        endpoint, region = needs.sts_endpoint or needs.endpoint, needs.region
    # AWS's own tools use this variable, too.
    endpoint = os.environ.get(ENDPOINT_VARIABLE) or endpoint
    credentials = await ambient_credentials()
    documents: list[Fetched] = []
    gaps: list[str] = []
    async with HttpClients(proxies=from_environment(os.environ)) as clients:
        iam = Iam(
            client=clients.trusting(None),
            credentials=credentials,
            endpoint=endpoint.rstrip("/"),
            region=region,
            clock=utc_now,
        )
        try:
            async for document in iam.documents(needs.role_name, needs.provider_arn):
                documents.append(document)  # noqa: PERF401 - what came before an error counts
        except (Forbidden, NotReadable, Unreachable) as problem:
            gaps.append(str(problem))
    if not documents and gaps:
        raise Unreachable(gaps[0])
    found = tuple(_compared(needs, documents))
    return Checked(findings=found, looked_at=tuple(documents), gaps=tuple(gaps))
