# SPDX-License-Identifier: Apache-2.0
"""What can be wrong between Loki and an S3 store: Ceph RGW, moto's S3 and STS, and no store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from logs.around import HOST, Missing, Page, certificate, served, tls
from logs.running import Fault, Json
from parts.moto_iam import EVERYTHING, MotoIam
from parts.process import free_ports
from parts.rgw import Rgw

BUCKET = "loki"
ROLE_TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Federated": "*"},
        "Action": "sts:AssumeRoleWithWebIdentity",
    },
}


def address(endpoint: str) -> str:
    """Return an endpoint without its scheme, as the clients take it."""
    return endpoint.removeprefix("http://")


def both(cause: str, name: str, *, insecure: bool = True, **words: Any) -> Iterator[Fault]:
    """Yield a fault for the thanos client and for the older one (now SDK v2)."""
    access, secret = ("".join(half) for half in words["pair"])  # YAML takes a plain str alone
    bucket, endpoint = words.get("bucket", BUCKET), words["endpoint"]
    hidden = {access.strip(): "AKIAEXAMPLEEXAMPLE", secret.strip(): "secret"} if access else {}
    path_style = words.get("path_style", True)
    new = {
        "bucket_name": bucket,
        "endpoint": endpoint,
        "access_key_id": access,
        "secret_access_key": secret,
        "insecure": insecure,
        "region": words.get("region", "us-east-1"),
        "bucket_lookup_type": "path" if path_style else "virtual-hosted",
    } | words.get("thanos", {})
    old = {
        "bucketnames": bucket,
        "endpoint": endpoint,
        "access_key_id": access,
        "secret_access_key": secret,
        "insecure": insecure,
        "region": words.get("region", "us-east-1"),
        "s3forcepathstyle": path_style,
    }
    env = words.get("env", {})
    thanos = {"use_thanos_objstore": True, "object_store": {"s3": new}}
    yield Fault(cause, f"{name}-thanos", thanos, env=env, hidden=hidden)
    if not words.get("thanos"):
        yield Fault(cause, f"{name}-sdk", {"aws": old}, env=env, hidden=hidden)


def faults_of_s3(rgw: Rgw, folder: Path, stack: contextlib.ExitStack) -> Iterator[Fault]:
    """Yield what can be wrong between Loki and an S3 store."""
    ahead, moto, trusting = Rgw(), MotoIam(), MotoIam()
    for part in (ahead, moto, trusting):
        stack.callback(part.stop)
    ahead.start()
    moto.start()
    trusting.start(checked=False)
    known: Json = {"pair": rgw.create_user("loki"), "endpoint": address(rgw.endpoint)}
    yield from faults_of_keys(rgw, known)
    yield from faults_of_names(known)
    yield from faults_of_the_way(known, folder, stack)
    yield from faults_of_tokens(rgw, known, folder)
    pair = ahead.create_user("loki")
    assert ahead.request(pair, "PUT", f"/{BUCKET}").is_success
    ahead.set_clock("+20m")
    late: Json = {"pair": pair, "endpoint": address(ahead.endpoint)}
    thanos, sdk = both("clock_skew", "rgw-20-minutes-ahead", **late)
    # AWS's SDK sets its clock by the answer, and tries again.
    yield from (thanos, replace(sdk, cause="healthy"))
    yield from faults_of_moto(moto, trusting, folder)


def faults_of_keys(rgw: Rgw, known: Json) -> Iterator[Fault]:
    """Yield what RGW refuses, and what is well."""
    pair = known["pair"]
    other, suspended, full = map(rgw.create_user, ("other", "suspended", "full"))
    for owner, name in ((pair, BUCKET), (other, "foreign"), (suspended, "held"), (full, "small")):
        assert rgw.request(owner, "PUT", f"/{name}").is_success
    rgw.admin("user", "suspend", "--uid=suspended")
    rgw.admin("quota", "set", "--uid=full", "--quota-scope=user", "--max-objects=0")
    rgw.admin("quota", "enable", "--uid=full", "--quota-scope=user")
    yield from both("healthy", "rgw", **known)
    yield from both("healthy", "day", **known)
    yield from both("access_key_unknown", "rgw", **known | {"pair": ("AKIAGONEGONEGONE", pair[1])})
    yield from both("secret_key_mismatch", "rgw", **known | {"pair": (pair[0], "x" * 40)})
    newline = {"pair": (pair[0] + "\n", pair[1])}
    yield from both("secret_trailing_newline", "in-the-id", **known | newline)
    newline = {"pair": (pair[0], pair[1] + "\n")}
    yield from both("secret_trailing_newline", "in-the-secret", **known | newline)
    yield from both("bucket_not_found", "rgw", **known, bucket="gone")
    yield from both("s3_access_denied_policy", "rgw-of-another", **known, bucket="foreign")
    yield from both("user_suspended", "rgw", **known | {"pair": suspended}, bucket="held")
    yield from both("object_store_full", "rgw", **known | {"pair": full}, bucket="small")
    yield from both("no_credentials_in_chain", "nothing", **known | {"pair": ("", "")})


def faults_of_names(known: Json) -> Iterator[Fault]:
    """Yield what a configuration calls otherwise than the store."""
    variable = {"endpoint": "${S3_ENDPOINT}"}
    yield from both("env_not_expanded", "endpoint", **known | variable)
    yield from both("bucket_name_missing", "empty", **known, bucket="")
    yield from both("bucket_name_is_path", "slash", **known, bucket="acme/loki")
    virtual = {"endpoint": known["endpoint"].replace(HOST, "rgw.storage.svc"), "path_style": False}
    yield from both("virtual_host_style_dns", "svc", **known | virtual)


def faults_of_the_way(known: Json, folder: Path, stack: contextlib.ExitStack) -> Iterator[Fault]:
    """Yield addresses where no store is, and TLS that is not trusted."""
    (closed,) = free_ports(1)
    own = certificate(folder, "own", host=HOST)
    named = certificate(folder, "s3.example.net")
    old = certificate(folder, "old", host=HOST, days_ago=9)
    secure, misnamed, expired = (
        stack.enter_context(served(Page, tls(*pair))) for pair in (own, named, old)
    )
    missing, captive = (stack.enter_context(served(each)) for each in (Missing, Page))
    yield from both("endpoint_unreachable", "closed", **known | {"endpoint": f"{HOST}:{closed}"})
    nobody = {"endpoint": "rgw.storage.invalid:80"}
    yield from both("endpoint_unreachable", "no-host", **known | nobody)
    yield from both("tls_scheme_mismatch", "https-to-plain", insecure=False, **known)
    tls_port = {"endpoint": f"{HOST}:{secure}"}
    yield from both("tls_scheme_mismatch", "http-to-tls", **known | tls_port)
    yield from both("tls_unknown_authority", "own", insecure=False, **known | tls_port)
    trusted = {"env": {"SSL_CERT_FILE": str(named[0])}, "endpoint": f"{HOST}:{misnamed}"}
    yield from both("tls_name_mismatch", "named", insecure=False, **known | trusted)
    trusted = {"env": {"SSL_CERT_FILE": str(old[0])}, "endpoint": f"{HOST}:{expired}"}
    yield from both("tls_certificate_expired", "old", insecure=False, **known | trusted)
    yield from both("endpoint_not_s3_api", "404", **known | {"endpoint": f"{HOST}:{missing}"})
    yield from both("endpoint_not_s3_api", "captive", **known | {"endpoint": f"{HOST}:{captive}"})


def faults_of_tokens(rgw: Rgw, known: Json, folder: Path) -> Iterator[Fault]:
    """Yield what the current client says where a token's exchange fails: it hides all of it."""
    token = folder / "token"
    token.write_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")
    role = {
        "AWS_ROLE_ARN": "arn:aws:iam:::role/no-such-role",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": rgw.endpoint,
    }
    yield from by_token("sts_trust_policy_denied", "rgw-no-role", known, role)
    gone = role | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/storage/token"}
    yield from by_token("token_file_unreadable", "gone", known, gone)
    store = role | {"AWS_ENDPOINT_URL_STS": f"{rgw.endpoint}/{BUCKET}"}
    yield from by_token("sts_sent_to_storage_endpoint", "bucket", known, store)
    (closed,) = free_ports(1)
    nowhere = role | {"AWS_ENDPOINT_URL_STS": f"http://{HOST}:{closed}"}
    yield from by_token("sts_unreachable", "closed", known, nowhere)


def by_token(cause: str, name: str, known: Json, env: dict[str, str]) -> Iterator[Fault]:
    """Yield a fault for both clients, which take their credentials by an exchange of tokens."""
    native = {"native_aws_auth_enabled": True}
    yield from both(cause, name, **known | {"pair": ("", ""), "thanos": native}, env=env)
    old = {
        "bucketnames": BUCKET,
        "endpoint": known["endpoint"],
        "insecure": True,
        "region": "us-east-1",
        "s3forcepathstyle": True,
    }
    yield Fault(cause, f"{name}-sdk", {"aws": old}, env=env)


def faults_of_moto(moto: MotoIam, trusting: MotoIam, folder: Path) -> Iterator[Fault]:
    """Yield what AWS refuses, in its words, as moto plays it, and an exchange of tokens that holds.

    A moto that checks signatures fails at such an exchange, which nobody signs: `trusting` has it.
    """
    administrator = moto.administrator
    pair = (administrator["AWS_ACCESS_KEY_ID"], administrator["AWS_SECRET_ACCESS_KEY"])
    moto.make_bucket(BUCKET)
    none = moto.make_user("nobody")
    nobody = (none["AWS_ACCESS_KEY_ID"], none["AWS_SECRET_ACCESS_KEY"])
    known: Json = {"pair": pair, "endpoint": address(moto.endpoint)}
    yield from both("healthy", "moto", **known)
    yield from both("access_key_unknown", "moto", **known | {"pair": ("AKIAGONEGONEGONE", pair[1])})
    yield from both("secret_key_mismatch", "moto", **known | {"pair": (pair[0], "x" * 40)})
    yield from both("s3_access_denied_policy", "moto-no-policy", **known | {"pair": nobody})
    yield from both("bucket_not_found", "moto", **known, bucket="gone")
    token = folder / "moto-token"
    token.write_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")
    role = {
        "AWS_ROLE_ARN": trusting.make_role("loki", ROLE_TRUST, EVERYTHING),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": trusting.endpoint,
    }
    trusting.make_bucket(BUCKET)
    known = {"pair": pair, "endpoint": address(trusting.endpoint)}
    yield from by_token("healthy", "moto-role", known, role)
