# SPDX-License-Identifier: Apache-2.0
"""What shows that a key is not sent as it was meant."""

from __future__ import annotations

from lokeys.core.findings.catalogue.complaints.making import row
from lokeys.core.findings.complaint import OfKey
from lokeys.core.place import Hop

URL_ENCODING = row(
    "LK0822",
    "secret_key_url_encoding",
    "the secret key in an s3:// URL is not escaped",
    meaning="A `/`, `+` or `%` in the secret key is read as part of the URL.",
    why="Loki does not start, or signs with a different secret key.",
    fix="set `access_key_id` and `secret_access_key` as separate fields, or write `/` as %2F and "
    "`+` as %2B in the URL",
    says=("invalid port", "invalid url escape", "invalid userinfo"),
    beside=("s3://",),
    hop=Hop.PODS,
    rank=2,
)
TRAILING_NEWLINE = row(
    "LK0823",
    "secret_trailing_newline",
    "a value ends in a newline",
    meaning="The key or the endpoint ends with a line break. `echo` adds one, `printf` does not.",
    why="The resulting header or address is not valid, so no request is sent.",
    fix="write the value again without a newline: printf %s VALUE | base64",
    says=('invalid header field value for "authorization"', "invalid control character in url"),
    of_key=OfKey.REFUSED,
    hop=Hop.SECRET,
    rank=2,
)
ANONYMOUS = row(
    "LK0824",
    "anonymous_request_sent",
    "the request carries no credentials",
    meaning="The client had no credentials, or a token exchange failed and the client continued "
    "without.",
    why="The store refuses unsigned requests.",
    fix="see where the pod's credentials get lost: lokeys doctor -n NAMESPACE; with tokens: "
    "lokeys probe stack NAME",
    says=(
        *("anonymous caller does not have", "noauthenticationinformation"),
        *("public access is not permitted", "publicaccessnotpermitted"),
        *("user: anonymous is not authorized", "user: anonymous is not"),
    ),
    alternatives=("no_credentials_in_chain", "azure_wi_not_injected"),
    rank=39,
)
FIRST = (URL_ENCODING, TRAILING_NEWLINE, ANONYMOUS)
