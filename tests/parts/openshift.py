# SPDX-License-Identifier: Apache-2.0
"""OpenShift's Route and CredentialsRequest on a cluster that is none: their definitions, typed.

Fields, types, choices and bounds are those of `route.openshift.io/v1` and
`cloudcredential.openshift.io/v1`, so that the API server refuses what theirs would. What a request
says to its cloud is open in the published definition; here it is typed as its three kinds are.
"""

from collections.abc import Mapping
from typing import Any

from parts.kubernetes import Kubernetes

ROUTES, CLOUD_CREDENTIALS = "route.openshift.io", "cloudcredential.openshift.io"
Node = dict[str, Any]

TEXT: Node = {"type": "string"}
FLAG: Node = {"type": "boolean"}
COUNT: Node = {"type": "integer", "format": "int64"}
WEIGHT: Node = {"type": "integer", "format": "int32", "minimum": 0, "maximum": 256}
ANYTHING: Node = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def route_crd() -> Node:
    """Return the definition of the Route."""
    return _crd(ROUTES, "Route", spec=_route(), status=ANYTHING)


def credentials_request_crd() -> Node:
    """Return the definition of the CredentialsRequest."""
    return _crd(CLOUD_CREDENTIALS, "CredentialsRequest", spec=_request(), status=_answer())


def define(kubernetes: Kubernetes, *definitions: Node) -> None:
    """Let a control plane take objects of these kinds."""
    kubernetes.apply(*definitions)
    kubernetes.wait_served(*(each["metadata"]["name"] for each in definitions))


def _route() -> Node:
    backend = _object(
        kind=_one_of("Service", ""),
        name=TEXT | {"minLength": 1},
        weight=WEIGHT | {"default": 100},
        needs=("kind", "name"),
    )
    written = _object(value=TEXT | {"minLength": 1, "maxLength": 16384}, needs=("value",))
    action = _object(type=_one_of("Set", "Delete"), set=written, needs=("type",))
    header = _object(name=TEXT | {"minLength": 1}, action=action, needs=("name", "action"))
    headers = _list(header) | {"maxItems": 20}
    tls = _object(
        termination=_one_of("edge", "reencrypt", "passthrough"),
        insecureEdgeTerminationPolicy=_one_of("Allow", "None", "Redirect", ""),
        certificate=TEXT,
        key=TEXT,
        caCertificate=TEXT,
        destinationCACertificate=TEXT,
        externalCertificate=_object(name=TEXT),
        needs=("termination",),
    )
    plain = "self.termination != 'passthrough' || !has(self.insecureEdgeTerminationPolicy)"
    rule = f"{plain} || self.insecureEdgeTerminationPolicy != 'Allow'"
    message = "who passes TLS on cannot take requests in clear"
    return _object(
        host=TEXT | {"maxLength": 253},
        subdomain=TEXT | {"maxLength": 253},
        path=TEXT | {"pattern": "^/"},
        to=backend,
        alternateBackends=_list(backend) | {"maxItems": 3},
        port=_object(targetPort={"x-kubernetes-int-or-string": True}, needs=("targetPort",)),
        tls=tls | {"x-kubernetes-validations": [{"rule": rule, "message": message}]},
        wildcardPolicy=_one_of("None", "Subdomain", "") | {"default": "None"},
        httpHeaders=_object(actions=_object(request=headers, response=headers)),
        needs=("to",),
    )


def _request() -> Node:
    names = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
    return _object(
        secretRef=_object(dict.fromkeys(names, TEXT)),
        providerSpec=_provider(),
        serviceAccountNames=_list(TEXT),
        cloudTokenPath=TEXT,
        needs=("secretRef",),
    )


_OF = {
    "AWSProviderSpec": ("statementEntries", "stsIAMRoleARN"),
    "AzureProviderSpec": (
        *("roleBindings", "permissions", "dataPermissions"),
        *("azureClientID", "azureRegion", "azureSubscriptionID", "azureTenantID"),
    ),
    "GCPProviderSpec": (
        *("predefinedRoles", "permissions", "skipServiceCheck"),
        *("serviceAccountEmail", "audience"),
    ),
}


def _provider() -> Node:
    """Return what a request says to a cloud: the fields of all kinds, each with its own alone."""
    entry = _object(
        effect=_one_of("Allow", "Deny"),
        action=_list(TEXT),
        resource=TEXT,
        policyCondition=ANYTHING,
        needs=("effect", "action", "resource"),
    )
    lists = dict.fromkeys(("permissions", "dataPermissions", "predefinedRoles"), _list(TEXT))
    names = ("azureClientID", "azureRegion", "azureSubscriptionID", "azureTenantID")
    texts = dict.fromkeys((*names, "stsIAMRoleARN", "serviceAccountEmail", "audience"), TEXT)
    node = _object(
        lists | texts,
        apiVersion=_one_of(f"{CLOUD_CREDENTIALS}/v1"),
        kind=_one_of(*_OF),
        statementEntries=_list(entry),
        roleBindings=_list(_object(role=TEXT, needs=("role",))),
        skipServiceCheck=FLAG,
        needs=("apiVersion", "kind"),
    )
    every = sorted({name for names in _OF.values() for name in names})
    rules = [
        {"rule": f"self.kind == '{kind}' || !has(self.{name})", "message": f"{name} is of {kind}"}
        for name in every
        for kind in [" or ".join(each for each, own in _OF.items() if name in own)]
        if " or " not in kind
    ]
    return node | {"x-kubernetes-validations": rules}


def _answer() -> Node:
    text = ("type", "status", "reason", "message", "lastProbeTime", "lastTransitionTime")
    return _object(
        provisioned=FLAG,
        lastSyncTimestamp=TEXT,
        lastSyncGeneration=COUNT,
        lastSyncCloudCredsSecretResourceVersion=TEXT,
        lastSyncInfrastructureResourceVersion=TEXT,
        providerStatus=ANYTHING,
        conditions=_list(_object(dict.fromkeys(text, TEXT), needs=("type", "status"))),
    )


def _object(
    fields: Mapping[str, Node] | None = None, *, needs: tuple[str, ...] = (), **more: Node
) -> Node:
    node: Node = {"type": "object", "properties": {**(fields or {}), **more}}
    return node | ({"required": [*needs]} if needs else {})


def _list(item: Node) -> Node:
    return {"type": "array", "items": item}


def _one_of(*choices: str) -> Node:
    return TEXT | {"enum": [*choices]}


def _crd(group: str, kind: str, *, spec: Node, status: Node) -> Node:
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": _object(spec=spec, status=status, needs=("spec",))},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
