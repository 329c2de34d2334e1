# SPDX-License-Identifier: Apache-2.0
"""How a person with a browser logs in if OpenShift decides about access.

    browser ──▶ gateway ──▶ OpenShift's login ──▶ https://HOST/openshift/TENANT/callback ──▶ gateway

To OpenShift the gateway is its own service account: an annotation allows browsers to be redirected
to the stack's Route, whatever its host. The gateway needs that host, which OpenShift chooses for a
Route that names none. It keeps a person's token in a cookie, encrypted. Its pods derive the key for
that from the private key with which all of them serve TLS (tenants.py): no Secret has to be created
for it, and nobody else can derive it.
"""

from __future__ import annotations

import json

from lokeys.core.stack.render import serving as certificates
from lokeys.core.stack.render.names import OPENSHIFT_TENANTS
from lokeys.core.stack.render.pods import Manifest, PodPlan
from lokeys.core.stack.render.serving import serving
from lokeys.core.stack.render.tenants import Login, mount_of
from lokeys.core.stack.resource.model import LokiStack, Tenants

BACK_TO = "serviceaccounts.openshift.io/oauth-redirectreference."
"""OpenShift's annotation on a service account; its owner chooses the part after the dot."""


def login_of(plan: PodPlan, tenants: Tenants) -> Login | None:
    """Return how browsers log in; None if they cannot, or their way back is not known yet."""
    host, served = plan.options.gateway_host, serving(plan, tenants)
    if not (_has_way_back(tenants) and host and served):
        return None
    own, clusters = tenants.tls.private_key, certificates.certificate_mount()
    mount = mount_of(tenants, own) if own and not served.by_cluster else next(clusters)
    return Login(host=host, private_key=served.private_key, key_mount=mount)


def with_way_back(account: Manifest, stack: LokiStack, tenants: Tenants) -> Manifest:
    """Return the gateway's account, which lets OpenShift send browsers back to the stack's Route.

    One annotation per tenant, as the Loki Operator has: a takeover does not change the account.
    https://docs.openshift.com/container-platform/4.16/authentication/using-service-accounts-as-oauth-client.html
    """
    if not _has_way_back(tenants):
        return account
    target = {
        "kind": "OAuthRedirectReference",
        "apiVersion": "v1",
        "reference": {"kind": "Route", "name": stack.name},
    }
    text = json.dumps(target, separators=(",", ":"))
    annotations = {f"{BACK_TO}{tenant}": text for tenant in sorted(OPENSHIFT_TENANTS[tenants.mode])}
    return {**account, "metadata": {"annotations": annotations, **account["metadata"]}}


def _has_way_back(tenants: Tenants) -> bool:
    return tenants.mode.on_openshift and not tenants.disable_ingress
