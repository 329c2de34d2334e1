# SPDX-License-Identifier: Apache-2.0
"""What may be a secret is taken out of foreign text before any of it is shown."""

import pytest

from lokeys.core.text.redaction import HIDDEN, redacted

SECRET = "wJalrXUtnFEMI-canary"


@pytest.mark.parametrize(
    "text",
    [
        f"s3://AKIA:{SECRET}@eu-west-1/loki",
        f"s3://AKIA:ab/{SECRET}+x@eu-west-1/loki",
        f'parse "s3://AKIA:x": invalid port ":{SECRET}" after host',
        f"GET https://a.blob.core.windows.net/c?sig={SECRET}&se=1",
        f"https://h/b?X-Amz-Signature={SECRET}&x=1",
        f"Authorization: Bearer {SECRET}",
        f'"secret_access_key": "{SECRET}"',
        f'\\"AccountKey\\":\\"{SECRET}\\"',
        f"AccountKey={SECRET};EndpointSuffix=x",
        f"token: eyJhbGciOiJSUzI1NiJ9.{SECRET}.c2lnbmF0dXJl",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET.replace('-', '')}",
        f"<SecretAccessKey>{SECRET}</SecretAccessKey>",
        f"password={SECRET}",
    ],
)
def test_a_secret_is_hidden(text: str) -> None:
    """In URLs, headers, fields, XML and keys."""
    said = redacted(text)
    assert SECRET not in said
    assert SECRET.replace("-", "") not in said
    assert HIDDEN in said


def test_what_is_no_secret_stays() -> None:
    """Key ids, hosts and causes are what a person needs."""
    text = 'Put "https://s3.example.net:443/loki/fake/1": InvalidAccessKeyId: AKIAEXAMPLE'
    assert redacted(text) == text
