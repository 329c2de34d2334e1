# SPDX-License-Identifier: Apache-2.0
"""External Secrets reads a vault in the ways that people write: the real one, and Connect."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from e2e.layouts.lake import Lake, delivered, lake_of
from e2e.layouts.world import Layout, Told
from parts.rgw import Rgw

FIELDS = ("access_key", "secret_key")
USER = {"apiGroups": ["ceph.rook.io"], "resources": ["*"], "verbs": ["get", "list"]}
STORES = {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["get", "list"]}
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


@pytest.fixture
def lake(rgw: Rgw) -> Iterator[Lake]:
    """Make Loki's user, bucket and vault."""
    with lake_of(rgw) as made:
        yield made


def outage(layout: Layout, lake: Lake, name: str, labels: tuple[str, str] = FIELDS) -> None:
    """Make a layout whose key was replaced at the source, and nobody told the vault."""
    lake.keep(labels, lake.pair)
    lake.replace_key()
    build(layout, lake, name, lake.old)
    layout.show("loki", refused=9)


def build(layout: Layout, lake: Lake, name: str, pair: tuple[str, str]) -> None:
    """Make a layout whose vault has this pair, delivered."""
    lake.make(layout, "loki-of-the-lake", name)
    layout.start_external_secrets()
    delivered(layout, pair[0])
    layout.run()


def hop(told: Told, name: str) -> Mapping[str, object]:
    """Return a hop of the only route, without what it holds."""
    (route,) = told.document["routes"]
    found: Mapping[str, object] = next(each for each in route["hops"] if each["name"] == name)
    return found


def test_the_token_is_read_where_external_secrets_has_it(layout: Layout, lake: Lake) -> None:
    """The vault is behind the source, and that is said; the resource names the token's place."""
    outage(layout, lake, "cluster-store")
    told = layout.doctor()
    assert (told.code, told.codes[0]) == (3, "LK0401"), told.screen
    assert hop(told, "source")["ref"] == {
        "kind": "Secret",
        "namespace": layout.ns("rook-ceph"),
        "name": "rook-ceph-object-user-lake-loki",
    }
    assert hop(told, "vault")["agrees"] is False
    connect = layout.discover().document["spec"]["vault"]["onePassword"]["connect"]
    assert connect["tokenSecretRef"] == {
        "name": "connect-token",
        "namespace": layout.ns("external-secrets"),
    }


def test_the_remedy_that_doctor_prints_heals(layout: Layout, lake: Lake, tmp_path: Path) -> None:
    """The route is written down, and healed with the caller's rights, up to what must be asked."""
    outage(layout, lake, "cluster-store")
    printed = layout.doctor().finding("LK0401")["remedy"][0]["command"]
    assert printed.startswith("lokeys discover")
    layout.show("loki", accepted=5)
    first = layout.shell(printed, tmp_path)
    assert (first.returncode, "LK0604" in first.stdout) == (3, True), first.stdout + first.stderr
    heal = printed.partition("&& ")[2]
    done = layout.shell(f"{heal} --accept-loss", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lake.connect.values(lake.vault, lake.item)["access_key"] == lake.pair[0]
    assert layout.doctor().errors == []


def test_a_token_that_may_not_be_read_hides_the_vault_alone(layout: Layout, lake: Lake) -> None:
    """Rook stays the source, and the Secret is said to be behind it."""
    outage(layout, lake, "cluster-store")
    somebody = layout.person(
        "nearly-all", monitoring=[ALL], rook_ceph=[ALL], everywhere=[USER, STORES]
    )
    told = layout.doctor(person=somebody)
    assert (told.code, told.errors[0]) == (3, "LK0512"), told.screen
    token = f"Secret {layout.ns('external-secrets')}/connect-token"
    assert hop(told, "vault")["detail"] == f"not readable: {token}: forbidden"
    assert hop(told, "secret")["agrees"] is False


def test_a_token_that_is_missing_is_named_as_what_is_missing(
    layout: Layout, lake: Lake, tmp_path: Path
) -> None:
    """Not the item, which is there."""
    outage(layout, lake, "cluster-store")
    route = tmp_path / "loki.yaml"
    route.write_text(layout.discover().screen)
    layout.kubernetes.kubectl(
        "delete", "secret", "connect-token", "-n", layout.ns("external-secrets")
    )
    seen = layout.lokeys("trace", "-f", str(route))
    token = f"Secret {layout.ns('external-secrets')}/connect-token"
    assert f"not readable: {token} does not exist" in " ".join(seen.stdout.split())
    assert "LK0512" in seen.stdout


@pytest.mark.parametrize(
    ("name", "labels", "code"),
    [
        pytest.param(
            "stores-by-entry",
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            "LK0401",
            id="a store named by the entry alone",
        ),
        pytest.param(
            "labels-with-blanks",
            ("access key id", "secret access key"),
            "LK0401",
            id="labels that are delivered under other names",
        ),
        pytest.param("template-functions", ("ak", "sk"), "LK0401", id="functions in the template"),
        pytest.param(
            "template-elsewhere", ("ak", "sk"), "LK0512", id="a template that is not followed"
        ),
    ],
)
def test_however_the_vault_is_read(
    layout: Layout, lake: Lake, name: str, labels: tuple[str, str], code: str
) -> None:
    """Healthy, nothing is wrong and all was seen; a replaced key is found where it goes stale."""
    lake.keep(labels, lake.pair)
    layout.show("loki", accepted=9)
    build(layout, lake, name, lake.pair)
    healthy = layout.doctor()
    assert (healthy.code, healthy.errors) == (0, []), healthy.screen
    found = layout.discover()
    assert found.code == 0, found.screen + found.aside
    assert ("vault" in found.document["spec"]) is (code == "LK0401")
    lake.replace_key()
    lake.make(layout, "loki-of-the-lake")
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors[0]) == (3, code), stale.screen


def test_a_store_that_lokeys_cannot_read(layout: Layout, lake: Lake, tmp_path: Path) -> None:
    """Source and Secret are compared; the person edits what is named, and lokeys does the rest."""
    layout.show("loki", accepted=9)
    build(layout, lake, "another-provider", lake.pair)
    healthy = layout.doctor()
    assert (healthy.code, healthy.errors) == (0, []), healthy.screen
    lake.replace_key()
    lake.make(layout, "loki-of-the-lake")
    layout.show("loki", accepted=9, refused=9)
    stale = layout.doctor()
    assert (stale.code, stale.errors[0]) == (3, "LK0512"), stale.screen
    by_hand, then = stale.finding("LK0512")["remedy"]
    assert by_hand["text"] == "put the source's pair into `fake`: `LOKI_ID` and `LOKI_KEY`"
    layout.apply("another-provider", old_id=lake.pair[0], old_secret=lake.pair[1])
    layout.show("loki", accepted=9)
    done = layout.shell(f"{then['command']} --accept-loss", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert layout.doctor().errors == []
