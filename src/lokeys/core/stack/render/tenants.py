# SPDX-License-Identifier: Apache-2.0
"""What the gateway is told of its tenants, and how a client's secret gets into it.

    ConfigMap tenants.yaml ──▶ init container ──▶ memory: tenants.yaml ──▶ gateway
      without values             │ the Secrets' files are mounted here alone

The gateway takes a client's secret in its configuration only, from no variable and no file. So the
configuration that is printed and stored names files, and a container of the gateway's own image
puts their contents in before the gateway starts: no value leaves its Secret but into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.core.stack.render import names
from lokeys.core.stack.resource.model import Entry, LokiStack, Oidc, Tenants

FOLDER = "/etc/lokistack-gateway"
CLIENTS_FOLDER = "/var/run/lokistack-gateway/clients"
FILES_FOLDER = "/var/run/lokistack-gateway/files"
FILLED_FOLDER = "/var/run/lokistack-gateway/tenants"
TENANTS_FILE = "tenants.yaml"
FILL = r"""
set -eu
umask 077
while IFS= read -r line; do
  case $line in
    "    clientID: "* | "    clientSecret: "* | "    issuerCAPath: clients/"*) ;;
    *) printf '%s\n' "$line"; continue ;;
  esac
  file=$2/${line#*: clients/}
  key=${line%%: *}
  if [ ! -e "$file" ]; then
    [ "$key" = "    clientID" ] || continue
    echo "${file##*/} is not in the Secret of a tenant" >&2
    exit 1
  fi
  value=
  IFS= read -r value < "$file" || [ -n "$value" ] || continue
  quoted=
  while :; do
    case $value in *\'*) ;; *) break ;; esac
    quoted="$quoted${value%%\'*}''"
    value=${value#*\'}
  done
  printf "%s: '%s'\n" "$key" "$quoted$value"
done < "$1" > "$3"
""".strip()
"""Puts the first lines of the Secrets in, quoted; with the shell's own words alone."""

Manifest = dict[str, Any]


def tenant_entries(stack: LokiStack, tenants: Tenants) -> Iterator[Manifest]:
    """Yield the gateway's list of tenants, which names files where a Secret's values belong."""
    for name in names.OPENSHIFT_TENANTS.get(tenants.mode, ()):
        yield {
            "id": name,
            "name": name,
            "opa": {
                "url": f"http://localhost:{names.OPA_PORT}/v1/data/lokistack/allow",
                "withAccessToken": True,
            },
            "openshift": {"serviceAccount": f"{stack.name}-gateway"},
        }
    for tenant in tenants.authentication:
        entry: Manifest = {"id": tenant.id, "name": tenant.name}
        if tenant.client_ca is not None:
            entry["mTLS"] = {"caPath": path_of(tenants, tenant.client_ca)}
        if tenant.oidc is not None:
            entry["oidc"] = _oidc(tenants, tenant.oidc)
        if tenants.opa_url:
            entry["opa"] = {"url": tenants.opa_url}
        yield entry


def _oidc(tenants: Tenants, oidc: Oidc) -> Manifest:
    place = f"clients/{tenants.client_secrets.index(oidc.secret_name)}"
    ca = oidc.issuer_ca
    words = {
        "clientID": f"{place}/clientID",
        "clientSecret": f"{place}/clientSecret",
        "groupClaim": oidc.group_claim,
        "issuerCAPath": path_of(tenants, ca) if ca else f"{place}/issuerCAPath",
        "issuerURL": oidc.issuer_url,
        "redirectURL": oidc.redirect_url,
        "usernameClaim": oidc.username_claim,
    }
    return {name: value for name, value in words.items() if value}


def files_of(tenants: Tenants) -> tuple[tuple[str, str], ...]:
    """Return kind and name of the objects whose keys the gateway reads as files."""
    tls = tenants.tls
    entries = (*tenants.authorities, tls.certificate, tls.private_key, tls.ca)
    return tuple(sorted({(entry.kind, entry.name) for entry in entries if entry}))


def path_of(tenants: Tenants, entry: Entry) -> str:
    """Return where in the gateway's container a key of an object is."""
    place = files_of(tenants).index((entry.kind, entry.name))
    return f"{FILES_FOLDER}/{place}/{entry.key}"


def volumes(tenants: Tenants) -> Iterator[Manifest]:
    """Yield the volumes of the gateway's pods beside that of its ConfigMap."""
    for place, name in enumerate(tenants.client_secrets):
        yield {"name": f"client-{place}", "secret": {"defaultMode": 0o644, "secretName": name}}
    for place, (kind, name) in enumerate(files_of(tenants)):
        volume = f"file-{place}"
        if kind == "Secret":
            yield {"name": volume, "secret": {"defaultMode": 0o644, "secretName": name}}
        else:
            yield {"configMap": {"defaultMode": 0o644, "name": name}, "name": volume}
    if tenants.client_secrets:
        yield {"emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}, "name": "tenants"}


def mounts(tenants: Tenants) -> Iterator[Manifest]:
    """Yield what the gateway's container mounts beside its ConfigMap: no client's Secret."""
    for place in range(len(files_of(tenants))):
        yield _mount(f"file-{place}", f"{FILES_FOLDER}/{place}")
    if tenants.client_secrets:
        yield _mount("tenants", FILLED_FOLDER)


def tenants_file(tenants: Tenants) -> str:
    """Return where the gateway finds its tenants."""
    return f"{FILLED_FOLDER if tenants.client_secrets else FOLDER}/{TENANTS_FILE}"


def filling(tenants: Tenants) -> Manifest:
    """Return the container that fills in what the clients' Secrets hold."""
    clients = [
        _mount(f"client-{place}", f"{CLIENTS_FOLDER}/{place}")
        for place in range(len(tenants.client_secrets))
    ]
    target = f"{FILLED_FOLDER}/{TENANTS_FILE}"
    return {
        "args": ["tenants", f"{FOLDER}/{TENANTS_FILE}", CLIENTS_FOLDER, target],
        "command": ["/bin/sh", "-c", FILL],
        "name": "tenants",
        "volumeMounts": [
            _mount("access", FOLDER),
            *clients,
            {"mountPath": FILLED_FOLDER, "name": "tenants"},
        ],
    }


def _mount(volume: str, path: str) -> Manifest:
    return {"mountPath": path, "name": volume, "readOnly": True}
