# SPDX-License-Identifier: Apache-2.0
"""What Azurite and fake-gcs-server refuse, and keys that are none."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from logs.around import HOST, NoTokens, Tokens, certificate, served
from logs.running import Fault, Json
from parts.clouds.stores import Azurite, FakeGcs


def faults_of_clouds(folder: Path, stack: contextlib.ExitStack) -> Iterator[Fault]:
    """Yield what Azurite and fake-gcs-server refuse, for the older clients."""
    cert, key = certificate(folder, "azurite", host=HOST)
    azurite = Azurite(account="acmelogs", certificate=cert, key=key)
    azurite.start()
    stack.callback(azurite.stop)
    where = (
        f"DefaultEndpointsProtocol=https;AccountName=acmelogs;BlobEndpoint={azurite.url}/acmelogs"
    )
    env = {"SSL_CERT_FILE": str(cert)}
    hidden = {azurite.account_key: "secret"}

    def azure(account_key: str) -> Json:
        return {
            "azure": {
                "account_name": "acmelogs",
                "container_name": "loki",
                "connection_string": f"{where};AccountKey={account_key}",
            }
        }

    wrong = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
    said = ("azure_account_key_invalid", "azurite")
    yield Fault(*said, azure(wrong), store="azure", env=env, hidden={wrong: "secret"})
    none = azure(azurite.account_key)
    yield Fault("bucket_not_found", "azurite", none, store="azure", env=env, hidden=hidden)
    account = {"account_name": "acmelogs", "account_key": "?sv=2022", "container_name": "loki"}
    yield Fault("azure_account_key_invalid", "sas", {"azure": account}, store="azure")
    gcs = FakeGcs()
    gcs.start()
    stack.callback(gcs.stop)
    yield from faults_of_a_service_account(gcs, folder, stack)
    bucket = {"gcs": {"bucket_name": "gone"}}
    yield Fault("no_credentials_in_chain", "gcs", bucket, store="gcs")
    key_file = folder / "key.json"
    key_file.write_text("loki-access-gcs")
    named = {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}
    yield Fault("gcs_key_json_invalid", "a-name", bucket, store="gcs", env=named)
    nothing = {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/loki/key.json"}
    yield Fault("gcs_key_json_invalid", "no-file", bucket, store="gcs", env=nothing)
    service = {
        "type": "service_account",
        "private_key": "-----BEGIN PRIVATE KEY-----broken-----END PRIVATE KEY-----",
        "client_email": "loki@acme.iam.gserviceaccount.com",
        "token_uri": f"{gcs.url}/token",
    }
    broken = folder / "broken.json"
    broken.write_text(json.dumps(service))
    pem = {"GOOGLE_APPLICATION_CREDENTIALS": str(broken)}
    yield Fault("gcs_key_json_invalid", "no-line-breaks", bucket, store="gcs", env=pem)


def faults_of_a_service_account(
    gcs: FakeGcs, folder: Path, stack: contextlib.ExitStack
) -> Iterator[Fault]:
    """Yield what a client with a whole key meets: a store, no bucket, a key that was deleted."""
    gcs.make_bucket("loki")
    private = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
    files = {}
    for name, handler in (("taken", Tokens), ("deleted", NoTokens)):
        port = stack.enter_context(served(handler))
        files[name] = folder / f"{name}.json"
        service = {
            "type": "service_account",
            "private_key": private.decode(),
            "client_email": "loki@acme.iam.gserviceaccount.com",
            "token_uri": f"http://{HOST}:{port}/token",
        }
        files[name].write_text(json.dumps(service))
    for cause, key, bucket in (
        ("healthy", "taken", "loki"),
        ("bucket_not_found", "taken", "gone"),
        ("gcs_invalid_jwt", "deleted", "loki"),
    ):
        env = {
            "STORAGE_EMULATOR_HOST": gcs.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(files[key]),
        }
        old = {"gcs": {"bucket_name": bucket}}
        yield Fault(cause, "fake-gcs-sdk", old, store="gcs", env=env)
        new = {"use_thanos_objstore": True, "object_store": {"gcs": {"bucket_name": bucket}}}
        yield Fault(cause, "fake-gcs-thanos", new, store="gcs", env=env)
