# SPDX-License-Identifier: Apache-2.0
"""The rules that the types of a StorageCredential's fields cannot express.

A test has the real API server and these rules judge the same manifests.
"""

from __future__ import annotations

import re
from datetime import timedelta

from lokeys.core.schema.language import CelRule
from lokeys.core.text.durations import go_duration


def matching(pattern: str, message: str) -> CelRule:
    """Return a rule that the whole text must match; its message says more than a pattern."""
    whole = re.compile(pattern)
    return CelRule(
        cel=f"self.matches(r'^{pattern}$')",
        message=message,
        holds=lambda value: whole.fullmatch(value) is not None,
    )


_DURATION = re.compile("([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?")


def duration(value: str) -> timedelta:
    """Return a duration such as `720h`, `30m` or `1h30m`; ValueError for anything else."""
    found = go_duration(value) if _DURATION.fullmatch(value) else None
    if found is None:
        raise ValueError("not a duration")
    return found


def duration_text(value: timedelta) -> str:
    """Return a duration of whole seconds in the form that `duration` reads."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _exactly_one(names: tuple[str, ...], message: str) -> CelRule:
    given = ", ".join(f"has(self.{name})" for name in names)
    return CelRule(
        cel=f"[{given}].filter(given, given).size() == 1",
        message=message,
        holds=lambda value: sum(name in value for name in names) == 1,
    )


def _cron_field(number: str) -> str:
    span = rf"(\*|{number}(-{number})?)(/[1-9][0-9]?)?"
    return f"{span}(,{span})*"


_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = rf"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:{_PORT})?"
_HOUR, _DAY, _MONTH = "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])"
_CRON = " ".join(map(_cron_field, ("[0-5]?[0-9]", _HOUR, _DAY, _MONTH, "[0-7]")))

SHORT_NAME = CelRule(
    cel="self.metadata.name.size() <= 63",
    message="the name is at most 63 characters long: the Lease and the Roles are named after it",
    holds=lambda value: len(value["metadata"]["name"]) <= 63,
)
NOT_THE_OPERATOR = CelRule(
    cel="self.metadata.name != 'operator'",
    message="`operator` is taken: the Lease `lokeys-operator` is the operator's own",
    holds=lambda value: value["metadata"]["name"] != "operator",
)
ONE_SOURCE = _exactly_one(
    ("rook", "rgw", "awsIAM", "secret", "objectBucketClaim"),
    "name exactly one source: rook, rgw, awsIAM, secret or objectBucketClaim",
)
ONE_VAULT = _exactly_one(
    ("onePassword", "pushSecret"),
    "name exactly one vault, onePassword or pushSecret, or leave `vault` out",
)
ONE_MAKER = CelRule(
    cel="!(has(self.externalSecret) && has(self.madeBy)) || has(self.values)",
    message="one thing makes a Secret: name an ExternalSecret, or what else does, not both",
    holds=lambda value: not ("externalSecret" in value and "madeBy" in value) or "values" in value,
)
VALUES_ARE_RENDERED = CelRule(
    cel="!has(self.values) || (has(self.madeBy) && self.madeBy.kind == 'HelmRelease')",
    message="`values` are what a HelmRelease renders: name it in `madeBy`",
    holds=lambda value: (
        "values" not in value or value.get("madeBy", {}).get("kind") == "HelmRelease"
    ),
)
CONFIG_MAP_HOLDS_A_TEXT = CelRule(
    cel="self.kind == 'Secret' || has(self.inside)",
    message="a ConfigMap has the pair inside of a text: name its data key in `inside`",
    holds=lambda value: value["kind"] == "Secret" or "inside" in value,
)
REFRESH_NEEDS_ADMIN = CelRule(
    cel="!self.refresh || has(self.admin)",
    message="`refresh` needs `admin`: nobody can tell which key survives without RGW's own list",
    holds=lambda value: not value["refresh"] or "admin" in value,
)
DIFFERENT_KEYS = CelRule(
    cel="self.accessKeyId != self.secretAccessKey",
    message="the two halves of a pair need two different names",
    holds=lambda value: value["accessKeyId"] != value["secretAccessKey"],
)
ENDPOINT = matching(
    f"https?://{_HOST}",
    "an endpoint is http:// or https:// and a host, with a port or not: "
    "no path, no bucket, no user, no slash at the end",
)
SERVER_URL = matching(
    f"https?://{_HOST}(/[A-Za-z0-9._~/-]*)?",
    "a URL here is http:// or https://, a host, and a path or not: no user, no query",
)
CERTIFICATES = CelRule(
    cel="self.contains('-----BEGIN CERTIFICATE-----') && self.contains('-----END CERTIFICATE-----')"
    " && !self.contains('PRIVATE KEY')",
    message="a CA bundle is PEM text, one or more certificates: not base64 of them, no private key",
    holds=lambda value: (
        "-----BEGIN CERTIFICATE-----" in value
        and "-----END CERTIFICATE-----" in value
        and "PRIVATE KEY" not in value
    ),
)
CA_NEEDS_TLS = CelRule(
    cel="!has(self.caBundle) || self.endpoint.startsWith('https://')",
    message="a CA bundle means nothing to an http:// endpoint",
    holds=lambda value: "caBundle" not in value or value["endpoint"].startswith("https://"),
)
# A `:` separates a tenant of Ceph RGW from its bucket; Loki's client accepts it (minio-go 7.0.99).
BUCKET_NAME = matching(
    "[A-Za-z0-9][A-Za-z0-9._:-]*",
    "a bucket's name has letters, digits, `.`, `_`, `-` and `:` only: no `/`, no URL",
)
METRICS_PATH = matching("/[A-Za-z0-9._~/-]*", "a path begins with `/`")
DURATION = matching(
    _DURATION.pattern, "a duration is hours, minutes, seconds, in this order: 720h, 30m, 1h30m"
)
AT_LEAST_AN_HOUR = CelRule(
    cel="duration(self) >= duration('1h')",
    message="a key is replaced once an hour at most",
    holds=lambda value: duration(value) >= timedelta(hours=1),
)
A_MINUTE_TO_A_DAY = CelRule(
    cel="duration(self) >= duration('1m') && duration(self) <= duration('24h')",
    message="a window is open for a minute at least and a day at most",
    holds=lambda value: timedelta(minutes=1) <= duration(value) <= timedelta(hours=24),
)
AT_MOST_A_DAY = CelRule(
    cel="duration(self) <= duration('24h')",
    message="a bridge lasts a day at most",
    holds=lambda value: duration(value) <= timedelta(hours=24),
)
OVERLAP_ENDS = CelRule(
    cel="duration(self.overlap) < duration(self.every)",
    message="`overlap` is shorter than `every`: the old key retires before the next one comes",
    holds=lambda value: duration(value["overlap"]) < duration(value["every"]),
)
CRON = matching(
    _CRON,
    "a schedule has five fields of numbers: minute hour day month weekday, as in `0 2 * * 6`",
)
ONLY_A_MINTED_KEY_ROTATES = CelRule(
    cel="!(has(self.source.secret) || has(self.source.objectBucketClaim)) "
    "|| (self.mode != 'Rotate' && !has(self.rotation))",
    message="a key from a plain Secret or a claim is only copied: lokeys cannot mint the next one, "
    "so neither mode Rotate nor `rotation` fits it",
    holds=lambda value: (
        not {"secret", "objectBucketClaim"} & set(value["source"])
        or (value["mode"] != "Rotate" and "rotation" not in value)
    ),
)
SOURCE_IS_NOT_THE_TARGET = CelRule(
    cel="!has(self.source.secret) || has(self.source.secret.__namespace__) "
    "|| self.source.secret.name != self.secret.name",
    message="the source and the Secret that Loki reads are the same Secret",
    holds=lambda value: (
        "secret" not in value["source"]
        or "namespace" in value["source"]["secret"]
        or value["source"]["secret"]["name"] != value["secret"]["name"]
    ),
)
