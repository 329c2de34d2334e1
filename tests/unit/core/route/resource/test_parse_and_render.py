# SPDX-License-Identifier: Apache-2.0
"""The way from a manifest to the model and back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref
from lokeys.core.route.model import (
    AwsIamSource,
    Bucket,
    ClaimSource,
    ExternalSecretRef,
    MetricsEndpoint,
    Mode,
    OnePasswordVault,
    PairKeys,
    Prove,
    PushSecretVault,
    RgwAdmin,
    RgwSource,
    RookSource,
    RotationSpec,
    RotationWindow,
    RouteSpec,
    SecretRef,
    SecretSource,
    Workload,
)
from lokeys.core.route.resource.parse import Refused, parse
from lokeys.core.route.resource.render import render
from lokeys.core.route.resource.rules import duration, duration_text
from lokeys.core.route.resource.schema import WORKLOAD_KINDS
from lokeys.core.route.resource.validate import faults
from manifests.storagecredential import CASES, MINIMAL, PEM, ROOK, Case

names = st.from_regex("[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
labels = st.text(min_size=1, max_size=20)
endpoints = names.map(lambda host: f"https://{host}:8443")
bundles = st.none() | st.just(PEM)


def pairs(words: st.SearchStrategy[str]) -> st.SearchStrategy[PairKeys]:
    two = st.lists(words, min_size=2, max_size=2, unique=True)
    return two.map(lambda ab: PairKeys(access_key_id=ab[0], secret_access_key=ab[1]))


secret_refs = st.builds(SecretRef, name=names, keys=pairs(names))
admins = st.builds(RgwAdmin, endpoint=endpoints, secret=secret_refs)
rooks = st.builds(
    RookSource,
    user=names,
    namespace=names,
    store=st.none() | names,
    refresh=st.booleans(),
    admin=admins,
) | st.builds(RookSource, user=names, namespace=names, refresh=st.just(False), admin=st.none())
minted = (
    rooks
    | st.builds(RgwSource, uid=labels, admin=admins, ca_bundle=bundles)
    | st.builds(
        AwsIamSource, user_name=names, admin=st.none() | secret_refs, endpoint=st.none() | endpoints
    )
)
places = st.builds(
    SecretRef,
    name=names.map(lambda name: f"target-{name}-of-loki"),
    keys=pairs(names),
    kind=st.sampled_from(["Secret", "ConfigMap"]),
    inside=st.just("config.yaml"),
)
makers = (
    st.none()
    | st.builds(ExternalSecretRef, name=names, recreate=st.booleans())
    | st.builds(Ref, st.just("SealedSecret"), names, names)
)
copied = st.builds(SecretSource, secret=secret_refs, namespace=names) | st.builds(
    ClaimSource, claim=names, namespace=names
)
vaults = st.builds(PushSecretVault, name=names) | st.builds(
    OnePasswordVault,
    url=endpoints,
    token=st.builds(SecretKeyRef, name=names, key=names),
    token_namespace=st.none() | names.map(lambda name: f"x-{name}"),
    vault=labels,
    item=labels,
    fields=pairs(labels),
)
windows = st.builds(
    RotationWindow,
    schedule=st.just("0 2 * * 6"),
    duration=st.integers(60, 86400).map(lambda s: timedelta(seconds=s)),
    time_zone=st.sampled_from(["UTC", "Europe/Zurich"]),
)
rotations = st.builds(
    RotationSpec,
    every=st.integers(3600, 10**8).map(lambda s: timedelta(seconds=s)),
    overlap=st.integers(0, 3599).map(lambda s: timedelta(seconds=s)),
    retire_on_evidence=st.booleans(),
    window=st.none() | windows,
)
workloads = st.builds(
    Workload,
    kind=st.sampled_from(WORKLOAD_KINDS),
    name=names,
    container=names,
    metrics=st.builds(
        MetricsEndpoint,
        port=st.integers(1, 65535),
        scheme=st.sampled_from(["http", "https"]),
        path=st.sampled_from(["/metrics", "/"]),
    ),
    force=st.booleans(),
)
buckets = st.builds(
    Bucket,
    name=st.from_regex("[a-z]{3,9}", fullmatch=True),
    endpoint=endpoints,
    region=names,
    path_style=st.booleans(),
    ca_bundle=bundles,
    create=st.booleans(),
)


@st.composite
def specs(draw: st.DrawFn) -> RouteSpec:
    rotates = draw(st.booleans())
    made = draw(makers)
    values = draw(st.none() | places)
    flux = Ref("HelmRelease", draw(names), draw(names))
    return RouteSpec(
        name=draw(names),
        namespace=draw(names),
        mode=draw(st.sampled_from(list(Mode) if rotates else [Mode.OBSERVE, Mode.HEAL])),
        source=draw(minted if rotates else copied),
        vault=draw(st.none() | vaults),
        secret=draw(
            st.builds(SecretRef, name=names.map(lambda n: f"target-{n}-of-loki"), keys=pairs(names))
            | places
        ),
        external_secret=made if isinstance(made, ExternalSecretRef) else None,
        made_by=flux if values else made if isinstance(made, Ref) else None,
        values=values,
        bucket=draw(buckets),
        workloads=tuple(
            draw(st.lists(workloads, max_size=3, unique_by=lambda w: (w.kind, w.name)))
        ),
        prove=draw(st.sampled_from(Prove)),
        rotation=draw(st.none() | rotations) if rotates else None,
        bridge_longest=timedelta(seconds=draw(st.integers(0, 86400))),
    )


@given(specs())
def test_what_is_rendered_parses_to_the_same(spec: RouteSpec) -> None:
    """Nothing of a route is lost or changed by writing it down."""
    assert parse(render(spec)) == spec


@pytest.mark.parametrize("case", [case for case in CASES if case.sound], ids=lambda case: case.says)
def test_a_parsed_manifest_survives_being_rendered(case: Case) -> None:
    """A sound manifest and its rendered form mean the same."""
    spec = parse(case.manifest())
    assert parse(render(spec)) == spec


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.sound], ids=lambda case: case.says
)
def test_a_faulty_manifest_is_refused_with_all_its_faults(case: Case) -> None:
    """The refusal carries what `faults` found, one a line."""
    with pytest.raises(Refused) as refused:
        parse(case.manifest())
    assert refused.value.faults == faults(case.manifest())
    assert str(refused.value).count("\n") == len(refused.value.faults) - 1


def test_defaults_are_those_of_the_contract() -> None:
    """The least manifest means what the contract says it does."""
    spec = parse(MINIMAL)
    aws = PairKeys(access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY")
    assert spec == RouteSpec(
        name="copied",
        namespace="monitoring",
        mode=Mode.OBSERVE,
        source=SecretSource(
            secret=SecretRef(
                name="from", keys=PairKeys(access_key_id="id", secret_access_key="secret")
            ),
            namespace="monitoring",
        ),
        secret=SecretRef(name="to", keys=aws),
        bucket=Bucket(name="loki", endpoint="https://s3.example"),
    )


def test_the_defaults_of_the_model_are_those_of_the_schema() -> None:
    """A workload, a rotation and a bucket mean the same whether made here or parsed."""
    spec = parse(Case("", True, {"spec.rotation": {}}).manifest())
    assert spec.rotation == RotationSpec()
    assert spec.workloads == (Workload(kind="StatefulSet", name="loki"),)
    assert spec.bucket == Bucket(name=spec.bucket.name, endpoint=spec.bucket.endpoint)
    assert isinstance(spec.source, RookSource)
    assert spec.source.admin is not None
    assert spec.source.admin.secret.keys == PairKeys(
        access_key_id="accessKey", secret_access_key="secretKey"
    )
    assert isinstance(spec.vault, OnePasswordVault)
    assert spec.vault.fields == PairKeys(access_key_id="access_key", secret_access_key="secret_key")


def test_a_manifest_without_a_namespace_takes_the_callers() -> None:
    """A file need not name a namespace; a source Secret is then looked for there, too."""
    spec = parse({**MINIMAL, "metadata": {"name": "copied"}}, namespace="logs")
    assert isinstance(spec.source, SecretSource)
    assert (spec.namespace, spec.source.namespace) == ("logs", "logs")


def test_a_rendered_manifest_says_no_defaults_but_the_telling_ones() -> None:
    """What a person would not write is not written; mode and names of keys always are."""
    said = render(parse(ROOK))["spec"]
    assert said["workloads"] == [{"kind": "StatefulSet", "name": "loki"}]
    assert set(said["bucket"]) == {"name", "endpoint"}
    assert "prove" not in said
    assert said["secret"]["keys"]["accessKeyId"] == "AWS_ACCESS_KEY_ID"


@given(st.integers(0, 10**9).map(lambda s: timedelta(seconds=s)))
def test_durations_are_read_as_they_are_written(value: timedelta) -> None:
    """A duration of whole seconds survives its text."""
    assert duration(duration_text(value)) == value


@pytest.mark.parametrize("text", ["", "1d", "1.5h", "h", "30m1h", "-1h", "1h ", "1234567h"])
def test_other_durations_are_refused(text: str) -> None:
    """Only whole hours, minutes and seconds in their order are a duration."""
    with pytest.raises(ValueError, match="duration"):
        duration(text)
