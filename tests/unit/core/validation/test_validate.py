# SPDX-License-Identifier: Apache-2.0
"""Whole inputs judged: stacks with what they name, in any order, of any JSON."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.findings.finding import Finding
from lokeys.core.findings.report import Ignore
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.validation.report import validation_report
from lokeys.core.validation.validate import Validation, validate
from unit.core.stack.storage.secrets import EVERYWHERE, SOUND
from unit.core.validation.manifests import (
    NOW,
    Given,
    Object,
    config_map,
    external_secret,
    secret,
    stack,
)


def judge(*objects: Object, **words: Any) -> Validation:
    return validate([Given(each) for each in objects], now=NOW, **words)


def faults(validation: Validation) -> list[str]:
    return sorted(str(finding.fault) for finding in validation.all_findings)


def test_a_sound_input_is_not_complained_of() -> None:
    """The report says what the storage is."""
    validation = judge(stack(), secret())
    assert validation.ok
    assert faults(validation) == []
    (view,) = validation.stacks
    assert view.ok
    report = validation_report(validation)
    assert report["stacks"][0]["storage"]["resolved"]["buckets"] == ["loki"]
    assert report["stacks"][0]["storage"]["credentialMode"] == "static"


def test_a_missing_secret_is_an_error_or_as_said() -> None:
    """--secrets optional makes it a warning."""
    assert faults(judge(stack())) == ["missing_storage_secret"]
    assert not judge(stack()).ok
    assert judge(stack(), secrets_optional=True).ok


def test_an_external_secret_stands_for_its_secret() -> None:
    """Its names are judged, and the place named is its own."""
    sound = judge(stack(), external_secret(*SOUND["s3 static"]))
    assert faults(sound) == []
    assert sound.stacks[0].storage is None
    lacking = judge(stack(), external_secret("bucketnames", "endpoint", "access_key_id"))
    assert faults(lacking) == ["missing_field"]
    assert lacking.all_findings[0].location


def test_a_secret_in_another_namespace_is_another_secret() -> None:
    """What names no namespace is in the one that was said."""
    bare = secret()
    del bare["metadata"]["namespace"]
    assert faults(judge(stack(), bare)) == ["missing_storage_secret"]
    assert faults(judge(stack(), bare, namespace="logging")) == []


def without_namespace(given: Object) -> Object:
    """Return an object that is for whatever namespace it is applied to."""
    metadata = {key: text for key, text in given["metadata"].items() if key != "namespace"}
    return {**given, "metadata": metadata}


def test_who_names_no_namespace_may_end_in_the_others() -> None:
    """Argo CD and Flux say it: a warning that asks for it; what is there is judged."""
    broken = secret({**SOUND["s3 static"], "endpoint": "nowhere"})
    trusting = stack(tls={"caName": "ca", "caKey": "ca.crt"})
    for one, other in ((stack(), without_namespace(broken)), (without_namespace(stack()), broken)):
        first, second = judge(one, other).all_findings
        assert {first.severity, second.severity} == {"error", "warning"}
        assert {first.fault, second.fault} == {"missing_storage_secret", "bad_endpoint"}
    made = external_secret(*SOUND["s3 static"])
    item = {
        **without_namespace(secret()),
        "apiVersion": "onepassword.com/v1",
        "kind": "OnePasswordItem",
    }
    for maker, codes in ((without_namespace(made), ["LK0101"]), (item, ["LK0101", "LK0136"])):
        assert [each.code for each in judge(stack(), maker).all_findings] == codes
        assert judge(stack(), maker).ok
    empty = without_namespace(config_map(**{"ca.crt": ""}))
    found = judge(trusting, secret(), empty).all_findings
    assert {each.code: each.severity for each in found} == {"LK0125": "warning", "LK0126": "error"}


def test_two_of_one_name_are_not_chosen_from() -> None:
    """And one that names another namespace is another one."""
    elsewhere = secret()
    elsewhere["metadata"] = {"name": "loki-storage", "namespace": "elsewhere"}
    third = {**elsewhere, "metadata": {"name": "loki-storage", "namespace": "third"}}
    assert not judge(stack(), elsewhere).ok
    assert judge(without_namespace(stack()), elsewhere).ok
    assert not judge(without_namespace(stack()), elsewhere, third).ok
    left_alone = without_namespace(external_secret("a", policy="None"))
    assert faults(judge(stack(), left_alone)) == ["missing_storage_secret"]


def test_stacks_share_a_secret() -> None:
    """Each is told of its faults."""
    values = {**SOUND["s3 static"], "forcepathstyle": "x"}
    validation = judge(stack("a"), stack("b"), secret(values))
    assert [view.ok for view in validation.stacks] == [False, False]
    assert faults(validation) == ["bad_bool", "bad_bool"]


def test_the_same_object_twice() -> None:
    """A stack is told of always, a Secret where its contents differ."""
    assert faults(judge(stack(), stack(), secret(), secret())) == ["duplicate_stack"] * 2
    other = secret({**SOUND["s3 static"], "bucketnames": "other"})
    twice = judge(stack(), secret(), other)
    assert faults(twice) == ["duplicate_object"]
    assert twice.findings[0].object == twice.stacks[0].secret.ref  # type: ignore[union-attr]


def test_the_ca_is_looked_at() -> None:
    """Where the store takes one; elsewhere it is said that it does not."""
    trusting = stack(tls={"caName": "ca"})
    assert faults(judge(trusting, secret())) == ["missing_ca_configmap"]
    assert faults(judge(trusting, secret(), config_map(x="y"))) == ["bad_ca_configmap"]
    both = (config_map(x="y"), config_map(x="z"))
    twice = ["bad_ca_configmap", "duplicate_object"]
    assert faults(judge(trusting, secret(), *both)) == twice
    made = stack(tls={"caName": "openshift-service-ca.crt"})
    assert faults(judge(made, secret())) == []
    other = stack(tls={"caName": "openshift-service-ca.crt", "caKey": "ca.crt"})
    assert faults(judge(other, secret())) == ["missing_ca_configmap"]
    azure = stack(tls={"caName": "ca"}, secret={"name": "loki-storage", "type": "azure"})
    assert faults(judge(azure, secret(SOUND["azure static"]))) == ["unsupported_field"]


def test_managed_credentials_are_missed_and_looked_at() -> None:
    """token-cco needs the Secret that the Cloud Credential Operator makes."""
    own = secret(SOUND["s3 token-cco"])
    missed = judge(stack(), own, environment=EVERYWHERE)
    assert faults(missed) == ["missing_managed_secret"]
    assert not missed.ok
    granted = judge(stack(), own, environment=EVERYWHERE, secrets_optional=True)
    assert [finding.severity for finding in granted.all_findings] == ["info"]
    managed = secret({"credentials": "x"}, name="my-stack-managed-credentials")
    assert faults(judge(stack(), own, managed, environment=EVERYWHERE)) == []
    managed["stringData"] = {}
    assert faults(judge(stack(), own, managed, environment=EVERYWHERE)) == ["missing_field"]


@pytest.mark.parametrize("what", ["s3", "azure", "gcs"])
def test_a_secret_for_the_clouds_own_credentials_is_recognised(what: str) -> None:
    """Without the options that say so it lacks keys; how to say so stands beside."""
    told = judge(
        stack(secret={"name": "loki-storage", "type": what}), secret(SOUND[f"{what} token-cco"])
    )
    found = [each for each in told.all_findings if each.fault == "missing_field"]
    assert found
    assert all("use --token-cco" in each.remedy[-1].text for each in found)
    for words, values in (
        ({"credentialMode": "static"}, SOUND[f"{what} token-cco"]),
        ({}, {**SOUND[f"{what} token-cco"], "access_key_id": "AKIAIOSFODNN7EXAMPLE"}),
    ):
        other = judge(stack(secret={"name": "loki-storage", "type": what, **words}), secret(values))
        for each in other.all_findings:
            assert not any("--token-cco" in remedy.text for remedy in each.remedy)


def test_other_faults_of_such_a_secret_say_nothing_of_the_cloud() -> None:
    """A bucket's name is as wrong with the cloud's own credentials as without."""
    values = {**SOUND["s3 token-cco"], "bucketnames": "Not A Bucket"}
    told = judge(stack(), secret(values))
    advised = {
        each.fault: any("--token-cco" in remedy.text for remedy in each.remedy)
        for each in told.all_findings
    }
    assert advised.pop("missing_field")
    assert advised
    assert not any(advised.values())


def test_no_managed_credentials_are_missed_where_nobody_asks_for_them() -> None:
    """A mode that cannot be: no request is made, so no answer lacks."""
    values = {"name": "loki-storage", "type": "swift", "credentialMode": "token-cco"}
    swift = judge(stack(secret=values), secret(SOUND["swift static"]), environment=EVERYWHERE)
    assert faults(swift) == ["mode_not_supported"]
    cco = {"name": "loki-storage", "type": "s3", "credentialMode": "token-cco"}
    s3 = judge(stack(secret=cco), secret(SOUND["s3 token-cco"]))
    assert faults(s3) == ["mode_not_available"]


def test_faults_of_the_spec_hide_none_of_the_secret() -> None:
    """Size, schemas and Secret are all told at once."""
    broken = stack(
        schemas=[
            {"version": "v12", "effectiveDate": "2099-01-01"},
            {"version": "v13", "effectiveDate": "2099-01-01"},
        ]
    )
    broken["spec"]["size"] = "huge"
    validation = judge(broken, secret({**SOUND["s3 static"], "endpoint": "x"}))
    assert faults(validation) == [
        "bad_endpoint",
        "dates_not_unique",
        "missing_valid_start_date",
        "unknown_size",
    ]


@pytest.mark.parametrize(
    "schemas",
    [None, [], [7], [{"version": "v13"}], [{"version": "v99", "effectiveDate": "2025-01-01"}]],
)
def test_schemas_of_no_form_are_left_to_the_form(schemas: object) -> None:
    """Only schemas that can be read are compared with the calendar."""
    broken = stack(schemas=schemas)
    broken["spec"]["size"] = "huge"
    assert "missing_valid_start_date" not in faults(judge(broken, secret()))


def test_a_storage_credential_is_judged_too() -> None:
    """Its faults are findings, each with its place."""
    bare: Object = {
        "apiVersion": "lokeys.dev/v1alpha1",
        "kind": "StorageCredential",
        "metadata": {"name": "loki", "namespace": "logging"},
        "spec": {"sauce": {}},
    }
    validation = judge(bare)
    (view,) = validation.credentials
    assert not view.ok
    assert {"missing_field", "unknown_field"} <= {finding.fault for finding in view.findings}
    report = validation_report(validation)
    assert report["credentials"][0]["name"] == "loki"
    assert report["ok"] is False


def test_what_is_ignored_is_not_told() -> None:
    """By code, as everywhere."""
    assert judge(stack(), ignored=[Ignore(code="LK0101")]).ok


BROKEN = [
    stack("a"),
    stack("b", secret={"name": "other", "type": "gcs"}, tls={"caName": "ca"}),
    stack("b", secret={"name": "other", "type": "azure"}),
    secret({"bucket_names": "x", "access_key_id": "y\n", "colour": "z"}),
    secret({"client_id": "1"}, name="other"),
    secret({"client_id": "2"}, name="other"),
    external_secret("a"),
    config_map(a="b"),
    config_map(a="c"),
]


def _said(finding: Finding) -> str:
    return f"{finding.id} {finding.message}"


@given(st.permutations(BROKEN))
def test_the_order_of_the_input_changes_nothing(objects: list[Object]) -> None:
    """Any order of the objects gives the same findings in the same order."""
    usual = judge(*BROKEN)
    shuffled = judge(*objects)
    assert list(map(_said, shuffled.all_findings)) == list(map(_said, usual.all_findings))


def test_a_terminal_is_given_nothing_to_obey() -> None:
    """Names with escapes in them are shown without, wherever they stand."""
    named = {"name": "x\x1b[31m", "namespace": "y\x1b[31m"}
    objects = [stack(secret={"name": "s\x1b[31m", "type": "s3"}, tls={"caName": "c\x1b[31m"})]
    objects += [{**each, "metadata": named} for each in (objects[0], external_secret("a\x1b"))]
    validation = judge(*objects, {"kind": "StorageCredential", "metadata": named})
    for view in validation.views:
        assert "\x1b" not in str(view.ref)
    for finding in validation.all_findings:
        assert "\x1b" not in f"{finding.object} {finding.field} {finding.message}"


SCALARS: tuple[object, ...] = (None, True, 0, -1.5, "", "text", [], {}, [[]], [None], {"a": {}})
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def _paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else ()
    for name, inner in items:
        found += _paths(inner, (*path, name))
    if isinstance(value, list):
        for place, inner in enumerate(value):
            found += _paths(inner, (*path, place))
    return found


def _with(document: Object, path: tuple[Any, ...], value: object) -> Object:
    changed = copy.deepcopy(document)
    node: Any = changed
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return changed


WHOLE = [
    stack(tls={"caName": "ca", "caKey": "k"}),
    secret(),
    external_secret("a"),
    config_map(a=""),
]


@pytest.mark.parametrize("value", SCALARS, ids=json.dumps)
@pytest.mark.parametrize("number", range(len(WHOLE)))
def test_every_field_takes_any_type(number: int, value: object) -> None:
    """Any JSON anywhere is findings, never a crash; `kind` apart, which says what it is."""
    for path in _paths(WHOLE[number]):
        if path and path != ("kind",):
            objects = [*WHOLE]
            objects[number] = _with(WHOLE[number], path, value)
            validation_report(judge(*objects))


@given(json_values, st.sampled_from(["LokiStack", "Secret", "ConfigMap", "ExternalSecret"]))
def test_any_object_at_all_is_judged(value: Any, kind: str) -> None:
    """Whatever stands beside `kind`."""
    strange = {**value, "kind": kind} if isinstance(value, dict) else {"kind": kind, "spec": value}
    validation_report(judge(strange, stack(), secret(), environment=CloudEnvironment()))
