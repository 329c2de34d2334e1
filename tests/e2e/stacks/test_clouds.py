# SPDX-License-Identifier: Apache-2.0
"""Azure and Google by their own names: the real Loki, with nothing in its configuration for tests.

The stores are Azurite and fake-gcs-server; the token services check what they are given. Limits:
docs/reference/render.md.
"""

import json

from e2e.stacks.conftest import MakeStack
from e2e.stacks.travel import travel
from e2e.stacks.world import Stack
from parts.clouds.world import ACCOUNT, PROVIDER, TENANT, Clouds
from parts.process import wait_for

CLIENT = "bbbbbbbb-1111-4222-8333-444444444444"
SUBSCRIPTION = "cccccccc-1111-4222-8333-444444444444"
SERVICE_ACCOUNT = "loki@test-project.iam.gserviceaccount.com"


def subjects(stack: Stack) -> tuple[str, str]:
    """Return who the stack's two accounts are outside."""
    prefix = f"system:serviceaccount:{stack.namespace}:{stack.name}"
    return prefix, f"{prefix}-ruler"


def azure(stack: Stack, **identity: str) -> dict[str, str]:
    """Return an Azure Secret's data."""
    place = {"environment": "AzureGlobal", "container": stack.namespace, "account_name": ACCOUNT}
    return place | identity


def test_azure_with_an_account_key(make_stack: MakeStack, clouds: Clouds) -> None:
    """The store checks the signature of each request."""
    stack = make_stack(in_one=True, type="azure")
    stack.secret = azure(stack, account_key=clouds.azurite.account_key)
    travel(stack, "with a key")


def test_azure_with_a_token(make_stack: MakeStack, clouds: Clouds) -> None:
    """Entra takes the account's token for the application's, and the store takes Entra's."""
    stack = make_stack(in_one=True, type="azure")
    clouds.trust_at_azure(CLIENT, *subjects(stack))
    ids = {"client_id": CLIENT, "tenant_id": TENANT, "subscription_id": SUBSCRIPTION}
    stack.secret = azure(stack, **ids)
    travel(stack, "without a key")
    assert CLIENT in clouds.entra.given.values()


def test_azure_refuses_whom_nobody_trusts(make_stack: MakeStack, clouds: Clouds) -> None:
    """Another account's federated credential is no help, and Loki ends as it begins."""
    stack = make_stack(in_one=True, type="azure")
    clouds.trust_at_azure(CLIENT, "system:serviceaccount:elsewhere:logs")
    ids = {"client_id": CLIENT, "tenant_id": TENANT, "subscription_id": SUBSCRIPTION}
    stack.secret = azure(stack, **ids)
    stack.apply()
    wait_for(lambda: 700213 in clouds.entra.refused, "Entra refuses", timeout_s=60)

    def restarted() -> bool:
        (pod,) = stack.pods()
        (container,) = pod["status"]["containerStatuses"]
        return bool(container["restartCount"])

    wait_for(restarted, "the pod restarts", timeout_s=30)


def test_google_with_a_key(make_stack: MakeStack, clouds: Clouds) -> None:
    """A service account's key signs for an access token."""
    stack = make_stack(in_one=True, type="gcs")
    key = clouds.google_key(stack.namespace, SERVICE_ACCOUNT)
    stack.secret = {"bucketname": stack.namespace, "key.json": key}
    travel(stack, "with a key")
    assert clouds.gcs.objects(stack.namespace)


def test_google_with_a_token(make_stack: MakeStack, clouds: Clouds) -> None:
    """STS takes the account's token, and lets it act as the service account."""
    stack = make_stack(in_one=True, type="gcs")
    key = clouds.trust_at_google(stack.namespace, SERVICE_ACCOUNT, *subjects(stack))
    stack.secret = {
        "bucketname": stack.namespace,
        "audience": f"https:{PROVIDER}",
        "key.json": json.dumps(key),
    }
    travel(stack, "without a key")
    assert SERVICE_ACCOUNT in clouds.google.given.values()


def test_google_refuses_whom_nobody_trusts(make_stack: MakeStack, clouds: Clouds) -> None:
    """Whoever may not act as the service account gets no access token."""
    stack = make_stack(in_one=True, type="gcs")
    other = "system:serviceaccount:elsewhere:logs"
    key = clouds.trust_at_google(stack.namespace, SERVICE_ACCOUNT, other)
    stack.secret = {
        "bucketname": stack.namespace,
        "audience": f"https:{PROVIDER}",
        "key.json": json.dumps(key),
    }
    stack.apply()
    stack.wait_pushed("lost")
    stack.flush()

    def denied() -> bool:
        return any(text.startswith("PERMISSION_DENIED") for text in clouds.google.refused)

    wait_for(denied, "Google refuses", timeout_s=60)
