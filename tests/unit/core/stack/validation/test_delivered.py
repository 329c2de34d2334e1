# SPDX-License-Identifier: Apache-2.0
"""Secrets that External Secrets makes, adds to, or leaves alone (spec.target.creationPolicy)."""

from typing import Any

import pytest

from lokeys.core.validation.validate import Validation, validate
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Given, Object, external_secret, secret, stack

PAIR = ("access_key_id", "access_key_secret")
PLACE = {key: text for key, text in SOUND["s3 static"].items() if key not in PAIR}


def judge(*objects: Object) -> Validation:
    return validate([Given(each) for each in objects], now=NOW)


def faults(*objects: Object) -> list[str]:
    return sorted(str(finding.fault) for finding in judge(*objects).all_findings)


@pytest.mark.parametrize("policy", ["None", "Merge"])
def test_nothing_makes_the_secret(policy: str) -> None:
    """An ExternalSecret that makes none is named beside the absence, with its place."""
    external = external_secret(*SOUND["s3 static"], policy=policy)
    (finding,) = judge(stack(), external).all_findings
    assert finding.fault == "missing_storage_secret"
    said = f"ExternalSecret logging/es (creationPolicy {policy}) does not make it"
    assert said in finding.message


@pytest.mark.parametrize("policy", [None, "Owner", "Orphan", "CreateOrMerge"])
def test_what_makes_the_secret_stands_for_it(policy: str | None) -> None:
    """Whoever owns it afterwards."""
    assert faults(stack(), external_secret(*SOUND["s3 static"], policy=policy)) == []
    assert faults(stack(), external_secret(*PLACE, policy=policy)) == ["missing_field"] * 2


@pytest.mark.parametrize("policy", ["Merge", "CreateOrMerge"])
def test_keys_that_are_merged_add_up(policy: str) -> None:
    """One's own keys and those brought; what is known of one's own is judged all the same."""
    external = external_secret(*PAIR, policy=policy)
    validation = judge(stack(), secret(PLACE), external)
    assert validation.ok
    (view,) = validation.stacks
    assert (view.mode, view.storage) == ("static", None)  # the pair's values are not known
    broken = secret({**PLACE, "endpoint": "ftp://nowhere"})
    assert faults(stack(), broken, external) == ["bad_endpoint"]
    half = external_secret(PAIR[0], policy=policy)
    assert faults(stack(), secret(PLACE), half) == ["missing_field"]


@pytest.mark.parametrize("policy", ["None", "Owner"])
def test_what_does_not_merge_adds_nothing(policy: str) -> None:
    """A Secret that was handed in is looked at as it is."""
    external = external_secret(*PAIR, policy=policy)
    assert faults(stack(), secret(PLACE), external) == ["missing_field"] * 2


@pytest.mark.parametrize("policy", ["Orphan", "CreateOrMerge"])
def test_keys_of_several_add_up(policy: str) -> None:
    """One makes the Secret without owning it, another adds to it."""
    made = external_secret(*PLACE, name="b", policy=policy)
    added = external_secret(*PAIR, name="a", policy="Merge")
    assert faults(stack(), made, added) == []
    assert faults(stack(), added, made) == []


@pytest.mark.parametrize("policy", ["Owner", "Orphan", "Merge", "CreateOrMerge"])
@pytest.mark.parametrize("name", ["a", "z"])
def test_an_owner_keeps_all_others_out(policy: str, name: str) -> None:
    """Their keys never arrive, and they are told of; a Secret that is handed in changes nothing."""
    owner = external_secret(*SOUND["s3 static"], name="o", policy="Owner")
    other = external_secret("colour", name=name, policy=policy)
    validation = judge(stack(), owner, other)
    (finding,) = (each for each in validation.all_findings if each.code == "LK0135")
    assert finding.fault == "target_owned_by_other"
    assert finding.object is not None
    if policy != "Owner":
        assert finding.object.name == name
        assert len(validation.all_findings) == 1  # `colour` never comes
        assert "which ExternalSecret logging/o owns" in finding.message
    handed_in = judge(stack(), secret(), owner, other)
    assert [each.code for each in handed_in.all_findings] == ["LK0135"]
    lacking = external_secret(*PLACE, name="o")
    pair = external_secret(*PAIR, name=name, policy=policy)
    assert "missing_field" in faults(stack(), lacking, pair)


def test_who_leaves_the_secret_alone_is_not_kept_out() -> None:
    """Its policy is None: it writes nothing."""
    owner = external_secret(*SOUND["s3 static"], name="o")
    assert faults(stack(), owner, external_secret("x", name="n", policy="None")) == []


def test_a_file_that_is_merged_may_hold_anything() -> None:
    """Which mode Google's file means shows in its value alone; nothing is guessed."""
    gcs = stack(secret={"name": "loki-storage", "type": "gcs"})
    external = external_secret("key.json", policy="Merge")
    own = {"bucketname": "loki", "audience": ""}
    validation = judge(gcs, secret(own), external)
    assert validation.ok
    assert validation.stacks[0].mode is None
    said = stack(secret={"name": "loki-storage", "type": "gcs", "credentialMode": "token"})
    assert faults(said, secret(own), external) == ["missing_field"]
    assert faults(said, secret({**own, "audience": "a"}), external) == []


def sealed(*keys: str, **template: str) -> Object:
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "loki-storage", "namespace": "logging"},
        "spec": {"encryptedData": dict.fromkeys(keys, "AgBy"), "template": {"data": template}},
    }


def test_a_sealed_secret_stands_for_what_it_makes() -> None:
    """By the names of its keys; what lacks is sealed anew."""
    assert faults(stack(), sealed(*SOUND["s3 static"])) == []
    assert faults(stack(), sealed(*PAIR, **PLACE)) == []
    assert faults(stack(), sealed(*PLACE), external_secret(*PAIR, policy="Merge")) == []
    (finding,) = judge(stack(), sealed(*PLACE, PAIR[0])).all_findings
    assert finding.fault == "missing_field"
    assert "seal it anew" in finding.remedy[0].text
    assert finding.location is not None
    assert faults(stack(), secret(), sealed("colour")) == []  # the Secret itself is there


ENCRYPTED = "ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=,type:str]"


def encrypted(plain: dict[str, str], *keys: str, part: str = "stringData") -> Object:
    return {**secret(plain), part: {**plain, **dict.fromkeys(keys, ENCRYPTED)}, "sops": {"kms": []}}


@pytest.mark.parametrize("part", ["data", "stringData"])
def test_what_sops_has_encrypted_is_judged_by_its_names(part: str) -> None:
    """The values are not judged, which is said; what stands in clear is judged as ever."""
    whole = encrypted({}, *SOUND["s3 static"], part=part)
    validation = judge(stack(), whole)
    assert [each.code for each in validation.all_findings] == ["LK0139"]
    assert (validation.stacks[0].mode, validation.stacks[0].storage) == ("static", None)
    missing = faults(stack(), encrypted({}, *PLACE, part=part))
    assert missing == ["missing_field", "missing_field", "unknown_contents"]
    clear = encrypted({"endpoint": "ftp://nowhere"}, "bucketnames", "region", *PAIR)
    assert faults(stack(), clear) == ["bad_endpoint", "unknown_contents"]
    plain = {**secret({"bucketnames": ENCRYPTED, **PLACE}), "sops": None}
    assert "missing_field" in faults(stack(), plain)


def test_an_encrypted_file_may_hold_anything() -> None:
    """As one that is merged: what Google's file means shows in its value alone."""
    gcs = stack(secret={"name": "loki-storage", "type": "gcs"})
    validation = judge(gcs, encrypted({"bucketname": "loki", "audience": ""}, "key.json"))
    assert validation.ok
    assert validation.stacks[0].mode is None


def test_what_is_merged_from_a_whole_may_be_anything() -> None:
    """Names that no manifest tells come with `dataFrom`."""
    external = external_secret(policy="Merge")
    external["spec"]["dataFrom"] = [{"extract": {"key": "v"}}]
    assert faults(stack(), secret(PLACE), external) == []


@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param("es", "kubectl -n logging edit externalsecret es", id="a name"),
        pytest.param("$(es)", None, id="a name that a shell would twist"),
    ],
)
def test_a_made_secret_is_mended_where_it_is_made(name: str, command: str | None) -> None:
    """External Secrets would overwrite what a command changed in the Secret itself."""
    lacking = external_secret(*PLACE, PAIR[0], name=name)
    (finding,) = judge(stack(), lacking).all_findings
    (remedy,) = finding.remedy
    assert (remedy.command and str(remedy.command)) == command
    assert "where it is made" in remedy.text


def test_no_command_is_made_up_where_none_can_be_given() -> None:
    """A key of a strange name is told of in words."""
    (finding,) = judge(stack(), external_secret(*SOUND["s3 static"], "$(x)")).all_findings
    assert finding.remedy
    assert not any(remedy.command for remedy in finding.remedy)


@pytest.mark.parametrize("spec", [None, {"target": 1}, {"target": {"creationPolicy": 1}}])
def test_what_says_no_policy_makes_its_secret(spec: Any) -> None:
    """As External Secrets takes it."""
    external = external_secret()
    external["metadata"]["name"] = "loki-storage"
    external["spec"] = spec
    if isinstance(spec, dict) and isinstance(spec["target"], dict):
        spec["target"]["name"] = "loki-storage"
    assert set(faults(stack(), external)) == {"missing_field"}
