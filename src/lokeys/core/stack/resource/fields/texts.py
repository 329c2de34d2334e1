# SPDX-License-Identifier: Apache-2.0
"""The texts in a LokiStack, and what else many of its fields have in common."""

from __future__ import annotations

import re
from datetime import date, timedelta

from lokeys.core.schema.language import Anything, Fields, ListOf, MapOf, Text
from lokeys.core.text.durations import go_duration

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}\w)?")
_DATA_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = timedelta(days=365)


def duration_s(text: str) -> float | None:
    """Return the seconds of a Go duration such as `1m30s`; None if invalid or not positive."""
    found = go_duration(text)
    return found.total_seconds() if found and timedelta() < found <= _LONGEST else None


def calendar_date(text: str) -> date | None:
    """Return the day that `2024-10-01` names; None if there is no such day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _one_line(text: str) -> bool:
    return text.isprintable()


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and text.isprintable() and " " not in text


def line(description: str = "") -> Text:
    """Return a text of one line."""
    return Text(description, accepts=_one_line, says="text of one line")


def url(description: str) -> Text:
    """Return an address."""
    return Text(description, accepts=_is_url, says="an http or https URL")


def object_name(description: str) -> Text:
    """Return the name of an object in the stack's namespace."""
    return Text(description, accepts=_SUBDOMAIN.fullmatch, says="the name of an object")


def data_key(description: str) -> Text:
    """Return a key in an object's data."""
    return Text(description, accepts=_DATA_KEY.fullmatch, says="a key of a ConfigMap or Secret")


def label_key(description: str) -> Text:
    """Return the key of a label."""
    return Text(description, accepts=_LABEL_KEY.fullmatch, says="the key of a label")


def lines(description: str) -> ListOf:
    """Return a list of texts of one line."""
    return ListOf(description, line())


def labels(description: str) -> MapOf:
    """Return a mapping of texts of one line."""
    return MapOf(description, line())


def authority(description: str) -> Fields:
    """Return a CA in a ConfigMap."""
    return Fields(
        description,
        {
            "caName": object_name("The ConfigMap that holds it, in the stack's namespace."),
            "caKey": data_key("The key in that ConfigMap; service-ca.crt if left out."),
        },
        required=("caName",),
    )


def ignored(description: str = "Accepted, and not acted on.") -> Anything:
    """Return a field that is kept as it is written, and has no effect."""
    return Anything(description, acted_on=False)
