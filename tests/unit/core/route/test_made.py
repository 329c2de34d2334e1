# SPDX-License-Identifier: Apache-2.0
"""Who makes a Secret in External Secrets' place, and how that one is changed."""

from typing import Any

import pytest

from builders import (
    DEAD,
    SECRET_STORE,
    TRUSTED,
    A,
    B,
    a_delivery,
    a_gap,
    a_pair,
    a_secret,
    ago,
    content,
    look,
)
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.makers import Maker, item_of
from lokeys.core.place import Hop, Ref
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.hops import hops
from lokeys.core.route.made import known_maker, maker_of_secret
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import PairKeys, SecretRef
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.snapshot import MakerState, Snapshot, StoreState, Why
from lokeys.core.sensitive import PairFacts

BARE = {"vault": None, "external_secret": None}
STALE = {"source": B, "verdicts": {A: DEAD, B: TRUSTED}}
ITEM = Ref("OnePasswordItem", "loki-s3", "monitoring")


def made(kind: str, controller: str, change: str, **more: Any) -> Maker:
    """Return a maker whose object is called like the Secret."""
    ref = Ref(kind, "loki-s3", "monitoring")
    return Maker(controller=controller, change=change, ref=ref, **more)


OP = made(
    "OnePasswordItem",
    "the 1Password operator",
    "edit the item in 1Password",
    source="vaults/x1/items/y2",
)
CASES = {
    "the 1Password operator": (
        OP,
        (
            "in 1Password, put the source's pair into the item `home-lab/loki`, its fields "
            "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
        ),
    ),
    "Sealed Secrets": (
        made("SealedSecret", "Sealed Secrets", "seal it anew"),
        "seal the source's pair anew with kubeseal, and put it into SealedSecret",
    ),
    "a claim's provisioner": (
        made("ObjectBucketClaim", "the claim's provisioner", "leave it"),
        "name ObjectBucketClaim monitoring/loki-s3 as the source",
    ),
    "the Vault Secrets Operator": (
        made("VaultStaticSecret", "the Vault Secrets Operator", "write the value to Vault"),
        (
            "write the value to Vault (VaultStaticSecret monitoring/loki-s3): the Vault Secrets "
            "Operator makes Secret monitoring/loki-s3-credentials, and undoes other changes"
        ),
    ),
    "Argo CD, which names no object": (
        Maker(controller="Argo CD", change="change it in Git"),
        "change it in Git: Argo CD makes Secret monitoring/loki-s3-credentials",
    ),
}


def found(maker: Maker, **changes: Any) -> Finding:
    """Return what is said of a Secret that this one made, and that is behind the source."""
    state = MakerState(ref=ITEM, item="home-lab/loki")
    seen = look(route=BARE, **STALE, secret=a_secret(A, maker=maker), maker=state, **changes)
    (behind,) = (each for each in diagnose(seen).findings if each.code == "LK0512")
    return behind


@pytest.mark.parametrize(("maker", "text"), CASES.values(), ids=CASES)
def test_the_remedy_is_the_makers_own(maker: Maker, text: str) -> None:
    """Never lokeys' own write, which would be undone."""
    behind = found(maker)
    assert behind.remedy[0].text.startswith(text)
    assert "makes it" in behind.message
    assert not any("lokeys heal" in str(each.command) for each in behind.remedy)


def test_the_1password_operator_can_be_asked() -> None:
    """A new annotation has it read the item: the moment is the shell's."""
    command = str(found(OP).remedy[1].command)
    assert command == (
        "kubectl -n monitoring annotate onepassworditem loki-s3 --overwrite "
        'lokeys.dev/read-again="$(date +%s)"'
    )


def test_a_healthy_route_with_a_maker_has_no_finding() -> None:
    """Who makes the Secret is no fault."""
    seen = look(route=BARE, secret=a_secret(A, maker=OP), maker=MakerState(ref=ITEM, ready=True))
    assert diagnose(seen).findings == ()


def detail(snapshot: Snapshot) -> str | None:
    """Return what the hop of the delivery says; None where there is none."""
    views = {view.hop: view.detail for view in hops(snapshot)}
    return views.get(Hop.DELIVERY)


def test_the_maker_is_a_hop() -> None:
    """With its item, and with what it says where it is not ready."""
    by_op = {"route": BARE, "secret": a_secret(A, maker=OP)}
    said = "makes the Secret for the 1Password operator, of"
    assert detail(look(**by_op)) == f"{said} `x1/y2`"
    sick = MakerState(ref=ITEM, item="home-lab/loki", ready=False, message="no such item")
    assert detail(look(**by_op, maker=sick)) == f"{said} `home-lab/loki`, not ready: no such item"
    gone = a_gap(Hop.DELIVERY, ITEM, Why.FORBIDDEN)
    assert detail(look(**by_op, unreadable=(gone,))) == "not readable: forbidden"
    nameless = Maker(controller="Argo CD", change="change it in Git")
    assert detail(look(route=BARE, secret=a_secret(A, maker=nameless))) is None
    assert detail(look(route=BARE)) is None


def test_the_resource_names_what_the_secret_does_not() -> None:
    """Marks are believed first; an ExternalSecret of the route is the maker, whoever else is."""
    ref = Ref("SecretClaim", "logs", "monitoring")
    named = look(route={**BARE, "made_by": ref})
    maker = maker_of_secret(named)
    assert maker is not None
    assert (maker.ref, maker.change) == (ref, "")
    assert detail(named) == "makes the Secret"
    stale = look(route={**BARE, "made_by": ref}, **STALE)
    (behind,) = (each for each in diagnose(stale).findings if each.code == "LK0512")
    assert behind.message.endswith("SecretClaim monitoring/logs makes it")
    assert behind.remedy[0].text.startswith("give the source's pair to what makes the Secret: ")
    marked = look(route={**BARE, "made_by": ref}, secret=a_secret(A, maker=OP))
    assert maker_of_secret(marked) is OP
    assert maker_of_secret(look(secret=a_secret(A, maker=OP))) is None
    eso = Maker(controller="External Secrets", change="change the value")
    assert maker_of_secret(look(route=BARE, secret=a_secret(A, maker=eso))) is None
    assert maker_of_secret(look(route={**BARE, "made_by": ref}, secret=None)) is not None


FLUX = Ref("HelmRelease", "loki", "monitoring")
IN_CONFIG = PairKeys(access_key_id="s3.access_key_id", secret_access_key="s3.secret_access_key")
CONFIG = Ref("ConfigMap", "loki", "monitoring")
LOGS = Ref("Secret", "logs", "monitoring")
RENDERED: dict[str, Any] = {
    **BARE,
    "secret": SecretRef(kind="ConfigMap", name="loki", inside="config.yaml", keys=IN_CONFIG),
    "made_by": FLUX,
    "values": SecretRef(name="logs", keys=IN_CONFIG),
}


def rendered(taken: PairFacts | None, config: PairFacts, **changes: Any) -> Snapshot:
    """Return a look at a route whose pair a chart writes into its ConfigMap."""
    whole: dict[str, Any] = {
        "route": RENDERED,
        "values": a_secret(taken, ref=LOGS) if taken else None,
        "secret": a_secret(config, ref=CONFIG),
        "maker": MakerState(ref=FLUX, ready=True),
    }
    return look(**{**whole, **changes})


def codes(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the findings, with the hop of each."""
    return [(f.code, str(f.hop)) for f in diagnose(snapshot).findings]


def test_a_configuration_is_compared_with_what_it_is_rendered_from() -> None:
    """Each neighbour with the one before it; the place of the pair is said."""
    assert codes(rendered(A, A)) == []
    stale = rendered(B, A, **STALE)
    assert codes(stale) == [("LK0515", "secret")]
    views = {view.hop: view for view in hops(stale)}
    assert [hop.value for hop in views] == [
        "source",
        "values",
        "release",
        "secret",
        "pods",
        "store",
    ]
    assert views[Hop.VALUES].agrees is True
    assert views[Hop.SECRET].agrees is False
    assert views[Hop.RELEASE].detail == "renders what Loki reads"
    assert views[Hop.SECRET].detail.startswith("inside of config.yaml, in clear, the store says")
    assert codes(rendered(A, A, **STALE)) == [("LK0512", "values")]
    assert codes(rendered(None, A, **STALE)) == [("LK0512", "secret")]


def test_values_are_compared_with_the_vault_before_them() -> None:
    """External Secrets makes what the HelmRelease takes the pair from."""
    route = {k: v for k, v in RENDERED.items() if k not in BARE}
    stale = rendered(A, A, route=route, vault=B, **STALE)
    assert codes(stale) == [("LK0501", "values")]
    names = [view.hop.value for view in hops(stale)]
    assert names[:5] == ["source", "vault", "delivery", "values", "release"]
    unread = rendered(A, A, route=route, vault=None, **STALE)
    assert codes(unread) == [("LK0512", "values")]


def test_values_have_a_maker_of_their_own() -> None:
    """Who makes them is asked, not who renders them."""
    sealed = CASES["Sealed Secrets"][0]
    stale = rendered(A, A, **{**STALE, "values": a_secret(A, ref=LOGS, maker=sealed)})
    (behind,) = (f for f in diagnose(stale).findings if f.code == "LK0512")
    assert behind.remedy[0].text.startswith("seal the source's pair anew")


def test_a_blank_source_makes_no_values_wrong() -> None:
    """It is the source that is told of."""
    assert ("LK0512", "values") not in codes(rendered(A, A, source=a_pair("-")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {}, "let lokeys have Flux render the values again", id="values that Flux takes"
        ),
        pytest.param(
            {"maker": MakerState(ref=FLUX, suspended=True, ready=False, message="no chart")},
            "HelmRelease monitoring/loki is suspended",
            id="a release that is suspended",
        ),
        pytest.param(
            {"route": {**RENDERED, "values": None}, "values": None},
            "change the values of HelmRelease monitoring/loki in Git",
            id="values that stand in Git",
        ),
        pytest.param(
            {"route": {**RENDERED, "values": None, "made_by": None}, "values": None},
            "put the source's pair into ConfigMap monitoring/loki, inside of its config.yaml",
            id="a configuration that nothing is seen to make",
        ),
    ],
)
def test_what_to_do_about_a_configuration(changes: dict[str, Any], said: str) -> None:
    """What its renderer does not undo."""
    seen = rendered(B, A, **STALE, **changes)
    behind = next(f for f in diagnose(seen).findings if f.code in ("LK0512", "LK0515"))
    assert behind.remedy[0].text.startswith(said)


def test_what_a_release_says_is_shown() -> None:
    """Suspended, or not ready; or that it could not be read."""
    sick = rendered(A, A, maker=MakerState(ref=FLUX, suspended=True, ready=False, message="no"))
    words = {view.hop: view.detail for view in hops(sick)}
    assert words[Hop.RELEASE] == "renders what Loki reads, suspended, not ready: no"
    gap = a_gap(Hop.DELIVERY, FLUX, Why.FORBIDDEN)
    unread = {v.hop: v.detail for v in hops(rendered(A, A, maker=None, unreadable=(gap,)))}
    assert unread[Hop.RELEASE] == "not readable: forbidden"


BY_ESO = {"vault": None}
IN_VAULT = {
    "delivery": a_delivery(
        store=StoreState(ref=SECRET_STORE, ready=True, provider="Vault"),
        place="`apps/loki`, its fields `id` and `secret`",
    )
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            IN_VAULT,
            "put the source's pair into Vault: `apps/loki`, its fields `id` and `secret`",
            id="a store that lokeys cannot read",
        ),
        pytest.param(
            {"delivery": a_delivery(store=StoreState(ref=SECRET_STORE, provider="Doppler"))},
            "put the source's pair into Doppler",
            id="a place that cannot be told",
        ),
        pytest.param(
            {"delivery": a_delivery(store=None)},
            "put the source's pair into what ExternalSecret monitoring/loki-s3-credentials reads",
            id="a store that cannot be read",
        ),
    ],
)
def test_what_lokeys_cannot_read_is_a_persons_to_edit(changes: dict[str, Any], said: str) -> None:
    """As far as it can be told; then lokeys carries it on."""
    stale = look(route=BY_ESO, **STALE, **changes)
    (behind,) = (f for f in diagnose(stale).findings if f.code == "LK0512")
    assert [each.text for each in behind.remedy] == [
        said,
        "let lokeys have External Secrets read it, carry it on and prove it",
    ]
    assert str(behind.remedy[1].command) == "lokeys heal -n monitoring loki"
    healthy = look(route=BY_ESO, **changes)
    assert diagnose(healthy).findings == ()


def test_a_heal_that_waits_for_a_person_says_what_to_edit() -> None:
    """Forced three times, and the store still holds the old key."""
    memory = Memory(content=content(), forced_for=B.pair, forced_count=3, forced_at=ago(minutes=1))
    made = plan(look(route=BY_ESO, **STALE, **IN_VAULT, memory=memory), Policy())
    assert made.stalled == "secret_behind_source"
    assert "put the source's pair into Vault: `apps/loki`" in made.reason


def test_values_in_a_store_that_lokeys_cannot_read() -> None:
    """External Secrets makes them of it, and Flux renders them."""
    route = {k: v for k, v in RENDERED.items() if k != "external_secret"}
    stale = rendered(A, A, route=route, **STALE, **IN_VAULT)
    (behind,) = (f for f in diagnose(stale).findings if f.code == "LK0512")
    assert behind.remedy[0].text.startswith("put the source's pair into Vault")
    plain = rendered(A, A, **STALE)
    (kept,) = (f for f in diagnose(plain).findings if f.code == "LK0512")
    assert kept.remedy[0].text == (
        "put the source's pair into Secret monitoring/logs, where it is kept"
    )


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("vaults/home-lab/items/loki", "home-lab/loki"),
        ("vaults/home lab/items/loki s3", "home lab/loki s3"),
        ("op://home-lab/loki", ""),
        ("vaults//items/loki", ""),
        ("", ""),
    ],
)
def test_an_item_is_named_by_its_path(path: str, item: str) -> None:
    """As the 1Password operator takes it."""
    assert item_of(path) == item


def test_a_path_that_names_no_item_is_not_shown() -> None:
    """It is somebody else's text."""
    odd = made("OnePasswordItem", "the 1Password operator", "edit the item", source="x")
    seen = look(route=BARE, **STALE, secret=a_secret(A, maker=odd))
    (behind,) = (each for each in diagnose(seen).findings if each.code == "LK0512")
    assert "the item that the OnePasswordItem names" in behind.remedy[0].text


def owned(name: str) -> dict[str, Any]:
    """Return a Secret that a OnePasswordItem of this name made."""
    owner = {"apiVersion": "onepassword.com/v1", "kind": "OnePasswordItem", "name": name}
    path = {"operator.1password.io/item-path": "vaults/a\x1b[31m/items/b"}
    return {"metadata": {"ownerReferences": [owner], "annotations": path}}


def test_marks_are_shown_only_as_they_may_be() -> None:
    """No control character, and no name that no object can bear."""
    maker = known_maker(owned("loki-s3"))
    assert maker is not None
    assert maker.source == "vaults/a?[31m/items/b"
    hostile = known_maker(owned("x\n; rm -rf /"))
    assert hostile is not None
    assert hostile.ref is None
    labels = {"helm.toolkit.fluxcd.io/name": "loki", "helm.toolkit.fluxcd.io/namespace": "A.b"}
    nowhere = known_maker({"metadata": {"labels": labels}})
    assert nowhere is not None
    assert nowhere.ref is None
    assert known_maker({"metadata": {}}) is None
