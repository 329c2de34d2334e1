# SPDX-License-Identifier: Apache-2.0
"""Credentials that a person provides, tested at their store: `lokeys probe s3|azure|gcs`.

They come from a Secret (a manifest, or the cluster's), from the environment that the cloud's own
tools read, or from files. Never from the command line: everybody on the machine can read it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.files.manifests import name_of, read
from lokeys.adapters.http_clients import HttpClients
from lokeys.cli import screens
from lokeys.cli.names import named
from lokeys.cli.options import Options
from lokeys.cli.output import Printer
from lokeys.cli.session import Session, Way, proxies_told, run_session, way_through
from lokeys.clock import utc_now
from lokeys.core.findings.report import heeded, ignore_of, probe_report
from lokeys.core.place import Ref
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.storage.model import S3, Azure, CredentialMode, Gcs, StorageType
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import SecretData, secret_data
from lokeys.core.trust.tries.identity import SESSION, BlobPlace, GcsPlace, S3Place, place_of
from lokeys.core.trust.tries.verification import Verification, in_order
from lokeys.engine.stack.verify import try_key
from lokeys.errors import BadInput, NotFound
from lokeys.exit_codes import ExitCode
from lokeys.ports import Clouds, Objects

MAX_BYTES = 64 * 1024
HANDED_IN = "what was handed in"
_OTHER_NAMES = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "access_key_secret",
    "secret_access_key": "access_key_secret",
}
"""Data keys of Secrets that are not for a LokiStack."""
_ENVIRONMENT: Mapping[StorageType, Mapping[str, str]] = {
    StorageType.S3: {
        "AWS_ACCESS_KEY_ID": "access_key_id",
        "AWS_SECRET_ACCESS_KEY": "access_key_secret",
        SESSION: SESSION,
        "AWS_REGION": "region",
        "AWS_ENDPOINT_URL_S3": "endpoint",
    },
    StorageType.AZURE: {
        "AZURE_STORAGE_ACCOUNT": "account_name",
        "AZURE_STORAGE_KEY": "account_key",
    },
    StorageType.GCS: {},
}
_FILES: Mapping[StorageType, Mapping[str, str]] = {
    StorageType.GCS: {"GOOGLE_APPLICATION_CREDENTIALS": "key.json"},
}
_NAMES_A_TRUST = {StorageType.S3: "role_arn", StorageType.AZURE: "client_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCredentials:
    """The command line's options: where the credentials are, and what is not secret."""

    type: StorageType
    name: str | None = None
    file: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    secret_files: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None

    @property
    def from_cluster(self) -> bool:
        """Tell whether a Secret of the cluster is meant."""
        return self.name is not None and self.file is None


async def gathered(
    given: GivenCredentials, objects: Objects | None, *, namespace: str, environ: Mapping[str, str]
) -> SecretData:
    """Return everything that is known, as a storage Secret's data. Raises BadInput."""
    if given.name is not None:
        named(given.name)
    ref = Ref("Secret", given.name or HANDED_IN, namespace if given.name else None)
    if given.name is None and given.file is None:
        values = _from_environment(given.type, environ)
    else:
        values = await _from_secret(given, objects, ref)
    values |= {key: Sensitive(_content(path)) for key, path in given.secret_files.items()}
    values |= {key: Sensitive(text) for key, text in given.words.items()}
    if given.type is StorageType.AZURE and not {"environment", "endpoint_suffix"} & values.keys():
        values["environment"] = Sensitive("AzureGlobal")
    return SecretData(ref=ref, values=values, keys=frozenset(values))


async def _from_secret(
    given: GivenCredentials, objects: Objects | None, ref: Ref
) -> dict[str, Sensitive]:
    if given.file is not None:
        secrets = [item for item in read(given.file) if item.object.get("kind") == "Secret"]
        chosen = [item for item in secrets if given.name in (None, name_of(item))]
        if len(chosen) != 1:
            raise BadInput(
                f"{len(chosen) or 'no'} Secret{'s' * (len(chosen) > 1)} in here",
                place=given.file,
                hint="give the name of one that is",
            )
        manifest: Mapping[str, object] = chosen[0].object
    elif objects is not None:
        try:
            manifest = await objects.get(ref)
        except NotFound as exc:
            raise BadInput(f"there is no {ref}") from exc
    else:
        raise BadInput("a Secret by its name needs a cluster")
    found = dict(secret_data(manifest, ref=ref, stack=ref).data.values or {})
    for other, key in _OTHER_NAMES.items():
        if given.type is StorageType.S3 and other in found and key not in found:
            found[key] = found.pop(other)
    return found


def _from_environment(kind: StorageType, environ: Mapping[str, str]) -> dict[str, Sensitive]:
    known = _ENVIRONMENT[kind].items()
    values = {key: Sensitive(environ[name]) for name, key in known if environ.get(name)}
    for name, key in _FILES.get(kind, {}).items():
        if environ.get(name):
            values[key] = Sensitive(_content(environ[name]))
    return values


def _content(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadInput(f"cannot read it: {reason}", place=path) from error
    if len(content) > MAX_BYTES:
        raise BadInput("too large for a key", place=path)
    return content.rstrip(b"\r\n")


def run_given(given: GivenCredentials, options: Options) -> int:
    """Test what was provided, through a cluster if one is needed; return the exit code."""
    if given.from_cluster or options.reach == "forward":
        return run_session(options, lambda session: _in_cluster(given, session))
    return asyncio.run(_from_here(given, options))


async def _in_cluster(given: GivenCredentials, session: Session) -> int:
    return await probe_given(
        given,
        session.clouds,
        session.printer,
        session.options,
        way=session.way,
        objects=session.objects,
        namespace=session.namespace,
    )


async def _from_here(given: GivenCredentials, options: Options) -> int:
    printer = Printer(no_color=options.no_color)
    async with HttpClients(proxies=proxies_told(printer, options)) as clients:
        clouds = AllClouds(clients=clients, clock=utc_now)
        way = way_through(clients, utc_now)
        return await probe_given(given, clouds, printer, options, way=way)


async def probe_given(  # noqa: PLR0913 - what a test of given credentials depends on
    given: GivenCredentials,
    clouds: Clouds,
    printer: Printer,
    options: Options,
    *,
    way: Way,
    objects: Objects | None = None,
    namespace: str = "default",
    environ: Mapping[str, str] | None = None,
) -> int:
    """Test what was provided; return the exit code."""
    variables = os.environ if environ is None else environ
    secret = await gathered(given, objects, namespace=namespace, environ=variables)
    trust = _NAMES_A_TRUST.get(given.type)
    if trust is not None and secret.has(trust):
        raise BadInput(
            f"{secret.ref} names a trust (`{trust}`), not a key",
            hint="a token is a stack's: lokeys probe stack NAME",
        )
    mode = CredentialMode.STATIC.value
    reading = read_storage(secret.ref, given.type.value, mode, secret=secret)
    if not isinstance(reading.storage, S3 | Azure | Gcs):
        findings = heeded(reading.findings, [ignore_of(word) for word in options.ignore])
        if options.output == "json":
            printer.json(probe_report(None, [], findings))
        else:
            printer.lines(screens.findings_lines(findings, width=printer.width))
        return ExitCode.FINDINGS
    ca_bundle = _content(given.ca_file).decode(errors="replace") if given.ca_file else None
    before = await way(_endpoint_of(reading.storage), ca_bundle)
    names, links = await try_key(
        clouds, reading.storage, secret, ca_bundle=ca_bundle, owner=f"{given.type.value} probe"
    )
    tried = Verification(account="", links=(*before, *in_order(links, expected=names)))
    return _show(tried, printer, options)


def _endpoint_of(storage: S3 | Azure | Gcs) -> str:
    match place_of(storage):
        case S3Place(buckets=buckets):
            return buckets[0].endpoint
        case BlobPlace(url=url) | GcsPlace(url=url):
            return url


_EXIT_CODES = {
    True: ExitCode.NOTHING_TO_REPORT,
    False: ExitCode.FINDINGS,
    None: ExitCode.INCOMPLETE,
}


def _show(tried: Verification, printer: Printer, options: Options) -> int:
    if options.output == "json":
        printer.json(probe_report(None, tried.links))
    else:
        printer.lines(screens.link_lines(tried.links, width=printer.width))
        printer.lines(screens.first_broken_lines(tried.links, width=printer.width))
    return _EXIT_CODES[tried.verified]
