# SPDX-License-Identifier: Apache-2.0
"""Whether documents as they are printed take a token."""

from lokeys.core.trust.accounts import AccountClaims
from lokeys.core.trust.aws.needs import AwsNeeds, assume_request, trust_policy
from lokeys.core.trust.aws.policy import PolicyDecision, decide, statements_of
from lokeys.core.trust.azure.check import credentials_of
from lokeys.core.trust.azure.needs import AzureNeeds, federated_credentials
from lokeys.core.trust.clouds import Needs
from lokeys.core.trust.gcp.check import members, provider_of
from lokeys.core.trust.gcp.needs import (
    USER_ROLE,
    GcpNeeds,
    provider_document,
    service_account_policy,
)


def takes(needs: Needs, claims: AccountClaims) -> bool:
    """Tell whether the printed documents take a token with these claims."""
    match needs:
        case AwsNeeds():
            request = assume_request(needs, claims)
            return decide(statements_of(trust_policy(needs)), request) is PolicyDecision.ALLOWED
        case AzureNeeds():
            found = credentials_of(federated_credentials(needs))
            return any(each.takes(claims) for each in found)
        case GcpNeeds():
            provider = provider_of(provider_document(needs))
            bound = members(service_account_policy(needs), frozenset({USER_ROLE}), form="")
            name = needs.audience_of_exchange
            passes = provider.takes(claims, name=name) is True
            return passes and needs.principal(claims.subject) in bound
