# SPDX-License-Identifier: Apache-2.0
"""What is told of how Lokis are configured, and of whom nothing is."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_pair, a_pod, a_secret, a_workload, look, said_by
from lokeys.core.findings.finding import Confidence, Severity
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import (
    ConfigurationFault,
    InFile,
    InManifest,
    LokiStorage,
    Misconfiguration,
    PairPlace,
    RulerStorage,
    RunningLoki,
)
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.configuration import findings_of
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.key_state import Currency, seen
from lokeys.core.route.loki_log import complaints
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.snapshot import (
    SecretState,
    may_sign_without_blanks,
    signs_without_blanks,
)

FILE = DataKey(Ref("ConfigMap", "loki", "monitoring"), "config.yaml")
SECRET = Ref("Secret", "loki-s3", "monitoring")
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
RGW = LokiStorage(bucket="logs", endpoint="http://rgw:80")


def ref(name: str, namespace: str = "monitoring") -> Ref:
    """Return a component."""
    return Ref("Deployment", name, namespace)


def loki(*kinds: Misconfiguration, certain: bool = True, **changes: Any) -> RunningLoki:
    """Return a Loki with faults."""
    faults = tuple(ConfigurationFault(kind=kind, names=NAMES, certain=certain) for kind in kinds)
    whole: dict[str, Any] = {"container": "loki", "file": FILE, "faults": faults}
    return RunningLoki(**whole | changes)


LACKS = loki(Misconfiguration.NOT_SET, storage=RGW)
HAS = loki(storage=RGW, variables=tuple((name, DataKey(SECRET, name)) for name in NAMES))
OFF = loki(Misconfiguration.NOT_EXPANDED)
CLEAR = PairPlace(
    key_id=InFile(FILE, ("common", "storage", "s3", "access_key_id")),
    secret=InFile(FILE, ("common", "storage", "s3", "secret_access_key")),
)


def test_one_finding_is_for_all_components_that_share_a_fault() -> None:
    """Eight components are no eight findings; some are named."""
    lokis = {ref(f"loki-{n}"): OFF for n in range(8)}
    (found,) = findings_of(lokis, around=lokis)

    assert (found.code, found.object) == ("LK0901", ref("loki-0"))
    assert "and 3 more" in found.message


def test_components_of_two_namespaces_are_two_findings() -> None:
    """Each is somebody's own."""
    lokis = {ref("loki", "a"): loki(Misconfiguration.HALF_A_PAIR, file=None)}
    lokis |= {ref("loki", "b"): loki(Misconfiguration.HALF_A_PAIR, file=None)}

    assert len([*findings_of(lokis, around=lokis)]) == 2


@pytest.mark.parametrize(
    ("lacking", "around", "words", "severity", "confidence"),
    [
        pytest.param(
            LACKS,
            {ref("w"): HAS},
            "Deployment monitoring/w has them of Secret monitoring/loki-s3",
            Severity.ERROR,
            Confidence.CERTAIN,
            id="another has them",
        ),
        pytest.param(
            LACKS,
            {ref("w", "other"): HAS},
            "no such variable",
            Severity.ERROR,
            Confidence.CERTAIN,
            id="another namespace does not count",
        ),
        pytest.param(
            LACKS,
            {ref("w"): LACKS},
            "no such variable",
            Severity.ERROR,
            Confidence.CERTAIN,
            id="nobody has them, and the store is no AWS",
        ),
        pytest.param(
            loki(Misconfiguration.NOT_SET, certain=False),
            {ref("w"): HAS},
            "has them",
            Severity.ERROR,
            Confidence.LIKELY,
            id="on AWS a node may have a role",
        ),
        pytest.param(
            loki(Misconfiguration.NOT_SET, certain=False),
            {},
            "no such variable",
            Severity.WARNING,
            Confidence.POSSIBLE,
            id="on AWS, and nobody has them",
        ),
    ],
)
def test_what_lacks_variables_is_told_with_who_has_them(
    lacking: RunningLoki, around: Any, words: str, severity: Severity, confidence: Confidence
) -> None:
    """It is an error only where nothing else can give the key."""
    lokis = {ref("read"): lacking}
    (found,) = findings_of(lokis, around=around | lokis)

    assert words in found.message
    assert ("has them" in found.message) is ("has them" in words)
    assert (found.severity, found.confidence) == (severity, confidence)


@pytest.mark.parametrize(
    "healthy",
    [
        pytest.param(HAS, id="a sound one"),
        pytest.param(
            loki(Misconfiguration.NOT_SET, targets=frozenset({"distributor"})),
            id="one without storage",
        ),
        pytest.param(
            loki(pair=PairPlace(key_id=DataKey(FILE.ref, "id"), secret=DataKey(SECRET, "key"))),
            id="a key id in clear",
        ),
        pytest.param(
            loki(
                pair=PairPlace(
                    key_id=InFile(DataKey(SECRET, "c"), ("a",)),
                    secret=InFile(DataKey(SECRET, "c"), ("b",)),
                )
            ),
            id="a configuration in a Secret",
        ),
    ],
)
def test_a_healthy_neighbour_gets_no_finding(healthy: RunningLoki) -> None:
    """Nothing of it is amiss."""
    assert [*findings_of({ref("loki"): healthy}, around={})] == []


def test_a_pair_in_clear_is_told_once_with_where_it_stands() -> None:
    """Of three components that read one ConfigMap, and of a manifest's own value."""
    lokis = {ref(name): loki(pair=CLEAR) for name in ("read", "write")}
    (found,) = findings_of(lokis, around=lokis)
    assert (found.code, found.object, found.field) == ("LK0907", FILE.ref, "config.yaml")
    assert (
        "is in plain text in ConfigMap monitoring/loki, key config.yaml, at common.storage.s3"
        in found.message
    )

    own = PairPlace(key_id=InManifest("variable A"), secret=InManifest("variable B"))
    (found,) = findings_of({ref("one"): loki(pair=own)}, around={})
    assert (found.object, found.field) == (ref("one"), None)


def test_a_misconfigured_pod_uses_no_key_whatever_the_secret_holds() -> None:
    """Its refusals are the configuration's, nothing is replaced, and healing says who must act."""
    route = look(workloads=(a_workload(loki=OFF),), pods=(a_pod(refused=7, accepted=0),))
    found = diagnose(route)

    assert [each.code for each in found.findings] == ["LK0901"]
    assert [each.code for each in found.findings[0].symptoms] == ["LK0614"]
    assert [each.agrees for each in found.hops if each.hop is Hop.PODS] == [None]
    assert seen(route).key(route.pods[0]).currency is Currency.UNKNOWN
    assert said_by(plan(seen(route), Policy())) == "stalled: env_not_expanded"


def test_a_warning_of_the_configuration_explains_no_refusal() -> None:
    """A role beside a key is no reason for a 403."""
    shadowed = loki(Misconfiguration.ROLE_SHADOWED)
    route = look(workloads=(a_workload(loki=shadowed),), pods=(a_pod(refused=7, accepted=0),))

    assert [each.code for each in diagnose(route).findings] == ["LK0614", "LK0905"]


def test_what_the_configuration_does_not_explain_stands_for_itself() -> None:
    """A certificate that is not trusted is no missing variable."""
    said = "put s3 object: x509: certificate signed by unknown authority"
    line = f'level=error msg="failed to flush" err="{said}"'
    route = look(workloads=(a_workload(loki=LACKS),), pods=(a_pod(log=complaints([line])),))
    assert {each.code for each in diagnose(route).findings} == {"LK0902", "LK0809"}


KEYS = (DataKey(SECRET, NAMES[0]), DataKey(SECRET, NAMES[1]))
BARE = PairPlace(key_id=KEYS[0], secret=KEYS[1])
OTHER = DataKey(Ref("Secret", "other", "monitoring"), "k")
NEWLINE = a_secret(a_pair("A!"), ref=SECRET)


@pytest.mark.parametrize(
    ("workloads", "secret", "bare"),
    [
        pytest.param([loki(pair=BARE)], NEWLINE, True, id="the variable stands bare"),
        pytest.param([loki(pair=replace(BARE, blanks_kept=True))], NEWLINE, False, id="in quotes"),
        pytest.param(
            [loki(pair=BARE), loki(pair=replace(BARE, blanks_kept=True))],
            NEWLINE,
            False,
            id="one of two",
        ),
        pytest.param([loki(pair=BARE, guessed=True)], NEWLINE, False, id="a file that was guessed"),
        pytest.param(
            [loki(pair=PairPlace(key_id=OTHER, secret=OTHER))], NEWLINE, False, id="another"
        ),
        pytest.param([loki()], NEWLINE, False, id="no pair"),
        pytest.param([None], NEWLINE, False, id="a configuration that is not seen"),
        pytest.param([], NEWLINE, False, id="nobody reads it"),
        pytest.param([loki(pair=BARE)], a_secret(ref=SECRET), False, id="no newline"),
        pytest.param([loki(pair=BARE)], None, False, id="no Secret"),
    ],
)
def test_a_newline_does_not_count_only_where_every_loki_drops_it(
    workloads: list[RunningLoki | None], secret: SecretState | None, *, bare: bool
) -> None:
    """Where one keeps it, or nobody knows, the value counts as it is."""
    states = tuple(a_workload(loki=each) for each in workloads)

    assert signs_without_blanks(states, secret) is bare


@pytest.mark.parametrize(
    ("workloads", "secret", "maybe"),
    [
        pytest.param([None], NEWLINE, True, id="no configuration"),
        pytest.param([loki(pair=BARE, file=None)], NEWLINE, True, id="one that cannot be read"),
        pytest.param([loki(pair=BARE)], NEWLINE, False, id="one that is seen"),
        pytest.param([None], a_secret(ref=SECRET), False, id="no newline"),
        pytest.param([None], None, False, id="no Secret"),
    ],
)
def test_a_newline_may_be_dropped_where_a_configuration_is_not_seen(
    workloads: list[RunningLoki | None], secret: SecretState | None, *, maybe: bool
) -> None:
    """Then what was known of the pair before counts."""
    states = tuple(a_workload(loki=each) for each in workloads)

    assert may_sign_without_blanks(states, secret) is maybe


def test_the_last_words_of_a_run_that_ended_are_told() -> None:
    """They say nothing of a key: the next run reads the Secret as it is then."""
    words = complaints(['level=error msg="init bucket" err="no EC2 IMDS role found"'])
    pod = a_pod(started_at=None, ready=False, restarts=3, accepted=0, last_words=words)
    found = diagnose(look(pods=(pod,)))

    assert [each.code for each in found.findings] == ["LK0817"]
    assert seen(look(pods=(pod,))).key(pod).works is None


def ruler(*, same: bool | None, endpoint: str = RGW.endpoint, has_pair: bool = True) -> RunningLoki:
    """Return a Loki whose ruler has a store of its own."""
    storage = LokiStorage(bucket="rules", endpoint=endpoint)
    pair = CLEAR if has_pair else None
    own = RulerStorage(storage=storage, pair=pair, same_pair=same)
    kept = PairPlace(key_id=DataKey(SECRET, NAMES[0]), secret=DataKey(SECRET, NAMES[1]))
    return loki(storage=RGW, pair=kept, ruler=own)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(ruler(same=True), [], id="the same pair"),
        pytest.param(ruler(same=None, has_pair=False), [], id="no pair"),
        pytest.param(ruler(same=None), [Severity.INFO], id="a pair that is not known"),
        pytest.param(ruler(same=False), [Severity.WARNING], id="another at the same store"),
        pytest.param(
            ruler(same=False, endpoint="http://minio:9000"), [Severity.INFO], id="another store's"
        ),
    ],
)
def test_a_rulers_own_pair_is_told_once(found: RunningLoki, expected: list[Severity]) -> None:
    """With where both stand; it may be meant, so it is no error."""
    lokis = {ref(name): found for name in ("backend", "ruler")}
    told = [each for each in findings_of(lokis, around=lokis) if each.code == "LK0908"]
    assert [each.severity for each in told] == expected
    for each in told:
        assert "Deployment monitoring/backend, Deployment monitoring/ruler" in each.message
        assert f"comes from {CLEAR}" in each.message
        assert "from Secret monitoring/loki-s3" in each.message
