# SPDX-License-Identifier: Apache-2.0
"""LK0250 to LK0269: a stack's tenants, and what its gateway is given for them."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

_EDIT = command("kubectl edit lokistack {stack} -n {namespace}")

ONE_LOGIN = Rule(
    code="LK0250",
    fault="one_login",
    title="a tenant has no login method, or two",
    message="`{field}` has {found} of `oidc` and `mTLS`; it must have one",
    meaning="A tenant's users present a token of an OpenID Connect issuer or a client certificate.",
    why="With neither, the gateway does not start for any tenant; with both, one of them is "
    "ignored.",
    remedy=(Remedy(text="configure one of the two for the tenant", command=_EDIT),),
    rank=23,
)
TENANT_TWICE = Rule(
    code="LK0251",
    fault="tenant_twice",
    title="two tenants have the same name",
    message="`{field}` is also the name of an earlier tenant",
    meaning="The name is part of the gateway's paths: it says which tenant a request is for.",
    why="Users of one tenant would be checked against the other's issuer and could read the "
    "other's log lines.",
    remedy=(Remedy(text="give each tenant a unique name", command=_EDIT),),
    rank=23,
)
NO_SUCH = Rule(
    code="LK0252",
    severity=Severity.WARNING,
    fault="no_such_role",
    title="a role or a tenant does not exist",
    message="`{field}` names the {what} `{found}`, which is not in the spec",
    meaning="A binding gives users the roles that it names, and a role applies to the tenants "
    "that it names (by name, not by id).",
    why="The gateway ignores it: those users have fewer permissions than the spec says.",
    remedy=(Remedy(text="name a {what} that is in the spec", command=_EDIT),),
    rank=61,
)
NO_TLS = Rule(
    code="LK0253",
    fault="no_tls",
    title="client certificates are required, but the gateway does not serve TLS",
    message="`{field}` has no certificate and key, but clients must present certificates",
    meaning="A client presents its certificate in the TLS handshake, and this gateway serves no "
    "TLS.",
    why="No client can present a certificate: the gateway would answer every request with an "
    "error.",
    remedy=(
        Remedy(
            text="create a Secret from a certificate for the gateway, to be named in "
            "`certificate` and `privateKey`",
            command=command(
                "kubectl -n {namespace} create secret tls {stack}-gateway-tls --cert=tls.crt "
                "--key=tls.key"
            ),
        ),
        Remedy(text="then name it in the stack", command=_EDIT),
    ),
    rank=23,
)
ONE_PLACE = Rule(
    code="LK0254",
    fault="one_place",
    title="the location of a file is missing or ambiguous",
    message="`{field}` has {found} of `configMapName` and `secretName`; it must have one",
    meaning="A file of the gateway is a key of either a ConfigMap or a Secret.",
    why="The pods cannot mount a file whose location is not known.",
    remedy=(Remedy(text="keep one of the two", command=_EDIT),),
    rank=23,
)
MISSING_CLIENT = Rule(
    code="LK0255",
    fault="missing_tenant_secret",
    title="a tenant's Secret does not exist",
    message="{stack_ref} takes its gateway's OpenID Connect client from {place}, which {where}",
    meaning="spec.tenants.authentication[].oidc.secret.name names a Secret that does not exist, "
    "and no ExternalSecret or SealedSecret creates it.",
    why="The gateway's pods mount it and do not start without it.",
    remedy=(
        Remedy(
            text="create it with the client id and the client secret that the issuer assigned to "
            "the gateway",
            command=command(
                "kubectl -n {namespace} create secret generic {name} --from-literal=clientID=ID "
                "--from-file=clientSecret=FILE"
            ),
        ),
        Remedy(text="if Secrets are kept elsewhere, use `lokeys validate --secrets optional`"),
    ),
    rank=24,
)
BAD_CLIENT = Rule(
    code="LK0256",
    fault="bad_tenant_secret",
    title="a tenant's Secret is not valid",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The Secret of an OpenID Connect tenant has `clientID` and, where people log in with "
    "a browser, `clientSecret`, as the issuer assigned them, each on one line.",
    why="The gateway accepts only tokens for this client. With a wrong name it accepts none.",
    remedy=(
        Remedy(
            text="write it again, without a newline at the end of a value",
            command=command(
                "kubectl -n {namespace} create secret generic {name} --from-literal=clientID=ID "
                "--from-file=clientSecret=FILE --dry-run=client -o yaml"
            ).pipe("kubectl apply -f -"),
        ),
    ),
    rank=24,
)
MISSING_AUTHORITY = Rule(
    code="LK0257",
    fault="missing_tenant_ca",
    title="a tenant's CA does not exist",
    message="{stack_ref} authenticates {whom} with the CA in {place}, which {where}",
    meaning="`spec.tenants` names a CA in an object that does not exist.",
    why="The gateway's pods mount it and do not start without it.",
    remedy=(
        Remedy(
            text="create it from the CA's file",
            command=command("kubectl -n {namespace} create {kind} {name} --from-file={key}=ca.crt"),
        ),
    ),
    rank=24,
)
BAD_AUTHORITY = Rule(
    code="LK0258",
    fault="bad_tenant_ca",
    title="a tenant's CA is not valid",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The key holds certificates in PEM format that are valid today, nothing secret, and "
    "nothing after the last certificate.",
    why="The gateway leaves out a tenant whose CA it cannot read, or accepts none of its clients.",
    remedy=(
        Remedy(
            text="recreate it from the CA's file",
            command=command(
                "kubectl -n {namespace} create {kind} {name} --from-file={field}=ca.crt "
                "--dry-run=client -o yaml"
            ).pipe("kubectl apply -f -"),
        ),
    ),
    rank=24,
)
