# SPDX-License-Identifier: Apache-2.0
"""No form of `validate` shows a Secret's value, wherever in the Secret it stands."""

import json
from base64 import b64encode
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lokeys.cli.commands.validate import people_lines
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage.fields import KEYS, SECRET_KEYS
from lokeys.core.validation.junit import junit
from lokeys.core.validation.report import validation_report
from lokeys.core.validation.sarif import sarif
from lokeys.core.validation.validate import validate
from manifests.lokistack import Choice
from unit.core.stack.storage.secrets import EVERYWHERE, SOUND
from unit.core.validation.manifests import Given, secret, stack

CANARY = "C4nary+/S3cret="
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALL_KEYS = sorted({name for keys in KEYS.values() for name in keys.known} | {"unknown"})
FORMS = ("{}", "{}\n", "https://user:{}@host", '{{"type": "service_account", "private_key": "{}"}}')


@given(
    st.sampled_from(["clientID", "clientSecret", "issuerCAPath", "client_id", "unknown"]),
    st.sampled_from(FORMS),
)
def test_no_form_shows_what_a_tenants_secret_holds(key: str, form: str) -> None:
    """Whichever key it is under, and whatever is wrong with it."""
    value = form.format(CANARY)
    choice = Choice(tenancy="static")
    client, *others = choice.beside
    client["stringData"][key] = value
    objects = [Given(each) for each in (choice.manifest, choice.secret, client, *others)]
    validation = validate(objects, now=NOW)
    shown = [
        json.dumps(validation_report(validation)),
        json.dumps(sarif(validation.all_findings, version="0")),
        junit(validation, fail_on=Severity.INFO),
        "".join(text for line in people_lines(validation, width=10_000) for text, _ in line),
    ]
    assert not any(CANARY in text for text in shown)


@given(st.sampled_from(sorted(SOUND)), st.sampled_from(ALL_KEYS), st.sampled_from(FORMS))
def test_no_form_shows_a_value(what: str, key: str, form: str) -> None:
    """People, JSON, SARIF, JUnit; plain and encoded; `resolved` has facts of sound Secrets."""
    kind, mode = what.split()
    value = form.format(CANARY)
    own = stack(secret={"name": "loki-storage", "type": kind, "credentialMode": mode})
    given_objects = [Given(own), Given(secret({**SOUND[what], key: value}))]
    validation = validate(given_objects, now=NOW, environment=EVERYWHERE)
    shown = [
        json.dumps(sarif(validation.all_findings, version="0")),
        junit(validation, fail_on=Severity.INFO),
        "".join(text for line in people_lines(validation, width=10_000) for text, _ in line),
    ]
    if validation.stacks[0].storage is None or key in SECRET_KEYS | {"unknown", "key.json"}:
        shown.append(json.dumps(validation_report(validation)))
    for text in shown:
        assert CANARY not in text
        assert b64encode(value.encode()).decode() not in text
