# SPDX-License-Identifier: Apache-2.0
"""What would change: objects that are there against objects that are rendered."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.render.differences import differences, ours_of, ref_of
from lokeys.core.stack.render.render import RenderOptions, render
from manifests.lokistack import CANARY, NOW, Choice

CHOICE = Choice(store="s3-token-rgw", size="1x.small", tenancy="static", extra="everything")
RENDERED = render(*CHOICE.read(), options=RenderOptions(now=NOW))
METADATA = {"name": "a", "namespace": "ns"}
KEY = Fingerprinter(key=Sensitive(b"k" * 32), kept=False)
HIDDEN = "(not shown, "


def one(kind: str, name: str) -> dict[str, Any]:
    """Return a copy of one rendered object, as a file has it."""
    (found,) = (
        each for each in RENDERED if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return copy.deepcopy(found)


def kept(manifest: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an object as a cluster keeps it: with an identity, a status, and who applied what."""
    owned = [{"manager": "lokeys", "operation": "Apply", "fieldsV1": fields}] if fields else []
    metadata = {**manifest["metadata"], "uid": "u", "resourceVersion": "7"}
    return {**manifest, "metadata": {**metadata, "managedFields": owned}, "status": {"x": 1}}


def diff(rendered: dict[str, Any] | None, there: dict[str, Any] | None) -> list[str]:
    """Return the changed lines, without what stands around them."""
    known = {ref_of(there): there} if there else {}
    lines = differences([rendered] if rendered else [], known, where="cluster", fingerprinter=KEY)
    return [
        re.sub(r"r:[0-9a-f]{6}\)", "r:)", line.replace("  ", "").replace('"', ""))
        for line in lines
        if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]


def test_what_is_rendered_differs_in_nothing_from_itself() -> None:
    """Neither in a file nor in a cluster that added its defaults."""
    assert not list(
        differences(
            RENDERED, {ref_of(each): each for each in RENDERED}, where="x", fingerprinter=KEY
        )
    )
    there = {ref_of(each): kept(copy.deepcopy(each)) for each in RENDERED}
    for each in there.values():
        if "template" in each.get("spec", {}):
            pod = each["spec"]["template"]["spec"]
            pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
            pod["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
            pod["containers"].insert(0, {"name": "injected", "image": "of-somebody-else"})
            pod["containers"][1]["env"] = pod["containers"][1].get("env", [])[::-1]
    assert not list(differences(RENDERED, there, where="cluster", fingerprinter=KEY))


def test_a_changed_field_is_told_with_what_it_was() -> None:
    """As a unified diff, with names of both sides."""
    new = one("StatefulSet", "my-stack-ingester")
    old = kept(copy.deepcopy(new))
    old["spec"]["replicas"] = 3
    lines = list(differences([new], {ref_of(new): old}, where="cluster", fingerprinter=KEY))
    assert lines[:2] == [
        "--- cluster/StatefulSet logging/my-stack-ingester",
        "+++ rendered/StatefulSet logging/my-stack-ingester",
    ]
    assert [line for line in lines[3:] if line[0] != " "] == ["-  replicas: 3", "+  replicas: 4"]


def test_objects_come_and_go() -> None:
    """A new one is all plus, one that nobody renders any more all minus."""
    account = one("ServiceAccount", "my-stack-ruler")
    added = diff(account, None)
    assert added[0] == "+apiVersion: v1"
    assert {line[0] for line in added} == {"+"}
    gone = diff(None, kept(account))
    assert {line[0] for line in gone} == {"-"}
    names = [line[1:].partition(":")[0] for line in gone]
    assert names == [line[1:].partition(":")[0] for line in added]
    assert "-kind: ServiceAccount" in gone
    assert "-name: my-stack-ruler" in gone
    assert not diff(None, None)


def test_what_was_applied_and_is_rendered_no_more_is_told() -> None:
    """A field that we own; not one that others or defaults put there."""
    spec: dict[str, Any] = {"a": 1, "list": [{"name": "x"}]}
    rendered = {"kind": "A", "metadata": METADATA, "spec": spec}
    there: dict[str, Any] = copy.deepcopy(rendered)
    there["spec"] |= {"b": {"c": 2, "d": 3}, "e": 4}
    there["spec"]["list"] += [{"name": "ours", "w": 1, "z": 1}, {"name": "theirs"}]
    fields = {
        "f:spec": {
            "f:b": {"f:c": {}},
            "f:list": {'k:{"name":"ours"}': {".": {}, "f:name": {}, "f:w": {}}, "k:no JSON": {}},
        }
    }
    told = diff(rendered, kept(there, **fields))
    assert told == ["-b:", "-c: 2", "-- name: ours", "-w: 1"]
    whole = diff(rendered, kept(there, **{"f:spec": {"f:b": {}}}))
    assert whole == ["-b:", "-c: 2", "-d: 3"]
    listed = diff(rendered, kept(there, **{"f:spec": {"f:list": {}}}))
    assert listed == ["-- name: ours", "-w: 1", "-z: 1", "-- name: theirs"]
    by_kubectl = kept(there)
    by_kubectl["metadata"]["managedFields"] = [
        {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": fields},
        {"manager": "x", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:e": {}}},
        {"manager": "somebody", "operation": "Update", "fieldsV1": {"f:spec": {"f:e": {}}}},
        {"manager": "empty", "operation": "Apply"},
    ]
    assert diff(rendered, by_kubectl) == told
    there["spec"]["list"] = [{"name": "x", "default": 1}]
    assert not diff(rendered, kept(there, **{"f:spec": {"f:list": {}}}))


def test_lists_without_names_are_compared_in_order() -> None:
    """Arguments, and ports of a policy's rules."""
    rendered = {"kind": "A", "metadata": METADATA, "spec": {"args": ["a"], "rules": [{"to": 1}]}}
    there = kept(copy.deepcopy(rendered))
    there["spec"]["args"] = ["a", "b"]
    there["spec"]["rules"] = [{"to": 1, "default": 1}, {"to": 2}]
    assert diff(rendered, there) == ["-- (not shown, r:)", "-- to: 2"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "port", "a", "f:a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        'access_key_id: "{}"',
        "- secret_access_key: {}",
        "secret_access_key:{}",
        "secret_access_key : {}",
        "secret_access_key:\t{}",
        '"secret_access_key" : {}',
        "secret_access_key:\n  {}",
        "? secret_access_key\n: {}",
        "account_key: |-\n  {}\n\n  {}",
        "account_key: >\n  {}",
        "account_key: &a {}\nother: *a",
        "account_key: !!str {}",
        "s3: {{access_key_id: a, secret_access_key: {}}}",
        "object_store: {{s3: {{\n  secret_access_key: {}}}}}",
        "{{{}: x}}",
        "- [{}]",
        "{}",
        "{}:",
        "s3: s3://a:{}@host/bucket",
        "endpoint: https://a:{}@host",
        "endpoint: https://host/?sig={}",
        "azure: DefaultEndpointsProtocol=https;AccountKey={};EndpointSuffix=x",
        "# the key was {}",
        "bucket_name: {}",
        "clientSecret: '{}'",
    ],
)
def test_a_credential_in_a_configuration_is_not_shown(text: str) -> None:
    """In whatever form of YAML somebody wrote it there by hand; that there is one may be seen."""
    new = one("ConfigMap", "my-stack-config")
    for where in ("{}{}\n", "{1}\n{0}"):
        old = kept(copy.deepcopy(new))
        written = text.format(CANARY, CANARY)
        old["data"]["config.yaml"] = where.format(new["data"]["config.yaml"], written)
        told = "\n".join(diff(new, old))
        assert told
        assert CANARY not in told


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("    secret_access_key: {}", "secret_access_key: (not shown, r:)"),
        ("  clientSecret: |-\n    {}", "clientSecret: (not shown, r:)"),
        ("bucket_name: {}", "bucket_name: (not shown, r:)"),
        ("storage_config:", "storage_config:"),
        ("  {}: x", "(not shown, r:)"),
    ],
)
def test_a_line_is_named_by_a_name_that_loki_has(line: str, shown: str) -> None:
    """So that people find it in the live object."""
    new = one("ConfigMap", "my-stack-config")
    old = kept(copy.deepcopy(new))
    old["data"]["config.yaml"] += line.format(CANARY) + "\n"
    assert shown in "\n".join(diff(new, old))


def test_an_argument_that_we_give_is_named() -> None:
    """And no other, for what looks like its name may be half a credential."""
    rendered = {"kind": "A", "metadata": METADATA, "spec": {"args": ["-config.file=a", "-x"]}}
    there = kept(copy.deepcopy(rendered))
    there["spec"]["args"] = ["-config.file=b", f"-s3.key={CANARY}", CANARY, "-x", 7]
    assert diff(rendered, there) == [
        "-- -config.file=(not shown, r:)",
        "-- (not shown, r:)",
        "-- (not shown, r:)",
        "+- -config.file=a",
        "-- 7",
    ]


def test_equal_values_have_equal_fingerprints() -> None:
    """So that what moved can be told from what is new."""
    rendered = {"kind": "A", "metadata": METADATA, "spec": {}}
    there = rendered | {"spec": {"a": "x", "b": "x", "c": "y"}}
    lines = differences([rendered], {ref_of(there): there}, where="x", fingerprinter=KEY)
    a, b, c = (line.partition(": ")[2] for line in lines if "not shown" in line)
    assert a == b != c


def _with(value: Any, canary: str) -> Any:
    """Return a value with a canary in place of each text and number; names of items are names."""
    if isinstance(value, dict):
        named = {key: value[key] for key in ("name", "topologyKey") if key in value}
        return {key: _with(item, canary) for key, item in value.items()} | named
    if isinstance(value, list | tuple):
        return [_with(item, canary) for item in value]
    return canary


forms = st.sampled_from(["{}", "a\n{}\nb", "-x={}", "a: {}\n", "{{a: {}}}", "k=v;AccountKey={}"])


@given(st.sampled_from(RENDERED), st.data())
def test_no_value_of_anybodys_is_shown(rendered: Any, data: st.DataObject) -> None:
    """Each value of each object replaced by a credential, and its fields by others, too."""
    form = data.draw(forms)
    identity = ("apiVersion", "kind", "metadata")
    body = {key: item for key, item in rendered.items() if key not in identity}
    there = {
        **_with(body, form.format(CANARY)),
        "apiVersion": rendered["apiVersion"],
        "kind": rendered["kind"],
        "metadata": {**rendered["metadata"], "annotations": {"a": form.format(CANARY)}},
        "extra": data.draw(values.map(lambda value: _with(value, CANARY))),
    }
    for mine in (rendered, None):
        assert CANARY not in "\n".join(diff(mine, there))


def test_a_credential_in_a_variable_is_not_shown() -> None:
    """Its name is; a value that is rendered just so is no secret."""
    new = one("StatefulSet", "my-stack-ingester")
    old = kept(copy.deepcopy(new), **{"f:spec": {"f:template": {"f:spec": {"f:containers": {
        'k:{"name":"loki-ingester"}': {"f:env": {'k:{"name":"MY_SECRET"}': {
            "f:name": {}, "f:value": {}}}}}}}}})  # fmt: skip
    env = old["spec"]["template"]["spec"]["containers"][0]["env"]
    env.append({"name": "MY_SECRET", "value": CANARY})
    env[1 if env[0]["name"] == "AWS_ENDPOINT_URL_STS" else 0] |= {"name": "AWS_ROLE_ARN"}
    told = "\n".join(diff(new, old))
    assert "- name: MY_SECRET" in told.replace("-- ", "- ")
    assert f"value: {HIDDEN}" in told
    assert CANARY not in told


@given(values, values, values)
def test_whatever_is_there_is_compared(there: Any, rendered: Any, fields: Any) -> None:
    """No crash, whatever shape the cluster's object and its owners have."""
    old = kept({"kind": "A", "metadata": METADATA, "spec": there}, **{"f:spec": fields})
    new = {"kind": "A", "metadata": METADATA, "spec": rendered}
    diff(new, old)
    assert not diff(new, new)


def test_an_object_of_a_file_is_compared_whole() -> None:
    """It was never in a cluster: nobody added to it."""
    there = {"kind": "A", "metadata": METADATA, "spec": {"a": 1}}
    assert ours_of(there, None) == there
    assert diff({"kind": "A", "metadata": METADATA, "spec": {}}, there) == [
        "-spec:",
        "-a: 1",
        "+spec: {}",
    ]
