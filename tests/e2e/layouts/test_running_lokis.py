# SPDX-License-Identifier: Apache-2.0
"""How Lokis are run: where each takes its key, bucket and address from, on a real API server."""

import json
from typing import Any

import pytest

from e2e.layouts.lokis import (
    ENDPOINT,
    NAMES,
    common,
    component,
    config,
    placed,
    secret,
    user,
)
from e2e.layouts.world import Layout
from parts.process import wait_for
from parts.rgw import Rgw

KEY_ID, KEY = "AKLAKE00000000000001", "a-secret-of-the-lake-0123456789-abcdefgh"
PAIR = dict(zip(NAMES, (KEY_ID, KEY), strict=True))
ROLE = "arn:aws-us-gov:iam::123456789012:role/loki-s3"


@pytest.fixture(scope="module")
def lake(rgw: Rgw) -> Rgw:
    """Make Loki's bucket in the store that Rook runs."""
    rgw.create_user("lake-logs", f"--access-key={KEY_ID}", f"--secret-key={KEY}")
    assert rgw.request((KEY_ID, KEY), "PUT", "/logs").is_success
    return rgw


@pytest.fixture
def stored(layout: Layout, lake: Rgw) -> Layout:
    """Return a layout with Rook's user, and a Service that leads to its store."""
    layout.secrets.add(KEY)
    layout.put(*user("loki", KEY_ID, KEY))
    layout.lead("rook-ceph-rgw-lake", "rook-ceph", 80, to=lake.port)
    return layout


NAMED = {
    "S3_ENDPOINT": ENDPOINT,
    "BUCKET_CHUNKS": "logs",
    "S3_ACCESS_KEY_ID": KEY_ID,
    "S3_SECRET_ACCESS_KEY": KEY,
}
OF_NAMED = common(
    endpoint="${S3_ENDPOINT}",
    bucketnames="${BUCKET_CHUNKS}",
    access_key_id="${S3_ACCESS_KEY_ID}",
    secret_access_key="${S3_SECRET_ACCESS_KEY}",
)
BY_ARGUMENTS = (
    "-common.storage.s3.access-key-id=$(ID)",
    "-common.storage.s3.secret-access-key=$(KEY)",
)
IN_A_STORE = """\
schema_config:
  configs: [{from: "2024-01-01", store: tsdb, object_store: lake, schema: v13}]
storage_config:
  named_stores:
    aws:
      lake:
        endpoint: http://rook-ceph-rgw-lake.rook-ceph.svc:80
        bucketnames: logs
        s3forcepathstyle: true
        access_key_id: ${AWS_ACCESS_KEY_ID}
        secret_access_key: ${AWS_SECRET_ACCESS_KEY}
"""


@pytest.mark.parametrize(
    ("values", "text", "args", "keys"),
    [
        pytest.param(
            NAMED,
            OF_NAMED,
            (),
            ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"),
            id="bucket and endpoint are keys of the Secret",
        ),
        pytest.param(
            {"ID": KEY_ID, "KEY": KEY},
            common(access_key_id=None, secret_access_key=None),
            BY_ARGUMENTS,
            ("ID", "KEY"),
            id="the pair comes by arguments",
        ),
        pytest.param(PAIR, IN_A_STORE, (), NAMES, id="the store is a named one"),
        pytest.param(
            PAIR,
            common(access_key_id=None, secret_access_key=None),
            (),
            NAMES,
            id="the client finds the pair by itself",
        ),
        pytest.param(
            PAIR,
            "storage_config:\n  aws:\n    s3: s3://${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}"
            f"@{ENDPOINT.removeprefix('http://')}/logs\n    s3forcepathstyle: true\n",
            (),
            NAMES,
            id="the pair is part of an address",
        ),
    ],
)
def test_a_route_is_followed_whole(
    stored: Layout, values: dict[str, str], text: str, args: tuple[str, ...], keys: tuple[str, str]
) -> None:
    """Discover says bucket, address and data keys, and nothing is wrong with it."""
    stored.put(secret("loki-s3", **values), config(text), component("loki", *args))
    stored.show("loki", accepted=12)
    stored.run()
    spec = stored.discover().document["spec"]
    own = stored.ns("rook-ceph")
    assert spec["bucket"]["name"] == "logs"
    assert spec["bucket"]["endpoint"] == ENDPOINT.replace("rook-ceph.svc", f"{own}.svc")
    assert tuple(spec["secret"]["keys"].values()) == keys
    assert spec["source"]["rook"]["user"] == "loki"
    told = stored.doctor()
    assert (told.code, told.codes) == (0, [])


def test_expand_env_that_is_not_given_is_told_before_any_key_is_doubted(stored: Layout) -> None:
    """The store refuses the text ${AWS_ACCESS_KEY_ID}; with the argument nothing is wrong."""
    stored.put(secret("loki-s3", **PAIR), config(common()), component("loki", "-target=all"))
    stored.show("loki", refused=9)
    stored.run()
    told = stored.doctor()
    assert (told.code, told.codes) == (3, ["LK0901"])
    (finding,) = told.findings
    assert (finding["cause"], finding["confidence"]) == ("env_not_expanded", "certain")
    assert {each["code"] for each in finding["symptoms"]} == {"LK0614"}
    assert "-config.expand-env=true" in finding["remedy"][0]["text"]

    stored.show("loki", accepted=12)
    stored.put(component("loki", "-target=all", "-config.expand-env=true"))
    assert stored.doctor().errors == []


def test_variables_that_one_component_lacks_are_told_with_who_has_them(stored: Layout) -> None:
    """Of three components one has no envFrom; once it has, nothing is wrong."""
    stored.put(
        secret("loki-s3", **PAIR),
        config(common()),
        component("loki-write"),
        component("loki-read", kind="Deployment", of=None),
        component("loki-backend"),
    )
    for name in ("loki-write", "loki-backend"):
        stored.show(name, accepted=12)
    stored.run()
    told = stored.doctor()
    assert (told.code, told.codes) == (3, ["LK0902"])
    (finding,) = told.findings
    home = stored.ns("monitoring")
    assert finding["object"] == {"kind": "Deployment", "namespace": home, "name": "loki-read"}
    assert all(name in finding["message"] for name in NAMES)
    assert (
        f"StatefulSet {home}/loki-backend has them of Secret {home}/loki-s3"
        in told.document["findings"][0]["message"]
    )

    stored.show("loki-read", accepted=12)
    stored.put(component("loki-read", kind="Deployment"))
    stored.run()
    assert stored.doctor().errors == []


def test_a_role_is_named_with_what_the_endpoint_does_to_it(layout: Layout) -> None:
    """From 3.6 on nothing is wrong; before, the endpoint gets the token exchange."""
    account = placed(
        "v1",
        "ServiceAccount",
        "loki",
        metadata={"annotations": {"eks.amazonaws.com/role-arn": ROLE}},
    )
    text = common(
        endpoint="s3.us-gov-west-1.amazonaws.com",
        region="us-gov-west-1",
        bucketnames="gov-logs",
        s3forcepathstyle=None,
        access_key_id=None,
        secret_access_key=None,
    )
    how: dict[str, Any] = {"of": None, "serviceAccountName": "loki"}
    layout.put(account, config(text), component("loki-write", **how), component("loki-read", **how))
    told = layout.doctor()
    assert (told.code, told.codes) == (5, [])
    (said,) = told.document["notRead"]
    assert f"the IAM role {ROLE}, by ServiceAccount {layout.ns('monitoring')}/loki" in said
    assert "the token exchange goes to STS" in said
    assert "loki-read" in said

    old = "docker.io/grafana/loki:3.5.7"
    layout.put(*(component(name, image=old, **how) for name in ("loki-write", "loki-read")))
    told = layout.doctor()
    assert (told.code, told.codes) == (3, ["LK0906"])
    assert told.findings[0]["confidence"] == "likely"


def test_two_routes_of_a_namespace_have_two_names(stored: Layout) -> None:
    """A writer's and a reader's: applied, the second would replace the first."""
    stored.put(
        secret("s3-rw", **PAIR),
        secret("s3-ro", **PAIR),
        config(common()),
        component("loki-write", of="s3-rw"),
        component("loki-read", kind="Deployment", of="s3-ro"),
    )
    told = stored.discover()
    names = [each["metadata"]["name"] for each in told.document["items"]]
    assert names == ["s3-rw", "s3-ro"]
    alone = stored.discover("deployment/loki-read").document
    assert alone["metadata"]["name"] == "s3-ro"


def owned_by(layout: Layout, part: dict[str, Any]) -> dict[str, Any]:
    """Return a component that the stack owns, as the Loki Operator leaves it."""
    place = ("lokistacks.loki.grafana.com", "logs", "-n", layout.ns("monitoring"))
    stack = json.loads(layout.kubernetes.kubectl("get", *place, "-o", "json"))
    owner = {
        "apiVersion": stack["apiVersion"],
        "kind": "LokiStack",
        "name": "logs",
        "uid": stack["metadata"]["uid"],
        "controller": True,
    }
    return part | {"metadata": part["metadata"] | {"ownerReferences": [owner]}}


def test_the_components_of_a_stack_are_one_workload(stored: Layout) -> None:
    """The route is called after the stack, and its pods are looked at."""
    stack = placed(
        "loki.grafana.com/v1",
        "LokiStack",
        "logs",
        spec={
            "size": "1x.small",
            "storageClassName": "ceph-rbd",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}],
                "secret": {"name": "logs-s3", "type": "s3"},
            },
        },
    )
    env = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "logs-s3", "key": key}}}
        for name, key in zip(NAMES, ("access_key_id", "access_key_secret"), strict=True)
    ]
    parts = [
        component(
            f"logs-{name}",
            f"-target={name}",
            "-config.expand-env=true",
            kind=kind,
            of=None,
            env=env,
        )
        for name, kind in (("ingester", "StatefulSet"), ("querier", "Deployment"))
    ]
    stored.put(
        stack, config(common()), secret("logs-s3", access_key_id=KEY_ID, access_key_secret=KEY)
    )
    stored.put(*(owned_by(stored, each) for each in parts))
    for name in ("logs-ingester", "logs-querier"):
        stored.show(name, accepted=12)
    stored.run()
    document = stored.discover().document
    assert document["metadata"]["name"] == "logs"
    assert [(w["kind"], w["name"]) for w in document["spec"]["workloads"]] == [
        ("LokiStack", "logs")
    ]
    told = stored.doctor()
    assert (told.code, told.codes) == (0, [])
    assert told.screen.count("1/1 ready") == 2


def test_a_pair_in_clear_is_told_with_its_place(stored: Layout) -> None:
    """A ConfigMap's is a warning; the same configuration in a Secret is none."""
    text = common(access_key_id=KEY_ID, secret_access_key=KEY)
    stored.put(config(text), component("loki", of=None))
    stored.show("loki", accepted=12)
    stored.run()
    told = stored.doctor()
    assert (told.code, told.codes) == (0, ["LK0907"]), told.screen
    place = f"ConfigMap {stored.ns('monitoring')}/loki, key config.yaml, at common.storage.s3"
    assert place in told.findings[0]["message"]
    spec = stored.discover().document["spec"]
    assert (spec["secret"]["kind"], spec["secret"]["inside"]) == ("ConfigMap", "config.yaml")
    assert spec["source"]["rook"]["user"] == "loki"

    stored.put(secret("loki", **{"config.yaml": text}))
    stored.put(component("loki", of=None, volume={"secret": {"secretName": "loki"}}))
    told = stored.doctor()
    assert told.codes == [], told.screen
    assert stored.discover().document["spec"]["secret"]["inside"] == "config.yaml"


def test_a_newline_that_yaml_drops_is_a_warning(stored: Layout) -> None:
    """Bare it works by luck; in quotes, or under the client's own names, the store refuses."""
    values = {name: f"{value}\n" for name, value in PAIR.items()}
    stored.put(secret("loki-s3", **values), config(common()), component("loki"))
    stored.show("loki", accepted=12)
    stored.run()
    told = stored.doctor()
    assert (told.code, told.codes, told.errors) == (0, ["LK0514", "LK0514"], [])
    agrees = {hop["name"]: hop["agrees"] for hop in told.document["routes"][0]["hops"]}
    assert (agrees["secret"], agrees["store"]) == (True, True)

    stored.show("loki", refused=9)
    for kept in ("'${%s}'", None):
        text = dict.fromkeys(("access_key_id", "secret_access_key"))
        if kept is not None:
            text = {f: kept % name for f, name in zip(text, NAMES, strict=True)}
        stored.put(config(common(**text)))
        told = stored.doctor()
        assert (told.code, set(told.errors)) == (3, {"LK0510"})


def test_the_last_words_of_a_loki_that_ends_are_told(stored: Layout) -> None:
    """It never gets so far as to count requests; once it runs, nothing is said of it."""
    line = 'level=error msg="error running loki" err="init bucket: no EC2 IMDS role found"'
    stored.put(secret("loki-s3", **PAIR), config(common()), component("loki"))
    stored.show("loki", log=[line], ends_with=1)
    stored.run()

    def told() -> list[tuple[str, str]]:
        """Ask once: between two runs the pod is there for a moment."""
        said = stored.lokeys("-n", stored.ns("monitoring"), "doctor", "-o", "json")
        return [(each["code"], each["confidence"]) for each in json.loads(said.stdout)["findings"]]

    wait_for(lambda: told() == [("LK0817", "likely")], "the last words are told", timeout_s=60)


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        pytest.param(0, (5, []), id="it is well"),
        pytest.param(7, (3, ["LK0614"]), id="the store refuses it"),
    ],
)
def test_a_pair_of_two_secrets_is_not_followed_and_its_pods_are_heard(
    layout: Layout, refused: int, expected: tuple[int, list[str]]
) -> None:
    """No route is made of it; that says nothing of whether Loki reaches its store."""
    halves = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": f"half-{number}", "key": "half"}}}
        for number, name in enumerate(NAMES)
    ]
    layout.secrets.add(KEY)
    layout.put(
        *(secret(f"half-{number}", half=value) for number, value in enumerate((KEY_ID, KEY))),
        config(common()),
        component(of=None, env=halves),
    )
    layout.show("loki", accepted=3, refused=refused)
    layout.run()
    told = layout.doctor()
    assert (told.code, told.codes) == expected
    assert "lokeys follows one that a single Secret holds" in " ".join(told.document["notRead"])
    if refused:
        (command,) = (each["command"] for each in told.findings[0]["remedy"])
        assert command == f"lokeys discover -n {layout.ns('monitoring')} statefulset/loki"
        assert "7 storage request(s) refused with 403" in told.screen
