# SPDX-License-Identifier: Apache-2.0
"""Which credentials and address are used to read a user's keys from IAM; loads nothing heavy.

The credentials are those in `adminSecretRef`, read again each time; without it those that AWS's own
tools would use here. They go to AWS's own IAM, and to another address only if the Secret's owner
allows it, or if the caller's own permissions decide. An editor of a StorageCredential must not gain
what the operator's own identity may do: with it keys are listed, but never created.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.consents import secret_consent
from lokeys.adapters.kubernetes.pairs import pair_of
from lokeys.core.kubernetes.aws_addresses import IAM_ENDPOINTS, is_aws, partition_of
from lokeys.core.kubernetes.consent import NO_CONSENT, origins
from lokeys.core.place import Ref
from lokeys.core.route.model import AwsIamSource, Bucket
from lokeys.core.sensitive import KeyPair
from lokeys.errors import NeedsHuman, NotAllowed

if TYPE_CHECKING:
    from lokeys.adapters.aws.iam_keys import IamUser

_IAM_ANYWHERE = "us-east-1"
"""The region of an address that is not AWS's own: such a store accepts any."""


def iam_address(source: AwsIamSource, bucket: Bucket) -> tuple[str, str]:
    """Return IAM's address, and the region for which its requests are signed."""
    own = dict(IAM_ENDPOINTS.values())
    if source.endpoint is not None:
        return source.endpoint, own.get(source.endpoint, _IAM_ANYWHERE)
    return IAM_ENDPOINTS[partition_of(bucket.region)]


@dataclass(frozen=True, slots=True, kw_only=True)
class IamDoor:
    """The access to one IAM user of a route."""

    cluster: Cluster
    source: AwsIamSource
    bucket: Bucket
    namespace: str
    callers_rights: bool
    client: httpx2.AsyncClient

    @property
    def endpoint(self) -> str:
        """Return IAM's address."""
        return iam_address(self.source, self.bucket)[0]

    @property
    def place(self) -> Ref:
        """Return whose owner must allow the address: the caller's Secret."""
        admin = self.source.admin
        if admin is None:
            return Ref("IAMUser", self.source.user_name)
        return admin.ref(self.namespace)

    async def login(self) -> IamUser:
        """Return the user, with the current credentials. Raises NotAllowed."""
        from lokeys.adapters.aws.iam import Iam, ambient_credentials  # noqa: PLC0415 - heavy
        from lokeys.adapters.aws.iam_keys import IamUser  # noqa: PLC0415 - heavy

        endpoint, region = iam_address(self.source, self.bucket)
        consent = NO_CONSENT
        if self.source.admin is None:
            credentials = await ambient_credentials()
        else:
            secret = await self.cluster.objects.get(self.place)
            # IAM never accepts a removed key again: there is no bridge to allow.
            consent = replace(secret_consent(secret, at_home=True), bridge=None)
            credentials = _credentials(pair_of(secret, self.source.admin.keys))
        aws = endpoint in dict(IAM_ENDPOINTS.values())
        if not (aws or self.callers_rights or consent.covers(endpoint)):
            raise NotAllowed(f"{self.place} does not allow requests to {endpoint}")
        if aws and _is_s3_of_aws(self.bucket.endpoint):  # AWS's own key, at AWS's own store
            consent = replace(consent, named=consent.named | origins([self.bucket.endpoint]))
        iam = Iam(
            client=self.client,
            credentials=credentials,
            endpoint=endpoint.rstrip("/"),
            region=region,
            clock=self.cluster.clock,
        )
        return IamUser(iam=iam, name=self.source.user_name, consent=consent)

    async def login_to_give(self) -> IamUser:
        """Return the user, for changes of its keys: never with the operator's own identity."""
        if self.source.admin is None and not self.callers_rights:
            raise NeedsHuman(
                "with the operator's own identity no keys are given, for any editor of a "
                "StorageCredential could ask for any user's: name `adminSecretRef`"
            )
        return await self.login()


def _credentials(pair: KeyPair) -> Any:
    from botocore.credentials import Credentials  # noqa: PLC0415 - botocore is heavy

    if not (pair.access_key_id and pair.secret_access_key):
        raise NeedsHuman("the admin's Secret holds no whole key")
    return Credentials(pair.access_key_id.reveal_text(), pair.secret_access_key.reveal_text())


def _is_s3_of_aws(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and is_aws(parts.hostname or "")
