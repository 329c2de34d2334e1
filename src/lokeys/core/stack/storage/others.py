# SPDX-License-Identifier: Apache-2.0
"""Reading a Secret for the stores that know static keys only: Swift and Alibaba Cloud."""

from __future__ import annotations

from lokeys.core.stack.storage.model import AlibabaCloud, Swift
from lokeys.core.stack.storage.reader import SecretReader


def read_swift(reader: SecretReader) -> Swift:
    """Return what the Secret says; what it says wrong is among the reader's findings."""
    address = reader.url("auth_url", with_path=True)
    return Swift(
        auth_url=str(address) if address else "",
        container=reader.value("container_name"),
        user_domain_name=reader.value("user_domain_name"),
        user_domain_id=reader.value("user_domain_id"),
        user_id=reader.value("user_id"),
        domain_id=reader.value("domain_id"),
        domain_name=reader.value("domain_name"),
        project_id=reader.value("project_id"),
        project_name=reader.value("project_name"),
        project_domain_id=reader.value("project_domain_id"),
        project_domain_name=reader.value("project_domain_name"),
        region=reader.value("region"),
    )


def read_alibabacloud(reader: SecretReader) -> AlibabaCloud:
    """Return what the Secret says; the endpoint may stand without `https://`."""
    reader.url("endpoint", scheme="https")
    return AlibabaCloud(endpoint=reader.value("endpoint"), bucket=reader.name("bucket"))
