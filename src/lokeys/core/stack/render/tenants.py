# SPDX-License-Identifier: Apache-2.0
"""The gateway's list of tenants, and how a client's secret gets into it.

    ConfigMap tenants.yaml ──▶ init container ──▶ memory: tenants.yaml ──▶ gateway
      without values             │ only here are the Secrets' files mounted

The gateway accepts a client's secret only in its configuration, not from a variable or a file. So
the configuration that is printed and stored names files, and a container of the gateway's own image
inserts their contents before the gateway starts: a value leaves its Secret only into memory.

In the OpenShift modes it derives the cookies' key there in the same way: HMAC-SHA256 of `lokeys
gateway cookies of TENANT` under the private key with which the gateway serves TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
digest() { sum=$(sha256sum); printf %s "${sum%% *}"; }
bytes() {
  left=$1
  while [ -n "$left" ]; do
    rest=${left#??}
    printf %b "\\0$(printf %03o $((0x${left%"$rest"} ^ $2)))"
    left=$rest
  done
}
signed() {
  key=$(digest < "$2")0000000000000000000000000000000000000000000000000000000000000000
  inner=$({ bytes "$key" 54; printf %s "$1"; } | digest)
  { bytes "$key" 92; bytes "$inner" 0; } | digest
}
while IFS= read -r line; do
  case $line in
    "    cookieSecret: cookies/"*)
      value=$(signed "lokeys gateway cookies of ${line#*: cookies/}" "$4")
      [ "${#value}" = 64 ] || { echo "sha256sum does not work" >&2; exit 1; }
      printf "    cookieSecret: '%s'\n" "${value%????????????????????????????????}"
      continue ;;
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
"""Inserts the first lines of the Secrets, quoted, and derives cookies' keys from a private key.

Uses only the shell's built-ins, and `sha256sum` for keys. A cookies' key is text of 32 bytes.
"""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How browsers log in: the host to which they return, and where the private key is."""

    host: str
    private_key: str
    key_mount: Manifest


def tenant_entries(
    stack: LokiStack, tenants: Tenants, login: Login | None = None
) -> Iterator[Manifest]:
    """Yield the gateway's list of tenants, with names of files in place of a Secret's values."""
    for name in names.OPENSHIFT_TENANTS.get(tenants.mode, ()):
        yield {
            "id": name,
            "name": name,
            "opa": {
                "url": f"http://localhost:{names.OPA_PORT}/v1/data/lokistack/allow",
                "withAccessToken": True,
            },
            "openshift": _openshift(stack, name, login),
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


def _openshift(stack: LokiStack, tenant: str, login: Login | None) -> Manifest:
    account = {"serviceAccount": f"{stack.name}-gateway"}
    if login is None:
        return account
    back = f"https://{login.host}/openshift/{tenant}/callback"
    return {"cookieSecret": f"cookies/{tenant}", "redirectURL": back, **account}


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


def mount_of(tenants: Tenants, entry: Entry) -> Manifest:
    """Return a container's mount of the object with a key that the stack names."""
    place = files_of(tenants).index((entry.kind, entry.name))
    return _mount(f"file-{place}", f"{FILES_FOLDER}/{place}")


def volumes(tenants: Tenants, login: Login | None = None) -> Iterator[Manifest]:
    """Yield the volumes of the gateway's pods, except that of its ConfigMap."""
    for place, name in enumerate(tenants.client_secrets):
        yield {"name": f"client-{place}", "secret": {"defaultMode": 0o644, "secretName": name}}
    for place, (kind, name) in enumerate(files_of(tenants)):
        volume = f"file-{place}"
        if kind == "Secret":
            yield {"name": volume, "secret": {"defaultMode": 0o644, "secretName": name}}
        else:
            yield {"configMap": {"defaultMode": 0o644, "name": name}, "name": volume}
    if is_filled(tenants, login):
        yield {"emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}, "name": "tenants"}


def is_filled(tenants: Tenants, login: Login | None) -> bool:
    """Tell whether the list of tenants needs values that must not be printed."""
    return bool(tenants.client_secrets) or login is not None


def mounts(tenants: Tenants, login: Login | None = None) -> Iterator[Manifest]:
    """Yield the gateway's mounts, except its ConfigMap: no client's Secret."""
    for place in range(len(files_of(tenants))):
        yield _mount(f"file-{place}", f"{FILES_FOLDER}/{place}")
    if is_filled(tenants, login):
        yield _mount("tenants", FILLED_FOLDER)


def tenants_file(tenants: Tenants, login: Login | None = None) -> str:
    """Return the path of the gateway's list of tenants."""
    return f"{FILLED_FOLDER if is_filled(tenants, login) else FOLDER}/{TENANTS_FILE}"


def filling(tenants: Tenants, login: Login | None = None) -> Manifest:
    """Return the container that inserts the clients' Secrets and the cookies' keys."""
    clients = [
        _mount(f"client-{place}", f"{CLIENTS_FOLDER}/{place}")
        for place in range(len(tenants.client_secrets))
    ]
    target = f"{FILLED_FOLDER}/{TENANTS_FILE}"
    key = [login.private_key] if login else []
    return {
        "args": ["tenants", f"{FOLDER}/{TENANTS_FILE}", CLIENTS_FOLDER, target, *key],
        "command": ["/bin/sh", "-c", FILL],
        "name": "tenants",
        "volumeMounts": [
            _mount("access", FOLDER),
            *clients,
            *([login.key_mount] if login else ()),
            {"mountPath": FILLED_FOLDER, "name": "tenants"},
        ],
    }


def _mount(volume: str, path: str) -> Manifest:
    return {"mountPath": path, "name": volume, "readOnly": True}
