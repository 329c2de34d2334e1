# SPDX-License-Identifier: Apache-2.0
"""Google's configuration of an exchange of tokens: key.json of type external_account.

Loki 3.7.8 reads it with golang.org/x/oauth2 0.36.0 (google/google.go, google/externalaccount/
basecredentials.go). That requires an audience, a subject token type and a source. It sends the
token wherever the addresses lead, and has a default if `token_url` is missing. What it does not
check Google's service does: the names of providers, https, the path of the exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.text.urls import NoUrl, Url, url
from lokeys.core.text.words import form, quoted

KEY = "key.json"
TOKEN_FILE = "/var/run/secrets/storage/serviceaccount/token"
_PROPOSALS_FILE = "/var/run/secrets/serviceaccount/token"
_WRONG_FILES = {
    _PROPOSALS_FILE: f"{_PROPOSALS_FILE}, as the Loki Operator's proposal once told",
    "/var/run/secrets/kubernetes.io/serviceaccount/token": "the API server's own token",
    "/var/run/secrets/openshift/serviceaccount/token": "/var/run/secrets/openshift/serviceaccount"
    "/token, as OpenShift's own components have it",
}
_PROVIDER = re.compile(
    r"//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/"
    r"[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}"
)
# Clusters of a fleet, and GKE's own, are providers of their project's pool without a name.
_CLUSTER = re.compile(r"identitynamespace:[a-z0-9.:-]{1,253}\.id\.goog:https://[\x21-\x7e]{1,253}")
# A pool of people, which may accept any issuer's tokens.
_WORKFORCE = re.compile(
    r"//iam\.googleapis\.com/locations/[a-z0-9-]+/workforcePools/[a-z0-9-]+/providers/.+"
)
_PROVIDER_FORM = "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/"
_TOKEN_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
_GOOGLE = "googleapis.com"
_LABEL = "[a-z0-9-]{1,63}"
_AROUND = rf"(?:{_LABEL}[-.])?%s(?:-{_LABEL}\.p)?(?:\.{_LABEL}){{0,3}}"
_STS = re.compile(_AROUND % "sts")
_IAM_CREDENTIALS = re.compile(_AROUND % "iamcredentials")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_TOKEN_PATHS = ("/v1/token", "/v1beta/token")
_TOKEN_URL = "https://sts.googleapis.com/v1/token"
_ACCOUNT = re.compile(
    r"/v1/projects/-/serviceAccounts/(?P<email>[a-z0-9.-]+@[a-z0-9.-]+|[0-9]{1,30})"
    r":generateAccessToken"
)
_ACCOUNT_URL = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/EMAIL"


def read_external_account(reader: SecretReader, found: Mapping[str, Any]) -> tuple[str, str]:
    """Return the provider and the service account that are named, as far as they are valid."""
    universe = found.get("universe_domain")
    sovereign = isinstance(universe, str) and _DOMAIN.fullmatch(universe) is not None
    domains = {_GOOGLE, str(universe).lower()} if sovereign else {_GOOGLE}
    _token_url(reader, found.get("token_url"), domains)
    if found.get("subject_token_type") not in _TOKEN_TYPES:
        bad(reader, "has another `subject_token_type`", _TOKEN_TYPES[0])
    _source(reader, found.get("credential_source"))
    address = found.get("service_account_impersonation_url")
    return _provider(reader, found.get("audience")), _impersonated(reader, address, domains)


def bad(
    reader: SecretReader,
    found: str,
    expected: str,
    *,
    hint: str = "",
    severity: Severity | None = None,
) -> None:
    """Add a finding about what is wrong in key.json."""
    reader.tell(rules.BAD_JSON, KEY, found=found, expected=expected, hint=hint, severity=severity)


def _provider(reader: SecretReader, audience: object) -> str:
    if isinstance(audience, str):
        if _PROVIDER.fullmatch(audience):
            return audience
        if _CLUSTER.fullmatch(audience) or _WORKFORCE.fullmatch(audience):
            return ""  # the token's own audience is another than this name
    found = form(audience) if isinstance(audience, str) else "missing"
    found = f"a file whose `audience` is {found}"
    expected = f"{_PROVIDER_FORM}providers/PROVIDER"
    reader.tell(rules.BAD_AUDIENCE, KEY, found=found, expected=expected)
    return ""


def _token_url(reader: SecretReader, address: object, domains: set[str]) -> None:
    if address in (None, ""):
        return  # the client has a default
    found = _url(address)
    if found is None:
        bad(reader, "has a `token_url` that is no token exchange", _TOKEN_URL)
    elif not _is_of(_STS, found.host, domains):
        _unknown_host(reader, "token_url", found, _TOKEN_URL)
    elif not found.secure:
        bad(reader, "has a `token_url` without https", _TOKEN_URL)
    elif found.path not in _TOKEN_PATHS:
        bad(reader, "has a `token_url` of another path", _TOKEN_URL)


def _impersonated(reader: SecretReader, address: object, domains: set[str]) -> str:
    if address in (None, ""):
        return ""
    head, _, verb = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    found = _url(head)
    account = _ACCOUNT.fullmatch(f"{unquote(found.path)}:{verb}") if found else None
    if found is None or account is None:
        problem = "has a `service_account_impersonation_url` that is none"
        bad(reader, problem, f"{_ACCOUNT_URL}:generateAccessToken")
        return ""
    expected = f"{_ACCOUNT_URL}:generateAccessToken"
    if not _is_of(_IAM_CREDENTIALS, found.host, domains):
        _unknown_host(reader, "service_account_impersonation_url", found, expected)
    elif not found.secure:
        bad(reader, "has a `service_account_impersonation_url` without https", expected)
    return account["email"]


def _unknown_host(reader: SecretReader, member: str, found: Url, expected: str) -> None:
    """Add a finding that tokens go to a host that is not a known host of Google."""
    clear = "" if found.secure else ", in clear"
    what = f"has a `{member}` at {quoted(found.host)}, to which it sends tokens{clear}"
    bad(reader, what, expected, severity=Severity.WARNING)


def _url(address: object) -> Url | None:
    try:
        return url(address, with_path=True) if isinstance(address, str) else None
    except NoUrl:
        return None


def _is_of(service: re.Pattern[str], host: str, domains: set[str]) -> bool:
    """Tell whether a host is a service of Google: global, of a region, private, or with mTLS.

    Google's libraries use these names: SERVICE.DOMAIN, REGION-SERVICE.DOMAIN, SERVICE.REGION.DOMAIN
    and SERVICE-NAME.p.DOMAIN.
    """
    return any(
        host.endswith(f".{domain}") and service.fullmatch(host.removesuffix(f".{domain}"))
        for domain in domains
    )


def _source(reader: SecretReader, source: object) -> None:
    file = source.get("file") if isinstance(source, Mapping) else None
    if file != TOKEN_FILE:
        found = "missing"
        if isinstance(file, str):
            found = _WRONG_FILES.get(file, "another path")
        reader.tell(rules.WRONG_CREDENTIAL_SOURCE, KEY, found=found, expected=TOKEN_FILE)
    form_of_file = source.get("format") if isinstance(source, Mapping) else None
    kind = form_of_file.get("type", "text") if isinstance(form_of_file, Mapping) else form_of_file
    if kind not in (None, "", "text"):
        bad(reader, "reads its token in another format", "credential_source.format.type text")
