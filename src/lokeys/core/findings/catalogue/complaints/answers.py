# SPDX-License-Identifier: Apache-2.0
"""What stores and their clients say in a log, where a try of lokeys has a rule for the same."""

from __future__ import annotations

from lokeys.core.findings.catalogue import store as rules
from lokeys.core.findings.catalogue.complaints.making import NETWORK_WORDS
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.complaint import Complaint, OfKey, Voice
from lokeys.core.findings.finding import Confidence, Remedy
from lokeys.core.text.shell import command

_HIDDEN = ("anonymous_request_sent", "sts_trust_policy_denied", "no_credentials_in_chain")
_LINKS = Remedy(
    text="with short-lived tokens a failed exchange looks the same: test it link by link",
    command=command("lokeys probe stack NAME -n NAMESPACE"),
)
_KEY = Remedy(
    text="to see whether a policy or the key is the problem, test the key itself",
    command=command("lokeys doctor -n NAMESPACE --probe write"),
)
_ALTERED = Remedy(
    text="to see whether it is another key's secret, a newline or a wrong copy, compare the hops",
    command=command("lokeys trace NAME -n NAMESPACE"),
)
_SCHEME = Remedy(
    text="a TLS port may close the connection when it gets plain http: see which protocol it uses",
    command=command("openssl s_client -connect HOST:PORT -brief"),
)
_SIGNATURE = ("secret_trailing_newline", "secret_key_url_encoding", "wrong_region")
_SAID_OF_TOKENS = ("webidentity", "operation error sts", "assumerole", "get credentials")

CLOCK = (
    Complaint(
        rule=rules.CLOCK_SKEW,
        phrases=(
            *("requesttimetooskewed", "difference between the request time and the"),
            *("signature expired:", "request date header too old", "signature not yet current"),
        ),
        of_key=OfKey.NOT_USED,
        confidence=Confidence.CERTAIN,
    ),
)
"""Before all that is said of signatures and tokens, which a wrong clock spoils."""

ROWS: tuple[Complaint, ...] = (
    Complaint(
        rule=rules.TOKEN_EXCHANGE_DENIED,
        phrases=("not authorized to perform sts:assumerole", "perform: sts:assumerole"),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
        alternatives=("sts_role_missing",),
        explains=("anonymous_request_sent", "s3_access_denied_policy"),
    ),
    Complaint(
        rule=rules.SESSION_TOKEN_EXPIRED,
        phrases=(
            *("expiredtoken", "expiredtokenexception", "provided token has expired"),
            *("token included in the request is expired", "token expired: current date"),
        ),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.NO_CREDENTIALS,
        phrases=(
            *("nocredentialproviders", "no valid providers in chain", "no ec2 imds role found"),
            *("could not find default credentials", "no ec2 instance role found"),
            *("ec2rolerequesterror", "static credentials are empty"),
        ),
        said_by=Voice.PROVIDER,
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.ACCESS_KEY_UNKNOWN,
        phrases=(
            *("invalidaccesskeyid", "access key id you provided does not exist"),
            *("credential access key has length", "malformed access key id"),
            *("forbidden: no such key", "invalidclienttokenid", "key id you provided does not"),
            "security token included in the request is invalid",
        ),
        of_key=OfKey.REFUSED,
        explains=("s3_access_denied_policy",),
    ),
    Complaint(
        rule=rules.SECRET_KEY_MISMATCH,
        phrases=(
            *("signaturedoesnotmatch", "request signature we calculated does not"),
            "forbidden: invalid signature",
        ),
        of_key=OfKey.REFUSED,
        alternatives=_SIGNATURE,
        apart=(_ALTERED,),
    ),
    Complaint(
        rule=USER_SUSPENDED,
        phrases=("usersuspended", "accountproblem"),
        of_key=OfKey.REFUSED,
    ),
    Complaint(
        rule=rules.BUCKET_NOT_FOUND,
        phrases=(
            *("nosuchbucket", "specified bucket does not exist", "bucket doesn't exist"),
            *("containernotfound", "specified container does not exist"),
        ),
        alternatives=("endpoint_not_s3_api",),  # the thanos client says it of any bare 404
    ),
    Complaint(
        rule=rules.WRONG_REGION,
        phrases=(
            *("authorizationheadermalformed", "permanentredirect", "' is wrong; expecting '"),
            *("must be addressed using the specified endpoint", "bucketregionerror"),
            *("incorrect region, the bucket is not in", "unexpected scope:", "movedpermanently"),
            *("illegallocationconstraintexception", "location constraint is incompatible"),
        ),
    ),
    Complaint(
        rule=rules.OBJECT_STORE_FULL,
        phrases=(
            *("quotaexceeded", "storagefull", "insufficientstorage", "xminiostoragefull"),
            *("xminioadminbucketquotaexceeded", "bucket quota exceeded", "no free volumes left"),
            "minimum free drive threshold",
        ),
        of_key=OfKey.NOT_USED,
    ),
    Complaint(
        rule=rules.ACCESS_DENIED,
        phrases=("accessdenied", "not authorized to perform: s3", "errorcode=accessdenied"),
        of_key=OfKey.MAYBE,
        alternatives=_HIDDEN,
        apart=(_KEY,),
    ),
    Complaint(
        rule=rules.ACCESS_DENIED,
        phrases=("access denied",),
        said_by=Voice.NETWORK,
        of_key=OfKey.MAYBE,
        confidence=Confidence.POSSIBLE,
        alternatives=("no_credentials_in_chain", "sts_trust_policy_denied"),
        apart=(_LINKS, _KEY),
    ),
    Complaint(
        rule=rules.TLS_SCHEME_MISMATCH,
        phrases=(
            *("first record does not look like a tls handshake", "http response to https client"),
            *("http request to an https server", "http request was sent to https port"),
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.TLS_UNKNOWN_AUTHORITY,
        phrases=(
            *("signed by unknown authority", "certificate is not trusted"),
            *("self-signed certificate", "self signed certificate"),
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.TLS_NAME_MISMATCH,
        phrases=(
            *("certificate is valid for", "certificate is not valid for"),
            *("cannot validate certificate for", "relies on legacy common name field"),
        ),
        said_by=Voice.NETWORK,
    ),
    Complaint(
        rule=rules.NOT_S3_API,
        phrases=("api error notfound: not found", "api error methodnotallowed: method not"),
        beside=("requestid: , hostid: ,",),
        never_beside=_SAID_OF_TOKENS,
        alternatives=("bucket_not_found",),
    ),
    Complaint(
        rule=rules.NOT_S3_API,
        phrases=(
            *("> but have <html>", "api requests must be made to api port", "<!doctype html"),
            *("xml syntax error on line", "405 method not allowed", "<html>"),
        ),
        said_by=Voice.NETWORK,
        never_beside=_SAID_OF_TOKENS,
    ),
    Complaint(
        rule=rules.ENDPOINT_UNREACHABLE,
        phrases=("connection reset", "broken pipe"),
        said_by=Voice.NETWORK,
        never_beside=_SAID_OF_TOKENS,
        confidence=Confidence.POSSIBLE,
        alternatives=("tls_scheme_mismatch",),
        apart=(_SCHEME,),
    ),
    Complaint(
        rule=rules.ENDPOINT_UNREACHABLE,
        phrases=(*NETWORK_WORDS, "proxyconnect tcp"),
        said_by=Voice.NETWORK,
        never_beside=_SAID_OF_TOKENS,
    ),
)
"""In the order in which a line is compared with them: what says more comes first."""
