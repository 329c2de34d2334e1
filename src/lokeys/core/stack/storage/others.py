# SPDX-License-Identifier: Apache-2.0
"""Reads a Secret for the stores that support only static keys: Swift and Alibaba Cloud.

Loki 3.7.8 uses Swift with ncw/swift 1.0.53 (auth.go) and Alibaba Cloud with aliyun-oss-go-sdk 3.0.2
(oss/utils.go, oss/conn.go).
"""

from __future__ import annotations

import re

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.model import AlibabaCloud, Swift
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.text.urls import Url
from lokeys.core.text.words import character

_VERSIONS = ("v3", "v2", "v1")
_OSS_STRANGE = re.compile("[^a-z0-9-]")
_SHORTEST, _LONGEST = 3, 63


def read_swift(reader: SecretReader) -> Swift:
    """Return what the Secret says; its faults are among the reader's findings."""
    address = reader.url("auth_url", with_path=True)
    if address is not None:
        _version(reader, address)
    container = reader.value("container_name")
    if "/" in container:
        reader.tell(
            rules.BAD_BUCKET_NAME,
            "container_name",
            found="a name with `/` in it",
            expected="the container's name alone, without a path",
        )
    return Swift(
        auth_url=str(address) if address else "",
        container=container,
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


def _version(reader: SecretReader, address: Url) -> None:
    """Add a finding if the URL does not show the client how to log in: with v3, v2 or v1."""
    if not any(version in str(address) for version in _VERSIONS):
        reader.tell(
            rules.BAD_ENDPOINT,
            "auth_url",
            found="a URL without a version of Keystone, which Loki's client looks for",
            expected=f"`{address}/v3`",
            value=f"{address}/v3",
        )


def read_alibabacloud(reader: SecretReader) -> AlibabaCloud:
    """Return what the Secret says; the endpoint may be without `https://`."""
    text = reader.value("endpoint")
    endpoint = reader.url("endpoint", scheme="https", with_path=True)
    expected = "a host, with `https://` in small letters or nothing before it"
    if endpoint is not None and "://" in text and not text.startswith(("http://", "https://")):
        found = "a URL whose scheme is in capitals, which the client takes for a host"
        reader.tell(rules.BAD_ENDPOINT, "endpoint", found=found, expected=expected)
    elif endpoint is not None and endpoint.path:
        found = "a URL with a path, which the client leaves out"
        warning = Severity.WARNING
        reader.tell(
            rules.BAD_ENDPOINT, "endpoint", found=found, expected=expected, severity=warning
        )
    bucket = reader.value("bucket")
    refused = _refused_by_oss(bucket) if bucket else None
    if refused:
        expected = "a name of small letters, digits and `-`, 3 to 63 of them"
        reader.tell(rules.BAD_BUCKET_NAME, "bucket", found=refused, expected=expected)
    return AlibabaCloud(endpoint=text, bucket=bucket)


def _refused_by_oss(name: str) -> str | None:
    """Return why the client refuses a bucket's name, in words (oss/utils.go: CheckBucketName)."""
    strange = _OSS_STRANGE.search(name)
    if strange:
        return f"a name with {character(strange[0])} in it"
    if not _SHORTEST <= len(name) <= _LONGEST:
        return f"a name of {len(name)} characters"
    return "a name that begins or ends with `-`" if name != name.strip("-") else None
