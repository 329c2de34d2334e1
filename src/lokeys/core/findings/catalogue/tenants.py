# SPDX-License-Identifier: Apache-2.0
"""LK0250 to LK0269: a stack's tenants, and what its gateway is given for them."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

_EDIT = command("kubectl edit lokistack {stack} -n {namespace}")

ONE_LOGIN = Rule(
    code="LK0250",
    fault="one_login",
    title="a tenant whose users cannot say who they are",
    message="`{field}` has {found} of `oidc` and `mTLS`; it must have one",
    meaning="A tenant's users come with a token of an OpenID Connect issuer or a certificate.",
    why="With neither the gateway does not start, for no tenant; with both one of them is ignored.",
    remedy=(Remedy(text="give the tenant one of the two", command=_EDIT),),
    rank=23,
)
TENANT_TWICE = Rule(
    code="LK0251",
    fault="tenant_twice",
    title="two tenants of one name",
    message="`{field}` is an earlier tenant's, too",
    meaning="The name stands in the gateway's paths: it says which tenant a request is for.",
    why="Users of one would be judged by the other's issuer, and read the other's lines.",
    remedy=(Remedy(text="give each tenant a name of its own", command=_EDIT),),
    rank=23,
)
NO_SUCH = Rule(
    code="LK0252",
    severity=Severity.WARNING,
    fault="no_such_role",
    title="a role or a tenant that is not there",
    message="`{field}` names the {what} `{found}`, which is not in the spec",
    meaning="A binding gives users the roles that it names, and a role holds for the tenants that "
    "it names, by their names and not their ids.",
    why="The gateway passes over it: those users may do less than is written.",
    remedy=(Remedy(text="name a {what} of the spec", command=_EDIT),),
    rank=61,
)
NO_TLS = Rule(
    code="LK0253",
    fault="no_tls",
    title="certificates are asked for over plain HTTP",
    message="`{field}` says no certificate and key, and clients shall come with certificates",
    meaning="A client shows its certificate while TLS begins, and this gateway serves no TLS.",
    why="Nobody could show a certificate: the gateway would answer each request with an error.",
    remedy=(
        Remedy(
            text="make a Secret of a certificate for the gateway, and name it in `certificate` and "
            "`privateKey`",
            command=command(
                "kubectl -n {namespace} create secret tls {stack}-gateway-tls --cert=tls.crt "
                "--key=tls.key"
            ),
        ),
        Remedy(text="then say so in the stack", command=_EDIT),
    ),
    rank=23,
)
ONE_PLACE = Rule(
    code="LK0254",
    fault="one_place",
    title="it is not said where a file is",
    message="`{field}` has {found} of `configMapName` and `secretName`; it must have one",
    meaning="A file of the gateway is a key of a ConfigMap, or one of a Secret.",
    why="The pods cannot mount what is not named.",
    remedy=(Remedy(text="keep one of the two", command=_EDIT),),
    rank=23,
)
MISSING_CLIENT = Rule(
    code="LK0255",
    fault="missing_tenant_secret",
    title="a tenant's Secret is not there",
    message="{stack_ref} takes what its gateway is to an issuer from {place}, which {where}",
    meaning="spec.tenants.authentication[].oidc.secret.name points at a Secret that is not there, "
    "and no ExternalSecret or SealedSecret makes it.",
    why="The gateway's pods mount it: without it they do not start.",
    remedy=(
        Remedy(
            text="make it of what the issuer calls the gateway",
            command=command(
                "kubectl -n {namespace} create secret generic {name} --from-literal=clientID=ID "
                "--from-file=clientSecret=FILE"
            ),
        ),
        Remedy(text="where Secrets are kept elsewhere: `lokeys validate --secrets optional`"),
    ),
    rank=24,
)
BAD_CLIENT = Rule(
    code="LK0256",
    fault="bad_tenant_secret",
    title="a tenant's Secret does not say what the gateway is to the issuer",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The Secret of an OpenID Connect tenant holds `clientID` and, where people log in with "
    "a browser, `clientSecret`, as the issuer knows them, each in one line.",
    why="The gateway takes tokens for this client only. Without its right name it takes none.",
    remedy=(
        Remedy(
            text="write it anew, with no newline behind the value",
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
    title="the CA of a tenant is not there",
    message="{stack_ref} knows {whom} by the CA in {place}, which {where}",
    meaning="`spec.tenants` names a CA in an object that is not there.",
    why="The gateway's pods mount it: without it they do not start.",
    remedy=(
        Remedy(
            text="make it of the CA's file",
            command=command("kubectl -n {namespace} create {kind} {name} --from-file={key}=ca.crt"),
        ),
    ),
    rank=24,
)
BAD_AUTHORITY = Rule(
    code="LK0258",
    fault="bad_tenant_ca",
    title="no usable CA for a tenant",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The key holds certificates in PEM that are valid today, nothing secret, and nothing "
    "behind the last of them.",
    why="The gateway leaves out a tenant whose CA it cannot read, or takes none of its clients.",
    remedy=(
        Remedy(
            text="make it anew of the CA's file",
            command=command(
                "kubectl -n {namespace} create {kind} {name} --from-file={field}=ca.crt "
                "--dry-run=client -o yaml"
            ).pipe("kubectl apply -f -"),
        ),
    ),
    rank=24,
)
