# SPDX-License-Identifier: Apache-2.0
"""What shows that a token is not exchanged for credentials at an STS of AWS's kind."""

from __future__ import annotations

import re
from dataclasses import replace

from lokeys.core.findings.catalogue.complaints.making import NETWORK_WORDS, row
from lokeys.core.findings.catalogue.store import TOKEN_EXCHANGE_DENIED
from lokeys.core.findings.complaint import Complaint, OfKey, Voice
from lokeys.core.findings.finding import Confidence, Remedy
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

_NO_CREDENTIALS = "The pod gets no credentials, so nothing is written."
_EXCHANGE = ("webidentity", "operation error sts", "get credentials", "sts:", "load credentials")
_EFFECTS = ("s3_access_denied_policy", "anonymous_request_sent", "no_credentials_in_chain")
_PLAIN = re.compile(r'post "http://sts[.-]')
_DIALLED = re.compile(r'post "https://sts[.-]|operation error sts: ')
_CHECK = Remedy(
    text="compare the role's trust policy, its provider and the token",
    command=command("lokeys iam aws STACK -n NAMESPACE --check"),
)

ROLE_CHAIN = row(
    "LK0839",
    "sts_assume_role_chain_denied",
    "the second role of a role chain cannot be assumed",
    meaning="The pod has its first role, but that role may not assume the next one, or the next "
    "one does not trust the first.",
    why=_NO_CREDENTIALS,
    fix="allow sts:AssumeRole on the second role in the first role's policy, and name the first "
    "role as Principal in the second role's trust policy",
    says=("perform: sts:assumerole on resource",),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
WRONG_AUDIENCE = row(
    "LK0833",
    "sts_wrong_audience",
    "the identity provider does not accept the token's audience",
    meaning="The audience of the token is not among the provider's client ids.",
    why=_NO_CREDENTIALS,
    fix=(
        Remedy(
            text="list the provider's client ids, and add the token's audience (EKS: "
            "sts.amazonaws.com; OpenShift: openshift)",
            command=command(
                "aws iam get-open-id-connect-provider --open-id-connect-provider-arn ARN"
            ),
        ),
        _CHECK,
    ),
    says=("incorrect token audience",),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
PROVIDER_MISSING = row(
    "LK0834",
    "sts_oidc_provider_missing",
    "the account has no identity provider for the token's issuer",
    meaning="No OpenID Connect provider is registered in the role's account whose URL is exactly "
    "the token's issuer.",
    why=_NO_CREDENTIALS,
    fix=(
        Remedy(
            text="list the providers, and register the cluster's issuer",
            command=command("aws iam list-open-id-connect-providers"),
        ),
        _CHECK,
    ),
    says=("no openidconnect provider found in your account",),
    said_by=Voice.PROVIDER,
    alternatives=("sts_region_inactive",),
    explains=_EFFECTS,
)
REGION_INACTIVE = row(
    "LK0835",
    "sts_region_inactive",
    "STS is not active in this region",
    meaning="An account must activate STS in newer regions.",
    why=_NO_CREDENTIALS,
    fix="activate it: IAM console, account settings, STS endpoints; or use another region's STS",
    says=("regiondisabledexception", "sts is not activated in this region"),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
SENT_TO_STORE = row(
    "LK0836",
    "sts_sent_to_storage_endpoint",
    "the token exchange is sent to the storage endpoint",
    meaning="AssumeRoleWithWebIdentity is sent to the configured S3 or DynamoDB endpoint, which "
    "is not an STS.",
    why=_NO_CREDENTIALS,
    fix="on AWS remove `endpoint` (and an `s3:` URL with a host) from Loki's configuration; "
    "elsewhere set AWS_ENDPOINT_URL_STS to the STS",
    says=(
        *("status code: 405", "statuscode: 405", "methodnotallowed", "unknownoperationexception"),
        *("unsupported action assumerole", "unknown action", "status code: 501"),
    ),
    beside=("webidentity", "operation error sts", "assumerole"),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
PLAIN_HTTP = row(
    "LK0837",
    "sts_plain_http",
    "STS is called over plain http",
    meaning="`insecure: true` of the store also applies to STS, which answers only on port 443.",
    why=_NO_CREDENTIALS,
    fix="remove `insecure: true` from Loki's S3 configuration; AWS requires https",
    says=('post "http://sts',),
    shape=_PLAIN,
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
MESH = row(
    "LK0843",
    "mesh_intercepts_token_exchange",
    "a service mesh answers instead of the credential service",
    meaning="The sidecar intercepts the request for credentials and has no route for it.",
    why=_NO_CREDENTIALS,
    fix="exclude the address from the mesh: annotation traffic.sidecar.istio.io/"
    'excludeOutboundIPRanges: "169.254.169.254/32,169.254.170.23/32", and port 443 for STS',
    says=("upstream connect error or disconnect", "upstream connect error", "no healthy upstream"),
    beside=_EXCHANGE,
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
UNREACHABLE = row(
    "LK0838",
    "sts_unreachable",
    "STS does not answer",
    meaning="The pod cannot reach STS: egress rules, a missing private endpoint, DNS, or a region "
    "that does not exist.",
    why=_NO_CREDENTIALS,
    fix="allow egress to sts.REGION.amazonaws.com on port 443 from Loki's namespace, or create an "
    "interface endpoint for STS",
    says=NETWORK_WORDS,
    shape=_DIALLED,
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
ROLE_MISSING = row(
    "LK0840",
    "sts_role_missing",
    "the role's ARN is not valid",
    meaning="The role does not exist or its ARN is invalid.",
    why=_NO_CREDENTIALS,
    fix="correct the role's ARN: annotation eks.amazonaws.com/role-arn of the service account, or "
    "`role_arn` of a LokiStack's Secret",
    says=("request arn is invalid",),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
ISSUER = row(
    "LK0841",
    "oidc_issuer_unreachable",
    "the cloud cannot fetch the cluster's signing keys",
    meaning="The provider cannot fetch or does not trust the issuer's signing keys.",
    why=_NO_CREDENTIALS,
    fix="publish the issuer's discovery document and keys where the cloud can fetch them over "
    "https",
    says=("couldn't retrieve verification key", "provider's https certificate doesn't match"),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)
TOKEN_FILE = row(
    "LK0842",
    "token_file_unreadable",
    "the process cannot read its projected token",
    meaning="The token's file does not exist, or belongs to another user.",
    why=_NO_CREDENTIALS,
    fix="set `securityContext.fsGroup` of the pod to Loki's group (10001), and make sure that the "
    "service account was annotated before the pod was created",
    says=(
        *("unable to read file at", "failed fetching webidentity token"),
        *("failed to retrieve jwt from provide source", "serviceaccount/token: permission denied"),
    ),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
    hop=Hop.PODS,
)
TOKEN_INVALID = row(
    "LK0887",
    "oidc_token_invalid",
    "the cloud refuses the token itself",
    meaning="Its signature, format or time is not valid: the published keys are not the ones that "
    "the API server signs with, or the issuer changed.",
    why=_NO_CREDENTIALS,
    fix=(
        Remedy(
            text="compare the published keys with the API server's own",
            command=command("kubectl get --raw /openid/v1/jwks"),
        ),
    ),
    says=("invalididentitytoken",),
    said_by=Voice.PROVIDER,
    explains=_EFFECTS,
)

# Ceph RGW's STS answers without words that the client can read: 403 to a role that does not exist,
# to a condition that does not match and to a token that it cannot check; a bucket answers 400.
HIDDEN_DENIAL = Complaint(
    rule=TOKEN_EXCHANGE_DENIED,
    phrases=("operation error sts: assumerolewithwebidentity", "webidentityerr: failed to"),
    beside=("statuscode: 403", "status code: 403"),
    said_by=Voice.PROVIDER,
    of_key=OfKey.NOT_USED,
    confidence=Confidence.POSSIBLE,
    alternatives=("sts_role_missing", "oidc_issuer_unreachable"),
    apart=(
        Remedy(
            text="test the exchange link by link",
            command=command("lokeys probe stack NAME -n NAMESPACE"),
        ),
    ),
    explains=_EFFECTS,
)
NO_STS = replace(
    SENT_TO_STORE,
    phrases=("operation error sts: assumerolewithwebidentity",),
    beside=("api error unknownerror",),
    confidence=Confidence.POSSIBLE,
    alternatives=("oidc_token_invalid",),
)

LAST = (HIDDEN_DENIAL, NO_STS)
"""Where nothing else in the line says more."""
FIRST = (
    *(ROLE_CHAIN, WRONG_AUDIENCE, PROVIDER_MISSING, REGION_INACTIVE, SENT_TO_STORE, PLAIN_HTTP),
    *(MESH, ROLE_MISSING, ISSUER, TOKEN_FILE, TOKEN_INVALID, UNREACHABLE),
)
