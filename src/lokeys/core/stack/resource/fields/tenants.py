# SPDX-License-Identifier: Apache-2.0
"""`spec.tenants`: who may read and write, and how they identify themselves."""

from __future__ import annotations

from lokeys.core.schema.language import Fields, Flag, ListOf, Text
from lokeys.core.stack.resource.fields.texts import (
    authority,
    data_key,
    line,
    lines,
    object_name,
    url,
)
from lokeys.core.stack.resource.model import USUAL_TENANCY, TenancyMode


def _entry(description: str) -> Fields:
    return Fields(
        description,
        {
            "configMapName": object_name("The ConfigMap that holds it: this, or a Secret."),
            "secretName": object_name("The Secret that holds it: this, or a ConfigMap."),
            "key": data_key("The key in it."),
        },
        required=("key",),
    )


_OIDC = Fields(
    "Its users come with a token of an OpenID Connect issuer.",
    {
        "secret": Fields(
            "The Secret with `clientID` and `clientSecret`, as the issuer knows them.",
            {"name": object_name("Its name, in the stack's namespace.")},
            required=("name",),
        ),
        "issuerURL": url("The issuer, as its tokens name it."),
        "issuerCA": authority("The CA by which the issuer is known, where it is no public one."),
        "redirectURL": url("Where the issuer sends a browser back to."),
        "usernameClaim": line("The claim that names the user; `sub` if not said."),
        "groupClaim": line("The claim that names the user's groups."),
    },
    required=("secret", "issuerURL"),
)
_TENANT = Fields(
    "",
    {
        "tenantName": line("The tenant's name, as in the gateway's paths."),
        "tenantId": line("The id under which Loki keeps its lines."),
        "oidc": _OIDC,
        "mTLS": Fields(
            "Its users come with a certificate.",
            {"ca": authority("The CA that signs them.")},
            required=("ca",),
        ),
    },
    required=("tenantName", "tenantId"),
)
_ROLE = Fields(
    "",
    {
        "name": line("The role's name."),
        "permissions": ListOf(
            "Whether it reads, writes, or both.", Text("", choices=("read", "write"))
        ),
        "resources": lines("Which signals it is for; logs here."),
        "tenants": lines("Which tenants' lines it is for."),
    },
    required=("name", "permissions", "resources", "tenants"),
)
_SUBJECT = Fields(
    "",
    {"kind": Text("A user or a group.", choices=("user", "group")), "name": line("Its name.")},
    required=("kind", "name"),
)
_BINDING = Fields(
    "",
    {
        "name": line("The binding's name."),
        "roles": lines("The roles."),
        "subjects": ListOf("Who holds them.", _SUBJECT),
    },
    required=("name", "roles", "subjects"),
)
_AUTHORIZATION = Fields(
    "What they may do.",
    {
        "opa": Fields(
            "A policy server that is asked.", {"url": url("Where it is.")}, required=("url",)
        ),
        "roles": ListOf("Rights by name.", _ROLE),
        "roleBindings": ListOf("Who holds which role.", _BINDING),
    },
)
_TLS = Fields(
    "With what it serves TLS; without, on OpenShift the cluster's certificate, else plain HTTP.",
    {
        "ca": _entry("The CA of its own certificate: with it the gateway asks itself over TLS."),
        "certificate": _entry("Its certificate."),
        "privateKey": Fields(
            "The certificate's key.",
            {
                "secretName": object_name("The Secret."),
                "key": data_key("The key in the Secret."),
            },
            required=("key", "secretName"),
        ),
    },
)
_PASSTHROUGH = Fields(
    "For the mode in which nobody judges.",
    {
        "defaultTenant": line("The tenant of requests that name none."),
        "ca": _entry("The CA that signs clients' certificates; without it anybody may come."),
    },
)
_ADMIN_GROUPS = "Groups whose members see lines of every namespace, and of none."
_LEAST = "Whether only what OpenShift needs is a label. It is so in any case."
TENANTS = Fields(
    "Who may read and write, judged by a gateway in front of Loki.",
    {
        "mode": Text("Who judges.", choices=tuple(TenancyMode), default=USUAL_TENANCY.value),
        "authentication": ListOf("The tenants.", _TENANT),
        "authorization": _AUTHORIZATION,
        "disableIngress": Flag("Whether the gateway stays inside the cluster."),
        "gateway": Fields("How the gateway is reached.", {"tls": _TLS}),
        "openshift": Fields(
            "For the two modes in which OpenShift judges.",
            {
                "adminGroups": lines(_ADMIN_GROUPS),
                "otlp": Fields(
                    "What becomes of OpenTelemetry's attributes there.",
                    {"disableRecommendedAttributes": Flag(_LEAST)},
                ),
            },
        ),
        "passthrough": _PASSTHROUGH,
    },
    published={"required": ["mode"]},  # which its default then satisfies
)
